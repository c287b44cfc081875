"""A guid counted within its host once: what older versions kept is still known, nothing is sent twice, edits arrive."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from relay import testing
from relay.core.match import Index
from relay.model import Action, Delivery, FeedId, Post, PostUri, Subscription, SubscriptionId
from relay.options import DeliveryOptions, Mode
from relay.pipeline.ingest import intake_of
from relay.sources.feed_changes import marks
from relay.sources.feed_posts import EntryPost, read_items, setting_of
from relay.sources.rss.cursor import Cursor, seconds
from relay.store import Store, open_store
from relay.store.tables import micros
from tests.servers.feeds import FeedServer
from tests.support.databases import PostgresServer
from tests.support.feed_reading import NOW, Reader
from tests.support.feed_samples import document
from tests.support.store_cases import ROOM, carry, lease
from tests.support.store_migrations_cases import formerly, upgrade_to

GUIDS = ("urn:bell:entry:1", "12", "http://127.0.0.1/?p=3", "x" * 1900, "two words of it", "ĝ" * 600)
"""As they are in the wild: one that is short counted within its feed before, too."""


def former_uri(name: str, address: str) -> str:
    """The uri of an entry as version 0007 of the database has it."""
    parts = urlsplit(address)
    host = parts.netloc.lower()
    scope = f"{host}{parts.path}?{parts.query}" if len(name) < 10 and ":" not in name else host
    if not name.isprintable() or " " in name:
        name = re.sub(r"[\s\x00-\x1f\x7f]+", "", name)
    return f"rss:{scope}:{name if len(scope) + len(name) < 1000 else _digest(scope, name)}"


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


def former_cursor(items: Sequence[EntryPost], uris: Sequence[str]) -> str:
    known = {_digest(uri): " ".join(marks(item)) for item, uri in zip(items, uris, strict=True)}
    return Cursor(items=msgspec.Raw(msgspec.json.encode(known)), newest=seconds(NOW), latest=seconds(NOW)).dump()


FEED = "INSERT INTO feeds (id, source, address) VALUES (1, 'rss', '{address}')"
POST = """INSERT INTO posts (id, uri, slug, source, origin, author, page, published, data, revision, reply_to, root,
    deleted, listed, seen) VALUES ({id}, '{uri}', 's{id}', 'rss', '{origin}', '{author}', '', {published}, '{data}', 1,
    {above}, {root}, {no}, {no}, 0)"""
SENT = """INSERT INTO deliveries (destination, post, action, version, state, reason, messages, subscription, created,
    settled) VALUES ('{room}', {id}, 'send', '', 'sent', 'why', '["m{id}"]', 1, 0, 0)"""


@dataclass(frozen=True)
class Former:
    """A feed that an older version has read, and whose entries it brought to the room."""

    address: str
    """With its mirrors."""
    cursor: str
    statements: tuple[str, ...]


def former(server: FeedServer, address: str, *, no: str) -> Former:
    first = address.split(" ", maxsplit=1)[0]
    items = read(server, first)
    guids = dict(zip((item.title for item in server.items), (item.guid for item in server.items), strict=True))
    uris = [former_uri(guids[item.post.title], first) for item in items]
    kept = [_kept(number, item.post, uris, no) for number, item in enumerate(items)]
    return Former(address, former_cursor(items, uris), (FEED.format(address=address), *chain.from_iterable(kept)))


def _kept(number: int, post: Post, uris: Sequence[str], no: str) -> tuple[str, str]:
    """A post and its delivery; the second one answers the first, the third is said to be by somebody elsewhere."""
    above = uris[0] if number == 1 else ""
    author = replace(post.author, uri=post.origin if number != 2 else "https://x.com/illa")
    row = POST.format(
        id=number,
        uri=uris[number],
        origin=post.origin,
        author=author.uri,
        published=micros(post.published),
        data=formerly(replace(post, uri=PostUri(uris[number]), reply_to=above, author=author)).replace("'", "''"),
        above=f"'{above}'" if above else "NULL",
        root=f"'{uris[0]}'" if number < 2 else "NULL",
        no=no,
    )
    return row, SENT.format(room=ROOM, id=number)


def read(server: FeedServer, address: str) -> Sequence[EntryPost]:
    found, first = document(server._rss()), address.split(" ", maxsplit=1)[0]
    return read_items(found, setting_of(found, address=first, url=first, now=NOW, feed=address))


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def old_url(request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/relay.sqlite3"
    else:
        with postgres.database(migrated=False) as url:
            yield url


LISTENER = Subscription(
    id=SubscriptionId(1),
    topic="bell",
    destination=ROOM,
    feeds=(FeedId(1),),
    delivery_options=DeliveryOptions(mode=Mode.POSTS),
)


async def polled(store: Store, reader: Reader) -> list[Delivery]:
    """What the room gets by a poll."""
    reader.now += timedelta(minutes=10)
    answer = await reader.poll()
    intake = intake_of(reader.feed, reader.source, answer, Index([LISTENER]), reader.now, 0)
    await store.add_intakes([replace(intake, feed=None)], lease())
    return await carry(store)


@pytest.mark.parametrize("where", ["{0}/feed.xml", "{0}/feed.xml?a=b:c", "{0}/feed.xml {0}/atom.xml"])
async def test_an_upgrade_loses_and_repeats_nothing(old_url: str, where: str, server: FeedServer) -> None:
    for number, guid in enumerate(GUIDS):
        server.add_item(f"Entry {number}", guid=guid, published=NOW - timedelta(hours=9 - number))
    was = former(server, where.format(server.url), no="false" if "postgres" in old_url else "0")
    await upgrade_to(old_url, "0007", *was.statements)
    store = await open_store(old_url)
    uris = [item.post.uri for item in read(server, was.address)]
    thread = await store.get_page_of(uris[1])
    assert thread is not None
    assert [post.uri for post in thread.posts] == uris[:2]
    async with Reader(was.address) as reader:
        reader.feed = replace(reader.feed, cursor=was.cursor, seeded=True)
        assert await polled(store, reader) == []
        for guid in GUIDS:
            server.edit_item(guid, body="<p>Otherwise.</p>")
        edits = await polled(store, reader)
        expected = {(Action.EDIT, uri, f"m{number}") for number, uri in enumerate(uris)}
        assert {(one.action, one.uri, one.messages[0]) for one in edits} == expected
        server.add_item("News", guid="urn:bell:entry:news", published=reader.now)
        assert [one.action for one in await polled(store, reader)] == [Action.SEND]
        assert await polled(store, reader) == []
    await store.close()


async def test_what_another_source_calls_its_posts_stays_as_it_is(old_url: str) -> None:
    """It may begin its uris with its own name, too."""
    theirs = testing.post(uri=PostUri("pond:illa:1"), source="pond", origin="https://pond.example/")
    data = formerly(theirs).replace("'", "''")
    row = POST.format(
        id=7,
        uri=theirs.uri,
        origin=theirs.origin,
        author=theirs.author.uri,
        published=0,
        data=data,
        above="NULL",
        root="NULL",
        no="false" if "postgres" in old_url else "0",
    )
    await upgrade_to(old_url, "0007", row.replace("'rss'", "'pond'"))
    store = await open_store(old_url)
    page = await store.get_page_of(theirs.uri)
    assert page is not None
    assert page.posts == (theirs,)
    await store.close()
