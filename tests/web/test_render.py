"""A thread as HTML, Markdown, plain text and JSON: foreign text stays text in each of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from relay.model import Author, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote, Removed
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import NOON, author, post, rich_post, text
from relay.web.markdown import text_markdown
from relay.web.render import Format, ThreadReading, as_json, html, markdown, page_html, plain_text, render_thread
from relay.web.thread_view import minutes
from tests.support.rendered import LINK, LINKS, TEXTS, reading
from tests.support.thorough import examples

TAGS = frozenset(
    ("p", "h3", "ul", "ol", "li", "blockquote", "pre", "code", "hr", "br", "a", "span", "strong", "em", "s", "u")
)


def letters(words: str) -> str:
    """A text without its white space, which HTML and Markdown are free to set."""
    return "".join(words.split())


def spoken(value: Text) -> str:
    return letters("".join(span.text for block in value if block.form is not Form.RULE for span in block.spans))


class Nesting(HTMLParser):
    """Fails on an element that is not closed where it was opened."""

    VOID = frozenset({"br", "hr", "img", "link", "meta"})

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @property
    def targets(self) -> set[str]:
        return {value or "" for name, value in self.attributes if name in ("href", "src", "poster", "cite")}


# --- rich text as HTML ---


@settings(max_examples=examples(200), deadline=None)
@given(TEXTS)
def test_html_says_what_the_text_says_and_nothing_else_is_markup(value: Text) -> None:
    made = str(html(value))
    nesting = Nesting(made)
    assert nesting.seen <= TAGS
    assert {name for name, _ in nesting.attributes} <= {"dir", "href", "rel", "class", "tabindex", "value"}
    assert nesting.targets <= set(LINKS)
    assert letters(LexborHTMLParser(f"<body>{made}").text()) == spoken(value)


@pytest.mark.parametrize(
    ("block", "made"),
    [
        (Block((Span("a\nb"),)), '<p dir="auto">a<br>b</p>'),
        (Block((Span("<b>&\"'"),)), '<p dir="auto">&lt;b&gt;&amp;&#34;&#39;</p>'),
        (
            Block((Span("x", marks=(SpanStyle.BOLD, SpanStyle.ITALIC)),)),
            '<p dir="auto"><em><strong>x</strong></em></p>',
        ),
        (Block((Span("H"),), Form.HEADING), '<h3 dir="auto">H</h3>'),
        (Block((Span("a\n  b"),), Form.CODE), '<pre dir="ltr"><code>a\n  b</code></pre>'),
        (Block((), Form.RULE), "<hr>"),
        (Block((Span("q"),), quote=2), '<blockquote dir="auto"><blockquote><p>q</p></blockquote></blockquote>'),
        (Block((Span("3rd"),), Form.ITEM, depth=1, bullet="3."), '<ol dir="auto"><li value="3">3rd</li></ol>'),
        (
            Block((Span("x", marks=(SpanStyle.SPOILER,)),)),
            '<p dir="auto"><span class="spoiler" tabindex="0">x</span></p>',
        ),
        (Block((Span("#a", role=Role.HASHTAG),)), '<p dir="auto"><span class="tag">#a</span></p>'),
        (
            Block((Span("a ", LINK), Span("b", LINK, marks=(SpanStyle.BOLD,)))),
            f'<p dir="auto"><a href="{LINK}" rel="nofollow noopener noreferrer ugc">a <strong>b</strong></a></p>',
        ),
        (Block((Span("x", "javascript:alert(1)"),)), '<p dir="auto">x</p>'),
    ],
)
def test_each_form_of_text_has_its_html(block: Block, made: str) -> None:
    assert html((block,)) == made


def test_items_of_a_list_hold_what_is_deeper() -> None:
    items = [("a", 1, "•"), ("b", 2, "1."), ("c", 2, "2."), ("d", 1, "•")]
    value = tuple(Block((Span(name),), Form.ITEM, depth=depth, bullet=bullet) for name, depth, bullet in items)
    assert html(value) == ('<ul dir="auto"><li>a<ol><li value="1">b</li><li value="2">c</li></ol></li><li>d</li></ul>')
    assert text_markdown(value) == "- a\n\n  1. b\n  2. c\n- d"


# --- rich text as Markdown ---


@settings(max_examples=examples(200), deadline=None)
@given(TEXTS)
def test_markdown_says_what_the_text_says_and_nothing_else_is_markup(value: Text) -> None:
    made = MarkdownIt("commonmark").enable(["strikethrough", "table"]).render(text_markdown(value))
    nesting = Nesting(made)
    assert nesting.seen <= TAGS
    assert {LexborHTMLParser(made).css_first("pre code[class]")} == {None}
    assert nesting.targets <= {MarkdownIt().normalizeLink(link) for link in LINKS}
    assert letters(LexborHTMLParser(f"<body>{made}").text()) == spoken(value)


@pytest.mark.parametrize(
    ("spans", "made"),
    [
        ((Span("plain words, and (more)!"),), r"plain words, and (more)\!"),
        ((Span("very ", marks=()), Span("bold", marks=(SpanStyle.BOLD,)), Span(".")), "very **bold**."),
        ((Span("Stop.", marks=(SpanStyle.BOLD,)), Span(" Go.")), "**Stop.** Go."),
        ((Span("un"), Span("believ", marks=(SpanStyle.ITALIC,)), Span("able")), "unbelievable"),
        ((Span("a`b", marks=(SpanStyle.CODE,)),), "``a`b``"),
        ((Span(LINK, LINK),), f"<{LINK}>"),
        ((Span("here", LINK, marks=(SpanStyle.ITALIC,)),), f"[*here*](<{LINK}>)"),
        ((Span("!"), Span("x", LINK)), rf"\![x](<{LINK}>)"),
        ((Span("a\nb"),), "a\\\nb"),
        ((Span("# no heading"),), r"\# no heading"),
        ((Span("1986. A year"),), r"1986\. A year"),
        ((Span("*_`[<&~|"),), r"\*\_\`\[\<\&\~\|"),
    ],
)
def test_markdown_escapes_what_would_be_markup_and_little_else(spans: tuple[Span, ...], made: str) -> None:
    assert text_markdown((Block(spans),)) == made


# --- whole threads ---


THREAD = reading(
    post(1, body=text("A bridge of grass.", "Woven anew each year."), language="es"),
    rich_post(2),
    Removed(post(3).uri),
    post(
        4,
        poll=Poll(options=(PollOption(text="Rope", votes=3), PollOption(text="Steel", votes=1)), votes=4),
        link_card=LinkCard(url="https://ayllu.example/card", title="The bridge"),
        edited=NOON + timedelta(hours=1),
    ),
)


def test_plain_text_reads_from_top_to_bottom() -> None:
    assert plain_text(THREAD) == (
        "Illa (@illa@ayllu.example)\n3 posts, 1 July 2026\nhttps://ayllu.example/@illa/1\n\n"
        "A bridge of grass.\n\nWoven anew each year.\n\n(1 July 2026, 12:01 UTC, https://ayllu.example/@illa/1)\n\n"
        "⚠️ Content warning: heights\n\nThe bridge holds.\n\nread more (https://ayllu.example/more)\n\n"
        "🖼️ Picture (https://ayllu.example/1.png): A rope bridge over a river\n\n"
        "> Sami (https://ayllu.example/@sami/9) @sami@ayllu.example\n>\n> Bring rope.\n\n"
        "(1 July 2026, 12:02 UTC, https://ayllu.example/@illa/2)\n\n[post removed]\n\n"
        "Post number 4.\n\n▰▰▰▰▰▰▰▰▱▱ 75 % Rope\n▰▰▱▱▱▱▱▱▱▱ 25 % Steel\n\n4 votes\n\n"
        "🔗 The bridge (https://ayllu.example/card)\n\n"
        "(1 July 2026, 12:04 UTC, https://ayllu.example/@illa/4)"
    )


def test_markdown_shows_no_picture_that_its_author_folded() -> None:
    folded = "[Picture: A rope bridge over a river](<https://ayllu.example/1.png>)"
    shown = replace(rich_post(2), warning="", sensitive=False)
    assert "> ⚠️ **Content warning:** heights\n\n" in markdown(THREAD)
    assert f"\n{folded}" in markdown(THREAD)
    assert "![A rope bridge over a river](<https://ayllu.example/1.png>)" in markdown(reading(shown))


def test_json_has_the_names_that_the_console_writes() -> None:
    made = as_json(THREAD)
    posts = made["posts"]
    assert isinstance(posts, list)
    assert posts[1] | {"quote": ...} == {
        "uri": "https://ayllu.example/users/illa/statuses/2",
        "url": "https://ayllu.example/@illa/2",
        "author": {"name": "Illa", "handle": "@illa@ayllu.example", "url": "https://ayllu.example/@illa"},
        "title": "",
        "text": "The bridge holds.\n\nread more (https://ayllu.example/more)",
        "warning": "heights",
        "sensitive": True,
        "media": [{"url": "https://ayllu.example/1.png", "kind": "image", "alt": "A rope bridge over a river"}],
        "published": "2026-07-01T12:02:00+00:00",
        "edited": None,
        "language": "en",
        "other_languages": [],
        "tags": ["Qeswachaka"],
        "poll": None,
        "quote": ...,
        "link": None,
    }
    assert posts[2] == {"uri": "https://ayllu.example/users/illa/statuses/3", "removed": True}
    assert json.loads(render_thread(THREAD, Format.JSON)) == made


def test_a_file_of_its_own_needs_nothing_but_its_pictures() -> None:
    page = LexborHTMLParser(page_html(THREAD))
    assert page.css("link[rel=stylesheet], script, iframe") == []
    assert len(page.css("style")) == 1
    policy = page.css_first("meta[http-equiv=Content-Security-Policy]")
    assert policy is not None
    assert "style-src 'sha256-" in (policy.attributes["content"] or "")
    assert not [a for a in page.css("a[href]") if not (a.attributes["href"] or "").startswith(("https://", "#"))]


def test_a_branch_follows_the_thread_folded() -> None:
    page = LexborHTMLParser(page_html(replace(THREAD, asides=((post(9, body=text("By the way.")),),))))
    aside = page.css_first(".asides details")
    assert aside is not None
    assert "By the way." in aside.text()
    assert "By the way." in plain_text(replace(THREAD, asides=((post(9, body=text("By the way.")),),)))


def test_a_quoted_author_who_asks_not_to_be_kept_is_only_linked() -> None:
    quote = Quote(url="https://ayllu.example/@sami/9", author=replace(author("Sami"), refuses=True), body=text("Mine."))
    for form in Format:
        written = render_thread(reading(post(1, quote=quote)), form)
        assert "Mine." not in written
        assert "https://ayllu.example/@sami/9" in written


@pytest.mark.parametrize(
    ("words", "expected"),
    [("", 1), ("word " * 265, 1), ("word " * 266, 2), ("橋" * 1000, 2), ("橋" * 1001, 3), ("слово " * 530, 2)],
)
def test_reading_time_counts_words_or_characters(words: str, expected: int) -> None:
    assert minutes(words) == expected


def test_a_link_preview_shows_the_warning_in_place_of_the_text() -> None:
    warned = reading(post(1, body=text("The fall."), warning="heights"))
    assert warned.summary == "Content warning: heights"
    assert len(reading(post(1, body=text("word " * 200))).summary) <= 200


# --- what people write to break things ---

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</style></title></textarea><script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "&lt;script&gt;&#x3c;img src=x&#x3e;",
    "javascript:alert(1)",
    "[x](javascript:alert(1)) ![x](https://evil.example/p.png) <https://evil.example>",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "-->]]><!--",
]


def filled_post(words: str) -> Post:
    """A post with the same words wherever its author's words can stand."""
    who = Author(uri=words, name=words, url=words, handle=words, avatar=words)
    media = tuple(Media(url=url, kind=kind, alt=words, preview=words) for url in (words, LINK) for kind in MediaKind)
    body = (Block((Span(words), Span(words, link=words))),)
    return post(
        1,
        url=words,
        origin=words,
        author=who,
        body=body,
        title=words,
        warning=words,
        language=words,
        media=media,
        poll=Poll(options=(PollOption(text=words, votes=1),)),
        quote=Quote(url=words, author=who, body=body, warning=words),
        link_card=LinkCard(url=words, title=words, description=words, image=words),
        reply_to=words,
    )


