"""Contract tests and fakes, for our own adapters and sources and for third parties'.

Subclass a contract in a test module, override its factory, and pytest runs every promise of the seam::

    class TestMine(AdapterContract):
        def make(self) -> Adapter:
            return MyAdapter(...)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from relay.changes import change_card
from relay.i18n import words
from relay.model import (
    Action,
    Author,
    Card,
    Delivery,
    DeliveryId,
    Destination,
    Feed,
    FeedId,
    Media,
    MediaKind,
    MessageId,
    Place,
    Post,
    PostUri,
    Quote,
)
from relay.ports import (
    Adapter,
    Answer,
    Batch,
    Check,
    Command,
    Gone,
    Inbox,
    Limits,
    Outcome,
    Question,
    Refused,
    Resolved,
    Sent,
    Source,
    Suggestion,
    TryLater,
)
from relay.rich import Block, Span, Text

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


# --- values to test with ---


def text(*paragraphs: str) -> Text:
    return tuple(Block((Span(paragraph),)) for paragraph in paragraphs)


def author(name: str = "Illa") -> Author:
    slug = name.lower()
    return Author(
        uri=f"https://ayllu.example/users/{slug}",
        name=name,
        url=f"https://ayllu.example/@{slug}",
        handle=f"@{slug}@ayllu.example",
        discoverable=True,
    )


def post(number: int = 1, **changes: object) -> Post:
    """A post like many; ``changes`` replace fields."""
    plain = Post(
        uri=PostUri(f"https://ayllu.example/users/illa/statuses/{number}"),
        url=f"https://ayllu.example/@illa/{number}",
        source="fake",
        origin="https://ayllu.example",
        author=author(),
        published=NOON + timedelta(minutes=number),
        body=text(f"Post number {number}."),
        aliases=(f"https://ayllu.example/{number}",),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields, Post checks nothing


def rich_post(number: int = 1) -> Post:
    """A post with one of everything."""
    return post(
        number,
        body=(*text("The bridge holds."), Block((Span("read more", link="https://ayllu.example/more"),))),
        warning="heights",
        sensitive=True,
        tags=("Qeswachaka",),
        media=(Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A rope bridge over a river"),),
        quote=Quote(url="https://ayllu.example/@sami/9", author=author("Sami"), body=text("Bring rope.")),
        language="en",
    )


def delivery(number: int = 1, *, action: Action = Action.SEND, to: str = "fake:room", **changes: object) -> Delivery:
    shown = post(number)
    plain = Delivery(
        id=DeliveryId(f"test-{number}"),
        action=action,
        destination=Destination.parse(to),
        uri=shown.uri,
        card=None if action is Action.DELETE else Card(post=shown, reason="#Qeswachaka · ayllu.example"),
        messages=() if action is Action.SEND else (MessageId(f"m{number}"),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # as above


def in_thread(number: int, count: int) -> Card:
    """The card of post ``number`` in a thread of ``count`` posts so far."""
    root = post(1).uri
    return Card(
        post=post(number),
        reason="#Qeswachaka · ayllu.example",
        thread=Place(root=root, position=number, count=count),
        unroll="https://relay.example/t/abc",
    )


# --- fakes ---


@dataclass
class FakeAdapter:
    """Remembers what it was given; ``answers`` are given out first, then everything is sent."""

    name: str = "fake"
    limits: Limits = field(default_factory=Limits)
    remote: bool = False
    answers: list[Outcome] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """Set: every delivery waits for it."""
    delivered: list[Delivery] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    written: asyncio.Queue[Command | None] = field(default_factory=asyncio.Queue)
    """Commands of people, for ``run``."""
    heard: list[Answer] = field(default_factory=list)
    closed: bool = False

    async def run(self, inbox: Inbox) -> None:
        """Bring what the test writes into ``written``; return when it is None."""
        while (command := await self.written.get()) is not None:
            self.heard.append(await inbox.answer(command))

    async def deliver(self, delivery: Delivery) -> Outcome:
        if self.hold is not None:
            await self.hold.wait()
        async with self.arrived:
            self.delivered.append(delivery)
            self.arrived.notify_all()
        if self.answers:
            return self.answers.pop(0)
        return Sent(delivery.messages or (MessageId(f"{self.name}-{len(self.delivered)}"),))

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        return (Check(name=self.name, ok=True), *(Check(name=str(one), ok=True) for one in destinations))

    async def close(self) -> None:
        self.closed = True

    async def wait_for(self, count: int) -> list[Delivery]:
        """The deliveries so far, when there are at least ``count``."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.delivered) >= count)
        return self.delivered


