"""What several tests share with those of servers matrix."""

from __future__ import annotations

from typing import Any

import aiohttp
from mautrix.client import ClientAPI
from mautrix.types import (
    EventID,
    EventType,
    Format,
    MessageType,
    RoomID,
    TextMessageEventContent,
    UserID,
)

from tests.servers.matrix import (
    MatrixServer,
    Room,
)

MESSAGE = EventType.ROOM_MESSAGE


def client_of(server: MatrixServer, session: aiohttp.ClientSession, token: str | None = None) -> ClientAPI:
    made = server.token if token is None else token
    return ClientAPI(UserID(server.bot), base_url=server.url, token=made, client_session=session)


def text(body: str, html: str = "", **more: Any) -> TextMessageEventContent:
    content = TextMessageEventContent(msgtype=MessageType.NOTICE, body=body, **more)
    if html:
        content.format, content.formatted_body = Format.HTML, html
    content["m.mentions"] = {}
    return content


async def send(client: ClientAPI, room: Room, body: str, *, txn: str | None = None, **more: Any) -> EventID:
    return await client.send_message_event(RoomID(room.id), MESSAGE, text(body, **more), txn_id=txn)


async def synced(client: ClientAPI, since: Any = None, *, wait: int = 10_000, filter_id: Any = None) -> Any:
    return await client.sync(since=since, timeout=wait, filter_id=filter_id)
