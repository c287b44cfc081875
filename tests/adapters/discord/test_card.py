"""A card made of components, and under the author's own name: complete, within every limit, calling nobody."""

from __future__ import annotations

from dataclasses import replace
from gettext import NullTranslations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.discord.card import edit_of, message, original, original_in, skeleton, title, username
from adapters.discord.limits import address
from adapters.discord.settings import Style
from relay.i18n import Words
from relay.model import Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.testing import NOON, author, in_thread, post, rich_post, text
from relay.text import short, units
from tests.support.discord_bodies import (
    LINK,
    LINKS,
    PICTURE,
    POSTS,
    STYLES,
    TEXTS,
    VIDEO,
    WORDS,
    card,
    check,
    components,
    look,
    markdowns,
    of_type,
    shown,
    spoken,
)
from tests.support.discord_reader import letters, read
from tests.support.thorough import examples


class Shouting(NullTranslations):
    """A language of its own."""

    def gettext(self, message: str) -> str:
        return message.upper().replace("{N}", "{n}")


UNIX = int(NOON.timestamp())
PAGE = "https://relay.example/t/abc"


def texts(body: dict[str, Any]) -> list[str]:
    return [one["content"] for one in of_type(body, 10)]


def buttons(body: dict[str, Any]) -> dict[str, str]:
    return {one["label"]: one["url"] for one in of_type(body, 2)}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", POSTS)
def test_every_kind_of_post_is_within_the_limits(kind: str, style: Style) -> None:
    for one in (card(POSTS[kind]), card(POSTS[kind], thread=(3, 7), unroll=PAGE)):
        for open_to in (look(style), look(style, age_restricted=True, role="77", colour=None)):
            check(message(one, open_to), role=open_to.mention_role)


def test_a_card_says_who_what_when_and_why() -> None:
    body = message(in_thread(3, 7), look())
    head, words, foot = texts(body)
    assert head.startswith("### [Illa](<https://ayllu.example/@illa>)\n\\@illa\\@ayllu.example\n-# <t:")
    assert words == "Post number 3."
    assert foot == "-# \\#Qeswachaka · ayllu.example · 🧵 3/7"
    assert buttons(body) == {"Unroll (7)": PAGE, "Original": post(3).url}
    assert of_type(body, 17)[0]["accent_color"] == 0x6364FF
    assert body["flags"] == 1 << 15


def test_a_post_alone_has_no_unroll_button() -> None:
    assert list(buttons(message(card(post()), look()))) == ["Original"]
    assert list(buttons(message(card(post(), thread=(1, 2)), look()))) == ["Original"]


def test_the_labels_are_in_the_language_of_the_channel() -> None:
    shouting = Words("en-shout", Shouting())
    assert list(buttons(message(in_thread(1, 7), replace(look(), say=shouting)))) == ["UNROLL (7)", "ORIGINAL"]


def test_times_are_told_by_the_readers_client() -> None:
    head = texts(message(card(POSTS["edited"]), look()))[0]
    published = int(POSTS["edited"].published.timestamp())
    assert f"<t:{published}:f> · <t:{published}:R> · edited <t:{UNIX + 3600}:R>" in head


def test_an_avatar_stands_beside_the_name_and_is_described() -> None:
    (section,) = of_type(message(card(POSTS["avatar"]), look()), 9)
    assert section["accessory"] == {
        "type": 11,
        "media": {"url": "https://ayllu.example/sami.png"},
        "description": "Avatar of Sami",
    }


def test_a_name_from_right_to_left_keeps_its_direction() -> None:
    head = texts(message(card(POSTS["right to left"]), look()))[0]
    assert head.splitlines()[0] == "### \u2068[سلمى](<https://ayllu.example/@sami>)\u2069"


def test_a_title_leads_to_the_post() -> None:
    source = texts(message(card(POSTS["title"]), look()))[1]
    assert source.startswith("## ")
    assert ("Market moves to the church steps", post().url) in read(source).links
    assert letters(read(source).text) == letters(POSTS["title"].title)


