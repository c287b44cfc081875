"""Which posts were asked for at which destinations, and which of them, or of their kin, a reader finds there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from relay.model import Action
from relay.ports import Intake, State
from relay.store.known import Entry, Known
from relay.store.rows import Record
from relay.store.twins import Kin

_STANDING = {State.DUE, State.SENDING, State.SENT}
"""The states of a send that a reader finds, or soon will."""


class Places:
    """Which posts were asked for where, and which of them, or of their kin, a reader finds there."""

    def __init__(
        self,
        there: Mapping[int, Sequence[Record]],
        members: Collection[tuple[int, str]],
        known: Known,
        kin: Kin,
    ) -> None:
        self.there = there
        self._known = known
        self._kin = kin
        rows = [row for rows in there.values() for row in rows]
        taken_back = {(row.post, row.destination) for row in rows if row.action == Action.DELETE}
        self.asked = {(row.post, row.destination) for row in rows} | set(members)
        shown = {(row.post, row.destination) for row in rows if row.action == Action.SEND and row.state in _STANDING}
        self._shown = shown - taken_back
        self._folded = set(members)
        self._expected: set[tuple[int, str]] = set()

    def expect(self, intakes: Iterable[Intake]) -> None:
        """What will be brought by this batch counts before its turn comes."""
        for intake in intakes if self._kin.originals else ():
            for wish in intake.wishes:
                entry = self._known.find(wish.uri)
                if entry and not entry.deleted:
                    self._expected |= {(entry.id, name) for name in wish.by}

    def is_related(self, entry: Entry) -> bool:
        """Whether there are copies of it, or originals, or what reads alike."""
        return any(entry.uri in uris for uris in (self._kin.originals, self._kin.copies, self._kin.alike))

    def show(self, entry: Entry, name: str) -> None:
        """It has a message there. What is only counted, or shares a message, is no reason to hold others back."""
        self._shown.add((entry.id, name))

    def take_back(self, entry: Entry, name: str) -> None:
        self._shown.discard((entry.id, name))
        self._folded.discard((entry.id, name))

    def has_original(self, entry: Entry, name: str) -> bool:
        """Whether what this is a copy of was brought there, or is about to be."""
        uris = self._kin.originals.get(entry.uri)
        if not uris:
            return False
        return any((one.id, name) in self.asked or (one.id, name) in self._expected for one in self._known.of(uris))

    def has_alike(self, entry: Entry, name: str) -> bool:
        """Whether a reader finds the same there already."""
        uris = self._kin.alike.get(entry.uri, ())
        return any((one.id, name) in self._shown and not one.deleted for one in self._known.of(uris))

    def copies(self, entry: Entry, name: str) -> list[Entry]:
        """The copies of it that were brought there before."""
        uris = self._kin.copies.get(entry.uri)
        if not uris:
            return []
        brought = self._shown | self._folded
        return [one for one in self._known.of(uris) if (one.id, name) in brought]
