"""The source of the demo: a network that does not exist, on which everybody acts by the script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from relay.core.hashtag import fold
from relay.demo.drawings import HEIGHT, WIDTH
from relay.demo.script import CAST, NEWSPAPER, RELAY, Correction, Draft, Step
from relay.model import Author, Deleted, Edited, Event, Feed, Media, MediaKind, Post, PostUri, Published, Quote
from relay.ports import Account, Answered, Batch, Check, Mention, Mentions, Refused, Resolved, Streamed, Watched
from relay.rich import Role, Span, Text
from relay.text import paragraphs

NAME = "plaza"
HOST, PAPER = "plaza.example", "lantern.example"
FEED = f"https://{PAPER}/feed.xml"
_WORD = re.compile(r"#(?P<tag>\w+)|@(?P<name>\w+)")


def uri_of(draft: Draft) -> PostUri:
    """By what the relay knows the post of a draft."""
    return PostUri(f"https://{PAPER if draft.author == NEWSPAPER else HOST}/{draft.author}/{draft.name}")


@dataclass
class ScriptedSource:
    """Tells what was played so far. ``base`` is the address of the relay's pages, beside which its own are served."""

    base: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    name: str = NAME
    interval: timedelta = timedelta(milliseconds=400)
    listen: timedelta = timedelta(milliseconds=400)
    posting: tuple[int, timedelta] = (100, timedelta(hours=1))
    posts: dict[str, Post] = field(default_factory=dict)
    """What everybody may read, by the names that the script gave it."""
    posted: dict[str, datetime] = field(default_factory=dict)
    """When each became visible, by uri."""
    answers: list[str] = field(default_factory=list)
    """What the relay's account said."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Told of new events, mentions and answers, and of who begins to listen for them."""
    listening: set[str] = field(default_factory=set)
    """How what happens now is listened for: as a stream, as mentions."""
    _events: list[tuple[str, Event]] = field(default_factory=list)
    _mentions: list[Mention] = field(default_factory=list)

    # --- what happens here ---

    async def play(self, *steps: Step) -> None:
        """Do all of this at once."""
        async with self.changed:
            for step in steps:
                self._play(step)
            self.changed.notify_all()

    def _play(self, step: Step) -> None:
        if isinstance(step, Draft):
            post = self._post(step)
            self.posted[post.uri] = self.now()
            if f"@{RELAY}" in step.text:
                self._mentions.append(self._mention(step, post))
            if not step.private:
                self.posts[step.name] = post
                self._tell(post, Published(post))
        elif isinstance(step, Correction):
            old = self.posts[step.name]
            self.posts[step.name] = post = replace(old, body=self._body(step.text), edited=self.now())
            self._tell(post, Edited(post))
        else:
            self._tell(post := self.posts.pop(step.name), Deleted(post.uri))

    def _tell(self, post: Post, event: Event) -> None:
        """An event is one of the newspaper's, or one of each hashtag."""
        feeds = [FEED] if post.origin == FEED else [self._feed(tag) for tag in post.tags]
        self._events += [(feed, event) for feed in feeds]

    def _feed(self, hashtag: str) -> str:
        return f"tag:{fold(hashtag, self.name)}"

    def _page(self, name: str) -> str:
        return f"{self.base}/{self.name}/{name}"

    def _post(self, draft: Draft) -> Post:
        parent, quoted = self.posts.get(draft.reply_to), self.posts.get(draft.quote)
        picture = Media(url=self._page(draft.drawing), kind=MediaKind.IMAGE, alt=draft.alt, width=WIDTH, height=HEIGHT)
        uri = uri_of(draft)
        return Post(
            uri=uri,
            url=self._page(draft.name),
            source=self.name,
            origin=FEED if draft.author == NEWSPAPER else f"https://{HOST}",
            author=self.author(draft.author),
            published=self.now() - draft.ago,
            title=draft.title,
            body=self._body(draft.text),
            warning=draft.warning,
            language=draft.language,
            tags=tuple(dict.fromkeys(match["tag"] for match in _WORD.finditer(draft.text) if match["tag"])),
            media=(picture,) if draft.drawing else (),
            quote=Quote(url=quoted.url, author=quoted.author, body=quoted.body) if quoted else None,
            reply_to=parent.uri if parent else "",
            reply_to_author=parent.author.uri if parent else "",
        )

    def author(self, who: str) -> Author:
        """One of the cast."""
        host = PAPER if who == NEWSPAPER else HOST
        return Author(
            uri=f"https://{host}/{who}",
            name=CAST[who][0],
            url=self._page(who),
            handle="" if who == NEWSPAPER else f"@{who}@{host}",
            avatar="" if who == NEWSPAPER else self._page(f"{who}.svg"),
            indexable=True,
            discoverable=True,
        )

    def _body(self, text: str) -> Text:
        return paragraphs(self._spans(text))

    def _spans(self, text: str) -> Iterator[Span]:
        done = 0
        for match in _WORD.finditer(text):
            yield Span(text[done : match.start()])
            if match["tag"]:
                yield Span(match[0], f"{self.base}/tag/{fold(match['tag'], self.name)}", Role.HASHTAG)
            else:
                yield Span(match[0], self._page(match["name"]), Role.MENTION)
            done = match.end()
        yield Span(text[done:])

    def _mention(self, draft: Draft, post: Post) -> Mention:
        return Mention(
            uri=post.uri,
            asker=post.author,
            text=draft.text,
            at=post.published,
            about=post.reply_to,
            language=draft.language,
            reply=draft.author,
        )

    # --- what a source promises ---

    async def resolve(self, topic: str) -> Resolved | Refused:
        if topic == FEED:
            return Resolved(feeds=(FEED,), title=CAST[NEWSPAPER][0])
        if topic.startswith("#") and (tag := fold(topic, self.name)):
            return Resolved(feeds=(self._feed(topic),), tag=tag, title=topic)
        return Refused("the demo knows its hashtags and its newspaper, and nothing else")

    async def poll(self, feed: Feed) -> Batch:
        news = self._events[int(feed.cursor) if feed.cursor.isdecimal() else 0 :]
        events = tuple(event for address, event in news if address == feed.address)
        return Batch(
            events=events if feed.seeded else (),
            past=() if feed.seeded else events,
            cursor=str(len(self._events)),
        )

    async def check(self) -> Sequence[Check]:
        return ()

    def streams(self) -> Sequence[str]:
        return (self.name,)

    async def stream(self, name: str, watched: Watched, cursor: str) -> AsyncGenerator[Streamed]:
        del name, watched, cursor  # it tells everything, and polls find what happened before
        heard = len(self._events)
        await self._heed("stream")
        while True:
            async with self.changed:
                while len(self._events) == heard:
                    await self.changed.wait()
            news, heard = self._events[heard:], len(self._events)
            yield Streamed(events=tuple(news))

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused:
        """The post, then all that stands in one conversation with it."""
        there = {post.uri: post for post in self.posts.values()}
        asked = there.get(PostUri(ref))
        if asked is None:
            return Refused("there is no such post in the demo")
        root = _root(asked, there)
        return [asked, *(post for post in there.values() if post is not asked and _root(post, there) == root)]

    # --- mentions ---

    def accounts(self) -> Sequence[str]:
        return (RELAY,)

    async def account(self, name: str) -> Account:
        author = self.author(name)
        return Account(uri=author.uri, handle=author.handle, url=author.url)

    async def mentions(self, name: str, cursor: str) -> Mentions:
        del name
        news = self._mentions[int(cursor) :] if cursor else ()
        if cursor:
            await self._heed("mentions")
        return Mentions(mentions=tuple(news), cursor=str(len(self._mentions)))

    async def answer(self, name: str, mention: Mention, text: str, *, key: str, again: bool) -> Answered:
        del key, again
        async with self.changed:
            self.answers.append(f"@{mention.reply} {text}")
            self.changed.notify_all()
        return Answered(f"https://{HOST}/{name}/answer-{len(self.answers)}")

    async def _heed(self, what: str) -> None:
        async with self.changed:
            self.listening.add(what)
            self.changed.notify_all()


def _root(post: Post, there: Mapping[PostUri, Post]) -> PostUri:
    while parent := there.get(PostUri(post.reply_to)):
        post = parent
    return post.uri
