"""What is attached to a post: pictures, a video, a link, a quote. Pure, and total.

A view tells where files are; of a bare record the addresses are made as the AppView makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypedDict
from urllib.parse import parse_qs, quote, urlsplit

from relay.model import LinkCard, Media, MediaKind, Quote, QuoteState
from relay.sources.bluesky.address import POSTS, read_at, record_url
from relay.sources.bluesky.shapes import Blob, Embed, External, Image, Pack, Ratio, Raw, Shown, read, read_all
from relay.sources.limits import MEDIA
from relay.text import clean, safe_url

# --- the animations that Bluesky's clients let people search for: links to GIF files at known places ---

_HOSTS = ("tenor.com", "klipy.com", "giphy.com", "gifs.bsky.app")
"""Where they are kept, at any host below these."""
_FILES = (".gif", ".webp", ".mp4")
_PREFIXES = ("alt text:", "alt:")
"""Before a description: ``Alt:`` where the author wrote it, ``ALT:`` where the archive did."""
_LARGEST = 10_000


class Sizes(TypedDict, total=False):
    """Pixels."""

    width: int
    height: int


def animation_sizes(url: str) -> Sizes | None:
    """How large the animation is that an address leads to, as far as that says so; None: it leads to none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not any(host.endswith(f".{one}") for one in _HOSTS) or not parts.path.lower().endswith(_FILES):
        return None
    asked = parse_qs(parts.query, max_num_fields=20) if parts.query.count("&") < 20 else {}
    width, height = (_pixels(asked.get(name)) for name in ("ww", "hh"))
    return {"width": width, "height": height} if width and height else {}


def spoken(description: str) -> str:
    """The description itself, without the word that says that it is one."""
    text = description.strip()
    prefix = next((one for one in _PREFIXES if text.casefold().startswith(one)), "")
    return text[len(prefix) :].strip()


def _pixels(told: list[str] | None) -> int:
    first = told[0] if told else ""
    number = int(first) if first.isascii() and first.isdigit() and len(first) <= 5 else 0
    return number if number <= _LARGEST else 0


# --- embeds ---

_CDN = "https://cdn.bsky.app/img"
_VIDEOS = "https://video.bsky.app/watch"
UNKNOWN = "An embed that this relay does not know"
_NAMES = {
    "app.bsky.feed.generator": "Feed",
    "app.bsky.graph.list": "List",
    "app.bsky.graph.starterpack": "Starter pack",
    "app.bsky.labeler.service": "Labeler",
}

_STATES = {
    "viewNotFound": QuoteState.DELETED,
    "viewBlocked": QuoteState.HIDDEN,
    "viewDetached": QuoteState.WITHDRAWN,
}
"""Why a quoted post is not to be seen; of a bare record nobody says whether it is."""

QuoteReader = Callable[[Shown], Quote | None]
"""Reads the quoted post of a view; None where it is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What an embed became."""

    media: tuple[Media, ...] = ()
    card: LinkCard | None = None
    quote: Quote | None = None


NOTHING = Embedded()


def read_embed(raw: Raw, did: str, url: str, quoted: QuoteReader) -> Embedded:
    """``did`` is the author's, whose files they are; at ``url`` a person sees what we do not know."""
    embed = read(raw, Embed)
    if embed is None:
        return NOTHING if _is_nothing(raw) else _unknown(url)
    return _read(embed, did, url, quoted)


def blob_image(did: str, blob: Raw, kind: str) -> str:
    """Where a picture out of somebody's repository is shown, in a size (``avatar``, ``feed_fullsize``…); else empty."""
    cid = _cid(blob)
    return safe_url(f"{_CDN}/{kind}/plain/{did}/{cid}@jpeg") if cid else ""


def _is_nothing(raw: Raw) -> bool:
    return bytes(raw) in {b"", b"null"}


def _unknown(url: str) -> Embedded:
    return Embedded(card=LinkCard(url=url, title=UNKNOWN))


def _read(embed: Embed, did: str, url: str, quoted: QuoteReader) -> Embedded:
    match (embed.type or "").removeprefix("app.bsky.embed.").removesuffix("#view"):
        case "images":
            found = Embedded(media=_images(embed.images, did))
        case "gallery":
            found = Embedded(media=_images(embed.items, did) or _images(embed.media, did))
        case "video":
            found = Embedded(media=tuple(_video(embed, did, url)))
        case "external":
            found = _external(embed.external, did)
        case "record":
            found = _record(embed.record, url, quoted)
        case "recordWithMedia":
            found = _both(embed, did, url, quoted)
        case _:
            found = NOTHING
    return found if found != NOTHING else _unknown(url)


