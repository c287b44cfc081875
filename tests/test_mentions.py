"""Who mentions the relay is answered with a page: once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from relay.asking import STOP, UNROLL, Asking
from relay.lease import Tenure
from relay.log import Trouble
from relay.mentions import GIVE_UP, Accounts, Speaker
from relay.model import Published
from relay.ports import Account, Gone, Intake, Refused, Store, TryLater
from relay.testing import NOON, author, post, text
from relay.threads import Threads
from tests.mentioned import US, Mentioned, mention
from tests.store_cases import carry, lease, publish, uri
from tests.test_store_forgotten import rows

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
    accounts: Accounts = field(default_factory=lambda: Accounts(asking=Asking(unroll=UNROLL, stop=STOP)))
    base: str = "https://relay.example"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mentioned]:
        """Until the block ends; then as if the process had been killed, and its leases had lapsed."""
        tenure = Tenure(owner="one", lease=timedelta(seconds=30), clock=self.clock, trouble=Trouble(), patience=SOON)
        sources = {"fake": self.source}
        threads = Threads(store=self.store, sources=sources, tenure=tenure, is_request=self.accounts.is_request)
        speaker = Speaker(
            store=self.store,
            sources=sources,
            threads=threads,
            tenure=tenure,
            accounts=self.accounts,
            base=self.base,
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
    assert source.texts() == ["Mention me with the word “unroll” below a thread, and I answer with one page of it."]


async def test_an_author_who_refuses_has_no_page_unless_it_is_they_who_ask(room: Room) -> None:
    shy = replace(author(), refuses=True)
    room.source.threads = {uri(1): tuple(replace(one, author=shy) for one in CHAIN)}
    async with room.running() as source:
        source.said.append(mention(1))
        await source.answered(1)
        assert source.texts() == ["Its author asks not to be collected, so I make no page of it."]
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


async def test_an_author_takes_everything_back(room: Room) -> None:
    await publish(room.store, *CHAIN[:2], post(7), post(8, author=author("Sami")))
    await carry(room.store)
    async with room.running() as source:
        source.said.append(mention(1, "@chasqui stop", by=author(), about=""))
        await source.answered(1)
        assert await room.store.get_page_of(uri(1)) is None
        assert await room.store.get_page_of(uri(7)) is None
        assert await room.store.get_page_of(uri(8))
        assert [one.action.value for one in await carry(room.store)] == ["delete"] * 3
        source.said.append(mention(2))
        await source.answered(2)
        await source.read(2)  # that is written down
    assert source.texts() == [
        "Done: everything of yours that was kept here is gone, and nothing of yours will be kept again.",
        "Its author asks not to be collected, so I make no page of it.",
    ]
    await room.store.add_intakes([Intake(feed=None, events=(Published(post(9)),))], lease())
    assert await room.store.get_page_of(uri(9)) is None
    assert not await room.store.list_requests("fake", "chasqui", room.clock.now, 10)
    assert "illa/" not in (await rows(room.store, "requests")).replace(f"answer to {mention(1).uri}", "")


async def test_a_bot_may_take_itself_out_and_is_not_answered(room: Room) -> None:
    bot = replace(author(), bot=True)
    await publish(room.store, post(1))
    async with room.running() as source:
        await said(source, mention(1, "@chasqui delete", by=bot), mention(2, "@chasqui hello"))
        async with asyncio.timeout(10):
            while await room.store.get_page_of(uri(1)):
                await source.read()
    assert not source.posted


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
    assert source.texts() == ["I cannot read that thread: it is gone, or not for everybody."]


async def test_a_server_that_is_down_is_asked_again_and_given_up_in_the_end(room: Room) -> None:
    room.source.trouble = TryLater("it does not answer", timedelta(minutes=10))
    async with room.running() as source:
        await said(source, mention(1, about=uri(5)))
        assert not source.posted
        room.clock.now += GIVE_UP
        await source.answered(1)
    assert source.texts() == ["I cannot read that thread just now; please ask again."]


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
    assert [one.uri for one, _ in source.posted.values()] == [mention(2, by=author("Kusi")).uri]


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
        threads=Threads(store=room.store, sources={}, tenure=None),  # type: ignore[arg-type]  # never asked
        tenure=Tenure(owner="one", lease=SOON, clock=room.clock, trouble=Trouble()),
        accounts=room.accounts,
        base="",
    )
    with capture_logs() as logs:
        await speaker.run()
    assert "relay.public_url" in logs[0]["reason"]
    assert not room.source.reads
