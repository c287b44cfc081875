"""What a poll's answer means for the store: when next, what is kept, what is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from relay.core.match import Index
from relay.core.schedule import next_poll, phase
from relay.model import Destination, Edited, Feed, FeedId, Published, Subscription, SubscriptionId
from relay.pipeline.ingest import intake_of
from relay.ports import Batch, Gone, TryLater
from relay.records import Intake
from relay.testing import NOON, FakeSource, post

FEED = Feed(id=FeedId(1), source="fake", address="fake:a", cursor="7", seeded=True, failures=2)
HOUR = timedelta(hours=1)
WANTED = Index(
    [Subscription(id=SubscriptionId(1), topic="t", destination=Destination("fake", "hall"), feeds=(FeedId(1),))]
)


def meant(answer: Batch | TryLater | Gone) -> Intake:
    return intake_of(FEED, FakeSource(interval=HOUR), answer, WANTED, NOON, 0.5)


def test_what_is_past_is_kept_and_sent_to_nobody() -> None:
    old, new, edited = Published(post(1)), Published(post(2)), Edited(post(3))
    intake = meant(Batch(past=(old,), events=(new, edited), cursor="8"))
    assert intake.events == (old, new, edited)
    assert [planned.uri for planned in intake.planned_sends] == [post(2).uri]
    assert intake.cursor == "8"


def test_what_comes_late_is_wanted_as_such_and_what_comes_at_once_is_limited() -> None:
    late, new = Published(post(1)), Published(post(2))
    intake = meant(Batch(late=(late,), events=(new,), at_once=20))
    assert intake.events == (late, new)
    assert [(planned.uri, planned.late) for planned in intake.planned_sends] == [
        (post(1).uri, True),
        (post(2).uri, False),
    ]
    assert intake.at_once == 20


@pytest.mark.parametrize("wait", [None, 2 * HOUR, 7.3 * HOUR])
def test_a_feed_is_polled_next_in_its_own_slot(wait: timedelta | None) -> None:
    assert meant(Batch(wait=wait)).next_poll == next_poll(NOON, HOUR, wait, phase("fake fake:a"))


def test_a_source_that_has_more_is_asked_at_once() -> None:
    assert meant(Batch(more=True)).next_poll == NOON


def test_waiting_for_a_turn_is_no_failure() -> None:
    intake = meant(TryLater("the host is not hurried", timedelta(seconds=65), paced=True))
    assert intake == Intake(
        feed=FEED.id, failures=2, note="the host is not hurried", next_poll=NOON + timedelta(seconds=65)
    )
    assert meant(TryLater("in a while", paced=True)).next_poll == NOON + HOUR


def test_a_failure_lengthens_the_pause_and_may_leave_something_to_remember() -> None:
    intake = meant(TryLater("404", cursor="since Monday"))
    assert (intake.failures, intake.cursor, intake.seeded, intake.note) == (3, "since Monday", True, "404")
    assert intake.next_poll is not None
    assert intake.next_poll - NOON == 4 * HOUR * 1.25
    assert meant(TryLater("busy")).cursor is None


def test_what_is_gone_is_stopped_with_its_reason() -> None:
    assert (meant(Gone("for good")).stopped, meant(Gone("for good")).next_poll) == ("for good", None)
