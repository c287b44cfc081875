"""The pace of Telegram: close to what is allowed, never beyond it, and each chat by itself."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import pairwise

import pytest

from adapters.telegram.pace import SLOWEST, SURE_AFTER, TelegramPace

GROUP, OTHER, PERSON = -1001, -1002, 7


def sent(pace: TelegramPace, chat: int | str, now: float, *, items: int = 1, took: float = 0.05) -> float:
    """A message that was taken; when its answer came."""
    pace.done(pace.take(chat, items, "sendMessage", now), now + took)
    return now + took


def when(pace: TelegramPace, chat: int | str, now: float, items: int = 1) -> float:
    """The first moment at which so many more may be sent."""
    while (wait := max(pace.wait(chat, items, now), pace.crowd(items, now))) > 0:
        now += wait + 1e-9
    return now


def test_a_chat_gets_one_message_a_second() -> None:
    pace = TelegramPace()
    assert pace.wait(PERSON, 1, 0.0) == 0
    answered = sent(pace, PERSON, 0.0)
    assert 1.0 <= when(pace, PERSON, answered) <= 1.0 + 0.05 + 0.01


def test_a_second_counts_from_the_arrival_once_the_way_is_known() -> None:
    """Else each message would wait for its own way besides, and a twentieth of the rate be lost."""
    pace, now, starts = TelegramPace(), 0.0, list[float]()
    for _ in range(SURE_AFTER + 12):
        now = when(pace, PERSON, now)
        starts.append(now)
        now = sent(pace, PERSON, now)
    late = [after - before for before, after in pairwise(starts[-10:])]
    assert all(1.0 <= gap < 1.01 for gap in late)


def test_an_album_counts_as_many_as_it_has() -> None:
    pace = TelegramPace()
    answered = sent(pace, PERSON, 0.0, items=10)
    assert when(pace, PERSON, answered) >= 10.0


@pytest.mark.parametrize("chat", [GROUP, "@ayllu"])
def test_groups_and_channels_get_twenty_a_minute(chat: int | str) -> None:
    pace, now, starts = TelegramPace(), 0.0, list[float]()
    for _ in range(41):
        now = when(pace, chat, now)
        starts.append(now)
        now = sent(pace, chat, now)
    assert starts[19] < 25
    for early, late in zip(starts, starts[20:], strict=False):
        assert late - early >= 60.0
    assert starts[40] < 122


def test_an_album_waits_until_the_minute_has_room_for_all_of_it() -> None:
    pace, now = TelegramPace(), 0.0
    for _ in range(15):
        now = sent(pace, GROUP, when(pace, GROUP, now))
    assert when(pace, GROUP, now, items=5) < 20
    assert 60 <= when(pace, GROUP, now, items=6) < 62


def test_all_chats_together_get_thirty_a_second() -> None:
    pace = TelegramPace()
    for chat in range(1, 31):
        assert pace.crowd(1, 0.0) == 0
        sent(pace, chat, 0.0)
    assert 1.0 <= when(pace, 31, 0.05) < 1.1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_sent_no_limit_is_passed_and_little_is_given_away(seed: int) -> None:
    """Against a strict Telegram that counts at some moment between the writing and the answer."""
    luck, pace = random.Random(seed), TelegramPace()
    chats = list(range(1, 41))
    due = dict.fromkeys(chats, 0.0)
    arrived: dict[int, list[float]] = defaultdict(list)
    every: list[float] = []
    now = 0.0
    while now < 40:
        chat = min(chats, key=due.__getitem__)
        now = when(pace, chat, max(now, due[chat]))
        ticket = pace.take(chat, 1, "sendMessage", now)
        out, back = luck.uniform(0.02, 0.022), luck.uniform(0.02, 0.022)
        pace.done(ticket, now + out + back)
        arrived[chat].append(now + out)
        every.append(now + out)
        due[chat] = now + out + back
    every.sort()
    assert all(late - early >= 0.99 for early, late in zip(every, every[30:], strict=False))
    assert all(b - a >= 0.99 for times in arrived.values() for a, b in pairwise(times))
    steady = [one for one in every if 10 <= one < 40]
    assert len(steady) >= 0.98 * 30 * 30


def test_a_flood_wait_closes_one_chat_and_no_other() -> None:
    pace = TelegramPace()
    pace.slowed(pace.take(GROUP, 1, "sendMessage", 0.0), 43_200, 0.1)
    assert pace.wait(GROUP, 1, 1.0) == pytest.approx(43_199.1)
    assert pace.wait(OTHER, 1, 1.0) == 0
    assert pace.crowd(1, 1.0) == 0


def test_a_refused_chat_is_served_more_slowly_and_recovers_slowly() -> None:
    pace, now = TelegramPace(), 0.0
    pace.slowed(pace.take(PERSON, 1, "sendMessage", now), 1, now)
    now = when(pace, PERSON, now)
    first = when(pace, PERSON, sent(pace, PERSON, now)) - now
    assert first > 1.3
    for _ in range(40):
        now = when(pace, PERSON, now)
        sent(pace, PERSON, now)
    last = when(pace, PERSON, now) - now
    assert 1.0 <= last < 1.01 + 0.05


def test_a_chat_that_refuses_always_is_still_asked_at_times() -> None:
    pace, now = TelegramPace(), 0.0
    for _ in range(50):
        now = when(pace, GROUP, now)
        pace.slowed(pace.take(GROUP, 1, "sendMessage", now), 1, now)
    sent(pace, GROUP, now := when(pace, GROUP, now))
    assert when(pace, GROUP, now) - now < 61 / SLOWEST


def test_what_never_left_is_as_if_it_had_not_been() -> None:
    pace = TelegramPace()
    pace.unsent(pace.take(GROUP, 10, "sendMediaGroup", 5.0))
    assert pace.wait(GROUP, 20, 5.0) <= 0.001
    assert pace.crowd(30, 5.0) == 0


def test_a_refused_album_takes_no_ten_seconds() -> None:
    """So that its words can follow."""
    pace = TelegramPace()
    pace.refused(pace.take(GROUP, 10, "sendMediaGroup", 0.0), 0.2)
    assert pace.wait(GROUP, 1, 0.2) <= 1.01
    assert pace.wait(GROUP, 20, 2.0) == 0


def test_a_slow_fetch_of_media_is_not_in_the_way_of_others() -> None:
    pace = TelegramPace()
    for chat in (1, 2, 3):
        pace.take(chat, 10, "sendMediaGroup", 0.0)
    assert pace.crowd(1, 0.5) > 0
    assert pace.crowd(1, 2.1) == 0


def test_a_name_and_its_number_are_one_chat() -> None:
    pace = TelegramPace()
    answered = sent(pace, "@Ayllu", 0.0)
    pace.named("@Ayllu", GROUP)
    assert pace.wait(GROUP, 1, answered) > 0.9
    assert pace.wait("@ayllu", 1, answered) > 0.9


def test_chats_of_long_ago_are_forgotten_but_for_the_slow_ones() -> None:
    pace = TelegramPace()
    pace.slowed(pace.take(GROUP, 1, "sendMessage", 0.0), 1, 0.0)
    for chat in range(1, 3_000):
        sent(pace, chat, chat * 10.0)
    assert pace.wait(2_999, 1, 29_990.0) > 0
    sent(pace, GROUP, 30_000.0)
    assert pace.wait(GROUP, 1, 30_000.1) > 1.2
