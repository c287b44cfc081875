"""The contents of Matrix events (client-server API v1.19, ``m.room.message``). Pure.

Every content says that it mentions nobody (``m.mentions``), and that none of its links is to be previewed: the key that
Element reads, and the one of MSC4095.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.matrix.mentions import quiet
from adapters.matrix.message_text import MatrixText
from relay.i18n import Words
from relay.text import is_blank, short

DELIVERY = "chasqui.delivery"
"""The key of the delivery that an event carries out, by which it is found again."""
_RELATION, _NEW = "m.relates_to", "m.new_content"
_MOST_ALT, _MOST_NAME = 1500, 100


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A picture in the homeserver's media repository."""

    url: str
    """Its ``mxc://`` address."""
    mime: str
    size: int
    """In bytes."""
    width: int
    height: int
    """In pixels."""
    name: str
    """What the file is called."""


def text_content(written: MatrixText, *, notify: bool, delivery: str = "") -> dict[str, Any]:
    """A message of words; unless it is to ``notify`` it is a notice, which rings nowhere."""
    content = _quiet("m.text" if notify else "m.notice", written.body, delivery)
    return content | {
        "format": "org.matrix.custom.html",
        "formatted_body": written.html,
        "uk.half-shot.unstable.show_url_previews": False,
        "com.beeper.linkpreviews": [],
    }


def picture_content(picture: Uploaded, alt: str, say: Words, *, delivery: str = "") -> dict[str, Any]:
    """A picture; its caption is its description, the only place that Matrix has for one."""
    described = quiet(short(alt, _MOST_ALT))
    body = say("Picture without a description") if is_blank(described) else described
    return _quiet("m.image", body, delivery) | {
        "filename": quiet(short(picture.name, _MOST_NAME)) or "picture",
        "url": picture.url,
        "info": {"mimetype": picture.mime, "size": picture.size, "w": picture.width, "h": picture.height},
    }


def _quiet(kind: str, body: str, delivery: str) -> dict[str, Any]:
    content: dict[str, Any] = {"msgtype": kind, "body": body, "m.mentions": {}}
    return content | ({DELIVERY: delivery} if delivery else {})


def edited(content: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    """The content as an edit of the event that was sent first: an edit of an edit counts for nothing."""
    new = {key: value for key, value in content.items() if key != _RELATION}
    marked = {key: f"* {new[key]}" for key in ("body", "formatted_body") if key in new}
    return new | marked | {_NEW: new, _RELATION: {"rel_type": "m.replace", "event_id": event_id}}


def in_thread(content: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The content as a message in the thread below ``root``, which itself stands in none."""
    relation = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": root},
    }
    return {**content, _RELATION: relation}
