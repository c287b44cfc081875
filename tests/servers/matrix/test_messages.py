"""What the loopback homeserver holds against a message that it took: every rule once, and what is allowed."""

from __future__ import annotations

import pytest

from tests.servers.matrix import Upload, problems
from tests.servers.matrix.markup import markup_problems
from tests.support.servers_matrix_rules_cases import Json, edit, related, text, thread

_INFO = {"mimetype": "image/png", "size": 3, "w": 1, "h": 1}
_PICTURE: Json = {"msgtype": "m.image", "url": "mxc://ayllu.example/a", "info": _INFO}
_UPLOADS = {"mxc://ayllu.example/a": Upload("mxc://ayllu.example/a", b"abc", "image/png")}
_THREAD = thread("$root")


@pytest.mark.parametrize(
    "content",
    [
        text(),
        text("one & two", "one &amp; two"),
        edit("$it"),
        text(**_THREAD),
        text() | _PICTURE,
    ],
)
def test_a_good_message_has_no_problems(content: Json) -> None:
    assert problems(content, _UPLOADS) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (text(msgtype="m.llama"), "msgtype"),
        (text(" \n"), "body is empty"),
        ({"msgtype": "m.text", "body": "x"}, "m.mentions"),
        (text() | {"m.mentions": {"room": True}}, "m.mentions"),
        (text(format="org.matrix.custom.html"), "format"),
        (text(formatted_body="x"), "format"),
        (text(html="<b>") | {"format": "text/markdown"}, "format"),
        (text(**related("m.replace", "$it")), "m.new_content"),
        (edit("$it") | {"m.new_content": {"msgtype": "m.text", "body": "x"}}, "m.new_content: m.mentions"),
        (edit("$it") | {"m.new_content": text(**_THREAD)}, "no content of its own"),
        (text(**related("m.thread", "$root")), "fall back"),
        (text(**related("m.llama", "$root")), "rel_type"),
        ((text() | _PICTURE | {"url": "https://ayllu.example/a.png"}), "url is"),
        ((text() | _PICTURE | {"url": "mxc://ayllu.example/b"}), "never uploaded"),
        ((text() | _PICTURE | {"info": _INFO | {"mimetype": "image/jpeg"}}), "info says"),
        ((text() | _PICTURE | {"info": _INFO | {"w": 0}}), "info.w"),
        (text(html='<img src="mxc://ayllu.example/b">'), "never uploaded"),
        (text("the secret is", '<span data-mx-spoiler="cw">the secret is out</span>'), ""),
        (text("so: the secret is out", '<span data-mx-spoiler="cw">the <b>secret</b> is out</span>'), "hidden"),
    ],
)
def test_a_bad_message_has_its_problem(content: Json, problem: str) -> None:
    found = problems(content, _UPLOADS)
    assert any(problem in one for one in found) if problem else found == []


@pytest.mark.parametrize(
    "html",
    [
        "a <b>b</b><br>c<br/><hr> &lt;d&gt; &#39; &eacute; 5 > 3",
        '<a href="https://ayllu.example/?a=1&amp;b=2" title="x">x</a> <a href="mailto:a@ayllu.example">m</a>',
        '<ol start="3"><li>one</li><li><ul><li>two</li></ul></li></ol>',
        '<pre><code class="language-python">x</code></pre><blockquote><p>a</p></blockquote>',
        "<details><summary>more</summary><div><h1>a</h1><del>b</del></div></details>",
        "<table><caption>c</caption><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        '<span data-mx-spoiler="cw">x</span><span data-mx-color="#ff0000">y</span><span data-mx-spoiler>z</span>',
        '<img src="mxc://ayllu.example/a" alt="a" title="b" width="3" height="2">',
        "<b>" * 100 + "</b>" * 100,
    ],
)
def test_markup_that_is_allowed(html: str) -> None:
    assert markup_problems(html, "plain") == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<b>a", "never closed"),
        ("<b><i>a</b></i>", "closes i"),
        ("</b>", "closes nothing"),
        ("<br></br>", "</br>"),
        ("<b/>", "slash"),
        ("a < b", "unescaped <"),
        ("a & b", "unescaped &"),
        ("a &llama b", "unescaped &"),
        ("a <b", "unescaped <"),
        ("<script>a</script>", "<script> is not allowed"),
        ("<mx-reply>a</mx-reply>", "<mx-reply> is not allowed"),
        ("<!-- a -->", "a comment"),
        ("<!DOCTYPE html>", "a declaration"),
        ("<?php ?>", "instruction"),
        ('<a href="javascript:alert(1)">x</a>', "<a href> cannot be"),
        ('<a href="/path">x</a>', "<a href> cannot be"),
        ('<a href="https://[x">x</a>', "<a href> cannot be"),
        ('<a href="https://a.example" onclick="x">x</a>', "<a onclick>"),
        ('<b style="x">x</b>', "<b style>"),
        ('<a href="https://a.example" href="https://b.example">x</a>', "twice"),
        ('<a href="https://a.example"><a href="https://b.example">x</a></a>', "<a> in <a>"),
        ('<img src="https://a.example/a.png">', "<img src> cannot be"),
        ('<code class="wide">x</code>', "<code class>"),
        ('<span data-mx-color="red">x</span>', "<span data-mx-color>"),
        ("<p><ul><li>x</li></ul></p>", "<ul> in <p>"),
        ("<li>x</li>", "<li> in <>"),
        ("<ul>x</ul>", "text directly in <ul>"),
        ("<table><td>x</td></table>", "<td> in <table>"),
        ("<b>" * 101 + "</b>" * 101, "nested deeper"),
    ],
)
def test_markup_that_is_not(html: str, problem: str) -> None:
    assert any(problem in one for one in markup_problems(html, "plain")), markup_problems(html, "plain")
