"""What the tests of listening on Telegram share: a loopback Bot API, our updates on it, and an inbox that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from telegram import Bot, Message

from adapters.telegram.calls import TelegramCalls
from adapters.telegram.comments import Comments
from adapters.telegram.conversations import TalkTimeouts
from adapters.telegram.pace import TelegramPace
from adapters.telegram.receiving import TelegramPauses
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.transport import bot_of, wire
from adapters.telegram.updates import TelegramTiming, Updates
from relay.plugins import Hooks, Host
from relay.ports import Answer, Command
from relay.testing import FakeInbox
from tests.servers.telegram import TelegramServer, text_of
from tests.servers.telegram_schema import problems, spec_path

QUICK = TelegramTiming(
    pauses=TelegramPauses(poll=5, first=0.01, longest=0.02, conflict=0.02, peace=60, look=0.02),
    patience=TalkTimeouts(life=5, press=5, flood=1),
)


@dataclass
class Listening:
    server: TelegramServer
    inbox: FakeInbox
    comments: Comments
    hooks: Hooks
    running: asyncio.Task[None]

    async def command(self) -> Command:
        return await asyncio.wait_for(self.inbox.commands.get(), 30)

    async def lost(self) -> tuple[set[str], str]:
        destinations, reason = await asyncio.wait_for(self.inbox.losses.get(), 30)
        return {str(one) for one in destinations}, reason

    async def asked(self, chat: Any, person: Any, line: str, **more: Any) -> Command:
        """The command that a line becomes."""
        await self.server.say(chat, person, line, **more)
        return await self.command()

    async def answer(self, chat: Any, person: Any, line: str, **more: Any) -> dict[str, Any]:
        """The next message of the bot's after a line."""
        coming = asyncio.create_task(self.server.next_sent(chat))
        await asyncio.sleep(0)  # it looks at what is there already before the line is written
        await self.server.say(chat, person, line, **more)
        return await coming

    async def told(self, chat: Any, person: Any, line: str, **more: Any) -> str:
        return text_of(await self.answer(chat, person, line, **more))


@asynccontextmanager
async def bot(server: TelegramServer) -> AsyncIterator[Bot]:
    wires = wire(), wire()
    try:
        yield bot_of(settings(server), *wires)
    finally:
        for one in wires:
            await one.shutdown()


def settings(server: TelegramServer, **given: Any) -> TelegramSettings:
    return TelegramSettings.model_validate({"token": server.token, "api_url": server.api_url, **given})


@asynccontextmanager
async def listening(
    server: TelegramServer,
    reply: Answer | None = None,
    *,
    inbox: FakeInbox | None = None,
    hooks: Hooks | None = None,
    timing: TelegramTiming = QUICK,
    **given: Any,
) -> AsyncIterator[Listening]:
    """Our updates on a server, until the block ends; every request must then fit the official document."""
    inbox, hooks, comments = inbox or FakeInbox(), hooks or Hooks(), Comments()
    inbox.reply = reply or inbox.reply
    host = Host(http=cast("Any", None), name="Chasqui", hooks=hooks)
    async with bot(server) as asking:
        updates = Updates(
            settings(server, **given),
            host,
            asking,
            TelegramCalls(TelegramPace(second=server.window)),
            comments,
            timing=timing,
        )
        task = asyncio.create_task(updates.run(inbox))
        try:
            await server.polled()
            yield Listening(server, inbox, comments, hooks, task)
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=2)
            assert task.done()
    if spec_path():
        assert problems(server.requests) == []


def written(text: str = "/help", *, chat: dict[str, Any] | None = None, **more: Any) -> Message:
    """A message as Telegram tells of it; a command at its beginning is marked as one."""
    first = text.split(maxsplit=1)[0] if text else ""
    command = [{"type": "bot_command", "offset": 0, "length": len(first)}] if first.startswith("/") else []
    told = {
        "message_id": 5,
        "date": int(datetime.now(UTC).timestamp()),
        "chat": chat or {"id": -1001, "type": "supergroup", "title": "Qeswachaka"},
        "from": {"id": 7, "is_bot": False, "first_name": "Sami", "language_code": "es"},
        "text": text or None,
        "entities": [*command, *more.pop("entities", [])],
        **more,
    }
    message = Message.de_json({key: value for key, value in told.items() if value is not None}, None)
    assert message is not None
    return message
