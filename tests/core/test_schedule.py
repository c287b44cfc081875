"""When to poll, re-check, retry; and the whole transition table of a delivery."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.schedule import (
    LONGEST_POLL,
    LONGEST_RETRY,
    LONGEST_WAIT,
    RECHECKED_FOR,
    OnUnknown,
    RetryPolicy,
    backoff,
    impossible,
    next_check,
    next_poll,
    next_poll_after_failure,
    phase,
    settle,
    unsure,
)
from relay.model import Action, Destination, MessageId
from relay.ports import Gone, Limits, Moved, Outcome, Refused, Sent, TryLater, Unknown
from relay.records import Settlement, State
from relay.testing import NOON, delivery

MINUTE = timedelta(minutes=1)
jitters = phases = st.floats(0, 1, exclude_max=True)


def settled(
    outcome: Outcome,
    *,
    action: Action = Action.SEND,
    idempotent: bool = False,
    on_unknown: OnUnknown = "resend",
    attempts: int = 1,
) -> Settlement:
    limits = Limits(idempotent=idempotent, gap=timedelta(seconds=3))
    tried = delivery(action=action, attempts=attempts)
    return settle(tried, outcome, RetryPolicy(limits=limits, on_unknown=on_unknown), NOON, 0.0)


@pytest.mark.parametrize(
    ("outcome", "kind", "state", "wait", "pause"),
    [
        (Sent((MessageId("1"),)), "plain", State.SENT, timedelta(seconds=3), ""),
        (Sent(wait=timedelta(minutes=6)), "plain", State.SENT, timedelta(minutes=6), ""),
        (Sent(wait=timedelta(seconds=1)), "plain", State.SENT, timedelta(seconds=3), ""),
        (TryLater("busy"), "plain", State.DUE, timedelta(seconds=4), ""),
        (TryLater("slow down", timedelta(hours=12)), "plain", State.DUE, timedelta(hours=12), ""),
        (TryLater("soon", timedelta(seconds=1)), "plain", State.DUE, timedelta(seconds=4), ""),
        (TryLater("in turn", timedelta(seconds=1), paced=True), "plain", State.DUE, timedelta(seconds=1), ""),
        (Refused("too odd"), "plain", State.FAILED, timedelta(0), ""),
        (Gone("no such room"), "plain", State.DUE, timedelta(0), "no such room"),
        (Moved(Destination("fake", "hall")), "plain", State.DUE, timedelta(seconds=4), ""),
        (Moved(Destination("fake", "hall")), "first", State.DUE, timedelta(0), ""),
        (Unknown("time-out"), "plain", State.DUE, timedelta(seconds=4), ""),
        (Unknown("time-out"), "skip", State.SKIPPED, timedelta(0), ""),
        (Unknown("time-out"), "skip, idempotent", State.DUE, timedelta(seconds=4), ""),
        (Unknown("time-out"), "skip, edit", State.DUE, timedelta(seconds=4), ""),
        (Unknown("time-out"), "skip, count", State.DUE, timedelta(seconds=4), ""),
    ],
)
def test_what_becomes_of_a_delivery(outcome: Outcome, kind: str, state: State, wait: timedelta, pause: str) -> None:
    answer = settled(
        outcome,
        on_unknown="skip" if "skip" in kind else "resend",
        idempotent="idempotent" in kind,
        action=next((action for action in Action if action in kind), Action.SEND),
        attempts=0 if kind == "first" else 1,
    )
    assert (answer.state, answer.due - NOON, answer.pause) == (state, wait, pause)
    assert bool(answer.reason) == (not isinstance(outcome, Sent))
    assert answer.unknown == isinstance(outcome, Unknown)
    assert answer.moved == (outcome.destination if isinstance(outcome, Moved) else None)


outcomes = st.one_of(
    st.builds(
        Sent, st.lists(st.text(min_size=1).map(MessageId)).map(tuple), st.timedeltas(timedelta(0), timedelta(days=2))
    ),
    st.builds(TryLater, st.text(min_size=1), st.none() | st.timedeltas(timedelta(0), timedelta(days=2))),
    st.builds(Refused, st.text(min_size=1)),
    st.builds(Gone, st.text(min_size=1)),
    st.builds(Moved, st.just(Destination("fake", "hall"))),
    st.builds(Unknown, st.text(min_size=1)),
)


@given(
    outcomes,
    st.sampled_from(Action),
    st.booleans(),
    st.integers(0, 10_000),
    jitters,
    st.sampled_from(["resend", "skip"]),
)
def test_nothing_is_dropped_silently(
    outcome: Outcome,
    action: Action,
    idempotent: bool,
    attempts: int,
    jitter: float,
    on_unknown: OnUnknown,
) -> None:
    """Whatever happens, a delivery is sent, or due again, or ended with its reason kept; and never due in the past."""
    policy = RetryPolicy(limits=Limits(idempotent=idempotent), on_unknown=on_unknown)
    answer = settle(delivery(action=action, attempts=attempts), outcome, policy, NOON, jitter)
    assert answer.due >= NOON
    assert answer.state in {State.SENT, State.DUE} or answer.reason
    assert (answer.state is State.SENT) == isinstance(outcome, Sent)
    if isinstance(outcome, TryLater) and outcome.after:
        assert answer.due >= NOON + outcome.after
    if isinstance(outcome, Sent):
        assert answer.due >= NOON + outcome.wait


@given(st.integers(1, 10_000), jitters)
def test_backoff_grows_and_is_bounded(attempt: int, jitter: float) -> None:
    assert backoff(attempt, jitter) <= backoff(attempt + 1, 0.999999999) or backoff(attempt, 0) == LONGEST_RETRY
    assert timedelta(0) < backoff(attempt, jitter) <= LONGEST_RETRY * 1.5


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"action": Action.EDIT, "messages": ()}, "nothing was sent"),
        ({"action": Action.DELETE, "messages": ()}, "nothing was sent"),
        ({"action": Action.COUNT, "messages": ()}, "nothing was sent"),
        ({"action": Action.EDIT}, ""),
        ({"action": Action.COUNT}, ""),
        ({"action": Action.COUNT, "interrupted": True}, ""),
        ({"action": Action.SEND, "interrupted": True}, ""),
    ],
)
def test_what_needs_no_attempt(what: dict[str, object], expected: str) -> None:
    reason = impossible(delivery(**what), RetryPolicy(limits=Limits()))  # type: ignore[arg-type]  # a table of keywords
    assert expected in reason
    assert bool(reason) == bool(expected)


def test_an_interrupted_send_is_not_repeated_when_the_policy_says_so() -> None:
    unsure = delivery(interrupted=True)
    assert impossible(unsure, RetryPolicy(limits=Limits(), on_unknown="skip"))
    assert not impossible(unsure, RetryPolicy(limits=Limits(idempotent=True), on_unknown="skip"))
    for action in (Action.EDIT, Action.COUNT, Action.DELETE):
        again = delivery(action=action, interrupted=True)
        assert not impossible(again, RetryPolicy(limits=Limits(), on_unknown="skip"))


@pytest.mark.parametrize(
    ("own", "general", "repeats"),
    [(None, "resend", True), (None, "skip", False), ("skip", "resend", False), ("resend", "skip", True)],
)
def test_the_adapter_s_word_on_the_unknown_comes_first(
    own: OnUnknown | None, general: OnUnknown, repeats: bool
) -> None:
    policy = RetryPolicy.of(Limits(on_unknown=own), general)
    assert bool(impossible(delivery(interrupted=True), policy)) != repeats
    assert unsure(delivery(interrupted=True), policy) != repeats
    assert not unsure(delivery(), policy)
    assert settle(delivery(), Unknown("time-out"), policy, NOON, 0.0).state is (State.DUE if repeats else State.SKIPPED)


def test_platforms_that_cannot_edit_or_delete_are_not_asked_to() -> None:
    for action in (Action.EDIT, Action.COUNT):
        assert impossible(delivery(action=action), RetryPolicy(limits=Limits(edits=False)))
    assert impossible(delivery(action=Action.DELETE), RetryPolicy(limits=Limits(deletions=False)))


@pytest.mark.parametrize(
    ("late", "wait", "pause"),
    [
        (0, None, 600),
        (0, 5, 600),
        (5, None, 595),
        (299, None, 301),
        (301, None, 899),  # too late for the next slot
        (0, 600, 600),
        (5, 600, 600),
        (5, 3600, 3600),
        (11, 3600, 4189),
        (300, 3600, 3900),
        (0, 601, 601),
        (0, 700, 1200),
        (0, 86_400, 86_400),
    ],
)
def test_a_feed_keeps_its_slot_and_nobody_is_asked_before_they_like(late: int, wait: int | None, pause: int) -> None:
    """An interval of ten minutes; noon is a slot, and the poll so many seconds late."""
    now = NOON + timedelta(seconds=late)
    asked = None if wait is None else timedelta(seconds=wait)
    assert next_poll(now, 10 * MINUTE, asked, 0.0) - now == timedelta(seconds=pause)


spans = st.timedeltas(timedelta(0), timedelta(days=30))


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(MINUTE / 6000, timedelta(days=2)), spans, phases)
def test_a_pause_is_never_shorter_than_asked_and_little_longer_than_both(
    now: datetime, interval: timedelta, wait: timedelta, phase: float
) -> None:
    if not 1970 < now.year < 9900:
        return
    pause = next_poll(now, interval, wait, phase) - now
    wait = min(wait, max(LONGEST_WAIT, interval))
    assert max(wait, interval / 2) <= pause <= max(wait, interval / 2) + interval


@given(st.text(max_size=50))
def test_a_phase_is_the_same_ever_and_a_part_of_the_whole(name: str) -> None:
    assert 0 <= phase(name) == phase(name) < 1


def test_two_thousand_feeds_that_were_read_at_once_come_apart_and_stay_so() -> None:
    interval = 10 * MINUTE
    due = [
        next_poll(NOON + timedelta(milliseconds=number), interval, None, phase(f"rss https://ayllu.example/{number}"))
        for number in range(2000)
    ]
    assert max(in_one(due, timedelta(seconds=30))) < 140  # a hundred, if they were spread like a comb
    again = [
        next_poll(at + timedelta(seconds=2), interval, None, phase(f"rss https://ayllu.example/{number}"))
        for number, at in enumerate(due)
    ]
    assert [later - earlier for earlier, later in zip(due, again, strict=True)] == [interval] * 2000
    hourly = [next_poll(NOON, interval, 6 * interval, phase(f"rss https://ayllu.example/{n}")) for n in range(2000)]
    assert max(in_one(hourly, timedelta(seconds=30))) < 180


def in_one(times: list[datetime], span: timedelta) -> list[int]:
    """How many fall into each span."""
    return list(Counter((time - NOON) // span for time in times).values())


def test_a_feed_that_fails_for_a_day_is_asked_every_few_hours() -> None:
    now, polls = NOON, 0
    while now < NOON + timedelta(days=1):
        polls += 1
        now = next_poll_after_failure(now, 10 * MINUTE, None, polls, 0.0)
    assert polls == 9
    assert next_poll_after_failure(now, 10 * MINUTE, None, polls, 0.0) - now == LONGEST_POLL


@given(st.integers(1, 1000), jitters)
def test_a_failing_feed_is_asked_ever_less_often(failures: int, jitter: float) -> None:
    pause = next_poll_after_failure(NOON, MINUTE, None, failures, jitter) - NOON
    assert MINUTE <= pause <= LONGEST_POLL * 1.5
    asked = next_poll_after_failure(NOON, MINUTE, timedelta(days=1), failures, jitter)
    assert asked >= NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("age", "factor"),
    [
        (timedelta(0), 1),
        (timedelta(minutes=59), 1),
        (timedelta(hours=2), 3),
        (timedelta(hours=12), 12),
        (timedelta(days=6), 48),
        (timedelta(days=8), 24 * 60),
        (RECHECKED_FOR - MINUTE, 24 * 60),
        (RECHECKED_FOR + MINUTE, None),
    ],
)
def test_the_newest_posts_are_rechecked_most_often(age: timedelta, factor: int | None) -> None:
    expected: datetime | None = None if factor is None else NOON + MINUTE * factor
    assert next_check(NOON - age, NOON, MINUTE) == expected
