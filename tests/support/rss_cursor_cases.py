"""What several tests share with those of rss cursor."""

from __future__ import annotations

from collections.abc import Sequence

from relay.model import Edited, Event, Published


def told(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Each event as its kind and the title of its post."""
    assert all(isinstance(event, Published | Edited) for event in events)
    return [(type(event).__name__, event.post.title) for event in events if isinstance(event, Published | Edited)]
