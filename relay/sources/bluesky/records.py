"""Records and views to posts. Pure, and total: what cannot be read is None, what does not leave Bluesky says so.

A record is what the author wrote, as the firehose tells it; a view is what an AppView makes of it for readers, with the
author's name, the addresses of pictures, the quoted post and everybody's labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from relay.core.authenticity import has_handle, has_host, is_home
from relay.model import Author, LinkCard, Post, PostUri, Quote
from relay.rich import Text
from relay.sources.bluesky import embeds
from relay.sources.bluesky.address import POSTS, WEB, RecordAddress, did_of, is_did, post_url, profile_url, read_at
from relay.sources.bluesky.embeds import Embedded
from relay.sources.bluesky.facets import facet_tags, read_body, tag_name
from relay.sources.bluesky.labels import Withheld, read_labels, read_self_labels, warning, withheld
from relay.sources.bluesky.shapes import ActorProfile, PostView, Raw, Record, ReplyRef, Shown, read, read_all
from relay.sources.limits import NOTE, STATUS, TAGS
from relay.text import clean, from_html, from_plain, opening, safe_url

SOURCE = "bluesky"
BRIDGE = "https://bsky.brid.gy/convert/ap/"
"""Before the ``at://`` uri: what the post is called in the Fediverse, where a bridge takes it."""

_REFUSAL = re.compile(r"[#＃](?:nobots?|noindex|noarchive)(?!\w)", re.IGNORECASE)
_FIRST = datetime(1990, 1, 1, tzinfo=UTC)  # people import what they wrote elsewhere, but nobody blogged before
_SKEW = timedelta(minutes=5)
_URI_LIMIT = 2000  # a database's index takes no more


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPost:
    """A post as its bare record says it: whose it is, but not what that person is called."""

    uri: PostUri
    did: str
    cid: str
    """The version; another one means that the record was changed."""
    published: datetime
    body: Text
    languages: tuple[str, ...]
    tags: tuple[str, ...]
    reply_to: str
    reply_to_author: str
    original: str
    """The address of the post that it is a copy of, as the record claims."""
    labels: tuple[str, ...]
    """The author's own."""
    embed: Raw

    @property
    def url(self) -> str:
        return post_url(self.did, self.uri.rpartition("/")[2])


def read_record(did: str, rkey: str, cid: str, record: bytes | Raw, seen: datetime) -> RecordPost | None:
    """The post in a bare record; None where it is none. ``seen`` counts where the record's own time cannot be."""
    place = read_at(f"at://{did}/{POSTS}/{rkey}")
    said = read(record, Record)
    if place is None or not is_did(did) or said is None or said.type not in {POSTS, None}:
        return None
    return _draft(place, cid, said, seen)


def read_view(view: bytes | Raw) -> Post | Withheld | None:
    """The post in an AppView's view of it (``app.bsky.feed.defs#postView``)."""
    shown = read(view, PostView)
    place = read_at(shown.uri) if shown else None
    if shown is None or place is None or not is_home(shown.uri, shown.author.did):
        return None
    indexed = read_time(shown.indexed)
    said = read(shown.record, Record)
    author = _author(shown.author)
    if said is None or author is None or place.collection != POSTS:
        return None
    seen = indexed or read_time(read(said.created, str))
    if seen is None:
        return None
    draft = _draft(place, shown.cid or "", said, seen)
    embed = shown.embed if read(shown.embed, dict[str, Raw]) else draft.embed
    return _post(draft, author, read_labels(shown.author.labels), read_labels(shown.labels), embed)


def read_bare(draft: RecordPost, profile: bytes | Raw) -> Post | Withheld | None:
    """The post in a draft, with its author's profile; for when no AppView knows the post yet."""
    shown = read(profile, ActorProfile)
    author = _author(shown) if shown and shown.did == draft.did else None
    if shown is None or author is None:
        return None
    return _post(draft, author, read_labels(shown.labels), (), draft.embed)


def read_author(profile: bytes | Raw) -> Author | Withheld | None:
    """Who an account belongs to (``app.bsky.actor.defs``, any of its profile views)."""
    shown = read(profile, ActorProfile)
    author = _author(shown) if shown else None
    if shown is None or author is None:
        return None
    return withheld(read_labels(shown.labels)) or author


def read_asker(profile: bytes | Raw) -> Author | None:
    """Who speaks to us: also one who wants to be shown to nobody outside, and so is not collected either."""
    shown = read(profile, ActorProfile)
    author = _author(shown) if shown else None
    if shown is None or author is None:
        return None
    return replace(author, refuses=author.refuses or withheld(read_labels(shown.labels)) is not None)


def read_languages(said: Record) -> tuple[str, ...]:
    """The languages that a record names, the first of them first."""
    return tuple(name for one in read_all(said.langs, str, TAGS) if (name := clean(one, limit=35)))


