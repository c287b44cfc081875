"""Websockets reach only what the guard allows, wherever a server sends them; and nothing connects past the guard."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.http import BarredError, Http
from tests.support.fetching import Names, client

ROOT = Path(__file__).parents[2]


@dataclass
class Redirector:
    """A websocket server that sends everybody elsewhere, and a trap on another port that counts who comes."""

    target: str = ""
    status: int = 302
    trapped: list[str] = field(default_factory=list)
    base: str = ""
    trap: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if not self.target:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str("hello")
            await socket.close()
            return socket
        return web.Response(status=self.status, headers={"Location": self.target})

    async def catch(self, request: web.Request) -> web.Response:
        self.trapped.append(request.path)
        return web.Response(text="secret")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Redirector]:
        front, trap = web.Application(), web.Application()
        front.router.add_get("/{tail:.*}", self.handle)
        trap.router.add_get("/{tail:.*}", self.catch)
        async with TestServer(front) as one, TestServer(trap) as two:
            self.base, self.trap = f"ws://127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"
            yield self


@pytest.fixture
async def server() -> AsyncIterator[Redirector]:
    async with Redirector().running() as running:
        yield running


async def greeting(http: Http, url: str) -> str:
    async with http.sockets() as session, asyncio.timeout(30), session.ws_connect(url) as socket:
        return await socket.receive_str()


async def test_a_websocket_that_may_be_reached_is(server: Redirector) -> None:
    async with client() as http:
        assert await greeting(http, f"{server.base}/stream") == "hello"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "ws://10.0.0.1/",
        "wss://192.168.1.1/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.0.0.1:{port}/",
        "http://0x7f000001:{port}/",
        "http://inside.example:{port}/",
        "ws://inside.example:{port}/",
        "//inside.example:{port}/",
        "/again",
        "http://public.example/",
        "file:///etc/passwd",
    ],
)
async def test_no_redirect_of_a_websocket_is_followed(server: Redirector, target: str, status: int) -> None:
    names = Names(inside_example=[["127.0.0.1"]], public_example=[["93.184.215.14"]])
    server.target, server.status = target.format(port=server.trap.rpartition(":")[2]), status
    async with client(resolver=names) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as told:
            await greeting(http, f"{server.base}/stream")
    assert (told.value.status, server.trapped, names.lookups) == (status, [], 0)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ws://127.0.0.1:{port}/", "not on the public internet"),
        ("ws://[::1]:{port}/", "not on the public internet"),
        ("ws://[::ffff:127.0.0.1]:{port}/", "not on the public internet"),
        ("wss://169.254.169.254/", "not on the public internet"),
        ("ws://10.1.2.3/", "not on the public internet"),
        ("ws://2130706433:{port}/", "unusual way"),
        ("ws://127.1:{port}/", "unusual way"),
        ("ws://inside.example:{port}/", "not on the public internet"),
        ("ws://turning.example:{port}/", "not on the public internet"),
        ("ws://user:secret@inside.example:{port}/", "not on the public internet"),
        ("ws://93.184.215.14:22/", "port 22"),
    ],
)
async def test_a_barred_address_is_not_connected_to(server: Redirector, url: str, why: str) -> None:
    """Nobody has to ask beforehand: the session itself refuses, also addresses that are never looked up."""
    names = Names(inside_example=[["127.0.0.1"]], turning_example=[["10.0.0.1"], ["127.0.0.1"]])
    async with client(trusted="", resolver=names) as http:
        for _ in range(2):
            with pytest.raises(BarredError, match=why):
                await greeting(http, url.format(port=server.trap.rpartition(":")[2]))
    assert server.trapped == []


# --- nothing connects past the guard ---

_PLATFORM = "the platform's own address, from the configuration; redirects are not followed"
ALLOWED = {
    ("relay/http/client.py", "aiohttp.ClientSession"): "guarded: the resolver and the checks before each request",
    ("relay/http/client.py", "aiohttp.TCPConnector"): "guarded: it looks names up with GuardedResolver",
    ("relay/http/client.py", "aiohttp.DefaultResolver"): "guarded: GuardedResolver asks it",
    ("relay/sources/mastodon/live.py", "session.ws_connect"): "guarded: a session of Http.sockets",
    ("relay/sources/bluesky/source.py", "session.ws_connect"): "guarded: a session of Http.sockets",
    ("relay/sources/bluesky/jetstream_socket.py", "self.session.ws_connect"): "guarded: a session of Http.sockets",
    ("relay/sources/feed_worker.py", "subprocess.Popen"): "our own interpreter and module; no network",
    ("relay/demo/__init__.py", "socket.socket"): "finds a free port on this machine",
    ("relay/store/__init__.py", "connect"): "the operator's database",
    ("relay/store/engine.py", "create_engine"): "the operator's database",
    ("relay/store/pool.py", "self._engine.connect"): "the operator's database",
    ("relay/store/engine.py", "AsyncConnection.connect"): "the operator's database",
    ("adapters/discord/api.py", "aiohttp.ClientSession"): _PLATFORM,
    ("adapters/discord/gateway.py", "client.start"): "discord.py's gateway, where Discord itself says that it is",
    ("adapters/matrix/api.py", "aiohttp.ClientSession"): _PLATFORM,
    ("adapters/matrix/media.py", "asyncio.create_subprocess_exec"): "our own interpreter and module; no network",
    ("adapters/telegram/transport.py", "Wire"): _PLATFORM,
}
"""Every place that opens a connection or a process, and why it may. A new one goes through :class:`relay.http.Http`."""

OPENERS = frozenset(
    """
    ClientSession TCPConnector DefaultResolver AsyncResolver ThreadedResolver ws_connect open_connection
    open_unix_connection create_connection create_unix_connection create_datagram_endpoint sock_connect socket
    connect connect_ex urlopen urlretrieve HTTPConnection HTTPSConnection HTTPXRequest Wire AsyncClient
    AsyncHTTPTransport HTTPTransport Popen create_subprocess_exec create_subprocess_shell create_engine
    getaddrinfo gethostbyname system popen
    """.split()  # noqa: SIM905 - a list of words is read more easily
)
MODULES = frozenset(
    """
    ftplib http.client imaplib nntplib poplib requests smtplib socketserver telnetlib urllib3 urllib.request
    websocket websockets xmlrpc.client httpcore paramiko asyncpg aioodbc dns
    """.split()  # noqa: SIM905 - as above
)


def _opened(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in OPENERS or (name.endswith(".start") and "client" in name):
                yield name
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module for _ in [0] if node.module in MODULES)


def test_every_place_that_opens_a_connection_goes_through_the_guard_or_says_why_not() -> None:
    files = [path for room in ("relay", "adapters") for path in sorted((ROOT / room).rglob("*.py"))]
    found = {(str(path.relative_to(ROOT)), name) for path in files for name in _opened(path)}
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    "code", ["aiohttp.ClientSession()", "import http.client", "await s.ws_connect(u)", "urlopen(u)"]
)
def test_a_new_place_is_noticed(tmp_path: Path, code: str) -> None:
    (tmp_path / "new.py").write_text(f"async def f(s, u):\n    {code}\n")
    assert list(_opened(tmp_path / "new.py"))
