"""send…: texts, media and albums, refused where Telegram refuses them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from tests.servers.telegram import entities, keyboard, markup, messages, rich
from tests.servers.telegram.calls import Call, Operations
from tests.servers.telegram.reach import Place, allowed, place
from tests.servers.telegram.refusal import Json, bad, strict
from tests.servers.telegram.world import World

operations = Operations()
_NEEDED = {
    "photo": ("can_send_photos", "photos"),
    "video": ("can_send_videos", "videos"),
    "animation": ("can_send_other_messages", "animations"),
    "audio": ("can_send_audios", "music"),
    "document": ("can_send_documents", "documents"),
}
_ALBUM = {"photo", "video", "audio", "document"}
_ITEM_FIELDS = {"type", "media", "caption", "parse_mode", "caption_entities"}
_ITEM_MORE = {
    "photo": {"has_spoiler", "show_caption_above_media"},
    "video": {"has_spoiler", "show_caption_above_media", "width", "height", "duration", "thumbnail", "cover",
              "start_timestamp", "supports_streaming"},
    "animation": {"has_spoiler", "show_caption_above_media", "width", "height", "duration", "thumbnail"},
    "audio": {"thumbnail", "duration", "performer", "title"},
    "document": {"thumbnail", "disable_content_type_detection"},
}  # fmt: skip
_ERRORS_IN_ALBUMS = {
    "failed to get HTTP URL content": "WEBPAGE_CURL_FAILED",
    "wrong type of the web page content": "WEBPAGE_MEDIA_EMPTY",
}


def words(told: Json, field: str, found: str, *, most: int, name: str) -> Json:
    """Text and entities of a message, as it will show them."""
    text, given = told.get(field, ""), told.get(found)
    mode = str(told.get("parse_mode", "")).lower()
    if mode not in ("", "html"):
        raise strict(f"parse_mode {told['parse_mode']} is not known here")
    if mode:
        if given:
            raise strict("parse_mode and entities at once")
        text, given = markup.parsed(text)
    checked = entities.checked(text, given)
    text, checked = _trimmed(text, checked)
    if entities.units(text) > most:
        raise bad(f"{name} is too long")
    shown = entities.detected(text, checked)
    return {**({field: text} if text else {}), **({found: shown} if shown else {})}


def _trimmed(text: str, given: list[Json]) -> tuple[str, list[Json]]:
    """Telegram shows no white space at the end."""
    kept = text.rstrip()
    end = entities.units(kept)
    cut = [{**one, "length": min(one["length"], end - one["offset"])} for one in given if one["offset"] < end]
    return kept, cut


def text_of(told: Json) -> Json:
    """The content of a text message."""
    made = words(told, "text", "entities", most=4096, name="message")
    if not made.get("text"):
        raise bad("message text is empty")
    preview = told.get("link_preview_options")
    if preview is not None:
        _check_preview(preview)
        made["link_preview_options"] = preview
    return made


def _check_preview(preview: Any) -> None:
    allowed = {"is_disabled", "url", "prefer_small_media", "prefer_large_media", "show_above_text"}
    if not isinstance(preview, dict) or not set(preview) <= allowed:
        raise strict(f"link_preview_options are {preview!r}")
    if preview.get("url") and urlsplit(preview["url"]).scheme not in ("http", "https"):
        raise strict(f"link_preview_options.url is {preview['url']!r}")


def medium(world: World, call: Call, kind: str, told: Json, source: Any) -> Json:
    """The content of a message with a picture, a video, …"""
    content = words(told, "caption", "caption_entities", most=1024, name="message caption")
    shown = {
        "has_media_spoiler": told.get("has_spoiler"),
        "show_caption_above_media": told.get("show_caption_above_media"),
    }
    file = _file(world, call, kind, source)
    return {kind: file, **content, **{key: True for key, value in shown.items() if value}}


def _file(world: World, call: Call, kind: str, source: Any) -> Any:
    """The file behind an address, an upload or an id; nothing is fetched."""
    key = _source(world, call, source)
    world.files.add(key)
    told = {"file_id": key, "file_unique_id": key[-24:], "file_size": 1000}
    if kind == "photo":
        return [{**told, "width": 800, "height": 600}]
    if kind in ("video", "animation"):
        return {**told, "width": 800, "height": 600, "duration": 3}
    return {**told, "duration": 3} if kind == "audio" else {**told, "file_name": "file"}


def _source(world: World, call: Call, source: Any) -> str:
    given = str(source or "")
    if not given or given.startswith("attach://"):
        name = given.removeprefix("attach://") or call.field
        if name not in call.files:
            raise bad("there is no document in the request" if not given else f'file part "{name}" not found')
        return f"upload-{secrets.token_hex(12)}"
    if given in world.files:
        return given
    told = urlsplit(given)
    if given in world.bad_urls:
        raise bad(world.bad_urls[given])
    if told.scheme not in ("http", "https") or not told.netloc or " " in given:
        raise bad("wrong file identifier/HTTP URL specified")
    return f"web-{given}"


def post(world: World, call: Call, contents: list[Json]) -> list[Json]:
    """Write the messages, where everything else is well."""
    where = place(world, call.params)
    buttons = keyboard.checked(call.params.get("reply_markup"), inline_only=where.chat.kind == "channel")
    world.buckets.take(where.chat.id, len(contents), grouped=where.chat.grouped)
    return [_post(world, where, {**one, **({"reply_markup": buttons} if buttons else {})}) for one in contents]


def _post(world: World, where: Place, content: Json) -> Json:
    author = messages.author_of(where.chat, world.bot)
    made = messages.write(where.chat, author, content, where.reply, where.topic)
    where.chat.ours.add(made["message_id"])
    world.forward(where.chat, made)
    return made


@operations
def send_message(world: World, call: Call) -> Json:
    allowed(world, call.params, "can_send_messages", "text messages")
    return post(world, call, [text_of(call.params)])[0]


def _send_medium(kind: str) -> None:
    def send(world: World, call: Call) -> Json:
        allowed(world, call.params, *_NEEDED[kind])
        call.field = kind
        return post(world, call, [medium(world, call, kind, call.params, call.params.get(kind))])[0]

    send.__name__ = f"send_{kind}"
    operations(send)


for _kind in _NEEDED:
    _send_medium(_kind)


@operations
def send_media_group(world: World, call: Call) -> list[Json]:
    items = call.params["media"]
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise bad("can't parse media: expected an Array of InputMedia")
    if not 2 <= len(items) <= 10:
        raise strict(f"an album of {len(items)}, not of 2 to 10")
    _check_mix(one.get("type") for one in items)
    for kind in {one["type"] for one in items}:
        allowed(world, call.params, *_NEEDED[kind])
    album = str(secrets.randbits(53))
    contents = [{**_item(world, call, number, one), "media_group_id": album} for number, one in enumerate(items, 1)]
    return post(world, call, contents)


def _check_mix(given: Iterable[Any]) -> None:
    kinds = set(given)
    if not kinds <= _ALBUM:
        raise bad(f"type of file mismatch: {sorted(map(str, kinds - _ALBUM))} can't be in an album")
    if len(kinds) > 1 and kinds & {"audio", "document"}:
        raise bad("document can't be mixed with other media types" if "document" in kinds else "audio can't be mixed")


def _item(world: World, call: Call, number: int, told: Json) -> Json:
    reason = world.bad_urls.get(str(told.get("media")), "")
    if code := reason if reason.isupper() else _ERRORS_IN_ALBUMS.get(reason):
        raise bad(f'failed to send message #{number} with the error message "{code}"')
    return item(world, call, told)


def item(world: World, call: Call, told: Json) -> Json:
    """The content of one InputMedia."""
    kind = str(told.get("type"))
    strange = sorted(set(told) - _ITEM_FIELDS - _ITEM_MORE.get(kind, set()))
    if strange:
        raise strict(f"InputMedia of type {kind} has no {strange}")
    if not told.get("media"):
        raise bad("can't parse InputMedia: media not found")
    return medium(world, call, kind, told, told["media"])


@operations
def send_rich_message(world: World, call: Call) -> Json:
    allowed(world, call.params, "can_send_messages", "text messages")
    return post(world, call, [rich.content(call.params["rich_message"], world.bad_urls)])[0]
