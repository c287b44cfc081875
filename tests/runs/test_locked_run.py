"""The real `relay run` while another program holds its database: it answers, it stops, and nothing is lost or twice."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from relay.store import open_store
from tests.servers.mastodon import Draft, Mastodon
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, actions, configured, database

LOCKED, PAUSE = 90, 6
"""Seconds for which the other program holds the database, and between two looks at the pages."""


async def _page(folder: Path, uri: str) -> str:
    store = await open_store(database(folder))
    page = await store.get_page_of(uri)
    await store.close()
    assert page is not None
    return f"t/{page.slug}"


async def _status(relay: RelayProcess, path: str) -> int:
    host, port = relay.pages
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/{path}") as answer:
        return answer.status


@pytest.mark.siege
@pytest.mark.timeout(400)
async def test_a_relay_whose_database_is_locked_answers_and_stops(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "relay.sqlite3", isolation_level=None)) as other:
        async with Mastodon([ILLA]) as stage:
            config = configured(tmp_path, stage)
            relay = RelayProcess(config)
            async with relay:
                await seeded(database(tmp_path), 3)
                stage.post(Draft(author="illa", text="Before #bridge", name="before"))
                await relay.wait_until(lambda lines: len(actions(lines, "send")) == 1)
                page = await _page(tmp_path, stage.uris["before"])
                other.execute("BEGIN EXCLUSIVE")
                stage.post(Draft(author="illa", text="Meanwhile #bridge", name="meanwhile"))
                for _ in range(LOCKED // PAUSE):
                    await asyncio.sleep(PAUSE)  # by then a write has waited in vain
                    async with asyncio.timeout(5):
                        found = [await _status(relay, path) for path in (page, "", "tag/bridge", "healthz", "readyz")]
                    assert found == [200, 200, 200, 200, 503]
                arguments = (sys.executable, "-m", "relay.cli", "subscriptions", "-c", str(config))
                looking = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
                assert b"#bridge" in (await looking.communicate())[0]
                other.execute("COMMIT")
                await relay.wait_until(lambda lines: len(actions(lines, "send")) == 2)
                while other.execute("SELECT count(*) FROM deliveries WHERE settled IS NULL").fetchone() != (0,):
                    await asyncio.sleep(0.05)
                told = [line for line in relay.log if "what=store" in line]
                assert len(told) <= 2, "once when it broke, and once when it was over"
                other.execute("BEGIN EXCLUSIVE")
                stage.post(Draft(author="illa", text="At the end #bridge", name="end"))
                await asyncio.sleep(2)
                begun = asyncio.get_running_loop().time()
                code = await relay.stop()
                spent = asyncio.get_running_loop().time() - begun
                other.execute("COMMIT")
            assert spent < 5.5
            assert code == 0
            assert "ended by force" not in "".join(relay.log)
            async with RelayProcess(config) as again:
                await again.wait_until(lambda lines: actions(lines, "send"))
                assert await again.stop() == 0
    sent = actions(relay.lines + again.lines, "send")
    assert sorted(sent) == sorted(stage.uris[name] for name in ("before", "meanwhile", "end"))
