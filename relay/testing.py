"""Contract tests and fakes, for our own adapters and sources and for third parties'.

Subclass a contract in a test module, override its factory, and pytest runs every promise of the seam::

    class TestMine(AdapterContract):
        def make(self) -> Adapter:
            return MyAdapter(...)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from relay.model import (
    Action,
    Author,
    Block,
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
    Span,
    Text,
)
from relay.ports import (
    Adapter,
    Batch,
    Check,
    Gone,
    Inbox,
    Limits,
    Outcome,
    Refused,
    Resolved,
    Sent,
    Source,
    TryLater,
)

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

    async def run(self, inbox: Inbox) -> None:
        del inbox  # nobody writes to a fake

    async def deliver(self, delivery: Delivery) -> Outcome:
        if self.hold is not None:
            await self.hold.wait()
        async with self.arrived:
            self.delivered.append(delivery)
            self.arrived.notify_all()
        if self.answers:
            return self.answers.pop(0)
        return Sent(delivery.messages or (MessageId(f"{self.name}-{len(self.delivered)}"),))

    async def check(self) -> Sequence[Check]:
        return (Check(name=self.name, ok=True),)

    async def wait_for(self, count: int) -> list[Delivery]:
        """The deliveries so far, when there are at least ``count``."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.delivered) >= count)
        return self.delivered


@dataclass
class FakeSource:
    """Gives out what it is told: for each feed address a list of answers; then nothing new."""

    name: str = "fake"
    interval: timedelta = timedelta(milliseconds=10)
    sweep: timedelta = timedelta(milliseconds=50)
    answers: dict[str, list[Batch | TryLater | Gone]] = field(default_factory=dict)
    rechecks: list[Batch | TryLater | Gone] = field(default_factory=list)
    threads: Mapping[str, Sequence[Post]] = field(default_factory=dict)
    polls: list[Feed] = field(default_factory=list)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        if re.fullmatch(r"#\w*[^\W\d]\w*", topic):
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
        return self.threads.get(ref) or Refused("no such post")

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

    async def test_the_same_delivery_again_is_the_same_message_where_promised(self) -> None:
        adapter = self.make()
        if adapter.limits.idempotent:
            first = await self.send(adapter, delivery(to=self.to))
            assert await self.send(adapter, delivery(to=self.to, attempts=1, interrupted=True)) == first

    async def test_checks_are_for_people(self) -> None:
        assert all(check.name for check in await self.make().check())

    async def test_it_can_be_stopped(self) -> None:
        async def answer(_command: object) -> str:
            return ""

        running = asyncio.create_task(self.make().run(answer))
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
    "FakeSource",
    "SourceContract",
    "author",
    "delivery",
    "post",
    "rich_post",
    "text",
]
