"""What several tests share with those of cli."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from tests.servers.mastodon import Draft, Mastodon
from tests.support.relay_runs import ILLA


async def relay(*arguments: str, folder: Path) -> tuple[int, str, str]:
    """Run the program in ``folder``; exit code, standard output, standard error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relay.cli",
        *arguments,
        cwd=folder,
        env=env | {"COLUMNS": "100"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def with_a_thread() -> AsyncIterator[Mastodon]:
    """A network on which one author has written a thread of three posts."""
    async with Mastodon([ILLA]) as opened:
        for number in range(3):
            opened.post(
                Draft(
                    author="illa",
                    text=f"Post {number} of the #bridge",
                    name=f"p{number}",
                    reply_to=f"p{number - 1}" if number else "",
                    ago=timedelta(minutes=30 - number),
                )
            )
        yield opened