def read_time(text: str | None) -> datetime | None:
    """An ISO 8601 time in UTC; without a zone it is taken for UTC."""
    try:
        time = datetime.fromisoformat(text or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def answers_others(post: Post) -> bool:
    """Whether it is a word to somebody else, and so no part of what its author has to say to everybody."""
    return bool(post.reply_to) and post.reply_to_author != post.author.uri


# --- the record ---


def _draft(place: RecordAddress, cid: str, said: Record, seen: datetime) -> RecordPost:
    reply = read(said.reply, ReplyRef)
    parent = reply.parent.uri if reply and read_at(reply.parent.uri) else ""
    return RecordPost(
        uri=PostUri(str(place)),
        did=place.who,
        cid=cid,
        published=_published(said, seen),
        body=_body(said),
        languages=read_languages(said),
        tags=_tags(said),
        reply_to=parent if len(parent) <= _URI_LIMIT else "",
        reply_to_author=did_of(parent),
        original=safe_url(read(said.bridged_url, str) or ""),
        labels=read_self_labels(said.labels),
        embed=said.embed,
    )


def _published(said: Record, seen: datetime) -> datetime:
    """As its author says, unless that is not to be believed (docs.bsky.app, Timestamps)."""
    claimed = read_time(read(said.created, str))
    return claimed if claimed and _FIRST <= claimed <= seen + _SKEW else seen


def _body(said: Record) -> Text:
    """Of what a bridge brought here, the whole text: Bluesky's own holds its first 300 characters."""
    whole = opening(read(said.bridged_text, str) or "", STATUS)
    if whole.strip() and (body := from_html(whole) if "<" in whole else from_plain(whole)):
        return body
    return read_body(said.text, said.facets)


def _tags(said: Record) -> tuple[str, ...]:
    outline = (tag_name(tag) for tag in read_all(said.tags, str, TAGS))
    return tuple(dict.fromkeys(tag for tag in (*facet_tags(said.facets), *outline) if tag))


# --- the view ---


def _post(
    draft: RecordPost, author: Author, person: Sequence[str], others: Sequence[str], embed: Raw
) -> Post | Withheld | None:
    """``person`` are the labels on the author, ``others`` those on the post."""
    labels = (*draft.labels, *others)
    if closed := withheld((*person, *labels)):
        return closed
    found = embeds.read_embed(embed, draft.did, draft.url, _quote)
    return Post(
        uri=draft.uri,
        url=draft.url,
        source=SOURCE,
        origin=WEB,
        author=author,
        published=draft.published,
        body=draft.body,
        warning=warning(labels),
        sensitive=bool(warning((*person, *labels))),
        language="".join(draft.languages[:1]),
        other_languages=draft.languages[1:],
        tags=draft.tags,
        media=found.media,
        quote=found.quote,
        link_card=found.card,
        aliases=_aliases(draft, author),
        reply_to=draft.reply_to,
        reply_to_author=draft.reply_to_author,
    )


def _aliases(draft: RecordPost, author: Author) -> tuple[str, ...]:
    """What the post is called in the Fediverse: where the bridge takes it, or where it brought it from.

    Anybody can claim to be a copy of something, and would be taken for it: only the bridge's accounts are believed.
    """
    if author.handle.endswith(".brid.gy") and 0 < len(draft.original) <= _URI_LIMIT:
        return (draft.original,)
    return (f"{BRIDGE}{draft.uri}",)


def _author(shown: ActorProfile) -> Author | None:
    if not is_did(shown.did):
        return None
    handle = shown.handle or ""
    named = "" if handle == "handle.invalid" else clean(handle, limit=253)
    labels = read_labels(shown.labels)
    return Author(
        uri=shown.did,
        name=_name(shown, named),
        url=profile_url(shown.did),
        handle=f"@{named}" if named else "",
        avatar=safe_url(shown.avatar or ""),
        bot="bot" in labels,
        created=read_time(shown.created),
        refuses=bool(_REFUSAL.search((shown.description or "")[:NOTE])),
    )


def _name(shown: ActorProfile, handle: str) -> str:
    """What an account calls itself; with no handle beside it, a name that reads like a handle may be anybody's."""
    name = clean(shown.name or "", limit=100)
    told = name if handle or not (has_handle(name) or has_host(name)) else ""
    return told or handle or shown.did


def _quote(shown: Shown) -> Quote | None:
    """One level deep. Of what its author wants to keep from visitors there is the link only."""
    profile, said, place = read(shown.author, ActorProfile), read(shown.value, Record), read_at(shown.uri)
    author = _author(profile) if profile else None
    if profile is None or author is None or place is None or said is None or not is_home(shown.uri, author.uri):
        return None
    draft = _draft(place, "", said, read_time(shown.indexed) or _FIRST)
    labels = (*draft.labels, *read_labels(shown.labels))
    if author.refuses or withheld((*read_labels(profile.labels), *labels)):
        return None
    found = _beside(shown, draft)
    return Quote(
        url=draft.url,
        author=author,
        body=draft.body,
        warning=warning(labels),
        media=found.media,
        link_card=found.card,
    )


def _beside(shown: Shown, draft: RecordPost) -> Embedded:
    """What is attached to a quoted post; of a post that this one quotes there is the link."""
    told = next(iter(read_all(shown.embeds, Raw)), Raw())
    found = embeds.read_embed(told if read(told, dict[str, Raw]) else draft.embed, draft.did, draft.url, lambda _: None)
    if found.card is None and found.quote is not None:
        return replace(found, card=LinkCard(url=found.quote.url, title=found.quote.url))
    return found
