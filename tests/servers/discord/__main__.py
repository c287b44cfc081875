"""The loopback Discord as a process of its own, for long tests and benchmarks: ``python -m tests.servers.discord``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json

from tests.servers.discord.server import DiscordServer


def main() -> None:
    """Serve until interrupted; the first line says where, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--window", type=float, default=1.0, help="scales the windows of all rate limits")
    parser.add_argument("--channels", type=int, default=1)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(DiscordServer(window=given.window, port=given.port), given.channels))


async def _serve(server: DiscordServer, channels: int) -> None:
    async with server:
        made = [server.channel, *(server.add_channel(f"news-{number}") for number in range(1, channels))]
        told = {"api_url": server.api_url, "gateway_url": server.gateway_url, "token": server.token}
        print(json.dumps({**told, "guild": server.guild.id, "channels": [one.id for one in made]}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
