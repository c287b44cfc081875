"""Being mentioned on Bluesky: what is told of it, once each, however long nobody listened."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.ports import Gone, Mention, MentionedSource, Mentions, TryLater
from relay.sources.bluesky import BlueskySource
from tests.servers.bluesky.account import reside, speak
from tests.servers.bluesky.jetstream import cid, did
from tests.servers.bluesky.world import label
from tests.servers.bluesky.xrpc import ACCOUNT, CHASKI, HANDLE, HTML, Stage, asking, run

UNROLL = f"@{HANDLE} unroll"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.person("illa")
        reside(stage.world, CHASKI, HANDLE)
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage, mentions=True, **ACCOUNT) as source:
        yield source


class Ear:
    """An account's cursor, as the core keeps it."""

    def __init__(self, source: BlueskySource) -> None:
        self.source = source
        self.cursor = ""

    async def read(self) -> Mentions:
        told = await self.source.mentions(HANDLE, self.cursor)
        assert isinstance(told, Mentions), told
        self.cursor = self.cursor if told.cursor is None else told.cursor
        return told

    async def hear(self) -> list[Mention]:
        """Until there is nothing more to read at once."""
        told = await self.read()
        heard = list(told.mentions)
        while told.more:
            told = await self.read()
            heard += told.mentions
        return heard

    async def uris(self) -> list[str]:
        return [mention.uri for mention in await self.hear()]


@pytest.fixture
async def ear(source: BlueskySource) -> Ear:
    return Ear(source)


@pytest.fixture
async def listening(stage: Stage, ear: Ear) -> Ear:
    """To what comes from now on."""
    speak(stage.world, "hi")
    assert await ear.uris() == []
    return ear


async def one(ear: Ear) -> Mention:
    (mention,) = await ear.hear()
    return mention


# --- whose account ---


async def test_only_where_the_settings_say_so(stage: Stage) -> None:
    async with asking(stage, **ACCOUNT) as source:
        assert isinstance(source, MentionedSource)
        assert source.accounts() == ()
        assert isinstance(await source.account(HANDLE), Gone)
        assert isinstance(await source.mentions(HANDLE, ""), Gone)
    async with asking(stage, mentions=True, **ACCOUNT) as source:
        assert source.accounts() == (HANDLE,)
        most, span = source.posting
        assert (source.listen, most / (span / timedelta(hours=1))) == (timedelta(seconds=8), 1000)


# --- what a mention says ---


async def test_a_mention_below_a_post_tells_who_asks_what_about_it(stage: Stage, listening: Ear) -> None:
    root = stage.world.post("one")
    parent = stage.world.post("two", reply_to=root)
    uri = speak(stage.world, f"¡{UNROLL}, please 🦙!", reply_to=parent, langs=["es-PE", "qu"])
    mention = await one(listening)
    assert (mention.uri, mention.about, mention.language) == (uri, parent, "es-PE")
    assert mention.text == f"¡{UNROLL}, please 🦙!"
    assert mention.at == datetime.fromisoformat(stage.world.records[uri]["createdAt"])
    assert (mention.asker.uri, mention.asker.handle) == (did("sami"), "@sami.ayllu.example")
    assert (mention.asker.bot, mention.asker.refuses) == (False, False)
    below = json.loads(mention.reply)
    assert below["parent"] == {"uri": uri, "cid": cid(stage.world.records[uri])}
    assert below["root"] == {"uri": root, "cid": cid(stage.world.records[root])}


async def test_a_mention_that_answers_nothing_begins_its_own_conversation(stage: Stage, listening: Ear) -> None:
    uri = speak(stage.world, UNROLL, langs=[])
    mention = await one(listening)
    below = json.loads(mention.reply)
    assert below["root"] == below["parent"] == {"uri": uri, "cid": cid(stage.world.records[uri])}
    assert (mention.about, mention.language) == ("", "")


def quote(uri: str) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.record", "record": {"uri": uri, "cid": "bafyx"}}


async def test_a_mention_is_about_what_it_answers_or_else_quotes(stage: Stage, listening: Ear) -> None:
    quoted, other = stage.world.post("quoted"), stage.world.post("answered")
    media = {"$type": "app.bsky.embed.recordWithMedia", "record": quote(quoted), "media": {"$type": "x"}}
    feed = quote(f"at://{did('illa')}/app.bsky.feed.generator/cats")
    speak(stage.world, UNROLL, reason="quote", embed=quote(quoted))
    speak(stage.world, UNROLL, reason="quote", embed=media)
    speak(stage.world, UNROLL, reply_to=other, embed=quote(quoted))
    speak(stage.world, UNROLL, embed=feed)
    speak(stage.world, UNROLL, embed={"$type": "app.bsky.embed.external", "external": {"uri": "https://x.example"}})
    assert [mention.about for mention in await listening.hear()] == [quoted, quoted, other, "", ""]


