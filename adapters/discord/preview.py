"""What Discord shows where the address of a page is pasted: the page's card, as a component embed. Pure.

The page names this document in a link (docs.discord.com/developers/link-previews/component-embeds); where it cannot be
shown, the page's Open Graph tags serve.
"""

from __future__ import annotations

import json
from dataclasses import replace

from adapters.discord.card import container
from adapters.discord.style import DiscordStyle
from relay.i18n import Words
from relay.model import Card, Post
from relay.plugins import Preview
from relay.text import short

MOST = 3000
"""Bytes of the document."""
_PICTURES, _ALT = 4, 160
_TRIES = ((1600, _PICTURES), (1200, _PICTURES), (900, 2), (600, 1), (350, 1), (350, 0), (150, 0))
"""How long the texts may be together, and how many pictures there are: the first that fits is taken."""


def make(card: Card, say: Words, colour: int | None) -> str:
    """The document; "" where not even the least of the card fits into it."""
    look = DiscordStyle(style="card", age_restricted=False, say=say, colour=colour, relay="")
    for texts, pictures in _TRIES:
        shown = replace(card, post=_with(card.post, pictures))
        told = json.dumps({"component": container(shown, look, texts)}, ensure_ascii=False, separators=(",", ":"))
        if len(told.encode()) <= MOST:
            return told
    return ""


def _with(post: Post, pictures: int) -> Post:
    media = tuple(replace(one, alt=short(one.alt, _ALT)) for one in post.media[:pictures])
    return replace(post, media=media, poll=post.poll if pictures else None, quote=post.quote if pictures else None)


preview = Preview(rel="discord:component-embed", kind="application/json", make=make)
