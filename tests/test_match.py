"""Who wants a post, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relay.match import index, match
from relay.model import (
    Deleted,
    Destination,
    Edited,
    Event,
    Feed,
    FeedId,
    Media,
    MediaKind,
    Only,
    Post,
    Published,
    Subscription,
    SubscriptionId,
)
from relay.testing import post

FEED = Feed(id=FeedId(1), source="fake", address="https://ayllu.example/tag", seeded=True)


def subscription(
    number: int, to: str, *, tag: str = "", feed: int = 0, source: str = "fake", **choices: object
) -> Subscription:
    plain = Subscription(
        id=SubscriptionId(number),
        topic=f"#{tag}" if tag else f"feed {feed}",
        destination=Destination.parse(to),
        tags=((source, tag),) if tag else (),
        feeds=(FeedId(feed),) if feed else (),
    )
    return replace(plain, **choices)  # type: ignore[arg-type]  # a test names the fields


def sends(*subscriptions: Subscription, event: Event | None = None, feed: Feed = FEED) -> list[tuple[str, str]]:
    wishes = match([event or Published(post(tags=("Bridge", "rope")))], feed, index(subscriptions))
    return [(name, wish.reason(wanted)) for wish in wishes for name, wanted in wish.by.items()]


def test_a_hashtag_is_matched_however_it_is_written() -> None:
    assert sends(subscription(1, "console", tag="bridge")) == [("console", "#bridge · ayllu.example")]


def test_a_hashtag_is_matched_whichever_feed_brings_it() -> None:
    assert sends(subscription(1, "console", tag="rope"), feed=replace(FEED, id=FeedId(77)))


def test_another_networks_hashtag_is_not_wanted() -> None:
    assert sends(subscription(1, "console", tag="bridge", source="other")) == []


def test_everything_of_a_feed_is_wanted_by_its_subscribers_only() -> None:
    assert sends(subscription(1, "console", feed=1), subscription(2, "x:y", feed=2)) == [
        ("console", "feed 1 · ayllu.example")
    ]


def test_two_subscriptions_for_one_destination_ask_for_one_send() -> None:
    """The first reason found is the one that is told."""
    found = sends(
        subscription(1, "console", tag="bridge"),
        subscription(2, "console", tag="rope"),
        subscription(3, "x:y", tag="rope"),
        subscription(4, "console", feed=1),
    )
    assert sorted(to for to, _ in found) == ["console", "x:y"]


def test_the_first_poll_of_a_feed_asks_for_nothing() -> None:
    assert sends(subscription(1, "console", tag="bridge"), feed=replace(FEED, seeded=False)) == []


def test_only_a_publication_asks_for_a_send() -> None:
    tagged: Post = post(tags=("bridge",))
    for event in (Edited(tagged), Deleted(tagged.uri)):
        assert sends(subscription(1, "console", tag="bridge"), event=event) == []


def test_an_unlisted_post_stays_off_the_channels() -> None:
    assert sends(subscription(1, "console", feed=1), event=Published(post(unlisted=True))) == []


# --- who wants only some of the posts ---


@pytest.mark.parametrize(
    ("wanted", "language", "comes"),
    [
        ((), "es", True),
        (("es",), "es", True),
        (("es",), "es-419", True),
        (("es",), "ES_419", True),
        (("ES",), "es", True),
        (("es-419",), "es-419", True),
        (("es-419",), "es", False),
        (("es",), "est", False),
        (("es",), "en", False),
        (("es", "qu"), "qu", True),
        (("es",), "", True),
        (("es",), "und", True),
    ],
)
def test_only_posts_in_the_languages_that_are_wanted_come(wanted: tuple[str, ...], language: str, comes: bool) -> None:
    """A language wants its varieties; a post whose language nobody said may be in any."""
    said = Published(post(tags=("bridge",), language=language))
    for how in ({"tag": "bridge"}, {"feed": 1}):
        assert bool(sends(subscription(1, "console", languages=wanted, **how), event=said)) == comes


@pytest.mark.parametrize(
    ("only", "changes", "comes"),
    [
        (Only.ALL, {}, True),
        (Only.MEDIA, {}, False),
        *(((Only.MEDIA, {"media": (Media(url="x", kind=kind),)}, kind is not MediaKind.FILE)) for kind in MediaKind),
        (Only.ORIGINALS, {}, True),
        (Only.ORIGINALS, {"reply_to": "somewhere"}, False),
        (Only.ORIGINALS, {"reply_to": "somewhere", "reply_to_author": "https://ayllu.example/users/sami"}, False),
        (Only.ORIGINALS, {"reply_to": "somewhere", "reply_to_author": "https://ayllu.example/users/illa"}, True),
    ],
)
def test_only_posts_of_the_kind_that_is_wanted_come(only: Only, changes: dict[str, Any], comes: bool) -> None:
    said = Published(post(tags=("bridge",), **changes))
    assert bool(sends(subscription(1, "console", tag="bridge", only=only), event=said)) == comes


def test_a_paused_subscription_wants_nothing() -> None:
    assert sends(subscription(1, "console", tag="bridge", paused="by Illa")) == []
    assert sends(subscription(1, "console", feed=1, paused="by Illa")) == []


@pytest.mark.parametrize("same", [True, False], ids=["same hashtag", "another hashtag"])
def test_of_one_destination_the_first_subscription_that_wants_a_post_counts(same: bool) -> None:
    """Whichever of them is choosy; what the first does not want the second may."""
    spanish: dict[str, Any] = {"languages": ("es",)}
    plain: dict[str, Any] = {}
    for post_language, first, second, wins in (
        ("en", spanish, plain, "second"),
        ("es", spanish, plain, "first"),
        ("en", plain, spanish, "first"),
        ("es", plain, spanish, "first"),
        ("es", spanish, spanish, "first"),
        ("qu", spanish, {"languages": ("qu",)}, "second"),
    ):
        listeners = (
            subscription(1, "console", tag="bridge", topic="first", **first),
            subscription(2, "console", tag="bridge" if same else "rope", topic="second", **second),
        )
        event = Published(post(tags=("Bridge", "rope"), language=post_language))
        assert sends(*listeners, event=event) == [("console", f"{wins} · ayllu.example")]