def everywhere(words: str) -> ThreadReading:
    """A thread with the same words wherever words can stand: folded, open and beside it."""
    first = filled_post(words)
    return reading(first, replace(first, warning="", sensitive=True), asides=((first,),), address=words)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words_wherever_they_stand_in_a_page(words: str) -> None:
    """No element and no attribute is there that would not be there with friendly words, and no address leads away."""
    made = page_html(everywhere(words))
    hostile, friendly = Nesting(made), Nesting(page_html(everywhere(LINK)))
    assert hostile.seen <= friendly.seen
    assert {name for name, _ in hostile.attributes} <= {name for name, _ in friendly.attributes}
    assert {target for target in hostile.targets if not target.startswith(("data:image/svg+xml,", "#"))} == {LINK}
    assert letters(words) in letters(LexborHTMLParser(made).text())


def test_the_title_of_a_page_is_not_turned_around() -> None:
    title = LexborHTMLParser(page_html(everywhere("\u202egnp.exe"))).css_first("title")
    assert title is not None
    assert title.text() == "gnp.exe — gnp.exe (gnp.exe)"


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words_in_markdown(words: str) -> None:
    made = Nesting(MarkdownIt("commonmark").enable(["strikethrough", "table"]).render(markdown(everywhere(words))))
    assert made.seen <= TAGS | {"h1", "h2", "img"}
    assert made.targets == {LINK}
