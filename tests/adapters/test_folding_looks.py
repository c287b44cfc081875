"""A fold on each platform: the relay's own word on several posts, with a way to all of them, and no original."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.console_card import render, to_plain
from adapters.discord.card import message as discord_message
from adapters.matrix.card import message as matrix_message
from adapters.telegram.card import message as telegram_message
from relay.i18n import words
from relay.model import Card, Digest, DigestReason
from relay.pipeline.digests import digest_card
from relay.testing import NOON, author, delivery, post, text
from tests.support import discord_bodies, matrix_bodies, telegram_bodies
from tests.support.discord_bodies import STYLES, look, of_type

PAGE = "https://relay.example/fold/abc"
POSTS = tuple(
    Card(post=post(n, author=author(f"P{n}"), body=text(f"Post *{n}* @everyone <b>")), reason="", unroll=f"slug{n}")
    for n in range(1, 13)
)


def digest(why: DigestReason, *, long: bool = False) -> Card:
    cards = [replace(one, post=replace(one.post, title="x" * 300)) if long else one for one in POSTS]
    one = Digest(
        slug="abc", reason=why, topic="#bridge", tag="bridge", count=37, since=NOON, best=tuple(reversed(cards))
    )
    return digest_card(one, name="Plaza", address=lambda path: f"https://relay.example/{path}", say=words("en"))


@pytest.mark.parametrize("why", DigestReason)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("long", [False, True])
def test_discord(why: DigestReason, style: str, long: bool) -> None:
    body = discord_message(digest(why, long=long), look(style))  # type: ignore[arg-type]  # one of them
    discord_bodies.check(body)
    assert {one["label"]: one["url"] for one in of_type(body, 2)} == {"All of them": PAGE}
    assert "37" in str(body)


@pytest.mark.parametrize("why", DigestReason)
@pytest.mark.parametrize("long", [False, True])
def test_telegram(why: DigestReason, long: bool) -> None:
    (part,) = telegram_message(digest(why, long=long), telegram_bodies.LOOK)
    telegram_bodies.check([part])
    assert {button.label: button.url for row in part.buttons for button in row} == {"All of them": PAGE}
    assert "All posts on #bridge" in part.words.text


@pytest.mark.parametrize("why", DigestReason)
@pytest.mark.parametrize("long", [False, True])
def test_matrix(why: DigestReason, long: bool) -> None:
    written = matrix_message(digest(why, long=long), matrix_bodies.LOOK)
    matrix_bodies.check(written)
    assert f"All of them: {PAGE}" in written.body
    assert "Original" not in written.body
    assert "https://relay.example/t/slug12" in written.body


def test_a_terminal() -> None:
    told = to_plain(render(replace(delivery(1), card=digest(DigestReason.BUDGET))))
    assert "37 more on #bridge" in told
    assert "P12 — Post *12* @everyone <b>" in told
    assert "and 34 more" in told