@pytest.mark.parametrize("style", STYLES)
def test_a_warning_is_read_before_what_it_hides(style: Style) -> None:
    hidden = post(
        warning="heights",
        body=text("He hangs.", "He sings."),
        poll=Poll(options=(PollOption(text="secret", votes=1),)),
        quote=Quote(url=LINK, author=author("Sami"), body=text("secret quote")),
        link_card=LinkCard(url=LINK, title="secret page", description="secret words", image=PICTURE.url),
        media=(PICTURE,),
    )
    body = message(card(hidden), look(style))
    sources = markdowns(body)
    assert any(source.startswith("⚠️ **Content warning:** heights\n") for source in sources)
    behind = letters("".join(found for source in sources for found in read(source).all("spoiler")))
    for secret in ("He hangs.", "He sings.", "secret", "secret quote", "secret page", "secret words"):
        assert letters(secret) in behind
    assert PICTURE.url not in [one.get("media", {}).get("url") for one in of_type(body, 11)]
    assert all(item["spoiler"] for one in of_type(body, 12) for item in one["items"])
    assert all("image" not in embed for embed in body.get("embeds", ()))


def test_every_picture_has_its_description() -> None:
    (gallery,) = of_type(message(card(POSTS["kinds of media"]), look()), 12)
    assert gallery["items"] == [{"media": {"url": f"{LINK}/image"}, "description": "image"}]
    (gallery,) = of_type(message(card(POSTS["no description"]), look()), 12)
    assert gallery["items"][0]["description"] == "Picture without a description"


def test_a_gallery_holds_ten_and_the_rest_are_links() -> None:
    body = message(card(POSTS["pictures"]), look())
    assert [len(one["items"]) for one in of_type(body, 12)] == [10]
    linked = [url for source in texts(body) for label, url in read(source).links if label == "Picture"]
    assert linked == ["https://ayllu.example/10.png", "https://ayllu.example/11.png"]


def test_what_is_no_picture_is_linked_with_its_description() -> None:
    body = message(card(POSTS["kinds of media"]), look())
    lines = next(source for source in texts(body) if "Sound" in source)
    assert read(lines).text == "▶️ Video: video\n▶️ Animation: animation\n🔊 Sound: audio\n📎 File: file"
    assert [item["media"]["url"] for item in of_type(message(card(post(media=(VIDEO,))), look()), 12)[0]["items"]] == [
        PICTURE.url
    ]


def test_sensitive_media_are_shown_as_spoilers_only_where_the_channel_is_age_restricted() -> None:
    (gallery,) = of_type(message(card(POSTS["sensitive"]), look(age_restricted=True)), 12)
    assert [item["spoiler"] for item in gallery["items"]] == [True, True]
    body = message(card(POSTS["sensitive"]), look())
    assert not of_type(body, 12)
    spoilers = [found for source in texts(body) for found in read(source).all("spoiler")]
    assert spoilers == ["Picture: A rope bridge over a river", "Video: They pull"]


def test_a_poll_shows_shares_and_when_it_closes() -> None:
    body = message(card(POSTS["poll"]), look())
    assert f"▰▰▰▰▰▰▰▰▱▱ **75 %** Grass\n▰▰▱▱▱▱▱▱▱▱ **25 %** Rope\n-# 4 votes · closes <t:{UNIX + 86400}:f>" in texts(
        body
    )
    assert "☐ Grass\n☐ Rope" in texts(message(card(POSTS["poll without votes"]), look()))


def test_a_link_card_has_its_picture_its_words_and_its_host() -> None:
    (section,) = of_type(message(card(POSTS["link card"]), look()), 9)
    assert section["components"][0]["content"] == f"🔗 **[The Lantern](<{LINK}>)**\n-# News\n-# ayllu.example"
    assert section["accessory"]["media"]["url"] == PICTURE.url


