"""Notes to posts. Pure, and total: what cannot be read, or is not for everybody's eyes, is None."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from relay.core.authenticity import own_address, own_handle
from relay.model import Author, Media, MediaKind, Poll, PollOption, Post, PostUri, Quote, QuoteState
from relay.sources.limits import MEDIA, NAME, NOTE, OPTIONS, RECORD, TAGS
from relay.sources.mastodon.misskey.mfm import from_mfm
from relay.sources.mastodon.parse import SOURCE, alias, read_time
from relay.sources.mastodon.shapes import Raw, read, read_all
from relay.text import clean, plain, safe_url

_NAME = re.compile(r"[\w.-]{1,100}")
_HOST = re.compile(r"[\w.-]+(?::\d+)?")
_REFUSAL = re.compile(r"[#＃](?:nobots?|noindex|noarchive)(?!\w)", re.IGNORECASE)
_OPEN = {"public": False, "home": True}
"""The visibilities that are for everybody, and whether a post of it is unlisted."""
_URI_LIMIT = 2000


def read_note(raw: bytes | Raw, instance: str) -> Post | None:
    """The post in a note; None where it is no note, shares another one, or is neither public nor unlisted."""
    note = read(raw, MisskeyNote) if len(raw) <= RECORD else None
    return _post(note, instance) if note else None


def _post(note: MisskeyNote, instance: str) -> Post | None:
    author, published = _author(note.user, instance), read_time(note.created_at)
    uri = _uri(note, instance)
    if author is None or published is None or not uri or not note.id or not _is_open(note):
        return None
    return Post(
        uri=PostUri(uri),
        url=_shown_at(note, uri) or f"{instance}/notes/{note.id}",
        source=SOURCE,
        origin=instance,
        author=author,
        published=published,
        body=from_mfm(note.text or "", base=instance),
        warning=clean(plain(from_mfm(note.cw or "", base=instance))),
        sensitive=any(file.is_sensitive for file in read_all(note.files, File, MEDIA)),
        tags=_tags(note),
        media=tuple(_media(note)),
        poll=_poll(note.poll),
        quote=_quote(note, instance),
        edited=read_time(note.updated_at),
        aliases=(alias(instance, note.id),),
        reply_to=alias(instance, note.reply_id) if note.reply_id else "",
        reply_to_author=_answered(note, instance),
        unlisted=_OPEN[note.visibility or ""],
    )


def _is_open(note: MisskeyNote) -> bool:
    """What its author keeps on its server, and what only shares another note, is not brought elsewhere."""
    shares = note.renote_id and not (note.text or note.cw or read_all(note.files, File, MEDIA) or _poll(note.poll))
    return note.visibility in _OPEN and not note.local_only and not shares


def _uri(note: MisskeyNote, instance: str) -> str:
    """A server does not tell the names of its own notes: they are made of their ids."""
    told = (note.uri or "").strip()
    if told:
        return told if told.isprintable() and len(told) <= _URI_LIMIT else ""
    own = note.user is not None and not note.user.host
    return f"{instance}/notes/{note.id}" if note.id and own else safe_url(note.url or "")


def _shown_at(note: MisskeyNote, uri: str) -> str:
    """Where a person reads it: at its own server, whatever is told."""
    return safe_url(own_address(safe_url(note.url or ""), uri))


def _author(user: User | None, instance: str) -> Author | None:
    if user is None or not _NAME.fullmatch(user.username or "") or not (user.id or user.host):
        return None
    host = user.host if user.host and len(user.host) <= NAME and _HOST.fullmatch(user.host) else ""
    if user.host and not host:
        return None
    page = f"https://{host}/@{user.username}" if host else f"{instance}/@{user.username}"
    uri = safe_url(user.uri or "") or (page if host else f"{instance}/users/{user.id}")
    return Author(
        uri=uri,
        name=clean(user.name or "", limit=100) or clean(user.username or "", limit=100),
        url=own_address(safe_url(user.url or "") or page, uri),
        handle=own_handle(user.username or "", host, uri),
        avatar=safe_url(user.avatar_url or "", base=instance),
        bot=bool(user.is_bot),
        created=read_time(user.created_at),
        indexable=None if user.no_crawle is None else not user.no_crawle,
        discoverable=user.is_explorable,
        refuses=bool(user.no_crawle) or bool(_REFUSAL.search((user.description or "")[:NOTE])),
    )


def _tags(note: MisskeyNote) -> tuple[str, ...]:
    names = (clean(name, limit=200).lstrip("#＃") for name in read_all(note.tags, str, TAGS))
    return tuple(dict.fromkeys(name for name in names if name))


def _media(note: MisskeyNote) -> Iterator[Media]:
    for file in read_all(note.files, File, MEDIA):
        url, preview = safe_url(file.url or ""), safe_url(file.thumbnail_url or "")
        if not (url or preview):
            continue
        size = read(file.properties, FileSize) or FileSize()
        yield Media(
            url=url or preview,
            kind=_kind(file.type or "") if url else MediaKind.IMAGE,
            alt=clean(file.comment or "", limit=1500),
            preview=preview,
            width=size.width if size.width and size.width > 0 else None,
            height=size.height if size.height and size.height > 0 else None,
        )


def _kind(mime: str) -> MediaKind:
    kinds = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}
    return kinds.get(mime.partition("/")[0], MediaKind.FILE)


def _poll(raw: Raw) -> Poll | None:
    poll = read(raw, NotePoll)
    choices = read_all(poll.choices, PollChoice, OPTIONS) if poll else []
    if poll is None or not choices:
        return None
    options = tuple(PollOption(text=clean(one.text or "", limit=200), votes=one.votes) for one in choices)
    votes = [one.votes for one in choices if one.votes is not None]
    return Poll(
        options=options,
        votes=sum(votes) if votes else None,
        multiple=bool(poll.multiple),
        closes=read_time(poll.expires_at),
    )


def _quote(note: MisskeyNote, instance: str) -> Quote | None:
    """Nobody is asked there whether they want to be quoted: the link tells where it is, and no more."""
    quoted = read(note.renote, MisskeyNote)
    if quoted is None or not _is_open(quoted):
        return Quote(state=QuoteState.HIDDEN) if note.renote_id else None
    url = _shown_at(quoted, _uri(quoted, instance))
    return Quote(url=url) if url else None


def _answered(note: MisskeyNote, instance: str) -> str:
    parent = read(note.reply, MisskeyNote)
    author = _author(parent.user, instance) if parent else None
    return author.uri if author else ""


# --- what a Misskey server sends, as far as it is read here. Everything has a default: see the shapes beside it ---


Name = Annotated[str, msgspec.Meta(max_length=NAME)]


class User(msgspec.Struct, rename="camel"):
    """``host`` is missing where the server's own people are meant."""

    id: Name | None = None
    username: str | None = None
    host: str | None = None
    name: str | None = None
    uri: str | None = None
    url: str | None = None
    avatar_url: str | None = None
    is_bot: bool | None = None
    created_at: str | None = None
    description: str | None = None
    no_crawle: bool | None = None
    is_explorable: bool | None = None
    moved_to: str | None = None


class FileSize(msgspec.Struct):
    width: int | None = None
    height: int | None = None


class File(msgspec.Struct, rename="camel"):
    type: str | None = None
    url: str | None = None
    thumbnail_url: str | None = None
    comment: str | None = None
    is_sensitive: bool | None = None
    properties: Raw = Raw()


class PollChoice(msgspec.Struct):
    text: str | None = None
    votes: int | None = None


class NotePoll(msgspec.Struct, rename="camel"):
    multiple: bool | None = None
    expires_at: str | None = None
    choices: Raw = Raw()


class MisskeyNote(msgspec.Struct, rename="camel"):
    id: Name | None = None
    user_id: Name | None = None
    created_at: str | None = None
    updated_at: str | None = None
    text: str | None = None
    cw: str | None = None
    user: User | None = None
    visibility: str | None = None
    local_only: bool | None = None
    uri: str | None = None
    url: str | None = None
    tags: Raw = Raw()
    files: Raw = Raw()
    poll: Raw = Raw()
    reply_id: Name | None = None
    reply: Raw = Raw()
    renote_id: Name | None = None
    renote: Raw = Raw()


class Refusal(msgspec.Struct):
    code: str | None = None


class ErrorReply(msgspec.Struct):
    error: Refusal
