"""The real `relay run` process between a loopback network and its own standard output."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.servers.mastodon import Draft, Item, Mastodon
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, SAMI, actions, configured, database


async def test_every_public_post_arrives_once_in_order_and_its_edit_and_deletion_follow(tmp_path: Path) -> None:
    async with Mastodon([ILLA, SAMI]) as stage:
        stage.post(Draft(author="illa", text="Before the relay came #bridge"))
        async with RelayProcess(configured(tmp_path, stage)) as relay:
            await seeded(database(tmp_path), 3)
            for number in range(10):
                stage.post(Draft(author="illa", text=f"Post {number} of the #bridge", name=f"p{number}"))
            stage.post(Draft(author="sami", text="Both #bridge and #harvest", name="both"))
            stage.post(Draft(author="sami", text="Potatoes #harvest", name="potatoes"))
            stage.post(Draft(author="sami", text="For friends #harvest", visibility="private"))
            stage.publish_item(Item(name="news", title="Bridge stands", text="<p>It stands.</p>"))
            await relay.wait_until(lambda lines: len(actions(lines, "send")) >= 13)
            stage.edit("p3", "Post 3, corrected, of the #bridge")
            stage.delete("p4")
            await relay.wait_until(lambda lines: actions(lines, "edit") and actions(lines, "delete"))
            assert await relay.stop() == 0
    sent = actions(relay.lines, "send")
    ours = [uri for uri in sent if "/users/illa/" in uri]
    assert ours == [stage.uris[f"p{number}"] for number in range(10)]
    assert len(sent) == len(set(sent)) == 13
    assert actions(relay.lines, "edit") == [stage.uris["p3"]]
    assert actions(relay.lines, "delete") == [stage.uris["p4"]]
    (edit,) = [line for line in relay.lines if line["action"] == "edit"]
    assert "corrected" in edit["text"]


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, stage)
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 3)
            stage.post(Draft(author="illa", text="One #bridge", name="one"))
            await relay.wait_until(lambda lines: len(lines) == 1)
            assert await relay.stop(signal.SIGINT) == 0
        stage.post(Draft(author="illa", text="While it was away #bridge", name="two"))
        async with RelayProcess(config) as relay:
            await relay.wait_until(lambda lines: len(lines) == 1)
            assert actions(relay.lines, "send") == [stage.uris["two"]]
            await relay.stop()


@pytest.mark.siege
async def test_a_thread_is_linked_to_its_page(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage, RelayProcess(configured(tmp_path, stage)) as relay:
        await seeded(database(tmp_path), 3)
        stage.post(Draft(author="illa", text="First #bridge", name="a"))
        stage.post(Draft(author="illa", text="Second #bridge", name="b", reply_to="a"))
        stage.post(Draft(author="illa", text="Third, without the tag", name="c", reply_to="b"))
        await relay.wait_until(lambda lines: lines and lines[-1]["thread"] and lines[-1]["thread"]["count"] >= 2)
        first, last = relay.lines[0], relay.lines[-1]
        assert last["uri"] == last["thread"]["root"] == first["uri"]  # one message, which counts
        async with aiohttp.ClientSession() as session, session.get(last["thread"]["unroll"]) as answer:
            page = await answer.text()
        assert answer.status == 200
        assert page.index("First") < page.index("Second") < page.index("Third, without the tag")
        await relay.stop()


@pytest.mark.siege
async def test_a_second_relay_on_the_same_file_is_told_to_wait(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, stage)
        async with RelayProcess(config) as first, RelayProcess(config) as second:
            await first.running.wait()
            loser = second if not await _runs(second) else first
            assert await loser.ended() == 1
            assert "another relay" in "".join(loser.log)
            await (first if loser is second else second).stop()


async def _runs(relay: RelayProcess) -> bool:
    await relay.running.wait()
    return any("the relay runs" in line for line in relay.log)


@pytest.mark.siege
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_within_five_seconds(tmp_path: Path, number: signal.Signals) -> None:
    async with Mastodon([ILLA]) as stage, RelayProcess(configured(tmp_path, stage)) as relay:
        await relay.running.wait()
        async with asyncio.timeout(30):
            assert await relay.stop(number) == 0
    assert "Traceback" not in "".join(relay.log)


@pytest.mark.siege
async def test_a_port_that_is_taken_is_told_with_what_to_change(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, stage)
        taken = stage.host.split(":")[1]
        config.write_text(config.read_text().replace("port = 0", f"port = {taken}"))
        async with RelayProcess(config) as relay:
            assert await relay.ended() == 1
    (told,) = [line for line in relay.log if line.startswith("relay: ")]
    assert f"127.0.0.1:{taken}" in told
    assert "[web]" in told
