"""What is wrong with a message that a homeserver would take all the same: it takes nearly everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.matrix.markup import images_of, markup_problems
from tests.servers.matrix.refusal import Json
from tests.servers.matrix.things import Upload

HTML = "org.matrix.custom.html"
_MEDIA = {"m.image", "m.file", "m.audio", "m.video"}
_KINDS = _MEDIA | {"m.text", "m.notice", "m.emote", "m.location"}
_RELATIONS = {"m.replace", "m.thread", "m.reference", "m.annotation"}


def problems(content: Json, uploads: Mapping[str, Upload] | None = None) -> list[str]:
    """What nobody should send as ``m.room.message``, a problem each; with ``uploads``, media must be among them."""
    found = [*_body(content), *_media(content, uploads), *_relation(content)]
    new = content.get("m.new_content")
    if new is None:
        return found
    if not isinstance(new, dict) or "m.new_content" in new or "m.relates_to" in new:
        return [*found, "m.new_content is no content of its own"]
    return found + [f"m.new_content: {one}" for one in (*_body(new), *_media(new, uploads))]


def _body(content: Json) -> Iterator[str]:
    if content.get("msgtype") not in _KINDS:
        yield f"msgtype is {content.get('msgtype')!r}"
    body = content.get("body")
    if not isinstance(body, str) or not body.strip():
        yield "body is empty"
    if content.get("m.mentions") != {}:
        yield f"m.mentions is {content.get('m.mentions')!r}, not empty"
    html = content.get("formatted_body")
    if (html is None) != (content.get("format") is None) or content.get("format") not in (None, HTML):
        yield f"format is {content.get('format')!r}"
    if isinstance(html, str):
        yield from markup_problems(html, str(body))
    elif html is not None:
        yield "formatted_body is no text"


def _media(content: Json, uploads: Mapping[str, Upload] | None) -> Iterator[str]:
    pictures = images_of(str(content.get("formatted_body", "")))
    if uploads is not None:
        yield from (f"{url!r} in the formatted body was never uploaded" for url in pictures if url not in uploads)
    if content.get("msgtype") in _MEDIA:
        yield from _file(content, uploads)


def _file(content: Json, uploads: Mapping[str, Upload] | None) -> Iterator[str]:
    url, info = content.get("url"), content.get("info")
    if not isinstance(url, str) or not url.startswith("mxc://"):
        yield f"url is {url!r}"
        return
    if not isinstance(info, dict):
        yield "info is missing"
        return
    numbers = ("size", "w", "h") if content["msgtype"] == "m.image" else ("size",)
    yield from (f"info.{key} is {info.get(key)!r}" for key in numbers if not _counts(info.get(key)))
    if uploads is None:
        return
    found = uploads.get(url)
    if found is None:
        yield f"{url!r} was never uploaded"
    elif (info.get("mimetype"), info.get("size")) != (found.type, len(found.data)):
        yield f"info says {info.get('mimetype')!r}, {info.get('size')!r} of {found.type!r}, {len(found.data)}"


def _counts(value: Any) -> bool:
    return type(value) is int and value > 0


def _relation(content: Json) -> Iterator[str]:
    told = content.get("m.relates_to", {})
    kind = told.get("rel_type") if isinstance(told, dict) else None
    if (kind == "m.replace") != ("m.new_content" in content):
        yield "an edit has both m.replace and m.new_content"
    if kind is None:
        return
    if kind not in _RELATIONS:
        yield f"rel_type is {kind!r}"
    if not isinstance(told.get("event_id"), str):
        yield "m.relates_to has no event_id"
    if kind == "m.thread" and "event_id" not in told.get("m.in_reply_to", {}):
        yield "a message in a thread names none to fall back to"
