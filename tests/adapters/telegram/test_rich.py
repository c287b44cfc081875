"""A thread as one rich message: few tags, all closed, calling nobody; nothing where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from adapters.telegram.entities import finished
from adapters.telegram.prose import drafted
from adapters.telegram.rich import inline, rich
from relay.model import Card
from relay.rich import Block, Form, Span, SpanStyle, Text
from relay.testing import in_thread, post, text
from tests.support.discord_bodies import LINK, PICTURE, STRUCTURED, card
from tests.support.telegram_bodies import LOOK, POSTS, TEXTS

TAGS = frozenset(
    (
        *("h3", "h4", "p", "ul", "ol", "li", "blockquote", "details", "summary", "hr", "footer", "img", "video"),
        *("a", "b", "i", "u", "s", "code", "pre", "tg-spoiler"),
    )
)


class Reader(HTMLParser):
    """Fails where a tag is not known or not closed; keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= {"href", "src"}
        if tag not in {"hr", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader.text


def thread(*bodies: Text) -> list[Card]:
    return [replace(in_thread(n, len(bodies)), post=post(n, body=body)) for n, body in enumerate(bodies, 1)]


def test_a_thread_is_one_message_under_one_name() -> None:
    html = rich(thread(text("One."), text("Two.")), LOOK)
    assert html is not None
    head = '<a href="https://ayllu.example/@illa">'
    assert html == (
        f"<p><b>{head}Illa</a></b> {head}@illa@ayllu.example</a></p><p>One.</p><p>Two.</p>"
        "<footer><i>#Qeswachaka · ayllu.example · 🧵 2</i></footer>"
    )


def test_structure_becomes_elements() -> None:
    html = rich(thread(STRUCTURED), LOOK)
    assert html is not None
    for element in (
        "<h4><b>How it is done</b></h4>",
        f'<p>We weave the <b>bridge</b> anew, see <a href="{LINK}">here</a></p>',
        "<ul><li>grass</li></ul><ol><li>long grass</li></ol>",
        "<blockquote><p>Who crosses,</p><p>crosses.</p></blockquote>",
        "<hr>",
        "<pre>pull --all\nrest</pre>",
    ):
        assert element in html
    read(html)


def test_what_is_warned_of_is_folded_and_its_media_are_links() -> None:
    html = rich([card(POSTS["warning"])], LOOK)
    assert html is not None
    assert "<details><summary>⚠️ <b>Content warning:</b> heights</summary><p>Post number 1.</p>" in html
    assert "<img" not in html
    assert html.index("</details>") > html.index("A rope bridge")


def test_pictures_are_shown_with_their_descriptions() -> None:
    html = rich([card(post(media=(PICTURE,)))], LOOK)
    assert html is not None
    assert f'<img src="{PICTURE.url}"><p>🖼 <a href="{PICTURE.url}">Picture</a>: A rope' in html


@pytest.mark.parametrize("bodies", [[text("One.")] * 25, [text("rope " * 500)] * 5, []])
def test_what_is_too_much_is_no_rich_message(bodies: list[Text]) -> None:
    assert rich(thread(*bodies), LOOK) is None


@pytest.mark.parametrize("kind", POSTS)
def test_every_kind_of_post_is_read(kind: str) -> None:
    html = rich([card(POSTS[kind], thread=(1, 2), unroll=LINK)], LOOK)
    assert html is None or "#Qeswachaka" in read(html)


@pytest.mark.parametrize(
    ("value", "html"),
    [
        (Span("a < b & c"), "a &lt; b &amp; c"),
        (Span("橋🧵", marks=(SpanStyle.BOLD, SpanStyle.ITALIC)), "<b><i>橋🧵</i></b>"),
        (Span("a", f'{LINK}?"b"=<c>&d'), f'<a href="{LINK}?%22b%22=%3Cc%3E&amp;d">a</a>'),
    ],
)
def test_looks_are_tags(value: Span, html: str) -> None:
    assert inline(finished(drafted((Block((value,)),)))) == html


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_any_text_is_well_formed_and_keeps_its_words(value: Text) -> None:
    html = rich(thread(value), LOOK)
    if html is not None:
        read(html)
    flat = tuple(replace(block, form=Form.PARAGRAPH) for block in value)
    words = finished(drafted(flat))
    assert read(inline(words)) == words.text
