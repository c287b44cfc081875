"""Who mentions the relay is answered with a page: once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from relay.core.bot_words import BotWords
from relay.core.consent import UNDO_FOR
from relay.log import Trouble
from relay.model import Author, Published
from relay.pipeline.mentions import GIVE_UP, SHARE, Speaker
from relay.pipeline.replies import Accounts, Replies
from relay.pipeline.threads import ThreadReader
from relay.pipeline.worker import Worker
from relay.ports import Account, Answered, Gone, Refused, TryLater
from relay.records import Intake, PendingMention, RequestState
from relay.store import Store
from relay.testing import NOON, author, post, text
from tests.support.mentioned import US, Hanging, Mentioned, mention
from tests.support.store_cases import carry, lease, publish, uri
from tests.support.store_forgotten_cases import ILLA, readable, rows

CHAIN = (post(1), post(2, reply_to=uri(1)), post(3, reply_to=uri(2), body=text("@chasqui unroll")))
SOON = timedelta(milliseconds=10)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Room:
    """One relay after another on one store, and the network that they answer on."""

    store: Store
    source: Mentioned = field(default_factory=lambda: Mentioned(threads={uri(1): CHAIN}))
    clock: Clock = field(default_factory=Clock)
    accounts: Accounts = field(default_factory=lambda: Accounts(bot_words=BotWords()))
    base: str = "https://relay.example"
    patience: timedelta = timedelta(seconds=20)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mentioned]:
        """Until the block ends; then as if the process had been killed, and its leases had lapsed."""
        worker = Worker(owner="one", lease=timedelta(seconds=30), clock=self.clock, trouble=Trouble(), patience=SOON)
        sources = {"fake": self.source}
        threads = ThreadReader(store=self.store, sources=sources, worker=worker, is_request=self.accounts.is_request)
        speaker = Speaker(
            store=self.store,
            sources=sources,
            replies=Replies(threads=threads, accounts=self.accounts, base=self.base, patience=self.patience),
            worker=worker,
            accounts=self.accounts,
            idle=SOON,
        )
        running = asyncio.create_task(speaker.run())
        await self.source.read(2)  # where the reading stands is written down
        try:
            yield self.source
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self.store.delete_leases("one")

    async def slug(self, number: int = 1) -> str:
        page = await self.store.get_page_of(uri(number))
        assert page
        return page.slug


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


async def said(source: Mentioned, *mentions: object) -> None:
    """Have it said, read and looked at."""
    source.said += mentions  # type: ignore[arg-type]  # mentions
    await source.read(3)


async def test_a_mention_is_answered_with_the_page_of_the_thread(room: Room) -> None:
    async with room.running() as source:
        source.said.append(mention(1))
        await source.answered(1)
    [answer] = source.texts()
    assert answer == f"These 2 posts as one text: https://relay.example/t/{await room.slug()}"
    page = await room.store.get_page_of(uri(1))
    assert page
    assert [one.uri for one in page.posts] == [uri(1), uri(2)], "the request is no part of it"
    assert not page.asked
    assert room.accounts.handles() == [US.handle]


async def test_who_asks_twice_is_answered_once(room: Room) -> None:
    room.source.threads = {uri(1): CHAIN, uri(2): (CHAIN[1], CHAIN[0], CHAIN[2])}
    async with room.running() as source:
        await said(source, mention(1), mention(1), mention(2), mention(3, about=uri(2)))
        await said(source, mention(4, about=uri(2)), mention(5, by=author("Kusi")))
        await source.answered(2)
    assert [one.uri for one, _ in source.posted.values()] == [mention(1).uri, mention(5).uri]


@pytest.mark.parametrize("stuck", ["before", "after"])
async def test_killed_while_it_answers_it_answers_once(room: Room, stuck: str) -> None:
    """Killed before the answer was posted, or after that and before it was written down."""
    room.source.stuck = stuck
    async with room.running() as source:
        source.said.append(mention(1))
        await source.try_to_answer(1)
    assert len(source.posted) == (stuck == "after")
    room.source.stuck = ""
    async with room.running() as source:
        await source.try_to_answer(2)
        await said(source, mention(1), mention(2))
    assert source.tried == [(mention(1).uri, False), (mention(1).uri, True)]
    assert len(source.posted) == 1


class Late:
    """A store of which one answer about what is due arrives when that is settled already."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked, self.settled = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def list_requests(self, *of: Any) -> Sequence[PendingMention]:
        due = await self._store.list_requests(*of)
        if not self.asked.is_set() and any(one.state is RequestState.ANSWERING for one in due):
            self.asked.set()
            await self.settled.wait()
            for _ in range(100):  # until who settled it is done, too
                await asyncio.sleep(0)
        return due

    async def save_request(self, *of: Any, **changes: Any) -> None:
        await self._store.save_request(*of, **changes)
        self.settled.set()


