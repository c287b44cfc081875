"""The real `relay run`: somebody mentions it on a network, it answers with a page, and once whatever happens."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.servers.mastodon import Draft, Mastodon, Person
from tests.support.command_line import relay as command
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import CONFIG, ILLA, SAMI, database
from tests.support.store_private_cases import found, packed_with, traces

JOINED = datetime(2026, 1, 1, tzinfo=UTC)
KUSI = Person(username="kusi", name="Kusi", note="", joined=JOINED)
US = Person(username="chasqui", name="Chasqui", note="Carries threads.", joined=JOINED)


def configured(folder: Path, stage: Mastodon) -> Path:
    """A relay with an account at the stage, whose pages anybody can reach who is on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = CONFIG.format(store=database(folder), stage=stage.url)
    text = text.replace("port = 0", f"port = {port}")
    text = text.replace('sweep = "300ms"', f'sweep = "300ms"\nmentions = ["{stage.url}"]')
    token = f'[sources.mastodon.tokens]\n"{stage.url}" = "{stage.speaking.grant("chasqui")}"\n'
    text = text.replace("[sources.rss]", f"{token}[sources.rss]", 1)
    file = folder / "relay.toml"
    file.write_text(f'[relay]\npublic_url = "http://127.0.0.1:{port}"\n{text}')
    return file


def answers(stage: Mastodon) -> list[dict[str, Any]]:
    return [stage.speaking.statuses[int(number)] for number in stage.speaking.posted]


def link(answer: dict[str, Any]) -> str:
    found = re.search(r'href="([^"]*/t/[^"]*)"', answer["content"])
    assert found, answer["content"]
    return found[1]


async def read(address: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, await answer.text()


def tell(stage: Mastodon) -> None:
    stage.post(Draft(author="illa", name="a", text="First, the ropes."))
    stage.post(Draft(author="illa", name="b", text="Second, the floor.", reply_to="a"))
    stage.post(Draft(author="illa", name="c", text="Third, the sides.", reply_to="b"))


async def test_a_mention_is_answered_with_a_page_once_though_the_relay_is_killed_meanwhile(tmp_path: Path) -> None:
    async with Mastodon([ILLA, SAMI, KUSI, US]) as stage:
        tell(stage)
        config = configured(tmp_path, stage)
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 3)
            await stage.speaking.attended()
            stage.speaking.silent = asyncio.Event()  # the answer stands there, and the relay does not hear of it
            stage.post(Draft(author="sami", text="@chasqui unroll", reply_to="c", visibility="unlisted"))
            await stage.speaking.spoken(1)
            await relay.kill()
        stage.speaking.silent = None
        stage.speaking.forget_keys()
        async with RelayProcess(config) as relay:
            stage.post(Draft(author="sami", text="@chasqui unroll, please", reply_to="b"))
            stage.post(Draft(author="kusi", text="@chasqui desenrollar", reply_to="c", language="es"))
            await stage.speaking.spoken(2)
            [first, second] = answers(stage)
            assert [one["acct"] for one in first["mentions"]] == ["sami"]
            assert first["visibility"] == "unlisted"
            assert "Estas 3 publicaciones" in second["content"]
            assert link(first) == link(second)
            status, page = await read(link(first))
            assert await relay.stop() == 0
    assert status == 200
    assert page.index("First, the ropes") < page.index("Second, the floor") < page.index("Third, the sides")
    assert "unroll</" not in page.split("<footer")[0], "requests are no part of a thread"
    assert len(answers(stage)) == 2


@pytest.mark.siege
async def test_an_author_says_stop_and_everything_is_gone(tmp_path: Path) -> None:
    async with Mastodon([ILLA, SAMI, KUSI, US]) as stage, RelayProcess(configured(tmp_path, stage)) as relay:
        await seeded(database(tmp_path), 3)
        await stage.speaking.attended()
        stage.post(Draft(author="illa", name="a", text="First, the ropes of the #bridge"))
        stage.post(Draft(author="sami", name="d", text="I have seen the #bridge"))
        await relay.wait_until(lambda lines: len(lines) >= 2)
        stage.post(Draft(author="kusi", text="@chasqui unroll", reply_to="a"))
        await stage.speaking.spoken(1)
        page = link(answers(stage)[0])
        assert (await read(page))[0] == 200
        stage.post(Draft(author="illa", text="@chasqui stop", visibility="direct"))
        await relay.wait_until(lambda lines: any(line["action"] == "delete" for line in lines))
        await stage.speaking.spoken(2)
        assert (await read(page))[0] == 410
        assert answers(stage)[1]["visibility"] == "direct"
        stage.post(Draft(author="illa", name="z", text="After it, the #bridge"))
        stage.post(Draft(author="sami", name="y", text="Behind it, the #bridge"))
        await relay.wait_until(lambda lines: any(line["uri"] == stage.uris["y"] for line in lines))
        assert not any(line["uri"] == stage.uris["z"] for line in relay.lines)
        assert [line["action"] for line in relay.lines].count("delete") == 1
        await relay.stop()


async def brought(relay: RelayProcess, uri: str) -> None:
    await relay.wait_until(lambda lines: any(line["uri"] == uri for line in lines))


