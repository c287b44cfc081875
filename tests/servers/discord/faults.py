"""What a test lets go wrong: lost answers, dropped connections, errors, slowness, limits out of the blue."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Drop:
    """The connection breaks, after the deed (``committed``) or before it."""

    committed: bool


@dataclass(frozen=True)
class Status:
    """An answer with this status and nothing useful in it."""

    status: int
    committed: bool = False


@dataclass(frozen=True)
class Slow:
    """The deed and its answer come late."""

    seconds: float


@dataclass(frozen=True)
class Global:
    """429 for everything of the bot's, for so long."""

    seconds: float


@dataclass(frozen=True)
class Shared:
    """429 because of others: it does not count as an invalid request."""

    seconds: float


Effect = Drop | Status | Slow | Global | Shared
LOST = Drop(committed=True)
RESET = Drop(committed=False)


def fits(pattern: str, method: str, path: str) -> bool:
    """Whether ``"POST /channels/*/messages"`` means this request; ``*`` is one segment, alone it is everything."""
    if pattern == "*":
        return True
    wanted, _, shape = pattern.partition(" ")
    parts, given = shape.strip("/").split("/"), path.strip("/").split("/")
    return wanted in ("*", method) and len(parts) == len(given) and all(a in ("*", b) for a, b in zip(parts, given))  # noqa: B905  # the lengths were compared


@dataclass
class _Planned:
    route: str
    effect: Effect
    count: int | None
    after: int


@dataclass
class Faults:
    """The faults that are still to come, first come first served."""

    _planned: list[_Planned] = field(default_factory=list)

    def add(self, route: str, effect: Effect, count: int | None = 1, *, after: int = 0) -> None:
        """Let the next ``count`` requests for ``route`` go wrong (None: all), once ``after`` of them went well."""
        self._planned.append(_Planned(route, effect, count, after))

    def clear(self) -> None:
        self._planned.clear()

    @property
    def left(self) -> int:
        return sum(1 if plan.count is None else plan.count for plan in self._planned)

    def take(self, method: str, path: str) -> Effect | None:
        """What happens to this request."""
        for plan in self._planned:
            if fits(plan.route, method, path):
                if plan.after:
                    plan.after -= 1
                    return None
                return self._use(plan)
        return None

    def _use(self, plan: _Planned) -> Effect:
        if plan.count is not None:
            plan.count -= 1
            if plan.count == 0:
                self._planned.remove(plan)
        return plan.effect
