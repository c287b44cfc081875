"""Texts that a hostile server might send, each of a kind that is costly for a careless reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Kind = Callable[[int], str]
"""A text of about so many characters."""


def _again(piece: str, *, before: str = "", behind: str = "") -> Kind:
    return lambda length: before + piece * (length // len(piece)) + behind


def _nested(start: str, end: str, inner: str = "x") -> Kind:
    return lambda length: (n := length // (len(start) + len(end))) * start + inner + n * end


def _counted(piece: str) -> Kind:
    """The piece with another number each time."""
    return lambda length: "".join(piece.format(n=n) for n in range(length // (len(piece) + 3)))


MARKUP: Mapping[str, Kind] = {
    "links never closed": _again("<a>"),
    "links with an address": _again('<a href="https://a.example/x">y</a>'),
    "links to other hosts": _counted('<a href="https://a{n}.example/">https://b{n}.example/</a> '),
    "links within links": _nested('<a href="https://a.example/">', "</a>"),
    "angle brackets": _again("<"),
    "closing angle brackets": _again(">"),
    "tags without an end": _again("<a "),
    "tag that never ends": _again(" b=c", before="<a"),
    "attributes": _counted(" a{n}=b"),
    "attribute flood": lambda length: "<a" + _counted(" a{n}=b")(length) + ">x</a>",
    "one attribute often": _again(" class=a", before="<p", behind=">x"),
    "classes": _again("a ", before='<span class="', behind='">x</span>'),
    "open quotes": _again('<a href="'),
    "nested boxes": _nested("<div>", "</div>"),
    "open boxes": _again("<div>"),
    "closing boxes": _again("</div>"),
    "nested quotes": _nested("<blockquote>", "</blockquote>"),
    "nested lists": _nested("<ul><li>", "</li></ul>"),
    "list items": _again("<li>a"),
    "reversed lists": _again("<ol reversed><li>a", behind="</ol>"),
    "nested reversed lists": _nested("<ol reversed><li>", "</li></ol>"),
    "open marks": _again("<b>"),
    "different open marks": _again("<b><i><u><s><em><strong>"),
    "crossed marks": _again("<b><i>x</b></i>"),
    "marks around letters": _again("<b>a</b>c"),
    "nested spans": _nested("<span>", "</span>"),
    "invisible spans": _again('<span class="invisible">a</span>'),
    "ellipses": _again('<span class="ellipsis">a</span>'),
    "paragraphs": _again("<p>a</p>"),
    "paragraphs in boxes": _again("<div><p>a"),
    "line breaks": _again("<br>"),
    "line breaks and spaces": _again(" <br> "),
    "rules": _again("<hr>"),
    "headings": _again("<h1>a"),
    "tables": _again("<table><tr><td>"),
    "cells": _again("<td>a", before="<table><tr>"),
    "forms": _again("<form><input><select><option>"),
    "scripts": _again("<script>a</script>"),
    "styles never closed": _again("<style>"),
    "templates": _nested("<template>", "</template>"),
    "foreign elements": _again("<svg><math>"),
    "comments": _again("<!-- a -->"),
    "comments never closed": _again("<!--"),
    "declarations": _again("<!DOCTYPE a>"),
    "instructions": _again("<?a "),
    "character data": _again("<![CDATA["),
    "preformatted": _again("a\n", before="<pre>", behind="</pre>"),
    "code": _again("<code>`</code> "),
    "pictures": _again('<img src="https://a.example/b.png" alt="c">'),
    "emoji pictures": _again('<img alt=":a:" class="emoji">'),
    "rubies": _again("<ruby>a<rt>b</ruby>"),
    "hashtag links": _counted('<a class="hashtag" href="https://a.example/tags/t{n}">#<span>t{n}</span></a> '),
    "mention links": _counted('<a class="mention" href="https://a.example/@u{n}">@<span>u{n}</span></a> '),
    "ampersands": _again("&"),
    "escaped ampersands": _again("&amp;"),
    "long references": _again("a", before="&", behind=";"),
    "numeric references": _again("&#1234567;"),
    "cut references": _again("&#x"),
    "many zeros": _again("0", before="&#", behind=";"),
    "feed's content warnings": _again("<p><strong>a</strong>b"),
    "null characters": _again("\0"),
    "carriage returns": _again("\r"),
}
"""For whoever reads HTML."""

TEXT: Mapping[str, Kind] = {
    "one long word": _again("a"),
    "spaces": _again(" "),
    "spaces at the end": _again(" ", before="a", behind="b"),
    "tabs and lines": _again("\t\n"),
    "blank lines": _again("\n\n"),
    "lines of spaces": _again("\n \n"),
    "short lines": _again("a\n"),
    "combining marks": _again("\u0301", before="a"),
    "letters with marks": _again("a\u0301\u0302"),
    "flags": _again("🇨🇱"),
    "families": _again("👩\u200d"),
    "hangul": _again("\u1100\u1161"),
    "right to left": _again("\u202e\u202b"),
    "direction marks": _again("\u200f"),
    "isolates": _again("\u2066"),
    "zero width": _again("\u200b"),
    "variation selectors": _again("\ufe0f", before="#"),
    "astral": _again("𝔸"),
    "ligatures that grow": _again("\ufdfa"),
    "ideographs": _again("漢"),
    "hashtags": _counted("#t{n} "),
    "hashtags without spaces": _again("#a"),
    "hash signs": _again("#"),
    "mentions": _counted("@u{n}@a.example "),
    "mentions without spaces": _again("@a"),
    "at signs": _again("@"),
    "matrix names": _again("@a:b#c:d!e:f"),
    "addresses": _counted("https://a{n}.example/ "),
    "addresses without spaces": _again("https://a"),
    "addresses and brackets": _again("https://a.example/)"),
    "address of brackets": _again("(", before="https://a.example/"),
    "address with a tail": _again(".", before="https://a.example/a"),
    "long host": _again("a.", before="https://", behind="example/"),
    "long foreign host": _again("é", before="https://", behind=".example/"),
    "long path": _again("/..", before="https://a.example"),
    "long query": _again("&a=b", before="https://a.example/?"),
    "long escapes": _again("%zz", before="https://a.example/"),
    "dots": _again("a."),
    "hosts": _again(" a.b"),
    "numbers": _again("1.1.1.1 "),
    "stars": _again("*"),
    "bold stars": _again("**a"),
    "stars around letters": _again("*a* "),
    "underscores": _again("_a"),
    "tildes": _again("~~"),
    "spoilers": _again("||a"),
    "backticks": _again("`"),
    "growing backticks": lambda length: " ".join("`" * n for n in range(int((2 * length) ** 0.5))),
    "fences": _again("```\n"),
    "quote marks": _again("> "),
    "quoted lines": _again("> a\n"),
    "nested quote marks": _again(">>>>\n"),
    "square brackets": _again("["),
    "markdown links": _again("[a](https://a.example/)"),
    "open markdown links": _again("[a]("),
    "functions": _nested("$[x ", "]"),
    "open functions": _again("$[x "),
    "bold tags": _nested("<b>", "</b>"),
    "backslashes": _again("\\"),
    "slashes": _again("/"),
    "slash commands": _again("/a "),
    "submitted by": _again("a", before="submitted by /u/"),
    "submitted by, often": _again("submitted by /u/a [link] "),
    "counters": _again("1 points | 1 comments "),
    "wordpress tails": _again("The post a appeared first on "),
    "parts": _again("part 2 pt. "),
    "emoji codes": _again(":a:"),
    "surrogates": _again("\ud800"),
}
"""For whoever reads any text."""

KINDS: Mapping[str, Kind] = {**MARKUP, **TEXT}
