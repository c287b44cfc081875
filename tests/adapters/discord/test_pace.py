"""The pace, by tables and by playing against buckets that are as strict as Discord's. No clock: time is a number."""

from __future__ import annotations

import heapq
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.discord.pace import ALL_TOGETHER, INVALID_WITHIN, Busy, DiscordPace, DiscordTicket, Route, Wait, route
from tests.support.thorough import examples

POST = route("POST", "/channels/1/messages")


def headers(left: int, after: float, *, limit: int = 5, bucket: str = "abc") -> dict[str, str]:
    return {
        "X-RateLimit-Bucket": bucket,
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset-After": f"{after:.3f}",
    }


def ticket(pace: DiscordPace, way: Route = POST, now: float = 0.0) -> DiscordTicket:
    answer = pace.ask(way, now)
    assert isinstance(answer, DiscordTicket), answer
    return answer


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/channels/12/messages", Route("POST /channels/{}/messages", "channels/12", free=False)),
        ("PATCH", "/channels/12/messages/34", Route("PATCH /channels/{}/messages/{}", "channels/12", free=False)),
        ("GET", "/users/@me", Route("GET /users/@me", "users/@me", free=False)),
        ("GET", "/guilds/7/members/8", Route("GET /guilds/{}/members/{}", "guilds/7", free=False)),
        ("GET", "/webhooks/5", Route("GET /webhooks/{}", "webhooks/5", free=False)),
        ("POST", "/webhooks/5/s3cret", Route("POST /webhooks/{}/{}", "webhooks/5", free=True)),
        ("PATCH", "/webhooks/5/s3cret/messages/6", Route("PATCH /webhooks/{}/{}/messages/{}", "webhooks/5", free=True)),
    ],
)
def test_a_route_is_a_path_without_ids_and_secrets(method: str, path: str, expected: Route) -> None:
    assert route(method, path) == expected
    assert "s3cret" not in repr(route(method, path))


def test_only_one_request_is_on_its_way_until_the_bucket_is_known() -> None:
    pace = DiscordPace()
    first = ticket(pace)
    assert isinstance(pace.ask(POST, 0.1), Busy)
    ticket(pace, route("POST", "/channels/2/messages"))  # another channel's is another bucket
    pace.note_answer(first, 200, headers(4, 5.0), 0.2)
    assert [type(pace.ask(POST, 0.3)) for _ in range(5)] == [DiscordTicket] * 4 + [Wait]


def test_an_attempt_that_was_never_answered_makes_room_again() -> None:
    pace = DiscordPace()
    pace.lost(ticket(pace), 0.1)
    ticket(pace, now=0.2)


def test_an_empty_bucket_waits_for_its_reset_and_is_full_then() -> None:
    pace = DiscordPace()
    pace.note_answer(ticket(pace), 200, headers(0, 5.0), 1.0)
    held = pace.ask(POST, 2.0)
    assert isinstance(held, Wait)
    assert held.seconds == pace.wait(POST, 2.0) == pytest.approx(4.0, abs=0.01)
    assert [type(pace.ask(POST, 6.01)) for _ in range(6)] == [DiscordTicket] * 5 + [Busy]


def test_routes_that_share_a_bucket_share_its_room_but_not_over_channels() -> None:
    pace = DiscordPace()
    remove = route("DELETE", "/channels/1/messages/3")
    pace.note_answer(ticket(pace), 200, headers(1, 5.0), 0.0)
    pace.note_answer(ticket(pace, remove), 204, headers(0, 5.0), 0.0)
    assert isinstance(pace.ask(POST, 0.1), Wait)
    assert isinstance(pace.ask(remove, 0.1), Wait)
    assert isinstance(pace.ask(route("POST", "/channels/2/messages"), 0.1), DiscordTicket)


def test_answers_that_come_late_give_no_room_back() -> None:
    """The header of an earlier request does not know of the later ones."""
    pace = DiscordPace()
    pace.note_answer(ticket(pace), 200, headers(4, 5.0), 0.0)
    flying = [ticket(pace, now=0.1) for _ in range(4)]
    pace.note_answer(flying[0], 200, headers(3, 4.9), 0.2)
    assert isinstance(pace.ask(POST, 0.3), Wait)


