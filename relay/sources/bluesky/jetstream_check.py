"""Asks whether there would be something to listen to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp

from relay.http import FloodError, Http
from relay.ports import Check
from relay.sources.bluesky.firehose_event import read_event
from relay.sources.bluesky.jetstream_cursor import LARGEST, JetstreamQuery
from relay.sources.bluesky.jetstream_socket import address
from relay.sources.bluesky.records import SOURCE
from relay.sources.kit import trouble_of

WITHIN = timedelta(seconds=10)


async def check(hosts: Sequence[str], http: Http, within: timedelta = WITHIN) -> list[Check]:
    """A line for each server: it takes us, and tells something."""
    async with http.sockets() as session:
        return list(await asyncio.gather(*(_check(session, host, within) for host in hosts)))


async def _check(session: aiohttp.ClientSession, host: str, within: timedelta) -> Check:
    trouble = await _trouble(session, host, within)
    return Check(name=f"{SOURCE} {urlsplit(host).netloc}", ok=not trouble, note=trouble)


async def _trouble(session: aiohttp.ClientSession, host: str, within: timedelta) -> str:
    try:
        async with (
            asyncio.timeout(within.total_seconds()),
            session.ws_connect(
                address(host, JetstreamQuery(None, 0)), compress=15, max_msg_size=2 * LARGEST, decode_text=False
            ) as socket,
        ):
            message = await socket.receive()
    except TimeoutError:
        return f"told nothing within {within.total_seconds():g} s"
    except (aiohttp.ClientError, FloodError, OSError, ValueError) as error:
        return trouble_of(error)
    sound = isinstance(message.data, bytes) and read_event(message.data) is not None
    return "" if sound else "sends what is no event of a Jetstream"
