"""HTML that is read without a tree reads as it does with one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.text import from_html, plain
from relay.text.everyday import walk
from relay.text.html import by_tree
from relay.text.page import Page
from relay.text.tags import Other

BASE = "https://ayllu.example/blog/"


def is_everyday(html: str) -> bool:
    try:
        walk(html, Page(), base=BASE, drop=())
    except Other:
        return False
    return True


EVERYDAY = [
    "",
    "words alone",
    "<p>one</p>\n<p>two</p>",
    "<p>one<br>two<br />three<br/></p>",
    '<p>See <a href="/map?a=1&amp;b=2">the <b>map</b></a>.</p>',
    '<p><a href="https://puna.example/tags/rope" class="mention hashtag" rel="tag">#<span>rope</span></a></p>',
    '<a href="https://a.example/b"><span class="invisible">https://</span><span class="ellipsis">a.exam</span></a>',
    '<span class="ellipsis"></span>',
    '<a href="https://a.example">b.example</a>',
    "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>",
    '<ol start="3"><li>a</li><li value="7">b</li><li>c</li></ol>',
    "<blockquote><p>said</p></blockquote><hr><h2>Head</h2><pre><code>a  b\n c</code></pre>",
    '<p>x <img src="/e.png" alt=":llama:" /> <img class="emoji" alt="😀"> <img alt="A cat"></p><!-- more -->',
    "<div class='a'><figure><figcaption>c</figcaption></figure></div>",
    "<p>Tom &amp; Jerry &#8217;s &nbsp; &#x1F600; 1 &gt; 0</p>",
    "<strong><p>bold</p></strong>",
]
OTHER = [
    "<P>capitals</P>",
    "<p>not closed",
    "<p>one<p>two</p></p>",
    "<p><div>x</div></p>",
    "<b><i>crossed</b></i>",
    '<a href="/1">a<a href="/2">b</a></a>',
    "<ul><li>a<li>b</ul>",
    "<li>alone</li>",
    "<table><tr><td>1</td></tr></table>",
    "<p>a < b</p>",
    "x<script>alert(1)</script>",
    "<ol reversed><li>a</li><li>b</li></ol>",
    "<pre>\nfirst line</pre>",
    "<p>nul\0 and \r</p>",
    "&#128; &#0; &#xD800;",
    '<a href="https://a.example/?x&notit;">x</a>',
    "<h1><h2>x</h2></h1>",
    '<span class="invisible"><b>x</b></span>',
    "<!--> not a comment -->",
    "<br/ >",
    "<span/>x",
]


@pytest.mark.parametrize("html", EVERYDAY)
def test_what_software_writes_every_day_is_read_without_a_tree(html: str) -> None:
    assert is_everyday(html)
    assert from_html(html, base=BASE) == by_tree(html, base=BASE)


@pytest.mark.parametrize("html", OTHER)
def test_what_takes_the_standards_rules_is_left_to_them(html: str) -> None:
    assert not is_everyday(html)
    assert from_html(html, base=BASE) == by_tree(html, base=BASE)


def test_an_element_to_be_dropped_is_dropped() -> None:
    assert plain(from_html('<p class="quote-inline">RE: x</p><p>y</p>', drop=("quote-inline",))) == "y"


_NAMES = "p a b strong i em cite del s u ins code small sub div figure h1 h2 blockquote ul ol li pre span section"
_PIECES = (
    "a|b|@|#x|.|:|/| |  |\n|\t|&|;|>|é|😀|\u202e|\xa0|\"|'|&amp;|&lt;|&nbsp;|&#8217;|&notit;|&copy|&#128;|&#x1F600;|"
    "https://x.example/a|x.example"
)
_ATTRIBUTES = (
    '||| href="https://x.example/a?b=1&amp;c=2"| href="/rel"| class="mention hashtag"| class="invisible"|'
    ' class="ellipsis" href="https://y.example"| start="3"| value="7"| value=\'x\'| href=https://z.example/a|'
    ' href="https://x.example/?a=1&b=2&copy=3"| title="a > b"| alt=":cat:"| alt="A &quot;cat&quot;"|'
    ' class="emoji" alt="😀"| disabled| /| HREF="https://q.example"| href="https://x.example/&notit;"| reversed'
)
_TEXT = st.lists(st.sampled_from(_PIECES.split("|")), max_size=6).map("".join)
_GIVEN = st.sampled_from(_ATTRIBUTES.split("|"))
_VOID = st.builds("<{}{}>".format, st.sampled_from(["br", "hr", "img", "wbr", "br /", "img"]), _GIVEN)
_LIST = st.builds("<{0}><li>{1}</li><li>{2}</li></{0}>".format, st.sampled_from(["ul", "ol"]), _TEXT, _TEXT)


def _element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inner = st.lists(children, max_size=4).map("".join)
    return st.builds("<{0}{1}>{2}</{0}>".format, st.sampled_from(_NAMES.split()), _GIVEN, inner)


_TREE = st.recursive(st.one_of(_TEXT, _VOID, _LIST, st.just("<!-- c -->")), _element, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(st.lists(_TREE, max_size=4).map("".join))
def test_both_ways_of_reading_read_the_same(html: str) -> None:
    assert from_html(html, base=BASE) == by_tree(html, base=BASE)
