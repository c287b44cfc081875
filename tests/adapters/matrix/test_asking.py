"""What people write on Matrix becomes commands, and answers become lines. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.matrix.answers import LANGUAGES, as_typed, language_of, parted, shown
from adapters.matrix.requests import MatrixLine, MatrixRequest, asked_in, line_in, room_named, root_of
from relay.chat.showing import help_text
from relay.core.commands import TABLE
from relay.i18n import words
from relay.kit import said
from relay.ports import Answer, Choice, Refused
from relay.rich import Block, Span, SpanStyle
from relay.testing import text
from relay.text import plain
from tests.support.matrix_world import US, written

EN = words("en")
HOME = "ayllu.example"
ROOM = "!GIncq0qLOxAbCdEfGhIjKlMnOpQrStUvWxYz0123456"


def line(body: str, **more: Any) -> MatrixLine | None:
    return line_in(written(body, **more), us=US, prefix="!relay")


def asked(body: str) -> MatrixRequest | Refused:
    return asked_in(body, EN, home=HOME)


# --- lines ---


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("!relay help", MatrixLine("help", prefixed=True)),
        ("  !Relay   subscribe #Qeswachaka\n", MatrixLine("subscribe #Qeswachaka", prefixed=True)),
        ("!relay\nhelp", MatrixLine("help", prefixed=True)),
        ("!relay", MatrixLine("", prefixed=True)),
        ("help", MatrixLine("help", prefixed=False)),
        ("!relayhelp", MatrixLine("!relayhelp", prefixed=False)),
        ("I say !relay help", MatrixLine("I say !relay help", prefixed=False)),
        ("!relay pause #\u2060plaza:ayllu.example", MatrixLine("pause #plaza:ayllu.example", prefixed=True)),
        (" \n", None),
        ("", None),
    ],
)
def test_a_line_that_begins_with_the_prefix_is_for_us(body: str, found: MatrixLine | None) -> None:
    assert line(body) == found


THREAD = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": True, "m.in_reply_to": {"event_id": "$last"}}


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ({}, True),
        ({"content": {"msgtype": "m.notice"}}, False),
        ({"content": {"msgtype": "m.emote"}}, False),
        ({"content": {"msgtype": "m.image"}}, False),
        ({"content": {"msgtype": 5}}, False),
        ({"content": {"body": 5}}, False),
        ({"content": {"body": ["!relay help"]}}, False),
        ({"sender": US}, False),
        ({"type": "m.sticker"}, False),
        ({"content": {"m.relates_to": {"rel_type": "m.replace", "event_id": "$x"}}}, False),
        ({"content": {"m.relates_to": THREAD}}, True),
        ({"content": {"m.relates_to": "x"}}, True),
        ({"content": {"m.relates_to": {"rel_type": 5, "m.in_reply_to": []}}}, True),
    ],
)
def test_only_what_a_person_has_just_written_is_heard(more: dict[str, Any], heard: bool) -> None:
    assert (line("!relay help", **more) is not None) is heard


REPLY = {"content": {"m.relates_to": {"m.in_reply_to": {"event_id": "$x"}}}}


def test_what_old_clients_quote_above_a_reply_is_not_the_writers_own() -> None:
    """Else an answer to a stranger would do what the stranger wrote."""
    quoted = "> <@illa:ayllu.example> !relay pause\n> please\n\n"
    assert line(f"{quoted}!relay help", **REPLY) == MatrixLine("help", prefixed=True)
    found = line(f"{quoted}I would not", **REPLY)
    assert found == MatrixLine("I would not", prefixed=False)
    assert line("> <@illa:ayllu.example> !relay pause", **REPLY) is None
    assert line("!relay help", **REPLY) == MatrixLine("help", prefixed=True)


@pytest.mark.parametrize(
    ("relation", "root"),
    [
        (None, "$line"),
        ({"m.in_reply_to": {"event_id": "$x"}}, "$line"),
        (THREAD, "$root"),
        ({"rel_type": "m.reference", "event_id": "$poll"}, "$poll"),
    ],
    ids=["alone", "a reply", "in a thread", "another relation"],
)
def test_where_an_answer_begins_its_thread(relation: dict[str, Any] | None, root: str) -> None:
    assert root_of(written("!relay help", content={"m.relates_to": relation} if relation else {})) == root


# --- commands ---


@pytest.mark.parametrize(
    ("body", "name", "arguments", "about"),
    [
        ("", "help", {}, ""),
        ("help", "help", {}, ""),
        ("HELP", "help", {}, ""),
        ("/help", "help", {}, ""),
        ("subscribe #Qeswachaka", "subscribe", {"topic": "#Qeswachaka"}, ""),
        ("subscribe\n#Qeswachaka only=media", "subscribe", {"topic": "#Qeswachaka", "only": "media"}, ""),
        ("subscribe #x #plaza:ayllu.example", "subscribe", {"topic": "#x"}, "#plaza:ayllu.example"),
        ("subscribe #plaza:ayllu.example #x", "subscribe", {"topic": "#x"}, "#plaza:ayllu.example"),
        (f"subscribe #x {ROOM} language=qu", "subscribe", {"topic": "#x", "language": "qu"}, ROOM),
        ("subscribe #x !old:ayllu.example:8448", "subscribe", {"topic": "#x"}, "!old:ayllu.example:8448"),
        ("subscribe #x channel=#plaza:ayllu.example", "subscribe", {"topic": "#x"}, "#plaza:ayllu.example"),
        ("subscribe #x channel=#plaza", "subscribe", {"topic": "#x"}, f"#plaza:{HOME}"),
        (f"subscribe #x channel={ROOM}", "subscribe", {"topic": "#x"}, ROOM),
        (f"subscribe #x channel=https://matrix.to/#/{ROOM}?via=x.example", "subscribe", {"topic": "#x"}, ROOM),
        ("pause https://matrix.to/#/%23plaza%3Aayllu.example", "pause", {}, "#plaza:ayllu.example"),
        ("subscribe @illa@ayllu.example", "subscribe", {"topic": "@illa@ayllu.example"}, ""),
        ("subscribe https://ayllu.example/feed#top", "subscribe", {"topic": "https://ayllu.example/feed#top"}, ""),
        ("subscriptions #plaza:ayllu.example", "subscriptions", {}, "#plaza:ayllu.example"),
        (f"pause {ROOM}", "pause", {}, ROOM),
        ("pause 3", "pause", {"topic": "3"}, ""),
        ("preview #Qeswachaka", "preview", {"topic": "#Qeswachaka"}, ""),
        ("unroll https://ayllu.example/@illa/1", "unroll", {"url": "https://ayllu.example/@illa/1"}, ""),
        ("language", "language", {}, ""),
        ("Language  es ", "language", {"language": "es"}, ""),
    ],
)  # fmt: skip
def test_a_line_becomes_a_command(body: str, name: str, arguments: dict[str, str], about: str) -> None:
    assert asked(body) == MatrixRequest(name=name, arguments=arguments, about=about)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("subscripe #x", "“subscribe”"),
        ("dance", "There is no command “dance”"),
        ("subscribe", "“subscribe” needs one more thing"),
        ("subscribe #x mood=good", "Did you mean “mode”?"),
        ("subscribe #x #plaza:ayllu.example !other", "One room at a time"),
        ("subscribe #x channel=plaza", "#plaza:example.org"),
        ("subscribe #x channel=@illa:ayllu.example", "#plaza:example.org"),
        ("settings 5 notify=perhaps", "notify=yes"),
    ],
)
def test_a_mistake_is_explained(body: str, told: str) -> None:
    found = asked(body)
    assert isinstance(found, Refused)
    assert told in found.reason


@pytest.mark.parametrize(
    ("body", "arguments", "options"),
    [
        ("settings 5 notify=yes", {"topic": "5"}, {"notify": True}),
        ("settings notify=no 5", {"topic": "5"}, {"notify": False}),
        ("settings 5 notify=default only=media", {"topic": "5", "only": "media"}, {"notify": None}),
        ("subscribe #x --notify=on #plaza:ayllu.example", {"topic": "#x"}, {"notify": True}),
        ("preview https://ayllu.example/?notify=yes", {"topic": "https://ayllu.example/?notify=yes"}, None),
    ],
)
def test_options_of_matrix_s_own_are_told_from_the_words(
    body: str, arguments: dict[str, str], options: dict[str, bool | None] | None
) -> None:
    found = asked(body)
    assert isinstance(found, MatrixRequest)
    assert found.arguments == arguments
    assert (json.loads(found.options) if found.options else None) == options


@pytest.mark.parametrize(
    "typed", ["", "#plaza", "plaza", "@illa:ayllu.example", "#:x", "!", "https://matrix.to/#/@illa:x"]
)
def test_what_is_no_room(typed: str) -> None:
    assert room_named(typed) == ""


@given(st.text())
def test_whatever_is_written_is_a_command_or_explained(body: str) -> None:
    found = line(body)
    if found is not None:
        assert isinstance(asked(found.text), MatrixRequest | Refused)
        assert found.known in {True, False}


# --- answers ---


def test_choices_become_lines_to_be_typed_and_name_the_room_that_was_named() -> None:
    answer = Answer(text=text("Done."), choices=(Choice("Undo", "unsubscribe 3"), Choice("Show", "preview 3")))
    assert plain(shown(answer, "!relay")) == "Done.\n\n• Undo: !relay unsubscribe 3\n• Show: !relay preview 3"
    assert "!relay unsubscribe 3 #plaza:x" in plain(shown(answer, "!relay", "#plaza:x"))
    (*_, last) = shown(answer, "!relay")
    assert last.spans[-1] == Span("!relay preview 3", marks=(SpanStyle.CODE,))


def test_commands_are_told_as_they_are_typed_here() -> None:
    told = plain(as_typed(help_text(EN), "!relay"))
    assert all(f"!relay {one.name}" in told for one in TABLE)
    assert "/help" not in told


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        (Span("/resume", marks=(SpanStyle.CODE,)), "!relay resume"),
        (Span("/subscribe #hashtag", marks=(SpanStyle.CODE,)), "!relay subscribe #hashtag"),
        (Span("/subscribe"), "/subscribe"),
        (Span("/dance", marks=(SpanStyle.CODE,)), "/dance"),
        (Span("/etc/passwd", marks=(SpanStyle.CODE,)), "/etc/passwd"),
        (Span("/help/me", marks=(SpanStyle.CODE,)), "/help/me"),
        (Span("https://ayllu.example/help", marks=(SpanStyle.CODE,)), "https://ayllu.example/help"),
    ],
)
def test_what_is_no_command_is_told_as_it_is(span: Span, kept: str) -> None:
    assert plain(as_typed((Block((span,)),), "!relay")) == kept


def test_a_sentence_without_names_in_it_is_told_as_it_is() -> None:
    assert plain(said("{x} is no {place}")) == "{x} is no {place}"
    assert plain(said("Type {command}.", command="{x}")) == "Type {x}."


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("es", "es"),
        ("ES", "es"),
        (" es-419 ", "es"),
        ("es_PE", "es"),
        ("en", "en"),
        ("qu", ""),
        ("", ""),
        ("espanol", ""),
    ],
)
def test_the_languages_that_it_speaks(typed: str, found: str) -> None:
    assert language_of(typed) == found
    assert {"en", "es"} <= set(LANGUAGES)


@pytest.mark.parametrize(
    ("by", "banned", "told"),
    [
        ("", False, "I am no longer in this room."),
        (US, False, "I have left this room."),
        ("@sami:x", False, "@sami:x removed me"),
        ("@sami:x", True, "@sami:x banned me"),
    ],
)
def test_why_nothing_is_posted_any_more(by: str, banned: bool, told: str) -> None:
    reason = parted(EN, prefix="!relay", us=US, by=by, banned=banned)
    assert reason.startswith(told)
    assert "!relay resume" in reason