@pytest.mark.parametrize(
    ("profile", "bot", "refuses"),
    [
        ({"labels": [label("bot", did("sami"))]}, True, False),
        ({"labels": [label("!no-unauthenticated", did("sami"))]}, False, True),
        ({"description": "I knit. #nobot"}, False, True),
    ],
)
async def test_the_asker_says_what_they_are(
    stage: Stage, listening: Ear, profile: dict[str, Any], bot: bool, refuses: bool
) -> None:
    stage.world.person("sami", **profile)
    speak(stage.world, UNROLL)
    mention = await one(listening)
    assert (mention.asker.bot, mention.asker.refuses) == (bot, refuses)


async def test_what_is_no_mention_in_words_is_left_out(stage: Stage, listening: Ear) -> None:
    """Nor is what we wrote ourselves, whatever it says."""
    answer = stage.world.post("here you go", "chaski")
    speak(stage.world, "thanks!", reason="reply", reply_to=answer)
    speak(stage.world, UNROLL, facets=[])
    speak(stage.world, "@illa.ayllu.example unroll", reason="reply", reply_to=answer)
    speak(stage.world, UNROLL, reason="like")
    speak(stage.world, UNROLL, "chaski", reason="reply", reply_to=answer)
    assert await listening.uris() == []
    uri = speak(stage.world, UNROLL)
    assert await listening.uris() == [uri]


async def test_one_post_with_two_reasons_is_one_mention(stage: Stage, listening: Ear) -> None:
    uri = speak(stage.world, UNROLL)
    stage.world.notices.append((stage.world.notices[-1][0], uri, "quote"))
    assert await listening.uris() == [uri]
    assert await listening.uris() == []


# --- how far it was read ---


async def test_at_first_nothing_is_told(stage: Stage, ear: Ear) -> None:
    for _ in range(150):
        speak(stage.world, UNROLL)
    assert await ear.uris() == []
    assert await ear.uris() == []
    assert stage.count("listNotifications") == 2
    uri = speak(stage.world, UNROLL)
    assert await ear.uris() == [uri]


async def test_the_first_mention_of_all_is_heard(stage: Stage, ear: Ear) -> None:
    assert await ear.uris() == []
    uri = speak(stage.world, UNROLL)
    assert await ear.uris() == [uri]


async def test_the_oldest_comes_first_and_nothing_comes_twice(stage: Stage, listening: Ear) -> None:
    uris = [speak(stage.world, UNROLL) for _ in range(3)]
    assert await listening.uris() == uris
    told = await listening.read()
    assert (told.mentions, told.cursor, told.more) == ((), None, False)


async def test_what_is_marked_as_read_elsewhere_is_heard_all_the_same(stage: Stage, listening: Ear) -> None:
    uri = speak(stage.world, UNROLL)
    said = {"uri": uri, "cid": "bafyx", "author": stage.world.person("sami"), "reason": "mention", "isRead": True}
    page = said | {"record": stage.world.records[uri], "indexedAt": stage.world.notices[-1][0]}
    stage.say("listNotifications", {"notifications": [page]})
    assert await listening.uris() == [uri]


@pytest.mark.parametrize("count", [99, 100, 101, 450, 2500])
async def test_a_long_backlog_is_read_whole(stage: Stage, listening: Ear, count: int) -> None:
    uris = [speak(stage.world, UNROLL) for _ in range(count)]
    heard = await listening.uris()
    assert len(heard) == count
    assert set(heard) == set(uris)
    assert await listening.uris() == []
    assert len(listening.cursor) < 12_000


async def test_cursors_of_another_kind_are_followed_as_they_are(stage: Stage, listening: Ear) -> None:
    stage.world.is_counted = True
    uris = [speak(stage.world, UNROLL) for _ in range(1250)]
    assert sorted(await listening.uris()) == sorted(uris)
    assert await listening.uris() == []


@pytest.mark.parametrize("cursor", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "x::y", ""])
async def test_a_cursor_may_be_anything(stage: Stage, listening: Ear, cursor: str) -> None:
    uri = speak(stage.world, UNROLL)
    by, said = stage.world.person("sami"), stage.world.records[uri]
    notice = {"uri": uri, "cid": "bafyx", "author": by, "record": said, "indexedAt": stage.world.notices[-1][0]}
    stage.say("listNotifications", {"notifications": [notice], "cursor": cursor})
    told = await listening.read()
    assert [mention.uri for mention in told.mentions] == [uri]


async def test_what_comes_while_a_backlog_is_read_is_heard_too(stage: Stage, listening: Ear) -> None:
    uris = {speak(stage.world, UNROLL) for _ in range(1200)}
    told = await listening.read()
    assert told.more
    heard = {mention.uri for mention in told.mentions}
    uris |= {speak(stage.world, UNROLL) for _ in range(30)}
    heard |= {*await listening.uris()}
    assert {*heard, *await listening.uris()} == uris


async def test_a_mention_that_is_known_late_is_heard(stage: Stage, listening: Ear) -> None:
    """It takes its place by when it was written, below others that were read before."""
    for _ in range(30):
        speak(stage.world, UNROLL)
    await listening.hear()
    late = speak(stage.world, UNROLL, at=stage.world.notices[-20][0])
    assert await listening.uris() == [late]


