"""MFM to spans."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rich import Form, Role, Span, SpanStyle
from relay.sources.mastodon.misskey.mfm import from_mfm
from relay.sources.mastodon.misskey.notes import read_note
from relay.text import plain
from tests.servers.misskey import Misskey

HOME = "https://ayllu.example"
BOLD, ITALIC, STRIKE, CODE, HIDDEN = (
    (mark,) for mark in (SpanStyle.BOLD, SpanStyle.ITALIC, SpanStyle.STRIKE, SpanStyle.CODE, SpanStyle.SPOILER)
)
FILM = "https://a.example/"
DANCES = [
    *("x2", "x3", "x4", "tada", "jelly", "twitch", "shake", "spin.left", "jump", "bounce", "flip.h,v", "rainbow"),
    *("sparkle", "rotate.deg=30", "position.x=0.8,y=0.5", "scale.x=4", "fg.color=f00", "bg.color=00f", "font.serif"),
    *("border.style=solid,width=4", "crop.top=5", "fade.out", "followmouse", "tilt", "made_up_tomorrow"),
]


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
        ("***big***", [Span("big", marks=BOLD)]),
        ("_it_", [Span("it", marks=ITALIC)]),
        ("snake_case_name", [Span("snake_case_name")]),
        ("at $[unixtime 1700000000].", [Span("at "), Span("2023-11-14 22:13 UTC"), Span(".")]),
        ("$[unixtime -1]", [Span("1969-12-31 23:59 UTC")]),
        ("$[unixtime soon]", [Span("soon")]),
        ("$[unixtime 99999999999999999999999]", [Span("99999999999999999999999")]),
        ("**$[unixtime 0]**", [Span("1970-01-01 00:00 UTC", marks=BOLD)]),
        ("$[ruby 橋 はし]", [Span("橋"), Span(" (はし)")]),
        ("$[ruby $[x2 橋] はし]", [Span("橋"), Span(" (はし)")]),
        ("$[ruby 橋]", [Span("橋")]),
        ("$[blur the **end**]", [Span("the ", marks=HIDDEN), Span("end", marks=(*HIDDEN, *BOLD))]),
        *((f"$[{name} so **so**]", [Span("so "), Span("so", marks=BOLD)]) for name in DANCES),
        ("\\(a^2 + b\\) is", [Span("a^2 + b", marks=CODE), Span(" is")]),
        ("\\[\na = b\n\\]", [Span("a = b", marks=CODE)]),
        ("\\(open", [Span("\\(open")]),
        ("[the **film**](https://a.example/)", [Span("the ", FILM), Span("film", FILM, marks=BOLD)]),
        ("[$[x2 film]](https://a.example/)", [Span("film", FILM)]),
        ("[see #rivers @sami](https://a.example/)", [Span(one, FILM) for one in ("see ", "#rivers", " ", "@sami")]),
        ("[a [b] c](https://a.example/)", [Span("a [b] c", FILM)]),
        ("[**b.example**](https://a.example/)", [Span("b.example (a.example)", FILM, marks=BOLD)]),
    ],
)
def test_marks(text: str, spans: list[Span]) -> None:
    (block,) = from_mfm(text, base=HOME)
    assert list(block.spans) == spans


@pytest.mark.parametrize(
    ("cw", "warning"),
    [
        ("$[x2 **spoiler**] of [the film](https://film.example/)", "spoiler of the film"),
        ("$[blur ends] at $[unixtime 0]", "ends at 1970-01-01 00:00 UTC"),
        ("politics, *more* politics", "politics, more politics"),
        ("line\n\nline", "line line"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_warning_is_read_as_the_text_is(cw: str | None, warning: str) -> None:
    read = read_note(json.dumps(Misskey(HOME).note("hm", cw=cw)).encode(), HOME)
    assert read
    assert read.warning.replace(" (https://film.example/)", "") == warning


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
    "](https://a.aa/",
    "$[ruby ",
    "$[blur ",
    "\\(",
    "\\)",
    "_",
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
    "piece",
    [
        "<b>",
        "**",
        "$[a ",
        "[",
        "```\n",
        "> ",
        ">",
        "~~",
        "<plain>",
        "*a",
        "[a](",
        "`",
        "@a",
        "#",
        "\\(",
        "\\[a",
        "[a]",
        "_a",
        "***",
    ],
)
def test_no_markup_makes_it_slow(piece: str) -> None:
    since = time.process_time()
    from_mfm(piece * 10_000)
    from_mfm(f"{piece}a\n" * 5_000)
    assert time.process_time() - since < 2
