"""What is taken out is hidden at once, can be undone, is erased in the end, and does not come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.core.consent import UNDO_FOR
from relay.model import (
    Action,
    Author,
    Edited,
    Post,
    PostUri,
    Published,
    Quote,
    Removed,
    Subscription,
    SubscriptionId,
)
from relay.options import DeliveryOptions, Mode
from relay.records import Forgotten, Intake, PlannedSend, Stop, StopKind, Undone, Wanted
from relay.store import Store
from relay.testing import NOON, author, post
from tests.support.digest_cases import bring, folds, subscribe
from tests.support.digest_cases import carry as carry_all
from tests.support.store_cases import HALL, ROOM, at, carry, delete, lease, publish, said, uri
from tests.support.store_forgotten_cases import ILLA, ask, readable, rows, stop, undo

CHAIN = (post(1), post(2, reply_to=uri(1)))
OTHER = post(5, author=author("Sami"))
THEN = NOON + UNDO_FOR


async def forget(store: Store, ref: str, now: datetime = NOON) -> Forgotten:
    """The operator decides it."""
    return await store.save_author_stop(ref, now, now + UNDO_FOR)


REFS = [
    ILLA,
    "@illa@ayllu.example",
    "illa@AYLLU.example",
    "https://ayllu.example/@illa",
    " https://www.ayllu.example/@illa/ ",
]


@pytest.mark.parametrize("ref", REFS)
async def test_an_author_is_hidden_by_any_name(store: Store, ref: str) -> None:
    await publish(store, *CHAIN, OTHER, to=(ROOM, HALL))
    await carry(store)
    assert await forget(store, ref) == Forgotten(posts=2, messages=4, erased=THEN)
    done = await carry(store)
    assert {(one.action, one.messages) for one in done} == {
        (Action.DELETE, (f"message of {uri(number)}",)) for number in (1, 2)
    }
    assert len(done) == 4
    page = await store.get_page_of(OTHER.uri)
    assert page
    assert page.posts == (OTHER,)


async def test_an_author_s_own_word_hides_them(store: Store) -> None:
    await publish(store, *CHAIN, OTHER, to=(ROOM, HALL))
    await carry(store)
    assert await stop(store, author()) == Forgotten(posts=2, messages=4, erased=THEN)
    assert {one.action for one in await carry(store)} == {Action.DELETE}
    assert await readable(store, 1, 2) == []
    assert (await store.list_pages(10)) == []
    assert not (await store.list_by_author((await page_slug(store)), 10)).pages


async def page_slug(store: Store) -> str:
    page = await store.get_page_of(uri(1))
    assert page
    return page.slug


@pytest.mark.parametrize("before", [True, False])
async def test_their_words_are_in_nobody_else_s_quotes(store: Store, before: bool) -> None:
    quote = Quote(url=CHAIN[0].url, author=CHAIN[0].author, body=CHAIN[0].body)
    quoting = replace(OTHER, quote=quote)
    if before:
        await publish(store, quoting)
    await stop(store, CHAIN[0].author)
    if not before:
        await publish(store, quoting)
    page = await store.get_page_of(OTHER.uri)
    assert page
    assert page.posts == (replace(OTHER, quote=quote.silenced()),)
    await undo(store, CHAIN[0].author)
    page = await store.get_page_of(OTHER.uri)
    assert page
    assert page.posts == ((quoting if before else replace(OTHER, quote=quote.silenced())),)


async def test_a_quote_waits_in_no_message_either(store: Store) -> None:
    quote = Quote(url=CHAIN[0].url, author=CHAIN[0].author, body=CHAIN[0].body)
    await publish(store, replace(OTHER, quote=quote))
    await stop(store, CHAIN[0].author)
    [delivery] = await carry(store)
    assert delivery.card
    assert delivery.card.post.quote == quote.silenced()


async def test_the_page_is_gone_and_stays_where_it_was(store: Store) -> None:
    await publish(store, *CHAIN)
    slug = await page_slug(store)
    await stop(store, author())
    page = await store.get_page(slug)
    assert page
    assert all(isinstance(one, Removed) for one in page.posts)
    await store.save_erased(THEN)
    page = await store.get_page(slug)
    assert page
    assert all(isinstance(one, Removed) for one in page.posts)
    assert await store.get_page_of(uri(1)) is None


@pytest.mark.parametrize("erased", [False, True])
async def test_what_somebody_writes_who_is_taken_out_is_not_kept(store: Store, erased: bool) -> None:
    await publish(store, *CHAIN)
    await carry(store)
    await stop(store, author())
    await carry(store)
    if erased:
        assert await store.save_erased(THEN) == 2
    await publish(store, *CHAIN, post(3), OTHER)  # the feed shows all of it again, and more
    await store.add_intakes([said(Edited(post(3)), to=(ROOM,))], lease())
    assert [one.uri for one in await carry(store)] == [OTHER.uri]
    assert await readable(store, 1, 2, 3) == []


async def test_nothing_names_who_was_erased(store: Store) -> None:
    await publish(store, *CHAIN)
    await carry(store)
    asked = await ask(store, 1, author())
    await store.save_own_stop("fake", asked, NOON, THEN)
    await store.save_request("fake", asked.uri, "answered")  # type: ignore[arg-type]  # as it is written
    assert await store.save_erased(THEN - timedelta(seconds=1)) == 0
    assert "illa" in await rows(store, "stops")
    assert await store.save_erased(THEN) == 2
    for table in ("posts", "aliases", "forgotten", "stops", "author_names", "requests"):
        told = await rows(store, table)
        assert "illa" not in told.casefold(), table
        assert "Post number" not in told
    assert await store.save_erased(THEN) == 0


async def test_within_its_time_it_can_be_undone_and_pages_are_as_before(store: Store) -> None:
    await publish(store, *CHAIN, OTHER)
    await carry(store)
    slug, before = await page_slug(store), await store.list_pages(10)
    await stop(store, author())
    await carry(store)
    assert await undo(store, author(), now=at(60)) == Undone(posts=2)
    page = await store.get_page(slug)
    assert page
    assert page.posts == CHAIN
    assert await store.list_pages(10) == before
    assert await carry(store) == [], "messages that were deleted do not come back"
    await publish(store, *CHAIN, post(3))
    assert [one.uri for one in await carry(store)] == [uri(3)]
    assert await store.save_erased(THEN) == 0
    assert await readable(store, 1, 2, 3) == [1, 2, 3]


async def test_a_thread_goes_on_in_a_new_message_after_an_undoing(store: Store) -> None:
    """The message that it had is deleted: nothing can be counted or edited there."""
    delivery_options = DeliveryOptions(mode=Mode.THREADS)
    [number] = await store.save_subscriptions(
        "x", [Wanted(topic="#bridge", destination=ROOM, delivery_options=delivery_options)]
    )
    wanted = Subscription(
        id=SubscriptionId(number), topic="#bridge", destination=ROOM, delivery_options=delivery_options
    )

    async def relay(one: Post) -> None:
        planned_sends = (PlannedSend(uri=one.uri, by={str(ROOM): wanted}),)
        await store.add_intakes([Intake(feed=None, events=(Published(one),), planned_sends=planned_sends)], lease())

    await relay(CHAIN[0])
    await carry(store)
    await stop(store, author())
    await undo(store, author())  # before the message was deleted
    await relay(CHAIN[1])
    done = [(one.action, one.uri) for one in await carry(store)]
    assert done == [(Action.DELETE, uri(1)), (Action.SEND, uri(2))]
    edited = replace(CHAIN[0], body=post(9).body, edited=at(5))
    await store.add_intakes([said(Edited(edited), to=())], lease())
    assert await carry(store) == []


async def test_a_message_of_many_posts_loses_them_each_time_their_author_stops(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    sami = [post(number, author=author("Sami")) for number in range(50, 54)]
    await bring(store, *sami, *CHAIN, to=here)
    assert folds(await carry_all(store)) == [(Action.SEND, 3)]
    await stop(store, author())
    assert folds(await carry_all(store)) == [(Action.EDIT, 1)]
    await undo(store, author())
    await bring(store, post(54, author=author("Sami")), to=here, minute=1)  # the message is written anew, with them
    assert folds(await carry_all(store, 1)) == [(Action.EDIT, 4)]
    await stop(store, author(), 3, at(2))
    assert folds(await carry_all(store, 2)) == [(Action.EDIT, 2)]


async def test_after_its_time_an_undoing_is_for_what_comes(store: Store) -> None:
    await publish(store, *CHAIN)
    await stop(store, author())
    await store.save_erased(THEN)
    assert await undo(store, author(), now=THEN) == Undone(erased=True)
    assert await readable(store, 1, 2) == []
    await publish(store, post(7))
    assert [one.uri for one in await carry(store)] == [uri(7)]
    assert await store.list_stops() == []


async def test_who_stops_undoes_and_stops_again_is_stopped(store: Store) -> None:
    await publish(store, *CHAIN)
    await stop(store, author())
    await undo(store, author())
    assert await stop(store, author(), 3, at(60)) == Forgotten(posts=2, erased=at(60) + UNDO_FOR)
    await publish(store, post(3))
    assert await readable(store, 1, 2, 3) == []
    assert await carry(store) == []


async def test_what_its_author_deletes_meanwhile_does_not_come_back(store: Store) -> None:
    await publish(store, *CHAIN)
    await stop(store, author())
    await delete(store, uri(2))
    assert await undo(store, author()) == Undone(posts=1)
    assert await readable(store, 1, 2) == [1]
    assert "Post number 2" not in await rows(store, "posts")


async def test_nothing_to_undo_is_said_so(store: Store) -> None:
    assert await undo(store, author()) is None
    assert await store.delete_stop(ILLA, NOON) is None


async def test_saying_it_twice_does_not_put_it_off(store: Store) -> None:
    await publish(store, *CHAIN)
    await carry(store)
    await stop(store, author())
    await carry(store)
    assert await stop(store, author(), 2, at(60)) == Forgotten(erased=THEN)
    assert await carry(store) == []
    assert [one.erased for one in await store.list_stops()] == [THEN]


# --- whose word counts ---


def impostor(**changes: Any) -> Author:
    """Says of itself what is another's."""
    return replace(author("Illa"), uri="https://evil.example/users/mallory", **changes)


