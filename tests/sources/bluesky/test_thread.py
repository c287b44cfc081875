"""Whole conversations out of an AppView that tells ten generations at a time, and out of the author's own server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.core.unroll import unroll
from relay.model import Post, PostUri, Removed
from relay.ports import Gone, Refused, TryLater
from relay.sources.bluesky import BlueskySource
from relay.sources.bluesky.thread import fetch_thread
from relay.sources.bluesky.xrpc import XrpcApi
from relay.text import plain
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
async def api(stage: Stage) -> AsyncIterator[XrpcApi]:
    """As the source has it, but with a directory on loopback."""
    async with client() as http:
        yield XrpcApi(http, stage.appview, directory=stage.home)


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


@pytest.mark.parametrize("length", [1, 2, 10, 11, 12, 45, 300])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
async def test_a_thread_is_whole_wherever_it_is_entered(
    source: BlueskySource, stage: Stage, length: int, where: float
) -> None:
    uris = stage.world.thread(length)
    assert await unrolled(source, uris[int((length - 1) * where)]) == numbers(length)


@pytest.mark.parametrize("where", [0, 150, 299])
async def test_three_hundred_posts_of_which_each_is_answered_by_many_take_few_requests(
    source: BlueskySource, stage: Stage, where: int
) -> None:
    uris = stage.world.thread(300)
    for uri in uris:
        for _ in range(3):
            stage.world.post("bravo", "sami", reply_to=uri)
    assert await unrolled(source, uris[where]) == numbers(300)
    assert stage.count("appview") <= 17
    assert stage.count("listRecords") <= 4


@pytest.mark.parametrize("where", [0, 1, -1])
async def test_where_the_authors_server_does_not_answer_the_appview_is_asked_on_and_on(
    source: BlueskySource, stage: Stage, where: int
) -> None:
    uris = stage.world.thread(300)
    stage.say("home/", HTML, status=502)
    assert await unrolled(source, uris[where]) == numbers(300)
    assert stage.count("getPostThread") <= 35


@pytest.mark.parametrize(("pause", "pages"), [(6, 4), (150, 2)])
async def test_a_thread_that_grows_among_many_other_posts_is_whole(
    source: BlueskySource, stage: Stage, pause: int, pages: int
) -> None:
    """In the author's list other posts stand between; behind a page without any of it the AppView leads on."""
    uris = stage.world.thread(25)
    for number in range(26, 61):
        for _ in range(pause if number == 30 else 6):
            stage.world.post("something else")
        uris.append(stage.world.post(str(number), reply_to=uris[-1]))
    assert await unrolled(source, uris[0]) == numbers(60)
    assert stage.count("listRecords") == pages


