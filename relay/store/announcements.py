"""Where messages cannot be changed, a change is told by a message of its own: seldom enough to be no flood. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from relay.model import Action, Destination
from relay.ports import Allowance
from relay.store.folds import Folding
from relay.store.rows import Record

ONCE_IN = timedelta(days=1)
"""So long nothing is told of further edits of a post."""


class Announcements:
    """Decides, within one intake's transaction, which edits and deletions are to be told."""

    def __init__(self, allowance: Allowance, folding: Folding, now: datetime) -> None:
        self._allowance, self._folding, self._now = allowance, folding, now

    def is_fixed(self, name: str) -> bool:
        """Whether the messages at a destination stay as they were sent."""
        return Destination.parse(name).adapter in self._allowance.unedited

    def allows(self, send: Record, action: Action, there: Iterable[Record]) -> bool:
        """Whether an edit or a deletion of what was sent is to be ordered; ``there``: all deliveries of the post."""
        adapter = Destination.parse(send.destination).adapter
        if adapter not in (self._allowance.unedited if action is Action.EDIT else self._allowance.undeleted):
            return True
        return not self._told(send.destination, there, action) and self._folding.spends(send.destination)

    def _told(self, name: str, there: Iterable[Record], action: Action) -> bool:
        before = self._now - ONCE_IN
        edits = (row for row in there if row.action == Action.EDIT and row.destination == name)
        return action is Action.EDIT and any(row.created > before for row in edits)
