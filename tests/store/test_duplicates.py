"""Copies of a post yield to the original, what reads alike is shown once, and nobody keeps another's words away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import (
    Action,
    Author,
    Deleted,
    Delivery,
    Edited,
    Event,
    Media,
    MediaKind,
    Post,
    PostUri,
    Published,
    Subscription,
    SubscriptionId,
)
from relay.options import DeliveryOptions, Mode
from relay.records import Intake, PlannedSend, Wanted
from relay.store import Store, open_store
from relay.store.duplicates import claims, find_duplicates, is_copy
from relay.testing import post, text
from tests.support.store_cases import HALL, ROOM, carry, claim, delete, edit, lease, publish, said, settled
from tests.support.thorough import examples

ORIGINAL = post(source="pond")
"""Its author's server shows it at https://ayllu.example/@illa/1."""

BRIDGED = post(
    uri=PostUri("sky://illa/1"),
    url="https://sky.example/illa/1",
    source="sky",
    origin="https://sky.example",
    author=Author(uri="sky://illa", name="Illa", url="https://sky.example/illa", handle="@illa.bridge.example"),
    aliases=(ORIGINAL.url,),
)
"""What a bridge made of it elsewhere, as the bridge says."""

ENTRY = post(
    uri=PostUri("feed:ayllu.example/@illa.rss?:1"),
    url="http://www.ayllu.example/@illa/1/?utm_source=feed#top",
    source="feed",
    origin="https://ayllu.example/@illa.rss",
    author=Author(uri="https://ayllu.example/@illa.rss", name=ORIGINAL.author.name),
    aliases=(),
)
"""The entry of its author's own feed."""

CARRIED = post(
    uri=PostUri("https://bridge.example/ap/sky://illa/1"),
    url="https://bridge.example/r/illa/1",
    source="pond",
    origin="https://reader.example",
    author=Author(uri="https://bridge.example/illa", name="Illa"),
    aliases=("https://reader.example/api/77",),
)
HOME = replace(BRIDGED, aliases=(CARRIED.uri,))
"""A post that a bridge carries the other way: its own source knows what the bridge calls it."""

SEND, DELETE = Action.SEND, Action.DELETE


async def listen(store: Store) -> None:
    """Subscribe as these tests want it."""
    assert await store.save_subscriptions("test", [Wanted(topic="#bridge", destination=ROOM)]) == [1]


def shown(done: Sequence[Delivery], room: object = ROOM) -> list[str]:
    """The uris that stand in a room after these deliveries, each once."""
    there: list[str] = []
    for one in done:
        if one.destination == room and one.action is SEND:
            assert one.uri not in there
            there.append(one.uri)
        elif one.destination == room and one.action is DELETE:
            there.remove(one.uri)
    return there


# --- copies yield ---


COPIES = {"claimed": (ORIGINAL, BRIDGED), "carried": (HOME, CARRIED), "repeated": (ORIGINAL, ENTRY)}


@pytest.mark.parametrize(("original", "copy"), COPIES.values(), ids=COPIES)
async def test_of_a_post_and_its_copy_the_post_is_shown(store: Store, original: Post, copy: Post) -> None:
    await publish(store, original)
    await publish(store, copy)
    assert [(one.action, one.uri) for one in await carry(store)] == [(SEND, original.uri)]
    for one in (copy, original, copy):  # seen again: a restart, another server
        await publish(store, one)
    assert await carry(store) == []


@pytest.mark.parametrize(("original", "copy"), COPIES.values(), ids=COPIES)
async def test_a_copy_that_came_first_goes_when_the_post_itself_comes(store: Store, original: Post, copy: Post) -> None:
    await publish(store, copy)
    assert shown(await carry(store)) == [copy.uri]
    await publish(store, original)
    done = await carry(store)
    assert sorted((one.action, one.uri) for one in done) == [(DELETE, copy.uri), (SEND, original.uri)]
    assert [one.messages for one in done if one.action is DELETE] == [(f"message of {copy.uri}",)]
    for one in (copy, original):
        await publish(store, one)
    await edit(store, replace(copy, body=text("Otherwise."), edited=copy.published))
    await delete(store, copy.uri)
    assert await carry(store) == []
    await edit(store, replace(original, body=text("Better."), edited=original.published))
    assert [(one.action, one.uri) for one in await carry(store)] == [(Action.EDIT, original.uri)]
    await delete(store, original.uri)
    assert [(one.action, one.uri) for one in await carry(store)] == [(DELETE, original.uri)]


