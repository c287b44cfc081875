"""A card as a classic embed, for servers whose people or bridges do not see components. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.discord.limits import (
    ALT,
    DESCRIPTION,
    EMBED_AUTHOR,
    EMBED_FOOTER,
    EMBED_TITLE,
    EMBEDS,
    FIELD_VALUE,
    address,
)
from adapters.discord.markdown import escaped_within
from adapters.discord.sections import DiscordBudget, canvas, links, original, written
from adapters.discord.style import DiscordStyle
from relay.card import Section, SectionKind, described, name_of, sections
from relay.model import Card, Media, Post
from relay.text import short, text_content, units

Embed = dict[str, Any]
_PICTURES = 4
"""Embeds of one address whose pictures Discord shows as one gallery."""


def parts(card: Card, look: DiscordStyle) -> dict[str, Any]:
    """Content and embeds of the message."""
    content = f"<@&{look.mention_role}>" if look.mention_role else ""
    pictures, linked = _sorted_media(card.post, look)
    main = _main(card, look, pictures, linked)
    url = {"url": main["url"]} if "url" in main else {}
    more = [{**url, "image": {"url": address(media.picture)}} for media in pictures[1:]] if url else []
    return {"content": content, "embeds": [main, *more]}


def _sorted_media(post: Post, look: DiscordStyle) -> tuple[list[Media], list[Media]]:
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
