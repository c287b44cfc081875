"""HTML → rich text, in the shapes that servers and feeds send, and in those that nobody should."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import from_html, scrub, text_content
from tests.support.thorough import examples

P, H, I, C = Form.PARAGRAPH, Form.HEADING, Form.ITEM, Form.CODE  # noqa: E741 - one letter per form keeps the table readable


def spans(html: str, base: str = "") -> list[Span]:
    return [span for block in from_html(html, base=base) for span in block.spans]


def outline(text: Text) -> list[tuple[Form, int, int, str, str]]:
    return [(b.form, b.quote, b.depth, b.bullet, "".join(span.text for span in b.spans)) for b in text]


# --- what posts are made of ---


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("   \n ", ""),
        ("<p></p><p> </p><p>&nbsp;</p>", ""),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two<br />three</p>", "one\ntwo\nthree"),
        ("one<br><br>two<br> <br><br>three", "one\n\ntwo\n\nthree"),
        ("<br>one<br>", "one"),
        ("<p>a  lot\n of\tspace </p>", "a lot of space"),
        ("<p>a <b> b</b> <i>c </i> d</p>", "a b c d"),
        ("<p>a<b> </b>b</p>", "a b"),
        ("<div>one<div>two</div>three</div>", "one\n\ntwo\n\nthree"),
        ("<p>Tom &amp; Jerry &lt;3 &#128512; &eacute;</p>", "Tom & Jerry <3 😀 é"),
        ("a &amp;lt; b", "a &lt; b"),
        ("1 < 2 & 3", "1 < 2 & 3"),
        ("<p>x<script>alert(1)</script><style>p{}</style><template>t</template><!-- c -->y</p>", "xy"),
        ("<title>t</title><iframe>i</iframe><svg><text>s</text></svg><noscript>n</noscript>x", "x"),
        ("<p>a<hr>b</p>", "a\n\n———\n\nb"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢(kan)字"),
        ("<table><tr><th>a<th>b<tr><td>1<td><td>3</table>", "a | b\n1 | 3"),
        ("<table><tr><td><p>one</p></td><td><p>two</p></td></tr></table>", "one\n\ntwo"),
        ("<radio disabled>Yes<br /><radio disabled>No<br />", "Yes\nNo"),
        ("<made-up>x</made-up>", "x"),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("<body><p>x</p></body></html>tail", "x\n\ntail"),
        ("<frameset><frame></frameset>", ""),
        ("photo&#x202e;gnp.exe\u2066", "photognp.exe"),
        ("nul\x00 esc&#27;", "nul esc"),
        ("\ud83d and \ud83d\ude00", "\ufffd and 😀"),
    ],
)
def test_html_reads_as_text(html: str, text: str) -> None:
    assert text_content(from_html(html)) == text


@pytest.mark.parametrize(
    ("html", "shape"),
    [
        ("<h1>one</h1>two<h6>three</h6>", [(H, 0, 0, "", "one"), (P, 0, 0, "", "two"), (H, 0, 0, "", "three")]),
        (
            "<blockquote>one<blockquote><p>two</p></blockquote></blockquote>three",
            [(P, 1, 0, "", "one"), (P, 2, 0, "", "two"), (P, 0, 0, "", "three")],
        ),
        (
            "<ul><li>a<ol start='3'><li>b<li><p>c</p><p>d</p></ol><li></li><li>e</ul>",
            [(I, 0, 1, "•", "a"), (I, 0, 2, "3.", "b"), (I, 0, 2, "4.", "c"), (P, 0, 2, "", "d"), (I, 0, 1, "•", "e")],
        ),
        ("<ol reversed> <li>a <li>b</ol>", [(I, 0, 1, "2.", "a"), (I, 0, 1, "1.", "b")]),
        (
            "<ol><li value='7'>a<li>b<li value='x'>c</ol>",
            [(I, 0, 1, f"{n}.", t) for n, t in ((7, "a"), (8, "b"), (9, "c"))],
        ),
        ("<ul><li>a<li></ul>b", [(I, 0, 1, "•", "a"), (P, 0, 0, "", "b")]),
        ("<li>alone", [(I, 0, 1, "•", "alone")]),
        (
            "<pre><code>if x:\n\ty  =  1\n\n</code></pre>",
            [(C, 0, 0, "", "if x:\n    y  =  1")],
        ),
        ("<blockquote><hr></blockquote>", [(Form.RULE, 1, 0, "", "")]),
    ],
)
def test_blocks_know_what_they_are_and_what_is_around_them(
    html: str, shape: list[tuple[Form, int, int, str, str]]
) -> None:
    assert outline(from_html(html)) == shape


def test_text_marks_nest_and_end() -> None:
    assert spans("<p><b>b<i>bi<strong>bi</strong></i></b><del>s</del><u>u</u><code>c</code>x</p>") == [
        Span("b", marks=(SpanStyle.BOLD,)),
        Span("bibi", marks=(SpanStyle.BOLD, SpanStyle.ITALIC)),
        Span("s", marks=(SpanStyle.STRIKE,)),
        Span("u", marks=(SpanStyle.UNDERLINE,)),
        Span("c", marks=(SpanStyle.CODE,)),
        Span("x"),
    ]


def test_a_block_of_code_is_not_marked_as_code_once_more() -> None:
    assert from_html("<pre><code>x</code></pre>") == (Block((Span("x"),), Form.CODE),)


# --- links ---


def test_a_shortened_link_shows_its_visible_part_and_leads_to_its_whole_target() -> None:
    html = (
        '<p><a href="https://town.example/minutes/2026/long"><span class="invisible">https://</span>'
        '<span class="ellipsis">town.example/minutes</span><span class="invisible">/2026/long</span></a></p>'
    )
    assert spans(html) == [Span("town.example/minutes…", "https://town.example/minutes/2026/long")]


def test_mentions_and_hashtags_are_known_by_their_class() -> None:
    html = (
        '<p><span class="h-card"><a href="https://social.example/@ana" class="u-url mention">@<span>ana</span></a>'
        "</span> "
        '<a href="https://social.example/tags/Ayni" class="mention hashtag" rel="tag">#<span>Ayni</span></a></p>'
    )
    assert spans(html) == [
        Span("@ana", "https://social.example/@ana", Role.MENTION),
        Span(" "),
        Span("#Ayni", "https://social.example/tags/Ayni", Role.HASHTAG),
    ]


def test_a_mention_names_its_accounts_host_which_need_not_be_its_pages() -> None:
    html = '<a class="mention" href="https://web.ayllu.example/@ana">@ana@ayllu.test</a>'
    assert spans(html) == [Span("@ana@ayllu.test", "https://web.ayllu.example/@ana", Role.MENTION)]


@pytest.mark.parametrize("name", ["", "mention", "mention hashtag"])
def test_a_masked_link_shows_its_host_whatever_it_calls_itself_and_however_it_is_marked_up(name: str) -> None:
    html = f'<a class="{name}" href="https://evil.test/x">https://<b>bank.ex</b>ample/login</a> now'
    assert text_content(from_html(html)) == "https://bank.example/login (evil.test) now"
    assert [span.link for span in spans(html)] == [*["https://evil.test/x"] * 3, ""]
    assert {span.role for span in spans(html)} == {Role.TEXT}


@pytest.mark.parametrize(
    "html",
    [
        'x<b> </b><a href="https://evil.test/"><br>bank.example</a>',
        '<a href="https://evil.test/"><p>bank.example</p></a>',
        '<a href="https://evil.test/">bank.example<p>more</p></a>',
        '<a href="https://evil.test/"><img alt="bank.example"></a>',
        '<a href="https://evil.test/">bank<span class="invisible">ish</span>.example</a>',
        '<a href="https://evil.test/"><span class="ellipsis">bank.example</span></a>',
        '<table><tr><td>a<td><a href="https://evil.test/">bank.example</a></table>',
        '<a href="https://evil.test/">bank&#173;.exam<wbr>ple</a>',
        '<a href="https://evil.test/">x<table><tr><td><a href="javascript:1">y</a> bank.example</table></a>',
        '<a href="https://evil.test/">bank.example<table><tr><td><a href="https://bank.example">y</a></table></a>',
    ],
)
def test_a_mask_does_not_hide_in_markup(html: str) -> None:
    assert "(evil.test)" in text_content(from_html(html))


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "data:text/html,x", "https://who@bank.example/", "/relative", ""]
)
def test_a_link_that_leads_nowhere_safe_is_plain_text(target: str) -> None:
    assert spans(f'<a href="{target}">click</a>') == [Span("click")]


def test_relative_links_are_resolved_against_the_base() -> None:
    assert spans('<a href="../b">x</a>', base="https://a.example/c/d") == [Span("x", "https://a.example/b")]


def test_a_cells_separator_is_not_part_of_the_link_behind_it() -> None:
    assert spans('<table><tr><td>a<td><a href="https://a.example/">b</a></table>') == [
        Span("a | "),
        Span("b", "https://a.example/"),
    ]


# --- pictures, and what is left out ---


@pytest.mark.parametrize(
    ("html", "span"),
    [
        ('<img class="x" alt=":blobcat:" src="https://a.example/b.png">', Span(":blobcat:", role=Role.EMOJI)),
        ('<img class="wp-smiley" alt="😀">', Span("😀", role=Role.EMOJI)),
        ('<img alt="A bridge\n of grass">', Span("[A bridge of grass]")),
    ],
)
def test_a_picture_is_its_description(html: str, span: Span) -> None:
    assert spans(f"<p>{html}</p>") == [span]


def test_a_picture_without_a_description_is_nothing() -> None:
    assert from_html('<p><img src="https://a.example/b.png"><img alt=""></p>') == ()


def test_what_bears_a_dropped_class_is_left_out_with_all_it_holds() -> None:
    html = '<p class="a quote-inline">RE: <a href="https://a.example/">a.example</a></p><p>Well said</p>'
    assert text_content(from_html(html, drop=("quote-inline",))) == "Well said"
    assert text_content(from_html(html)) == "RE: a.example\n\nWell said"


# --- what nobody should send ---


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 10_000 + "x",
        "<div>" * 50_000 + "x",
        "<b>" * 10_000 + "x" + "</b>" * 10_000,
        "<blockquote>" * 10_000 + "x",
        "<ul><li>" * 10_000 + "x",
        '<span class="ellipsis">' * 7_000 + "x",
        "<p>" + "".join(f"<b class={n}>" for n in range(1_500)) + "</p>" + "<div>y</div>" * 1_500 + "x",
        "<p " + " ".join(f"a{n}" for n in range(40_000)) + ">x",
        '<p a="<" ' + " ".join(f"a{n}" for n in range(40_000)) + ">x",
        "x" + "<br>" * 20_000,
        "x<!--" + "<!--" * 50_000,
        "x" + '<a ="' * 50_000,
        "<a href='https://evil.test/'>" + ":" * 90_000 + "x</a>",
    ],
    ids=lambda html: html[:12],
)
def test_hostile_html_takes_its_length_in_time_and_no_recursion(html: str) -> None:
    """Each of these takes seconds to minutes where a parser is let loose on it, or ends in a RecursionError."""
    began = time.process_time()
    text = from_html(html)
    assert time.process_time() - began < 2
    assert "x" in text_content(text)


def test_large_html_keeps_its_markup() -> None:
    html = (
        '<p title="a > b"><strong class="x">bold</strong> <a href=\'https://a.example/\'>link</a><br>&amp; 1 < 2</p>'
        * 200
    )
    text = from_html(html)
    assert len(text) == 200
    assert text[-1] == from_html(html[: len(html) // 200])[0]


def test_margins_do_not_outgrow_the_text() -> None:
    assert {(block.quote, block.depth) for block in from_html("<blockquote><ul><li>x" * 200)} == {
        (min(n, 9), min(n, 9)) for n in range(1, 201)
    }


MARKUP = """
<p> </p> <br> <b> </b> <i> </i> <ul> <ol\tstart="2"\treversed> <li> </ul> <blockquote> </blockquote> <pre> </pre>
<hr> <h2> <table> <tr> <td> </table> <a\thref="https://a.example/"> <a\tclass="mention"\thref="/x">
<a\thref="javascript:1"> </a>
<span\tclass="invisible"> <span\tclass="ellipsis"> </span> <img\talt=":x:"> <ruby> <rt> <script> </script> <svg>
<template> <!-- --> <math> <select> <option> <textarea> &amp; &#x202e; &#0; < bank.example @ana #tag
"""
PARTS = st.sampled_from([*MARKUP.replace("\n", " ").split(" "), "\n", "e\u0301", "👩\u200d👧", "\ud83d", "\u202e"])
HTML = st.lists(PARTS | st.text(max_size=5)).map("".join)


@given(HTML | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
@settings(max_examples=examples(200), deadline=None)
def test_any_html_becomes_clean_blocks(html: str) -> None:
    for text in (from_html(html, base="https://b.example/"), from_html(html + "<i>" * 600)):
        for block in text:
            assert block.spans or block.form is Form.RULE
            shown = "".join(span.text for span in block.spans)
            assert shown == scrub(shown).rstrip("\n")
            assert block.form is Form.CODE or "\n\n" not in shown
            assert all(span.text and (not span.link or span.link.startswith("https://")) for span in block.spans)


@given(st.text(st.characters(exclude_characters="<&\r", exclude_categories=["Cc", "Cs"])))
@settings(max_examples=examples(200), deadline=None)
def test_text_between_tags_survives(text: str) -> None:
    read = text_content(from_html(f"<p>{text}</p>"))
    assert "".join(read.split()) == "".join(scrub(text).split())