class Patient(Mentioned):
    """Answers when it is allowed to."""

    allowed: asyncio.Event

    async def answer(self, *of: Any, **how: Any) -> Answered | TryLater | Refused | Gone:
        await self.allowed.wait()
        return await super().answer(*of, **how)


async def test_what_was_answered_while_the_store_was_asked_what_is_due_is_not_answered_again(store: Store) -> None:
    late, source = Late(store), Patient(threads={uri(1): CHAIN})
    source.allowed = late.asked
    async with Room(cast("Store", late), source).running():
        source.said.append(mention(1))
        await late.settled.wait()
        await said(source, mention(1), mention(2))
    assert source.tried == [(mention(1).uri, False)]


async def test_a_line_that_was_cut_is_tried_again(room: Room) -> None:
    room.source.outcomes = [TryLater("the line is cut", SOON)]
    async with room.running() as source:
        source.said.append(mention(1))
        await source.try_to_answer(1)
        room.clock.now += timedelta(minutes=1)
        await source.answered(1)
    assert source.tried == [(mention(1).uri, False), (mention(1).uri, True)]


async def test_what_was_said_while_nobody_listened_is_answered(room: Room) -> None:
    async with room.running():
        pass
    room.source.said.append(mention(1))
    async with room.running() as source:
        await source.answered(1)


async def test_what_was_said_before_the_first_start_is_not(room: Room) -> None:
    room.source.said.append(mention(1))
    async with room.running() as source:
        await source.read(3)
    assert not source.posted


@pytest.mark.parametrize(
    ("text", "language", "answer"),
    [
        ("@chasqui desenrollar", "en", "Estas 2 publicaciones como un solo texto:"),
        ("@chasqui unroll", "es-PE", "Estas 2 publicaciones como un solo texto:"),
        ("@chasqui unroll", "qu", "These 2 posts as one text:"),
        ("@chasqui unroll", "", "These 2 posts as one text:"),
    ],
)
async def test_the_answer_is_in_the_asker_s_language(room: Room, text: str, language: str, answer: str) -> None:
    async with room.running() as source:
        source.said.append(mention(1, text, language=language))
        await source.answered(1)
    assert source.texts()[0].startswith(answer)


async def test_bots_itself_and_small_talk_are_left_alone(room: Room) -> None:
    bot, us = replace(author("Kusi"), bot=True), replace(author(), uri=US.uri)
    async with room.running() as source:
        await said(source, mention(1, by=bot), mention(2, by=us), mention(3, "@chasqui nice name"))
        await said(source, mention(4))
        await source.answered(1)
    assert [one.uri for one, _ in source.posted.values()] == [mention(4).uri]


async def test_who_asks_about_nothing_is_told_how_once(room: Room) -> None:
    async with room.running() as source:
        await said(source, mention(1, about=""), mention(2, about=""))
        await source.answered(1)
    assert source.texts() == [
        "Reply to a thread, mention me and write “unroll”. I'll send you the whole thread on one page."
    ]


async def test_an_author_who_refuses_has_no_page_unless_it_is_they_who_ask(room: Room) -> None:
    shy = replace(author(), refuses=True)
    room.source.threads = {uri(1): tuple(replace(one, author=shy) for one in CHAIN)}
    async with room.running() as source:
        source.said.append(mention(1))
        await source.answered(1)
        assert source.texts() == ["Its author asks not to be archived, so I made no page of it."]
        assert await room.store.get_page_of(uri(1)) is None
        source.said.append(mention(2, by=shy))
        await source.answered(2)
    page = await room.store.get_page_of(uri(1))
    assert page
    assert page.asked