IMPOSTORS = [
    impostor(),
    impostor(handle=""),
    impostor(url=""),
    impostor(handle="@illa@ayllu.example", url="https://ayllu.example/users/illa"),
    impostor(handle="@ILLA@ayllu.example", url="https://www.ayllu.example/@illa/"),
    replace(impostor(), uri="https://ayllu.example.evil.example/users/illa"),
    replace(impostor(), uri="https://ayllu.example:8443/users/illa"),
    replace(impostor(), uri="https://social.ayllu.example/users/illa"),
    replace(impostor(), uri="did:plc:mallory"),
    replace(impostor(), uri="https://evil.example/https://ayllu.example/users/illa"),
]


@pytest.mark.parametrize("mallory", IMPOSTORS)
async def test_a_stranger_who_claims_her_name_silences_only_themselves(store: Store, mallory: Author) -> None:
    theirs = post(8, author=mallory)
    await publish(store, *CHAIN, theirs)
    await carry(store)
    assert await stop(store, mallory) == Forgotten(posts=1, messages=1, erased=THEN)
    assert [one.uri for one in await carry(store)] == [theirs.uri]
    await publish(store, post(3), post(9, author=mallory))
    assert [one.uri for one in await carry(store)] == [uri(3)]
    await store.save_erased(THEN)
    assert await readable(store, 1, 2, 3, 8, 9) == [1, 2, 3]
    assert await undo(store, author()) is None


