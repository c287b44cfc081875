"""What a server learns of late, and in another order than it was written, is relayed as the thread is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.match import Index
from relay.model import Destination, Feed, FeedId, Published, Subscription, SubscriptionId
from relay.pipeline.ingest import intake_of
from relay.ports import Batch
from relay.sources.mastodon.parse import read_post
from relay.testing import NOON, FakeSource
from tests.servers.mastodon.fediverse import FIRST_ID, Fediverse, Json, run
from tests.support.authentic_run_cases import configured
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import database

FEED = Feed(id=FeedId(1), source="fake", address="#rivers", cursor="7", seeded=True)
WANTED = Subscription(
    id=SubscriptionId(1), topic="#rivers", destination=Destination("fake", "room"), feeds=(FeedId(1),)
)


def late(stage: Fediverse, order: list[int]) -> list[Json]:
    """A thread of posts 1, 2, … whose copies reach the server in this order."""
    made: dict[int, Json] = {}
    for place, number in enumerate(order):
        at = f"2026-07-01T12:00:{number:02}.000Z"
        made[number] = stage.post(f"#rivers {number}", "ana", id=FIRST_ID + (place + 1) * 65536, created_at=at)
    for number, status in made.items():
        if number > 1:
            status |= {"in_reply_to_id": made[number - 1]["id"], "in_reply_to_account_id": status["account"]["id"]}
    return list(made.values())


@given(st.permutations([1, 2, 3, 4, 5]))
def test_any_order_of_arrival_is_one_order(order: list[int]) -> None:
    stage = Fediverse("https://social.example")
    read = [read_post(json.dumps(status).encode(), stage.base) for status in late(stage, order)]
    answer = Batch(events=tuple(Published(post) for post in read if post))
    intake = intake_of(FEED, FakeSource(), answer, Index([WANTED]), NOON, 0.0)
    told = [event.post for event in intake.events if isinstance(event, Published)]
    assert [post.published.second for post in told] == [1, 2, 3, 4, 5]
    assert [planned.uri for planned in intake.planned_sends] == [post.uri for post in told]


@pytest.mark.siege
@pytest.mark.timeout(90)
@pytest.mark.parametrize("mode", ["posts", "threads"])
async def test_a_thread_that_arrives_as_3_1_2_is_relayed_as_1_2_3_or_as_its_first_post(
    tmp_path: Path, mode: str
) -> None:
    async with run() as home:
        config = configured(tmp_path, "#rivers", home.base)
        config.write_text(f'{config.read_text()}mode = "{mode}"\n')
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            late(home, [3, 1, 2])
            await relay.wait_until(lambda lines: len(lines) == 3 if mode == "posts" else bool(lines))
            if mode == "threads":
                home.post("#rivers the end")
                await relay.wait_until(lambda lines: any("the end" in line["text"] for line in lines))
            await relay.stop()
    sent = [line["text"] for line in relay.lines if line["action"] == "send"]
    assert sent == (["#rivers 1", "#rivers 2", "#rivers 3"] if mode == "posts" else ["#rivers 1", "#rivers the end"])
