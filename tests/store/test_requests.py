"""What people asked is kept until it is settled, and each is answered once."""

from __future__ import annotations

from datetime import timedelta

from relay.ports import Mention
from relay.records import Heard, PendingMention, RequestState, Share
from relay.store import Store
from relay.testing import NOON, author
from tests.support.mentioned import mention
from tests.support.store_cases import at, uri
from tests.support.store_forgotten_cases import rows

OURS = ("fake", "chasqui")
SHARE = Share(total=10, host=3, asker=5)


def heard(*mentions: Mention, **fields: object) -> list[Heard]:
    return [Heard(mention=one, **fields) for one in mentions]  # type: ignore[arg-type]  # a test names the fields


async def waiting(store: Store, now: float = 0) -> list[PendingMention]:
    return list(await store.list_requests(*OURS, at(now), SHARE))


async def test_a_mention_is_kept_once_with_how_far_was_read(store: Store) -> None:
    assert await store.get_mentions_cursor(*OURS) == ""
    await store.add_mentions(*OURS, heard(mention(1), mention(2)), "2", NOON)
    await store.add_mentions(*OURS, heard(mention(2), mention(3)), "3", at(1))
    await store.add_mentions(*OURS, heard(), None, at(2))
    assert await store.get_mentions_cursor(*OURS) == "3"
    assert [one.mention for one in await waiting(store, 2)] == [mention(1), mention(2), mention(3)]
    assert await store.get_next_request(*OURS, at(-9)) < at(1)  # type: ignore[operator]  # there is one
    assert await store.list_requests("fake", "other", at(2), SHARE) == []


async def test_what_is_settled_does_not_come_again_and_what_it_said_is_forgotten(store: Store) -> None:
    await store.add_mentions(*OURS, heard(mention(1)), "1", NOON)
    assert "sami" in await rows(store, "requests")
    await store.save_request("fake", mention(1).uri, RequestState.IGNORED)
    await store.add_mentions(*OURS, heard(mention(1)), "1", NOON)
    assert not await waiting(store)
    assert await store.get_next_request(*OURS, at(-9)) is None
    told = await rows(store, "requests")
    assert "unroll" not in told
    assert "sami" not in told


async def test_what_is_put_off_comes_then(store: Store) -> None:
    await store.add_mentions(*OURS, heard(mention(1)), "1", NOON)
    await store.save_request("fake", mention(1).uri, RequestState.NEW, again=at(5))
    assert not await waiting(store, 4)
    assert await store.get_next_request(*OURS, at(-9)) == at(5)
    [again] = await waiting(store, 5)
    assert again == PendingMention(mention=mention(1), state=RequestState.NEW, tries=1)


async def test_an_answer_that_began_is_remembered(store: Store) -> None:
    await store.add_mentions(*OURS, heard(mention(1)), "1", NOON)
    assert await store.claim_answer("fake", mention(1).uri, uri(1), NOON)
    [asked] = await waiting(store)
    assert asked.state is RequestState.ANSWERING
    assert await store.claim_answer("fake", mention(1).uri, uri(1), NOON)  # the same one, tried again


async def test_one_person_gets_one_answer_about_one_thread(store: Store) -> None:
    illa = author("Illa")
    await store.add_mentions(*OURS, heard(mention(1), mention(2), mention(3, by=illa), mention(4)), "4", NOON)
    assert await store.claim_answer("fake", mention(1).uri, uri(1), NOON)
    assert not await store.claim_answer("fake", mention(2).uri, uri(1), NOON)
    await store.save_request("fake", mention(1).uri, RequestState.ANSWERED, answer="there")
    assert not await store.claim_answer("fake", mention(2).uri, uri(1), NOON)
    assert await store.claim_answer("fake", mention(3).uri, uri(1), NOON)
    assert await store.claim_answer("fake", mention(4).uri, uri(2), NOON)


async def test_an_answer_that_was_refused_may_be_asked_for_again(store: Store) -> None:
    await store.add_mentions(*OURS, heard(mention(1), mention(2)), "2", NOON)
    assert await store.claim_answer("fake", mention(1).uri, uri(1), NOON)
    await store.save_request("fake", mention(1).uri, RequestState.FAILED)
    assert await store.claim_answer("fake", mention(2).uri, uri(1), NOON)


async def test_answers_are_counted_for_the_posting_limit(store: Store) -> None:
    await store.add_mentions(*OURS, heard(mention(1), mention(2), mention(3)), "3", NOON)
    await store.claim_answer("fake", mention(1).uri, uri(1), NOON)
    await store.claim_answer("fake", mention(2).uri, uri(2), at(2))
    assert await store.list_answers(*OURS, at(-1)) == [NOON, at(2)]
    assert await store.list_answers(*OURS, at(1)) == [at(2)]


async def test_settled_mentions_are_forgotten_with_old_posts(store: Store) -> None:
    await store.add_mentions(*OURS, heard(mention(1), mention(2)), "2", NOON)
    await store.save_request("fake", mention(1).uri, RequestState.IGNORED)
    await store.delete_old(NOON + timedelta(days=1))
    assert len((await rows(store, "requests")).splitlines()) == 1
    assert [one.mention for one in await waiting(store)] == [mention(2)]