async def test_an_author_s_own_request_makes_the_page_theirs(room: Room) -> None:
    async with room.running() as source:
        source.said.append(mention(1))
        await source.answered(1)
        source.said.append(mention(2, by=author()))
        await source.answered(2)
    page = await room.store.get_page_of(uri(1))
    assert page
    assert page.asked


STOPPED = (
    "Done. Your posts are hidden here, and messages with them in chats are being deleted. In 72 hours they will be"
    " erased for good. Until then, “@chasqui@ayllu.example undo stop” makes them readable again, but deleted messages"
    " do not come back."
)
UNDONE = (
    "Done. I may keep and share your posts again, and those not erased yet can be read again."
    " Messages already deleted in chats do not come back."
)


async def test_an_author_takes_everything_back(room: Room) -> None:
    await publish(room.store, *CHAIN[:2], post(7), post(8, author=author("Sami")))
    await carry(room.store)
    async with room.running() as source:
        source.said.append(mention(1, "@chasqui stop", by=author(), about=""))
        await source.answered(1)
        assert await readable(room.store, 1, 2, 7, 8) == [8]
        assert [one.action.value for one in await carry(room.store)] == ["delete"] * 3
        source.said.append(mention(2))
        await source.answered(2)
        await source.read(2)  # that is written down
    assert source.texts() == [STOPPED, "Its author asks not to be archived, so I made no page of it."]
    await room.store.add_intakes([Intake(feed=None, events=(Published(post(9)),))], lease())
    assert await readable(room.store, 9) == []
    await room.store.save_erased(room.clock.now + UNDO_FOR)
    assert not await room.store.list_requests("fake", "chasqui", room.clock.now, SHARE)
    assert "illa/" not in (await rows(room.store, "requests")).replace(f"answer to {mention(1).uri}", "")


async def test_an_author_takes_it_back_that_they_take_everything_back(room: Room) -> None:
    await publish(room.store, *CHAIN[:2])
    async with room.running() as source:
        source.said.append(mention(1, "@chasqui stop", by=author(), about=""))
        await source.answered(1)
        source.said.append(mention(2, "@chasqui@ayllu.example undo stop", by=author(), about=""))
        await source.answered(2)
        source.said.append(mention(3, "@chasqui deshacer stop", by=author(), about="", language="es"))
        await source.answered(3)
    assert source.texts()[:2] == [STOPPED, UNDONE]
    assert source.texts()[2].startswith("No me pediste parar")
    assert await readable(room.store, 1, 2) == [1, 2]
    await publish(room.store, post(9))
    assert await readable(room.store, 9) == [9]


async def test_a_stop_and_its_undoing_said_at_once_are_carried_out_in_their_order(room: Room) -> None:
    await publish(room.store, post(1))
    async with room.running() as source:
        said = ("@chasqui stop", "@chasqui undo stop", "@chasqui stop", "@chasqui undo stop")
        source.said += [mention(number, text, by=author(), about="") for number, text in enumerate(said)]
        await source.answered(4)
    assert await readable(room.store, 1) == [1]
    assert await room.store.list_stops() == []


async def test_a_bot_may_take_itself_out_and_is_not_answered(room: Room) -> None:
    bot = replace(author(), bot=True)
    await publish(room.store, post(1))
    async with room.running() as source:
        await said(source, mention(1, "@chasqui delete", by=bot), mention(2, "@chasqui hello"))
        async with asyncio.timeout(10):
            while await readable(room.store, 1):
                await source.read()
    assert not source.posted


@pytest.mark.parametrize("answered", [False, True])
async def test_killed_between_hiding_and_answering_it_stays_hidden_and_is_answered_once(
    room: Room, answered: bool
) -> None:
    await publish(room.store, *CHAIN[:2])
    room.source.stuck = "after" if answered else "before"
    async with room.running() as source:
        source.said.append(mention(1, "@chasqui stop", by=author(), about=""))
        await source.try_to_answer(1)
        assert await readable(room.store, 1, 2) == []
    room.source.stuck = ""
    async with room.running() as source:
        await source.try_to_answer(2)
        assert await readable(room.store, 1, 2) == []
    assert source.texts() == [STOPPED]
    assert [one.erased for one in await room.store.list_stops()] == [NOON + UNDO_FOR]