async def test_a_copy_that_waits_is_not_sent_when_the_post_itself_comes(store: Store) -> None:
    await publish(store, BRIDGED)
    await publish(store, ORIGINAL)
    assert [(one.action, one.uri) for one in await carry(store)] == [(SEND, ORIGINAL.uri)]


async def test_a_copy_that_is_under_way_is_taken_back_afterwards(store: Store) -> None:
    await publish(store, BRIDGED)
    [sending] = await claim(store)
    await publish(store, ORIGINAL)
    await store.save_settlements([settled(sending)], lease())
    assert shown([sending, *await carry(store)]) == [ORIGINAL.uri]


@pytest.mark.parametrize("order", [(ORIGINAL, BRIDGED), (BRIDGED, ORIGINAL)])
@pytest.mark.parametrize("intakes", [1, 2])
async def test_in_one_batch_the_post_alone_is_sent(store: Store, order: Sequence[Post], intakes: int) -> None:
    if intakes == 1:
        await publish(store, *order)
    else:
        await store.add_intakes([said(Published(one), to=(ROOM,)) for one in order], lease())
    assert [one.uri for one in await carry(store)] == [ORIGINAL.uri]


async def test_a_copy_comes_where_the_post_itself_does_not_and_stays_there(store: Store) -> None:
    await publish(store, BRIDGED, to=(ROOM, HALL))
    await publish(store, ORIGINAL, to=(ROOM,))
    done = await carry(store)
    assert (shown(done), shown(done, HALL)) == ([ORIGINAL.uri], [BRIDGED.uri])


async def test_a_copy_that_nobody_wished_for_holds_nothing_back(store: Store) -> None:
    await publish(store, ORIGINAL, to=())
    await publish(store, BRIDGED)
    assert shown(await carry(store)) == [BRIDGED.uri]


@pytest.mark.parametrize("copy", [BRIDGED, ENTRY], ids=["claimed", "repeated"])
@pytest.mark.parametrize("before", [True, False])
async def test_what_its_author_took_back_does_not_come_as_a_copy(store: Store, copy: Post, before: bool) -> None:
    await listen(store)
    await publish(store, *([copy] if before else []), ORIGINAL)
    await carry(store)
    await delete(store, ORIGINAL.uri)
    await publish(store, copy)
    assert [one.action for one in await carry(store)] == [DELETE]


async def test_each_copy_keeps_its_own_page(store: Store) -> None:
    more = replace(BRIDGED, uri=PostUri("sky://illa/2"), aliases=(), reply_to=BRIDGED.uri)
    await publish(store, ORIGINAL, BRIDGED, more)
    for ref, count in ((ORIGINAL.uri, 1), (BRIDGED.uri, 2), (more.uri, 2)):
        page = await store.get_page_of(ref)
        assert page is not None
        assert len(page.posts) == count


# --- who claims what is another's ---