def _images(raw: Raw, did: str) -> tuple[Media, ...]:
    return tuple(media for image in read_all(raw, Image, MEDIA) if (media := _image(image, did)))


def _image(image: Image, did: str) -> Media | None:
    full = safe_url(image.fullsize or "") or blob_image(did, image.image, "feed_fullsize")
    small = safe_url(image.thumb or image.thumbnail or "") or blob_image(did, image.image, "feed_thumbnail")
    if not (full or small):
        return None
    return _sized(Media(url=full or small, kind=MediaKind.IMAGE, alt=_alt(image.alt), preview=small), image.ratio)


def _video(embed: Embed, did: str, page: str) -> Iterator[Media]:
    """The address of a video is an HLS playlist, which neither most browsers nor chats show: it is seen in its post."""
    cid = _cid(embed.video)
    made = f"{_VIDEOS}/{quote(did, safe='')}/{cid}/" if cid else ""
    playlist = safe_url(embed.playlist or "") or (made and f"{made}playlist.m3u8")
    if playlist:
        preview = safe_url(embed.thumbnail or "") or (made and f"{made}thumbnail.jpg")
        kind = MediaKind.ANIMATION if embed.presentation == "gif" else MediaKind.VIDEO
        film = Media(url=playlist, kind=kind, alt=_alt(embed.alt), preview=preview, page=page)
        yield _sized(film, embed.ratio)


def _sized(media: Media, ratio: Raw) -> Media:
    size = read(ratio, Ratio) or Ratio()
    known = size.width and size.height and size.width > 0 and size.height > 0
    return replace(media, width=size.width, height=size.height) if known else media


def _alt(text: str | None) -> str:
    return clean(text or "", limit=2000)


def _cid(raw: Raw) -> str:
    blob = read(raw, Blob)
    cid = ((blob.ref.cid if blob.ref else blob.cid) or "") if blob else ""
    return cid if cid.isalnum() and cid.isascii() else ""


def _external(raw: Raw, did: str) -> Embedded:
    """A link, or one of the animations for which clients offer a search: those are links to known places."""
    external = read(raw, External)
    url = safe_url(external.uri) if external else ""
    if external is None or not url:
        return NOTHING
    title, about = clean(external.title or ""), clean(external.description or "", limit=2000)
    picture = safe_url(read(external.thumb, str) or "") or blob_image(did, external.thumb, "feed_thumbnail")
    if (sizes := animation_sizes(url)) is not None:
        alt = spoken(about) or title
        return Embedded(media=(Media(url=url, kind=MediaKind.ANIMATION, alt=alt, preview=picture, **sizes),))
    return Embedded(card=LinkCard(url=url, title=title or clean(url), description=clean(about), image=picture))


def _both(embed: Embed, did: str, url: str, quoted: QuoteReader) -> Embedded:
    """A quote beside pictures, a video or a link."""
    inner = read(embed.record, Embed)
    record = _record(inner.record if inner else Raw(), url, quoted)
    beside = read(embed.media, Embed)
    media = _read(beside, did, url, quoted) if beside else NOTHING
    return Embedded(media=media.media, card=media.card or record.card, quote=record.quote or media.quote)


def _record(raw: Raw, url: str, quoted: QuoteReader) -> Embedded:
    """A post is a quote; a feed, a list and their kin are links."""
    shown = read(raw, Shown)
    if shown is None:
        return NOTHING
    is_shown = shown.type == "app.bsky.embed.record#viewRecord"
    quote = quoted(shown) if is_shown else None
    return Embedded(quote=quote) if quote else _linked(shown, url, QuoteState.HIDDEN if is_shown else _state(shown))


def _state(shown: Shown) -> QuoteState:
    return _STATES.get((shown.type or "").rpartition("#")[2], QuoteState.ACCEPTED)


def _linked(shown: Shown, url: str, state: QuoteState) -> Embedded:
    place = read_at(shown.uri)
    target = safe_url(record_url(place)) if place else ""
    if place is None or not target:
        return _unknown(url)
    if place.collection == POSTS:
        return Embedded(quote=Quote(url=target, state=state))  # not to be seen, or known by its name only
    pack = read(shown.record, Pack) or Pack()
    title = clean(shown.title or shown.name or pack.name or "") or _NAMES[place.collection]
    description = clean(shown.description or pack.description or "")
    return Embedded(card=LinkCard(url=target, title=title, description=description))
