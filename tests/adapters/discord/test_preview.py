"""What Discord is shown of a page: a component embed of at most 3,000 bytes, whatever the post."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.discord.card import PREVIEW_BYTES as MOST
from adapters.discord.card import preview
from adapters.discord.card import preview_document as make
from relay.i18n import words
from relay.model import Media, MediaKind
from relay.testing import author, post, rich_post, text
from relay.web.previews import Previews
from tests.support.discord_bodies import POSTS, card, components
from tests.support.discord_render_schema_cases import CREATE, SPECS, validator
from tests.support.reader import SLUG, one, page, served

PAGE = "https://relay.example/t/a"
KNOWN = {1, 2, 9, 10, 11, 12, 14, 17}
_PICTURE = Media(url=f"https://ayllu.example/{'p' * 150}.png", kind=MediaKind.IMAGE, alt="A rope bridge. " * 60)
LONG = {
    "long": post(1, body=text("A long text. " * 400), media=(_PICTURE,) * 10),
    "long in Japanese": post(1, body=text("橋は毎年新しく生まれる。" * 400), media=(_PICTURE,) * 10),
    "long names": post(1, author=replace(author(), name="橋" * 400, handle="@" + "h" * 250, avatar=_PICTURE.url)),
}


def made(shown: Any) -> dict[str, Any]:
    told = make(card(shown, thread=(1, 7), unroll=PAGE), words("en"), 0x6364FF)
    assert len(told.encode()) <= MOST
    document: dict[str, Any] = json.loads(told)
    return document


@pytest.mark.parametrize("kind", [*POSTS, *LONG])
def test_it_is_one_container_of_what_is_allowed_there(kind: str) -> None:
    document = made((POSTS | LONG)[kind])
    assert set(document) == {"component"}
    container = document["component"]
    assert container["type"] == 17
    inner = list(components({"components": [container]}))
    assert {part["type"] for part in inner} <= KNOWN
    assert len(inner) <= 40
    for button in (part for part in inner if part["type"] == 2):
        assert set(button) <= {"type", "style", "url", "label", "emoji"}
        assert button["style"] == 5
    if SPECS:
        body = {"flags": 1 << 15, "components": [container]}
        assert not [error.message for error in validator(CREATE).iter_errors(body)]


@pytest.mark.parametrize("kind", LONG)
def test_however_long_the_post_it_has_its_words_and_leads_to_the_page(kind: str) -> None:
    told = json.dumps(made(LONG[kind]), ensure_ascii=False)
    assert PAGE in told
    assert ("A long text" in told) or ("橋" in told)


def test_what_is_behind_a_warning_stays_there() -> None:
    told = json.dumps(made(rich_post()))
    assert "heights" in told
    assert "||" in told
    assert not [one for one in components({"components": [made(rich_post())["component"]]}) if one["type"] == 12]


async def test_a_page_names_it_and_serves_it() -> None:
    shown = Previews({"discord": preview}, {"fake": 0x123456})
    async with served(page(), previews=shown, public_url="https://relay.example") as get:
        link = one((await get(f"/t/{SLUG}")).tree, 'link[rel="discord:component-embed"]')
        answer = await get(f"/t/{SLUG}/preview/discord")
        nothing = await get(f"/t/{SLUG}/preview/other")
    assert link.attributes["href"] == f"https://relay.example/t/{SLUG}/preview/discord"
    assert link.attributes["type"] == answer.kind.partition(";")[0] == "application/json"
    document = json.loads(answer.text)
    assert document["component"]["accent_color"] == 0x123456
    assert f"https://relay.example/t/{SLUG}" in answer.text
    assert nothing.status == 404


async def test_there_is_none_of_whom_there_is_no_page() -> None:
    shy = page(post(1, author=replace(author(), refuses=True)))
    async with served(shy, previews=Previews({"discord": preview})) as get:
        assert (await get(f"/t/{SLUG}/preview/discord")).status == 410
