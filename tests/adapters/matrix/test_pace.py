"""The pace of one account is learned from refusals: simulated against a homeserver's own bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.matrix.api import Failed
from adapters.matrix.calls import LIES, MatrixCalls
from adapters.matrix.pace import AT_ONCE, HELD_UP, JITTER, LONG, REMEMBERED, SLACK, MatrixPace
from relay.ports import TryLater


@dataclass
class Bucket:
    """What a homeserver does: it loses ``rate`` messages a second, and holds ``size``."""

    rate: float
    size: int
    level: float = 0.0
    seen: float = 0.0
    refusals: int = 0
    taken: list[float] = field(default_factory=list)

    def send(self, now: float) -> float | None:
        """None: taken; else the seconds after which one more fits."""
        level = max(0.0, self.level - (now - self.seen) * self.rate)
        if level + 1 > self.size + 1e-9:
            self.refusals += 1
            return (level + 1 - self.size) / self.rate
        self.level, self.seen = level + 1, now
        self.taken.append(now)
        return None


@dataclass
class Account:
    """Rooms with a backlog each, at one homeserver, by a clock of our own; ``way`` is how long an answer takes."""

    bucket: Bucket
    way: float = 0.05
    hold: float = 0.5
    """How long a refusal is held back, as Synapse does; its wait counts from before that."""
    pace: MatrixPace = field(default_factory=MatrixPace)
    now: float = 1000.0
    sent: list[tuple[float, str]] = field(default_factory=list)

    def run(self, backlog: dict[str, int], *, until: float) -> None:
        """The outbox: each room comes when it was told to, sends one, and comes again."""
        due = dict.fromkeys(backlog, self.now)
        while backlog and self.now < until:
            room = min(due, key=lambda one: due[one])
            self.now = max(self.now, due[room])
            if (wait := self.pace.wait(room, self.now)) > 0:
                due[room] = self.now + wait
                continue
            due[room] = self.now + self.attempt(room, backlog)
            if room not in backlog:
                del due[room]

    def attempt(self, room: str, backlog: dict[str, int]) -> float:
        attempt = self.pace.take(self.now)
        refused = self.bucket.send(self.now + self.way / 2)
        self.now += self.way
        if refused is not None:
            self.now += self.hold
            self.pace.refused(attempt, refused, self.now)
            return self.pace.wait(room, self.now)
        self.pace.took(attempt)
        self.sent.append((self.now, room))
        backlog[room] -= 1
        if not backlog[room]:
            del backlog[room]
        return self.pace.next_wait(self.now)


def test_nothing_is_held_back_before_the_first_refusal() -> None:
    """A homeserver without a limit is served as fast as it answers."""
    account = Account(Bucket(rate=1e9, size=10**9))
    account.run({"a": 200, "b": 200}, until=1e9)
    assert account.sent[-1][0] - account.sent[0][0] < 400 * 0.05 + 1


def test_the_usual_limit_is_used_to_a_hundredth_with_few_refusals() -> None:
    """Ten rooms, Synapse's default: the burst, then one message in five seconds."""
    account = Account(Bucket(rate=0.2, size=10))
    account.run({f"room{number}": 20 for number in range(10)}, until=1e9)
    took = account.sent[-1][0] - account.sent[0][0]
    assert len(account.sent) == 200
    assert took < (200 - 10) / 0.2 * 1.02 + 20
    assert account.bucket.refusals <= 10  # each ten minutes it is tried whether the limit is still there


def test_rooms_that_wait_have_their_turn_one_after_the_other() -> None:
    account = Account(Bucket(rate=0.2, size=10))
    account.run({f"room{number}": 20 for number in range(10)}, until=1e9)
    late = [room for _, room in account.sent[60:120]]
    assert all(late.count(f"room{number}") >= 5 for number in range(10))


def test_after_a_rest_a_burst_goes_out_at_once_and_no_more_than_fits() -> None:
    account = Account(Bucket(rate=0.2, size=10))
    account.run({"a": 15}, until=1e9)
    before, account.now = account.bucket.refusals, account.now + 60
    account.run({"a": 10}, until=1e9)
    assert account.bucket.refusals <= before + 1
    assert account.sent[-1][0] - account.sent[-10][0] < 6


def test_what_was_learned_is_tried_again_after_a_while() -> None:
    """An admin may have lifted the limit."""
    account = Account(Bucket(rate=0.2, size=10))
    account.run({"a": 15}, until=1e9)
    account.bucket = Bucket(rate=1e9, size=10**9)
    account.now += REMEMBERED + 1
    start = account.now
    account.run({"a": 100}, until=1e9)
    assert account.now - start < 100 * 0.05 + 1


