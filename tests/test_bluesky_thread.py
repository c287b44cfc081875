"""Whole conversations out of an AppView that tells ten generations at a time, and out of the author's own server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.model import Post
from relay.ports import Gone, Refused, TryLater
from relay.sources.bluesky import BlueskySource
from relay.sources.bluesky.thread import fetch_thread
from relay.sources.bluesky.xrpc import Api
from relay.text import plain
from relay.unroll import unroll
from tests.servers.bluesky.jetstream import POSTS, did, tid
from tests.servers.bluesky.world import label
from tests.servers.bluesky.xrpc import HTML, Stage, asking, client, run

ILLA = did("illa")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.person("illa")
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage) as source:
        yield source


@pytest.fixture
async def api(stage: Stage) -> AsyncIterator[Api]:
    """As the source has it, but with a directory on loopback."""
    async with client() as http:
        yield Api(http, stage.appview, directory=stage.home)


def posts(answer: object) -> list[Post]:
    assert isinstance(answer, list | tuple), answer
    return list(answer)


async def unrolled(source: BlueskySource, ref: str) -> list[str]:
    """The thread in which a post stands, as the reader of a page sees it."""
    found = posts(await source.fetch_thread(ref))
    thread = unroll(found, found[0].uri)
    assert thread
    return [plain(post.body) for post in thread.posts if isinstance(post, Post)]


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


# --- the AppView ---


@pytest.mark.parametrize("length", [1, 2, 10, 11, 12, 45])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
async def test_a_thread_is_whole_wherever_it_is_entered(
    source: BlueskySource, stage: Stage, length: int, where: float
) -> None:
    uris = stage.world.thread(length)
    assert await unrolled(source, uris[int((length - 1) * where)]) == numbers(length)


async def test_more_than_eighty_ancestors_are_climbed(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(100)
    assert await unrolled(source, uris[-1]) == numbers(100)


async def test_a_short_thread_costs_one_request(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(5)
    await unrolled(source, uris[0])
    assert len(stage.asked) == 1


async def test_answers_of_strangers_at_its_end_are_asked_for_once(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(11)
    for _ in range(3):
        stage.world.post("bravo", "sami", reply_to=uris[-1])
    assert await unrolled(source, uris[0]) == numbers(11)
    assert len(stage.asked) == 2


async def test_the_post_that_was_asked_for_comes_first_with_all_around_it(source: BlueskySource, stage: Stage) -> None:
    question = stage.world.post("a question", "sami")
    uris = stage.world.thread(3, under=question)
    aside = stage.world.post("an aside", reply_to=uris[0])
    found = posts(await source.fetch_thread(uris[2]))
    assert found[0].uri == uris[2]
    assert {post.uri for post in found} == {question, *uris, aside}


@pytest.mark.parametrize(
    "form",
    [
        "at://{did}/{collection}/{rkey}",
        "at://illa.ayllu.example/{collection}/{rkey}",
        "https://bsky.app/profile/{did}/post/{rkey}",
        "https://bsky.app/profile/illa.ayllu.example/post/{rkey}",
        "https://bsky.brid.gy/convert/ap/at://{did}/{collection}/{rkey}",
    ],
)
async def test_a_post_is_found_by_all_of_its_names(source: BlueskySource, stage: Stage, form: str) -> None:
    uris = stage.world.thread(2)
    ref = form.format(did=ILLA, collection=POSTS, rkey=uris[0].rpartition("/")[2])
    assert await unrolled(source, ref) == ["1", "2"]


@pytest.mark.parametrize(
    "ref",
    [
        "https://social.example/@ana/7",
        "https://bsky.app/profile/illa.ayllu.example",
        "#Qeswachaka",
        "nonsense",
        "",
        f"at://{ILLA}/app.bsky.feed.like/3k",
        "https://bsky.app/profile/nobody.ayllu.example/post/3k",
    ],
)
async def test_what_is_no_post_here_is_refused(source: BlueskySource, ref: str) -> None:
    answer = await source.fetch_thread(ref)
    assert isinstance(answer, Refused)
    assert answer.reason


async def test_a_deleted_post_is_gone(source: BlueskySource, stage: Stage) -> None:
    assert isinstance(await source.fetch_thread(f"at://{ILLA}/{POSTS}/{tid(stage.world.now)}"), Gone)


async def test_below_a_deleted_parent_the_rest_is_told(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(4)
    del stage.world.records[uris[1]]
    found = posts(await source.fetch_thread(uris[2]))
    assert [post.uri for post in found] == uris[2:]
    assert found[0].reply_to == uris[1]


@pytest.mark.parametrize("value", ["!no-unauthenticated", "!hide"])
async def test_who_wants_no_visitors_is_not_unrolled(source: BlueskySource, stage: Stage, value: str) -> None:
    """Though the AppView shows them (facts: V1 of its threads does)."""
    uris = stage.world.thread(2)
    stage.world.person("illa", labels=[label(value, ILLA)])
    answer = await source.fetch_thread(uris[0])
    assert isinstance(answer, Gone)
    assert uris[0] in answer.reason


async def test_strangers_who_want_no_visitors_are_left_out(source: BlueskySource, stage: Stage) -> None:
    (uri,) = stage.world.thread(1)
    stage.world.person("sami", labels=[label("!no-unauthenticated", did("sami"))])
    stage.world.post("bravo", "sami", reply_to=uri)
    assert [post.uri for post in posts(await source.fetch_thread(uri))] == [uri]


async def test_a_cycle_of_answers_has_an_end(source: BlueskySource, stage: Stage) -> None:
    first, second = stage.world.thread(2)
    ref = {"uri": second, "cid": "x"}
    tree = stage.world.tree(first)
    assert tree
    tree["post"]["record"]["reply"] = {"root": ref, "parent": ref}
    stage.say("getPostThread", {"thread": tree})
    assert {post.uri for post in posts(await source.fetch_thread(first))} == {first, second}


@pytest.mark.parametrize("body", [HTML, b"", b"{}", b"null", b'{"thread": 5}', b'{"thread": {"post": {}}}', b"\xff"])
async def test_an_odd_answer_is_a_value(api: Api, stage: Stage, body: bytes) -> None:
    uris = stage.world.thread(1)
    stage.say("getPostThread", body)
    stage.say("home/", HTML, status=500)
    assert isinstance(await fetch_thread(api, uris[0]), TryLater | Gone)


# --- the author's own server ---


async def test_where_the_appview_fails_the_author_is_asked(api: Api, stage: Stage) -> None:
    """What others said is not to be had there; pages are walked from where the conversation began."""
    for number in range(150):
        stage.world.post(f"before {number}")
    uris = stage.world.thread(130)
    stage.world.post("something else")
    stage.say("appview", HTML, status=502)
    found = posts(await fetch_thread(api, uris[3]))
    assert found[0].uri == uris[3]
    assert {post.uri for post in found} == {*uris}
    assert found[0].author.name == "Illa"
    assert stage.count("listRecords") == 3


async def test_where_the_appview_fails_half_way_the_author_tells_the_rest(api: Api, stage: Stage) -> None:
    uris = stage.world.thread(30)
    stage.world.post("bravo", "sami", reply_to=uris[0])
    tree = {"thread": stage.world.tree(uris[0], 10)}
    stage.say("getPostThread", tree, times=1)
    stage.say("appview", HTML, status=502)
    found = posts(await fetch_thread(api, uris[0]))
    assert {*uris} < {post.uri for post in found}
    assert len(found) == 31


async def test_a_thread_under_somebody_elses_post_is_found_there_too(api: Api, stage: Stage) -> None:
    question = stage.world.post("a question", "sami")
    uris = stage.world.thread(3, under=question)
    stage.say("appview", HTML, status=502)
    assert [post.uri for post in posts(await fetch_thread(api, uris[0]))] == uris


async def test_an_authors_wish_is_known_at_their_server_too(api: Api, stage: Stage) -> None:
    uris = stage.world.thread(2)
    stage.world.person("illa", labels=[label("!no-unauthenticated", ILLA)])
    stage.say("appview", HTML, status=502)
    assert isinstance(await fetch_thread(api, uris[0]), TryLater)


@pytest.mark.parametrize("path", ["home/did", "getRecord", "profile"])
@pytest.mark.parametrize("body", [HTML, b"{}", b"null", b'{"records": 5}', b"\xff"])
async def test_where_nobody_answers_soundly_it_is_asked_later(api: Api, stage: Stage, path: str, body: bytes) -> None:
    uris = stage.world.thread(2)
    stage.say("appview", HTML, status=502)
    stage.say(path, body)
    answer = await fetch_thread(api, uris[0])
    assert isinstance(answer, TryLater | list | tuple)
    assert path == "profile" or isinstance(answer, TryLater)


async def test_who_was_deleted_is_not_looked_for_elsewhere(api: Api, stage: Stage) -> None:
    """An AppView that says so knows more: the post may be hidden by moderators."""
    uris = stage.world.thread(1)
    stage.world.unknown.update(uris)
    assert isinstance(await fetch_thread(api, uris[0]), Gone)
    assert stage.count("home") == 0
