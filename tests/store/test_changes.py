"""Subscriptions as people in the chats change them, what is noted of it, and what autocomplete offers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import Action, Destination, Edited, Published, Subscription, SubscriptionId
from relay.options import NO_FILTERS, DeliveryOptions, Filters, Mode, Only
from relay.ports import Resolved
from relay.records import ActingUser, Added, Audit, Claim, Full, Quota, State, Wanted
from relay.store import Store, open_store
from relay.store.subscriptions import choices, read_filters
from relay.testing import NOON, post
from tests.support.store_cases import (
    CLAIM,
    HALL,
    ROOM,
    at,
    carry,
    claim,
    delete,
    lease,
    link,
    planned,
    publish,
    said,
    settled,
    states,
)
from tests.support.thorough import examples

PLENTY = Quota(destination=25, community=100)
BRIDGE = Wanted(topic="#bridge", destination=ROOM)
FILTERED = Filters(
    language=("es", "qu"),
    only=Only.MEDIA,
    words=("rope", "“river”, bank"),
    without=("sale",),
    pattern=r"qeswa\w+|\d",
    block=("@sami@ayllu.example",),
    min_age=timedelta(days=30, hours=12),
    per_hour=3,
)

DIGEST = DeliveryOptions(
    mode=Mode.DIGEST, every=timedelta(hours=6), quiet="22:00-07:00 America/Lima", budget=0, burst=3
)


def by(action: str = "subscribe", *, user: str = "illa", minute: float = 0) -> ActingUser:
    return ActingUser(user=user, action=action, now=at(minute))


async def subscribe(store: Store, topic: str = "#bridge", to: Destination = ROOM, **wanted: str) -> SubscriptionId:
    added = await store.add_subscription(Wanted(topic=topic, destination=to, **wanted), PLENTY, by())  # type: ignore[arg-type]  # named by the test
    assert isinstance(added, Added)
    return added.id


async def only(store: Store) -> Subscription:
    [subscription] = await store.list_subscriptions()
    return subscription


# --- adding ---


async def test_a_subscription_is_kept_with_all_that_was_asked_for(store: Store) -> None:
    wanted = Wanted(
        topic="#Qeswachaka",
        destination=ROOM,
        networks=("fake", "other"),
        delivery_options=DIGEST,
        filters=FILTERED,
        options='{"style":"embed"}',
        community="ayllu",
    )
    added = await store.add_subscription(wanted, PLENTY, by())
    assert isinstance(added, Added)
    assert added.new
    assert await only(store) == Subscription(
        id=added.id,
        topic="#Qeswachaka",
        destination=ROOM,
        origin="chat",
        networks=("fake", "other"),
        delivery_options=DIGEST,
        filters=FILTERED,
        options='{"style":"embed"}',
        community="ayllu",
    )
    assert await store.list_audit(5) == [
        Audit(at=NOON, user="illa", destination=ROOM, action="subscribe", detail="#Qeswachaka")
    ]


@pytest.mark.parametrize(
    ("there", "asked", "same"),
    [
        ("#Bridge", "#bRIDGE", True),
        ("#bridge", "＃ｂｒｉｄｇｅ", True),
        ("#ÑANDÚ", "#ñandú", True),
        ("#bridge", "#rope", False),
        ("#123", "#456", False),
        ("#bridge", "bridge", False),
        ("https://ayllu.example/Feed", "https://ayllu.example/feed", False),
        ("https://ayllu.example/feed", "https://ayllu.example/feed", True),
        ("@Illa@ayllu.example", "@illa@ayllu.example", False),
    ],
)
async def test_a_topic_is_there_already_however_its_hashtag_is_written(there: str, asked: str, same: bool) -> None:
    store = await open_store("sqlite://")
    [mine] = await store.save_subscriptions("config:home", [Wanted(topic=there, destination=ROOM)])
    added = await store.add_subscription(Wanted(topic=asked, destination=ROOM), PLENTY, by())
    assert (added == Added(mine, new=False)) == same
    assert len(await store.list_subscriptions()) == 2 - same
    assert len(await store.list_audit(5)) == 1 - same
    await store.close()


async def test_another_destination_may_have_the_same_topic(store: Store) -> None:
    assert await subscribe(store, to=ROOM) != await subscribe(store, to=HALL)
    assert [one.destination for one in await store.list_subscriptions(HALL)] == [HALL]


async def test_a_full_destination_takes_no_more_but_knows_what_it_has(store: Store) -> None:
    """What the configuration relays there counts."""
    quota = Quota(destination=2, community=100)
    await store.save_subscriptions("config:home", [replace(BRIDGE, topic="#a")])
    mine = await store.add_subscription(replace(BRIDGE, topic="#b"), quota, by())
    assert isinstance(mine, Added)
    assert await store.add_subscription(replace(BRIDGE, topic="#c"), quota, by()) == Full(2)
    assert await store.add_subscription(replace(BRIDGE, topic="#B"), quota, by()) == replace(mine, new=False)
    assert isinstance(await store.add_subscription(replace(BRIDGE, destination=HALL), quota, by()), Added)
    assert len(await store.list_audit(9)) == 2


async def test_a_full_community_takes_no_more_in_any_of_its_places(store: Store) -> None:
    """What the configuration relays to its places counts, though it does not say whose they are."""
    quota = Quota(destination=25, community=3)
    ours = replace(BRIDGE, community="ayllu")
    await store.add_subscription(ours, quota, by())
    await store.save_subscriptions("config:home", [replace(BRIDGE, topic="#a"), replace(BRIDGE, topic="#b")])
    elsewhere = replace(ours, destination=HALL)
    assert await store.add_subscription(elsewhere, quota, by()) == Full(3, community=True)
    other = replace(elsewhere, community="valley")
    assert isinstance(await store.add_subscription(other, quota, by()), Added)
    unknown = replace(BRIDGE, destination=Destination("fake", "porch"))
    assert isinstance(await store.add_subscription(unknown, quota, by()), Added)


async def test_people_who_subscribe_at_once_do_not_break_the_quota(store_url: str) -> None:
    stores = [await open_store(store_url) for _ in range(3)]
    quota = Quota(destination=2, community=100)
    topics = [replace(BRIDGE, topic=f"#tag{number}") for number in range(12)]
    answers = await asyncio.gather(
        *(stores[number % 3].add_subscription(topic, quota, by()) for number, topic in enumerate(topics))
    )
    assert sum(isinstance(answer, Added) for answer in answers) == 2
    await asyncio.gather(*(store.close() for store in stores))


# --- changing ---


async def test_a_change_is_kept_and_told(store: Store) -> None:
    mine = await subscribe(store)
    before = await only(store)
    changed = replace(
        before,
        filters=Filters(language=("es", "qu"), only=Only.ORIGINALS),
        options='{"style":"card"}',
        paused="paused by Illa",
    )
    assert await store.save_subscription(changed, by("settings", user="sami", minute=3))
    assert await only(store) == changed
    [latest, _] = await store.list_audit(5)
    assert (latest.user, latest.action, latest.at, latest.destination) == ("sami", "settings", at(3), ROOM)
    assert latest.detail == (
        '#bridge · language: es, qu · only: originals · options: {"style":"card"} · paused: paused by Illa'
    )
    assert await store.save_subscription(replace(changed, paused=""), by("resume"))
    assert (await only(store)).paused == ""
    assert (await store.list_audit(1))[0].detail == "#bridge · paused: —"
    assert mine == before.id


async def test_what_changes_nothing_is_not_told(store: Store) -> None:
    await subscribe(store)
    assert await store.save_subscription(await only(store), by("settings"))
    assert len(await store.list_audit(5)) == 1


async def test_what_is_gone_cannot_be_changed_or_deleted(store: Store) -> None:
    gone = Subscription(id=SubscriptionId(99), topic="#bridge", destination=ROOM)
    assert not await store.save_subscription(gone, by())
    assert not await store.delete_subscription(gone.id, by())
    assert await store.list_audit(5) == []


async def test_a_restart_with_the_configuration_keeps_a_pause_and_renews_the_rest(store: Store) -> None:
    await store.save_subscriptions(
        "config:home", [replace(BRIDGE, filters=Filters(language=("es",)), networks=("fake",))]
    )
    await store.save_subscription(replace(await only(store), paused="paused by Illa"), by("pause"))
    wanted = replace(BRIDGE, filters=Filters(language=("qu",), only=Only.MEDIA), options="{}", networks=("other",))
    await store.save_subscriptions("config:home", [wanted])
    now = await only(store)
    assert (now.filters, now.options, now.networks) == (wanted.filters, "{}", ("other",))
    assert now.paused == "paused by Illa"
    assert now.origin == "config:home"


# --- deleting ---


async def test_a_deleted_subscription_takes_its_feeds_along_unless_others_read_them(store: Store) -> None:
    first, second = await subscribe(store), await subscribe(store, "#rope")
    for one in (first, second):
        await link(store, one, {"fake": Resolved(feeds=("shared", f"own {one}"), tag="t")}, NOON)
    assert await store.delete_subscription(first, by("unsubscribe"))
    assert [state.feed.address for state in await store.list_feeds()] == [f"own {second}", "shared"]
    assert (await only(store)).id == second
    assert (await store.list_audit(1))[0] == Audit(
        at=NOON, user="illa", destination=ROOM, action="unsubscribe", detail="#bridge"
    )


async def test_with_the_last_subscription_goes_what_waits_and_was_not_begun(store: Store) -> None:
    mine = await subscribe(store)
    await subscribe(store, to=HALL)
    await publish(store, post(1), post(2), post(3), to=(ROOM, HALL))
    begun = next(one for one in await claim(store) if one.destination == ROOM)
    await store.delete_subscription(mine, by())
    assert await states(store) == {
        (Action.SEND, State.SENDING): 2,
        (Action.SEND, State.SKIPPED): 2,
        (Action.SEND, State.DUE): 2,
    }
    assert await store.save_settlements([settled(begun)], lease(), CLAIM) == []


async def test_what_was_tried_before_its_last_subscription_went_is_tried_again(store: Store) -> None:
    """It may have arrived: only its end tells."""
    mine = await subscribe(store)
    await publish(store, post(1), post(2))
    [tried] = await claim(store)
    await store.save_settlements([settled(tried, State.DUE)], lease())
    await store.delete_subscription(mine, by())
    assert [one.id for one in await carry(store)] == [tried.id]


async def test_while_another_subscription_is_left_what_waits_is_sent(store: Store) -> None:
    mine = await subscribe(store)
    await subscribe(store, "#rope")
    await publish(store, post(1), post(2))
    await store.delete_subscription(mine, by())
    assert len(await carry(store)) == 2


async def test_what_its_author_deleted_goes_from_where_nobody_subscribes_any_more(store: Store) -> None:
    mine = await subscribe(store)
    await publish(store, post(1), post(2))
    await carry(store)
    await delete(store, post(1).uri)
    await store.add_intakes([said(Edited(post(2, title="anew")))], lease())
    await store.delete_subscription(mine, by())
    assert [one.action for one in await carry(store)] == [Action.DELETE]


# --- what it wants reaches the adapter ---


async def test_a_delivery_has_the_options_that_its_subscription_has_when_it_is_claimed(store: Store) -> None:
    mine = await subscribe(store, options='{"style":"card"}')
    for number in (1, 2, 3):
        asked = replace(said(Published(post(number))), planned_sends=(planned(post(number), subscription=mine),))
        await store.add_intakes([asked], lease())
    [first] = await claim(store)
    await store.save_subscription(replace(await only(store), options='{"style":"embed"}'), by("settings"))
    [second] = await store.save_settlements([settled(first)], lease(), CLAIM)
    await subscribe(store, "#rope")
    await store.delete_subscription(mine, by())
    [third] = await store.save_settlements([settled(second)], lease(), CLAIM)
    assert [one.options for one in (first, second, third)] == ['{"style":"card"}', '{"style":"embed"}', ""]


# --- what is noted ---


async def test_the_audit_lists_the_latest_of_all_or_of_one_destination(store: Store) -> None:
    await subscribe(store, "#a")
    await subscribe(store, "#b", to=HALL)
    await subscribe(store, "#c")
    assert [row.detail for row in await store.list_audit(2)] == ["#c", "#b"]
    assert [row.detail for row in await store.list_audit(9, ROOM)] == ["#c", "#a"]
    assert await store.list_audit(9, Destination("fake", "porch")) == []


# --- hashtags to offer ---


async def test_resuming_a_place_by_command_has_an_audit_row_and_by_the_operator_none(store: Store) -> None:
    await store.save_destination(ROOM, "", at(1))
    await store.save_destination(ROOM, "", at(2), ActingUser(user="7", action="resume", now=at(2)))
    assert await store.list_audit(9) == [Audit(at=at(2), user="7", destination=ROOM, action="resume")]


async def test_the_audit_is_forgotten_with_the_posts_of_its_time(store: Store) -> None:
    for minute in (1, 3):
        await store.save_destination(ROOM, "", at(minute), ActingUser(user="7", action="resume", now=at(minute)))
    await store.delete_old(at(2))
    assert [row.at for row in await store.list_audit(9)] == [at(3)]


async def test_hashtags_are_listed_latest_first_as_they_were_written_and_once(store: Store) -> None:
    await subscribe(store, "#rope")
    await subscribe(store, "#Qeswachaka")
    await subscribe(store, "https://ayllu.example/feed")
    await publish(store, post(1, tags=("puente", "Ñandú")), post(2, tags=("QESWACHAKA", "123")))
    await publish(store, post(3, tags=("hidden",), unlisted=True), post(4, tags=("gone",)))
    await publish(store, post(5, tags=("read",)), to=())
    await delete(store, post(4).uri)
    assert await store.list_tags(ROOM, "", 9) == ["QESWACHAKA", "puente", "Ñandú", "rope"]
    assert await store.list_tags(ROOM, "", 2) == ["QESWACHAKA", "puente"]


async def test_hashtags_of_other_communities_are_theirs_until_their_channel_is_public(store: Store) -> None:
    await store.save_subscriptions("config:t", [Wanted(topic="#common", destination=HALL)])
    await subscribe(store, "#ours", community="one")
    secret = Destination("fake", "secret")
    await subscribe(store, "#theirs", to=secret, community="two")
    await publish(store, post(1, tags=("written",)), to=(secret,))
    porch = Destination("fake", "porch")
    assert set(await store.list_tags(porch, "one", 9)) == {"common", "ours"}
    assert set(await store.list_tags(porch, "", 9)) == {"common"}
    assert set(await store.list_tags(secret, "", 9)) == {"common", "theirs", "written"}
    assert set(await store.list_tags(porch, "two", 9)) == {"common", "theirs", "written"}
    await store.save_listed(secret, ActingUser(user="7", action="settings", now=at(1)), listed=True)
    assert set(await store.list_tags(porch, "one", 9)) == {"common", "ours", "theirs", "written"}
    await store.save_listed(secret, ActingUser(user="7", action="settings", now=at(2)), listed=False)
    assert set(await store.list_tags(porch, "one", 9)) == {"common", "ours"}
    assert [row.detail for row in await store.list_audit(2)] == ["listed: no", "listed: yes"]


# --- what only one process may own ---


async def test_a_lease_is_one_owner_s_until_it_lapses(store: Store) -> None:
    assert await store.claim_lease("adapter:fake", lease("one"))
    assert not await store.claim_lease("adapter:fake", lease("two", now=4))
    assert await store.claim_lease("adapter:other", lease("two", now=4))
    assert await store.claim_lease("adapter:fake", lease("one", now=4))
    assert not await store.claim_lease("adapter:fake", lease("two", now=8))
    assert await store.claim_lease("adapter:fake", lease("two", now=9))
    assert not await store.claim_lease("adapter:fake", lease("one", now=9))


async def test_a_lease_that_is_given_back_is_anybody_s(store: Store) -> None:
    await store.claim_lease("adapter:fake", lease("one"))
    await store.delete_leases("two")
    assert not await store.claim_lease("adapter:fake", lease("two"))
    await store.delete_leases("one")
    assert await store.claim_lease("adapter:fake", lease("two"))


async def test_of_many_who_ask_at_once_one_gets_the_lease(store_url: str) -> None:
    stores = [await open_store(store_url) for _ in range(4)]
    got = await asyncio.gather(
        *(one.claim_lease("adapter:fake", lease(str(number))) for number, one in enumerate(stores))
    )
    assert sorted(got) == [False, False, False, True]
    await asyncio.gather(*(one.close() for one in stores))


# --- places that are lost ---


async def test_lost_places_are_paused_if_something_is_relayed_there_and_nobody_paused_them(store: Store) -> None:
    porch, attic, cellar = (Destination("fake", name) for name in ("porch", "attic", "cellar"))
    await publish(store, post(1), to=(ROOM, HALL))
    await subscribe(store, to=porch)
    await store.save_destination(HALL, "holidays", NOON)
    await store.save_destination(cellar, "", NOON)
    lost = await store.save_lost({ROOM, HALL, porch, attic, cellar}, "the relay was removed")
    assert lost == ["fake:cellar", "fake:porch", "fake:room"]
    paused = {str(state.destination): state.paused for state in await store.list_destinations()}
    assert paused == {
        "fake:cellar": "the relay was removed",
        "fake:hall": "holidays",
        "fake:porch": "the relay was removed",
        "fake:room": "the relay was removed",
    }
    await publish(store, post(2), to=(ROOM, porch))
    assert await claim(store, claim=Claim(adapters=("fake",), limit=9)) == []
    assert await store.save_lost([ROOM], "again") == []
    await store.save_destination(ROOM, "", at(3))
    assert len(await claim(store, now=3)) == 1


# --- filters ---


async def test_filters_of_a_configuration_are_written_anew_with_each_start(store: Store) -> None:
    await store.save_subscriptions("file", [replace(BRIDGE, filters=FILTERED)])
    assert (await only(store)).filters == FILTERED
    await store.save_subscriptions("file", [BRIDGE])
    assert (await only(store)).filters is NO_FILTERS


async def test_what_became_of_a_filter_is_noted_as_people_write_it(store: Store) -> None:
    await subscribe(store)
    one = await only(store)
    assert await store.save_subscription(
        replace(one, filters=Filters(words=("rope", "river"), per_hour=3)), by("settings")
    )
    one = await only(store)
    assert await store.save_subscription(replace(one, filters=Filters(words=("rope",))), by("settings"))
    assert (await only(store)).filters == Filters(words=("rope",))
    last, first, _ = await store.list_audit(9)
    assert first.detail == "#bridge · words: rope, river · per_hour: 3"
    assert last.detail == "#bridge · words: rope · per_hour: —"


@settings(max_examples=examples(60))
@given(
    st.builds(
        Filters,
        only=st.sampled_from(Only),
        words=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
        pattern=st.text(st.characters(exclude_categories=["Cs"])),
        min_age=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)),
        per_hour=st.integers(0, 1000),
    )
)
def test_filters_are_read_as_they_were_written(filters: Filters) -> None:
    assert read_filters(SimpleNamespace(**choices(replace(BRIDGE, filters=filters)))) == filters
