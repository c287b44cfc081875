"""The loopback homeserver as a process of its own, for long tests and benchmarks: ``python -m tests.servers.matrix``.

It answers ``/_test/counts`` (requests, too_many, refused, polls, faulty, messages by room) and ``/_test/sent/{room}``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json

from tests.servers.matrix.server import MatrixServer


def main() -> None:
    """Serve until interrupted; the first line says where, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.matrix", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=None, help="events a second for each account; else no limit")
    parser.add_argument("--burst", type=int, default=10)
    parser.add_argument("--second", type=float, default=1.0, help="how long a second of the limiter lasts")
    parser.add_argument(
        "--hold", type=float, default=None, help="seconds that a refusal is held back; else half of one"
    )
    parser.add_argument("--rooms", type=int, default=1)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


async def _serve(given: argparse.Namespace) -> None:
    limits = {"rate": given.rate, "burst": given.burst, "second": given.second, "hold": given.hold}
    async with MatrixServer(port=given.port, **limits) as server:
        sami = server.person("sami")
        made = [server.add_room(sami, name=f"News {number}", members=(server.bot,)) for number in range(given.rooms)]
        told = {"url": server.url, "name": server.name, "user": server.bot, "token": server.token}
        told |= {"password": server.password, "device": server.device}
        people = {"admin": sami.id, "admin_token": sami.token}
        print(json.dumps({**told, **people, "rooms": [one.id for one in made]}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
