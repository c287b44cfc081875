"""A card as the body of a Discord message: made of components here, of an embed in the module beside. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from adapters.discord.limits import (
    ALT,
    BUTTON_URL,
    DESCRIPTION,
    EMBED_AUTHOR,
    EMBED_FOOTER,
    EMBED_TITLE,
    EMBEDS,
    FIELD_VALUE,
    GALLERY,
    LABEL,
    LONGEST,
    TEXTS,
    THREAD_NAME,
    USERNAME,
    V2,
    Measure,
    address,
    lines_within,
    size,
)
from adapters.discord.markdown import (
    SMALL,
    escape,
    escaped_within,
    fitted,
    in_markdown,
    inline,
    is_blank,
    lines,
    link,
    target_of,
    wrapped,
)
from adapters.discord.style import DiscordStyle
from relay.card import Canvas, Section, SectionKind, described, name_of, onward, sections, ways
from relay.i18n import Words
from relay.model import Author, Card, LinkCard, Media, Post
from relay.plugins import Preview
from relay.rich import SpanStyle, Text
from relay.text import clean, directed, short, text_content, units

# --- names that Discord lets a webhook carry ---

_REFUSED = ("discord", "clyde")
_LOOKS = str.maketrans(
    {
        **dict.fromkeys("іιⅰ1!|lӏℓɩɪ¡ł", "i"),
        **dict.fromkeys("ԁժɗđðᴅ", "d"),
        **dict.fromkeys("ѕꜱ$5ʂ", "s"),
        **dict.fromkeys("сϲᴄ¢", "c"),
        **dict.fromkeys("оοօ0ᴏøσ", "o"),
        **dict.fromkeys("ʀгᴦɾ", "r"),
        **dict.fromkeys("уүγʏỵ", "y"),
        **dict.fromkeys("еҽε3ᴇєə", "e"),
    }
)
# Letters and signs that are there and cannot be seen, beside those of the category of format characters.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u2800\u3164\ufe00-\ufe0f\uffa0]")


def username(author: Author, relay: str) -> str:
    """``NAME · via RELAY`` in 1–80 characters, free of what Discord refuses and of what would mislead."""
    via = f"via {_seen(relay, 30)}".strip()
    for name in (author.name, author.handle):
        seen = _seen(name, USERNAME - units(f" · {via}"))
        if seen and not _is_refused(whole := f"{seen} · {via}"):
            return whole
    return "Relay" if _is_refused(via) or via == "via" else via


def _seen(name: str, limit: int) -> str:
    """The characters of a name that are seen, without the signs that call somebody."""
    plain = "".join(char for char in name if unicodedata.category(char)[0] != "C" or char in " \t\n")
    return short(clean(_BLANK.sub("", plain).replace("@", " ").replace("`", "'")), limit)


def _is_refused(name: str) -> bool:
    letters = skeleton(name)
    return any(skeleton(word) in letters for word in _REFUSED)


def skeleton(name: str) -> str:
    """The letters that a reader takes a name for: case, marks, look-alikes and what stands between are gone."""
    apart = unicodedata.normalize("NFKD", name).casefold().translate(_LOOKS)
    return "".join(char for char in apart if char.isalnum())


# --- card ---

__all__ = ["edit_of", "in_markdown", "message", "original", "original_in", "title"]

Component = dict[str, Any]
_ROW, _BUTTON, _SECTION, _TEXT, _THUMBNAIL, _GALLERY, _SEPARATOR, _CONTAINER = 1, 2, 9, 10, 11, 12, 14, 17
_LINK = 5
_SCROLL = {"emoji": {"name": "📜"}}
_BODY = 1400
"""What is kept free for the body while the rest is set."""


def message(card: Card, look: DiscordStyle) -> dict[str, Any]:
    """The body of a create-message or execute-webhook call, without a nonce. It calls nobody but ``mention_role``."""
    body: dict[str, Any] = {"allowed_mentions": {"parse": []}}
    if look.mention_role:
        body["allowed_mentions"] = {"parse": [], "roles": [look.mention_role]}
    if look.style == "embed":
        return body | parts(card, look) | {"components": _rows(card, look)}
    if look.style == "webhook":
        body["username"] = username(card.post.author, look.relay)
        avatar = "" if look.plain else address(card.post.author.avatar)
        body |= {"avatar_url": avatar} if avatar else {}
    return body | {"flags": V2, "components": _components(card, look)}


def edit_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an edit takes of such a body; it calls nobody again."""
    kept = {key: value for key, value in body.items() if key not in {"username", "avatar_url"}}
    return kept | {"allowed_mentions": {"parse": []}}


