"""What a test lets go wrong: lost answers, dropped connections, errors, slowness, limits out of the blue."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase


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
class Flood:
    """429 with this ``retry_after``, as it is given here."""

    retry_after: float


@dataclass(frozen=True)
class Refuse:
    """Any refusal, word for word."""

    status: int
    description: str


Effect = Drop | Status | Slow | Flood | Refuse
LOST = Drop(committed=True)
RESET = Drop(committed=False)


@dataclass
class _Planned:
    method: str
    effect: Effect
    count: int | None
    chat: int | None
    after: int

    def fits(self, method: str, chat: int | None) -> bool:
        return fnmatchcase(method, self.method) and self.chat in (None, chat)


@dataclass
class Faults:
    """The faults that are still to come, first come first served."""

    _planned: list[_Planned] = field(default_factory=list)

    def add(
        self, method: str, effect: Effect, count: int | None = 1, *, chat: object | None = None, after: int = 0
    ) -> None:
        """Let the next ``count`` calls of ``method`` go wrong (None: all), once ``after`` of them went well."""
        key = getattr(chat, "id", chat)
        assert key is None or isinstance(key, int), f"{chat!r} is no chat"
        self._planned.append(_Planned(method, effect, count, key, after))

    def clear(self) -> None:
        self._planned.clear()

    @property
    def left(self) -> int:
        return sum(1 if plan.count is None else plan.count for plan in self._planned)

    def take(self, method: str, chat: int | None) -> Effect | None:
        """What happens to this call."""
        for plan in self._planned:
            if plan.fits(method, chat):
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
