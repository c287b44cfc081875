"""A card as calls of the Bot API: complete, within every limit, calling nobody."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.card import AlbumItem, CardMessage, LinkButton, keyboard, message, original_of
from relay.model import Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.rich import Text
from relay.testing import author, in_thread, post, text
from tests.support.discord_bodies import LINK, PICTURE, VIDEO, card, spoken
from tests.support.telegram_bodies import LINKS, LOOK, POSTS, TEXTS, WORDS, Schema, all_of, check, letters, links

PAGE = "https://relay.example/t/abc"
SPECS = os.environ.get("RELAY_TEST_SPECS", "")


def one(shown: Post) -> CardMessage:
    (part,) = message(card(shown), LOOK)
    return part


def labels(part: CardMessage) -> dict[str, str]:
    return {button.label: button.url for row in part.buttons for button in row}


@pytest.mark.parametrize("kind", POSTS)
def test_every_kind_of_post_is_taken(kind: str) -> None:
    for shown in (card(POSTS[kind]), card(POSTS[kind], thread=(3, 7), unroll=PAGE)):
        for media in (True, False):
            check(message(shown, LOOK, media=media))


def test_a_card_says_who_what_and_why() -> None:
    (part,) = message(in_thread(3, 7), LOOK)
    assert part.method == "sendMessage"
    assert part.words.text == ("Illa @illa@ayllu.example\nPost number 3.\n\n#Qeswachaka · ayllu.example · 🧵 3/7")
    profile = "https://ayllu.example/@illa"
    assert links(part.words) == [("Illa", profile), ("@illa@ayllu.example", profile)]
    assert all_of(part.words, "bold") == ["Illa"]
    assert all_of(part.words, "italic") == ["#Qeswachaka · ayllu.example · 🧵 3/7"]
    assert part.buttons == ((LinkButton("Unroll (7)", PAGE), LinkButton("Original", post(3).url)),)


def test_the_count_can_be_left_to_the_button() -> None:
    (part,) = message(in_thread(3, 7), LOOK, count=False)
    assert part.words.text.endswith("🧵 3")
    assert keyboard(in_thread(3, 9), LOOK)[0][0].label == "Unroll (9)"
    (album,) = message(card(POSTS["an album"], thread=(1, 7), unroll=PAGE), LOOK, count=False)
    assert album.words.text.endswith("🧵 1\nUnroll thread · Original")


def test_of_a_video_that_only_pages_can_play_there_is_its_picture_and_a_link() -> None:
    """Bluesky's are lists of pieces."""
    page = "https://ayllu.example/@illa/1"
    film = replace(VIDEO, url="https://ayllu.example/1/playlist.m3u8", page=page)
    part = one(post(media=(film,)))
    assert part.method == "sendPhoto"
    assert [item.url for item in part.media] == [film.preview]
    assert page in [url for _, url in links(part.words)]
    assert film.alt in part.words.text
    assert "m3u8" not in str(part)
    bare = one(post(media=(replace(film, preview=""),)))
    assert bare.method == "sendMessage"
    assert page in [url for _, url in links(bare.words)]


def test_a_post_that_nobody_can_open_has_no_buttons() -> None:
    assert keyboard(card(POSTS["without an address"]), LOOK) == ()
    assert original_of(card(POSTS["without an address"])) == ""
    assert original_of(card(post())) == post().url
    assert list(labels(one(post()))) == ["Original"]


def test_a_title_leads_to_the_post() -> None:
    words = one(POSTS["title"]).words
    assert ("Market moves to the church steps [and back](no)", post().url) in links(words)
    assert POSTS["title"].title in all_of(words, "bold")
    assert words.text.startswith(f"Illa @illa@ayllu.example\n{POSTS['title'].title}\n\nPost number 1.")


def test_a_warning_is_read_before_what_it_hides() -> None:
    hidden = post(
        warning="heights",
        body=text("He hangs.", "He sings."),
        poll=Poll(options=(PollOption(text="secret", votes=1),)),
        quote=Quote(url=LINK, author=author("Sami"), body=text("secret quote")),
        link_card=LinkCard(url=LINK, title="secret page", image=PICTURE.url),
        media=(PICTURE, VIDEO),
    )
    part = one(hidden)
    assert "⚠️ Content warning: heights\nHe hangs." in part.words.text
    spoilers = all_of(part.words, "spoiler")
    assert spoilers == [
        "He hangs.\n\nHe sings.",
        "secret",
        "secret page",
        "secret quote",
        "🖼 1. A rope bridge over a river\n▶️ 2. They pull",
    ]
    assert [item.spoiler for item in part.media] == [True, True]
    (alone,) = message(card(replace(hidden, media=())), LOOK)
    assert alone.preview == ""


def test_sensitive_media_are_behind_spoilers_and_the_text_is_not() -> None:
    part = one(POSTS["sensitive"])
    assert [item.spoiler for item in part.media] == [True, True]
    assert all_of(part.words, "spoiler") == ["🖼 1. A rope bridge over a river\n▶️ 2. They pull"]
    assert one(POSTS["hidden sounds"]).method == "sendMessage"
    assert all_of(one(POSTS["hidden sounds"]).words, "spoiler") == ["Sound: He sings"]


