"""A card as a classic embed."""

from __future__ import annotations

from typing import Any

from adapters.discord.card import message
from relay.model import Post
from relay.testing import in_thread, post
from tests.support.discord_bodies import PICTURE, POSTS, card, look
from tests.support.discord_reader import read


def embeds(shown: Post) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = message(card(shown), look("embed"))["embeds"]
    return found


def test_an_embed_says_who_what_when_and_why() -> None:
    body = message(in_thread(3, 7), look("embed"))
    (embed,) = body["embeds"]
    assert embed == {
        "author": {"name": "Illa (@illa@ayllu.example)", "url": "https://ayllu.example/@illa"},
        "url": post(3).url,
        "description": "Post number 3.",
        "timestamp": post(3).published.isoformat(),
        "color": 0x6364FF,
        "footer": {"text": "#Qeswachaka · ayllu.example · 🧵 3/7"},
    }
    assert body["content"] == ""
    assert "flags" not in body
    assert [button["label"] for button in body["components"][0]["components"]] == ["Unroll (7)", "Original"]


def test_an_avatar_and_a_title_have_their_places() -> None:
    assert embeds(POSTS["avatar"])[0]["author"]["icon_url"] == "https://ayllu.example/sami.png"
    assert read(embeds(POSTS["title"])[0]["title"]).text == POSTS["title"].title


def test_four_pictures_are_a_gallery_of_embeds_with_one_address() -> None:
    found = embeds(POSTS["pictures"])
    assert [embed["image"]["url"] for embed in found] == [f"https://ayllu.example/{n}.png" for n in range(4)]
    assert {embed["url"] for embed in found} == {post().url}
    assert found[0]["description"].count("[Picture](<https://ayllu.example/") == 8


def test_pictures_are_described_in_a_field() -> None:
    assert embeds(post(media=(PICTURE,)))[0]["fields"] == [
        {"name": "Picture, described", "value": "A rope bridge over a river", "inline": False}
    ]
    (field,) = embeds(POSTS["pictures"])[0]["fields"]
    assert field["name"] == "4 pictures, described"
    assert field["value"].splitlines()[3] == "4. A rope bridge over a river"


def test_pictures_to_be_folded_are_links_behind_spoilers() -> None:
    for kind in ("warning", "sensitive"):
        (embed,) = message(card(POSTS[kind]), look("embed", age_restricted=True))["embeds"]
        assert "image" not in embed
        assert "Picture: A rope bridge over a river" in read(embed["description"]).all("spoiler")


def test_all_else_is_in_the_description() -> None:
    for kind, words in (("poll", "**75 %** Grass"), ("link card", "The Lantern"), ("quote", "> **[Sami]")):
        assert words in embeds(POSTS[kind])[0]["description"]


def test_small_letters_are_left_out_as_embeds_do_not_know_them() -> None:
    assert not [embed for kind in POSTS for embed in embeds(POSTS[kind]) if "\n-# " in embed.get("description", "")]