@pytest.mark.parametrize("mallory", IMPOSTORS)
async def test_a_stranger_undoes_nobody_else_s_stop(store: Store, mallory: Author) -> None:
    await publish(store, *CHAIN)
    await stop(store, author())
    assert await undo(store, mallory) is None
    assert await readable(store, 1, 2) == []


@pytest.mark.parametrize("mallory", IMPOSTORS)
async def test_a_decoy_does_not_catch_her_stop(store: Store, mallory: Author) -> None:
    """A stranger's post whose address is hers, or whose alias is."""
    decoy = post(8, author=mallory, url=ILLA, aliases=(ILLA, "https://ayllu.example/@illa"))
    await publish(store, decoy, *CHAIN)
    assert await store.get_stop_kind(ILLA) is StopKind.AUTHOR
    assert (await stop(store, author())).posts == 2
    assert await readable(store, 1, 2, 8) == [8]


async def test_a_stranger_does_not_widen_what_the_operator_takes_out(store: Store) -> None:
    """One post of a spammer's bears the name of another, who must not go with them."""
    spammer = replace(author("Mallory"), uri="https://evil.example/users/mallory", handle="@mallory@evil.example")
    await publish(
        store,
        *CHAIN,
        post(8, author=spammer),
        post(9, author=replace(spammer, handle=author().handle, url=author().url)),
    )
    assert (await forget(store, "https://evil.example/users/mallory")).posts == 2
    await publish(store, post(3))
    assert await readable(store, 1, 2, 3) == [1, 2, 3]


