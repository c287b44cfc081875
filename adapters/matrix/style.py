"""How a card is to look in one room, and what the relay says for itself."""

from __future__ import annotations

from dataclasses import dataclass

from relay.i18n import Words


@dataclass(frozen=True, slots=True)
class MatrixStyle:
    """What a room, its subscription and the configuration say about rendering."""

    say: Words
    notify: bool = False
    """Posts ring: they are sent as ``m.text``, not as ``m.notice``, which push rules keep silent."""
