"""What the relay says is translated as a whole, and the catalogues are what the code says."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from relay.i18n import LOCALES, preferred, words

ROOT = Path(__file__).parents[1]
KEYWORDS = {"say": None, "many": (1, 2), "said": None, "later": None, "told": None}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
LANGUAGES = sorted(path.parent.parent.name for path in LOCALES.glob("*/LC_MESSAGES/relay.po"))
PLACEHOLDER = re.compile(r"\{\w*\}")

Key = str | tuple[str, ...]


@cache
def said() -> dict[Key, str]:
    """Every text that the code asks to be translated, with the file that says it."""
    return {
        (message if isinstance(message, str) else tuple(message)): f"{room}/{file}"
        for room in ("relay", "adapters")
        for file, _line, message, _comments, _context in extract_from_dir(
            ROOT / room, METHODS, keywords=KEYWORDS, options_map={"**.html": {"trimmed": "true"}}
        )
    }


def catalogue(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES/relay.po").open("rb") as file:
        return read_po(file, locale=language)


def translated(one: Catalog) -> dict[Key, tuple[str, ...]]:
    return {key(message.id): texts(message.string) for message in one if message.id}


def key(identifier: str | list[str] | tuple[str, ...]) -> Key:
    return identifier if isinstance(identifier, str) else tuple(identifier)


def texts(string: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else tuple(string or ())


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def test_spanish_is_spoken() -> None:
    assert "es" in LANGUAGES
    assert len(said()) > 50, "the extraction finds what the code says"


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_said_is_translated(language: str) -> None:
    """`scripts/translate` brings the catalogue up to date and prints these."""
    known = translated(catalogue(language))
    assert {text: file for text, file in said().items() if not all(known.get(text, ("",)))} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_translated_that_nobody_says(language: str) -> None:
    assert set(translated(catalogue(language))) - set(said()) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_kept(language: str) -> None:
    """A lost one would lose what the sentence is about, a new one would be an error when it is said."""
    for identifier, strings in translated(catalogue(language)).items():
        *others, last = strings
        if last:
            assert placeholders(last) == placeholders(texts(identifier)[-1])
            assert all(placeholders(one) <= placeholders(last) for one in others), (
                "the forms for fewer may leave it out"
            )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_what_the_written_one_says(language: str) -> None:
    written = catalogue(language)
    assert not any(message.fuzzy for message in written if message.id)
    with (LOCALES / language / "LC_MESSAGES/relay.mo").open("rb") as file:
        compiled = translated(read_mo(file))
    finished = {text: strings for text, strings in translated(written).items() if all(strings)}
    assert {text: strings for text, strings in compiled.items() if text in finished} == finished


def test_a_text_is_said_in_the_language_of_the_person() -> None:
    assert words("es")("Undo") == "Deshacer"
    assert words("es-419")("Undo") == words("es_PE")("Undo") == "Deshacer"


@pytest.mark.parametrize("tag", ["en", "qu", "", "x-klingon", "../../etc", "es" * 400])
def test_where_a_language_is_not_spoken_it_is_english(tag: str) -> None:
    assert words(tag)("Undo") == "Undo"


def test_numbers_choose_the_form() -> None:
    say = words("es")
    assert say.many("{n} day ago", "{n} days ago", 1) == "hace 1 día"
    assert say.many("{n} day ago", "{n} days ago", 5) == "hace 5 días"


def test_the_empty_text_stays_empty() -> None:
    """Catalogues keep their header under it."""
    assert words("es")("") == ""


@pytest.mark.parametrize(
    ("asked", "otherwise", "language"),
    [
        ("", "en", "en"),
        ("", "es-PE", "es"),
        ("", "qu", "en"),
        ("es", "en", "es"),
        ("es-419,es;q=0.9,en;q=0.8", "en", "es"),
        ("en-GB,en;q=0.9,es;q=0.8", "es", "en"),
        ("fr, es;q=0.3, en;q=0.7", "es", "en"),
        ("fr, es;q=0.3", "en", "es"),
        ("fr", "es", "es"),
        ("es;q=0, en;q=0.1", "es", "en"),
        ("es;q=x, *", "en", "en"),
        (";;;q=,,", "en", "en"),
    ],
)
def test_a_reader_is_told_in_a_language_that_both_know(asked: str, otherwise: str, language: str) -> None:
    assert preferred(asked, otherwise) == language


@pytest.mark.parametrize("tag", ["es" + "-x" * 100_000, "es_" + "a" * 50, "es-419-u-" + "nu-" * 900])
def test_a_tag_longer_than_any_is_read_by_its_beginning(tag: str) -> None:
    assert words(tag)("Undo") == words("es")("Undo")
    assert len(words(tag).tag) <= 35


@pytest.mark.parametrize("tag", ["", "../es", "es/../en", "es\0", "-", "\N{ARABIC LETTER ALEF}", "/"])
def test_what_is_no_tag_is_english_and_leads_to_no_file(tag: str) -> None:
    assert words(tag)("Done.") == "Done."


def test_tags_that_nobody_speaks_do_not_fill_the_memory() -> None:
    for number in range(300):
        words(f"x-{number}")
    assert words.cache_info().currsize <= 100


def test_a_language_that_is_read_again_is_the_same() -> None:
    before = words("en")
    words.cache_clear()
    assert words("en") == before != words("es")