def title(card: Card) -> str:
    """What to call a Discord thread or forum post about it: 1–100 characters."""
    name = clean(name_of(card.post.author, 40))
    begin = _beginning(card.post, THREAD_NAME)
    return short(name if is_blank(begin) else f"{name}: {begin}", THREAD_NAME)


def _beginning(post: Post, limit: int) -> str:
    """How a post begins, on one line: its title, its warning, or its first words; empty where it has none."""
    words = post.title or (f"⚠️ {post.warning}" if post.warning else text_content(post.body[:3])[: 4 * limit])
    return clean(words, limit=limit)


def original_in(message: Mapping[str, Any]) -> str:
    """The address behind the Original button (or link, where it was too long for one) of a message of ours."""
    found = ""
    for component in _walk(message.get("components") or ()):
        if component.get("type") == _TEXT:
            found = _long_original(str(component.get("content") or "")) or found
        elif component.get("style") == _LINK and not component.get("emoji"):  # the one with an emoji leads to the page
            found = str(component.get("url") or "")
    return found or next((str(one.get("url") or "") for one in message.get("embeds") or ()), "")


def _walk(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for component in components:
        yield component
        yield from _walk(component.get("components") or ())


# --- components ---


def _components(card: Card, look: DiscordStyle) -> list[Component]:
    call = f"<@&{look.mention_role}>" if look.mention_role else ""
    room = DiscordBudget(TEXTS)
    calls = [_text(room.take(call))] if call else []
    return [*calls, container(card, look, room.left)]


def container(card: Card, look: DiscordStyle, texts: int) -> Component:
    """The card itself; ``texts``: how long its texts may be together, by :func:`limits.size`."""
    inner = [*_texts_and_media(card, look, DiscordBudget(texts)), *_rows(card, look)]
    whole: Component = {"type": _CONTAINER, "components": inner}
    return whole | ({} if look.colour is None else {"accent_color": look.colour})


def _texts_and_media(card: Card, look: DiscordStyle, room: DiscordBudget) -> Iterator[Component]:
    """From top to bottom. What is short is set first, so that the body knows what is left for it."""
    post, say, folded = card.post, look.say, bool(card.post.warning)
    shown, linked = _sorted_media(post, look)
    found = sections(card, canvas(say), media=linked)
    foot = room.take(_foot(card, found, look))
    head = room.lines(_byline(found, post, say), 1600) if look.style == "card" else ""
    texts = written(card, found, room, say, kept=_BODY)
    words = [texts.pop(SectionKind.WARNING, ""), texts.pop(SectionKind.BODY, "")]

    yield from _head(head, post, look)
    yield from _texts(texts.pop(SectionKind.HEADLINE, ""), "\n".join(part for part in words if part))
    if shown:
        yield {"type": _GALLERY, "items": [_item(one, say, spoiler=folded or post.sensitive) for one in shown]}
    for part, text in texts.items():
        preview = post.link_card if part is SectionKind.LINK else None
        yield from _preview(text, preview, folded=folded or post.sensitive or look.plain)
    yield {"type": _SEPARATOR, "divider": True, "spacing": 1}
    yield _text(foot)


def _byline(found: Sequence[Section], post: Post, say: Words) -> list[str]:
    """Who wrote it, their handle, and when."""
    name, handle = author_of(found[0].text)
    return [line for line in (f"### {name}", handle, f"{SMALL}{times(post, say)}") if line]


def _text(content: str) -> Component:
    return {"type": _TEXT, "content": content}


def _texts(*contents: str) -> Iterator[Component]:
    yield from (_text(content) for content in contents if not is_blank(content))


def _head(text: str, post: Post, look: DiscordStyle) -> Iterator[Component]:
    avatar = address(post.author.avatar)
    if not (text and avatar) or look.plain:
        yield from _texts(text)
        return
    words = short(look.say("Avatar of {name}").format(name=name_of(post.author, 80)), 200)
    thumbnail = {"type": _THUMBNAIL, "media": {"url": avatar}, "description": words}
    yield {"type": _SECTION, "components": [_text(text)], "accessory": thumbnail}


def _preview(text: str, card: LinkCard | None, *, folded: bool) -> Iterator[Component]:
    image = address(card.image) if card and not folded else ""
    if not (text and image):
        yield from _texts(text)
        return
    yield {"type": _SECTION, "components": [_text(text)], "accessory": {"type": _THUMBNAIL, "media": {"url": image}}}


def _sorted_media(post: Post, look: DiscordStyle) -> tuple[list[Media], list[Media]]:
    """What a gallery shows, and what is linked: all in plain, or of sensitive posts in channels for all ages."""
    if look.plain or (post.sensitive and not look.age_restricted):
        return [], list(post.media)
    pictures = [media for media in post.media if address(media.picture)][:GALLERY]
    return pictures, [media for media in post.media if media not in pictures or not media.is_picture]


def _item(media: Media, say: Words, *, spoiler: bool) -> Component:
    item: Component = {"media": {"url": address(media.picture)}, "description": described(media, ALT, say)}
    return item | ({"spoiler": True} if spoiler else {})


def _foot(card: Card, found: Sequence[Section], look: DiscordStyle) -> str:
    post, say = card.post, look.say
    told = [line for section in found if section.kind is SectionKind.FOOT for line in lines(section.text)]
    if look.style == "webhook":
        who = link(short(post.author.handle, 100) or name_of(post.author, 80), post.author.url)
        told.insert(0, f"{SMALL}{who} · {times(post, say)}")
    if look.plain:
        told += [f"{SMALL}{one}" for one in links(card, say)]
    elif not address(post.url, BUTTON_URL) and original(card):
        told.append(f"{SMALL}{links(card, say)[-1]}")
    return "\n".join(told)


def _long_original(text: str) -> str:
    """The address in the last line of a foot that has one in the place of a button."""
    found = re.fullmatch(r"-# \[[^\]]*\]\(<([^<>\s]+)>\)", text.rpartition("\n")[2])
    return found[1] if found else ""


def _rows(card: Card, look: DiscordStyle) -> list[Component]:
    found = () if look.plain else ways(card, Canvas(say=look.say, address=partial(address, limit=BUTTON_URL)))
    page = card.thread and address(card.unroll, BUTTON_URL)
    buttons = [_button(way.text, way.link) | (_SCROLL if way.link == page else {}) for way in found]
    return [{"type": _ROW, "components": buttons}] if buttons else []


def _button(label: str, url: str) -> Component:
    return {"type": _BUTTON, "style": _LINK, "label": short(label, LABEL), "url": url}


# --- a card as a classic embed, for servers whose people or bridges do not see components. Pure ---


Embed = dict[str, Any]
_PICTURES = 4
"""Embeds of one address whose pictures Discord shows as one gallery."""


def parts(card: Card, look: DiscordStyle) -> dict[str, Any]:
    """Content and embeds of the message."""
    content = f"<@&{look.mention_role}>" if look.mention_role else ""
    pictures, linked = _sorted_in_embed(card.post, look)
    main = _main(card, look, pictures, linked)
    url = {"url": main["url"]} if "url" in main else {}
    more = [{**url, "image": {"url": address(media.picture)}} for media in pictures[1:]] if url else []
    return {"content": content, "embeds": [main, *more]}


def _sorted_in_embed(post: Post, look: DiscordStyle) -> tuple[list[Media], list[Media]]:
    """What is shown, and what is linked: an embed knows no spoilers for pictures."""
    if post.warning or post.sensitive or look.plain:
        return [], list(post.media)
    pictures = [media for media in post.media if address(media.picture)][:_PICTURES]
    return pictures, [media for media in post.media if media not in pictures or not media.is_picture]


def _main(card: Card, look: DiscordStyle, pictures: Sequence[Media], linked: Sequence[Media]) -> Embed:
    post, room = card.post, DiscordBudget(EMBEDS - 100, measure=units)
    found = sections(card, canvas(look.say), media=linked)
    main: Embed = {"author": _author(post, look, room), "timestamp": post.published.isoformat()}
    foot = "".join(text_content(section.text) for section in found if section.kind is SectionKind.FOOT)
    if footer := room.take(short(foot, EMBED_FOOTER)):
        main["footer"] = {"text": footer}
    if title := escaped_within(post.title, EMBED_TITLE):
        main["title"] = room.take(title)
    if url := original(card):
        main["url"] = url
    if look.colour is not None:
        main["color"] = look.colour
    if pictures:
        main["image"] = {"url": address(pictures[0].picture)}
        main["fields"] = [_descriptions(pictures, look, room)]
    if description := _description(card, look, found, room):
        main["description"] = description
    return main


def _author(post: Post, look: DiscordStyle, room: DiscordBudget) -> Embed:
    name = name_of(post.author, 120)
    handle = short(post.author.handle, 120)
    whole = f"{name} ({handle})" if handle and handle != name else name
    author = {"name": room.take(short(whole, EMBED_AUTHOR))}
    addresses = {} if look.plain else {"url": address(post.author.url), "icon_url": address(post.author.avatar)}
    return author | {key: value for key, value in addresses.items() if value}


def _descriptions(pictures: Sequence[Media], look: DiscordStyle, room: DiscordBudget) -> Embed:
    """What the pictures show, in words: an embed's picture has no description of its own."""
    heading = look.say.many("Picture, described", "{n} pictures, described", len(pictures))
    each = FIELD_VALUE // len(pictures) - 5
    words = [escaped_within(described(media, ALT, look.say), each) for media in pictures]
    numbered = [f"{number}. {line}" for number, line in enumerate(words, 1)] if len(words) > 1 else words
    value = "\n".join(numbered)
    return {"name": room.take(heading), "value": room.take(value), "inline": False}


def _description(card: Card, look: DiscordStyle, found: Sequence[Section], room: DiscordBudget) -> str:
    whole = DiscordBudget(min(DESCRIPTION, room.left) - 20, measure=units)
    below = whole.lines(links(card, look.say) if look.plain else [], 1500)
    inner = [section for section in found if section.kind is not SectionKind.HEADLINE]
    texts = written(card, inner, whole, look.say, kept=1500, small="")
    return "\n\n".join(part for part in (*texts.values(), below) if part)


# --- what Discord shows where the address of a page is pasted: the page's card, as a component embed. Pure ---
# The page names this document in a link (docs.discord.com/developers/link-previews/component-embeds); where it cannot
# be shown, the page's Open Graph tags serve.


PREVIEW_BYTES = 3000
"""Bytes of the document."""
_PREVIEW_PICTURES, _ALT = 4, 160
_TRIES = ((1600, _PREVIEW_PICTURES), (1200, _PREVIEW_PICTURES), (900, 2), (600, 1), (350, 1), (350, 0), (150, 0))
"""How long the texts may be together, and how many pictures there are: the first that fits is taken."""


def preview_document(card: Card, say: Words, colour: int | None) -> str:
    """The document; "" where not even the least of the card fits into it."""
    look = DiscordStyle(style="card", age_restricted=False, say=say, colour=colour, relay="")
    for texts, pictures in _TRIES:
        shown = replace(card, post=_with_pictures(card.post, pictures))
        told = json.dumps({"component": container(shown, look, texts)}, ensure_ascii=False, separators=(",", ":"))
        if len(told.encode()) <= PREVIEW_BYTES:
            return told
    return ""


def _with_pictures(post: Post, pictures: int) -> Post:
    media = tuple(replace(one, alt=short(one.alt, _ALT)) for one in post.media[:pictures])
    return replace(post, media=media, poll=post.poll if pictures else None, quote=post.quote if pictures else None)


preview = Preview(rel="discord:component-embed", kind="application/json", make=preview_document)


# --- the sections of a card as Markdown, each within a limit. Pure ---


_MOST = {
    SectionKind.WARNING: 800,
    SectionKind.HEADLINE: 1300,
    SectionKind.MEDIA: 1200,
    SectionKind.POLL: 700,
    SectionKind.LINK: 1200,
}
_MOST_OTHER = 900
_FRAME = frozenset({SectionKind.HEADLINE, SectionKind.WARNING})
_APART = frozenset({SectionKind.BYLINE, SectionKind.BODY, SectionKind.FOOT})
_ISOLATES = "\u2068\u2069"
_LONGEST_LINK = 700


@dataclass(slots=True)
class DiscordBudget:
    """How much of a message's text is left."""

    left: int
    measure: Measure = size

    def take(self, text: str) -> str:
        """The text, counted."""
        self.left -= self.measure(text)
        return text

    def lines(self, lines: Iterable[str], most: int) -> str:
        """As many of the lines as fit into what is left, and into ``most``; counted."""
        return self.take(lines_within(lines, min(most, self.left), measure=self.measure))


def canvas(say: Words) -> Canvas:
    """What Discord shows of a card."""
    return Canvas(say=say, address=partial(address, limit=_LONGEST_LINK), hosts=True)


def written(
    card: Card, found: Sequence[Section], room: DiscordBudget, say: Words, *, kept: int, small: str = SMALL
) -> dict[SectionKind, str]:
    """The sections between byline and foot as Markdown, in the order of reading.

    What is short is set first, so that the body, for which ``kept`` stays free, knows what is left for it. ``small``
    begins a line in small letters.
    """
    texts: dict[SectionKind, str] = {}
    for section in found:
        if section.kind in _FRAME:
            texts[section.kind] = room.lines(_lines(section, room, small), _MOST[section.kind])
    room.left -= kept
    for section in found:
        if section.kind not in _FRAME | _APART:
            texts[section.kind] = room.lines(_lines(section, room, small), _MOST.get(section.kind, _MOST_OTHER))
    room.left += kept
    for section in found:
        if section.kind is SectionKind.BODY:
            texts[SectionKind.BODY] = room.take(_body(section, room, room.left, more=_onward(card, say)))
    return {section.kind: texts[section.kind] for section in found if section.kind in texts}


def _lines(section: Section, room: DiscordBudget, small: str) -> list[str]:
    if section.inner:
        return _quotation(section, room)
    if section.kind is SectionKind.HEADLINE:
        return [f"## {inline(block.spans)}" for block in section.text]
    quote = "> " if section.kind is SectionKind.QUOTE else ""
    return [
        quote + (small + line.removeprefix(SMALL) if line.startswith(SMALL) else line) for line in lines(section.text)
    ]


def _body(section: Section, room: DiscordBudget, most: int, *, more: str = "") -> str:
    return fitted(section.text, max(0, most), more=more, folded=section.folded, measure=room.measure)


def _onward(card: Card, say: Words) -> str:
    # The ellipsis stands at the end of the text already, unless nothing of it was left.
    return "".join(link(span.text, span.link) for span in onward(card, canvas(say)))


def _quotation(section: Section, room: DiscordBudget) -> list[str]:
    """A quoted post in a block quote, its text cut to what the rest leaves."""
    texts = {one.kind: [f"> {line}" for line in _quoted(one, room)] for one in section.inner}
    rest = "\n".join(line for each in texts.values() for line in each)
    left = min(_MOST_OTHER, room.left) - room.measure(rest) - 4
    for one in section.inner:
        if one.kind is SectionKind.BODY:
            body = replace(one, text=tuple(replace(block, quote=1) for block in one.text))
            texts[SectionKind.BODY] = [shown] if (shown := _body(body, room, left)) else []
    return [line for each in texts.values() for line in each]


def _quoted(section: Section, room: DiscordBudget) -> list[str]:
    if section.kind is SectionKind.BODY:
        return []
    if section.kind is not SectionKind.BYLINE:
        return _lines(section, room, small="")
    name, handle = author_of(section.text)
    return [f"{wrapped(name, SpanStyle.BOLD)} {handle}".strip()]


# --- who wrote it and when, and where it leads ---


def author_of(byline: Text) -> tuple[str, str]:
    """The name, as a link, and the handle, which is none."""
    name, *rest = byline[0].spans
    bare = name.text.strip(_ISOLATES)
    return directed(bare, link(bare, name.link)), escape("".join(span.text for span in rest).strip())


def times(post: Post, say: Words) -> str:
    """When it was published, and edited, as each reader's own client tells times."""
    edited = say("edited {when}").format(when=_moment(post.edited, "R")) if post.edited else ""
    told = [_moment(post.published, "f"), _moment(post.published, "R"), edited]
    return " · ".join(part for part in told if part)


def _moment(when: datetime, form: str) -> str:
    """A time as each reader's own client tells it (``f``: date and time, ``R``: how long ago)."""
    return f"<t:{int(when.timestamp())}:{form}>"


def original(card: Card) -> str:
    """The address that a message of this card leads to; "" where there is none."""
    return address(card.post.url, BUTTON_URL) or target_of(card.post.url, LONGEST)


def links(card: Card, say: Words) -> list[str]:
    """What else would be buttons, as links."""
    found = ways(card, Canvas(say=say))
    return [link(way.text, way.link, longest=LONGEST) for way in found if target_of(way.link, LONGEST)]