STRANGER = Author(uri="https://other.example/users/sami", name="Sami", url="https://other.example/@sami")
LIES = {
    "it is a copy of it": replace(BRIDGED, body=text("Lies.")),
    "it is a copy of it by its uri": replace(BRIDGED, aliases=(ORIGINAL.uri,), body=text("Lies.")),
    "it shows its address": post(8, source="pond", url=ORIGINAL.url, author=STRANGER, origin="https://other.example"),
    "its entry leads there": replace(ENTRY, body=text("Lies.")),
    "its entry leads there, from elsewhere": replace(ENTRY, author=STRANGER, origin="https://other.example/feed"),
    "its entry has its uri as a name": replace(ENTRY, aliases=(ORIGINAL.uri, ORIGINAL.url), body=text("Lies.")),
    "it is where the post was read": replace(BRIDGED, aliases=ORIGINAL.aliases),
    "the original is a copy of it": replace(BRIDGED, uri=PostUri("sky://1"), aliases=(ORIGINAL.uri, "x://y")),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("first", [True, False])
async def test_no_claim_keeps_the_post_away_or_changes_it(store: Store, lie: Post, first: bool) -> None:
    for one in (lie, ORIGINAL) if first else (ORIGINAL, lie):
        await publish(store, one)
    done = await carry(store)
    assert ORIGINAL.uri in shown(done)
    await edit(store, replace(lie, body=text("Worse lies."), edited=lie.published + timedelta(hours=1)))
    for ref in (lie.uri, *lie.aliases):
        if ref not in (ORIGINAL.uri, *ORIGINAL.aliases):  # whose word those are is for the source to tell
            await delete(store, ref)
    done += await carry(store)
    assert shown(done) == [ORIGINAL.uri]
    await edit(store, replace(ORIGINAL, body=text("Better."), edited=ORIGINAL.published))
    assert [(one.action, one.uri) for one in await carry(store)] == [(Action.EDIT, ORIGINAL.uri)]
    await delete(store, ORIGINAL.aliases[0])
    assert [(one.action, one.uri) for one in await carry(store)] == [(DELETE, ORIGINAL.uri)]


@pytest.mark.parametrize("lie", [LIES[name] for name in ("it is a copy of it", "it shows its address")])
async def test_an_address_of_hers_does_not_lead_to_what_others_say(store: Store, lie: Post) -> None:
    await publish(store, lie)
    assert await store.get_page_of(ORIGINAL.url) is None
    await publish(store, replace(lie, uri=PostUri("feed:other.example/?:1"), source="feed"), ORIGINAL)
    for ref in (ORIGINAL.uri, ORIGINAL.url, *ORIGINAL.aliases):
        page = await store.get_page_of(ref)
        assert page is not None
        assert page.posts == (ORIGINAL,)


async def test_who_claim_each_other_are_no_copies(store: Store) -> None:
    pond = replace(ORIGINAL, aliases=(BRIDGED.url,))
    sky = replace(BRIDGED, uri=PostUri(BRIDGED.url), author=replace(BRIDGED.author, uri="https://sky.example/illa"))
    for one in (pond, sky):
        await publish(store, one)
    assert shown(await carry(store)) == [pond.uri, sky.uri]


async def test_the_end_of_what_a_bridge_made_of_a_post_is_not_its_end(store: Store) -> None:
    await publish(store, HOME)
    await delete(store, CARRIED.uri)
    assert shown(await carry(store)) == [HOME.uri]


@pytest.mark.parametrize("first", [HOME, CARRIED])
async def test_what_another_source_calls_by_its_uri_is_not_changed_by_it(store: Store, first: Post) -> None:
    await publish(store, first)
    await publish(store, HOME if first is CARRIED else CARRIED)
    await publish(store, replace(CARRIED, body=text("Otherwise."), edited=HOME.published))
    [delivery] = [one for one in await carry(store) if one.action is SEND]
    assert delivery.card is not None
    assert delivery.card.post == HOME


async def test_nobody_renames_another_authors_post(store: Store) -> None:
    """An alias that both have makes no post of one source an edit of the other."""
    thief = post(9, source="pond", author=STRANGER, aliases=ORIGINAL.aliases, published=ORIGINAL.published)
    await publish(store, thief)
    await publish(store, ORIGINAL)
    assert shown(await carry(store)) == [thief.uri, ORIGINAL.uri]


# --- what reads alike ---

FEED, CATEGORY = (f"https://bell.example/{path}feed.xml" for path in ("", "category/ropes/"))
NEWS = post(
    uri=PostUri(f"feed:{FEED}:1"),
    url="https://news.example/1",
    source="feed",
    origin=FEED,
    author=Author(uri=FEED, name="Illa"),
    aliases=(),
    title="The bridge stands.",
)
AGAIN = replace(NEWS, uri=PostUri(f"feed:{CATEGORY}:1"), origin=CATEGORY, author=Author(uri=CATEGORY, name="Illa"))
"""The same entry in another feed of the site; or a feed of somebody else there, who repeats it."""


@pytest.mark.parametrize(("one", "other"), [(NEWS, AGAIN), (AGAIN, NEWS)])
async def test_of_what_reads_alike_one_is_enough(store: Store, one: Post, other: Post) -> None:
    await publish(store, one)
    await publish(store, other)
    assert shown(await carry(store)) == [one.uri]
    for each in (one, other):
        await publish(store, each)
    assert await carry(store) == []


async def test_in_one_batch_too_and_each_where_it_is_wished_for(store: Store) -> None:
    intakes = [said(Published(NEWS), to=(ROOM,)), said(Published(AGAIN), to=(ROOM, HALL))]
    await store.add_intakes(intakes, lease())
    done = await carry(store)
    assert (shown(done), shown(done, HALL)) == ([NEWS.uri], [AGAIN.uri])


APART = {
    "another page": replace(AGAIN, url="https://news.example/2"),
    "no page": replace(AGAIN, url="news"),
    "another title": replace(AGAIN, title="The bridge fell."),
    "other words": replace(AGAIN, body=text("It fell.")),
    "a picture more": replace(AGAIN, media=(Media(url="https://bell.example/a.png", kind=MediaKind.IMAGE),)),
    "a warning": replace(AGAIN, warning="heights"),
    "another date": replace(AGAIN, published=NEWS.published + timedelta(hours=1)),
    "another name": replace(AGAIN, author=Author(uri=CATEGORY, name="Sami")),
    "another host": replace(AGAIN, origin="https://other.example/feed.xml", author=STRANGER),
    "another entry of the same feed": replace(NEWS, uri=PostUri(f"feed:{FEED}:2")),
    "a claim": replace(AGAIN, aliases=("https://third.example/1",)),
}


@pytest.mark.parametrize("other", APART.values(), ids=APART)
async def test_what_a_reader_would_tell_apart_comes_too(store: Store, other: Post) -> None:
    for one in (NEWS, other):
        await publish(store, one)
    assert shown(await carry(store)) == [NEWS.uri, other.uri]


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "waiting"])
@pytest.mark.parametrize("event", [Deleted(NEWS.uri), Edited(replace(NEWS, title="Lies.", edited=NEWS.published))])
async def test_what_was_held_back_comes_when_the_other_changes(store: Store, event: Event, sent: bool) -> None:
    """Or who repeats what a feed says at its host could silence it afterwards."""
    await listen(store)
    await publish(store, NEWS)
    await publish(store, AGAIN)
    done = await carry(store) if sent else []
    await store.add_intakes([said(event)], lease())
    done += await carry(store)
    assert shown(done) == ([NEWS.uri] if isinstance(event, Edited) else []) + [AGAIN.uri]
    assert AGAIN.title in [one.card.post.title for one in done if one.uri == AGAIN.uri and one.card]
    await store.add_intakes([said(event)], lease())
    await publish(store, AGAIN)
    assert await carry(store) == []


