"""The reference adapter, and the smallest complete one: prints cards for eyes, or one JSON object a line for programs.

What an adapter is made of: a settings model, rendering that is pure, a class with ``run``, ``deliver`` and ``check``,
and the :data:`plugin` that the entry point names.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Collection, Sequence
from typing import Literal, TextIO

from adapters.console_card import UNPRINTABLE, render, to_plain, to_terminal
from relay.model import Card, Delivery, Destination, LinkCard, Media, MessageId, Quote
from relay.plugins import Host, Plugin
from relay.ports import Check, Inbox, Limits, Outcome, Sent, TryLater
from relay.settings import Settings
from relay.text import plain

WIDEST = 100
"""Columns of a card; longer lines are tiring to read."""


class ConsoleSettings(Settings):
    """``[adapters.console]``."""

    format: Literal["card", "json"] = "card"


# --- JSON ---


def to_json(delivery: Delivery) -> str:
    """One object on one line, the same keys for every delivery; null: not known (a deletion knows no card)."""
    told = {
        "action": delivery.action.value,
        "id": delivery.id,
        "destination": str(delivery.destination),
        "uri": delivery.uri,
        **(_card_record(delivery.card) if delivery.card else dict.fromkeys(_CARD_KEYS)),
    }
    # JSON leaves DEL and the C1 controls as they are, terminals obey them.
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(told, ensure_ascii=False))


_CARD_KEYS = ("url", "author", "title", "text", "warning", "media", "quote", "link", "published", "reason", "thread")


def _card_record(card: Card) -> dict[str, object]:
    post, place = card.post, card.thread
    return {
        "url": post.url,
        "author": {"name": post.author.name, "handle": post.author.handle, "url": post.author.url},
        "title": post.title,
        "text": plain(post.body),
        "warning": post.warning,
        "media": [_media_record(media) for media in post.media],
        "quote": post.quote and _quote_record(post.quote),
        "link": post.link_card and _link_record(post.link_card),
        "published": post.published.isoformat(),
        "reason": card.reason,
        "thread": place
        and {"root": place.root, "position": place.position, "count": place.count, "unroll": card.unroll or None},
    }


def _media_record(media: Media) -> dict[str, str]:
    return {"kind": media.kind.value, "alt": media.alt, **media.addresses()}


def _quote_record(quote: Quote) -> dict[str, object]:
    author = quote.author
    who = author and {"name": author.name, "handle": author.handle, "url": author.url}
    return {
        "url": quote.url,
        "author": who,
        "text": plain(quote.body),
        "media": [_media_record(media) for media in quote.media],
        "link": quote.link_card and _link_record(quote.link_card),
        "state": quote.state.value,
    }


def _link_record(card: LinkCard) -> dict[str, str]:
    return {"url": card.url, "title": card.title}


# --- the adapter ---


class Console:
    """Prints to a stream, standard output unless another is given; each delivery is one write."""

    name = "console"
    limits = Limits()
    remote = False

    def __init__(self, settings: ConsoleSettings, stream: TextIO | None = None) -> None:
        self._json = settings.format == "json"
        self._stream = stream or sys.stdout
        self._torn = False

    async def run(self, inbox: Inbox) -> None:
        """Nobody writes commands here."""
        del inbox

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Print one delivery. ``TryLater`` when nobody reads, or there is no room: the next start may have a reader."""
        try:
            self._write(self._drawn(delivery))
        except BrokenPipeError:
            return TryLater("nobody reads the output any more")
        except OSError as error:
            return TryLater(f"the output takes no more: {error.strerror}")
        return Sent((MessageId(str(delivery.id)),))

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """There is always a place to print to."""
        del destinations  # all of them are the same stream
        return (Check(name=self.name, ok=True, note="one JSON object a line" if self._json else "cards"),)

    async def close(self) -> None:
        """The stream is not ours to close."""

    def _drawn(self, delivery: Delivery) -> bytes:
        if self._json:
            return f"{to_json(delivery)}\n".encode()
        lines = render(delivery)
        if not self._stream.isatty():
            return to_plain(lines).encode()
        width = min(WIDEST, os.get_terminal_size(self._stream.fileno()).columns or 80)
        return to_terminal(lines, delivery.action, width).encode(self._stream.encoding, "replace")

    def _write(self, data: bytes) -> None:
        """Write past the buffers: what fails must not stay there and come out beside the second try."""
        self._stream.flush()
        raw = getattr(getattr(self._stream, "buffer", None), "raw", None)
        if raw is None:
            self._stream.write(data.decode())
            self._stream.flush()
            return
        left = memoryview(b"\n" + data if self._torn else data)
        while left:
            written = raw.write(left)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self._torn = written < len(left)
            left = left[written:]


def build(settings: ConsoleSettings, host: Host) -> Console:
    del host  # it needs nothing
    return Console(settings)


plugin = Plugin(ConsoleSettings, build)
