"""What is asked of the relay in a mention, and what is small talk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.asking import STOP, UNROLL, Asking, Deed, Request, sifted, without
from relay.model import Deleted, Edited, Post, Published
from relay.ports import Intake
from relay.testing import post, text
from relay.unroll import unroll
from tests.store_cases import uri, wish

ASKING = Asking(unroll=UNROLL, stop=STOP)
US = ("@chasqui@ayllu.example",)


@pytest.mark.parametrize(
    ("said", "language", "read"),
    [
        ("@chasqui unroll", "", Request(Deed.UNROLL, "en")),
        ("@chasqui@ayllu.example UNROLL please", "en", Request(Deed.UNROLL, "en")),
        ("Hola @chasqui, ¿puedes desenrollar este hilo? ¡Gracias!", "", Request(Deed.UNROLL, "es")),
        ("@chasqui desenrolla", "en", Request(Deed.UNROLL, "es")),
        ("@chasqui unroll", "es", Request(Deed.UNROLL, "es")),
        ("@chasqui unroll", "qu", Request(Deed.UNROLL, "qu")),
        ("Could you unroll this for me, @chasqui?", "en", Request(Deed.UNROLL, "en")),
        ("unroll", "en", Request(Deed.UNROLL, "en")),
        ("@chasqui please don't unroll this", "en", None),
        ("@chasqui please don’t unroll this", "en", None),
        ("@chasqui no desenrollar, por favor", "es", None),
        ("@chasqui nunca, jamás desenrollar", "es", None),
        ("@chasqui what a nice name", "en", None),
        ("@unroll how are you?", "en", None),
        ("@chasqui unrolled? unrolling!", "en", None),
        ("", "", None),
        ("@chasqui stop", "en", Request(Deed.STOP, "en")),
        ("@chasqui Stop unrolling my threads", "en", Request(Deed.STOP, "en")),
        ("@chasqui delete this please", "en", Request(Deed.STOP, "en")),
        ("please stop @chasqui", "en", Request(Deed.STOP, "en")),
        ("@chasqui borrar", "es", Request(Deed.STOP, "es")),
        ("@chasqui ¡basta!", "", Request(Deed.STOP, "")),
        ("@chasqui stop, and do not unroll me again", "en", Request(Deed.STOP, "en")),
        ("@chasqui don't stop", "en", None),
        ("Never stop, @chasqui!", "en", None),
        ("Please don’t delete, @chasqui", "en", None),
        ("Stop the press: the bridge is open, says @chasqui", "en", None),
        ("@chasqui I could read this all day and never stop", "en", None),
        ("We walked to the bus stop, @chasqui, and there it was", "en", None),
    ],
)
def test_what_is_asked(said: str, language: str, read: Request | None) -> None:
    assert ASKING.read(said, language) == read


@pytest.mark.parametrize(
    ("said", "is_request"),
    [
        ("@chasqui unroll", True),
        ("@chasqui@ayllu.example could you please unroll all of this, it is long", True),
        ("@Chasqui@AYLLU.example stop", True),
        ("Please unroll all of this for those who are far away, @chasqui@ayllu.example.", True),
        ("@other@host.example unroll", True),
        ("@other unroll this, please", True),
        ("@other you can unroll the rope by hand", False),
        ("Unroll the rope by hand.", False),
        ("unroll", False),
        ("@chasqui@ayllu.example thanks for the bridge", False),
        ("mail me@chasqui unroll", False),
        ("https://ayllu.example/@other unroll", False),
    ],
)
def test_which_posts_speak_to_a_bot(said: str, is_request: bool) -> None:
    assert ASKING.is_request(post(1, body=text(said)), US) is is_request


@given(st.text())
def test_anything_may_be_said(said: str) -> None:
    ASKING.read(said)
    ASKING.is_request(post(1, body=text(said)), US)


def is_request(one: Post) -> bool:
    return ASKING.is_request(one, US)


def ask(number: int, answers: int) -> Post:
    return post(number, body=text("@chasqui unroll"), reply_to=uri(answers))


def test_a_thread_is_whole_without_the_requests_in_it() -> None:
    chain = [post(1), post(2, reply_to=uri(1)), ask(3, 2), ask(4, 3), post(5, reply_to=uri(4)), ask(6, 5), ask(7, 1)]
    thread = unroll(without(chain, is_request), uri(1))
    assert thread
    assert [one.uri for one in thread.posts] == [uri(1), uri(2), uri(5)]
    assert not thread.asides


def test_requests_that_answer_each_other_end_in_nothing() -> None:
    assert without([ask(1, 2), ask(2, 1), post(3, reply_to=uri(1))], is_request) == [post(3)]


def test_requests_are_no_news() -> None:
    events = (Published(post(1)), Published(ask(2, 1)), Edited(ask(3, 1)), Deleted(uri(2)))
    intake = Intake(feed=None, events=events, wishes=(wish(post(1)), wish(post(2))))
    kept = sifted(intake, is_request)
    assert kept.events == (Published(post(1)), Deleted(uri(2)))
    assert [one.uri for one in kept.wishes] == [uri(1)]
    assert sifted(kept, is_request) is kept
