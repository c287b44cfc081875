"""The real program against servers that lie about who wrote what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.servers.mastodon.fediverse import Fediverse, Json, run
from tests.support.authentic_run_cases import configured, text_of
from tests.support.command_line import relay as command
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import database

VICTIM = "https://victim.example"


def impersonate(server: Fediverse) -> None:
    server.person("x").update(acct="illa@victim.example", url=f"{VICTIM}/@illa", display_name="Illa")


def confession(server: Fediverse, **changes: Any) -> Json:
    """A post of the server's own that claims all it can to be somebody else's, and quotes her besides."""
    quoted = Fediverse(VICTIM).post("I said this as well.", "illa")
    return server.post(
        "I confess.",
        "x",
        **{
            "url": f"{VICTIM}/@illa/stolen",
            "quote": {"state": "accepted", "quoted_status": quoted},
            **changes,
        },
    )


def claims(text: str) -> bool:
    return "@illa@victim" in text or f"{VICTIM}/@illa/stolen" in text or "I said this as well" in text


@pytest.mark.siege
@pytest.mark.timeout(90)
@pytest.mark.parametrize("form", ["txt", "md", "html", "json"])
async def test_unroll_shows_no_post_as_hers_that_another_server_tells(tmp_path: Path, form: str) -> None:
    async with run() as evil:
        impersonate(evil)
        configured(tmp_path, "#rivers", "https://instance.example")
        post = confession(evil)
        code, out, err = await command("unroll", f"{evil.base}/@x/{post['id']}", "-f", form, folder=tmp_path)
    assert code == 0, err
    assert "I confess." in out
    assert not claims(out)


@pytest.mark.siege
@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "changes",
    [
        {"uri": f"{VICTIM}/users/illa/statuses/1"},
        {"account": {"id": "7", "username": "illa", "acct": "illa@victim.example", "uri": f"{VICTIM}/users/illa"}},
        {
            "uri": f"{VICTIM}/users/illa/statuses/1",
            "account": {"id": "7", "username": "illa", "acct": "illa@victim.example", "uri": f"{VICTIM}/users/illa"},
        },
    ],
)
async def test_unroll_refuses_by_name_what_is_called_hers(tmp_path: Path, changes: Json) -> None:
    async with run() as evil:
        configured(tmp_path, "#rivers", "https://instance.example")
        post = confession(evil, **changes)
        code, out, err = await command("unroll", f"{evil.base}/@x/{post['id']}", folder=tmp_path)
    assert (code, out) == (1, "")
    assert "victim.example" in err
    assert "I confess." not in err


@pytest.mark.timeout(90)
async def test_neither_a_message_nor_a_page_shows_it_as_hers(tmp_path: Path) -> None:
    async with run() as evil:
        evil.person("x")
        config = configured(tmp_path, f"{evil.base}/@x", "https://instance.example")
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            impersonate(evil)
            confession(evil, uri=f"{VICTIM}/users/illa/statuses/1")
            first = confession(evil)
            evil.post("And more.", "x", reply_to=first, url=f"{VICTIM}/@illa/stolen")
            await relay.wait_until(lambda lines: lines and (lines[-1]["thread"] or {}).get("count") == 2)
            page = await text_of(relay.lines[-1]["thread"]["unroll"])
            await relay.stop()
    assert "I confess." in page
    assert not claims(page)
    assert not any(claims(str(line)) for line in relay.lines)
    assert any("is refused" in line for line in relay.log)


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_a_configured_instance_speaks_for_nobody_of_another_one(tmp_path: Path) -> None:
    """It forges a new post, edits and deletes; her own server's words stay."""
    async with (
        run() as home,
        run() as liar,
        RelayProcess(configured(tmp_path, "#rivers", liar.base, home.base)) as relay,
    ):
        await seeded(database(tmp_path), 2)
        true = home.post("#rivers the truth", "ana")
        copy = liar.carry(true, content="<p>#rivers forged</p>")
        liar.carry(true, uri=f"{home.base}/users/ana/statuses/1", content="<p>#rivers invented</p>")
        await relay.wait_until(lambda lines: lines)
        copy |= {"content": "<p>#rivers forged again</p>", "edited_at": "2099-01-01T00:00:00.000Z"}
        liar.delete(copy)
        liar.post("#rivers the end", "zoe")
        await relay.wait_until(lambda lines: any("the end" in line["text"] for line in lines))
        home.edit(true, "#rivers the whole truth")
        await relay.wait_until(lambda lines: any("the whole truth" in line["text"] for line in lines))
        await relay.stop()
    assert {line["action"] for line in relay.lines} == {"send", "edit"}
    assert not any("forged" in line["text"] or "invented" in line["text"] for line in relay.lines)
