from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from adapters.console_card import render, to_plain, to_terminal
from relay.model import (
    Action,
    Author,
    Card,
    Delivery,
    DeliveryId,
    LinkCard,
    Media,
    MediaKind,
    Place,
    Poll,
    PollOption,
    Post,
    PostUri,
    Quote,
)
from relay.rich import Block, Form, Role, Span, SpanStyle
from relay.testing import NOON, author, delivery, in_thread, post, rich_post, text
from tests.support.console_cases import INK, shown
from tests.support.thorough import examples


def card_of(shown_post: Post, **card: Any) -> str:
    return to_plain(render(shown(shown_post, **card)))


def test_a_card_piped_is_plain_text() -> None:
    body = (
        Block((Span("We weave the "), Span("bridge", marks=(SpanStyle.BOLD,)), Span(" anew."))),
        Block((Span("grass"),), Form.ITEM, depth=1, bullet="•"),
        Block((Span("rope\nand rope"),), Form.ITEM, depth=2, bullet="2."),
        Block((Span("Who crosses"),), quote=1),
        Block((Span("greets."),), quote=1),
        Block((Span("rope = grass * 3\nbridge = rope * 6"),), Form.CODE),
        Block((), Form.RULE),
    )
    whole = post(
        author=replace(author("Illa"), name="Illa Mamani"),
        title="Three days",
        warning="heights",
        body=body,
        media=(
            Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A bridge"),
            Media(url="https://ayllu.example/1.mp4", kind=MediaKind.VIDEO),
        ),
        poll=Poll(
            options=(PollOption(text="Cross", votes=12), PollOption(text="Look")),
            votes=15,
            closes=NOON + timedelta(days=1),
        ),
        link_card=LinkCard(url="https://valley.example/story", title="The story"),
        quote=Quote(url="https://ayllu.example/@sami/9", author=author("Sami"), body=text("Bring rope.")),
    )
    place = Place(root=PostUri("r"), position=2, count=7)
    assert card_of(whole, thread=place, unroll="https://relay.example/t/x") == (
        "Illa Mamani  @illa@ayllu.example  2026-07-01 12:01 UTC\n"
        "\n"
        "Three days\n"
        "\n"
        "⚠ Content warning: heights\n"
        "\n"
        "We weave the bridge anew.\n"
        "\n"
        "• grass\n"
        "  2. rope\n"
        "     and rope\n"
        "\n"
        "┃ Who crosses\n"
        "┃\n"
        "┃ greets.\n"
        "\n"
        "    rope = grass * 3\n"
        "    bridge = rope * 6\n"
        "\n"
        "────────────────────\n"
        "\n"
        "🖼 Picture (https://ayllu.example/1.png): A bridge\n"
        "▶ Video (https://ayllu.example/1.mp4)\n"
        "▰▰▰▰▰▰▰▰▱▱ 80 % Cross\n"
        "○ Look\n"
        "15 votes · closes 2026-07-02 12:00 UTC\n"
        "↗ The story (https://valley.example/story)\n"
        "\n"
        "┃ Sami  @sami@ayllu.example\n"
        "┃ Bring rope.\n"
        "\n"
        "#Qeswachaka · ayllu.example · https://ayllu.example/@illa/1\n"
        "🧵 2/7  Unroll: https://relay.example/t/x\n"
        "\n"
    )


def test_an_edit_and_a_deletion_are_one_line_each() -> None:
    edited = to_plain(render(delivery(action=Action.EDIT)))
    deleted = to_plain(render(delivery(action=Action.DELETE)))
    assert edited == "✎ edited  Illa  Post number 1.\n\n"
    assert deleted == "✗ deleted by its author  https://ayllu.example/users/illa/statuses/1\n\n"


def test_a_new_count_is_one_line_with_the_page_of_the_thread_or_else_the_post() -> None:
    counted = delivery(action=Action.COUNT, card=in_thread(1, 4))
    assert to_plain(render(counted)) == "🧵 4 posts  Illa  Unroll: https://relay.example/t/abc\n\n"
    alone = delivery(action=Action.COUNT, card=replace(in_thread(1, 1), unroll=""))
    assert to_plain(render(alone)) == "🧵 1 post  Illa  https://ayllu.example/@illa/1\n\n"


def test_an_edit_does_not_show_what_is_folded() -> None:
    folded = Card(post=rich_post(), reason="#Qeswachaka")
    edited = to_plain(render(delivery(action=Action.EDIT, card=folded)))
    assert "heights" in edited
    assert "bridge" not in edited


