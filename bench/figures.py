"""One measured figure beside its floor and its target, and the table of them."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``floor`` is what the same work costs when nothing but the unavoidable is done, measured in the same run."""

    name: str
    value: float
    unit: str
    target: str
    met: bool
    floor: float | None = None
    floor_name: str = ""

    @property
    def ratio(self) -> str:
        return f"{self.value / self.floor:.2f} × {_number(self.floor)} ({self.floor_name})" if self.floor else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    lines = [
        (
            f"Machine: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
            f"{platform.python_implementation()} {platform.python_version()}"
        ),
        "",
        "| figure | measured | ratio × floor | target | |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {f.name} | {_number(f.value)} {f.unit} | {f.ratio} | {f.target} | {'met' if f.met else '**missed**'} |"
        for f in figures
    ]
    return "\n".join(lines)


def interleaved(rounds: int, *contenders: Callable[[], float]) -> list[float]:
    """The median of each contender, taken in turns so that a noisy neighbour hits all of them."""
    results: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for samples, contender in zip(results, contenders, strict=True):
            samples.append(contender())
    return [statistics.median(samples) for samples in results]