async def test_at_one_moment_none_is_lost_and_none_told_twice(stage: Stage, listening: Ear) -> None:
    """Though it is there that a page ends, below which the AppView leaves out what else happened at that moment."""
    at = stage.world.notices[-1][0]
    at = f"{at[:-4]}500Z"
    uris = [speak(stage.world, UNROLL, at=at) for _ in range(70)]
    uris += [speak(stage.world, UNROLL) for _ in range(60)]
    heard = await listening.uris()
    assert sorted(heard) == sorted(uris)
    more = [speak(stage.world, UNROLL, at=stage.world.notices[-1][0]) for _ in range(2)]
    assert sorted(await listening.uris()) == sorted(more)
    assert await listening.uris() == []


async def test_mentions_below_a_great_many_likes_are_heard(stage: Stage, listening: Ear) -> None:
    """The AppView gives up searching, and answers with an empty page that goes on."""
    uri = speak(stage.world, UNROLL)
    liked = stage.world.post("liked", "chaski")
    stage.world.notices += [
        (f"{stage.world.records[liked]['createdAt'][:-1]}{n:04}Z", liked, "like") for n in range(1500)
    ]
    assert await listening.uris() == [uri]


async def test_likes_alone_are_not_searched_to_their_end_each_time(stage: Stage, ear: Ear) -> None:
    liked, long_ago = stage.world.post("liked", "chaski"), datetime.now(UTC) - timedelta(days=30)
    for number in range(3000):
        at = (long_ago + timedelta(seconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stage.world.notices.append((at, liked, "like"))
    await ear.hear()
    await ear.hear()
    assert stage.count("listNotifications") == 2


# --- when it does not go well ---


async def test_a_cursor_that_the_server_does_not_know_any_more_loses_nothing(stage: Stage, listening: Ear) -> None:
    uris = {speak(stage.world, UNROLL) for _ in range(1200)}
    heard = {mention.uri for mention in (await listening.read()).mentions}
    stage.say("cursor=", {"error": "InvalidRequest", "message": "Malformed cursor"}, status=400, times=1)
    told = await listening.read()
    assert (told.mentions, told.more) == ((), False)
    assert heard | {*await listening.uris()} == uris


async def test_trouble_half_way_keeps_what_was_read(stage: Stage, listening: Ear) -> None:
    uris = {speak(stage.world, UNROLL) for _ in range(300)}
    stage.say("cursor=", HTML, status=502, times=1)
    told = await listening.read()
    assert 90 < len(told.mentions) <= 100
    assert {mention.uri for mention in told.mentions} | {*await listening.uris()} == uris


@pytest.mark.parametrize("body", [HTML, b"", b"{}", b"[1]", b'{"notifications": 5}', b"\xff"])
async def test_an_odd_answer_is_a_value_and_moves_nothing(stage: Stage, listening: Ear, body: bytes) -> None:
    stage.say("listNotifications", body)
    assert isinstance(await listening.source.mentions(HANDLE, listening.cursor), TryLater)


async def test_an_odd_notification_hides_no_other(stage: Stage, listening: Ear) -> None:
    uri = speak(stage.world, UNROLL)
    good = {"uri": uri, "cid": "bafyx", "author": stage.world.person("sami"), "record": stage.world.records[uri]}
    good |= {"indexedAt": stage.world.notices[-1][0]}
    odd = [
        5,
        {},
        good | {"uri": "x"},
        good | {"uri": f"{uri}a", "indexedAt": "soon"},
        good | {"uri": f"{uri}b", "author": 7},
    ]
    odd += [
        good | {"uri": f"at://{did('illa')}/app.bsky.feed.post/3kb"},
        good | {"uri": f"{uri}c", "record": {"facets": 5}},
    ]
    stage.say("listNotifications", {"notifications": [*odd, good]})
    assert await listening.uris() == [uri]


async def test_a_session_that_ran_out_is_renewed(stage: Stage, listening: Ear) -> None:
    uri = speak(stage.world, UNROLL)
    stage.expire()
    assert await listening.uris() == [uri]
    assert stage.count("createSession") == 1


async def test_limits_and_a_closed_account_are_told(stage: Stage, listening: Ear) -> None:
    soon = str(int(datetime.now(UTC).timestamp()) + 120)
    limits = {"ratelimit-remaining": "0", "ratelimit-reset": soon}
    stage.say("listNotifications", {"error": "RateLimitExceeded"}, status=429, headers=limits, times=1)
    told = await listening.source.mentions(HANDLE, listening.cursor)
    assert isinstance(told, TryLater)
    assert told.after
    assert timedelta(seconds=60) < told.after <= timedelta(seconds=120)
    stage.say("listNotifications", {"error": "AccountTakedown"}, status=400)
    assert isinstance(await listening.source.mentions(HANDLE, listening.cursor), Gone)
