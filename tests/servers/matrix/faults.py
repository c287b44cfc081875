"""What a test lets go wrong: lost answers, dropped connections, errors, slowness, limits, a proxy's pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.servers.matrix.refusal import Told


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
    """The deed is done, its answer comes late."""

    seconds: float


@dataclass(frozen=True)
class Limited:
    """429 with this wait, told in the header, the body or both."""

    seconds: float
    told: Told = "both"


@dataclass(frozen=True)
class Refuse:
    """Any refusal, word for word."""

    status: int
    errcode: str
    error: str = "of the test"


@dataclass(frozen=True)
class Garbage:
    """A page of HTML, as a proxy in front gives it; the deed is not done."""

    status: int = 200


Effect = Drop | Status | Slow | Limited | Refuse | Garbage
LOST = Drop(committed=True)
RESET = Drop(committed=False)


@dataclass
class _Planned:
    operation: str
    effect: Effect
    count: int | None
    room: str | None
    after: int

    def fits(self, operation: str, room: str) -> bool:
        return fnmatchcase(operation, self.operation) and self.room in (None, room)


@dataclass
class Faults:
    """The faults that are still to come, first come first served."""

    _planned: list[_Planned] = field(default_factory=list)

    def add(
        self, operation: str, effect: Effect, count: int | None = 1, *, room: object | None = None, after: int = 0
    ) -> None:
        """Let the next ``count`` calls of ``operation`` go wrong (None: all), once ``after`` of them went well."""
        key = getattr(room, "id", room)
        assert key is None or isinstance(key, str), f"{room!r} is no room"
        self._planned.append(_Planned(operation, effect, count, key, after))

    def clear(self) -> None:
        self._planned.clear()

    @property
    def left(self) -> int:
        return sum(1 if plan.count is None else plan.count for plan in self._planned)

    def take(self, operation: str, room: str) -> Effect | None:
        """What happens to this call."""
        for plan in self._planned:
            if plan.fits(operation, room):
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