async def test_an_authors_server_tells_of_nobody_else(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(3)
    other = stage.world.post("forged", "sami")
    kept = {"uri": other, "cid": "x", "value": stage.world.records[uris[1]]}
    stage.say("listRecords", {"records": [kept]})
    assert {post.uri for post in posts(await source.fetch_thread(uris[0]))} == {*uris}


async def test_it_ends_after_fifty_requests_however_long_the_thread(source: BlueskySource, stage: Stage) -> None:
    stage.world.depth = 1
    uris = stage.world.thread(90)
    stage.say("home/", HTML, status=502)
    assert await unrolled(source, uris[0]) == numbers(51)
    assert len(stage.asked) <= 52


async def test_a_post_alone_costs_one_request(source: BlueskySource, stage: Stage) -> None:
    (uri,) = stage.world.thread(1)
    stage.world.post("bravo", "sami", reply_to=uri)
    await unrolled(source, uri)
    assert len(stage.asked) == 1


async def test_a_short_thread_costs_the_appview_one_request(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(5)
    await unrolled(source, uris[0])
    assert stage.count("appview") == 1
    assert len(stage.asked) == 3


async def test_answers_of_strangers_at_its_end_are_asked_for_once(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(11)
    for _ in range(3):
        stage.world.post("bravo", "sami", reply_to=uris[-1])
    assert await unrolled(source, uris[0]) == numbers(11)
    assert stage.count("appview") == 2


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


@pytest.mark.parametrize("entered", [0, 1, 3, 5])
async def test_what_stands_on_the_other_side_of_a_deleted_post_is_told_too(
    source: BlueskySource, stage: Stage, entered: int
) -> None:
    """No AppView can follow there; the survivors still name what they answered, so a known link joins them."""
    uris = stage.world.thread(6)
    del stage.world.records[uris[2]]
    found = posts(await source.fetch_thread(uris[entered]))
    assert found[0].uri == uris[entered]
    assert {post.uri for post in found} == {*uris} - {uris[2]}
    thread = unroll([*found, Removed(PostUri(uris[2]))], uris[0], links={uris[2]: uris[1]})
    assert thread
    assert [post.uri for post in thread.posts] == uris


async def test_what_moderators_hide_is_not_brought_from_the_authors_server(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(30)
    stage.world.unknown.add(uris[20])
    stage.world.shown[uris[25]] = {"labels": [label("!hide")]}
    found = posts(await source.fetch_thread(uris[0]))
    assert {post.uri for post in found} == {*uris} - {uris[20], uris[25]}


async def test_a_thread_under_somebody_elses_post_is_whole_with_that_post(source: BlueskySource, stage: Stage) -> None:
    question = stage.world.post("a question", "sami")
    uris = stage.world.thread(120, under=question)
    answer = stage.world.post("to a comment", reply_to=stage.world.post("hm", "sami", reply_to=uris[5]))
    found = posts(await source.fetch_thread(uris[-1]))
    assert {question, *uris} <= {post.uri for post in found}
    thread = unroll(found, uris[-1])
    assert thread
    assert [post.uri for post in thread.posts] == uris
    assert answer not in {post.uri for chain in thread.asides for post in chain}


async def test_blocked_and_missing_items_of_a_tree_are_stepped_over(source: BlueskySource, stage: Stage) -> None:
    uris = stage.world.thread(4)
    tree = stage.world.tree(uris[0], 10)
    assert tree
    blocked = {"$type": "app.bsky.feed.defs#blockedPost", "uri": "at://x", "blocked": True, "author": {"did": ILLA}}
    missing = {"$type": "app.bsky.feed.defs#notFoundPost", "uri": "at://y", "notFound": True}
    tree["replies"] = [blocked, missing, *tree["replies"], None]
    stage.say("getPostThread", {"thread": tree})
    assert await unrolled(source, uris[0]) == numbers(4)


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
async def test_an_odd_answer_is_a_value(api: XrpcApi, stage: Stage, body: bytes) -> None:
    uris = stage.world.thread(1)
    stage.say("getPostThread", body)
    stage.say("home/", HTML, status=500)
    assert isinstance(await fetch_thread(api, uris[0]), TryLater | Gone)


# --- the author's own server ---


async def test_where_the_appview_fails_the_author_is_asked(api: XrpcApi, stage: Stage) -> None:
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
    assert stage.count("listRecords") == 2


async def test_where_the_appview_fails_half_way_the_author_tells_the_rest(api: XrpcApi, stage: Stage) -> None:
    uris = stage.world.thread(30)
    stage.world.post("bravo", "sami", reply_to=uris[0])
    tree = {"thread": stage.world.tree(uris[0], 10)}
    stage.say("getPostThread", tree, times=1)
    stage.say("appview", HTML, status=502)
    found = posts(await fetch_thread(api, uris[0]))
    assert {*uris} < {post.uri for post in found}
    assert len(found) == 31


async def test_a_thread_under_somebody_elses_post_is_found_there_too(api: XrpcApi, stage: Stage) -> None:
    question = stage.world.post("a question", "sami")
    uris = stage.world.thread(3, under=question)
    stage.say("appview", HTML, status=502)
    assert [post.uri for post in posts(await fetch_thread(api, uris[0]))] == uris


async def test_an_authors_wish_is_known_at_their_server_too(api: XrpcApi, stage: Stage) -> None:
    uris = stage.world.thread(2)
    stage.world.person("illa", labels=[label("!no-unauthenticated", ILLA)])
    stage.say("appview", HTML, status=502)
    assert isinstance(await fetch_thread(api, uris[0]), TryLater)


@pytest.mark.parametrize("path", ["home/did", "getRecord", "profile"])
@pytest.mark.parametrize("body", [HTML, b"{}", b"null", b'{"records": 5}', b"\xff"])
async def test_where_nobody_answers_soundly_it_is_asked_later(
    api: XrpcApi, stage: Stage, path: str, body: bytes
) -> None:
    uris = stage.world.thread(2)
    stage.say("appview", HTML, status=502)
    stage.say(path, body)
    answer = await fetch_thread(api, uris[0])
    assert isinstance(answer, TryLater | list | tuple)
    assert path == "profile" or isinstance(answer, TryLater)


async def test_who_was_deleted_is_not_looked_for_elsewhere(api: XrpcApi, stage: Stage) -> None:
    """An AppView that says so knows more: the post may be hidden by moderators."""
    uris = stage.world.thread(1)
    stage.world.unknown.update(uris)
    assert isinstance(await fetch_thread(api, uris[0]), Gone)
    assert stage.count("home") == 0


# --- a server that tells of ever more ---


async def test_an_appview_is_asked_no_more_once_it_told_thirty_megabytes(source: BlueskySource, stage: Stage) -> None:
    stage.say("listRecords", status=500)
    uris = [stage.world.post("1", junk="x" * 400_000)]
    for number in range(2, 201):
        uris.append(stage.world.post(str(number), reply_to=uris[-1], junk="x" * 400_000))
    told = await unrolled(source, uris[0])
    assert told == numbers(len(told))
    assert 75 <= len(told) < 100


async def test_an_author_s_server_is_asked_no_more_once_it_told_thirty_megabytes(api: XrpcApi, stage: Stage) -> None:
    uris = [stage.world.post("1", junk="x" * 90_000)]
    for number in range(2, 1_001):
        uris.append(stage.world.post(str(number), reply_to=uris[0], junk="x" * 90_000))
    stage.say("getPost", status=500)
    found = posts(await fetch_thread(api, uris[0]))
    assert 333 <= len(found) < 500
    assert stage.count("listRecords") == 4