async def test_what_was_held_back_does_not_come_where_nobody_listens_any_more(store: Store) -> None:
    await publish(store, NEWS)
    await publish(store, AGAIN)
    await delete(store, NEWS.uri)
    assert await carry(store) == []


@pytest.mark.parametrize("delivery_options", [DeliveryOptions(mode=Mode.THREADS), DeliveryOptions(mode=Mode.DIGEST)])
@pytest.mark.parametrize("together", [True, False])
async def test_what_has_no_message_of_its_own_holds_nothing_back(
    store: Store, delivery_options: DeliveryOptions, together: bool
) -> None:
    """It goes on with an earlier one, and so is only counted; or it waits for the next digest."""
    begun = replace(NEWS, uri=PostUri(f"feed:{FEED}:0"), url="https://news.example/0", title="To be continued.")
    more = replace(NEWS, reply_to=begun.uri, reply_to_author=FEED)
    wanted = Subscription(id=SubscriptionId(2), topic=FEED, destination=ROOM, delivery_options=delivery_options)
    planned_sends = tuple(PlannedSend(uri=one.uri, by={str(ROOM): wanted}) for one in (begun, more))
    await store.save_subscriptions("test", [Wanted(topic="1", destination=ROOM), Wanted(topic=FEED, destination=ROOM)])
    first = Intake(feed=None, events=(Published(begun), Published(more)), planned_sends=planned_sends)
    intakes = [first, said(Published(AGAIN), to=(ROOM,))]
    if together:
        await store.add_intakes(intakes, lease())
    else:
        for one in intakes:
            await store.add_intakes([one], lease())
    assert AGAIN.uri in shown(await carry(store))