def test_a_route_without_limits_is_free_but_for_the_total() -> None:
    pace = DiscordPace()
    pace.note_answer(ticket(pace), 200, {}, 0.0)
    for _ in range(10):
        ticket(pace, now=0.1)


def test_headers_that_are_nonsense_change_nothing() -> None:
    pace = DiscordPace()
    pace.note_answer(ticket(pace), 200, {**headers(1, 5.0), "X-RateLimit-Limit": "many"}, 0.0)
    ticket(pace, now=0.1)


def test_fifty_a_second_in_all_and_webhooks_beside_them() -> None:
    pace = DiscordPace()
    other = route("POST", "/channels/99/messages")
    flying = [ticket(pace, route("POST", f"/channels/{n}/messages"), now=0.5) for n in range(ALL_TOGETHER)]
    assert isinstance(pace.ask(other, 0.6), Busy)
    pace.note_answer(flying[0], 200, {}, 0.7)
    held = pace.ask(other, 0.9)
    assert isinstance(held, Wait)
    assert 0.8 <= held.seconds <= 0.81, "it may have been counted as late as its answer came"
    pace.lost(flying[1], 1.4)
    ticket(pace, route("POST", "/webhooks/1/t"), now=1.4)
    ticket(pace, other, now=1.71)
    assert isinstance(pace.ask(route("POST", "/channels/98/messages"), 1.72), Wait)


def test_a_429_empties_its_bucket_alone() -> None:
    pace = DiscordPace()
    first = ticket(pace)
    pace.note_answer(first, 429, {}, 0.0)
    pace.slowed(first, 3.0, 0.0, everywhere=False)
    assert pace.ask(POST, 1.0) == Wait(2.0, "the channel's pace")
    ticket(pace, route("POST", "/channels/2/messages"), now=1.0)
    ticket(pace, now=3.1)


def test_a_global_429_stops_everything_that_is_counted_with_it() -> None:
    pace = DiscordPace()
    first = ticket(pace)
    pace.note_answer(first, 429, {"X-RateLimit-Scope": "global"}, 0.0)
    pace.slowed(first, 3.0, 0.0, everywhere=True)
    held = pace.ask(route("GET", "/channels/2"), 1.0)
    assert isinstance(held, Wait)
    assert held.seconds == 2.0
    ticket(pace, route("POST", "/webhooks/1/t"), now=1.0)
    ticket(pace, route("GET", "/channels/2"), now=3.1)


@pytest.mark.parametrize(
    ("status", "said", "counts"),
    [
        (401, {}, True),
        (403, {}, True),
        (429, {}, True),
        (429, {"X-RateLimit-Scope": "user"}, True),
        (429, {"X-RateLimit-Scope": "shared"}, False),
        (404, {}, False),
        (200, {}, False),
        (500, {}, False),
    ],
)
def test_refused_requests_have_a_budget_of_their_own(status: int, said: dict[str, str], counts: bool) -> None:
    pace = DiscordPace(invalid=3)
    for number in range(3):
        pace.note_answer(
            ticket(pace, route("GET", f"/channels/{number}"), now=float(number)), status, said, float(number)
        )
    held = pace.ask(route("GET", "/channels/9"), 10.0)
    if not counts:
        assert isinstance(held, DiscordTicket)
        return
    assert isinstance(held, Wait)
    assert held.seconds == INVALID_WITHIN - 10.0
    assert "refused 3 requests" in held.reason
    assert isinstance(pace.ask(route("GET", "/channels/9"), INVALID_WITHIN + 0.1), DiscordTicket)


def test_what_is_idle_is_forgotten_when_there_is_much_of_it() -> None:
    pace = DiscordPace()
    for number in range(5_000):
        now = number * 0.1
        pace.note_answer(ticket(pace, route("GET", f"/channels/{number}"), now=now), 200, headers(0, 1.0), now)
    assert len(pace._buckets) < 2_100
    assert len(pace._hashes) < 2_100


