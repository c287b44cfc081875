"""Every kind of post at every platform, in every style: sent, edited, counted anew, deleted."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from PIL import Image

from adapters.console import Console, ConsoleSettings
from adapters.matrix import Matrix
from relay.model import Action, Card, Media, MessageId, PostUri
from relay.plugins import Host
from relay.ports import Adapter, Outcome, Sent
from relay.testing import delivery
from tests.goldens.golden import Names, as_json, same, sections
from tests.goldens.kinds import CARDS, HOST, edited, grown
from tests.servers.feeds import Document, FeedServer
from tests.servers.matrix import MatrixServer
from tests.support import discord_world, matrix_world, telegram_world
from tests.support.fetching import client


@dataclass
class Place:
    """An adapter, where it is to send, and what was asked of the platform since the last look."""

    adapter: Adapter
    to: str
    look: Callable[[], str]
    near: Callable[[Card], Card] = lambda card: card
    options: str = ""

    async def deliver(
        self, action: Action, card: Card | None, messages: Sequence[MessageId] = (), url: str = ""
    ) -> Outcome:
        changes: dict[str, Any] = {
            "card": self.near(card) if card else None,
            "messages": tuple(messages),
            "uri": card.post.uri if card else PostUri("gone"),
            "url": url,
        }
        return await self.adapter.deliver(delivery(to=self.to, action=action, options=self.options, **changes))


async def played(place: Place, card: Card) -> list[tuple[str, str]]:
    """What each step of a post's life looks like there."""
    place.look()
    sent = await place.deliver(Action.SEND, card)
    assert isinstance(sent, Sent), sent
    found = [("send", place.look())]
    messages = sent.messages
    for action, changed in ((Action.EDIT, edited(card)), (Action.COUNT, grown(card) if card.thread else None)):
        if changed:
            outcome = await place.deliver(action, changed, messages)
            messages = outcome.messages or messages if isinstance(outcome, Sent) else messages
            found.append((action.value, place.look()))
    await place.deliver(Action.DELETE, None, messages, card.post.url)
    return [*found, ("delete", place.look())]


@asynccontextmanager
async def discord(**settings: Any) -> AsyncIterator[Place]:
    async with discord_world.world(**settings) as (server, adapter):

        def look() -> str:
            asked = [
                {"ask": f"{one.method} {one.path}", "query": one.query, "body": one.whole}
                for one in server.rest.requests
                if one.method != "GET"
            ]
            server.rest.requests.clear()
            return Names(r"\d{16,20}", r"(?<![\w-])[\w-]{60,}(?![\w-])", r"(?<=\"nonce\": \")[^\"]+").settle(
                as_json(asked)
            )

        yield Place(adapter, f"discord:{server.channel.id}", look)


@asynccontextmanager
async def telegram(**options: Any) -> AsyncIterator[Place]:
    async with telegram_world.world() as (server, adapter):

        def look() -> str:
            asked = [
                {"method": one.method, **one.params} for one in server.requests if not one.method.startswith("get")
            ]
            server.requests.clear()
            return Names(r"(?<=\"message_id\": )\d+", r"-100\d+").settle(as_json(asked))

        yield Place(adapter, f"telegram:{server.group.id}", look, options=json.dumps(options) if options else "")


@asynccontextmanager
async def matrix() -> AsyncIterator[Place]:
    async with MatrixServer() as server, FeedServer() as pictures, client() as http:
        room = server.add_room(server.person("sami"), members=(server.bot,))
        made = io.BytesIO()
        Image.new("RGB", (30, 20), "red").save(made, "PNG")
        for number in range(1, 13):
            pictures.documents[f"/{number}.png"] = Document(made.getvalue(), "image/png")
        adapter = Matrix(matrix_world.settings(server), Host(http=http, name="Chasqui"))

        def look() -> str:
            asked = [
                {"operation": one.operation, "body": json.loads(one.raw)}
                for one in server.requests
                if one.method in {"PUT", "POST"} and one.raw[:1] == b"{"
            ]
            server.requests.clear()
            return Names(r"\$[\w-]{20,}", r"mxc://[^\"]+", r"![\w-]+(:ayllu.example)?").settle(
                as_json(asked).replace(pictures.url, HOST)
            )

        yield Place(adapter, f"matrix:{room.id}", look, near=lambda card: _near(card, pictures.url))
        await adapter.close()


def _near(card: Card, server: str) -> Card:
    """The card with its pictures where they can be fetched."""

    def nearer(media: Sequence[Media]) -> tuple[Media, ...]:
        return tuple(
            replace(one, url=one.url.replace(HOST, server)) if one.url[-4:] == ".png" else one for one in media
        )

    quote = card.post.quote and replace(card.post.quote, media=nearer(card.post.quote.media))
    return replace(card, post=replace(card.post, media=nearer(card.post.media), quote=quote))


@asynccontextmanager
async def console(**settings: Any) -> AsyncIterator[Place]:
    stream = io.StringIO()

    def look() -> str:
        shown = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return shown

    yield Place(Console(ConsoleSettings(**settings), stream), "console", look)


PLACES: dict[str, Callable[[], AbstractAsyncContextManager[Place]]] = {
    "discord-card": discord,
    "discord-embed": lambda: discord(style="embed"),
    "discord-webhook": lambda: discord(style="webhook"),
    "telegram": telegram,
    "telegram-rich": lambda: telegram(rich=True),
    "matrix": matrix,
    "console": console,
    "console-json": lambda: console(format="json"),
}


@pytest.mark.parametrize("name", PLACES)
async def test_what_people_see_is_as_it_was(name: str) -> None:
    found: list[tuple[str, str]] = []
    async with PLACES[name]() as place:
        for kind, card in CARDS.items():
            found += [(f"{kind}: {step}", shown) for step, shown in await played(place, card)]
    same(f"platforms/{name}.txt", sections(found))
