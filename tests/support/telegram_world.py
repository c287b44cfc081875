"""What the tests of sending to Telegram share: a loopback Bot API with our adapter in it, and deliveries to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapters.telegram.adapter import Telegram
from adapters.telegram.pace import TelegramPace
from adapters.telegram.settings import TelegramSettings
from relay.model import Action, Card, Delivery, Media, MediaKind, MessageId
from relay.plugins import Host
from relay.ports import Outcome, Sent
from relay.testing import delivery, post
from tests.servers.telegram import Chat, TelegramServer
from tests.servers.telegram_schema import problems

HOST = Host(http=None, name="Chasqui", version="1.2.3")  # type: ignore[arg-type]  # never asked for anything
QUICK = 0.001


def adapter_for(server: TelegramServer, *, second: float = QUICK, **more: Any) -> Telegram:
    settings = {"token": server.token, "api_url": server.api_url, **more}
    return Telegram(TelegramSettings.model_validate(settings), HOST, pace=TelegramPace(second=second))


@asynccontextmanager
async def world(*, second: float = QUICK, **more: Any) -> AsyncIterator[tuple[TelegramServer, Telegram]]:
    """A Telegram and our adapter in it; in the end every request must fit the official document."""
    async with TelegramServer(window=second) as server:
        server.buckets.off = second == QUICK
        adapter = adapter_for(server, second=second, **more)
        try:
            yield server, adapter
        finally:
            await adapter.close()
        assert problems(server.requests) == []


def to(chat: Chat | str, number: int = 1, **changes: Any) -> Delivery:
    return delivery(number, to=f"telegram:{chat if isinstance(chat, str) else chat.id}", **changes)


def again(chat: Chat | str, sent: Outcome, action: Action, number: int = 1, **changes: Any) -> Delivery:
    assert isinstance(sent, Sent)
    return to(chat, number, action=action, messages=sent.messages, **changes)


def chosen(**options: Any) -> str:
    return json.dumps(options)


def pictures(count: int, **changes: Any) -> Card:
    """The card of a post with so many pictures."""
    media = tuple(
        Media(url=f"https://ayllu.example/{number}.png", kind=MediaKind.IMAGE, alt="A bridge")
        for number in range(1, count + 1)
    )
    return Card(post=post(1, media=media, **changes), reason="#Qeswachaka · ayllu.example")


def numbers(outcome: Outcome) -> list[int]:
    """The messages that a post became."""
    assert isinstance(outcome, Sent), outcome
    return [int(MessageId(one).rpartition("/")[2]) for one in outcome.messages]
