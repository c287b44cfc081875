"""No text that a stranger writes makes a regular expression take more than time in proportion to its length."""

from __future__ import annotations

import re

import pytest
import regex

from relay import log
from relay.core import filters
from relay.text import characters, graphemes
from tests.support.patterns import Attack, Used, attacks, compiled, modules, sources

SHORT = 5_000
"""Characters; what is quadratic takes sixteen times as long over four times as many, what is linear four times."""
WORTH_A_LOOK = 0.0015
"""Seconds for the short text; what takes less is far from harm."""
HOPELESS = 0.2
"""Seconds, a hundred times what a careful pattern takes."""
STEEPEST = 9.0
SLOWEST = 2e-6
"""Seconds for a character."""
RUNS = 2
"""The quickest of so many counts: a machine that is busy makes a run slower, never quicker."""
LOOKS = 5

BY_HAND: dict[str, tuple[Attack, ...]] = {
    "relay.log._SECRETS": (
        Attack("", "https://a", ""),
        Attack("", "a://b", ""),
        Attack("", "a-", "."),
        Attack("", "a.", ""),
        Attack("", "aaaaaaaaaaaaaaaaaaaaaaaa.aaaaaa.", ""),
        Attack("", "bot ", ""),
        Attack("bearer ", "a ", ""),
        Attack("", "bearer aaaaaaaaaaaaaaaaa", ""),
        Attack("", "1-", ":"),
        Attack("", "111111:", ""),
        Attack("", "syt_", ""),
    ),
    "relay.sources.mastodon.parse._MARKUP": (Attack("", "<", ""), Attack("", "< ", ""), Attack("", "<a", "")),
    "relay.sources.feed_posts._REDDIT": (
        Attack("submitted by /u/", "a", ""),
        Attack("submitted by /u/", "a[link] ", ""),
        Attack("submitted by", " ", ""),
        Attack("", "[a] | ", ""),
        Attack("[", "a", ""),
    ),
    "relay.core.urls._ENDS": (Attack("a", ".", "b"), Attack("a", ":80.:443", "b"), Attack("", "www.", "")),
    "relay.text.preprocess._TAG": (
        Attack("", "<!--", ""),
        Attack("", "<a ", ""),
        Attack("", '<a ="', ""),
        Attack("", "<a ='", ""),
        Attack("", "<a b=\"'", ""),
        Attack("<a", ' ="a"', ""),
        Attack("", "</", ""),
        Attack("", "<!", ""),
    ),
    "relay.text.preprocess._CLOSED": (Attack("", "<a/", ""), Attack("<a ", "/", ""), Attack("", "<a />", "")),
    "relay.text.preprocess._DECLARED": (Attack("", "<!", ""), Attack("<!", " ", ""), Attack("", "<!a>", "")),
    "relay.text.preprocess._ATTRIBUTE": (
        Attack("", "a ", ""),
        Attack("a", " ", "b"),
        Attack("", "a=", ""),
        Attack("", "a='", ""),
        Attack("", " class", ""),
        Attack("", " class =", ""),
        Attack("", ' href="', ""),
        Attack(" class", " ", ""),
    ),
    "relay.text.addresses._BARE": (Attack("", "https://", ""), Attack("", "https://a)", ""), Attack("", "http", "")),
    "relay.text.addresses._SHOWN": (
        Attack("", "a.", ""),
        Attack("", " a.", ""),
        Attack("", "a@", ""),
        Attack("", ":a", ""),
        Attack("", "1.", ""),
        Attack("", ":///", ""),
        Attack("", ",a-", ""),
    ),
    "relay.text.prose._BLANK": (Attack("\n", " ", ""), Attack("", "\n ", "a"), Attack("", "\n", "a")),
    "relay.sources.rss.source._BETWEEN": (Attack("", " ", ""), Attack("", " http", "")),
    "relay.core.hashtag._PLAIN": (Attack("", "1", "-"), Attack("", "a", "-"), Attack("", "a1", "-")),
    "relay.sources.feed_parse._TAG": (Attack("", "<a", ""), Attack("", "<", "")),
    "relay.sources.feed_discovery._LINK": (
        Attack("", "<", ""),
        Attack("<a>", ";a", ""),
        Attack("<a>", "; a = b", ""),
        Attack("", '<a>;a="', ""),
    ),
    "relay.sources.feed_discovery._PARAMETER": (Attack("", ";a", ""), Attack("", '; a="', ""), Attack(";", "a", "")),
    "relay.sources.feed_discovery._REFRESH": (Attack("", " ", ""), Attack("0", "0.", ""), Attack("0;", " ", "")),
    "relay.sources.feed_discovery._FEEDLIKE": (Attack("", "feed", "/a"), Attack("", "rss/", "a")),
    "relay.sources.feed_discovery._ANCHOR": (Attack("", "/feed", "a"), Attack("", ".rss", "a")),
    "relay.sources.mastodon.misskey.mfm._TOKEN": (
        Attack("", "**a", ""),
        Attack("", "**a*", ""),
        Attack("", "<b>", ""),
        Attack("", "[", ""),
        Attack("", "[a](https://", ""),
        Attack("", "https://(", ""),
        Attack("https://a", "(", ""),
        Attack("", "~~", ""),
        Attack("", "`", "\n"),
        Attack("", "$[a.", ""),
        Attack("", "@a@", ""),
        Attack("@a", ".", ""),
        Attack("", "__a", ""),
    ),
}
"""Bad texts that nobody but a person thinks of, besides those that are made of each pattern's own parts."""