@pytest.mark.siege
async def test_a_stop_is_hidden_answered_undone_and_erased_though_the_relay_is_killed_in_between(
    tmp_path: Path,
) -> None:
    async with Mastodon([ILLA, SAMI, KUSI, US]) as stage:
        config = configured(tmp_path, stage)
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 3)
            await stage.speaking.attended()
            stage.post(Draft(author="illa", name="a", text="First, the ropes of the #bridge"))
            await brought(relay, stage.uris["a"])
            stage.post(Draft(author="kusi", text="@chasqui unroll", reply_to="a"))
            await stage.speaking.spoken(1)
            page = link(answers(stage)[0])
            stage.speaking.silent = asyncio.Event()
            stage.post(Draft(author="illa", text="@chasqui, stop!", visibility="direct"))
            await stage.speaking.spoken(2)  # the answer stands there, and the relay does not hear of it
            assert (await read(page))[0] == 410, "it is hidden before it is answered"
            await relay.kill()
        stage.speaking.silent = None
        stage.speaking.forget_keys()
        async with RelayProcess(config) as relay:
            await relay.running.wait()
            assert (await read(page))[0] == 410
            stage.post(Draft(author="illa", text="@chasqui undo stop", visibility="direct"))
            await stage.speaking.spoken(3)
            assert (await read(page))[0] == 200
            stage.post(Draft(author="illa", name="b", text="Second, the floor of the #bridge"))
            await brought(relay, stage.uris["b"])
            stage.post(Draft(author="illa", text="@chasqui stop please", visibility="direct"))
            await stage.speaking.spoken(4)
            await relay.kill()
        hers = packed_with(tmp_path, " of the ")
        assert found(tmp_path, hers)
        with closing(sqlite3.connect(tmp_path / "relay.sqlite3")) as file, file:
            file.execute("UPDATE stops SET due = 0")  # three days later
        async with RelayProcess(config) as relay:
            await relay.running.wait()
            while found(tmp_path, hers):
                await asyncio.sleep(0.05)
            assert traces(tmp_path, "the ropes of the") == traces(tmp_path, "the floor of the") == {}
            assert (await read(page))[0] == 410
            stage.post(Draft(author="illa", name="c", text="Third, the sides of the #bridge"))
            stage.post(Draft(author="sami", name="d", text="I have seen the #bridge"))
            await brought(relay, stage.uris["d"])
            stage.post(Draft(author="illa", text="@chasqui undo stop", visibility="direct"))
            await stage.speaking.spoken(5)
            stage.post(Draft(author="illa", name="e", text="At last, the #bridge"))
            await brought(relay, stage.uris["e"])
            assert not any(line["uri"] == stage.uris["c"] for line in relay.lines)
            assert await relay.stop() == 0
        said = [answer["content"] for answer in answers(stage)]
        assert [("72 hours" in one, "I may keep and share your posts again" in one) for one in said[1:]] == [
            (True, False),
            (False, True),
            (True, False),
            (False, True),
        ]
        assert "undo stop" in said[1]


def lying(stage: Mastodon, liar: str, victim: str) -> None:
    """From now on a stranger's server says that the account ``liar`` is called as the victim is, and lives there."""
    uri = f"https://evil.example/users/{liar}"

    def told(status: dict[str, Any]) -> dict[str, Any]:
        if status["account"]["username"] != liar:
            return status
        names = {"acct": victim, "username": victim, "url": f"{stage.url}/@{victim}", "uri": uri}
        return status | {"uri": f"{uri}/statuses/{status['id']}", "account": status["account"] | names}

    stage.speaking.told = told


@pytest.mark.siege
async def test_a_stranger_under_an_author_s_name_silences_nobody_and_small_talk_deletes_nothing(
    tmp_path: Path,
) -> None:
    mallory = Person(username="mallory", name="Illa", note="", joined=JOINED)
    async with Mastodon([ILLA, SAMI, KUSI, mallory, US]) as stage, RelayProcess(configured(tmp_path, stage)) as relay:
        lying(stage, "mallory", "illa")
        await seeded(database(tmp_path), 3)
        await stage.speaking.attended()
        stage.post(Draft(author="illa", name="a", text="First, the ropes of the #bridge"))
        await brought(relay, stage.uris["a"])
        stage.post(Draft(author="kusi", text="@chasqui unroll", reply_to="a"))
        await stage.speaking.spoken(1)
        page = link(answers(stage)[0])
        stage.post(Draft(author="mallory", text="@chasqui stop"))
        await stage.speaking.spoken(2)
        for text in ("@kusi @chasqui stop spreading rumours", "@chasqui basta ya de mentiras", "@chasqui don't stop"):
            stage.post(Draft(author="illa", text=text, reply_to="a"))
        stage.post(Draft(author="sami", text="@chasqui unroll", reply_to="a"))
        await stage.speaking.spoken(3)
        assert (await read(page))[0] == 200
        stage.post(Draft(author="illa", name="z", text="Second, the floor of the #bridge"))
        await brought(relay, stage.uris["z"])
        assert not any(line["action"] == "delete" for line in relay.lines)
        code, out, _ = await command("forget", "--list", "-c", str(tmp_path / "relay.toml"), folder=tmp_path)
        assert code == 0
        assert "https://evil.example/users/mallory" in out
        assert f"{stage.url}/users/illa" not in out
        await relay.stop()
