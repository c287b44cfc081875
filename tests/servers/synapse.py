"""Synapse, the reference homeserver, from PyPI, as a process of its own: SQLite, loopback, no federation.

It pins much, so it lives in a virtual environment of its own: ``SYNAPSE_VENV`` where that is set, else see
``tests.servers.environments``. Only with ``RELAY_TEST_REAL=1``.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import aiohttp
import pytest

from tests.servers.environments import environment, free_port, only_when_real, stop, wait_for

PACKAGE = "matrix-synapse==1.163.2"
SERVER = "ayllu.test"
Json = dict[str, Any]
Limits = Literal["none", "usual", "tight"]

_CONFIG = """\
server_name: "{server}"
public_baseurl: "http://127.0.0.1:{port}/"
pid_file: "{folder}/synapse.pid"
report_stats: false
signing_key_path: "{folder}/signing.key"
log_config: "{folder}/log.yaml"
media_store_path: "{folder}/media"
registration_shared_secret: "{secret}"
macaroon_secret_key: "{secret}-m"
form_secret: "{secret}-f"
trusted_key_servers: []
federation_domain_whitelist: []
presence: {{enabled: false}}
bcrypt_rounds: 4
listeners:
  - port: {port}
    type: http
    bind_addresses: ["127.0.0.1"]
    resources: [{{names: [client, media], compress: false}}]
database:
  name: sqlite3
  args: {{database: "{folder}/hs.db"}}
rc_login:
  address: {{per_second: 1000, burst_count: 1000}}
  account: {{per_second: 1000, burst_count: 1000}}
  failed_attempts: {{per_second: 1000, burst_count: 1000}}
rc_registration: {{per_second: 1000, burst_count: 1000}}
"""
_FREE = """\
rc_message: {per_second: 10000, burst_count: 10000}
rc_joins: {local: {per_second: 1000, burst_count: 1000}}
rc_invites:
  per_room: {per_second: 1000, burst_count: 1000}
  per_user: {per_second: 1000, burst_count: 1000}
  per_issuer: {per_second: 1000, burst_count: 1000}
rc_room_creation: {per_second: 1000, burst_count: 1000}
"""
_LIMITS: dict[Limits, str] = {"none": _FREE, "usual": "", "tight": "rc_message: {per_second: 1, burst_count: 3}\n"}
_LOG = """\
version: 1
formatters: {{p: {{format: "%(asctime)s %(levelname)s %(name)s %(message)s"}}}}
handlers: {{f: {{class: logging.FileHandler, filename: "{folder}/hs.log", formatter: p}}}}
root: {{level: WARNING, handlers: [f]}}
disable_existing_loggers: false
"""


@dataclass
class Synapse:
    """The server, and what people do there. Users are made when they are first named; all have a token of their own."""

    folder: Path
    port: int
    url: str
    tokens: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    # --- its life ---

    def start(self) -> None:
        python = environment(PACKAGE, "SYNAPSE_VENV") / "bin" / "python"
        command = [str(python), "-m", "synapse.app.homeserver", "-c", "hs.yaml"]
        if not (self.folder / "signing.key").exists():
            subprocess.run([*command, "--generate-keys"], cwd=self.folder, check=True, capture_output=True)
        with (self.folder / "out.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(self._process, f"{self.url}/_matrix/client/versions", self.folder / "out.log", seconds=90)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            stop(self._process, seconds=10)

    # --- people ---

    def user(self, name: str) -> str:
        return f"@{name}:{SERVER}"

    async def token(self, name: str, *, device: str = "") -> str:
        """The access token of somebody who is registered now, if they were not."""
        if name not in self.tokens:
            await asyncio.to_thread(self._register, name)
            content = {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": name},
                "password": f"{name}-pw",
                "device_id": device or name.upper(),
            }
            self.tokens[name] = (await self._ask("POST", "login", content))["access_token"]
        return self.tokens[name]

    def _register(self, name: str) -> None:
        script = environment(PACKAGE, "SYNAPSE_VENV") / "bin" / "register_new_matrix_user"
        command = [str(script), "-c", "hs.yaml", "-u", name, "-p", f"{name}-pw", "--no-admin", self.url]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    # --- rooms ---

    async def room(self, who: str, **options: Any) -> str:
        """A room of somebody's; ``options`` are those of ``createRoom``."""
        return str((await self.as_user(who, "POST", "createRoom", {"preset": "private_chat", **options}))["room_id"])

    async def invite(self, who: str, room: str, whom: str) -> None:
        await self.as_user(who, "POST", f"rooms/{quote(room)}/invite", {"user_id": self.user(whom)})

    async def join(self, who: str, room: str) -> None:
        await self.as_user(who, "POST", f"join/{quote(room)}", {})

    async def say(self, who: str, room: str, text: str) -> str:
        content = {"msgtype": "m.text", "body": text}
        path = f"rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(8)}"
        return str((await self.as_user(who, "PUT", path, content))["event_id"])

    async def set_state(self, who: str, room: str, kind: str, content: Json) -> None:
        await self.as_user(who, "PUT", f"rooms/{quote(room)}/state/{kind}", content)

    async def read(self, who: str, room: str) -> list[Json]:
        """All messages as somebody in the room can read them, oldest first."""
        events: list[Json] = []
        start = ""
        while True:
            path = f"rooms/{quote(room)}/messages?dir=b&limit=500{start}"
            page = await self.as_user(who, "GET", path)
            events += page["chunk"]
            if not page.get("end") or not page["chunk"]:
                return [event for event in reversed(events) if event["type"] == "m.room.message"]
            start = f"&from={page['end']}"

    async def as_user(self, who: str, method: str, path: str, content: Json | None = None) -> Json:
        """Call the client API as somebody; a limit is waited for."""
        return await self._ask(method, path, content, await self.token(who))

    async def _ask(self, method: str, path: str, content: Json | None, token: str = "") -> Json:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession(headers=headers) as client:
            while True:
                async with client.request(
                    method,
                    f"{self.url}/_matrix/client/v3/{path}",
                    data=json.dumps(content) if content is not None else None,
                ) as response:
                    body: Json = await response.json()
                    if response.status == 429:
                        await asyncio.sleep(body["retry_after_ms"] / 1000)
                        continue
                    assert response.status == 200, f"{method} {path}: {response.status} {body}"
                    return body

    async def wait_until(self, condition: Callable[[], Any], *, seconds: float = 20) -> None:
        """A homeserver tells tests nothing, so it is asked again and again; ``condition`` answers an awaitable."""
        last: object = None
        try:
            async with asyncio.timeout(seconds):
                while not (last := await condition()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {last!r}") from None


@contextmanager
def running(folder: Path, limits: Limits = "none", *, more: str = "") -> Iterator[Synapse]:
    """A new server; ``more`` is put behind its configuration."""
    port = free_port()
    (folder / "media").mkdir(parents=True)
    config = _CONFIG.format(server=SERVER, port=port, folder=folder, secret=secrets.token_hex(16))
    (folder / "hs.yaml").write_text(config + _LIMITS[limits] + more)
    (folder / "log.yaml").write_text(_LOG.format(folder=folder))
    server = Synapse(folder=folder, port=port, url=f"http://127.0.0.1:{port}")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A server without limits, started once for all tests; take users and rooms of your own."""
    only_when_real()
    with running(tmp_path_factory.mktemp("synapse")) as server:
        yield server


@pytest.fixture
def usual_synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A server with Synapse's own limits: one message in five seconds."""
    only_when_real()
    with running(tmp_path_factory.mktemp("usual-synapse"), "usual") as server:
        yield server
