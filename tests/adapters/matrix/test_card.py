"""A card as one Matrix message: complete in both forms, within its size, calling nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.matrix.card import MatrixText, message, pictures
from adapters.matrix.content import edited, text_content
from relay.model import Author, Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, PostUri, Quote
from relay.rich import Text
from relay.testing import author, in_thread, post, text
from relay.text import scrub, short
from tests.support.discord_bodies import LINK, PICTURE, VIDEO, card, spoken
from tests.support.matrix_bodies import (
    JOINER,
    LINKS,
    LOOK,
    PAGE,
    POSTS,
    TEXTS,
    WORDS,
    Read,
    canonical,
    check,
    is_within,
    letters,
)
from tests.support.thorough import examples

SAMI = "https://ayllu.example/@sami"


def one(shown: Post) -> tuple[MatrixText, Read]:
    written = message(card(shown), LOOK)
    return written, check(written)


@pytest.mark.parametrize("kind", POSTS)
@pytest.mark.parametrize("where", [{}, {"thread": (3, 7), "unroll": PAGE}])
def test_every_kind_of_post_is_taken_and_so_is_its_edit(kind: str, where: dict[str, object]) -> None:
    shown = card(POSTS[kind], **where)  # type: ignore[arg-type]  # named above
    for followed in ((), [media.url for media in pictures(shown)]):
        written = message(shown, LOOK, shown=followed)
        check(written)
        edit = edited(text_content(written, notify=True, delivery="d" * 64), "$" + "e" * 43)
        assert canonical(edit) <= 60_000


def test_a_card_says_who_what_and_why_in_both_forms() -> None:
    written = message(in_thread(3, 7), LOOK)
    profile = "https://ayllu.example/@illa"
    assert written.body == (
        "Illa @illa@ayllu.example\nPost number 3.\n\n#Qeswachaka · ayllu.example · 🧵 3/7\n"
        f"Unroll (7): {PAGE}\nOriginal: {post(3).url}"
    )
    assert written.html == (
        f'<p><a href="{profile}"><strong>Illa</strong></a> <a href="{profile}">@illa@ayllu.example</a></p>'
        "<p>Post number 3.</p><p><sub>#Qeswachaka · ayllu.example · 🧵 3/7</sub><br>"
        f'<a href="{PAGE}">Unroll (7)</a> · <a href="{post(3).url}">Original</a></p>'
    )


def test_without_a_count_nothing_in_it_grows() -> None:
    few, many = (message(in_thread(3, count), LOOK, count=False) for count in (7, 9))
    assert few == many
    assert "🧵 3\nUnroll thread: " in few.body
    assert ">Unroll thread</a>" in few.html


def test_a_post_that_nobody_can_open_has_no_links() -> None:
    written = message(card(POSTS["without an address"], reason="#tag"), LOOK)
    assert written.body.endswith("\n\n#tag")
    assert written.html.endswith("<p><sub>#tag</sub></p>")
    assert "\n\n🧵 1/2\n" in message(replace(in_thread(1, 2), reason=" "), LOOK).body


def test_a_title_is_a_heading_that_leads_to_the_post() -> None:
    written, read = one(POSTS["title"])
    assert read.all("h3") == [POSTS["title"].title]
    assert (POSTS["title"].title, post().url) in read.links
    assert written.body.startswith(f"Illa @illa@ayllu.example\n{POSTS['title'].title}\n\nPost number 1.")


def test_somebody_without_a_name_has_one_all_the_same() -> None:
    for nameless in (Author(uri="x:y", name="\u200b"), Author(uri="z", name="", handle="x:y")):
        assert one(post(author=nameless))[0].body.startswith("x:y")
    assert one(post(author=Author(uri="", name="")))[0].body.startswith("?")


# --- what is folded ---


def test_a_warning_is_read_before_what_it_hides_and_in_plain_instead_of_it() -> None:
    hidden = post(
        warning="heights",
        title="The weaver",
        body=text("He hangs.", "He sings."),
        poll=Poll(options=(PollOption(text="secret", votes=1),), votes=1),
        quote=Quote(url=SAMI, author=author("Sami"), body=text("secret quote"), media=(VIDEO,)),
        link_card=LinkCard(url=LINK, title="secret page", image=PICTURE.url),
        media=(PICTURE, VIDEO),
    )
    written, read = one(hidden)
    assert "⚠️ Content warning: heights\n\nHe hangs." in read.text
    assert read.spoilers == [
        "He hangs.\n\nHe sings.",
        "100 % secret",
        "🔗 secret page",
        "secret quote",
        "▶️ Video: They pull",
        "🖼️ Picture: A rope bridge over a river\n▶️ Video: They pull",
    ]
    assert read.reasons == ["heights", "", "", "", "", ""]
    assert written.body == (
        f"Illa @illa@ayllu.example\nThe weaver\n\n⚠️ Content warning: heights\nOpen it at {post().url}\n\n"
        f"> Sami @sami@ayllu.example\n> {SAMI}\n\n#Qeswachaka · ayllu.example"
    )


def test_a_long_warned_text_goes_on_outside_of_its_spoilers() -> None:
    _, read = one(POSTS["endless, with a warning"])
    assert "continue reading" not in "".join(read.spoilers)
    assert ("continue reading", post().url) in read.links


def test_sensitive_media_are_behind_a_spoiler_and_the_text_is_not() -> None:
    written, read = one(POSTS["sensitive"])
    assert read.spoilers == ["🖼️ Picture: A rope bridge over a river\n▶️ Video: They pull"]
    assert read.reasons == ["sensitive"]
    assert f"Post number 1.\n\n🖼️ Picture ({PICTURE.url})\n▶️ Video ({VIDEO.url})\n\n" in written.body


def test_a_quote_with_a_warning_is_folded_alone() -> None:
    written, read = one(POSTS["quote with a warning"])
    assert (read.spoilers, read.reasons) == (["High."], ["heights"])
    assert f"Post number 1.\n\n> Sami @sami@ayllu.example\n> ⚠️ Content warning: heights\n> {LINK}\n" in written.body


# --- media ---


def test_pictures_are_shown_and_all_else_is_linked() -> None:
    many = card(POSTS["kinds of media"])
    (picture,) = pictures(many)
    assert picture.kind is MediaKind.IMAGE
    written = message(many, LOOK, shown=[picture.url])
    assert "Picture" not in written.body + written.html
    assert f"\n\n▶️ Video ({LINK}/video): video\n▶️ Animation ({LINK}/animation): animation\n🔊 Sound" in written.body
    assert ("File", f"{LINK}/file") in check(written).links
    assert ("Picture", picture.url) in check(message(many, LOOK)).links


@pytest.mark.parametrize("kind", ["warning", "sensitive", "plain"])
def test_no_picture_is_shown_of_what_is_folded_or_has_none(kind: str) -> None:
    assert pictures(card(POSTS[kind])) == ()


def test_a_picture_is_shown_once_and_eight_at_most() -> None:
    assert pictures(card(post(media=(PICTURE, PICTURE)))) == (PICTURE,)
    assert len(pictures(card(POSTS["pictures"]))) == 8
    assert pictures(card(post(media=(replace(PICTURE, url="file:///etc/x"),)))) == ()


def test_of_media_without_number_it_says_how_many_there_are() -> None:
    written, read = one(POSTS["media without number"])
    assert written.body.count("▶️ Video (") == 12
    assert "\n🖼️ 488 more (https://ayllu.example/@illa/1)\n" in written.body
    assert ("488 more", post().url) in read.links


# --- polls, quotes and links ---


def test_a_poll_is_a_list_with_shares_and_says_when_it_closes() -> None:
    written, read = one(POSTS["poll"])
    assert read.all("li") == ["75 % Grass", "25 % Rope"]
    assert "\n\n• 75 % Grass\n• 25 % Rope\n4 votes · closes 2026-07-02 12:00 UTC\n\n" in written.body
    assert "4 votes · closes 2026-07-02 12:00 UTC" in read.all("sub")
    written, read = one(POSTS["poll without votes"])
    assert read.all("li") == ["Grass", "Rope"]
    assert "\n\n☐ Grass\n☐ Rope\n\n" in written.body


def test_of_a_long_poll_it_says_that_there_is_more() -> None:
    written, read = one(post(poll=Poll(options=tuple(PollOption(text=f"{n}") for n in range(30)))))
    assert read.all("li")[-2:] == ["19", "…"]
    assert "○ 19\n• …\n" in written.body


def test_a_quoted_post_is_a_quotation_with_its_author_and_its_address() -> None:
    written, read = one(POSTS["quote"])
    inner, whole = read.all("blockquote")
    assert inner == "Who crosses,\ncrosses."
    assert whole.startswith("Sami @sami@ayllu.example")
    assert whole.endswith("🖼️ Picture: A rope bridge over a river")
    assert "\n> > Who crosses,\n> > crosses.\n" in written.body
    assert f"\n> {LINK}\n\n#Qeswachaka" in written.body
    gone, read = one(POSTS["quote that is gone"])
    assert f"> A quoted post ({LINK})" in gone.body
    assert read.all("blockquote") == ["A quoted post"]


def test_a_link_that_stands_in_the_text_is_not_told_twice() -> None:
    preview = LinkCard(url=LINK, title="The Lantern")
    assert "🔗 The Lantern (https://ayllu.example/a)" in one(post(link_card=preview))[0].body
    assert "The Lantern" not in one(post(body=text(f"See {LINK}"), link_card=preview))[0].body
    assert "🔗 https://ayllu.example/a\n" in one(post(link_card=LinkCard(url=LINK, title="")))[0].body


# --- limits, names, hostility ---


@pytest.mark.parametrize("kind", [kind for kind in POSTS if kind.startswith("endless")])
def test_what_is_too_long_ends_with_a_link_to_the_rest_and_uses_its_room(kind: str) -> None:
    for unroll, target in ((PAGE, PAGE), ("", post().url)):
        written = message(card(POSTS[kind], thread=(1, 2), unroll=unroll), LOOK)
        assert check(written).links.count(("continue reading", target)) == 1
        assert written.size > 20_000


def test_names_and_titles_leave_room_for_the_text() -> None:
    for kind in ("too much of everything", "too much, and no warning"):
        written = message(card(POSTS[kind], thread=(1, 7), unroll=f"{PAGE}?{'&' * 150}"), LOOK)
        read = check(written)
        assert read.text.count(letters("<b>&amp;{0}{}")) > 10
        assert "continue reading" in read.text
        assert ("Unroll (7)", f"{PAGE}?{'&' * 150}") in read.links


def test_a_name_from_right_to_left_keeps_its_direction() -> None:
    written, _ = one(POSTS["right to left"])
    assert written.body.startswith("\u2068سلمى\u2069 ")
    assert "<strong>\u2068سلمى\u2069</strong>" in written.html


def test_nobody_is_called_by_anything_of_a_post() -> None:
    for kind in ("calls", "calls, and no warning"):
        written, read = one(POSTS[kind])
        assert f"@{JOINER}room @{JOINER}illa:ayllu.example" in written.body
        assert not any("matrix.to" in url for _, url in read.links)
    assert "https://ayllu.example/%40room" in written.body
    assert ("https://ayllu.example/@" + JOINER + "room", "https://ayllu.example/@room") in read.links


# --- anything at all ---


@settings(max_examples=examples(60), deadline=None)
@given(TEXTS, WORDS, st.sampled_from(LINKS), st.booleans(), st.booleans())
def test_any_post_is_taken_and_keeps_its_words(
    body: Text, words: str, link: str, sensitive: bool, warned: bool
) -> None:
    hostile: Card = card(
        post(
            uri=PostUri(link),
            url=link,
            body=(*body, *text("The last words.")),
            title=words,
            warning=words if warned else "",
            sensitive=sensitive,
            author=replace(author(), name=words, handle=words, url=link),
            media=(Media(url=link, kind=MediaKind.IMAGE, alt=words), Media(url=LINK, kind=MediaKind.FILE, alt=words)),
            poll=Poll(options=(PollOption(text=words, votes=1), PollOption(text=words))),
            quote=Quote(url=link, author=replace(author(), name=words), body=text("The quoted words."), warning=words),
            link_card=LinkCard(url=link, title=words),
        ),
        reason=words or "#Qeswachaka",
    )
    written = message(hostile, LOOK, shown=[link])
    read = check(written)
    told = letters(read.text)
    assert is_within(letters(scrub(spoken(body))), told)
    for form in (told, letters(written.body)):
        assert letters(short(words, 80)) in form or "matrix.to" in words or "/#/" in words
    assert canonical(edited(text_content(written, notify=True), "$e")) <= 60_000
    assert "The last words." in read.text
    assert ("The last words." in written.body) is not bool(hostile.post.warning)
    assert "The quoted words." in read.text
    assert ("The quoted words." in written.body) is not bool(words)
