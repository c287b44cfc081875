"""Whatever HTML there is: every word that can be seen and every address come out, and nothing raises."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.text import plain, read_html, safe_url
from relay.text.pictures import MOST, same_picture
from tests.support.thorough import examples

BASE = "https://ayllu.example/one"


@dataclass(frozen=True)
class Piece:
    """Some HTML, and what of it a reader must be able to find."""

    html: str
    words: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def __add__(self, other: Piece) -> Piece:
        return Piece(self.html + other.html, self.words + other.words, self.addresses + other.addresses)

    def within(self, start: str, end: str) -> Piece:
        return Piece(start + self.html + end, self.words, self.addresses)


NOTHING = Piece("")
NUMBERS = st.integers(0, 999)
WORDS = NUMBERS.map(lambda n: Piece(f" wörd{n} ", (f"wörd{n}",)))


def link(number: int, inner: Piece) -> Piece:
    url = f"https://l{number}.example/a/?b=1&c=2"
    return Piece(
        f'<a href="{url.replace("&", "&amp;")}"> link{number} {inner.html}</a>',
        (f"link{number}", *inner.words),
        (url, *inner.addresses),
    )


def shown(form: str, number: int) -> Piece:
    url = f"https://m{number}.example/{number}"
    return Piece(form.format(url=url), (), (url,))


SHOWN = st.builds(
    shown,
    st.sampled_from(
        [
            '<img src="{url}.png" alt="x">',
            "<img data-src={url}.png src='data:,'>",
            '<img srcset="{url}.png 900w, https://small.example/x.png 90w">',
            '<picture><source srcset="{url}.jpg"><img src="data:,"></picture>',
            '<video src="{url}.mp4"></video>',
            '<video controls><source src="{url}.mp4"/></video>',
            "<audio src={url}.mp3 controls></audio>",
            '<iframe src="{url}"></iframe>',
            '<iframe src="{url}" />',
            '<IFRAME SRC="{url}">',
            '<embed src="{url}"/>',
            '<object data="{url}"></object>',
            '<noscript><img src="{url}.png"></noscript>',
        ]
    ),
    NUMBERS,
)
UNSEEN = st.sampled_from(
    (
        *(
            "<br/>",
            "<hr>",
            "<!-- c -->",
            "<!-->",
            "<script>var a = '<p>';</script>",
            "<script src='x'/>",
            "<p>",
            "</p>",
        ),
        *(
            "<style>p > a {}</style>",
            "<title/>",
            "<iframe/>",
            "<textarea/>",
            "<![CDATA[",
            "]]>",
            "<a name='x'/>",
            "<b/>",
        ),
        *("<video/>", "<wbr>", "<img src='https://feeds.feedburner.com/~r/x/~4/y' width=1 height=1>", "</b>", "<li>"),
        *("</div>", "<?xml version='1.0'?>", "<svg><path d='M0'/></svg>", "<input type=checkbox checked>"),
    )
).map(Piece)
AROUND = st.sampled_from(
    (
        *(("<p>", "</p>"), ("<b>", "</b>"), ("<i>", "</b>"), ("<div>", "</div>"), ("<ul><li>", "</ul>")),
        *(("<blockquote>", "</blockquote>"), ("<table><tr><td>", "</table>"), ("<q>", "</q>"), ("<h2>", "</h2>")),
        *(
            ("<figure>", "<figcaption>f</figcaption></figure>"),
            ("<pre>", "</pre>"),
            ("<del>", "</del>"),
            *(
                ("<span>", ""),
                ("<a>", "</a>"),
                ("<a href=/own>", "</a>"),
                ("<object>", "</object>"),
                ("<table>", "</table>"),
            ),
        ),
        *(("<p style='white-space:pre-wrap'>", "</p>"), ("<abbr title='Bridge of grass'>", "</abbr>")),
        *(("<details><summary>s</summary>", "</details>"), ("<dl><dt>t<dd>", "</dl>"), ("<ruby>", "<rt>r</rt></ruby>")),
        *(
            ("<ol start=3 reversed><li>", "</li></ol>"),
            ("<font color=red>", "</font>"),
            ("<custom-tag>", "</custom-tag>"),
        ),
    )
)


def _joined(children: st.SearchStrategy[Piece]) -> st.SearchStrategy[Piece]:
    inner = st.lists(children, max_size=4).map(lambda pieces: sum(pieces, NOTHING))
    around = st.builds(lambda piece, tags: piece.within(*tags), inner, AROUND)
    return around | st.builds(link, NUMBERS, WORDS | UNSEEN)


HTML = st.lists(st.recursive(WORDS | SHOWN | UNSEEN, _joined, max_leaves=15), max_size=6).map(
    lambda pieces: sum(pieces, NOTHING)
)


def _found(html: str) -> tuple[str, set[str]]:
    """What is read, and what tells the addresses apart that are offered, as media or in the words."""
    content = read_html(html, base=BASE)
    read = plain(content.text)
    written = [url.partition(")")[0] for url in re.findall(r"https?://[^\s<>\"']+", read)]
    media = [url for one in content.media for url in (one.url, one.preview)]
    return read, {same_picture(url) for url in (*written, *media)}


@given(HTML, st.booleans())
@settings(max_examples=examples(300), deadline=None)
def test_every_word_and_every_address_comes_out(piece: Piece, is_large: bool) -> None:
    """Small, and as the beginning of a large text, which is rewritten before it is parsed."""
    read, addresses = _found(piece.html + ("<p>y</p>" * 600 if is_large else ""))
    words = set(re.findall(r"[a-zö]+[0-9]+", read))
    assert set(piece.words) <= words
    wanted = {same_picture(url) for url in piece.addresses}
    found = {re.sub(r"\.(?:png|jpg|mp3|mp4)|\?$", "", address) for address in addresses}
    assert {url.removesuffix("?") for url in wanted} <= found


SIGNS = (
    "<",
    "> ",
    "/",
    "=",
    '"',
    "'",
    " ",
    "!",
    "-",
    "a",
    "img",
    "iframe",
    "src",
    "script",
    "]]>",
    "<![CDATA[",
    "\ud83d",
)


@given(st.text() | st.lists(st.sampled_from(SIGNS)).map("".join))
@settings(max_examples=examples(300), deadline=None)
def test_nothing_raises_and_media_are_web_addresses(html: str) -> None:
    content = read_html(html, base=BASE)
    assert len(content.media) <= MOST
    assert all(media.url.startswith("http") and safe_url(media.url) == media.url for media in content.media)
    plain(content.text)


def test_of_many_pictures_no_address_is_lost() -> None:
    html = "".join(f"<p>w{n} <img src='https://m.example/{n}.png' alt='a{n}'></p>" for n in range(60))
    read, addresses = _found(html)
    assert {f"m.example/{n}.png" for n in range(60)} <= addresses
    assert {f"w{n}" for n in range(60)} <= set(read.split())
