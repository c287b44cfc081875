"""A quoted post, with and without its words, on every platform and in every form of a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from adapters.console_card import render, to_plain
from adapters.discord.card import message as discord
from adapters.discord.settings import Style
from adapters.matrix.card import message as matrix
from adapters.telegram.card import message as telegram
from relay.card import quoted as label
from relay.card import turnout
from relay.i18n import words
from relay.model import LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote, QuoteState, Thread
from relay.testing import NOON, author, delivery, post, text
from relay.web.render import Format, render_thread
from relay.web.thread_view import ThreadReading
from tests.support.discord_bodies import card, look
from tests.support.matrix_bodies import LOOK as MATRIX
from tests.support.telegram_bodies import LOOK as TELEGRAM

LINK = "https://ayllu.example/@sami/9"


def in_discord(style: Style) -> Callable[[Post], str]:
    return lambda shown: json.dumps(discord(card(shown), look(style)), ensure_ascii=False)


def in_telegram(shown: Post) -> str:
    return " ".join(f"{part.words.text} {part.words!r}" for part in telegram(card(shown), TELEGRAM))


def in_matrix(shown: Post) -> str:
    written = matrix(card(shown), MATRIX)
    assert ("A quoted post" in written.body) is ("A quoted post" in written.html)
    return written.html


def in_console(shown: Post) -> str:
    return to_plain(render(delivery(card=card(shown))))


def on_a_page(form: Format) -> Callable[[Post], str]:
    return lambda shown: render_thread(ThreadReading.of_thread(Thread(posts=(shown,)), now=NOON, site="x"), form)


SHOWN = {
    "discord": in_discord("card"),
    "discord embeds": in_discord("embed"),
    "telegram": in_telegram,
    "matrix": in_matrix,
    "console": in_console,
    **{form.value: on_a_page(form) for form in Format},
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_a_quoted_post_is_shown_with_all_that_it_has(shown: Callable[[Post], str]) -> None:
    quote = Quote(
        url=LINK,
        author=author("Sami"),
        body=text("The well is dry."),
        media=(Media(url="https://ayllu.example/9.mp4", kind=MediaKind.ANIMATION, alt="A bucket falls"),),
        poll=Poll(options=(PollOption(text="Dig deeper", votes=9), PollOption(text="Leave", votes=8)), voters=10),
        link_card=LinkCard(url="https://wells.example/1", title="How wells die"),
    )
    told = shown(post(quote=quote))
    for part in ("Sami", "The well is dry.", "A bucket falls", "Dig deeper", "How wells die"):
        assert part in told, part


@pytest.mark.parametrize("name", SHOWN)
def test_a_poll_tells_everywhere_when_it_closes_as_a_time_that_stays_true(name: str) -> None:
    closes = NOON + timedelta(days=30)
    poll = Poll(options=(PollOption(text="Dig deeper"), PollOption(text="Leave")), closes=closes)
    unix = f"<t:{int(closes.timestamp())}:f>"
    forms = ("closes 2026-07-31 12:00 UTC", f"closes {unix}", "31 July 2026, 12:00 UTC", closes.isoformat())
    for whose in (post(poll=poll), post(quote=Quote(url=LINK, author=author("Sami"), poll=poll))):
        assert any(form in SHOWN[name](whose) for form in forms)


@pytest.mark.parametrize("url", ["", LINK])
@pytest.mark.parametrize("state", [state for state in QuoteState if state is not QuoteState.ACCEPTED])
@pytest.mark.parametrize("name", SHOWN)
def test_a_quoted_post_without_words_has_a_word_that_tells_why(name: str, state: QuoteState, url: str) -> None:
    told = SHOWN[name](post(quote=Quote(url=url, state=state)))
    assert (state.value if name == "json" else label(Quote(state=state), words("en"))) in told
    assert (LINK in told) is bool(url)


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_several_answers_are_counted_by_those_who_gave_them(shown: Callable[[Post], str]) -> None:
    options = (PollOption(text="tea", votes=9), PollOption(text="coffee", votes=8), PollOption(text="mate", votes=3))
    told = shown(post(poll=Poll(options=options, votes=20, voters=10, multiple=True)))
    if shown is SHOWN["json"]:
        assert '"voters": 10' in told
        return
    shares = [f"{share} %" in told.replace("\xa0", " ") for share in (90, 80, 30, 45, 40, 15)]
    assert shares == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("poll", "shares", "count"),
    [
        (Poll(options=(PollOption(text="a", votes=3), PollOption(text="b", votes=1)), votes=4), [75, 25], "4 votes"),
        (Poll(options=(PollOption(text="a", votes=3), PollOption(text="b", votes=1))), [75, 25], ""),
        (Poll(options=(PollOption(text="a", votes=1),), votes=2, voters=1), [100], "1 voter"),
        (Poll(options=(PollOption(text="a", votes=0),), votes=0, voters=0), [0], "0 voters"),
        (Poll(options=(PollOption(text="a", votes=5),), votes=5, voters=2), [100], "2 voters"),
        (Poll(options=(PollOption(text="a", votes=-5),), votes=5, voters=2), [0], "2 voters"),
        (Poll(options=(PollOption(text="a"),), votes=5), [None], "5 votes"),
    ],
)
def test_a_share_is_of_those_who_voted_as_far_as_that_is_known(
    poll: Poll, shares: list[int | None], count: str
) -> None:
    assert [poll.share(option) for option in poll.options] == shares
    assert turnout(poll, words("en")) == count