async def test_an_answer_that_has_to_wait_does_not_stop_anew_who_took_it_back(room: Room) -> None:
    """The answer to the stop is tried again long after it was undone."""
    await publish(room.store, post(1))
    room.source.outcomes = [TryLater("the line is cut", timedelta(hours=1))]
    async with room.running() as source:
        source.said.append(mention(1, "@chasqui stop", by=author(), about=""))
        await source.try_to_answer(1)
        source.said.append(mention(2, "@chasqui undo stop", by=author(), about=""))
        await source.answered(1)
        room.clock.now += timedelta(hours=2)
        await source.answered(2)
    assert await readable(room.store, 1) == [1]


async def test_hiding_does_not_wait_for_the_answer_that_the_network_does_not_let_us_give(room: Room) -> None:
    await publish(room.store, post(1))
    room.source.posting = (0, timedelta(hours=1))
    async with room.running() as source:
        room.source.posting = (1, timedelta(hours=1))
        await said(source, mention(1), mention(2, by=author("Kusi")))
        await source.answered(1)
        source.said.append(mention(3, "@chasqui stop", by=author(), about=""))
        async with asyncio.timeout(20):
            while await readable(room.store, 1):
                await source.read()
    assert len(source.posted) == 1


STRANGERS = [
    replace(author(), uri="https://evil.example/users/mallory"),
    replace(author(), uri="did:plc:mallory"),
    replace(author(), uri="https://ayllu.example.evil.example/users/illa"),
]


@pytest.mark.parametrize("mallory", STRANGERS)
async def test_a_stranger_who_goes_under_an_author_s_name_silences_nobody_else(room: Room, mallory: Author) -> None:
    """Their server says that the handle and the profile are hers, and delivers the word."""
    await publish(room.store, *CHAIN[:2])
    place = f"at://{mallory.uri}" if mallory.uri.startswith("did:") else mallory.uri
    async with room.running() as source:
        source.said.append(mention(1, "@chasqui stop", by=mallory, about=ILLA, uri=f"{place}/posts/1"))
        await source.answered(1)
    await publish(room.store, post(3))
    await room.store.save_erased(NOON + UNDO_FOR)
    assert await readable(room.store, 1, 2, 3) == [1, 2, 3]


async def test_a_word_that_was_not_said_where_its_author_is_at_home_is_nobody_s(room: Room) -> None:
    await publish(room.store, *CHAIN[:2])
    async with room.running() as source:
        forged = mention(1, "@chasqui stop", by=author(), about="", uri="https://evil.example/posts/1")
        await said(source, forged, mention(2))
        await source.answered(1)
    assert [one.uri for one, _ in source.posted.values()] == [mention(2).uri]
    assert await readable(room.store, 1, 2) == [1, 2]


async def test_stops_get_through_while_two_hundred_pages_hang(room: Room) -> None:
    """Their server never answers; another's page is made meanwhile, and mentions are read on."""
    hanging = Hanging(threads={uri(1): CHAIN}, host="slow.example", posting=(1000, timedelta(hours=1)))
    room.source = hanging
    askers = [author(f"Asker{number}") for number in range(200)]
    authors = [author(f"Author{number}") for number in range(20)]
    await publish(room.store, *(post(100 + number, author=one) for number, one in enumerate(authors)))
    async with room.running() as source:
        source.said += [
            mention(number, by=one, about=f"https://slow.example/{number}") for number, one in enumerate(askers)
        ]
        await hanging.hang(SHARE.host)
        source.said += [mention(1000 + number, "@chasqui stop", by=one, about="") for number, one in enumerate(authors)]
        source.said.append(mention(2000, by=author("Kusi")))
        async with asyncio.timeout(60):
            await source.answered(21)
        assert await readable(room.store, *range(100, 120)) == []
        assert hanging.hung == SHARE.host, "of one host no more are asked at once"
        hanging.free.set()
        async with asyncio.timeout(60):
            await source.answered(221)


async def test_one_asker_s_requests_hang_for_themselves_alone(room: Room) -> None:
    """Each at another host: what one person asks is looked at one after the other."""
    hanging = Hanging(threads={uri(1): CHAIN}, host="slow.example")
    room.source = hanging
    async with room.running() as source:
        source.said += [mention(number, about=f"https://{number}.slow.example/") for number in range(50)]
        await hanging.hang(1)
        source.said.append(mention(2000, by=author("Kusi")))
        await source.answered(1)
        assert hanging.hung == SHARE.asker