def test_a_quoted_post_is_a_block_quote_with_its_author_and_media() -> None:
    source = next(one for one in texts(message(card(POSTS["quote"]), look())) if one.startswith(">"))
    assert source.splitlines()[0] == f"> **[Sami](<{LINK}>)** \\@sami\\@ayllu.example"
    assert source.splitlines()[-1].startswith("> 🖼️ [Picture](<https://ayllu.example/1.png>): A rope")
    assert len(read(source).all("quote")) == 1
    assert f"> [A quoted post](<{LINK}>)" in texts(message(card(POSTS["quote that is gone"]), look()))


def test_a_quoted_warning_hides_what_it_warns_of() -> None:
    source = next(one for one in texts(message(card(POSTS["quote with a warning"]), look())) if one.startswith(">"))
    assert read(source).all("spoiler") == ["High."]
    assert "heights" in source


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", [kind for kind in POSTS if kind.startswith("endless")])
def test_what_is_too_long_ends_with_a_link_to_the_rest(kind: str, style: Style) -> None:
    for unroll, target in ((PAGE, PAGE), ("", post().url)):
        body = message(card(POSTS[kind], thread=(1, 2), unroll=unroll), look(style))
        (source,) = [one for one in markdowns(body) if "continue reading" in one]
        assert source.endswith(f"… [continue reading](<{target}>)")
        assert len(source.encode()) > 3500


def test_a_long_body_leaves_room_for_all_the_rest() -> None:
    full = replace(POSTS["endless"], poll=POSTS["poll"].poll, quote=POSTS["quote"].quote, media=(VIDEO,))
    body = message(card(full), look())
    assert all(word in shown(body) for word in ("Sami", "4 votes", "They pull", "continue reading", "#Qeswachaka"))


# --- the role that may be called ---


@pytest.mark.parametrize("style", STYLES)
def test_only_the_chosen_role_is_called_and_only_once(style: Style) -> None:
    body = message(card(POSTS["hostile"]), look(style, role="77"))
    assert body["allowed_mentions"] == {"parse": [], "roles": ["77"]}
    assert [body.get("content") or texts(body)[0]] == ["<@&77>"]
    assert edit_of(body)["allowed_mentions"] == {"parse": []}


def test_an_edit_keeps_what_an_edit_takes() -> None:
    body = message(card(POSTS["avatar"]), look("webhook"))
    assert set(body) - set(edit_of(body)) == {"username", "avatar_url"}
    assert edit_of(body)["flags"] == 1 << 15


# --- under the author's own name ---


def test_a_webhook_bears_the_authors_name_and_picture() -> None:
    body = message(card(POSTS["avatar"]), look("webhook"))
    assert body["username"] == "Sami · via Chaski Wasi"
    assert body["avatar_url"] == "https://ayllu.example/sami.png"
    assert not of_type(body, 9)
    assert "[@sami@ayllu.example](<https://ayllu.example/@sami>)" in texts(body)[-1]
    assert "avatar_url" not in message(card(post()), look("webhook"))


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("Illa", "Illa · via Wasi"),
        ("", "illa ayllu.example · via Wasi"),
        ("@everyone", "everyone · via Wasi"),
        ("I\u202ell\u200ba\u2066", "Illa · via Wasi"),
        ("\u3164\u2800", "illa ayllu.example · via Wasi"),
        ("Discord", "illa ayllu.example · via Wasi"),
        ("D.i.s.c.o.r.d Staff", "illa ayllu.example · via Wasi"),
        ("Dіsсоrd", "illa ayllu.example · via Wasi"),
        ("𝗗𝗶𝘀𝗰𝗼𝗿𝗱", "illa ayllu.example · via Wasi"),
        ("D1sc0rd", "illa ayllu.example · via Wasi"),
        ("CIyde", "illa ayllu.example · via Wasi"),
        ("x" * 99, f"{'x' * 68}… · via Wasi"),
    ],
)
def test_a_webhooks_name_is_one_that_is_taken_and_misleads_nobody(name: str, becomes: str) -> None:
    assert username(replace(author(), name=name), "Wasi") == becomes


def test_a_relay_may_not_call_itself_so_either() -> None:
    assert username(author(), "Discord") == "Relay"
    assert username(replace(author(), name="", handle=""), "") == "Relay"


