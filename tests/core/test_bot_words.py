"""What is asked of the relay in a mention, and what is small talk."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.bot_words import UNROLL, BotAction, BotWords, Request, without, without_bot_requests
from relay.core.unroll import unroll
from relay.model import Deleted, Edited, Post, Published
from relay.records import Intake
from relay.testing import post, text
from tests.support.store_cases import planned, uri

ASKING = BotWords()
MANY = BotWords(unroll={**UNROLL, "qu": ("paskay",), "hi": ("खोलो",), "zh": ("展开",)})
US = ("@chasqui@ayllu.example",)


UNROLLS = (
    "@chasqui unroll",
    "@chasqui@ayllu.example unroll",
    "@chasqui@ayllu.example UNROLL please",
    "@Chasqui Unroll!",
    "@CHASQUI@AYLLU.EXAMPLE unroll",
    "@chasqui please unroll this",
    "@chasqui please unroll this thread, thank you!",
    "@chasqui, unroll",
    "@chasqui: unroll",
    "@chasqui. Unroll.",
    "@chasqui\nunroll",
    "@chasqui\n\nunroll\n",
    "  @chasqui   unroll  ",
    "\u200b@chasqui\u200b unroll\u200b",
    "\u2068@chasqui\u2069 unroll",
    "\ufeff@chasqui\u00a0unroll",
    "@chasqui unroll 🙏",
    "@chasqui 🧵 unroll 🙏🏽",
    "@chasqui unroll ❤️ :blobcat_heart:",
    "@chasqui unroll #PuenteDeIchu",
    "@chasqui unroll, please #PuenteDeIchu #hilo 🙏",
    "@chasqui hi, unroll this for me please",
    "@chasqui unroll unroll",
    "@chasqui ｕｎｒｏｌｌ",
    "@chasqui @illa unroll",
    "@chasqui @illa@ayllu.example @sami unroll, please",
    "@chasqui desenrolla",
    "@chasqui desenrollar por favor",
    "@chasqui ¡desenrollar, por favor!",
    "¡@chasqui desenrolla este hilo!",
    "@chasqui hola, desenrolla el hilo, muchas gracias",
    "@chasqui@ayllu.example DESENROLLAR",
    "@chasqui paskay",
    "@chasqui खोलो",
    "@chasqui展开",
    "@chasqui 展开！",
)
STOPS = (
    "@chasqui stop",
    "@chasqui@ayllu.example stop",
    "@chasqui STOP",
    "@chasqui stop please",
    "@chasqui, stop!",
    "@chasqui: stop.",
    "@chasqui stop!!!",
    "@chasqui Stop… please",
    "@chasqui\nstop",
    "@chasqui stop stop stop",
    "@chasqui stop 🛑",
    "@chasqui 🛑 stop #privacy",
    "@chasqui please stop",
    "@chasqui please stop now, thanks",
    "@chasqui delete",
    "@chasqui delete this please",
    "@chasqui delete all of my posts",
    "@chasqui stop, delete everything",
    "@chasqui @sami stop",
    "@chasqui st\u00f3p",
    "@chasqui borrar",
    "@chasqui borra",
    "@chasqui@ayllu.example borrar",
    "@chasqui borra todo, por favor",
    "@chasqui borra mis publicaciones",
    "@chasqui basta",
    "@chasqui ¡basta!",
    "@chasqui ¡Basta ya!",
    "@chasqui BASTA, POR FAVOR",
)
UNDOES = (
    "@chasqui undo stop",
    "@chasqui@ayllu.example undo stop",
    "@chasqui undo",
    "@chasqui Undo stop, please!",
    "@chasqui please undo the stop",
    "@chasqui undo delete",
    "@chasqui deshacer",
    "@chasqui deshacer stop",
    "@chasqui deshaz basta, por favor",
    "@chasqui DESHACER borrar",
)
SMALL_TALK = (
    # others first, or in the middle, or behind
    "@bob @chasqui stop spreading rumours about the bridge",
    "@bob @chasqui stop",
    "@bob@plaza.example @chasqui@ayllu.example unroll",
    "@bob please stop @chasqui",
    "please stop @chasqui",
    "Please unroll this, @chasqui",
    "Hi @chasqui unroll",
    "stop @chasqui",
    ". @chasqui stop",
    "RT @chasqui stop",
    "@chasqui stop @bob",
    "@chasqui stop @bob from posting",
    "@chasqui @bob stop spreading rumours",
    "@bob\n@chasqui stop",
    # somebody else's name
    "@chasqui@plaza.example stop",
    "@chasquis stop",
    "@chasqui_bot stop",
    "@chasqui-bot stop",
    "@chasqui.example stop",
    "@chasqui.ayllu.example stop",
    "@ chasqui stop",
    "chasqui stop",
    "me@chasqui stop",
    "@unroll how are you",
    "@stop",
    "stop",
    "unroll",
    # more than a command
    "@chasqui stop the violence",
    "@chasqui stop it, you are destroying the bridge",
    "@chasqui stop spreading rumours",
    "@chasqui Stop unrolling other people",
    "@chasqui delete this if you are not sure who wrote it",
    "@chasqui basta ya de mentiras sobre el puente",
    "@chasqui ¡Basta de mentiras!",
    "@chasqui borra esto si no es verdad",
    "@chasqui la gente dice basta",
    "@chasqui we walked to the bus stop",
    "@chasqui stop\n\nI have had enough of all this, and so has everybody whom I know here.",
    "@chasqui stop please please please please please please please please please",
    "@chasqui unrolled! unrolling!",
    "@chasqui unroll the rope by hand",
    "@chasqui stop 2",
    "@chasqui non-stop",
    "@chasqui what a nice name",
    "@chasqui stop" + " " * 400,
    # denial
    "@chasqui don't stop",
    "@chasqui don’t stop",
    "@chasqui do not stop",
    "@chasqui never stop",
    "@chasqui please never delete this",
    "@chasqui please never delete the thread",
    "@chasqui no borrar",
    "@chasqui no borres, por favor",
    "@chasqui nunca basta",
    "@chasqui no desenrollar, por favor",
    "@chasqui not stop",
    "@chasqui stop not",
    "@chasqui don't undo stop",
    "@chasqui unstoppable",
    # two things at once
    "@chasqui unroll stop",
    "@chasqui stop undo",
    "@chasqui undo unroll",
    # questions
    "@chasqui stop?",
    "@chasqui unroll?",
    "@chasqui ¿desenrollar",
    "@chasqui stop？",
    "@chasqui stop؟",
    "@chasqui stop ⁉️",
    "@chasqui stop ❓",
    "@chasqui can you unroll this",
    # quotations
    '@chasqui "stop"',
    "@chasqui 'stop'",
    "@chasqui “stop”",
    "@chasqui ‘stop’",
    "@chasqui «basta»",
    "@chasqui „stop“",
    "@chasqui 「stop」",
    "@chasqui `stop`",
    "@chasqui > stop",
    "> @chasqui stop",
    "@chasqui\n\n> stop",
    "@chasqui (stop)",
    "@chasqui the word stop",
    # links, hashtags, other things
    "@chasqui stop https://ayllu.example/stop",
    "@chasqui https://ayllu.example/@illa/1 unroll",
    "@chasqui stop.it",
    "@chasqui stop.example",
    "@chasqui #stop",
    "@chasqui #please stop",
    "@chasqui stop #rumours please",
    "@chasqui :stop:",
    "@chasqui /stop",
    "@chasqui ~~stop~~",
    # torn apart, or in letters that only look alike
    "@chasqui st\u200bop",
    "@chasqui st\u200dop",
    "@chasqui un\u00adroll",
    "@chasqui s t o p",
    "@chasqui \u0455top",
    "@chas\u200bqui stop",
    "@chasqui",
    "",
)


@pytest.mark.parametrize("said", UNROLLS)
def test_who_asks_for_a_page(said: str) -> None:
    read = MANY.read(said, US)
    assert read
    assert read.action is BotAction.UNROLL
    assert MANY.is_request(post(1, body=text(said)), US)


@pytest.mark.parametrize("said", STOPS)
def test_who_wants_to_be_taken_out(said: str) -> None:
    read = ASKING.read(said, US)
    assert read
    assert read.action is BotAction.STOP


@pytest.mark.parametrize("said", UNDOES)
def test_who_takes_a_stop_back(said: str) -> None:
    read = ASKING.read(said, US)
    assert read
    assert read.action is BotAction.UNDO


@pytest.mark.parametrize("said", SMALL_TALK)
def test_what_is_no_command(said: str) -> None:
    assert MANY.read(said, US) is None


@pytest.mark.parametrize("handle", ["@chasqui.example", "@chasqui.bsky.example"])
def test_a_handle_may_be_a_host(handle: str) -> None:
    assert ASKING.read(f"{handle} stop", (handle,)) == Request(BotAction.STOP)
    assert ASKING.read(f"{handle}, unroll!", (handle,)) == Request(BotAction.UNROLL, "en")
    assert ASKING.read(f"{handle}.example stop", (handle,)) is None


@pytest.mark.parametrize(
    ("said", "language", "answered"),
    [
        ("@chasqui unroll", "", "en"),
        ("@chasqui unroll", "qu", "qu"),
        ("@chasqui unroll", "es", "es"),
        ("@chasqui desenrolla", "en", "es"),
        ("@chasqui desenrollar", "", "es"),
        ("@chasqui stop", "es-PE", "es-PE"),
        ("@chasqui stop", "", ""),
    ],
)
def test_the_language_is_that_of_the_word_or_else_of_the_post(said: str, language: str, answered: str) -> None:
    read = ASKING.read(said, US, language)
    assert read
    assert read.language == answered


@pytest.mark.parametrize(
    ("said", "is_request"),
    [
        ("@chasqui unroll", True),
        ("@Chasqui@AYLLU.example stop", True),
        ("@chasqui undo stop", True),
        ("@other@host.example unroll", True),
        ("@other unroll this, please", True),
        ("@chasqui could you please unroll all of this, it is long", False),
        ("Please unroll all of this for those who are far away, @chasqui@ayllu.example.", False),
        ("@other stop", False),
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


def test_a_command_in_a_block_quote_is_somebody_else_s() -> None:
    body = (replace(text("@chasqui stop")[0], quote=1),)
    assert not ASKING.is_request(post(1, body=body), US)


@given(st.text())
def test_anything_may_be_said(said: str) -> None:
    ASKING.read(said, US)
    ASKING.read(f"@chasqui {said}", US)
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
    intake = Intake(feed=None, events=events, planned_sends=(planned(post(1)), planned(post(2))))
    kept = without_bot_requests(intake, is_request)
    assert kept.events == (Published(post(1)), Deleted(uri(2)))
    assert [one.uri for one in kept.planned_sends] == [uri(1)]
    assert without_bot_requests(kept, is_request) is kept
