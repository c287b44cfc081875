"""What a configured instance tells of other servers' people is looked up at their own servers before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relay.model import Deleted, Edited, Event, Post, PostUri, Published
from relay.ports import Batch, TryLater
from relay.sources.mastodon import MastodonSource
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.servers.misskey import run as misskey
from tests.support.mastodon_home_cases import asking_homes, read
from tests.support.mastodon_listening import SOON, Core, running
from tests.support.mastodon_timeline_cases import account_feed, begun, published, tag_feed


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    """The instance in the settings."""
    async with run() as server:
        yield server


LATER = "2026-08-01T12:00:00.000Z"
TOKEN = "tok-k1pu"


@pytest.fixture
async def home() -> AsyncIterator[Fediverse]:
    """Where the authors are at home."""
    async with run() as server:
        yield server


def lies(stage: Fediverse, true: Json, text: str = "#rivers forged", **changes: object) -> Json:
    """The instance tells somebody else's post in words of its own."""
    return stage.carry(true, content=f"<p>{text}</p>", **changes)


# --- new posts ---


async def test_a_new_post_of_an_unconfigured_server_s_people_counts_unasked(stage: Fediverse, home: Fediverse) -> None:
    async with asking(stage.base) as source:
        reader = await begun(source, tag_feed(stage))
        stage.carry(home.post("#rivers one"))
        assert published(await reader.poll()) == ["#rivers one"]
    assert home.asked == []


async def test_a_new_post_of_another_instance_s_people_counts_as_that_one_tells_it(
    stage: Fediverse, home: Fediverse
) -> None:
    async with asking(stage.base, home.base) as source:
        reader = await begun(source, tag_feed(stage))
        lies(stage, home.post("#rivers the truth"))
        batch = await reader.poll()
    assert published(batch) == ["#rivers the truth"]
    assert [event.post.origin for event in batch.events if isinstance(event, Published)] == [home.base]


async def test_what_another_instance_never_published_does_not_count(stage: Fediverse, home: Fediverse) -> None:
    true = home.post("#rivers the truth")
    invented = true | {"uri": f"{home.base}/users/ana/statuses/7"}
    another = true | {"uri": f"{true['uri']}?again"}
    async with asking(stage.base, home.base) as source:
        reader = await begun(source, tag_feed(stage))
        for status in (invented, another):
            lies(stage, status)
        assert published(await reader.poll()) == []


async def test_many_posts_cost_one_request_each_twenty(stage: Fediverse, home: Fediverse) -> None:
    stage.post("#rivers old")
    async with asking(stage.base, home.base) as source:
        reader = await begun(source, tag_feed(stage))
        for number in range(30):
            stage.carry(home.post(f"#rivers {number}"))
        assert len(published(await reader.poll())) == 30
    asked = [one.partition("?")[0] for one in home.asked if one.startswith("/api/v1/")]
    assert asked == ["/api/v1/statuses"] * 2


async def test_what_its_own_feed_brought_is_not_asked_for_again(stage: Fediverse, home: Fediverse) -> None:
    async with asking(stage.base, home.base) as source:
        readers = [await begun(source, tag_feed(one)) for one in (home, stage)]
        stage.carry(home.post("#rivers one"))
        await readers[0].poll()
        home.asked.clear()
        assert published(await readers[1].poll()) == ["#rivers one"]
    assert home.asked == []


async def test_while_another_instance_cannot_be_asked_its_people_are_left_to_its_own_feed(
    stage: Fediverse, home: Fediverse
) -> None:
    async with asking(stage.base, home.base) as source:
        readers = [await begun(source, tag_feed(one)) for one in (home, stage)]
        stage.carry(home.post("#rivers one"))
        stage.post("#rivers two")
        home.closed = 401
        assert published(await readers[1].poll()) == ["#rivers two"]
        home.closed = 0
        assert published(await readers[0].poll()) == ["#rivers one"]