def learned() -> MatrixPace:
    """One message in five seconds; the bucket is full, and takes one more at 15.1 (and a bit)."""
    pace = MatrixPace()
    for at in (10.0, 10.0):
        pace.took(pace.take(at))
    pace.refused(pace.take(10.0), 0.1, 10.6)
    pace.took(pace.take(10.7))
    pace.refused(pace.take(10.8), 4.3 + JITTER, 11.4)
    return pace


def test_who_waits_for_an_answer_stands_in_no_queue() -> None:
    pace = learned()
    first = pace.wait("a", 12.0)
    assert first == pytest.approx(3.1, abs=0.3)
    assert pace.wait("b", 12.0) == pytest.approx(first + 5.0, rel=0.02)
    assert pace.wait_for_people(12.0) == first


def test_a_room_that_did_not_come_loses_its_turn() -> None:
    pace = learned()
    assert pace.wait("a", 12.0) > 0
    assert pace.wait("b", 12.0) > 6
    assert pace.wait("b", 25.0) == 0.0


def test_the_time_that_a_refusal_is_held_back_is_not_counted_twice() -> None:
    """Synapse decides, then pauses for half a second, then answers: the wait counts from the decision."""
    pace = MatrixPace()
    pace.took(pace.take(10.0))
    pace.refused(pace.take(10.0), 0.6, 10.5)
    assert pace.wait("a", 10.5) == pytest.approx(0.1 + SLACK)


def test_few_go_out_together_and_one_alone_while_the_limit_is_being_learned() -> None:
    """Else all that were on their way are refused, and nobody knows what was counted before what."""
    pace = MatrixPace()
    first = [pace.take(10.0) for _ in range(AT_ONCE)]
    assert pace.is_busy(10.0)
    pace.took(first[0])
    assert not pace.is_busy(10.0)
    pace.took(first[1])
    pace.refused(first[2], 5.0, 10.5)
    alone = pace.take(15.1)
    assert pace.is_busy(15.1)
    pace.took(alone)
    assert not pace.is_busy(15.2)


def test_what_takes_long_on_its_way_holds_up_no_other_room() -> None:
    pace = MatrixPace()
    for _ in range(AT_ONCE):
        pace.take(10.0)
    assert not pace.is_busy(10.0 + LONG)


def test_a_refusal_that_came_late_teaches_no_rate_that_is_too_slow() -> None:
    """Another room's messages held it up: nobody knows when it was decided."""
    pace = learned()
    pace.took(pace.take(17.0))
    pace.refused(pace.take(17.1), 3.0, 17.1 + 0.6 + 2 * HELD_UP)
    assert pace.next_wait(25.2) == 0.0
    pace.took(pace.take(25.2))
    assert pace.next_wait(25.3) == pytest.approx(0.0, abs=0.5)


@settings(deadline=None)
@example(rate=0.6875, size=2, way=0.6875, rooms=3, each=5)
@example(rate=4.351, size=3, way=0.115, rooms=10, each=12)
@given(
    rate=st.floats(0.05, 50),
    size=st.integers(2, 50),
    way=st.floats(0.001, 1.0),
    rooms=st.integers(1, 12),
    each=st.integers(1, 12),
)
def test_whatever_the_limit_all_is_sent_and_refusals_stay_few(
    rate: float, size: int, way: float, rooms: int, each: int
) -> None:
    account = Account(Bucket(rate=rate, size=size), way=way)
    account.run({f"room{number}": each for number in range(rooms)}, until=1e9)
    count = rooms * each
    assert len(account.sent) == count
    # Tiny buckets and answers nearly as slow as the leak are the worst; mostly there are three to six.
    assert account.bucket.refusals <= 16 + count / 2
    least = max(count * way, (count - size) / rate)
    if 1 / rate < SLACK:  # quicker than any homeserver's limit: what is learned is no more exact than two ways differ
        least += count * SLACK
    assert account.now - 1000.0 <= least * 1.5 + 12 * max(1 / rate, way) + account.bucket.refusals * account.hold + 5


@pytest.mark.parametrize("asked", [0.0, 1e9])
async def test_a_homeserver_that_refuses_everything_is_asked_seldom_whatever_it_says_of_the_wait(asked: float) -> None:
    """And soon enough once it takes messages again."""
    now, refusals, refuses = 0.0, 0, True
    calls = MatrixCalls(hold=0.0, clock=lambda: now)

    async def send() -> str | Failed:
        nonlocal refusals
        refusals += refuses
        return Failed("Too Many Requests", "M_LIMIT_EXCEEDED", 429, timedelta(seconds=asked)) if refuses else "$event"

    while now < 3600:
        told = await calls.paced("!plaza", send)
        assert isinstance(told, TryLater)
        assert told.after is not None
        now += max(told.after.total_seconds(), 0.001)
    assert refusals < LIES + 3600 / 60 + 20
    refuses = False
    while isinstance(told := await calls.paced("!plaza", send), TryLater):
        now += max((told.after or timedelta(0)).total_seconds(), 0.001)
    assert now < 3600 + REMEMBERED + 60
