"""Who wants a post, and why."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.match import Index, match
from relay.model import (
    Deleted,
    Destination,
    Edited,
    Event,
    Feed,
    FeedId,
    Media,
    MediaKind,
    Post,
    Published,
    Subscription,
    SubscriptionId,
)
from relay.options import NO_FILTERS, Filters, Only
from relay.testing import NOON, author, post
from tests.support.thorough import examples

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
    planned_sends = match([event or Published(post(tags=("Bridge", "rope")))], feed, Index(subscriptions))
    return [(name, planned.reason(wanted)) for planned in planned_sends for name, wanted in planned.by.items()]


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
        assert bool(sends(subscription(1, "console", filters=Filters(language=wanted), **how), event=said)) == comes


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
    assert bool(sends(subscription(1, "console", tag="bridge", filters=Filters(only=only)), event=said)) == comes


def test_a_paused_subscription_wants_nothing() -> None:
    assert sends(subscription(1, "console", tag="bridge", paused="by Illa")) == []
    assert sends(subscription(1, "console", feed=1, paused="by Illa")) == []


@pytest.mark.parametrize("same", [True, False], ids=["same hashtag", "another hashtag"])
def test_of_one_destination_the_first_subscription_that_wants_a_post_counts(same: bool) -> None:
    """Whichever of them is choosy; what the first does not want the second may."""
    spanish, plain = Filters(language=("es",)), NO_FILTERS
    for post_language, first, second, wins in (
        ("en", spanish, plain, "second"),
        ("es", spanish, plain, "first"),
        ("en", plain, spanish, "first"),
        ("es", plain, spanish, "first"),
        ("es", spanish, spanish, "first"),
        ("qu", spanish, Filters(language=("qu",)), "second"),
    ):
        listeners = (
            subscription(1, "console", tag="bridge", topic="first", filters=first),
            subscription(2, "console", tag="bridge" if same else "rope", topic="second", filters=second),
        )
        event = Published(post(tags=("Bridge", "rope"), language=post_language))
        assert sends(*listeners, event=event) == [("console", f"{wins} · ayllu.example")]


# --- so many of one author within an hour ---

SPARE = Filters(per_hour=2)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def brought(subscribed: Index, minute: float, *posts: Post) -> list[str]:
    """The uris that are wished for at this minute, each as the end of its address."""
    planned_sends = match([Published(one) for one in posts], FEED, subscribed, at(minute))
    return [planned.uri.rpartition("/")[2] for planned in planned_sends]


def rationed(**choices: Any) -> Subscription:
    return subscription(1, "console", feed=1, **{"filters": SPARE, **choices})


def test_no_more_than_so_many_of_one_author_come_within_an_hour() -> None:
    subscribed = Index([rationed()])
    assert brought(subscribed, 0, post(1)) == ["1"]
    assert brought(subscribed, 30, post(2), post(3), post(4, author=author("Sami"))) == ["2", "4"]
    assert brought(subscribed, 59, post(5)) == []
    assert brought(subscribed, 60, post(6), post(7)) == ["6"]
    assert brought(subscribed, 90, post(8)) == ["8"]


def test_the_posts_of_a_thread_count_like_others() -> None:
    thread = [post(n, reply_to=post(n - 1).uri, reply_to_author=author().uri) for n in (2, 3)]
    assert brought(Index([rationed()]), 0, post(1), *thread) == ["1", "2"]


def test_the_same_post_again_is_not_one_more() -> None:
    """Another feed, another server and a stream beside its polls all bring it."""
    subscribed = Index([rationed()])
    assert brought(subscribed, 0, post(1), post(1), post(1), post(2)) == ["1", "1", "1", "2"]
    assert brought(subscribed, 1, post(1), post(3)) == ["1"]


def test_the_ration_outlives_an_index() -> None:
    first = Index([rationed()])
    assert brought(first, 0, post(1), post(2)) == ["1", "2"]
    assert brought(Index([rationed()], first.ration), 1, post(3)) == []
    assert brought(Index([rationed()]), 1, post(3)) == ["3"]


def test_what_another_subscription_brings_or_a_filter_holds_back_is_not_counted() -> None:
    everything = subscription(1, "console", tag="rope")
    choosy = rationed(id=SubscriptionId(2), filters=replace(SPARE, language=("es",)))
    subscribed = Index([choosy, everything, subscription(3, "console", feed=1)])
    assert brought(subscribed, 0, post(1, language="en"), post(2, language="en")) == ["1", "2"]
    taken = Index(
        [subscription(1, "console", feed=1, filters=Filters(language=("es",))), rationed(id=SubscriptionId(2))]
    )
    assert brought(taken, 0, *(post(n, language="es") for n in range(5))) == ["0", "1", "2", "3", "4"]
    assert brought(taken, 1, *(post(n, language="en") for n in range(5, 9))) == ["5", "6"]


def test_what_a_feed_brings_to_a_place_is_not_counted_for_its_hashtag() -> None:
    hashtag = subscription(2, "console", tag="rope", filters=SPARE)
    subscribed = Index([subscription(1, "console", feed=1), hashtag])
    said = [Published(post(n, tags=("rope",))) for n in range(6)]
    assert len(match(said[:3], FEED, subscribed, at(0))) == 3
    assert len(match(said[3:], replace(FEED, id=FeedId(77)), subscribed, at(1))) == 2


def test_what_a_ration_holds_back_another_subscription_of_the_place_may_bring() -> None:
    subscribed = Index([rationed(topic="first"), subscription(2, "console", feed=1, topic="second")])
    planned_sends = match([Published(post(n)) for n in range(4)], FEED, subscribed, at(0))
    assert [planned.by["console"].topic for planned in planned_sends] == ["first", "first", "second", "second"]


def test_without_a_clock_it_is_the_time_of_the_posts_that_counts() -> None:
    told = [Published(post(n)) for n in (0, 1, 2, 59, 60, 61)]
    assert [planned.uri for planned in match(told, FEED, Index([rationed()]))] == [post(n).uri for n in (0, 1, 60, 61)]


def test_the_ration_of_many_authors_is_bounded() -> None:
    subscribed = Index([rationed()])
    for n in range(20_050):
        subscribed.ration.take(rationed(), post(n, author=replace(author(), uri=f"x:{n}")), at(0))
    assert len(subscribed.ration._brought) == 20_000  # there is no other way to see what it holds


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["Illa", "Sami"])), max_size=60), st.integers(1, 5))
def test_in_no_hour_there_are_more_than_so_many_of_one_author(said: list[tuple[int, str]], most: int) -> None:
    subscribed = Index([subscription(1, "console", feed=1, filters=Filters(per_hour=most))])
    times: dict[str, list[int]] = {"Illa": [], "Sami": []}
    for number, (minute, who) in enumerate(sorted(said)):
        if brought(subscribed, minute, post(number, author=author(who))):
            times[who].append(minute)
    for came in times.values():
        assert all(sum(begin <= minute < begin + 60 for minute in came) <= most for begin in came)


# --- one word for all networks ---


def test_a_hashtag_is_wanted_of_every_network() -> None:
    """As each network folds it."""
    one = subscription(1, "console", tags=(("mastodon", "anden"), ("bluesky", "andén"), ("rss", "andén")))
    for source in ("mastodon", "bluesky", "rss"):
        event = Published(post(source=source, tags=("Andén",)))
        assert sends(one, event=event)
    assert not sends(one, event=Published(post(source="elsewhere", tags=("Andén",))))


@pytest.mark.parametrize("how", [{"tag": "bridge"}, {"feed": 1}])
def test_filters_hold_posts_back_whatever_brings_them(how: dict[str, Any]) -> None:
    held = subscription(1, "console", filters=Filters(words=("river",)), **how)
    plain = subscription(2, "x:y", **how)
    event = Published(post(tags=("bridge",)))
    assert [to for to, _ in sends(held, plain, event=event)] == ["x:y"]


# --- changes ---

_ONE = st.builds(
    subscription,
    st.integers(1, 6),
    st.sampled_from(["a", "b"]),
    tag=st.sampled_from(["", "bridge", "rope"]),
    feed=st.sampled_from([0, 1]),
    filters=st.sampled_from([NO_FILTERS, Filters(language=("es",)), Filters(language=("qu",))]),
    paused=st.sampled_from(["", "", "for now"]),
)


@given(st.lists(st.one_of(_ONE, st.integers(1, 6)), max_size=25))
def test_an_index_that_follows_changes_is_the_same_as_a_new_one(changes: list[Subscription | int]) -> None:
    """Subscriptions are put (added, changed, paused) or, by their numbers, dropped."""
    followed, there = Index(()), dict[int, Subscription]()
    for change in changes:
        if isinstance(change, int):
            followed.drop(SubscriptionId(change))
            there.pop(change, None)
        else:
            followed.put(change)
            there[change.id] = change
    anew = Index(there[number] for number in sorted(there))
    for tags in ((), ("bridge",), ("rope", "bridge")):
        event = Published(post(tags=tags, language="es"))
        found = [
            {name: one.id for planned in match([event], FEED, which) for name, one in planned.by.items()}
            for which in (followed, anew)
        ]
        assert found[0] == found[1]
    assert followed.by_tag["fake"] == anew.by_tag["fake"]
    assert followed.by_feed == anew.by_feed
    assert len(followed) == len(anew)


def test_of_those_who_listen_the_latest_is_found_first() -> None:
    """Each of a million for one hashtag may be put anew: none may be looked for past all that were put before it."""
    subscribed = Index(subscription(number, str(number), tag="bridge") for number in (1, 2, 3))
    for number in (1, 2):
        subscribed.put(subscription(number, str(number), tag="bridge"))
        found = subscribed.by_tag["fake"].any("bridge")
        assert found is not None
        assert found.id == number


def test_an_index_keeps_all_it_was_given_in_small_parts() -> None:
    """A dict that grows is copied whole, which holds the loop where there is a million of them."""
    numbers = [SubscriptionId(number) for number in range(1, 10_000)]
    like = Subscription(
        id=SubscriptionId(0), topic="#bridge", destination=Destination("fake", "a"), tags=(("fake", "b"),)
    )
    kept = Index(replace(like, id=number, destination=Destination("fake", str(number))) for number in numbers)
    for number in numbers[::2]:
        assert kept.drop(number) is not None
        assert kept.drop(number) is None
    assert kept.ids() == numbers[1::2]
    assert len(kept) == len(numbers[1::2])
    assert max(map(len, kept._there.values())) <= 4_096


def test_a_subscription_to_a_topic_of_its_own_takes_little_memory() -> None:
    """There may be a million of them."""
    some = [subscription(number, "a", tag=f"tag{number}", feed=number) for number in range(1, 5_001)]
    tracemalloc.start()
    try:
        kept = Index(some)
        each = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert each <= 400  # bytes