async def test_an_account_of_another_instance_is_read_once_that_one_can_be_asked(
    stage: Fediverse, home: Fediverse
) -> None:
    true = home.post("one")
    stage.carry(true)
    account = stage.accounts[f"ana@{home.base.removeprefix('http://')}"]
    async with asking(stage.base, home.base) as source:
        reader = await begun(source, account_feed(stage, account))
        two = home.post("two")
        stage.carry(two)
        home.say("/api/v1/statuses", status=503)
        assert isinstance(await source.poll(reader.feed), TryLater)


async def test_a_misskey_server_is_asked_in_its_own_way(stage: Fediverse) -> None:
    async with misskey() as home, asking(stage.base, home.base) as source:
        note = home.note("#rivers the truth")
        reader = await begun(source, tag_feed(stage))
        status = stage.post("#rivers forged")
        account = status["account"] | {"uri": f"{home.base}/users/{note['userId']}", "acct": "ana@elsewhere.example"}
        for uri in (f"{home.base}/notes/{note['id']}", f"{home.base}/notes/9zz000"):
            stage.post("#rivers forged", uri=uri, account=account)
        del stage.posts[int(status["id"])]
        assert published(await reader.poll()) == ["#rivers the truth"]


# --- edits ---


@pytest.mark.parametrize("is_configured", [False, True])
async def test_an_edit_counts_as_the_author_s_own_server_tells_it(
    stage: Fediverse, home: Fediverse, *, is_configured: bool
) -> None:
    others = [home.base] if is_configured else []
    true = home.post("#rivers the truth")
    async with asking(stage.base, *others) as source:
        reader = await begun(source, tag_feed(stage))
        lies(stage, true, edited_at=LATER)
        assert published(await reader.poll()) == ["#rivers the truth"]
        home.edit(true, "#rivers the whole truth")
        lies(stage, true, edited_at="2099-01-01T00:00:00Z")
        assert published(await reader.poll()) == ["#rivers the whole truth"]


async def test_an_edit_counts_as_told_where_the_author_s_own_server_is_closed_and_not_configured(
    stage: Fediverse, home: Fediverse
) -> None:
    home.closed = 401
    async with asking(stage.base) as source, asking(stage.base, home.base) as other:
        readers = [await begun(one, tag_feed(stage)) for one in (source, other)]
        stage.carry(home.post("#rivers told"), edited_at=LATER)
        assert [published(await reader.poll()) for reader in readers] == [["#rivers told"], []]


async def test_an_edit_on_the_stream_is_asked_for_too(stage: Fediverse, home: Fediverse) -> None:
    true = home.post("#rivers the truth")
    stage.tokens = {TOKEN}
    copy = stage.carry(true)
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers")
        async with running(core):
            await stage.streams.listening("rivers")
            stage.carry(true)
            await core.until(lambda: bool(core.posts))
            stage.edit(copy, "#rivers forged")
            stage.post("#rivers after that")
            await core.until(lambda: "#rivers after that" in core.texts())
    assert core.texts() == ["#rivers after that", "#rivers the truth"]


async def test_an_edit_of_what_is_gone_at_home_is_a_deletion(stage: Fediverse, home: Fediverse) -> None:
    true = home.post("#rivers one")
    known = read(stage, stage.carry(true, edited_at=LATER))
    home.delete(true)
    async with asking_homes(stage) as homes:
        confirmed = await homes.confirm([("a", Edited(known)), ("b", Published(known))])
    assert confirmed.events == (("a", Deleted(known.uri)),)
    assert confirmed.is_whole


# --- what became of it ---


async def rechecked(source: MastodonSource, known: Post) -> list[Event]:
    answer = await source.recheck([known])
    assert isinstance(answer, Batch), answer
    return list(answer.events)


async def test_a_deletion_counts_as_the_author_s_own_server_tells_it(stage: Fediverse, home: Fediverse) -> None:
    true = home.post("#rivers one")
    copy = stage.carry(true)
    known = read(stage, copy)
    stage.delete(copy)
    async with asking(stage.base) as source:
        told = await rechecked(source, known)
        assert not any(isinstance(event, Deleted) for event in told)
        home.delete(true)
        assert await rechecked(source, known) == [Deleted(known.uri)]


