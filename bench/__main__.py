"""Runs all benchmarks, or those named, each in a process of its own, and prints one table."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import asdict

from bench.figures import Figure, table

ALL = (
    "matching",
    "intake",
    "claims",
    "outbox",
    "scale",
    "latency",
    "single",
    "polls",
    "feeds",
    "memory",
    "discord",
    "telegram",
    "matrix",
    "bluesky",
    "pages",
    "reads",
    "stops",
    "growth",
    "subscriptions",
)


def main(names: list[str]) -> int:
    if unknown := set(names) - set(ALL):
        print(f"no benchmark called {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
        return 2
    figures: list[Figure] = []
    for name in names or ALL:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures += apart(name)
    print(table(figures))
    return 0


def apart(name: str) -> list[Figure]:
    """Measure in a fresh interpreter: a million subscriptions left behind would weigh on whatever comes next."""
    program = f"import bench.__main__ as b; b.tell({name!r})"
    told = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [Figure(**figure) for figure in json.loads(told.splitlines()[-1])]


def tell(name: str) -> None:
    figures: list[Figure] = importlib.import_module(f"bench.{name}").measure()
    print(json.dumps([asdict(figure) for figure in figures]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