async def test_the_author_s_own_feed_goes_with_them(store: Store) -> None:
    """It is of the same host, under another uri, and says the name for which that host vouches."""
    feed = Author(uri="https://ayllu.example/@illa.rss", name="Illa", url="https://ayllu.example/@illa")
    await publish(store, post(1), post(8, author=feed, source="rss"))
    assert (await stop(store, author())).posts == 2
    await publish(store, post(9, author=feed, source="rss"))
    assert await readable(store, 1, 8, 9) == []
    assert await undo(store, author()) == Undone(posts=2)


async def test_the_author_does_not_undo_what_the_operator_decided(store: Store) -> None:
    await publish(store, *CHAIN)
    await forget(store, ILLA)
    assert await undo(store, author()) is None
    assert (await stop(store, author())).posts == 0
    assert await undo(store, author(), 3) == Undone()
    assert await readable(store, 1, 2) == [], "the operator's decision stands"
    assert await store.delete_stop("@illa@ayllu.example", NOON) == Undone(posts=2)
    assert await readable(store, 1, 2) == [1, 2]


@pytest.mark.parametrize(
    ("theirs", "alias"),
    [
        (author(), "https://ayllu.example/users/illa/statuses/9"),
        (author(), "https://ayllu.example/@illa/9"),
        (Author(uri="did:plc:illa", name="Illa"), "at://did:plc:illa/app.example.post/9"),
    ],
)
@pytest.mark.parametrize("erased", [False, True])
async def test_copies_of_what_they_write_are_left_out_too(
    store: Store, theirs: Author, alias: str, erased: bool
) -> None:
    """As long as the original is shown a copy yields to it; it must not come in its place."""
    bridge = Author(uri="https://bridge.example/feed", name="A bridge")
    copy = post(
        9,
        author=bridge,
        source="rss",
        url="https://bridge.example/9",
        aliases=(alias,),
        origin="https://bridge.example/f",
    )
    copy = replace(copy, uri=PostUri("https://bridge.example/9"))
    await stop(store, theirs)
    if erased:
        await store.save_erased(THEN)
    other = replace(copy, uri=PostUri("https://bridge.example/8"), aliases=("https://ayllu.example/@sami/9",))
    await publish(store, copy, other)
    assert [one.uri for one in await carry(store)] == [other.uri]
    await undo(store, theirs)
    await publish(store, copy)
    assert [one.uri for one in await carry(store)] == [copy.uri]


async def test_what_was_held_back_because_it_reads_alike_does_not_come_in_its_place(store: Store) -> None:
    """Another feed of the same host shows the same post; its author is the feed, which was not taken out."""
    feed = Author(uri="https://ayllu.example/tags/bridge.rss", name="Illa", url="https://ayllu.example/tags/bridge")
    shown = replace(CHAIN[0], aliases=())
    alike = replace(shown, uri=PostUri("rss:ayllu.example:1"), source="rss", author=feed, origin=feed.uri)
    assert await store.save_subscriptions("x", [Wanted(topic="#bridge", destination=ROOM)]) == [1]
    await publish(store, shown)
    await publish(store, alike)
    assert [one.uri for one in await carry(store)] == [shown.uri], "one of them is enough"
    await stop(store, author())
    assert [one.action for one in await carry(store)] == [Action.DELETE]


# --- what the operator does ---


