"""Real relays on one PostgreSQL: one stands still, or all are restarted one after the other."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.servers.mastodon import Mastodon
from tests.servers.sink import Sink
from tests.support.kills import MastodonNetwork
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA
from tests.support.siege import LEASE, PLAIN, Siege

pytestmark = [pytest.mark.siege, pytest.mark.timeout(170)]


async def test_one_of_two_that_stands_still_delays_only_what_it_holds_and_then_sends_nothing_twice(
    tmp_path: Path,
    sink: Sink,
    plugins: Path,
    postgres_url: str,
) -> None:
    """Three times it is stopped for longer than its lease, while the other brings everything."""
    async with Mastodon([ILLA]) as stage:
        siege = Siege(MastodonNetwork(stage), sink, tmp_path, postgres_url, plugins)
        async with siege.relay() as frozen, siege.relay():
            await seeded(siege.store, 3)
            for turn in range(3):
                await asyncio.gather(siege.publish(30, seconds=2, first=30 * turn), _stop_soon(siege, frozen))
                await siege.settle(seconds=LEASE + 30)
                assert siege.lost() == []
                os.kill(frozen.pid, signal.SIGCONT)
            await siege.publish(15, seconds=1, first=90)
            await siege.settle(seconds=30)
    siege.verdict()


async def _stop_soon(siege: Siege, relay: RelayProcess) -> None:
    await asyncio.sleep(siege.dice.uniform(0.2, 1.0))
    os.kill(relay.pid, signal.SIGSTOP)
    siege.kills += 1  # where ids are not honoured, what was on its way may come once more
    await asyncio.sleep(LEASE)


async def test_a_rolling_restart_of_three_under_load_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path,
    sink: Sink,
    plugins: Path,
    postgres_url: str,
) -> None:
    async with Mastodon([ILLA]) as stage:
        siege = Siege(MastodonNetwork(stage), sink, tmp_path, postgres_url, plugins, lease=30)
        async with siege.relay() as one, siege.relay() as two, siege.relay() as three:
            await asyncio.gather(*(relay.running.wait() for relay in (one, two, three)))
            await seeded(siege.store, 3)
            await asyncio.gather(siege.publish(150, seconds=15), _restart_in_turn(one, two, three))
            await siege.settle(seconds=30)
            assert [await relay.stop() for relay in (one, two, three)] == [0, 0, 0]
    siege.verdict()
    assert sink.repeats(PLAIN) == 0


async def _restart_in_turn(*relays: RelayProcess) -> None:
    for relay in relays:
        await relay.running.wait()
        assert await relay.stop() == 0
        await relay.start()
    for relay in relays:
        await relay.running.wait()