@pytest.mark.parametrize(
    ("span", "printed"),
    [
        (Span("the story", "https://valley.example/long"), "the story (https://valley.example/long)"),
        (Span("https://valley.example/", "https://valley.example/"), "https://valley.example/"),
        (Span("valley.example/lo…", "https://valley.example/long"), "https://valley.example/long"),
        (Span("ana@valley.example", "mailto:ana@valley.example"), "ana@valley.example"),
        (Span("write to me", "mailto:ana@valley.example"), "write to me (ana@valley.example)"),
        (Span("#Qeswachaka", "https://ayllu.example/tags/q", Role.HASHTAG), "#Qeswachaka"),
        (Span("map", "https://valley.example/map"), "map (https://valley.example/map)"),
        (Span("1", "https://valley.example/long#n1"), "1"),
        (Span("@ana", "https://ayllu.example/@ana", Role.MENTION), "@ana"),
    ],
)
def test_where_a_link_leads_is_printed(span: Span, printed: str) -> None:
    assert f"\n{printed}\n" in card_of(post(body=(Block((span,)),)))


def test_a_quote_that_may_not_be_shown_is_a_link() -> None:
    assert "┃ A quoted post (https://ayllu.example/@sami/9)\n" in card_of(
        post(quote=Quote(url="https://ayllu.example/@sami/9"))
    )


def test_sensitive_pictures_say_so() -> None:
    card = card_of(rich_post())
    assert re.search(r"^🖼 sensitive: Picture \(https://\S+\): A rope bridge over a river$", card, re.MULTILINE)


def test_a_name_from_right_to_left_does_not_turn_its_neighbours() -> None:
    def header(name: str) -> str:
        return card_of(post(author=replace(author(), name=name))).splitlines()[0]

    assert header("مريم").startswith("\u2068مريم\u2069  @illa")
    assert header("Illa").startswith("Illa  @illa")


def test_a_whole_article_is_cut_and_its_link_stays() -> None:
    card = card_of(post(body=text("word " * 2000)))
    assert len(card) < 2000
    assert "…" in card
    assert "https://ayllu.example/@illa/1" in card


WORDS = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\x1b\x9b\x07\x00\u202e\u2028橋🧵\t ") | st.just("\ud800"),
    max_size=60,
)
FORMS = st.sampled_from(Form)
BODIES = st.lists(
    st.builds(lambda words, form, quote: Block((Span(words),), form, quote), WORDS, FORMS, st.integers(0, 2))
)


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Posts that no source should let through: foreign text everywhere, not cleaned."""
    words = draw(WORDS)
    hostile = Post(
        uri=PostUri(words),
        url=words,
        source="fake",
        origin="",
        author=Author(uri="u", name=draw(WORDS), url=f"https://a.example/{words}", handle=words),
        published=NOON,
        body=tuple(draw(BODIES)),
        title=words,
        warning=draw(WORDS),
        media=(Media(url=words, kind=MediaKind.IMAGE, alt=draw(WORDS)),),
        poll=Poll(options=(PollOption(text=words),)),
        link_card=LinkCard(url=words, title=words),
        quote=Quote(url=words, author=author("Sami"), body=tuple(draw(BODIES))),
    )
    card = Card(post=hostile, reason=words, thread=Place(root=PostUri(words), position=1, count=2), unroll=words)
    action = draw(st.sampled_from(Action))
    return Delivery(
        id=DeliveryId("d"),
        action=action,
        destination=delivery().destination,
        uri=PostUri(words),
        card=None if action is Action.DELETE else card,
    )


@given(deliveries())
@settings(max_examples=examples(200), deadline=None)
def test_no_foreign_control_reaches_a_pipe_or_a_terminal(hostile: Delivery) -> None:
    unwanted = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
    lines = render(hostile)
    assert not unwanted.search(to_plain(lines))
    assert not unwanted.search(INK.sub("", to_terminal(lines, hostile.action, 80)))


@given(deliveries(), st.integers(30, 100))
@settings(max_examples=examples(100), deadline=None)
def test_no_line_is_wider_than_the_terminal(wide: Delivery, width: int) -> None:
    painted = INK.sub("", to_terminal(render(wide), wide.action, width))
    assert max(cell_len(line) for line in painted.split("\n")) <= width


def test_a_card_on_a_terminal_keeps_to_its_rule() -> None:
    painted = INK.sub("", to_terminal(render(shown(rich_post())), Action.SEND, 40))
    *card, blank, end = painted.split("\n")
    assert all(line.startswith("▌ ") for line in card)
    assert blank == end == ""
    assert "▌ read more (https://ayllu.example/more)" in [line.rstrip() for line in card]
