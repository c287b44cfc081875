"""Foreign text in Discord's Markdown: it reads as it was written, calls nobody and hides no link."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given, settings

from adapters.discord.limits import size
from adapters.discord.markdown import escape, fitted, in_markdown, link, markdown
from relay.rich import Block, Form, Span, SpanStyle, Text
from relay.testing import text
from relay.text import from_html, honest, safe_url, units
from tests.support.discord_bodies import LINK, PING, STRUCTURED, TEXTS, spoken
from tests.support.discord_reader import letters, read
from tests.support.thorough import examples

B, E, S, U, C, P = (
    SpanStyle.BOLD,
    SpanStyle.ITALIC,
    SpanStyle.STRIKE,
    SpanStyle.UNDERLINE,
    SpanStyle.CODE,
    SpanStyle.SPOILER,
)


def line(*spans: Span) -> Text:
    return (Block(spans),)


@pytest.mark.parametrize(
    "written",
    [
        "**not bold** *not italic* __not__ _not_ ~~not~~ ||not|| `not`",
        "[not a link](evil.example)",
        "# no heading",
        "### no heading",
        "-# not small",
        "> no quote",
        ">>> no quote",
        "- no item",
        "* no item",
        "+ no item",
        "1. no item",
        "2026. was a good year",
        "<t:1:R> </help:1> <:chaski:1> <a:chaski:1> <id:customize> :smile:",
        "<@1> <@!1> <@&1> <#1> @everyone @here @Illa",
        "```\nno block\n```",
        "¯\\_(ツ)_/¯",
        "a back\\slash and \\*another\\*",
        "<javascript:x> <https://>",
        "steam://run/1",
        "|| ~~ ** __",
    ],
)
def test_foreign_text_is_only_text(written: str) -> None:
    for source in (escape(written), markdown(text(written)), markdown(line(Span("x ", marks=(B,)), Span(written)))):
        seen = read(source)
        assert letters(seen.text).endswith(letters(written))
        assert {kind for kind, _ in seen.facts} <= {"bold"}
        assert seen.links == []
        assert not PING.search(source)


@pytest.mark.parametrize(
    ("spans", "kind", "inside"),
    [
        ([Span("bold", marks=(B,))], "bold", "bold"),
        ([Span("a"), Span(" bold ", marks=(B,)), Span("b")], "bold", "bold"),
        ([Span("a*", marks=(B,))], "bold", "a*"),
        ([Span("*a", marks=(E,))], "italic", "*a"),
        ([Span("a~", marks=(S,))], "strike", "a~"),
        ([Span("|a|", marks=(P,))], "spoiler", "|a|"),
        ([Span("a_", marks=(U,))], "underline", "a_"),
        ([Span("both", marks=(B, E))], "italic", "both"),
        ([Span("both", marks=(B, E))], "bold", "both"),
        ([Span("a", marks=(E,)), Span("b", marks=(B,))], "italic", "a"),
        ([Span("a", marks=(E,)), Span("b", marks=(B,))], "bold", "b"),
        ([Span("a", marks=(B,)), Span("b", marks=(B, E))], "bold", "ab"),
        ([Span("a", marks=(S,)), Span("b", marks=(U,))], "underline", "b"),
        ([Span("in", marks=(P, B)), Span("side", marks=(P,))], "spoiler", "inside"),
        ([Span("x = 1", marks=(C,))], "code", "x = 1"),
        ([Span("a`b", marks=(C,))], "code", "a`b"),
        ([Span("a", marks=(C, B))], "bold", "a"),
        ([Span("hid||den", marks=(C, P))], "spoiler", "hid||den"),
        ([Span("here", LINK, marks=(B,))], "bold", "here"),
    ],
)
def test_marks_are_read_as_they_were_meant(spans: list[Span], kind: str, inside: str) -> None:
    seen = read(markdown(line(*spans)))
    assert inside in [letters(found) if "=" not in found else found for found in seen.all(kind)]
    assert letters(seen.text) == letters("".join(span.text for span in spans))


@pytest.mark.parametrize(
    ("shown", "url", "links"),
    [
        ("here", LINK, [("here", LINK)]),
        ("#Qeswachaka", f"{LINK}/tags", [("#Qeswachaka", f"{LINK}/tags")]),
        ("a_b", LINK, [("a_b", LINK)]),
        ("🌉 the bridge 🌉", LINK, [("the bridge", LINK)]),
        ("[the] bridge", LINK, [("the", LINK), ("bridge", LINK)]),
        ("1. first", LINK, [("first", LINK)]),
        ("here", f"{LINK}/(x)_*y*", [("here", f"{LINK}/%28x%29_%2Ay%2A")]),
        (LINK, LINK, [(LINK, LINK)]),
        ("https://ayllu.exam…", LINK, [(LINK, LINK)]),
        ("ayllu.example/a", LINK, [("ayllu.example/a", LINK)]),
        ("bank.example", LINK, [("ayllu.example", LINK)]),
        ("🌉", LINK, [("ayllu.example", LINK)]),
        ("b*ank.example", LINK, [("ayllu.example", LINK)]),
        ("@everyone", LINK, [("@everyone", LINK)]),
        ("x", "javascript:alert(1)", []),
        ("x", "https://illa@ayllu.example", []),
    ],
)
def test_a_masked_link_works_and_says_where_it_leads(shown: str, url: str, links: list[tuple[str, str]]) -> None:
    source = link(shown, url)
    seen = read(source)
    assert [(label.replace("\u200b", ""), target) for label, target in seen.links] == links
    assert not PING.search(source)
    assert "unfurled" not in dict(seen.facts)


def test_a_link_that_names_another_host_in_two_spans_is_seen_through() -> None:
    seen = read(markdown(line(Span("bank", LINK, marks=(B,)), Span(".example", LINK))))
    assert seen.links == [("ayllu.example", LINK)]


def test_a_host_that_was_told_before_is_told_once() -> None:
    value = from_html('<p><a href="https://bank.example/x">ayllu.example</a></p>')
    assert read(markdown(value)).text == "ayllu.example (bank.example)"


def test_a_mail_address_is_told() -> None:
    assert read(link("Illa", "mailto:illa@ayllu.example")).text == "Illa (illa@ayllu.example)"


@pytest.mark.parametrize("marks", [(), (B,), (E,), (P,), (U,), (S,)])
def test_a_bare_address_stays_whole_and_is_not_unfurled(marks: tuple[SpanStyle, ...]) -> None:
    url = "https://ayllu.example/a_b_c/__d__?x=*y*~~z"
    seen = read(markdown(line(Span(f"see {url}, please", marks=marks))))
    assert [unquote(target) for _, target in seen.links] == [url]
    assert not seen.all("unfurled")


def test_structure_is_kept() -> None:
    assert markdown(STRUCTURED) == (
        "### How it is done\n"
        "We weave the **bridge** anew, see [here](<https://ayllu.example/a>)\n\n"
        "- grass\n"
        "  2. long grass\n\n"
        "> Who crosses,\n"
        "> crosses.\n\n"
        "———\n\n"
        "```\npull --all\nrest\n```"
    )


def test_nested_quotes_are_flat_and_their_paragraphs_hang_together() -> None:
    quoted = (Block((Span("one"),), quote=1), Block((Span("two"),), quote=2), Block((Span("three"),)))
    assert markdown(quoted) == "> one\n> \n> two\n\nthree"


def test_code_with_fences_in_it_is_one_block() -> None:
    seen = read(markdown((Block((Span("a\n```\nb````"),), Form.CODE),)))
    assert [letters(code) for code in seen.all("block")] == ["a```b````"]


def test_folded_text_is_behind_spoilers_to_the_last_letter() -> None:
    folded = (*STRUCTURED[:6], Block((Span("a || b\n`c`"),), Form.CODE))
    seen = read(markdown(folded, folded=True))
    assert not seen.all("block")
    hidden = letters("".join(seen.all("spoiler")))
    assert hidden == letters(spoken(folded))


def test_an_empty_text_is_empty() -> None:
    assert markdown(()) == markdown(text("\u200b ")) == markdown((Block((Span("\n"),), Form.CODE),)) == ""


# --- to a limit ---


@pytest.mark.parametrize("limit", [60, 100, 1000])
@pytest.mark.parametrize("words", ["bridge of grass ", "*_~` ", "草で編んだ橋。", "👩‍🚀"])
def test_a_cut_text_is_as_long_as_it_may_be_and_says_where_it_goes_on(words: str, limit: int) -> None:
    more = "[more](<https://a.example>)"
    written = fitted(text(words * 500), limit, more=more)
    assert limit * 0.5 - len(more) < size(written) <= limit
    assert written.endswith(f"… {more}")


def test_what_fits_is_not_cut() -> None:
    assert fitted(STRUCTURED, 4000, more="more") == markdown(STRUCTURED) == in_markdown(STRUCTURED)
    assert units(in_markdown(text("bridge " * 900), limit=2000)) <= 2000


def test_depth_that_is_not_shown_takes_no_room() -> None:
    deep = (Block((Span("deep"),), Form.ITEM, quote=500, depth=1000, bullet="•"),)
    assert read(fitted(deep, 40)).text == "deep"


def test_a_cut_within_code_closes_the_block() -> None:
    written = fitted((Block((Span("rope\n" * 500),), Form.CODE),), 200, more="more")
    assert len(read(written).all("block")) == 1
    assert written.endswith("```\nmore")


# --- anything at all ---


@settings(max_examples=examples(100), deadline=None)
@given(TEXTS)
def test_any_text_survives_calls_nobody_and_hides_no_link(value: Text) -> None:
    source = markdown(value)
    seen = read(source)
    assert not PING.search(source)
    assert not {"mention", "timestamp", "emoji", "command", "unfurled", "small"} & {kind for kind, _ in seen.facts}
    for label, url in seen.links:
        assert honest(label.replace("\u200b", ""), safe_url(url)) == label.replace("\u200b", "")
    if not any(span.link for block in value for span in block.spans):
        assert _letters(seen.text) == _letters(spoken(value))
    else:
        assert _is_within(_letters(spoken(value)), _letters(seen.text))


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_any_text_fits_any_limit(value: Text) -> None:
    for limit in (0, 7, 80, 300):
        assert size(fitted(value, limit, more="[x](<https://a.example>)")) <= limit


def _letters(value: str) -> str:
    return letters(unquote(value)).replace("———", "")


def _is_within(some: str, every: str) -> bool:
    """Whether the letters of one stand in the other, in this order."""
    rest = iter(every)
    return all(letter in rest for letter in some)


@pytest.mark.parametrize("before", [*"İıſ\u212aéñ橋ا👍❤\ufe0f\u0301\u200d\u20e3＠"])
@pytest.mark.parametrize("name", ["@everyone", "@HERE", "<@123>", "<@&123>"])
def test_whatever_letter_stands_before_a_mention(before: str, name: str) -> None:
    assert name not in escape(f"x {before}{name}")