async def test_a_thread_that_is_not_read_in_time_is_tried_again_and_given_up_in_the_end(room: Room) -> None:
    room.source = Hanging(host="slow.example")
    room.patience = SOON
    async with room.running() as source:
        source.said.append(mention(1, about="https://slow.example/1"))
        await room.source.hang(1)
        room.clock.now += GIVE_UP
        await source.answered(1)
    assert source.texts() == ["I can't read that thread right now. Please try again later."]


async def test_below_an_answer_of_ours_it_is_asked_about_what_that_was_about(room: Room) -> None:
    asked = post(8, author=author("Sami"), reply_to=uri(1), body=text("@chasqui unroll"))
    ours = post(9, author=replace(author(), uri=US.uri), reply_to=asked.uri)
    room.source.threads = {uri(1): CHAIN, ours.uri: (ours, asked, *CHAIN), asked.uri: (asked, *CHAIN)}
    async with room.running() as source:
        source.said.append(mention(1, by=author("Kusi"), about=ours.uri))
        await source.answered(1)
    assert await room.slug() in source.texts()[0]


async def test_a_thread_that_cannot_be_read_is_said_so(room: Room) -> None:
    room.source.trouble = Gone("it is not there")
    async with room.running() as source:
        source.said.append(mention(1, about=uri(5)))
        await source.answered(1)
    assert source.texts() == ["I can't read that thread. It was deleted, or it is not public."]


async def test_a_server_that_is_down_is_asked_again_and_given_up_in_the_end(room: Room) -> None:
    room.source.trouble = TryLater("it does not answer", timedelta(minutes=10))
    async with room.running() as source:
        await said(source, mention(1, about=uri(5)))
        assert not source.posted
        room.clock.now += GIVE_UP
        await source.answered(1)
    assert source.texts() == ["I can't read that thread right now. Please try again later."]


async def test_it_is_silent_when_it_answered_as_often_as_it_may(room: Room) -> None:
    room.source.posting = (2, timedelta(hours=1))
    askers = [author(name) for name in ("Sami", "Kusi", "Wayra")]
    async with room.running() as source:
        await said(source, *(mention(number, by=one) for number, one in enumerate(askers)))
        await source.answered(2)
        await source.read(3)
        assert len(source.posted) == 2
        room.clock.now += timedelta(hours=1, seconds=1)
        await source.answered(3)


async def test_what_may_not_be_answered_is_let_go(room: Room) -> None:
    async with room.running() as source:
        source.outcomes = [Refused("closed to replies")]
        await said(source, mention(1), mention(2, by=author("Kusi")))
        await source.answered(1)
        await source.try_to_answer(2)
    assert len(source.posted) == 1


async def test_an_account_that_is_closed_to_us_is_told_once(room: Room) -> None:
    room.source.introductions = [TryLater("busy", SOON), TryLater("busy", SOON), replace(US, note="mark it as a bot")]
    with capture_logs() as logs:
        async with room.running() as source:
            await source.read(3)
    told = [(one["event"], one.get("reason")) for one in logs if one.get("what") == "mentions fake/chasqui"]
    assert told == [("does not work", "busy"), ("does not work", "mark it as a bot")]
    assert isinstance(room.accounts.known["mentions fake/chasqui"], Account)


async def test_a_bug_in_a_source_stops_nothing_else(room: Room) -> None:
    room.source.introductions = [RuntimeError("a bug")]
    async with room.running() as source:
        source.said.append(mention(1))
        await source.answered(1)


async def test_without_a_public_address_nobody_is_answered(room: Room) -> None:
    room.base = ""
    speaker = Speaker(
        store=room.store,
        sources={"fake": room.source},
        replies=Replies(threads=None, accounts=room.accounts, base=""),  # type: ignore[arg-type]  # never asked
        worker=Worker(owner="one", lease=SOON, clock=room.clock, trouble=Trouble()),
        accounts=room.accounts,
    )
    with capture_logs() as logs:
        await speaker.run()
    assert "relay.public_url" in logs[0]["reason"]
    assert not room.source.reads