class Strict:
    """A bucket as Discord keeps it: so many in a window that begins with the first."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit, self.window, self.began, self.used = limit, window, -1e9, 0

    def take(self, now: float) -> tuple[int, dict[str, str]]:
        if now - self.began >= self.window:
            self.began, self.used = now, 0
        self.used += 1
        status = 200 if self.used <= self.limit else 429
        after = self.began + self.window - now
        return status, headers(max(0, self.limit - self.used), after, limit=self.limit)


@settings(max_examples=examples(60), deadline=None)
@given(
    limit=st.integers(1, 7),
    window=st.floats(0.5, 8.0),
    hops=st.lists(st.tuples(st.floats(0.001, 0.2), st.floats(0.001, 0.2)), min_size=20, max_size=40),
)
def test_one_after_the_other_never_meets_a_429_and_leaves_no_room_unused(
    limit: int, window: float, hops: list[tuple[float, float]]
) -> None:
    """``hops``: how long each request takes there and back. What is sent when the pace lets it is never too early."""
    pace, server, now, waited, travelled = DiscordPace(), Strict(limit, window), 0.0, 0.0, 0.0
    for there, back in hops:
        while isinstance(answer := pace.ask(POST, now), Wait):
            now, waited = now + answer.seconds, waited + answer.seconds
        assert isinstance(answer, DiscordTicket)
        status, said = server.take(now + there)
        assert status == 200
        now, travelled = now + there + back, travelled + there + back
        pace.note_answer(answer, status, said, now)
    windows = (len(hops) - 1) // limit
    assert waited <= windows * (window + 0.003)


@settings(max_examples=examples(60), deadline=None)
@given(
    limit=st.integers(2, 7),
    hops=st.lists(st.tuples(st.floats(0.001, 0.3), st.floats(0.001, 0.3)), min_size=15, max_size=30),
)
def test_many_at_once_in_one_bucket_never_meet_a_429(limit: int, hops: list[tuple[float, float]]) -> None:
    """Requests arrive and answers come back in any order."""
    pace, server, now = DiscordPace(), Strict(limit, 2.0), 0.0
    arrive: list[tuple[float, float, DiscordTicket]] = []
    back: list[tuple[float, DiscordTicket, int, dict[str, str]]] = []
    left = list(hops)
    while left or arrive or back:
        answer = pace.ask(POST, now) if left else Busy()
        if isinstance(answer, DiscordTicket):
            there, home = left.pop()
            arrive.append((now + there, home, answer))
            continue
        times = [one[0] for one in arrive] + [one[0] for one in back]
        now = min([*times, now + answer.seconds] if isinstance(answer, Wait) else times)
        for one in sorted((one for one in arrive if one[0] <= now), key=lambda one: one[0]):
            arrive.remove(one)
            status, said = server.take(one[0])
            assert status == 200
            back.append((one[0] + one[1], one[2], status, said))
        for done in [done for done in back if done[0] <= now]:
            back.remove(done)
            pace.note_answer(done[1], done[2], done[3], now)


@pytest.mark.parametrize("least", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("jitter", [0.001, 0.05, 0.3])
def test_all_channels_together_never_meet_a_429_however_the_network_trembles(least: float, jitter: float) -> None:
    """Each request takes ``least`` at least and up to ``jitter`` more, each way; the server counts on arrival."""
    chance = random.Random(f"{least} {jitter}")
    pace, server, now, number = DiscordPace(), Strict(ALL_TOGETHER, 1.0), 0.0, 0
    events: list[tuple[float, int, DiscordTicket, bool]] = []
    while number < 300 or events:
        answer = pace.ask(route("POST", f"/channels/{number}/messages"), now) if number < 300 else Busy()
        if isinstance(answer, DiscordTicket):
            number += 1
            heapq.heappush(events, (now + least + chance.random() * jitter, number, answer, True))
            continue
        until = now + answer.seconds if isinstance(answer, Wait) else float("inf")
        if not events or until < events[0][0]:
            now = until
            continue
        now, place, carried, arrives = heapq.heappop(events)
        if not arrives:
            pace.note_answer(carried, 200, {}, now)
            continue
        assert server.take(now)[0] == 200
        heapq.heappush(events, (now + least + chance.random() * jitter, place, carried, False))
    assert now <= 6 * (1.01 + 2 * jitter) + 4 * least, "and uses what there is"
