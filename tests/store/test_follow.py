"""Edits and deletions follow a post to where it was sent, and only there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pytest

from relay.model import Action, Delivery, Edited, MessageId, Poll, PollOption, Post, Removed
from relay.records import State
from relay.store import Store
from relay.testing import author, post, rich_post, text
from tests.support.store_cases import (
    CLAIM,
    HALL,
    ROOM,
    at,
    carry,
    claim,
    delete,
    edit,
    lease,
    publish,
    said,
    settled,
    states,
    uri,
)

BETTER = post(body=text("It reads better now."), edited=at(9))

Before = Callable[[Store], Awaitable[None]]
Found = Mapping[tuple[Action, State], int]
SEND, EDIT, DELETE = Action.SEND, Action.EDIT, Action.DELETE


async def _untouched(store: Store) -> None:
    """The send waits and was never begun."""


async def _in_flight(store: Store) -> None:
    await claim(store)


async def _to_retry(store: Store) -> None:
    [delivery] = await claim(store)
    await store.save_settlements([settled(delivery, State.DUE)], lease())


async def _sent(store: Store) -> None:
    await carry(store)


async def _failed(store: Store) -> None:
    await carry(store, State.FAILED)


async def _skipped(store: Store) -> None:
    await carry(store, State.SKIPPED)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_untouched, {(SEND, State.DUE): 1}),
        (_in_flight, {(SEND, State.SENDING): 1, (EDIT, State.DUE): 1}),
        (_to_retry, {(SEND, State.DUE): 1, (EDIT, State.DUE): 1}),
        (_sent, {(SEND, State.SENT): 1, (EDIT, State.DUE): 1}),
        (_failed, {(SEND, State.FAILED): 1}),
        (_skipped, {(SEND, State.SKIPPED): 1}),
    ],
)
async def test_what_an_edit_asks_for(store: Store, before: Before, after: Found) -> None:
    await publish(store, post())
    await before(store)
    await edit(store, BETTER)
    assert await states(store) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_untouched, {(SEND, State.SKIPPED): 1}),
        (_in_flight, {(SEND, State.SENDING): 1, (DELETE, State.DUE): 1}),
        (_to_retry, {(SEND, State.DUE): 1, (DELETE, State.DUE): 1}),
        (_sent, {(SEND, State.SENT): 1, (DELETE, State.DUE): 1}),
        (_failed, {(SEND, State.FAILED): 1}),
        (_skipped, {(SEND, State.SKIPPED): 1}),
    ],
)
async def test_what_a_deletion_asks_for(store: Store, before: Before, after: Found) -> None:
    await publish(store, post())
    await before(store)
    await delete(store, uri(1))
    assert await states(store) == after


async def test_a_destination_whose_only_send_was_cancelled_rests(store: Store) -> None:
    await publish(store, post())
    await delete(store, uri(1))
    assert await claim(store) == []
    assert await store.get_next_due(["fake"]) is None
    await publish(store, post(2))
    assert len(await claim(store)) == 1


async def _only(store: Store) -> Delivery:
    [delivery] = await claim(store)
    return delivery


async def test_an_edit_shows_the_newest_text_and_knows_the_messages(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    await edit(store, BETTER)
    delivery = await _only(store)
    assert (delivery.action, delivery.uri) == (Action.EDIT, uri(1))
    assert delivery.messages == (MessageId(f"message of {uri(1)}"),)
    assert delivery.card is not None
    assert (delivery.card.post, delivery.card.reason) == (BETTER, "#bridge")


async def test_a_send_that_waited_shows_the_newest_text(store: Store) -> None:
    await publish(store, post())
    await edit(store, BETTER)
    delivery = await _only(store)
    assert delivery.card is not None
    assert (delivery.action, delivery.card.post) == (Action.SEND, BETTER)


async def test_two_edits_while_one_waits_are_one_delivery(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    await edit(store, BETTER)
    await edit(store, replace(BETTER, title="Twice", edited=at(10)))
    [delivery] = await carry(store)
    assert delivery.card is not None
    assert delivery.card.post.title == "Twice"


async def test_an_edit_during_an_edit_is_not_lost(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    await edit(store, BETTER)
    first = await _only(store)
    await edit(store, replace(BETTER, title="Twice", edited=at(10)))
    [second] = await store.save_settlements([settled(first)], lease(), CLAIM)
    assert second.card is not None
    assert (second.action, second.card.post.title) == (Action.EDIT, "Twice")


async def test_an_edit_that_was_to_be_tried_again_is_given_up_for_a_deletion(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    await edit(store, BETTER)
    change = await _only(store)
    await store.save_settlements([settled(change, State.DUE)], lease())
    await delete(store, uri(1))
    assert await states(store) == {(SEND, State.SENT): 1, (EDIT, State.SKIPPED): 1, (DELETE, State.DUE): 1}


async def test_each_destination_that_has_the_post_follows(store: Store) -> None:
    await publish(store, post(), to=(ROOM, HALL))
    await carry(store)
    await edit(store, BETTER)
    await delete(store, uri(1))
    deliveries = await carry(store)
    assert [(delivery.destination, delivery.action) for delivery in deliveries] == [(HALL, DELETE), (ROOM, DELETE)]
    assert (await states(store))[EDIT, State.SKIPPED] == 2


async def test_a_deletion_knows_the_messages_and_carries_no_text(store: Store) -> None:
    await publish(store, rich_post())
    await carry(store)
    await delete(store, uri(1))
    delivery = await _only(store)
    assert (delivery.action, delivery.card) == (Action.DELETE, None)
    assert delivery.messages == (MessageId(f"message of {uri(1)}"),)


async def test_an_alias_names_the_post_to_delete(store: Store) -> None:
    await publish(store, post())
    await delete(store, post().aliases[0])
    assert await states(store) == {(SEND, State.SKIPPED): 1}


async def test_a_deleted_post_never_comes_back(store: Store) -> None:
    await publish(store, rich_post())
    await carry(store)
    await delete(store, uri(1))
    await carry(store)
    await publish(store, rich_post(), to=(ROOM, HALL))
    await edit(store, BETTER)
    await delete(store, uri(1))
    assert await claim(store) == []
    page = await store.get_page_of(uri(1))
    assert page is not None
    assert page.posts == (Removed(uri(1)),)


async def test_nothing_of_a_deleted_post_stays_in_a_send_that_is_tried_again(store: Store) -> None:
    await publish(store, rich_post())
    await _to_retry(store)
    await delete(store, uri(1))
    delivery = await _only(store)
    assert delivery.card is not None
    shown = delivery.card.post
    assert (shown.body, shown.media, shown.quote, shown.title, shown.warning) == ((), (), None, "", "")


@pytest.mark.parametrize("wanted", [False, True])
async def test_an_edit_of_an_unknown_post_counts_only_where_it_is_wished_for(store: Store, wanted: bool) -> None:
    await store.add_intakes([said(Edited(post()), to=(ROOM,) if wanted else ())], lease())
    assert (await store.get_counts()).posts == wanted
    assert len(await carry(store)) == wanted


async def test_a_deletion_of_an_unknown_post_is_nothing(store: Store) -> None:
    await delete(store, uri(1))
    assert (await store.get_counts()).posts == 0


async def test_a_post_published_again_with_other_words_was_edited(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    await publish(store, post(title="Corrected"))
    assert [delivery.action for delivery in await carry(store)] == [Action.EDIT]


ELSEWHERE = "https://elsewhere.example"
_COPIED = replace(rich_post(), media=(replace(rich_post().media[0], url=f"{ELSEWHERE}/cache/1.png"),))
_POLL = post(poll=Poll(options=(PollOption(text="yes", votes=1), PollOption(text="no", votes=2)), votes=3))


@pytest.mark.parametrize(
    ("old", "new", "edited"),
    [
        (post(), post(), False),
        (post(), post(title="A title"), True),
        (post(), post(warning="heights"), True),
        (post(), post(sensitive=True), True),
        (rich_post(), replace(rich_post(), media=()), True),
        (rich_post(), replace(rich_post(), media=(replace(rich_post().media[0], alt="A bridge"),)), True),
        (rich_post(), replace(rich_post(), media=(replace(rich_post().media[0], width=640),)), False),
        (
            _POLL,
            post(poll=Poll(options=(PollOption(text="yes", votes=9), PollOption(text="no", votes=9)), votes=18)),
            False,
        ),
        (_POLL, post(poll=Poll(options=(PollOption(text="yes"), PollOption(text="never")))), True),
        (post(edited=at(5)), post(title="Stale", edited=at(4)), False),
        (post(), post(title="Theirs", origin="https://elsewhere.example"), False),
        # what the author's own server told stays, whatever another one claims
        (post(), post(title="Theirs", origin=ELSEWHERE, edited=at(5)), False),
        (post(edited=at(5)), post(title="Theirs", origin=ELSEWHERE, edited=at(6)), False),
        (post(), post(title="Theirs", author=author("Sami"), edited=at(5)), True),  # both are at home there
        (post(origin=ELSEWHERE), post(title="Theirs", origin=ELSEWHERE, author=author("Sami"), edited=at(5)), False),
        # what another one told is replaced by the author's own server, and by later edits
        (post(origin=ELSEWHERE, title="Theirs", edited=at(5)), post(), True),
        (post(origin=ELSEWHERE), post(), False),
        (post(origin=ELSEWHERE), post(title="Later", origin="https://third.example", edited=at(5)), True),
        (post(origin=ELSEWHERE), post(title="Not later", origin="https://third.example"), False),
        # a server's own copy of a picture is the same picture
        (replace(_COPIED, origin=ELSEWHERE), rich_post(), False),
        (replace(_COPIED, origin=ELSEWHERE), replace(rich_post(), media=()), True),
    ],
)
async def test_what_counts_as_an_edit(store: Store, old: Post, new: Post, edited: bool) -> None:
    await publish(store, old)
    await carry(store)
    await edit(store, new)
    assert [delivery.action for delivery in await carry(store)] == [Action.EDIT] * edited
