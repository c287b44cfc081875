"""What failed is tried again: pauses grow, and people are told once when it breaks and once when it works again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from relay.log import Trouble
from relay.retrying import Retrying

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)


def steps(tries: Retrying, count: int) -> Sequence[int]:
    """Whole seconds of the next pauses, without what is added by chance."""
    return [2 ** int(tries.pause().total_seconds()).bit_length() // 2 for _ in range(count)]


def test_pauses_double_up_to_the_longest() -> None:
    assert steps(Retrying(first=SECOND, longest=8 * SECOND), 6) == [1, 2, 4, 8, 8, 8]


def test_many_that_failed_together_do_not_come_back_together() -> None:
    pauses = {Retrying(first=MINUTE).pause() for _ in range(20)}
    assert len(pauses) > 10
    assert all(MINUTE <= pause <= 1.5 * MINUTE for pause in pauses)


def test_servers_that_take_turns_share_a_step() -> None:
    assert steps(Retrying(first=SECOND, each=2), 6) == [1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize(("after", "pause"), [(MINUTE, MINUTE), (timedelta(days=400), timedelta(hours=1))])
def test_what_the_other_side_asks_for_counts_as_far_as_it_makes_sense(after: timedelta, pause: timedelta) -> None:
    assert Retrying(first=SECOND, asked=timedelta(hours=1)).pause(after) == pause


@pytest.mark.parametrize("after", [timedelta(0), timedelta(days=-3)])
def test_who_asks_for_no_pause_at_all_is_not_asked_again_and_again(after: timedelta) -> None:
    tries = Retrying(first=SECOND)
    assert [tries.pause(after) >= SECOND for _ in range(3)] == [True] * 3


def test_after_a_good_attempt_the_pauses_begin_anew() -> None:
    tries = Retrying(first=SECOND)
    steps(tries, 3)
    tries.works()
    assert steps(tries, 2) == [1, 2]


async def test_an_attempt_that_lasted_was_a_good_one() -> None:
    tries = Retrying(first=MOMENT, longest=MOMENT, steady=timedelta(0))
    for _ in range(3):
        await tries.wait()
    assert tries.failures == 1


async def test_an_attempt_that_broke_at_once_counts() -> None:
    tries = Retrying(first=MOMENT, longest=MOMENT, steady=MINUTE)
    for _ in range(3):
        await tries.wait()
    assert tries.failures == 3


async def test_it_is_told_once_when_it_breaks_and_once_when_it_works_again() -> None:
    tries = Retrying("the door", Trouble(), first=MOMENT, longest=MOMENT)
    with capture_logs() as lines:
        for _ in range(3):
            await tries.failed("it is locked")
        tries.works()
        tries.works()
    assert [(line["event"], line["what"]) for line in lines] == [
        ("does not work", "the door"),
        ("works again", "the door"),
    ]