@dataclass
class FakeInbox:
    """Remembers what an adapter brought; every command gets the same answer."""

    reply: Answer = field(default_factory=lambda: Answer(text=text("Understood.")))
    suggestions: Sequence[Suggestion] = ()
    hold: asyncio.Event | None = None
    """Set: every answer waits for it."""
    commands: asyncio.Queue[Command] = field(default_factory=asyncio.Queue)
    questions: list[Question] = field(default_factory=list)
    losses: asyncio.Queue[tuple[tuple[Destination, ...], str]] = field(default_factory=asyncio.Queue)

    async def answer(self, command: Command) -> Answer:
        self.commands.put_nowait(command)
        if self.hold is not None:
            await self.hold.wait()
        return self.reply

    async def suggest(self, question: Question) -> Sequence[Suggestion]:
        self.questions.append(question)
        return self.suggestions

    async def lost(self, destinations: Collection[Destination], reason: str) -> None:
        self.losses.put_nowait((tuple(destinations), reason))


@dataclass
class FakeSource:
    """Gives out what it is told: for each feed address a list of answers; then nothing new."""

    name: str = "fake"
    interval: timedelta = timedelta(milliseconds=10)
    sweep: timedelta = timedelta(milliseconds=50)
    answers: dict[str, list[Batch | TryLater | Gone]] = field(default_factory=dict)
    rechecks: list[Batch | TryLater | Gone] = field(default_factory=list)
    threads: Mapping[str, Sequence[Post]] = field(default_factory=dict)
    trouble: Refused | TryLater | Gone = field(default_factory=lambda: Refused("no such post"))
    """What is answered when a thread is asked for that is not among those."""
    polls: list[Feed] = field(default_factory=list)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        if re.fullmatch(r"#\d*[^\W\d]\w*", topic):
            return Resolved(feeds=(topic,), tag=topic[1:].casefold())
        if topic.startswith(("fake:", "https:")):
            return Resolved(feeds=(topic,))
        return Refused("only hashtags and addresses are read here")

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        self.polls.append(feed)
        waiting = self.answers.get(feed.address)
        return waiting.pop(0) if waiting else Batch()

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        del posts  # what is answered was decided before
        return self.rechecks.pop(0) if self.rechecks else Batch()

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        return self.threads.get(ref) or self.trouble

    async def check(self) -> Sequence[Check]:
        return (Check(name=self.name, ok=True),)


# --- contracts ---