@pytest.mark.parametrize(
    ("ref", "kind"),
    [
        (ILLA, StopKind.AUTHOR),
        ("https://ayllu.example/@illa", StopKind.AUTHOR),
        ("@illa@ayllu.example", StopKind.AUTHOR),
        ("@nobody@ayllu.example", StopKind.AUTHOR),
        ("did:plc:illa", StopKind.AUTHOR),
        ("https://ayllu.example/@nobody", StopKind.AUTHOR),
        (CHAIN[1].uri, StopKind.POST),
        (CHAIN[1].url, StopKind.POST),
        ("https://ayllu.example/2", StopKind.POST),
    ],
)
async def test_what_a_name_means(store: Store, ref: str, kind: StopKind) -> None:
    await publish(store, *CHAIN)
    assert await store.get_stop_kind(ref) is kind


async def test_an_author_nobody_knows_yet_can_be_taken_out(store: Store) -> None:
    assert await forget(store, "@illa@ayllu.example") == Forgotten(erased=THEN)
    await publish(store, *CHAIN)
    assert await carry(store) == []


async def test_a_handle_without_a_web_address_is_found(store: Store) -> None:
    sky = Author(uri="did:plc:illa", name="Illa", handle="@illa.example", url="https://sky.example/profile/illa")
    await publish(store, post(1, author=sky))
    assert (await forget(store, "@illa.example")).posts == 1
    await publish(store, post(2, author=replace(sky, handle="@other.example")))
    assert await readable(store, 1, 2) == []


async def test_a_thread_alone_can_be_taken_out(store: Store) -> None:
    await publish(store, *CHAIN, post(3))
    await carry(store)
    assert await store.save_post_stop(CHAIN[1].url, NOON, THEN) == Forgotten(posts=2, messages=2, erased=THEN)
    await carry(store)
    await publish(store, *CHAIN, post(4))
    assert [one.uri for one in await carry(store)] == [uri(4)]
    assert await readable(store, 1, 2, 3) == [3]
    assert await store.delete_stop(CHAIN[0].url, NOON) == Undone(posts=2)
    assert await store.save_post_stop("https://nowhere.example/1", NOON, THEN) is None


async def test_it_can_be_erased_at_once(store: Store) -> None:
    await publish(store, *CHAIN)
    await forget(store, ILLA)
    assert await store.save_author_stop(ILLA, at(1), at(1)) == Forgotten(erased=at(1))
    assert await store.save_erased(at(1)) == 2
    assert "illa" not in await rows(store, "posts")


async def test_what_is_taken_out_is_listed_and_named_as_long_as_it_can_be_undone(store: Store) -> None:
    await publish(store, *CHAIN, OTHER)
    await forget(store, "@sami@ayllu.example")
    await stop(store, author(), now=at(60))
    assert await store.list_stops() == [
        Stop(kind=StopKind.OWN, ref=ILLA, at=at(60), erased=at(60) + UNDO_FOR),
        Stop(kind=StopKind.AUTHOR, ref="@sami@ayllu.example", at=NOON, erased=THEN),
    ]
    await store.save_erased(THEN)
    assert [(one.ref, one.erased) for one in await store.list_stops()] == [(ILLA, at(60) + UNDO_FOR), ("", None)]


# --- around it ---


async def test_what_waits_is_not_sent(store: Store) -> None:
    await publish(store, *CHAIN)
    assert await stop(store, author()) == Forgotten(posts=2, erased=THEN)
    assert await carry(store) == []


async def test_a_poll_keeps_its_cursor_though_all_of_it_was_left_out(store: Store) -> None:
    await forget(store, "@illa@ayllu.example")
    taken = await store.add_intakes([said(Published(post(1)), to=(ROOM,))], lease())
    assert (taken.posts, await carry(store)) == (0, [])
    quoting = replace(OTHER, quote=Quote(url=post(1).url, author=author()))
    await store.add_intakes([Intake(feed=None, events=(Published(quoting),))], lease())
    assert await store.get_page_of(OTHER.uri)


async def test_posts_can_be_asked_about_before_they_are_shown(store: Store) -> None:
    assert not await store.list_taken_out([*CHAIN, OTHER])
    await forget(store, ILLA)
    assert set(await store.list_taken_out([*CHAIN, OTHER])) == {uri(1), uri(2)}


async def test_names_go_with_the_last_post_of_their_author(store: Store) -> None:
    await publish(store, *CHAIN, to=())
    assert "@illa@ayllu.example" in await rows(store, "author_names")
    await store.delete_old(NOON + timedelta(days=100))
    assert await rows(store, "author_names") == ""
