"""Rich text laid out in plain, and cut to a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import cut, from_html, from_plain, graphemes, plain, text_content
from tests.support.thorough import examples


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def utf8(text: str) -> int:
    return len(text.encode())


def reader(text: str) -> int:
    return len(graphemes(text))


def text(*spans: Span | str, form: Form = Form.PARAGRAPH) -> Text:
    return (Block(tuple(Span(span) if isinstance(span, str) else span for span in spans), form),)


LINK = "https://a.example/"


@pytest.mark.parametrize(
    ("blocks", "shown"),
    [
        ((), ""),
        (text("a", Span("b", marks=(SpanStyle.BOLD,))), "ab"),
        ((*text("a"), *text("b"), *text("c", form=Form.HEADING)), "a\n\nb\n\nc"),
        ((*text("a"), Block((), Form.RULE), *text("b")), "a\n\n———\n\nb"),
        ((Block((Span("a\nb"), Span("\nc")), quote=2),), "> > a\n> > b\n> > c"),
        (
            (
                Block((Span("a\nb"),), Form.ITEM, depth=1, bullet="•"),
                Block((Span("c\nd"),), Form.ITEM, depth=2, bullet="10."),
                Block((Span("e"),), depth=1),
            ),
            "• a\n  b\n  10. c\n      d\n\n  e",
        ),
        ((Block((Span("a\n  b"),), Form.CODE),), "a\n  b"),
    ],
)
def test_plain_shows_lists_and_quotes_as_people_type_them(blocks: Text, shown: str) -> None:
    assert text_content(blocks) == shown


@pytest.mark.parametrize(
    ("blocks", "limit", "shown"),
    [
        (text("one two three"), 13, "one two three"),
        (text("one two three"), 12, "one two…"),
        (text("one two three"), 8, "one two…"),
        (text("one two three"), 7, "one…"),
        (text("incomprehensible"), 6, "incom…"),
        (text("a incomprehensible"), 10, "a incompr…"),
        (text("漢字漢字漢字"), 4, "漢字漢…"),
        (text("one"), 1, "…"),
        (text("one"), 0, ""),
        (text("one"), -5, ""),
        (text(""), 1, ""),
        (text("a 👩\u200d👩\u200d👧 b"), 7, "a…"),
        (text("🇵🇪🇧🇴🇪🇨"), 4, "🇵🇪…"),
        (text("e\u0301" * 3), 5, "e\u0301e\u0301…"),
        (text("e\u0301" * 3), 4, "e\u0301…"),
        (text("see https://a.example/b for it"), 20, "see…"),
        (text("see https://a.example/b for it"), 24, "see https://a.example/b…"),
        (text("https://a.example/b"), 12, "…"),
        (text("see ", Span("a.example/minutes", LINK), " for it"), 20, "see…"),
        (text("see ", Span("a.ex", LINK), Span("ample", LINK, marks=(SpanStyle.BOLD,)), " it"), 10, "see…"),
        (text("see ", Span("the minutes of May", LINK), " for it"), 17, "see the minutes…"),
        (text("by ", Span("@ana@ayllu.example", LINK, Role.MENTION), " now"), 15, "by…"),
        (text("on ", Span("#Ayni", role=Role.HASHTAG), " now"), 7, "on…"),
        (text("ok ", Span(":blobcat:", role=Role.EMOJI), " now"), 9, "ok…"),
        ((*text("one"), *text("two")), 6, "one…"),
        ((*text("one"), Block((), Form.RULE), *text("two")), 9, "one…"),
        ((*text("one"), Block((Span("two\nthree"),), quote=1)), 16, "one\n\n> two…"),
        ((Block((Span("one"),), Form.ITEM, depth=1, bullet="•"),), 3, "…"),
        ((Block((), Form.RULE), *text("one")), 4, "…"),
    ],
)
def test_a_text_is_cut_where_a_reader_would_cut_it(blocks: Text, limit: int, shown: str) -> None:
    assert text_content(cut(blocks, limit)) == shown


@pytest.mark.parametrize(
    ("measure", "limit", "shown"),
    [
        (len, 4, "😀😀😀…"),
        (utf16, 4, "😀…"),
        (utf16, 5, "😀😀…"),
        (utf8, 10, "😀…"),
        (utf8, 2, ""),
        (reader, 4, "😀😀😀…"),
    ],
)
def test_the_limit_is_in_the_units_of_the_measure(measure: Callable[[str], int], limit: int, shown: str) -> None:
    assert text_content(cut(text("😀" * 9), limit, measure=measure)) == shown


def test_more_code_points_than_the_limit_fit_where_the_measure_counts_graphemes() -> None:
    assert text_content(cut(text("e\u0301" * 9), 4, measure=reader)) == "e\u0301" * 3 + "…"


def test_what_is_kept_keeps_its_look_and_the_ellipsis_is_no_part_of_a_link() -> None:
    link = Span("the minutes of May", LINK, marks=(SpanStyle.BOLD,))
    (block,) = cut((Block((Span("a "), link, Span(" b")), Form.HEADING, quote=1),), 16)
    assert block == Block(
        (Span("a "), Span("the minutes", LINK, marks=(SpanStyle.BOLD,)), Span("…")), Form.HEADING, quote=1
    )


def test_the_host_behind_a_masked_link_is_not_cut_off() -> None:
    masked = from_html('<p>go to <a href="https://evil.test/">https://bank.example/</a> now</p>')
    assert {text_content(cut(masked, limit)) for limit in range(9, 39)} == {"go to…"}


def test_cutting_a_long_text_takes_a_look_at_its_end_only() -> None:
    """A million characters on one line, in each script, within a second."""
    for word in ("word ", "漢字", "https://a.example/ ", "e\u0301"):
        assert 3000 < len(text_content(cut(from_plain(word * (1_000_000 // len(word))), 4096))) <= 4096


@pytest.mark.parametrize(
    ("blocks", "shown"),
    [
        (text("see ", Span("this", LINK), "."), "see this (https://a.example/)."),
        (text(Span("a.example/minutes…", "https://a.example/minutes/2026")), "https://a.example/minutes/2026"),
        (text(Span("https://www.a.example/min...", "https://a.example/minutes")), "https://a.example/minutes"),
        (text(Span("a.example", LINK)), "https://a.example/"),
        (text(Span("https://a.example/", LINK)), "https://a.example/"),
        (text(Span("at https://a.example/ now", LINK)), "at https://a.example/ now"),
        (text(Span("th", LINK), Span("is", LINK, marks=(SpanStyle.BOLD,)), " x"), "this (https://a.example/) x"),
        (
            text(Span("one", LINK), Span("two", "https://b.example/")),
            "one (https://a.example/) two (https://b.example/)",
        ),
        (text(Span("this ", LINK), "x"), "this (https://a.example/) x"),
        (text(Span("b.example", LINK), " (a.example) x"), "b.example (https://a.example/) x"),
        (text(Span("write", "mailto:illa@a.example")), "write (illa@a.example)"),
        (text(Span("illa@a.example", "mailto:illa@a.example")), "illa@a.example"),
        (text(Span("@illa", LINK, Role.MENTION), " ", Span("#Ayni", LINK, Role.HASHTAG)), "@illa #Ayni"),
        (text(Span("the film", LINK, Role.MENTION)), "the film (https://a.example/)"),
        (text("rope[", Span("1", "https://a.example/x#n1"), "]"), "rope[1]"),
        (text(Span("1", LINK)), "1 (https://a.example/)"),
        (text(Span("see", LINK), form=Form.CODE), "see (https://a.example/)"),
        (text("it costs ", Span("10", marks=(SpanStyle.STRIKE,)), " 20"), "it costs ~~10~~ 20"),
        (text("it costs", Span(" 10 ", marks=(SpanStyle.STRIKE,)), "20"), "it costs ~~10~~ 20"),
    ],
)
def test_plain_says_where_a_link_leads_and_the_words_alone_do_not(blocks: Text, shown: str) -> None:
    assert plain(blocks) == shown
    assert text_content(blocks) == "".join(span.text for block in blocks for span in block.spans)


def test_the_addresses_of_many_links_are_no_more_than_a_text_may_be_long() -> None:
    far = "https://a.example/" + "a" * 7_000
    shown = plain(tuple(Block((Span(f"{number}th", far),)) for number in range(2_000)))
    assert shown.startswith(f"0th ({far})")
    assert len(shown) < 400_000


# --- what always holds ---

NOTABLE = """
word https://a.example/b_(c) a.example/x… e\u0301 👩\u200d👩\u200d👧 🇵🇪 क्षि หนังสือ 漢字 \u0600 \u200d 😀 . '
@ana@ayllu.example #tag שלום\u200f bank.example www.a.example
"""
WORDS = st.sampled_from([*NOTABLE.split(), " ", "\n", "  "])
SPANS = st.builds(
    Span,
    st.lists(WORDS | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3), max_size=6).map("".join),
    st.sampled_from(["", "", LINK]),
    st.sampled_from([Role.TEXT, Role.TEXT, *Role]),
    st.sampled_from([(), (SpanStyle.BOLD,)]),
)
BLOCKS = st.builds(
    Block,
    st.lists(SPANS, max_size=4).map(tuple),
    st.sampled_from(Form),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["", "•", "3."]),
)
TEXTS = st.lists(BLOCKS, max_size=4).map(tuple)
MEASURES = st.sampled_from([len, utf16, utf8, reader])
ADDRESS = regex.compile(r"(?<![A-Za-z0-9])https://a\.example/b_\(c\)")


@given(TEXTS, st.integers(-1, 60), MEASURES)
@settings(max_examples=examples(200), deadline=None)
def test_a_cut_never_grows_keeps_the_start_and_spares_graphemes_and_addresses(
    blocks: Text, limit: int, measure: Callable[[str], int]
) -> None:
    full, done = text_content(blocks), cut(blocks, limit, measure=measure)
    shown = text_content(done)
    assert measure(shown) <= max(0, limit)
    assert cut(done, limit, measure=measure) == done
    if limit < 1:
        assert done == ()
    elif measure(full) <= limit:
        assert done is blocks
    elif done:
        assert shown.endswith("…")
        kept = shown[:-1]
        assert full.startswith(kept)
        assert not kept.endswith((" ", "\n"))
        assert len(kept) in [0, *(match.end() for match in regex.finditer(r"\X", full))]
        assert not any(match.start() < len(kept) < match.end() for match in ADDRESS.finditer(full))
    else:
        assert measure("…") > limit


@given(st.text("ab ", max_size=20), SPANS, st.integers(1, 60))
@settings(max_examples=examples(200), deadline=None)
def test_a_mention_a_hashtag_and_a_link_that_reads_as_an_address_go_whole_or_not_at_all(
    before: str, span: Span, limit: int
) -> None:
    span = replace(span, text=f"a.example/{span.text}".rstrip(), link=LINK)
    kept = text_content(cut(text(before, span, " and more" * 9), limit)).removesuffix("…")
    assert not len(before) < len(kept) < len(before + span.text)


@given(st.text("ab ", min_size=1), st.integers(1, 60))
@settings(max_examples=examples(200), deadline=None)
def test_no_more_than_a_word_and_half_of_the_limit_is_given_up(words: str, limit: int) -> None:
    words = " ".join(words.split())
    shown = text_content(cut(text(words), limit))
    assert shown == words or len(shown) >= limit / 2


@given(st.lists(WORDS, max_size=30).map("".join), st.integers(1, 80), MEASURES)
@settings(max_examples=examples(200), deadline=None)
def test_html_to_spans_to_cut_to_plain_says_what_the_author_said(
    words: str, limit: int, measure: Callable[[str], int]
) -> None:
    said = " ".join(words.split(" "))
    blocks = from_html("<p>" + said.replace("\n", "<br>") + "</p>")
    shown = text_content(cut(blocks, limit, measure=measure)).removesuffix("…")
    assert "".join(said.split()).startswith("".join(shown.split()))
