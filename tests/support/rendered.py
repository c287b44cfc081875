"""What several tests share with those of render."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from relay.model import Post, Removed, Thread
from relay.rich import Block, Form, Role, Span, SpanStyle
from relay.testing import NOON
from relay.web.render import ThreadReading

LINK = "https://ayllu.example/a"


LINKS = ("", "https://ayllu.example/a?b=1&c=(2)", "http://ayllu.example/*_~[x]", "mailto:illa@ayllu.example")


MARKUP = st.sampled_from(
    (
        *(
            "*",
            "**",
            "_",
            "`",
            "```",
            "~~",
            "~~~",
            "[",
            "](",
            ")",
            "<",
            ">",
            "<b>",
            "&lt;",
            "&",
            "#",
            "- ",
            "+ ",
            "1. ",
        ),
        *("\n", "\n\n", "    ", "---", "===", "|", ":-", "!", "![", "\\", '"', "'", "<!--", "]]>", "javascript:", LINK),
        *("سلام", "न", "👩‍🚀", "é", "a", "B", "7", ".", " "),
    )
)


CHARACTERS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6)


WORDS = st.lists(MARKUP | CHARACTERS, max_size=8).map("".join)


SPANS = st.builds(
    Span,
    WORDS,
    link=st.sampled_from(LINKS),
    role=st.sampled_from(Role),
    marks=st.lists(st.sampled_from(SpanStyle), unique=True, max_size=3).map(tuple),
)


BLOCKS = st.builds(
    Block,
    st.lists(SPANS, max_size=4).map(tuple),
    form=st.sampled_from(Form),
    quote=st.integers(0, 3) | st.just(1000),
    depth=st.integers(0, 3) | st.just(1000),
    bullet=st.sampled_from(["•", "1.", "42.", "123456789.", "x"]),
)


TEXTS = st.lists(BLOCKS, max_size=6).map(tuple)


def reading(*posts: Post | Removed, **changes: object) -> ThreadReading:
    made = ThreadReading.of_thread(Thread(posts=posts), now=NOON + timedelta(hours=2), site="Chasqui")
    return replace(made, **changes)  # type: ignore[arg-type]  # a test names the fields
