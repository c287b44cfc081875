"""Match of one post with 5 hashtags against a million subscriptions; the floor is five look-ups in a dict."""

from __future__ import annotations

import random
import time

from bench.figures import Figure, interleaved
from relay.core.match import Index, match
from relay.model import Destination, Feed, FeedId, Published, Subscription, SubscriptionId
from relay.testing import post

SUBSCRIPTIONS = 1_000_000
PER_TAG = 10
POSTS = 2_000


def subscription(number: int) -> Subscription:
    tag = f"tag{number // PER_TAG}"
    return Subscription(
        id=SubscriptionId(number),
        topic=f"#{tag}",
        destination=Destination("chat", str(number % 50_000)),
        tags=(("fake", tag),),
    )


def measure() -> list[Figure]:
    subscribed = Index(subscription(number) for number in range(SUBSCRIPTIONS))
    dice = random.Random(1)
    feed = Feed(id=FeedId(1), source="fake", address="x", seeded=True)
    tags = SUBSCRIPTIONS // PER_TAG
    events = [
        (Published(post(number, tags=tuple(f"Tag{dice.randrange(tags)}" for _ in range(5)))),)
        for number in range(POSTS)
    ]

    def ours() -> float:
        begun = time.perf_counter()
        for event in events:
            match(event, feed, subscribed)
        return (time.perf_counter() - begun) / POSTS * 1e6

    by_tag = {f"tag{number}": number for number in range(tags)}

    def floor() -> float:
        begun = time.perf_counter()
        for (event,) in events:
            for tag in event.post.tags:
                by_tag.get(tag.lower())
        return (time.perf_counter() - begun) / POSTS * 1e6

    value, least = interleaved(9, ours, floor)
    return [
        Figure(
            name="match a post with 5 tags, 1,000,000 subscriptions, 50 matches",
            value=value,
            unit="µs",
            target="≤ 20 µs",
            met=value <= 20,
            floor=least,
            floor_name="µs, 5 dict look-ups",
        )
    ]