@settings(max_examples=examples(50), deadline=None)
@given(WORDS, WORDS)
def test_any_name_is_within_bounds(name: str, relay: str) -> None:
    given_name = username(replace(author(), name=name), relay)
    assert 1 <= units(given_name) <= 80
    assert given_name.strip() == given_name
    assert not {"@", "\u200b", "`"} & set(given_name)
    assert not any(skeleton(word) in skeleton(given_name) for word in ("discord", "clyde"))


# --- finding a message again ---


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", POSTS)
def test_a_message_leads_back_to_its_original(kind: str, style: Style) -> None:
    one = card(POSTS[kind], thread=(1, 2), unroll=PAGE)
    assert original_in(message(one, look(style))) == original(one)


def test_the_original_is_the_posts_own_address() -> None:
    assert original(card(post())) == post().url
    assert original(card(POSTS["with a long address"])) == POSTS["with a long address"].url
    assert original(card(POSTS["without an address"])) == ""
    assert original_in({}) == ""
    assert "[Original](<https://ayllu.example/xxx" in texts(message(card(POSTS["with a long address"]), look()))[-1]


@pytest.mark.parametrize(
    ("named", "called"),
    [
        (post(), "Illa: Post number 1."),
        (POSTS["title"], "Illa: Market moves to the church steps [and back](no)"),
        (POSTS["warning"], "Illa: ⚠️ heights"),
        (POSTS["empty"], "Illa"),
        (POSTS["nameless"], "https://ayllu.example/users/illa: Post number 1."),
        (replace(post(), body=text("\u200b")), "Illa"),
    ],
)
def test_a_thread_is_called_after_its_post(named: Post, called: str) -> None:
    assert title(card(named)) == called


def test_a_long_title_is_cut() -> None:
    assert all(90 <= units(title(card(POSTS[kind]))) <= 100 for kind in POSTS if kind.startswith("endless"))


# --- anything at all ---


@settings(max_examples=examples(60), deadline=None)
@given(TEXTS, WORDS, st.sampled_from(LINKS), st.sampled_from(STYLES), st.booleans())
def test_any_post_is_within_the_limits_and_keeps_its_words(
    body: Any, words: str, link: str, style: Style, age_restricted: bool
) -> None:
    hostile: Card = card(
        post(
            body=body,
            title=words,
            warning=words,
            author=replace(author(), name=words, handle=words),
            media=(Media(url=link, kind=MediaKind.IMAGE, alt=words), Media(url=LINK, kind=MediaKind.FILE, alt=words)),
            poll=Poll(options=(PollOption(text=words, votes=1),)),
            quote=Quote(url=link, author=replace(author(), name=words), body=body, warning=words),
            link_card=LinkCard(url=link, title=words, description=words),
        ),
        reason=words or "#Qeswachaka",
    )
    sent = message(hostile, look(style, age_restricted=age_restricted))
    check(sent)
    assert 1 <= units(title(hostile)) <= 100
    if not any(span.link or span.marks for block in body for span in block.spans) and len(spoken(body)) < 500:
        words_shown = letters(shown(sent))
        assert all(letters(part) in words_shown for part in spoken(body).split("\n"))


@given(WORDS, st.integers(1, 60))
def test_a_short_line_is_short(words: str, limit: int) -> None:
    assert units(short(words, limit)) <= limit


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (LINK, LINK),
        ("https://áyllu.example/é", "https://xn--yllu-4na.example/%C3%A9"),
        ("mailto:illa@ayllu.example", ""),
        ("javascript:x", ""),
        (f"{LINK}{'x' * 3000}", ""),
    ],
)
def test_only_addresses_that_are_taken_are_sent(url: str, taken: str) -> None:
    assert address(url) == taken


def test_the_samples_have_every_component_and_one_of_everything() -> None:
    """The tables above are worth something only if they reach every part."""
    kinds = {one["type"] for shown_post in POSTS.values() for one in components(message(card(shown_post), look()))}
    assert kinds == {2, 9, 10, 11, 12, 14, 17, 1}
    assert rich_post().quote
