"""mastodon-mock, somebody else's idea of a Mastodon server, as a process of its own.

It pins much, so it lives in a virtual environment of its own: ``MASTO_VENV`` where that is set, else see
``tests.servers.environments``. Only with ``RELAY_TEST_REAL=1``. What it gets wrong is what
``tests.servers.mastodon`` is for.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.servers.environments import environment, free_port, only_when_real, stop, wait_for

PACKAGE = "mastodon-mock==0.6.1"

Json = dict[str, Any]


@dataclass
class Masto:
    """A client for the people who post there, and for the mock's own switches."""

    base: str
    tokens: dict[str, str] = field(default_factory=dict)

    async def post(
        self, text: str, *, user: str = "alice", in_reply_to: Json | None = None, spoiler: str = "", **params: Any
    ) -> Json:
        """A public post; other parameters are the API's own (``visibility``, ``language``, ``quoted_status_id`` …)."""
        told = {"status": text, "visibility": "public", "spoiler_text": spoiler, **params}
        if in_reply_to:
            told["in_reply_to_id"] = in_reply_to["id"]
        made: Json = await self._as(user, "POST", "/api/v1/statuses", told)
        return made

    async def edit(self, status: Json, text: str) -> None:
        await self._as(status["account"]["acct"], "PUT", f"/api/v1/statuses/{status['id']}", {"status": text})

    async def delete(self, status: Json) -> None:
        await self._as(status["account"]["acct"], "DELETE", f"/api/v1/statuses/{status['id']}")

    async def boost(self, status: Json, *, user: str) -> None:
        await self._as(user, "POST", f"/api/v1/statuses/{status['id']}/reblog")

    async def fault(self, path: str, effect: Json, *, count: int) -> None:
        """Answer the next ``count`` requests for ``path`` (``*`` matches) with a fault of the mock's making."""
        rule = {"match": {"path": path}, "effect": effect, "count": count}
        await self._ask("POST", "/api/v1/_mock/faults", rule)

    async def heal(self) -> None:
        """Forget all faults."""
        await self._ask("DELETE", "/api/v1/_mock/faults")

    async def _as(self, user: str, method: str, path: str, told: Json | None = None) -> Any:
        if user not in self.tokens:
            made = await self._ask("POST", "/api/v1/_mock/dev_user", {"username": user})
            self.tokens[user] = made["access_token"]
        return await self._ask(method, path, told, {"Authorization": f"Bearer {self.tokens[user]}"})

    async def _ask(self, method: str, path: str, told: Json | None = None, headers: Json | None = None) -> Any:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as client,
            client.request(method, self.base + path, json=told, headers=headers) as response,
        ):
            return await response.json()


@pytest.fixture(scope="session")
def masto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Masto]:
    """The server, started once for all tests; take a hashtag of your own."""
    only_when_real()
    with running(tmp_path_factory.mktemp("masto")) as base:
        yield Masto(base)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The server on a free port, its log in ``folder``; yields its base address."""
    port = free_port()
    mock = environment(PACKAGE, "MASTO_VENV") / "bin" / "mastodon_mock"
    command = [str(mock), "serve", "--in-memory", "--log-level", "warning"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--domain", f"127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *place], cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(process, f"http://127.0.0.1:{port}/api/v1/streaming/health", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)  # it does not heed SIGTERM while somebody streams