@pytest.mark.parametrize(
    ("kind", "method", "items"),
    [
        ("plain", "sendMessage", []),
        ("no description", "sendPhoto", ["photo"]),
        ("video with a preview", "sendVideo", ["video"]),
        ("one animation", "sendAnimation", ["animation"]),
        ("one sound", "sendAudio", ["audio"]),
        ("sounds", "sendMediaGroup", ["audio"] * 3),
        ("a file", "sendDocument", ["document"]),
        ("a file that is not fetched", "sendMessage", []),
        ("an album", "sendMediaGroup", ["photo", "video", "photo"]),
        ("kinds of media", "sendMediaGroup", ["photo", "video", "video"]),
        ("pictures", "sendMediaGroup", ["photo"] * 10),
    ],
)
def test_media_are_shown_by_the_call_for_their_kind(kind: str, method: str, items: list[str]) -> None:
    part = one(POSTS[kind])
    assert (part.method, [item.kind for item in part.media]) == (method, items)


def test_what_an_album_cannot_hold_is_told() -> None:
    assert ("2 more", post().url) in links(one(POSTS["pictures"]).words)
    assert "🔊 Sound: audio\n📎 File: file" in one(POSTS["kinds of media"]).words.text
    assert "📎 File: The count" in one(POSTS["a file that is not fetched"]).words.text


def test_an_album_has_its_links_in_its_words() -> None:
    (part,) = message(card(POSTS["an album"], thread=(1, 7), unroll=PAGE), LOOK)
    assert part.buttons == ()
    assert part.words.text.endswith("🧵 1/7\nUnroll (7) · Original")
    assert links(part.words)[-2:] == [("Unroll (7)", PAGE), ("Original", post().url)]


def test_descriptions_stand_in_a_quotation_that_unfolds() -> None:
    assert all_of(one(POSTS["an album"]).words, "expandable_blockquote") == [
        "🖼 1. A rope bridge over a river\n🖼 3. A rope bridge over a river"
    ]
    assert "🖼" not in one(POSTS["no description"]).words.text
    told = all_of(one(POSTS["long alternatives"]).words, "expandable_blockquote")[0].splitlines()
    assert [len(line) > 150 and line.endswith("…") for line in told] == [True] * 4


def test_what_telegram_does_not_take_as_a_picture_is_shown_by_its_preview_or_linked() -> None:
    assert one(POSTS["a drawing"]).media == (AlbumItem("photo", PICTURE.url),)
    for size in ((9000, 2000), (4000, 100)):
        shown = post(media=(replace(PICTURE, width=size[0], height=size[1]),))
        assert one(shown).method == "sendMessage"
        assert ("Picture", PICTURE.url) in links(one(shown).words)
    assert one(post(media=(replace(PICTURE, width=1200, height=675),))).method == "sendPhoto"


def test_media_that_could_not_be_fetched_are_links() -> None:
    (part,) = message(card(POSTS["an album"]), LOOK, media=False)
    assert part.method == "sendMessage"
    assert part.words.text.count("🖼 Picture: A rope bridge over a river") == 2
    assert list(labels(part)) == ["Original"]


def test_a_text_that_fits_no_caption_is_a_message_before_its_media() -> None:
    words, media = message(card(POSTS["long with a picture"]), LOOK)
    assert (words.method, media.method) == ("sendMessage", "sendPhoto")
    assert len(words.words.text) > 1400
    assert list(labels(words)) == ["Original"]
    assert (words.preview, media.buttons) == ("", ())
    assert media.words.text == "🖼 A rope bridge over a river"


