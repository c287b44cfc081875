"""A typed line becomes a command of the table, or words that help."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.chat.showing import help_text, usage
from relay.core.commands import (
    TABLE,
    Mistake,
    Parsed,
    command_of,
    label,
    mistake_in,
    nearest,
    parse,
    spec,
)
from relay.i18n import words
from relay.options import Kind
from relay.text import plain

READ = [
    ("/subscribe #Qeswachaka", "subscribe", {"topic": "#Qeswachaka"}),
    ("subscribe #Qeswachaka", "subscribe", {"topic": "#Qeswachaka"}),
    ("  /SubScribe   #Qeswachaka  ", "subscribe", {"topic": "#Qeswachaka"}),
    ("/subscribe #a language=es,qu only=media", "subscribe", {"topic": "#a", "language": "es,qu", "only": "media"}),
    ("/subscribe language=es #a", "subscribe", {"topic": "#a", "language": "es"}),
    ("/subscribe topic=#a LANGUAGE=es", "subscribe", {"topic": "#a", "language": "es"}),
    ('/subscribe #a language="es, qu"', "subscribe", {"topic": "#a", "language": "es, qu"}),
    ("/subscribe #a language=“es, qu”", "subscribe", {"topic": "#a", "language": "es, qu"}),
    ("/subscribe #a networks=«a b»", "subscribe", {"topic": "#a", "networks": "a b"}),
    ("/subscribe https://ayllu.example/?only=1&b=2", "subscribe", {"topic": "https://ayllu.example/?only=1&b=2"}),
    ("/subscribe #a #b #c", "subscribe", {"topic": "#a #b #c"}),
    ('/subscribe "open', "subscribe", {"topic": '"open'}),
    ("/subscribe #a min_age=30d per_hour=3", "subscribe", {"topic": "#a", "min_age": "30d", "per_hour": "3"}),
    (
        '/settings 1 words="rope, bridge" pattern="a|b c" without=-',
        "settings",
        {"topic": "1", "words": "rope, bridge", "pattern": "a|b c", "without": "-"},
    ),
    ("/subscribe https://ayllu.example/?a_b=1", "subscribe", {"topic": "https://ayllu.example/?a_b=1"}),
    ("/pause", "pause", {}),
    ("/pause 12 channel=hall", "pause", {"topic": "12", "channel": "hall"}),
    ("/subscriptions hall", "subscriptions", {"channel": "hall"}),
    ("/unroll https://ayllu.example/@illa/1", "unroll", {"url": "https://ayllu.example/@illa/1"}),
    ("/help subscribe", "help", {}),
]


@pytest.mark.parametrize(("line", "name", "arguments"), READ, ids=[line for line, _, _ in READ])
def test_a_line_is_read_as_it_was_meant(line: str, name: str, arguments: dict[str, str]) -> None:
    assert parse(line) == Parsed(name, arguments)


def test_a_platform_chooses_its_prefix() -> None:
    assert parse("!relay help", prefix="!relay ") == parse("help", prefix="!relay ") == Parsed("help", {})
    assert isinstance(parse("/help", prefix="!"), Mistake)


def test_a_button_brings_a_line_without_prefix() -> None:
    assert command_of("preview 12") == Parsed("preview", {"topic": "12"})
    undo = command_of('unsubscribe 12 channel="123 4"')
    assert undo == Parsed("unsubscribe", {"topic": "12", "channel": "123 4"})


MISTAKES = [
    ("", "What would you like me to do?"),
    ("/", "What would you like me to do?"),
    ("/subscrib #a", "Did you mean “subscribe”?"),
    ("/UNROL x", "Did you mean “unroll”?"),
    ("/dance", "“help”"),
    ("/subscribe", "needs one more thing: topic (#hashtag"),
    ("/subscribe topic=", "needs one more thing: topic"),
    ("/subscribe #a langauge=es", "Did you mean “language”?"),
    (
        "/subscribe #a only=cats",
        "media (posts with pictures, video or sound); text (posts without pictures, video or sound); links",
    ),
    ("/subscribe #a min_aeg=3d", "Did you mean “min_age”?"),
    ("/settings 12 mode=digests", "posts (one message per post)"),
    ("/unroll", "needs one more thing: url"),
]


@pytest.mark.parametrize(("line", "sign"), MISTAKES)
def test_a_mistake_is_a_value_that_says_what_to_do(line: str, sign: str) -> None:
    found = parse(line)
    assert isinstance(found, Mistake)
    assert sign in found.text


def test_mistakes_speak_the_language_of_the_person() -> None:
    found = parse("/subscrib #a", say=words("es"))
    assert found == Mistake("No hay un comando «subscrib». ¿Quisiste decir «subscribe»?")


@pytest.mark.parametrize(
    ("name", "arguments", "sign"),
    [
        ("subscribe", {"topic": "#a", "only": "media"}, None),
        ("subscribe", {"topic": "two words"}, None),
        ("subscribe", {}, "needs one more thing: topic"),
        ("subscribe", {"topic": "  "}, "needs one more thing: topic"),
        ("subscribe", {"topic": "#a", "only": "cats"}, "cannot be “cats”"),
        ("subscribe", {"topic": "#a", "colour": "red"}, "has no option “colour”"),
        ("sing", {}, "There is no command “sing”"),
    ],
)
def test_what_a_form_brings_is_held_to_the_table_too(name: str, arguments: dict[str, str], sign: str | None) -> None:
    found = mistake_in(name, arguments)
    assert (found is None) if sign is None else (found is not None and sign in found.text)


PIECES = st.sampled_from(
    [*(one.name for one in TABLE), "topic=", "only=", "language=", '"', "“", "”", "«", "=", "/", "#", "\x00", "\ud800"]
)


@given(st.lists(st.one_of(PIECES, st.text())).map(" ".join) | st.text() | st.lists(PIECES).map("".join))
@example("/subscribe " + "=" * 3_000)
@example("/subscribe " + '"a' * 3_000)
@example("/" + "a" * 10_000)
@example("/subscribe " + "a_" * 3_000)
def test_no_line_breaks_the_parsing(line: str) -> None:
    """What is read fits the table; what is not read has words for people."""
    found = parse(line)
    if isinstance(found, Mistake):
        assert found.text.strip()
        assert len(found.text) < 600
    else:
        known = spec(found.name)
        assert known
        assert set(found.arguments) <= {one.name for one in known.parameters}
        assert mistake_in(found.name, found.arguments) is None


@given(st.sampled_from([one for one in TABLE if one.parameters]), st.data())
def test_a_line_that_is_written_by_the_rules_comes_back_whole(command: object, data: st.DataObject) -> None:
    one = next(each for each in TABLE if each is command)
    plain_words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=30)
    arguments = {
        each.name: data.draw(st.sampled_from([value for value, _ in each.choices]) if each.choices else plain_words)
        for each in one.parameters
    }
    line = " ".join([one.name, *(f'{name}="{value}"' for name, value in arguments.items())])
    assert command_of(line) == Parsed(one.name, arguments)


def test_help_names_every_command_and_what_it_does() -> None:
    shown = plain(help_text())
    assert all(usage(one) in shown and one.summary in shown for one in TABLE)


def test_help_tells_of_the_filters_together() -> None:
    """Behind each command they would be longer than the rest."""
    shown = plain(help_text(prefix="!"))
    assert "!subscribe topic [channel] [mode] [networks] […] ★" in shown
    assert "language= only= sensitive= words= without= pattern= block= min_age= per_hour=" in shown
    assert command_of('settings 1 words="bridge, rope" without=sale') == Parsed(
        "settings", {"topic": "1", "words": "bridge, rope", "without": "sale"}
    )
    assert '!settings 1 words="bridge, rope" without=sale' in shown
    assert len(shown) < 1_800


def test_help_speaks_the_language_and_the_prefix_of_the_place() -> None:
    shown = plain(help_text(words("es"), prefix="!"))
    assert "!subscribe topic [channel]" in shown
    assert "Seguir un hashtag" in shown


def test_what_is_typed_reads_like_the_choice_that_it_is() -> None:
    assert label("only", "media") == "posts with pictures, video or sound"
    assert label("only", "?") == "?"


def test_the_nearest_keeps_its_own_spelling() -> None:
    assert nearest("qeswachak", ["#Ayllu", "Qeswachaka"]) == "Qeswachaka"
    assert nearest("zzz", ["#Ayllu"]) == ""


def test_the_table_can_be_typed() -> None:
    """The first parameter is the one that needs no name; names are single words; choices have labels."""
    for one in TABLE:
        required = [each for each in one.parameters if each.required]
        assert required in ([], list(one.parameters[:1]))
        for each in one.parameters:
            assert each.name.replace("_", "").isalpha()
            assert bool(each.choices) == (each.kind is Kind.CHOICE)
