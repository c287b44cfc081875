"""MFM to spans."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rich import Form, Mark, Role, Span
from relay.sources.mastodon.misskey.mfm import from_mfm
from relay.text import plain

HOME = "https://ayllu.example"
BOLD, ITALIC, STRIKE, CODE = ((mark,) for mark in (Mark.BOLD, Mark.ITALIC, Mark.STRIKE, Mark.CODE))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("plain", [Span("plain")]),
        ("a **b** c", [Span("a "), Span("b", marks=BOLD), Span(" c")]),
        ("<b>b</b>", [Span("b", marks=BOLD)]),
        ("*it*", [Span("it", marks=ITALIC)]),
        ("<i>it</i>", [Span("it", marks=ITALIC)]),
        ("2*3*4", [Span("2*3*4")]),
        ("~~gone~~", [Span("gone", marks=STRIKE)]),
        ("`x = **1**`", [Span("x = **1**", marks=CODE)]),
        ("**a ~~b~~**", [Span("a ", marks=BOLD), Span("b", marks=(*BOLD, *STRIKE))]),
        ("$[shake.speed=1s so **so**]!", [Span("so "), Span("so", marks=BOLD), Span("!")]),
        ("$[x2 [a](https://a.example)]", [Span("a", "https://a.example")]),
        ("$[tada open", [Span("open")]),
        ("<center>mid</center>", [Span("mid")]),
        ("<plain>**no**</plain>", [Span("**no**")]),
        ("[here](https://a.example/x)", [Span("here", "https://a.example/x")]),
        ("?[here](https://a.example/x)", [Span("here", "https://a.example/x")]),
        ("[b.example](https://a.example)", [Span("b.example (a.example)", "https://a.example")]),
        ("[x](javascript:alert(1))", [Span("[x](javascript:alert(1))")]),
        ("see https://a.example/b.", [Span("see "), Span("https://a.example/b", "https://a.example/b"), Span(".")]),
        ("<https://a.example/日>", [Span("https://a.example/日", "https://a.example/%E6%97%A5")]),
        ("#rivers", [Span("#rivers", f"{HOME}/tags/rivers", Role.HASHTAG)]),
        ("#川,", [Span("#川", f"{HOME}/tags/%E5%B7%9D", Role.HASHTAG), Span(",")]),
        ("@sami@lakes.example", [Span("@sami@lakes.example", f"{HOME}/@sami@lakes.example", Role.MENTION)]),
        ("who@lakes.example", [Span("who@lakes.example")]),
        (":qeswachaka: hi", [Span(":qeswachaka: hi")]),
    ],
)
def test_marks(text: str, spans: list[Span]) -> None:
    (block,) = from_mfm(text, base=HOME)
    assert list(block.spans) == spans


def test_blocks() -> None:
    text = "one\n\ntwo\n> quoted\n> > twice\n```py\nx = '**'\n\ny\n```\nthree\n```\nopen"
    found = [(block.form, block.quote, plain((block,))) for block in from_mfm(text)]
    assert [(form, quote) for form, quote, _ in found] == [
        (Form.PARAGRAPH, 0),
        (Form.PARAGRAPH, 0),
        (Form.PARAGRAPH, 1),
        (Form.PARAGRAPH, 2),
        (Form.CODE, 0),
        (Form.PARAGRAPH, 0),
    ]
    assert "x = '**'\n\ny" in found[4][2]


PIECES = [
    "**",
    "*",
    "`",
    "```\n",
    "\n",
    ">",
    "> ",
    "$[x ",
    "]",
    "[",
    "[a](",
    "<b>",
    "</b>",
    "<plain>",
    "~~",
    "#a",
    "@a",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=60))
def test_any_text_is_read_and_no_letter_of_it_is_made_up(parts: list[str]) -> None:
    text = "".join(parts)
    shown = "".join(span.text for block in from_mfm(text) for span in block.spans)
    assert {c for c in shown if c.isalnum()} <= {c for c in text if c.isalnum()} | set("a")


@pytest.mark.parametrize(
    "piece", ["<b>", "**", "$[a ", "[", "```\n", "> ", ">", "~~", "<plain>", "*a", "[a](", "`", "@a", "#"]
)
def test_no_markup_makes_it_slow(piece: str) -> None:
    since = time.process_time()
    from_mfm(piece * 10_000)
    from_mfm(f"{piece}a\n" * 5_000)
    assert time.process_time() - since < 2