@pytest.mark.parametrize(("letters_of_text", "letters_of_alt", "parts"), [(600, 2000, 1), (800, 300, 2), (850, 40, 1)])
def test_descriptions_find_room_beside_the_text_or_it_goes_before_them(
    letters_of_text: int, letters_of_alt: int, parts: int
) -> None:
    shown = post(
        body=text("rope " * (letters_of_text // 5)), media=(replace(PICTURE, alt="x " * (letters_of_alt // 2)),)
    )
    found = message(card(shown), LOOK)
    assert len(found) == parts
    assert len(all_of(found[-1].words, "expandable_blockquote")[0]) >= min(letters_of_alt, 250) - 12


@pytest.mark.parametrize("kind", [kind for kind in POSTS if kind.startswith("endless")])
def test_what_is_too_long_ends_with_a_link_to_the_rest(kind: str) -> None:
    for unroll, target in ((PAGE, PAGE), ("", post().url)):
        (part,) = message(card(POSTS[kind], thread=(1, 2), unroll=unroll), LOOK)
        assert "… continue reading\n\n#Qeswachaka" in part.words.text
        assert ("continue reading", target) in links(part.words)
        assert len(part.words.text.encode("utf-16-le")) // 2 > 3900


def test_a_poll_shows_shares_and_when_it_closes() -> None:
    words = one(POSTS["poll"]).words
    assert "▰▰▰▰▰▰▰▰▱▱ 75 % Grass\n▰▰▱▱▱▱▱▱▱▱ 25 % Rope\n" in words.text
    assert "4 votes · closes 2026-07-02 12:00 UTC" in all_of(words, "italic")
    assert "☐ Grass\n☐ Rope" in one(POSTS["poll without votes"]).words.text


def test_a_quoted_post_is_a_quotation_with_its_author() -> None:
    (quoted,) = all_of(one(POSTS["quote"]).words, "expandable_blockquote")
    assert quoted.startswith("Sami @sami@ayllu.example\nHow it is done\n")
    assert quoted.endswith("🖼 Picture: A rope bridge over a river")
    assert all_of(one(POSTS["quote with a warning"]).words, "spoiler") == ["High."]
    assert ("A quoted post", LINK) in links(one(POSTS["quote that is gone"]).words)


def test_one_link_is_previewed_and_none_beside_media() -> None:
    assert one(POSTS["link card"]).preview == LINK
    assert one(POSTS["link card"]).parameters()["link_preview_options"] == {"url": LINK, "prefer_small_media": True}
    assert one(post()).parameters()["link_preview_options"] == {"is_disabled": True}
    assert message(in_thread(1, 7), LOOK)[0].preview == PAGE
    assert message(in_thread(2, 7), LOOK)[0].preview == ""
    with_media = one(replace(POSTS["link card"], media=(PICTURE,)))
    assert with_media.preview == ""
    assert ("The Lantern", LINK) in links(with_media.words)


def test_a_link_that_stands_in_the_text_is_not_told_twice() -> None:
    shown = one(post(body=text(f"See {LINK}"), link_card=LinkCard(url=LINK, title="The Lantern")))
    assert "The Lantern" not in shown.words.text


def test_a_name_from_right_to_left_keeps_its_direction() -> None:
    assert one(POSTS["right to left"]).words.text.startswith("\u2068سلمى\u2069 ")


def test_the_parameters_of_calls_and_edits() -> None:
    part = one(POSTS["no description"])
    body = part.parameters()
    assert body["photo"] == PICTURE.url
    assert body["caption"].startswith("Illa")
    assert body["reply_markup"] == {"inline_keyboard": [[{"text": "Original", "url": post().url}]]}
    assert (part.edit_method, set(part.edit_parameters())) == (
        "editMessageCaption",
        {"caption", "caption_entities", "reply_markup"},
    )
    album = one(POSTS["an album"]).parameters()["media"]
    assert [set(item) for item in album] == [
        {"type", "media", "caption", "caption_entities"},
        {"type", "media"},
        {"type", "media"},
    ]
    assert one(post()).edit_method == "editMessageText"


# --- anything at all ---


@settings(max_examples=25, deadline=None)
@given(TEXTS, WORDS, st.sampled_from(LINKS), st.booleans())
def test_any_post_is_taken_and_keeps_its_words(body: Text, words: str, link: str, sensitive: bool) -> None:
    hostile: Card = card(
        post(
            body=body,
            title=words,
            warning=words,
            sensitive=sensitive,
            author=replace(author(), name=words, handle=words),
            media=(Media(url=link, kind=MediaKind.IMAGE, alt=words), Media(url=LINK, kind=MediaKind.FILE, alt=words)),
            poll=Poll(options=(PollOption(text=words, votes=1),)),
            quote=Quote(url=link, author=replace(author(), name=words), body=body, warning=words),
            link_card=LinkCard(url=link, title=words, description=words),
        ),
        reason=words or "#Qeswachaka",
    )
    parts = message(hostile, LOOK)
    check(parts)
    if not any(span.link for block in body for span in block.spans) and len(spoken(body)) < 500:
        shown = letters("".join(part.words.text for part in parts))
        assert all(letters(part) in shown for part in spoken(body).split("\n"))


# --- the Bot API's own description ---


@cache
def schema() -> Schema:
    return Schema(json.loads(Path(SPECS, "telegram-bot-api.json").read_text()))


@pytest.mark.skipif(not SPECS, reason="RELAY_TEST_SPECS names no folder with telegram-bot-api.json")
@pytest.mark.parametrize("kind", POSTS)
def test_a_call_is_what_the_bot_api_asks_for(kind: str) -> None:
    for shown in (card(POSTS[kind]), card(POSTS[kind], thread=(1, 7), unroll=PAGE)):
        for part in message(shown, LOOK):
            where = {"chat_id": -100}
            assert schema().faults(part.method, where | part.parameters()) == []
            assert schema().faults(part.edit_method, where | {"message_id": 7} | part.edit_parameters()) == []


@pytest.mark.skipif(not SPECS, reason="RELAY_TEST_SPECS names no folder with telegram-bot-api.json")
def test_the_schema_finds_what_is_wrong() -> None:
    wrong = {"text": 7, "entities": [{"type": "bold", "offset": "1"}], "colour": "red"}
    assert len(schema().faults("sendMessage", wrong)) >= 4
