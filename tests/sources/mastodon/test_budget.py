"""How often one server is asked, and who waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.mastodon.budget import NOTHING, Budget, Budgets

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def taken(budget: Budget, count: int, *, paging: bool = False, now: datetime = NOW) -> int:
    """How many of so many may be made."""
    return sum(budget.take(now, paging=paging) == NOTHING for _ in range(count))


def test_the_allowance_of_five_minutes_is_not_passed_and_comes_back() -> None:
    budget = Budget()
    assert taken(budget, 400) == 270
    assert taken(budget, 1, now=NOW + 4 * MINUTE) == 0
    assert taken(budget, 400, now=NOW + 5 * MINUTE) == 270


def test_what_pages_has_an_allowance_of_fifteen_minutes_besides() -> None:
    budget = Budget()
    assert taken(budget, 200, paging=True) == 200
    assert taken(budget, 200, paging=True, now=NOW + 6 * MINUTE) == 70
    assert taken(budget, 100, now=NOW + 6 * MINUTE) == 100
    assert budget.wait(NOW + 6 * MINUTE, paging=True) == 9 * MINUTE


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=300), st.integers(0, 3600))
def test_in_no_stretch_of_time_is_more_asked_than_the_server_allows(steps: list[tuple[int, bool]], start: int) -> None:
    budget, now = Budget(), NOW + timedelta(seconds=start)
    made: list[tuple[datetime, bool]] = []
    for pause, paging in steps:
        now += timedelta(seconds=pause)
        made += [(now, paging) for _ in range(5) if not budget.take(now, paging=paging)]
    for at, _ in made:
        assert sum(at <= other < at + 5 * MINUTE for other, _ in made) <= 300
        assert sum(at <= other < at + 15 * MINUTE and paging for other, paging in made) <= 300


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (200, {}, NOTHING),
        (200, {"x-ratelimit-remaining": "299", "x-ratelimit-reset": "2026-07-01T12:05:00.000000Z"}, NOTHING),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-07-01T12:05:00.000000Z"}, 5 * MINUTE),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-07-01T12:02:00.123456Z"}, 2 * MINUTE),
        (429, {"retry-after": "30"}, timedelta(seconds=30)),
        (503, {"retry-after": "30"}, timedelta(seconds=30)),
        (503, {}, NOTHING),
        (429, {}, MINUTE),
        (429, {"x-ratelimit-reset": "soon", "retry-after": "later"}, MINUTE),
        (404, {"retry-after": "30"}, NOTHING),
    ],
)
def test_the_servers_word_is_for_everything_that_is_asked_of_it(
    status: int, headers: dict[str, str], wait: timedelta
) -> None:
    budget = Budget()
    budget.heed(status, headers, NOW)
    assert budget.wait(NOW).total_seconds() == pytest.approx(wait.total_seconds(), abs=1)


def test_those_who_wait_for_the_same_moment_come_one_by_one() -> None:
    budget = Budget()
    budget.heed(429, {"retry-after": "60"}, NOW)
    waits = [budget.take(NOW) for _ in range(5)]
    assert waits[0] == MINUTE
    assert sorted(set(waits)) == waits
    assert waits[-1] < 2 * MINUTE


def test_a_shorter_word_does_not_shorten_a_longer_one() -> None:
    budget = Budget()
    budget.heed(429, {"retry-after": "300"}, NOW)
    budget.heed(429, {"retry-after": "1"}, NOW)
    assert budget.wait(NOW) == 5 * MINUTE


@pytest.mark.parametrize(("feeds", "seconds"), [(1, 1.5), (20, 30), (200, 300)])
def test_all_feeds_of_a_server_get_the_same_share(feeds: int, seconds: float) -> None:
    budget = Budget()
    shares = [budget.share(f"feed {number % feeds}", NOW) for number in range(feeds * 2)]
    assert {share.total_seconds() for share in shares[feeds:]} == {seconds}


def test_a_feed_that_is_not_read_any_more_has_no_share() -> None:
    budget = Budget()
    for number in range(50):
        budget.share(f"feed {number}", NOW)
    assert budget.share("last", NOW + timedelta(hours=2)) == budget.share("last", NOW + timedelta(hours=2))
    assert budget.share("last", NOW + timedelta(hours=2)) == timedelta(seconds=1.5)


def test_servers_have_budgets_of_their_own_and_not_without_end() -> None:
    budgets = Budgets(most=2)
    assert budgets.of("a") is budgets.of("a")
    assert budgets.of("a") is not budgets.of("b")
    kept = budgets.of("a")
    budgets.of("c")
    assert budgets.of("a") is kept


def test_a_server_on_this_very_machine_is_asked_as_often_as_its_owner_likes() -> None:
    budgets = Budgets(here=1_000)
    for base, most in (("http://127.0.0.1:3000", 270_000), ("https://ayllu.example", 270)):
        assert budgets.of(base)._all.limit == most