MADE = {
    "relay.config.errors.found": "of names in the configuration, for its operator's own lines",
    "relay.kit.__init__": "of the form of an adapter's own message ids, for what the adapter itself wrote",
    "relay.kit.option": "of the names of options, for a command line of bounded length",
    "relay.core.filters._searches": "of words that people want; below",
    "relay.core.filters._spaced": "one character",
    "relay.core.filters._compiled": "by RE2, which is linear whatever the pattern is",
}
"""Patterns that are made as the program runs: of what, and why that is safe."""


def _slow(used: Used, way: str, attack: Attack) -> str:
    """What is wrong with the time that a pattern takes for such texts; empty where nothing is."""
    for length in (SHORT // 16, SHORT // 4, SHORT):  # what is worse than quadratic would take hours
        once = used.seconds(way, attack.text(length))
        if once > HOPELESS:
            return f"{used.where} {way} {attack}: {once:.4f} s for {length} characters"
    if once < WORTH_A_LOOK:
        return ""
    first, twice, four = (used.seconds(way, attack.text(SHORT * times), runs=RUNS) for times in (1, 2, 4))
    if four / (4 * SHORT) <= SLOWEST and (four / first <= STEEPEST or four / twice <= STEEPEST / 3):
        return ""
    return f"{used.where} {way} {attack}: {first:.4f} s, twice as long {twice:.4f} s, four times {four:.4f} s"


def _always_slow(used: Used, way: str, attack: Attack) -> str:
    """As :func:`_slow`, but what a busy machine made slow once is measured again; what is quadratic stays so."""
    told = ""
    for _ in range(LOOKS):
        told = _slow(used, way, attack)
        if not told:
            break
    return told


def _worst(used: Used) -> str:
    tried = (*attacks(used.pattern), *BY_HAND.get(used.where, ()))
    found = (_always_slow(used, way, attack) for way in sorted(used.ways) for attack in tried)
    return next((told for told in found if told), "")


@pytest.mark.siege
@pytest.mark.parametrize("used", sources().used, ids=lambda used: used.where)
def test_a_pattern_takes_time_in_proportion_to_the_text(used: Used) -> None:
    assert not _worst(used)


def test_every_pattern_is_in_the_list() -> None:
    """What a module holds was read from its source, and what cannot be read there is explained."""
    known = {used.pattern.pattern for used in sources().used}
    held = {(module.__name__, pattern.pattern) for module in modules() for pattern in compiled(module)}
    assert not {(name, pattern) for name, pattern in held if pattern not in known}
    assert sources().made == MADE.keys()
    assert {used.where for used in sources().used} >= BY_HAND.keys()


@pytest.mark.siege
def test_the_list_finds_what_is_quadratic() -> None:
    """The patterns that this program had, and others that people write."""
    for pattern, way in (
        (r"<[^>]*>", "finditer"),
        (r"submitted by\s+/?u/\S+.*\[link\]\s*\[comments\]", "fullmatch"),
        (r"\s+$", "search"),
        (r"\b[\w-]{23,}\.[\w-]{6,}", "search"),
        (r"[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*", "fullmatch"),
        (r"^(?:www\.)+|(?::80|\.)+$", "finditer"),
    ):
        assert _worst(Used("invented", re.compile(pattern), frozenset({way}))), pattern
    assert not _worst(Used("invented", re.compile(r"<[^<>]*>"), frozenset({"finditer"})))


@pytest.mark.parametrize("word", ["a", "aa", "ab", "-", "a-a", "é", "漢", "a a"])
def test_words_that_people_want_are_searched_in_linear_time(word: str) -> None:
    for _, found in filters._searches((word,)):
        for text in (word, f"{word} ", f"{word}a", f"a{word}", "a", " ", "a\u0301"):
            _is_linear(found, text)


@pytest.mark.parametrize("again", ["a", "\u0301", "👩\u200d", "🇨🇱", "\r\n", "\u200f", "각", "\u1100", "क्"])
def test_clusters_are_found_in_linear_time(again: str) -> None:
    _is_linear(characters._grapheme(), again)
    assert "".join(graphemes(again * 100)) == again * 100


def _is_linear(found: regex.Pattern[str], again: str) -> None:
    used = Used(found.pattern, found, frozenset({"finditer"}))  # type: ignore[arg-type]  # it has the methods that are used
    assert not _always_slow(used, "finditer", Attack("", again, ""))


def test_secrets_of_the_configuration_are_hidden_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_KNOWN", ["aaaa", "aaab", "-----", "secret-of-mine"])
    assert log.hide("a" * 200_000 + "secret-of-mine").endswith("…")
