"""Whatever a post shows, each platform and each page shows it too, or links to it, with its description."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.console import _card_record
from adapters.console_card import render, to_plain
from adapters.discord.card import message as discord
from adapters.matrix.card import message as matrix
from adapters.matrix.card import pictures
from adapters.telegram.card import message as telegram
from adapters.telegram.rich import rich
from relay.model import Card, LinkCard, Media, MediaKind, Post, Quote
from relay.sources.bluesky.facets import read_body
from relay.sources.bluesky.shapes import Raw
from relay.testing import author, delivery, post, text
from relay.web.pages import article_html
from relay.web.render import as_json, markdown, page_html, plain_text
from tests.support.discord_bodies import look
from tests.support.matrix_bodies import LOOK as MATRIX
from tests.support.rendered import reading
from tests.support.telegram_bodies import LOOK as TELEGRAM

HOST = "https://ayllu.example"
PAGE = f"{HOST}/@illa/1"
MEDIA = {
    "a picture": Media(url=f"{HOST}/a.png", kind=MediaKind.IMAGE, alt="A rope bridge"),
    "a picture without a preview": Media(url=f"{HOST}/b.svg", kind=MediaKind.IMAGE, alt="A drawing of it"),
    "a video": Media(url=f"{HOST}/c.mp4", kind=MediaKind.VIDEO, alt="They pull the ropes", preview=f"{HOST}/c.jpg"),
    "a video on a page": Media(
        url=f"{HOST}/d.m3u8", kind=MediaKind.VIDEO, alt="They twist grass", preview=f"{HOST}/d.jpg", page=PAGE
    ),
    "a player": Media(url=PAGE, kind=MediaKind.VIDEO, alt="They braid", page=PAGE),
    "an animation": Media(
        url=f"{HOST}/e.gif?ww=3", kind=MediaKind.ANIMATION, alt="A llama dances", preview=f"{HOST}/e.jpg"
    ),
    "an animation that is a video": Media(
        url=f"{HOST}/f.mp4", kind=MediaKind.ANIMATION, alt="A llama jumps", preview=f"{HOST}/f.jpg"
    ),
    "a sound": Media(url=f"{HOST}/g.mp3", kind=MediaKind.AUDIO, alt="A song at work"),
    "a file": Media(url=f"{HOST}/h.pdf", kind=MediaKind.FILE, alt="The plan"),
}


def card(shown: Post) -> Card:
    return Card(post=shown, reason="#Qeswachaka")


def in_matrix(shown: Post) -> str:
    followed = pictures(card(shown))
    captions = "".join(media.alt + media.picture for media in followed)
    return matrix(card(shown), MATRIX, shown=[media.url for media in followed]).html + captions


def in_telegram(shown: Post) -> str:
    parts = [part.parameters() for part in telegram(card(shown), TELEGRAM)]
    return json.dumps(parts, ensure_ascii=False)


PLACES: dict[str, Callable[[Post], str]] = {
    "discord card": lambda shown: json.dumps(discord(card(shown), look("card")), ensure_ascii=False),
    "discord embed": lambda shown: json.dumps(discord(card(shown), look("embed")), ensure_ascii=False),
    "discord in plain": lambda shown: json.dumps(
        discord(card(shown), replace(look("card"), plain=True)), ensure_ascii=False
    ),
    "telegram": in_telegram,
    "telegram in words": lambda shown: json.dumps(
        [part.parameters() for part in telegram(card(shown), TELEGRAM, media=False)], ensure_ascii=False
    ),
    "telegram rich": lambda shown: rich([card(shown)], TELEGRAM) or "",
    "matrix": in_matrix,
    "matrix in words": lambda shown: matrix(card(shown), MATRIX).body,
    "console": lambda shown: to_plain(render(delivery(card=card(shown)))),
    "console json": lambda shown: json.dumps(_card_record(card(shown)), ensure_ascii=False),
    "page": lambda shown: page_html(reading(shown)),
    "book": lambda shown: article_html(reading(shown)),
    "markdown": lambda shown: markdown(reading(shown)),
    "text": lambda shown: plain_text(reading(shown)),
    "json": lambda shown: json.dumps(as_json(reading(shown)), ensure_ascii=False),
}
SHORT = {"discord in plain", "telegram in words", "telegram rich"}
SEEING = {"discord card", "discord embed", "telegram", "telegram rich", "matrix", "page", "markdown"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", MEDIA)
@pytest.mark.parametrize("where", ["in the post", "in what it quotes", "in what it quotes without words"])
def test_a_medium_is_seen_or_linked_with_its_description(place: str, kind: str, where: str) -> None:
    media = MEDIA[kind]
    quote = Quote(url=f"{HOST}/9", author=author("Sami"), body=text("Rope.") if where[-5:] != "words" else ())
    in_post = post(1, media=(media,))
    shown = PLACES[place](in_post if where == "in the post" else post(1, quote=replace(quote, media=(media,))))
    assert media.alt in shown
    assert any(url and url in shown for url in {media.link, media.picture if media.is_picture else media.link})


@pytest.mark.parametrize("place", [one for one in PLACES if "json" not in one])
def test_a_list_of_pieces_is_shown_to_nobody(place: str) -> None:
    assert "m3u8" not in PLACES[place](post(1, media=(MEDIA["a video on a page"],)))


@pytest.mark.parametrize(
    "place", ["discord card", "discord embed", "telegram", "telegram rich", "matrix", "page", "markdown"]
)
@pytest.mark.parametrize(
    ("kind", "picture"),
    [
        ("a picture", "a.png"),
        ("a video on a page", "d.jpg"),
        ("an animation", "e.gif?ww=3"),
    ],
)
def test_what_can_be_seen_is_seen(place: str, kind: str, picture: str) -> None:
    assert f"{HOST}/{picture}" in PLACES[place](post(1, media=(MEDIA[kind],)))


def test_an_animation_moves_in_telegram() -> None:
    (part,) = telegram(card(post(1, media=(MEDIA["an animation"],))), TELEGRAM)
    assert part.method == "sendAnimation"


@pytest.mark.parametrize("place", [one for one in PLACES if one not in SHORT])
@pytest.mark.parametrize("words", ["", "Short.", "bridge " * 130, "bridge " * 500])
@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_of_many_pictures_each_description_can_be_read(place: str, words: str, count: int) -> None:
    media = tuple(
        Media(url=f"{HOST}/{number}.png", kind=MediaKind.IMAGE, alt=f"Nr {number}: a rope bridge over a river")
        for number in range(1, count + 1)
    )
    shown = PLACES[place](post(1, body=text(words) if words else (), media=media))
    missing = [
        number
        for number in range(1, min(count, 4 if place == "discord embed" else 8) + 1)
        if f"Nr {number}:" not in shown
    ]
    assert missing == []


@pytest.mark.parametrize("place", PLACES)
def test_a_quoted_post_that_holds_only_a_link_shows_it(place: str) -> None:
    link = LinkCard(url=f"{HOST}/long-read", title="A long read")
    quote = Quote(url=f"{HOST}/9", author=author("Sami"), link_card=link)
    assert link.url in PLACES[place](post(1, quote=quote))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shown", ["longread.example/2026/11/a-...", "this one", "https://longread.example/2026…"])
@pytest.mark.parametrize("where", ["in the post", "in what it quotes"])
def test_the_whole_address_of_a_shortened_or_named_link_is_in_each_form(place: str, shown: str, where: str) -> None:
    target = "https://longread.example/2026/11/a-very-long-title-of-an-article"
    told = f"Read this: {shown}"
    start = len(b"Read this: ")
    index = {"byteStart": start, "byteEnd": start + len(shown.encode())}
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": target}
    body = read_body(told, Raw(json.dumps([{"index": index, "features": [feature]}]).encode()))
    quote = Quote(url=f"{HOST}/9", author=author("Sami"), body=body)
    written = PLACES[place](post(1, body=body) if where == "in the post" else post(1, quote=quote))
    assert target in written
