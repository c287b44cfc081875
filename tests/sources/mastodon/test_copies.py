"""One post as several servers tell it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.sources.mastodon.copies import Copies, joined, richer
from relay.testing import NOON, author, post, rich_post, text

THERE, SEAS = "https://lakes.example", "https://seas.example"
PICTURE = Media(url="https://lakes.example/1.png", kind=MediaKind.IMAGE)
ALT = replace(PICTURE, alt="A bridge")
UNFETCHED = replace(PICTURE, kind=MediaKind.FILE)


def copy(**changes: object) -> Post:
    """The same post as another server tells it."""
    return post(1, **{"origin": THERE, "aliases": (f"{THERE}/api/v1/statuses/7",), **changes})


@pytest.mark.parametrize(
    "more",
    [
        {"media": (PICTURE,)},
        {"poll": Poll(options=(PollOption(text="Yes"),))},
        {"quote": Quote(url="https://ayllu.example/@sami/9", author=author("Sami"))},
        {"tags": ("rivers",)},
        {"language": "qu"},
        {"edited": NOON},
    ],
)
def test_a_copy_that_has_more_is_richer(more: dict[str, object]) -> None:
    assert richer(copy(**more), post(1))
    assert not richer(post(1), copy(**more))
    assert not richer(post(1), copy())


def test_a_described_picture_is_more_than_one_that_is_not_and_that_more_than_one_that_was_not_fetched() -> None:
    copies = [copy(media=(one,)) for one in (UNFETCHED, PICTURE, ALT)]
    assert [[richer(one, other) for other in copies] for one in copies] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
    ]


def test_a_later_edit_is_more_than_all_that_an_older_copy_has() -> None:
    assert richer(copy(edited=NOON), post(1, media=(ALT,)))


def test_what_counts_likes_or_previews_makes_no_copy_richer() -> None:
    assert not richer(copy(link_card=LinkCard(url="https://a.example", title="A")), post(1))


def third(**changes: object) -> Post:
    return copy(**{"origin": SEAS, "aliases": (f"{SEAS}/api/v1/statuses/8",), **changes})


def test_the_joined_copy_stands_where_the_first_one_stood_under_the_names_of_both() -> None:
    first, second = third(reply_to="a"), copy(media=(ALT,), reply_to="b")
    both = joined(first, second)
    assert (both.media, both.origin, both.reply_to) == ((ALT,), first.origin, "a")
    assert both.aliases == (*first.aliases, *second.aliases)
    assert joined(first, copy()) == first


def test_what_the_author_s_own_server_tells_replaces_every_copy_and_is_replaced_by_none() -> None:
    forged = copy(body=text("Forged."), media=(ALT,), edited=NOON, tags=("rivers",))
    for one, other in ((forged, post(1)), (post(1), forged)):
        best = joined(one, other)
        assert (best.body, best.media, best.edited, best.origin) == (post(1).body, (), None, post(1).origin)


def test_a_richer_copy_adds_what_is_missing_and_changes_no_words() -> None:
    more = copy(body=text("Other words."), warning="heights", media=(ALT,), language="qu", author=author("Sami"))
    assert joined(third(), replace(more, author=post(1).author)).body == third().body
    assert joined(third(), replace(more, author=post(1).author)).media == (ALT,)
    assert joined(third(), more) == third()
    assert joined(third(), replace(more, author=post(1).author, edited=NOON)).body == more.body


POSTS = st.builds(
    copy,
    origin=st.sampled_from([THERE, "https://coast.example", SEAS]),
    media=st.sampled_from([(), (PICTURE,), (ALT,)]),
    edited=st.none() | st.just(NOON),
    language=st.sampled_from(["", "es"]),
)


@given(st.lists(POSTS, min_size=1, max_size=8))
def test_in_any_order_the_richest_copy_is_the_last_that_is_told(copies: list[Post]) -> None:
    """Before a second server tells it, the first one may change its copy in any way."""
    known = Copies()
    told = [known.best(one, NOON) for one in copies]
    alone = next((n for n, one in enumerate(copies) if one.origin != copies[0].origin), len(copies))
    assert not any(richer(one, told[-1]) for one in copies[alone - 1 :])
    assert {one.origin for one in told} == {copies[0].origin}


def test_a_server_that_tells_its_poorer_copy_again_undoes_nothing() -> None:
    known = Copies()
    known.best(post(1), NOON)
    best = known.best(copy(media=(ALT,)), NOON)
    assert known.best(post(1), NOON) == best


def test_a_copy_alike_is_the_first_one_again_so_nothing_changes() -> None:
    known = Copies()
    first = known.best(rich_post(), NOON)
    assert known.best(replace(rich_post(), origin=THERE, body=text("The  bridge holds.")), NOON) == first


def test_a_server_may_change_its_own_copy_in_any_way() -> None:
    known = Copies()
    known.best(post(1, media=(ALT,)), NOON)
    assert known.best(post(1), NOON) == post(1)


def test_copies_are_remembered_for_minutes() -> None:
    known = Copies()
    known.best(post(1, media=(ALT,)), NOON)
    known.best(post(2), NOON + timedelta(minutes=11))
    assert known.best(copy(), NOON + timedelta(minutes=11)) == copy()
    for number in range(5000):
        known.best(post(number), NOON)
    assert len(known._known) <= 2000