@pytest.mark.parametrize("is_configured", [False, True])
async def test_a_deletion_counts_as_told_where_a_server_cannot_be_asked_and_is_not_configured(
    stage: Fediverse, home: Fediverse, *, is_configured: bool
) -> None:
    home.closed = 401
    copy = stage.carry(home.post("#rivers one"))
    known = read(stage, copy)
    stage.delete(copy)
    async with asking(stage.base, *([home.base] if is_configured else [])) as source:
        assert await rechecked(source, known) == ([] if is_configured else [Deleted(known.uri)])


async def test_an_edit_found_by_a_recheck_has_the_author_s_own_words(stage: Fediverse, home: Fediverse) -> None:
    true = home.post("#rivers the truth")
    copy = stage.carry(true)
    known = read(stage, copy)
    copy |= {"content": "forged", "edited_at": LATER}
    async with asking(stage.base) as source:
        assert [plain(e.post.body) for e in await rechecked(source, known) if isinstance(e, Edited)] == [
            "#rivers the truth"
        ]


# --- servers that do not want to answer ---


async def test_a_post_that_counts_as_it_was_told_is_not_copied(stage: Fediverse) -> None:
    told: list[tuple[str, Published | Edited]] = [
        ("", Published(read(stage, stage.post("#rivers one")))),
        ("", Edited(read(stage, stage.post("#rivers")))),
    ]
    async with asking_homes(stage) as homes:
        confirmed = await homes.confirm(told)
    assert [event for _, event in confirmed.events] == [event for _, event in told]
    assert all(one is other for (_, one), (_, other) in zip(confirmed.events, told, strict=True))


async def test_a_server_that_hangs_delays_the_others_once(stage: Fediverse) -> None:
    """What it should have confirmed counts as the instance in the settings tells it, and it is left alone."""
    accepted = 0

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await _reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server, asking_homes(stage, 0.2) as homes:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        author = {"uri": f"{base}/users/ana", "url": f"{base}/@ana", "acct": "ana@hangs.example"}
        hung = stage.post("#rivers", uri=f"{base}/users/ana/statuses/1", edited_at=LATER)
        known = read(stage, hung | {"account": hung["account"] | author})
        for _ in range(3):
            confirmed = await homes.confirm([("", Published(known)), ("", Deleted("x"))])
            assert len(confirmed.events) == 2
    assert accepted == 1


async def test_more_than_may_be_asked_at_a_time_does_not_count_unasked(stage: Fediverse, home: Fediverse) -> None:
    true = home.post("#rivers the truth")
    forged = read(stage, lies(stage, true, edited_at=LATER))
    some = [replace(forged, uri=PostUri(f"{home.base}/users/ana/statuses/{n}")) for n in range(1, 60)]
    async with asking_homes(stage) as homes:
        confirmed = await homes.confirm([("", Published(post)) for post in (*some, forged)])
    assert confirmed.events == ()
    assert not confirmed.is_whole


async def test_nothing_at_an_address_that_another_server_made_up_deletes_no_post(
    stage: Fediverse, home: Fediverse
) -> None:
    """Some servers' uris do not say by what id a post can be asked for; the page that is told beside it may lie."""
    true = home.post("#rivers the truth", uri=f"{home.base}/objects/7c1a")
    forged = read(stage, lies(stage, true, edited_at=LATER, url=f"{home.base}/notice/404"))
    gone = read(stage, lies(stage, true, edited_at=LATER, uri=f"{home.base}/users/ana/statuses/404404"))
    async with asking_homes(stage) as homes:
        confirmed = await homes.confirm([("", Edited(forged)), ("", Edited(gone))])
    assert [one.partition("?")[0] for one in home.asked if "404" in one]
    assert [event.ref for _, event in confirmed.events if isinstance(event, Deleted)] == [gone.uri]
