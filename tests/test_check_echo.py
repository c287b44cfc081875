"""`relay check` prints no secret, whatever a server that was sent one says of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

from tests.support.command_line import relay

SECRETS = {
    "mastodon": "Zk3-mastodon_0PlainWordsOfNoShape/with+signs",
    "bluesky": "abcd-efgh-ijkl-mnop",
    "discord": "MTA5NzY1NDMyMTA5ODc2NTQzMg.GaBcDe.abcdefghijklmnopqrstuvwxyz0123456789AB",
    "telegram": "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-aa",
    "matrix": "a secret with spaces, “quotes” and \\ more",
}
CONFIG = """\
[store]
url = "sqlite:///{folder}/relay.sqlite3"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
timeout = "5s"
[sources.mastodon]
instances = ["{server}"]
[sources.mastodon.tokens]
"{server}" = {mastodon}
[sources.bluesky]
jetstream = []
api_url = "{server}"
directory_url = "{server}"
pds_url = "{server}"
handle = "relay.ayllu.example"
app_password = {bluesky}
[adapters.discord]
token = {discord}
api_url = "{server}/api/v10"
[adapters.telegram]
token = {telegram}
api_url = "{server}"
[adapters.matrix]
homeserver = "{server}"
user = "@relay:ayllu.example"
token = {matrix}
[[subscriptions]]
topic = "#bridge"
to = ["discord:42", "telegram:-10042", "matrix:!room:ayllu.example"]
"""


def _said(told: str) -> list[str]:
    """What a server was sent as it may quote it: as it is, in an address, in JSON, cut off."""
    return [told, quote(told, safe=""), json.dumps(told), told[: len(told) * 2 // 3]]


class Echo:
    """A server that answers everything with all that it was sent, in every field in which errors are told."""

    def __init__(self) -> None:
        self.status = 400
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        sent = [request.path_qs, request.path, *request.headers.values(), (await request.read()).decode()]
        sent += [value.partition(" ")[2] for value in request.headers.values() if " " in value]
        told = " ".join(form for one in sent for form in _said(one))
        self.asked.append(" ".join(sent))
        fields = ("error", "message", "description", "error_description", "errcode", "reason", "detail", "title")
        body = dict.fromkeys(fields, told) | {"ok": False, "error_code": self.status, "code": 0, "errors": [told]}
        return web.json_response(body, status=self.status, reason=_line(told))


def _line(told: str) -> str:
    return "".join(c for c in told if " " <= c <= "~")[:900]


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    server = Echo()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield server, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.siege
@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
async def test_no_secret_is_printed_whatever_a_server_says(tmp_path: Path, echo: tuple[Echo, str], status: int) -> None:
    server, address = echo
    server.status = status
    written = {name: json.dumps(secret, ensure_ascii=False) for name, secret in SECRETS.items()}
    (tmp_path / "relay.toml").write_text(CONFIG.format(folder=tmp_path, server=address, **written))
    (tmp_path / "relay.toml").chmod(0o600)
    code, out, err = await relay("check", "-c", "relay.toml", folder=tmp_path)
    assert code == 1
    assert all(name in out for name in ("mastodon", "bluesky", "discord", "telegram", "matrix")), err
    sent = " ".join(server.asked)
    for name, secret in SECRETS.items():
        assert any(form in sent for form in (secret, quote(secret, safe=""))), f"{name} was not asked"
        for form in _said(secret):
            assert form[: max(12, len(form) // 2)] not in out + err, name
