"""The source against mastodon-mock, a server that somebody else wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from relay.model import Deleted, Edited, Event, Feed, FeedId, Post, Published
from relay.ports import Batch, Resolved, TryLater
from relay.sources.mastodon import MastodonSource
from relay.text import plain
from tests.servers.masto import Masto
from tests.servers.mastodon.fediverse import asking
from tests.support.mastodon_listening import SOON, Core, running

pytestmark = pytest.mark.real


@pytest.fixture
async def source(masto: Masto) -> AsyncIterator[MastodonSource]:
    async with asking(masto.base) as source:
        yield source


@pytest.fixture
def tag() -> str:
    return f"t{uuid4().hex[:12]}"


async def begin(source: MastodonSource, topic: str) -> Feed:
    """A feed that was polled once."""
    resolved = await source.resolve(topic)
    assert isinstance(resolved, Resolved)
    feed, _ = await poll(source, Feed(id=FeedId(1), source="mastodon", address=resolved.feeds[0]))
    return feed


async def poll(source: MastodonSource, feed: Feed) -> tuple[Feed, list[Post]]:
    """Poll until nothing more is to be read at once."""
    posts: list[Post] = []
    more = True
    while more:
        batch = await source.poll(feed)
        assert isinstance(batch, Batch), batch
        more = batch.more
        posts += [event.post for event in batch.events if isinstance(event, Published)]
        feed = replace(feed, seeded=True, cursor=feed.cursor if batch.cursor is None else batch.cursor)
    return feed, posts


async def test_a_hashtag_is_read_without_gap_or_double(source: MastodonSource, masto: Masto, tag: str) -> None:
    await masto.post(f"before #{tag}")
    feed = await begin(source, f"#{tag.upper()}")
    read: list[str] = []
    for burst in (1, 45, 0, 100):
        for number in range(burst):
            await masto.post(f"{burst}.{number} #{tag}")
        feed, posts = await poll(source, feed)
        read += [plain(post.body).split()[0] for post in posts]
    assert read == [f"{burst}.{number}" for burst in (1, 45, 100) for number in range(burst)]


async def test_a_hashtag_from_its_very_first_post(source: MastodonSource, masto: Masto, tag: str) -> None:
    feed = await begin(source, f"#{tag}")
    for number in range(50):
        await masto.post(f"{number} #{tag}")
    _, posts = await poll(source, feed)
    assert [plain(post.body) for post in posts] == [f"{number} #{tag}" for number in range(50)]


async def test_what_a_post_holds_arrives(source: MastodonSource, masto: Masto, tag: str) -> None:
    feed = await begin(source, f"#{tag}")
    quoted = await masto.post("The source")
    made = await masto.post(f"Low water #{tag}", spoiler="mud", language="de", quoted_status_id=quoted["id"], poll=None)
    await masto.post(f"quietly #{tag}", visibility="unlisted")
    await masto.post(f"secretly #{tag}", visibility="private")
    await masto.boost(made, user="bob")
    _, (post,) = await poll(source, feed)
    assert (post.uri, post.url, post.origin) == (made["uri"], made["url"], masto.base)
    assert (post.warning, post.language, post.tags) == ("mud", "de", (tag,))
    assert post.author.handle == f"@alice@{masto.base.removeprefix('http://')}"


async def test_an_account_is_looked_up_and_its_own_thread_is_read(
    source: MastodonSource, masto: Masto, tag: str
) -> None:
    hello = await masto.post("hello", user=tag)
    feed = await begin(source, f"@{tag}@{masto.base.removeprefix('http://')}")
    second = await masto.post("more", user=tag, in_reply_to=hello)
    question = await masto.post("why?", user="bob", in_reply_to=second)
    await masto.post("because", user=tag, in_reply_to=question)
    await masto.boost(question, user=tag)
    _, posts = await poll(source, feed)
    assert [plain(post.body) for post in posts] == ["more"]


async def test_edits_and_deletions_are_found(source: MastodonSource, masto: Masto, tag: str) -> None:
    feed = await begin(source, f"#{tag}")
    made = [await masto.post(f"{number} #{tag}") for number in range(20)]
    _, posts = await poll(source, feed)
    assert await source.recheck(posts) == Batch()
    await masto.edit(made[3], f"three #{tag}")
    await masto.delete(made[5])
    batch = await source.recheck(posts)
    assert isinstance(batch, Batch)
    assert [told(event) for event in batch.events] == [f"three #{tag}", made[5]["uri"]]


def told(event: Event) -> str:
    match event:
        case Deleted(ref):
            return ref
        case Edited(post) | Published(post):
            return plain(post.body)


async def test_a_thread_comes_whole_from_its_middle(source: MastodonSource, masto: Masto, tag: str) -> None:
    posts = [await masto.post("0", user=tag)]
    for number in range(1, 30):
        posts.append(await masto.post(f"{number}", user=tag, in_reply_to=posts[-1]))
        await masto.post("hm", user="bob", in_reply_to=posts[-1])
    found = await source.fetch_thread(posts[12]["url"])
    assert isinstance(found, list)
    assert found[0].uri == posts[12]["uri"]
    assert {post.uri for post in found} >= {post["uri"] for post in posts}


@pytest.mark.parametrize(
    ("effect", "after"),
    [
        ({"type": "ratelimit"}, timedelta(seconds=300)),
        ({"type": "status", "status": 503}, None),
        ({"type": "malformed"}, None),
        ({"type": "status", "status": 401, "body": {"error": "no"}}, timedelta(minutes=15)),
    ],
)
async def test_trouble_is_told_and_what_was_missed_is_read_after_it(
    source: MastodonSource, masto: Masto, tag: str, effect: dict[str, object], after: timedelta | None
) -> None:
    feed = await begin(source, f"#{tag}")
    await masto.post(f"new #{tag}")
    await masto.fault("/api/v1/timelines/tag/*", effect, count=2)
    later = await source.poll(feed)
    await masto.heal()
    assert isinstance(later, TryLater)
    assert later.after == after
    async with asking(masto.base) as another:  # what this one was told holds for minutes
        _, posts = await poll(another, feed)
    assert len(posts) == 1


async def test_posts_edits_and_deletions_come_as_they_happen(masto: Masto, tag: str) -> None:
    made = await masto.post("to have a token", user=tag)
    token = masto.tokens[made["account"]["acct"]]
    async with asking(masto.base, tokens={masto.base: token}, patience=SOON) as source:
        core = Core(source, masto.base)
        await core.follow(f"#{tag}")
        async with running(core):
            await core.until(lambda: bool(core.told))
            made = await masto.post(f"one #{tag}")
            await masto.post(f"secretly #{tag}", visibility="private")
            await core.until(lambda: core.texts() == [f"one #{tag}"])
            await masto.edit(made, f"better #{tag}")
            await core.until(lambda: core.texts() == [f"better #{tag}"])
            await masto.delete(made)
            await core.until(lambda: bool(core.gone))
            (post,) = core.posts.values()
            assert set(core.gone) == set(post.aliases)


async def test_a_stream_brings_what_polls_cannot_while_the_rest_is_in_trouble(masto: Masto, tag: str) -> None:
    made = await masto.post("to have a token", user=tag)
    tokens = {masto.base: masto.tokens[made["account"]["acct"]]}
    async with asking(masto.base, tokens=tokens, patience=SOON) as source:
        core = Core(source, masto.base)
        await core.follow(f"#{tag}")
        async with running(core):
            await core.until(lambda: len(core.told) >= 2)
            await masto.fault("/api/v1/timelines/tag/*", {"type": "status", "status": 503}, count=50)
            for number in range(200):
                await masto.post(f"{number} #{tag}")
            await core.until(lambda: len(core.posts) == 200)
            await masto.heal()


async def test_check_is_content_with_it(source: MastodonSource) -> None:
    (check,) = await source.check()
    assert check.ok