async def test_what_was_held_back_comes_when_it_changes_itself(store: Store) -> None:
    await listen(store)
    await publish(store, NEWS)
    await publish(store, AGAIN)
    done = await carry(store)
    await edit(store, replace(AGAIN, title="It stands, still.", edited=AGAIN.published))
    done += await carry(store)
    assert shown(done) == [NEWS.uri, AGAIN.uri]
    await edit(store, replace(AGAIN, title="And still.", edited=AGAIN.published))
    assert [(one.action, one.uri) for one in await carry(store)] == [(Action.EDIT, AGAIN.uri)]


async def test_what_was_held_back_does_not_come_once_it_is_deleted(store: Store) -> None:
    await listen(store)
    await publish(store, NEWS)
    await publish(store, AGAIN)
    await delete(store, AGAIN.uri)
    await delete(store, NEWS.uri)
    assert await carry(store) == []


def test_names_of_its_own_are_no_claim() -> None:
    assert claims(ORIGINAL) == claims(ENTRY) == claims(CARRIED) == claims(HOME) == ()
    assert claims(BRIDGED) == ("//ayllu.example/@illa/1",)


# --- whatever comes, in whatever order ---

ALL = [ORIGINAL, BRIDGED, ENTRY, HOME, CARRIED, NEWS, AGAIN, *LIES.values(), *APART.values()]


@given(st.sampled_from(ALL), st.sampled_from(ALL))
def test_no_two_are_copies_of_each_other_and_being_alike_has_no_direction(one: Post, other: Post) -> None:
    assert not (is_copy(one, other) and is_copy(other, one))
    alike = find_duplicates([one, other]).alike
    assert all(name in alike[there] for name, others in alike.items() for there in others)
    assert not is_copy(one, one)


STRANGERS = [*LIES.values(), AGAIN, replace(AGAIN, title="Lies."), ENTRY]
HERS = [ORIGINAL, NEWS]
WORDS = st.sampled_from(["as it was", "One.", "Two."])
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*HERS, *STRANGERS]), st.sampled_from([Published, Edited, Deleted]), WORDS, st.booleans()
    ),
    max_size=14,
)


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
async def test_whatever_others_do_a_reader_finds_what_the_author_says(
    steps: list[tuple[Post, type, str, bool]],
) -> None:
    """Deliveries are carried out now and then; in the end what she says stands there, unless she deleted it."""
    store = await open_store("sqlite://")
    await listen(store)
    room: dict[str, Post] = {}
    hers: dict[str, Post] = {}
    gone: set[str] = set()
    try:
        for hour, (which, kind, words, carried) in enumerate(steps):
            event = _event(which, kind, words, hour)
            wished = kind is Published
            await store.add_intakes([said(event, to=(ROOM,) if wished else ())], lease())
            if which in HERS and which.uri not in gone:
                if kind is Deleted and which.uri in hers:
                    gone.add(which.uri)
                elif not isinstance(event, Deleted) and (wished or which.uri in hers):
                    hers[which.uri] = event.post
            if carried:
                _show(room, await carry(store))
        _show(room, await carry(store))
    finally:
        await store.close()
    read = [(one.title, one.body) for one in room.values()]
    for uri, one in hers.items():
        if uri in gone:
            assert uri not in room
        else:
            assert (one.title, one.body) in read
            assert uri not in room or (room[uri].title, room[uri].body) == (one.title, one.body)


def _event(which: Post, kind: type, words: str, hour: int) -> Event:
    if kind is Deleted:
        return Deleted(which.uri)
    changed = which if words == "as it was" else replace(which, body=text(words))
    event: Event = kind(replace(changed, edited=which.published + timedelta(hours=hour + 1)))
    return event


def _show(room: dict[str, Post], done: Sequence[Delivery]) -> None:
    for one in done:
        if one.action is DELETE:
            room.pop(one.uri, None)
        elif one.card is not None:
            room[one.uri] = one.card.post
