"""Who wants a post, and why."""

from __future__ import annotations

from dataclasses import replace

from relay.match import index, match
from relay.model import Deleted, Destination, Edited, Event, Feed, FeedId, Post, Published, Subscription, SubscriptionId
from relay.testing import post

FEED = Feed(id=FeedId(1), source="fake", address="https://ayllu.example/tag", seeded=True)


def subscription(number: int, to: str, *, tag: str = "", feed: int = 0, source: str = "fake") -> Subscription:
    return Subscription(
        id=SubscriptionId(number),
        topic=f"#{tag}" if tag else f"feed {feed}",
        destination=Destination.parse(to),
        tags=((source, tag),) if tag else (),
        feeds=(FeedId(feed),) if feed else (),
    )


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
