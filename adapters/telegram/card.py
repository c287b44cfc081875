"""A card as calls of the Bot API: usually one, a text or media with a caption. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from adapters.telegram.entities import EntityDraft, EntityText, finished, joined
from adapters.telegram.limits import ALBUM, CAPTION, LABEL, TEXT, address
from adapters.telegram.prose import answer, drafted_block, fitted, foreign, linked, quotation
from adapters.telegram.style import TelegramStyle
from relay.card import Canvas, Section, SectionKind, onward, sections, sign_of, ways
from relay.model import Card, Media, MediaKind, Post
from relay.rich import Span
from relay.text import short, units

__all__ = ["AlbumItem", "CardMessage", "LinkButton", "Parts", "answer", "keyboard", "message", "original_of"]

Method = Literal[
    "sendMessage", "sendPhoto", "sendVideo", "sendAnimation", "sendAudio", "sendDocument", "sendMediaGroup"
]
ItemKind = Literal["photo", "video", "animation", "audio", "document"]

_METHODS: dict[ItemKind, Method] = {
    "photo": "sendPhoto",
    "video": "sendVideo",
    "animation": "sendAnimation",
    "audio": "sendAudio",
    "document": "sendDocument",
}
_KINDS: dict[MediaKind, ItemKind] = {
    MediaKind.IMAGE: "photo",
    MediaKind.VIDEO: "video",
    MediaKind.ANIMATION: "animation",
    MediaKind.AUDIO: "audio",
    MediaKind.FILE: "document",
}
_HEAD = frozenset({SectionKind.BYLINE, SectionKind.HEADLINE, SectionKind.WARNING})
_UNSEEN: frozenset[ItemKind] = frozenset({"audio", "document"})
_BY_ADDRESS = (".pdf", ".zip")
"""The files that Telegram fetches from an address."""
_NO_PHOTO = (".svg", ".avif", ".heic", ".tif", ".tiff")
_PLAYLIST = (".m3u8", ".mpd")
_LARGEST, _LONGEST_RATIO = 10_000, 20
_BESIDE, _EACH = 250, 45
"""What descriptions, all and each, are worth in a caption: without that room the text becomes a message of its own."""


@dataclass(frozen=True, slots=True)
class LinkButton:
    """A button that leads somewhere."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class AlbumItem:
    """A picture, video, sound or file that Telegram fetches from its address."""

    kind: ItemKind
    url: str
    spoiler: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As a part of an album."""
        return {"type": self.kind, "media": self.url} | ({"has_spoiler": True} if self.spoiler else {})


@dataclass(frozen=True, slots=True)
class CardMessage:
    """One call. An album has its words at its first item and no buttons; ``preview`` is the link to be previewed."""

    method: Method
    words: EntityText
    media: tuple[AlbumItem, ...] = ()
    buttons: tuple[tuple[LinkButton, ...], ...] = ()
    preview: str = ""

    @property
    def has_buttons(self) -> bool:
        return bool(self.buttons)

    def parameters(self) -> dict[str, Any]:
        """The parameters of the call, without the chat and what the message answers."""
        if self.method == "sendMediaGroup":
            first, *rest = (item.to_dict() for item in self.media)
            return {"media": [first | self._words("caption"), *rest]}
        if self.method == "sendMessage":
            return self._words("text") | self._link_preview() | self._markup()
        (item,) = self.media
        spoiler = {"has_spoiler": True} if item.spoiler else {}
        return {item.kind: item.url} | self._words("caption") | spoiler | self._markup()

    @property
    def edit_method(self) -> Literal["editMessageText", "editMessageCaption"]:
        """The call that changes the words of the message that this part became; of an album, of its first one."""
        return "editMessageText" if self.method == "sendMessage" else "editMessageCaption"

    def edit_parameters(self) -> dict[str, Any]:
        """The parameters of that call, without chat and message."""
        if self.method == "sendMessage":
            return self.parameters()
        return {"caption": ""} | self._words("caption") | self._markup()

    def _words(self, name: Literal["text", "caption"]) -> dict[str, Any]:
        entities = "entities" if name == "text" else "caption_entities"
        body: dict[str, Any] = {name: self.words.text} if self.words.text else {}
        return body | ({entities: self.words.to_dicts()} if self.words.entities else {})

    def _link_preview(self) -> dict[str, Any]:
        if not self.preview:
            return {"link_preview_options": {"is_disabled": True}}
        return {"link_preview_options": {"url": self.preview, "prefer_small_media": True}}

    def _markup(self) -> dict[str, Any]:
        return {"reply_markup": markup(self.buttons)} if self.buttons else {}


Parts = tuple[CardMessage, ...]


def markup(buttons: Sequence[Sequence[LinkButton]]) -> dict[str, Any]:
    """Rows of buttons as the Bot API takes them."""
    return {"inline_keyboard": [[{"text": one.label, "url": one.url} for one in row] for row in buttons]}


def message(
    card: Card,
    look: TelegramStyle,
    *,
    count: bool = True,
    media: bool = True,
    without: Collection[str] = (),
    plain: bool = False,
) -> Parts:
    """The calls that show a card, in order; never empty.

    ``count``: the text tells how long the thread is so far; without it only the button does. ``media``: as they are;
    without it only as links, for when Telegram does not take them; ``without``: the same of the items with these
    addresses. ``plain``: with links for buttons, and no preview.
    """
    shown = _shown(card.post, without) if media else _Shown()
    below = () if plain else keyboard(card, look)
    if not shown.items:
        words = finished(_composed(card, look, shown, count=count, links=plain))
        return (CardMessage("sendMessage", words, (), below, "" if plain else _preview(card)),)
    buttons = () if len(shown.items) > 1 else below
    size = _composed(card, look, shown, count=count, links=not buttons).size
    worth = max(_BESIDE, _EACH * len(shown.media))
    if size + min(_described_units(shown), worth) + 2 <= CAPTION:
        told = _described(shown, card.post, CAPTION - size - 2)
        return (_of_media(shown, _composed(card, look, shown, told, count=count, links=not buttons), buttons),)
    words = finished(_composed(card, look, shown, count=count, links=plain))
    media_alone = _of_media(shown, _described(shown, card.post, CAPTION), ())
    return CardMessage("sendMessage", words, (), below), media_alone


def keyboard(card: Card, look: TelegramStyle) -> tuple[tuple[LinkButton, ...], ...]:
    """The buttons under a card, in one row; none where nothing can be reached."""
    row = tuple(LinkButton(short(way.text, LABEL), way.link) for way in ways(card, canvas(look)))
    return (row,) if row else ()


def original_of(card: Card) -> str:
    """The address that a message of this card leads to; "" where there is none."""
    return address(card.post.url)


# --- words ---


def _composed(
    card: Card, look: TelegramStyle, shown: _Shown, told: EntityDraft | None = None, *, count: bool, links: bool = False
) -> EntityDraft:
    """All that is said of a card, its body cut to what the rest leaves; ``links``: what else would be buttons."""
    place = canvas(look, count=count)
    lines, more = _told_of(card.post, shown)
    found = sections(card, place, media=lines, more=more)
    around: dict[SectionKind, EntityDraft] = {
        section.kind: draft_of(section) for section in found if section.kind is not SectionKind.BODY
    }
    below = [
        told or EntityDraft(),
        joined([around.pop(SectionKind.FOOT, EntityDraft()), *_links(card, place, links=links)], "\n"),
    ]
    room = TEXT - _assembled(around, EntityDraft(), below).size - 4
    going_on = joined(map(link_of, onward(card, place)), "")
    body = hidden(fitted(card.post.body, room, more=going_on), folded=bool(card.post.warning))
    return _assembled(around, body, below)


def _links(card: Card, place: Canvas, *, links: bool) -> list[EntityDraft]:
    return [joined(map(link_of, ways(card, place)), " · ")] if links else []


def _told_of(post: Post, shown: _Shown) -> tuple[list[Media], int]:
    """The media to be told of in words, and how many pictures there are besides, beyond a full album."""
    rest = [media for media in post.media if media not in shown.media or _is_still(media)]
    beyond = [media for media in rest if len(shown.media) == ALBUM and media not in shown.media and _is_seen(media)]
    lines = [replace(media, alt="") if media in shown.media else media for media in rest if media not in beyond]
    return lines, len(beyond)


def _assembled(
    around: Mapping[SectionKind, EntityDraft], body: EntityDraft, below: Sequence[EntityDraft]
) -> EntityDraft:
    head = joined([around[part] for part in (SectionKind.BYLINE, SectionKind.HEADLINE) if part in around], "\n")
    words = joined([around.get(SectionKind.WARNING, EntityDraft()), body], "\n")
    apart = "\n\n" if "\n" in head.text else "\n"  # below a title there is some space
    rest = [draft for part, draft in around.items() if part not in _HEAD]
    return _stacked([joined([head, words], apart), *rest, *below])


def _stacked(drafts: Sequence[EntityDraft]) -> EntityDraft:
    """One below the other, with an empty line where Telegram leaves no space by itself."""
    whole, above = EntityDraft(), EntityDraft()
    for one in drafts:
        if not one:
            continue
        near = above.is_quotation or one.is_quotation
        whole = whole + ("\n" if near else "\n\n") + one if whole else one
        above = one
    return whole


def _preview(card: Card) -> str:
    """The link to be previewed: the post's own, else the thread's page under its first post; nothing that is folded."""
    post = card.post
    if _is_hidden(post) or post.media:
        return ""
    if post.link_card:
        return address(post.link_card.url)
    return address(card.unroll) if card.thread and card.thread.position == 1 else ""


# --- media ---


@dataclass(frozen=True, slots=True)
class _Shown:
    """The media that are shown, and what they are for Telegram."""

    media: tuple[Media, ...] = ()
    items: tuple[AlbumItem, ...] = ()


def _of_media(shown: _Shown, words: EntityDraft, buttons: tuple[tuple[LinkButton, ...], ...]) -> CardMessage:
    method = _METHODS[shown.items[0].kind] if len(shown.items) == 1 else "sendMediaGroup"
    return CardMessage(method, finished(words), shown.items, buttons)


def _described(shown: _Shown, post: Post, room: int) -> EntityDraft:
    """The descriptions of what is shown, in a quotation that can be unfolded: Telegram has no other place for them."""
    told = [(number, media) for number, media in enumerate(shown.media, 1) if EntityDraft(media.alt)]
    each, several = room // max(1, len(told)) - 12, len(shown.media) > 1
    text = EntityDraft()
    while each > 20 and (text.size > room or not text):  # a second time only where many joiners will stand in it
        lines = (_description(f"{number}. " if several else "", media, each) for number, media in told)
        text = joined(lines, "\n")
        each = each * 9 // 10
    if not text or text.size > room:
        return EntityDraft()
    return hidden(text, folded=_is_hidden(post)).marked("expandable_blockquote")


def _description(number: str, media: Media, limit: int) -> EntityDraft:
    sign = sign_of(media.kind)
    return EntityDraft(f"{SIGNS.get(sign, sign)} {number}") + foreign(short(media.alt, limit))


def _described_units(shown: _Shown) -> int:
    """How much all that is described would take."""
    return sum(units(media.alt) + 12 for media in shown.media if media.alt)


def _is_hidden(post: Post) -> bool:
    return bool(post.warning) or post.sensitive


def _shown(post: Post, without: Collection[str]) -> _Shown:
    """As many as an album holds, of one kind that can stand together."""
    found = [(media, _item(media, hidden=_is_hidden(post))) for media in post.media]
    taken = [(media, item) for media, item in found if item and item.url not in without]
    seen = [(media, item) for media, item in taken if item.kind not in _UNSEEN]
    chosen = (seen or [one for one in taken if one[1].kind == taken[0][1].kind])[:ALBUM]
    items = tuple(item for _, item in chosen)
    if len(items) > 1:  # an album takes no animations; the networks' are videos without sound
        items = tuple(replace(one, kind="video") if one.kind == "animation" else one for one in items)
    return _Shown(tuple(media for media, _ in chosen), items)


def _is_seen(media: Media) -> bool:
    item = _item(media, hidden=False)
    return item is not None and item.kind not in _UNSEEN


def _item(media: Media, *, hidden: bool) -> AlbumItem | None:
    kind, url = _KINDS[media.kind], address(media.url)
    path = urlsplit(url).path.lower()
    if kind in _UNSEEN and (hidden or (kind == "document" and not path.endswith(_BY_ADDRESS))):
        return None  # Telegram hides neither sounds nor files
    if _is_still(media):
        kind, url = "photo", address(media.preview)
    elif kind == "photo" and (path.endswith(_NO_PHOTO) or not _is_fit(media)):
        url = address(media.preview) if media.preview != media.url else ""
    return AlbumItem(kind, url, hidden) if url else None


def _is_still(media: Media) -> bool:
    """Whether only a picture of it can be shown: its address is that of a page, or a list of pieces for players."""
    if media.kind not in {MediaKind.VIDEO, MediaKind.ANIMATION}:
        return False
    return media.url == media.page or urlsplit(media.url).path.lower().endswith(_PLAYLIST)


def _is_fit(media: Media) -> bool:
    """Whether Telegram takes a picture of this size, as far as anybody told it."""
    if not (media.width and media.height):
        return True
    width, height = media.width, media.height
    return width + height <= _LARGEST and max(width, height) <= _LONGEST_RATIO * min(width, height)


# --- the sections of a card as drafts. Pure ---


_MOST_QUOTE = 900
SIGNS: Mapping[str, str] = MappingProxyType({"🖼️": "🖼"})


def canvas(look: TelegramStyle, *, count: bool = True) -> Canvas:
    """What Telegram shows of a card."""
    return Canvas(say=look.say, address=address, previews=True, media_last=True, count=count, signs=SIGNS)


def draft_of(section: Section) -> EntityDraft:
    """A section as it stands in a message, whole."""
    if section.kind is SectionKind.QUOTE:
        return quotation(joined([lines(section), *map(_quoted, section.inner)], "\n"))
    return _framed(section)


def _quoted(section: Section) -> EntityDraft:
    if section.kind is SectionKind.BODY:
        return hidden(fitted(section.text, _MOST_QUOTE, quoted=True), folded=section.folded)
    return _framed(section)


def _framed(section: Section) -> EntityDraft:
    if section.kind is SectionKind.BYLINE:
        name, *rest = section.text[0].spans
        return joined([_bold_link(name), *map(link_of, rest)], " ")
    if section.kind is SectionKind.HEADLINE:
        return _bold_link(section.text[0].spans[0])
    return lines(section)


def lines(section: Section) -> EntityDraft:
    """Each block of a section as a line."""
    return joined(map(drafted_block, section.text), "\n")


def link_of(span: Span) -> EntityDraft:
    """A span of ours as a link; the handle is one too, so that it is no Telegram user's name."""
    return linked(span.text, span.link, span.role)


def _bold_link(span: Span) -> EntityDraft:
    return link_of(span).marked("bold")


def hidden(draft: EntityDraft, *, folded: bool) -> EntityDraft:
    """Behind a spoiler, where it is to be folded."""
    return draft.marked("spoiler") if folded and draft else draft