class AdapterContract:
    """What every adapter promises, whatever the platform."""

    to: str = "fake:room"
    """A destination of the adapter, as a person writes it."""

    def make(self) -> Adapter:
        raise NotImplementedError("return the adapter under test")

    async def send(self, adapter: Adapter, what: Delivery) -> Sent:
        outcome = await adapter.deliver(what)
        assert isinstance(outcome, Sent), outcome
        return outcome

    async def test_a_sent_post_has_a_message_id(self) -> None:
        """Edits and deletions need something to hold on to."""
        assert (await self.send(self.make(), delivery(to=self.to))).messages

    async def test_a_post_with_everything_is_sent(self) -> None:
        card = Card(post=rich_post(), reason="#Qeswachaka", thread=Place(root=rich_post().uri, position=2, count=3))
        assert (await self.send(self.make(), delivery(to=self.to, card=card))).messages

    async def test_an_edit_and_a_deletion_follow_a_send(self) -> None:
        adapter = self.make()
        sent = await self.send(adapter, delivery(1, to=self.to))
        if adapter.limits.edits:
            await self.send(adapter, delivery(1, action=Action.EDIT, to=self.to, messages=sent.messages))
        if adapter.limits.deletions:
            await self.send(adapter, delivery(1, action=Action.DELETE, to=self.to, messages=sent.messages))

    async def test_a_thread_continues_under_its_first_message(self) -> None:
        """Each platform in its own way: a thread, a reply, or one more message."""
        adapter = self.make()
        first = await self.send(adapter, delivery(1, to=self.to, card=in_thread(1, 1)))
        second = await self.send(adapter, delivery(2, to=self.to, card=in_thread(2, 2), under=first.messages))
        third = await self.send(adapter, delivery(3, to=self.to, card=in_thread(3, 3), under=first.messages))
        assert len({*first.messages, *second.messages, *third.messages}) >= 3

    async def test_the_relay_s_own_word_can_stand_below_a_message(self) -> None:
        """Where :class:`relay.ports.Limits` says that nothing is edited or deleted, a change is told by such a word."""
        adapter = self.make()
        first = await self.send(adapter, delivery(1, to=self.to))
        change = delivery(1, action=Action.EDIT, to=self.to, messages=first.messages)
        fixed = Limits(edits=False, deletions=False)
        card = change_card(change, fixed, name="Chasqui", say=words("en"), now=NOON)
        told = await self.send(adapter, delivery(2, to=self.to, card=card, under=first.messages))
        assert {*told.messages}.isdisjoint(first.messages)

    async def test_the_count_of_a_thread_changes_where_it_is_shown(self) -> None:
        """Where it is not shown there is nothing to do, and that is done."""
        adapter = self.make()
        sent = await self.send(adapter, delivery(1, to=self.to, card=in_thread(1, 1)))
        grown = delivery(1, action=Action.COUNT, to=self.to, messages=sent.messages, card=in_thread(1, 4))
        await self.send(adapter, grown)

    async def test_what_was_deleted_or_edited_before_is_done(self) -> None:
        """After a crash the outbox asks again for what may have been done: that is no failure."""
        adapter = self.make()
        sent = await self.send(adapter, delivery(1, to=self.to))
        for action in (Action.EDIT, Action.EDIT, Action.DELETE, Action.DELETE):
            again = delivery(1, action=action, to=self.to, messages=sent.messages)
            if adapter.limits.edits if action is Action.EDIT else adapter.limits.deletions:
                assert isinstance(await adapter.deliver(again), Sent)

    async def test_closing_twice_is_closing_once(self) -> None:
        adapter = self.make()
        await adapter.close()
        await adapter.close()

    async def test_the_same_delivery_again_is_the_same_message_where_promised(self) -> None:
        adapter = self.make()
        if adapter.limits.idempotent:
            first = await self.send(adapter, delivery(to=self.to))
            assert await self.send(adapter, delivery(to=self.to, attempts=1, interrupted=True)) == first

    async def test_checks_are_for_people(self) -> None:
        assert all(check.name for check in await self.make().check())

    async def test_it_can_be_stopped(self) -> None:
        running = asyncio.create_task(self.make().run(FakeInbox()))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert running.done()


class SourceContract:
    """What every source promises, whatever the network."""

    def make(self) -> Source:
        raise NotImplementedError("return the source under test")

    async def test_nonsense_is_refused_with_a_reason(self) -> None:
        """A chat user may type anything."""
        for topic in ("", " ", "nonsense", "#", "@", "javascript:alert(1)", "file:///etc/passwd", "#12345"):
            answer = await self.make().resolve(topic)
            assert isinstance(answer, Refused), topic
            assert answer.reason

    async def test_a_broken_cursor_is_no_exception(self) -> None:
        """A database may be older than the program."""
        feed = Feed(id=FeedId(1), source=self.make().name, address="http://127.0.0.1:9/x", cursor="{", seeded=True)
        assert isinstance(await self.make().poll(feed), Batch | TryLater | Gone)


__all__ = [
    "AdapterContract",
    "FakeAdapter",
    "FakeInbox",
    "FakeSource",
    "SourceContract",
    "author",
    "delivery",
    "in_thread",
    "post",
    "rich_post",
    "text",
]
