"""The loopback Bot API as a process of its own, for long tests and benchmarks: ``python -m tests.servers.telegram``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json

from tests.servers.telegram.server import TelegramServer


def main() -> None:
    """Serve until interrupted; the first line says where, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.telegram", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--window", type=float, default=1.0, help="scales the windows of all rate limits")
    parser.add_argument("--chats", type=int, default=1)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(given.window, given.port, given.chats))


async def _serve(window: float, port: int, chats: int) -> None:
    async with TelegramServer(window=window, port=port) as server:
        made = [server.group, *(server.add_group(f"News {number}") for number in range(1, chats))]
        told = {"api_url": server.api_url, "token": server.token, "chats": [one.id for one in made]}
        print(json.dumps({**told, "channel": server.channel.id, "admin": server.admin.id}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
