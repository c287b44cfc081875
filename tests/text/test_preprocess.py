"""HTML as feeds write it, for a parser that follows the Standard: no tag swallows what stands behind it."""

from __future__ import annotations

import pytest

from relay.text import from_html, text_content
from relay.text.preprocess import tame

CLOSED_IN_THE_TAG = (
    "script style textarea title iframe noscript noembed noframes object video audio canvas select svg math template"
    " map datalist applet xmp a b del q sup h2 blockquote pre li ul table div span p"
)


@pytest.mark.parametrize("name", CLOSED_IN_THE_TAG.split())
@pytest.mark.parametrize("slash", ["/", " /", " class='x' /", ' class="x"/', " async/", "\n/"])
def test_what_is_closed_in_its_tag_swallows_nothing(name: str, slash: str) -> None:
    text = from_html(f"<p>before</p><{name}{slash}><p>behind</p>")
    assert text_content(text).split()[0] == "before"
    assert text_content(text).endswith("behind")
    behind = text[-1]
    assert behind == from_html("<p>behind</p>")[0]


@pytest.mark.parametrize(
    "name",
    [
        "iframe",
        "noembed",
        "noframes",
        "noscript",
        "object",
        "video",
        "canvas",
        "select",
        "svg",
        "textarea",
        "title",
        "datalist",
        "template",
    ],
)
def test_what_nobody_closes_swallows_nothing(name: str) -> None:
    assert text_content(from_html(f"before <{name} id='x'> behind <b>it</b>")) == "before behind it"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<script>if (x<y && y>z) '</p>'</script>b", "ab"),
        ("a<script>'<script>'</script>b", "ab"),
        ("a<style>p > b {}</style>b<title>t</title>c<textarea><p>t</textarea>d", "abcd"),
        ("a<script src='x.js'>b <b>c</b>", "ab c"),
        ("a<script>var b = 1;<p>c</p>", "a\n\nc"),
        ("a<script src=x/></script>b", "ab"),
        ("a<svg><title>t</title><path d='m'/><text>s</text></svg>b", "ab"),
        ("a<object><param name=x value=y></object>b", "ab"),
        ("a<iframe src=/x>your browser</iframe>b", "ab"),
        ("<a href='https://a.example/' />link</a> text", "link text"),
        ("<a name='x'/>text <a href='https://a.example/'>link</a>", "text link"),
        ("<a href=https://a.example/>link</a> text", "link text"),
        ("<select><option>a</select>b", "b"),
    ],
)
def test_what_is_closed_is_read_as_it_is_meant(html: str, text: str) -> None:
    assert text_content(from_html(html)) == text


def test_a_link_that_is_closed_in_its_tag_does_not_spread() -> None:
    assert not any(span.link for block in from_html("<a href='https://a.example/'/>text") for span in block.spans)
    (block,) = from_html("<a href='https://a.example/' />link</a> text")
    assert [span.link for span in block.spans] == ["https://a.example/", ""]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<![CDATA[some <b>rope</b> text]]>", "some rope text"),
        ("a <![CDATA[b]]> c <![CDATA[d > e]]>", "a b c d > e"),
        ("<![CDATA[never closed", "never closed"),
        ("a[b[0]]>c", "a[b[0]]>c"),
        ("a<!-- b -->c<!---->d<!-->e<!--->f", "acdef"),
        ("a<!-- b --!>c", "ac"),
        ("a<!-- never <p>closed</p>", "a\n\nclosed"),
        ("a<!--> b", "a b"),
        ("a <!word> b <?xml version='1.0'?> c<![if !x]>d<![endif]>", "a b cd"),
        ("1 <! 2 <? 3", "1 <! 2 <? 3"),
        ("I </3 you <3", "I </3 you <3"),
        ("<!DOCTYPE html><p>x", "x"),
    ],
)
def test_no_comment_and_no_section_swallows_words(html: str, text: str) -> None:
    assert text_content(from_html(html)) == text


def test_usual_html_is_left_as_it_is() -> None:
    html = '<p>One <a href="/x" class="y">two</a><br />three <img src="/a.png" /><hr></p><!-- more -->'
    assert tame(html) is html


def test_large_html_keeps_what_is_read_of_its_attributes() -> None:
    html = (
        '<p title="a > b" style="white-space:pre">a\nb <input type="checkbox" checked data-x="y"> c '
        '<img alt="hidden treasure" src=/a.png></p>'
    )
    (whole,) = from_html(html)
    assert from_html(html + "<p>d" * 600)[0] == whole
    assert "☑" in text_content((whole,))
    assert "[hidden treasure]" in text_content((whole,))
