"""A whole thread is fetched, whatever a server holds back from visitors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from relay.core.unroll import unroll
from relay.model import Post, Removed
from relay.ports import Gone, Refused, TryLater
from relay.sources.limits import THREAD
from relay.sources.mastodon import MastodonSource
from relay.sources.mastodon.address import AccountAddress, Led, StatusAddress, read_handle, read_link
from relay.sources.mastodon.shapes import Status as Entity
from relay.sources.mastodon.shapes import StatusAccount
from relay.sources.mastodon.thread import After, Around, ContextProgress, is_cut, next_question
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.servers.misskey import run as misskey
from tests.support import hostile_documents as documents


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base) as source:
        yield source


def chain(stage: Fediverse, length: int, *, by: str = "ana", under: Json | None = None, name: str = "") -> list[Json]:
    """A thread; each post draws three answers from other people, who answer each other."""
    posts: list[Json] = []
    for number in range(length):
        posts.append(stage.post(f"{name}{number}", by, reply_to=posts[-1] if posts else under))
    for post in posts:
        answer = stage.post("oh", "kofi", reply_to=post)
        stage.post("indeed", "mei", reply_to=answer)
        stage.post("hm", "mei", reply_to=post)
    return posts


async def fetch(source: MastodonSource, ref: str) -> Sequence[Post]:
    found = await source.fetch_thread(ref)
    assert isinstance(found, Sequence), found
    return found


def by_ana(posts: Sequence[Post]) -> list[str]:
    return [plain(post.body) for post in sorted(posts, key=lambda p: p.published) if post.author.name == "Ana"]


@pytest.mark.parametrize("asked", [0, 1, 50, 98, 99])
async def test_a_thread_of_a_hundred_posts_comes_whole_from_any_of_them(
    source: MastodonSource, stage: Fediverse, asked: int
) -> None:
    posts = chain(stage, 100)
    found = await fetch(source, posts[asked]["url"])
    assert found[0].uri == posts[asked]["uri"]
    assert by_ana(found) == [str(number) for number in range(100)]
    assert len(stage.asked) <= 20


@pytest.mark.parametrize("asked", [0, 150, 299])
async def test_a_thread_of_three_hundred_takes_few_requests(
    source: MastodonSource, stage: Fediverse, asked: int
) -> None:
    posts = chain(stage, 300)
    for number in range(50):
        stage.post(f"something else {number}")
    found = await fetch(source, posts[asked]["url"])
    assert by_ana(found) == [str(number) for number in range(300)]
    assert len(stage.asked) <= 15


async def test_a_thread_that_grows_among_many_other_posts_is_whole(source: MastodonSource, stage: Fediverse) -> None:
    posts: list[Json] = []
    for number in range(100):
        posts.append(stage.post(str(number), reply_to=posts[-1] if posts else None))
        for _ in range(5):
            stage.post("something else")
    found = await fetch(source, posts[0]["url"])
    assert by_ana(found) == [str(number) for number in range(100)]
    assert len(stage.asked) <= 12


@pytest.mark.parametrize("where", [0, 1, 10])
async def test_answers_of_many_others_do_not_hide_how_it_goes_on(
    source: MastodonSource, stage: Fediverse, where: int
) -> None:
    """What a server tells below a post is cut after sixty, the oldest answers first."""
    posts = [stage.post("0")]
    for number in range(1, 12):
        if number == where + 1:
            for _ in range(80):
                stage.post("bravo", "kofi", reply_to=posts[-1])
        posts.append(stage.post(str(number), reply_to=posts[-1]))
    found = await fetch(source, posts[0]["url"])
    assert by_ana(found) == [str(number) for number in range(12)]


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
async def test_where_the_authors_posts_are_not_told_the_ends_are_asked_for(
    source: MastodonSource, stage: Fediverse, status: int
) -> None:
    posts = chain(stage, 100)
    stage.say(r"/api/v1/accounts/\d+/statuses", b"<html>", status=status)
    assert by_ana(await fetch(source, posts[0]["url"])) == [str(number) for number in range(100)]


async def test_what_lost_its_parent_is_told_for_who_knows_where_it_stood(
    source: MastodonSource, stage: Fediverse
) -> None:
    posts = chain(stage, 60)
    stage.delete(posts[30])
    found = await fetch(source, posts[0]["url"])
    assert by_ana(found) == [str(number) for number in range(60) if number != 30]
    links = {posts[31]["uri"]: posts[30]["uri"], posts[30]["uri"]: posts[29]["uri"]}
    thread = unroll([*found, Removed(posts[30]["uri"])], posts[0]["uri"], links=links)
    assert thread
    assert [post.uri for post in thread.posts] == [post["uri"] for post in posts]


async def test_a_short_thread_takes_few_requests(source: MastodonSource, stage: Fediverse) -> None:
    posts = chain(stage, 12)
    await fetch(source, posts[0]["url"])
    assert sum(one.startswith("/api/v1/") for one in stage.asked) == 3


async def test_branches_are_fetched_to_their_ends(source: MastodonSource, stage: Fediverse) -> None:
    trunk = chain(stage, 6)
    chain(stage, 30, under=trunk[3], name="b")
    found = await fetch(source, trunk[0]["url"])
    assert len(by_ana(found)) == 36


async def test_a_thread_under_somebody_elses_post_brings_that_post_too(
    source: MastodonSource, stage: Fediverse
) -> None:
    question = stage.post("why?", "kofi")
    posts = chain(stage, 5, under=question)
    found = await fetch(source, posts[2]["url"])
    assert question["uri"] in {post.uri for post in found}
    assert len(by_ana(found)) == 5


async def test_every_post_is_there_once_and_leads_to_its_parent(source: MastodonSource, stage: Fediverse) -> None:
    found = await fetch(source, chain(stage, 40)[0]["url"])
    names = {name for post in found for name in post.aliases}
    assert len({post.uri for post in found}) == len(found)
    assert all(post.reply_to in names for post in found[1:])


async def test_unlisted_posts_belong_to_it_and_private_ones_do_not(source: MastodonSource, stage: Fediverse) -> None:
    first = stage.post("one")
    stage.post("two", reply_to=first, visibility="unlisted")
    stage.post("three", reply_to=first, visibility="private")
    found = await fetch(source, first["url"])
    assert [(plain(post.body), post.unlisted) for post in found] == [("one", False), ("two", True)]


async def test_it_ends_after_fifty_requests_however_long_the_thread(source: MastodonSource, stage: Fediverse) -> None:
    stage.depth = 1
    posts = chain(stage, 80)
    found = await fetch(source, posts[0]["url"])
    assert sum(one.startswith("/api/v1/") for one in stage.asked) == 51
    assert len(by_ana(found)) == 51


async def test_a_server_that_tells_of_ever_more_posts_is_asked_no_more_when_there_are_ten_thousand(
    source: MastodonSource, stage: Fediverse
) -> None:
    first = documents.status(stage.base, replies_count=1)
    stage.say(r"statuses/\d+$", first)
    for begin in range(0, 24_000, 6_000):
        above = str(documents.FIRST + begin * 65_536)
        answers = [
            documents.status(stage.base, begin + number, in_reply_to_id=above, replies_count=1)
            for number in range(1, 6_001)
        ]
        stage.say("/context", {"ancestors": [], "descendants": answers}, times=1)
    assert len(await fetch(source, first["uri"].replace("/users/", "/@").replace("/statuses/", "/"))) == THREAD
    assert sum("/context" in one for one in stage.asked) == 2


async def test_a_post_in_a_circle_ends_too(source: MastodonSource, stage: Fediverse) -> None:
    one, two = chain(stage, 2)
    one["in_reply_to_id"] = two["id"]
    stage.say(f"{one['id']}/context", {"ancestors": [two], "descendants": [two]})
    stage.say(f"{two['id']}/context", {"ancestors": [one], "descendants": [one]})
    assert len(await fetch(source, one["url"])) == 2


@pytest.mark.parametrize(
    "form",
    [
        "{base}/@ana/{id}",
        "{base}/@ana/{id}/",
        "{base}/@ana/{id}?lang=en#top",
        "{base}/web/@ana/{id}",
        "{base}/deck/@ana/{id}",
        "{base}/users/ana/statuses/{id}",
        "{base}/ap/users/1/statuses/{id}",
        "{base}/@ana/statuses/{id}",
        "{base}/notice/{id}",
        "{base}/api/v1/statuses/{id}",
        " {base}/@ana/{id} ",
    ],
)
async def test_every_way_to_name_a_post_is_understood(source: MastodonSource, stage: Fediverse, form: str) -> None:
    post = stage.post("one")
    found = await fetch(source, form.format(base=stage.base, id=post["id"]))
    assert [p.uri for p in found] == [post["uri"]]


async def test_the_authors_own_server_is_asked_for_what_another_one_showed(
    source: MastodonSource, stage: Fediverse
) -> None:
    async with run() as home:
        posts = chain(home, 3)
        copy = stage.post("0", "ana@home.example", uri=posts[0]["uri"], url=posts[0]["url"])
        found = await fetch(source, f"{stage.base}/@ana@home.example/{copy['id']}")
        assert by_ana(found) == ["0", "1", "2"]
        assert {post.origin for post in found} == {home.base}


async def test_a_note_is_read_at_its_own_misskey(source: MastodonSource, stage: Fediverse) -> None:
    async with misskey() as home:
        notes = [home.note("0")]
        for number in range(1, 30):
            notes.append(home.note(str(number), reply_to=notes[-1]))
        copy = stage.post("0", "illa@home.example", uri=f"{home.base}/notes/{notes[0]['id']}")
        found = await fetch(source, f"{stage.base}/@illa@home.example/{copy['id']}")
        assert sorted(int(plain(post.body)) for post in found) == [*range(30)]
        assert {post.origin for post in found} == {home.base}


def at_home(who: str, stage: Fediverse, home: Fediverse) -> str:
    """Somebody of ``home`` as ``stage`` knows them."""
    acct = f"{who}@{home.base.removeprefix('http://')}"
    stage.person(acct, uri=f"{home.base}/users/{who}", url=f"{home.base}/@{who}")
    return acct


async def test_the_other_server_tells_what_it_knows_where_the_authors_own_does_not_answer(
    source: MastodonSource, stage: Fediverse
) -> None:
    async with run() as home:
        home.closed = 401
        copy = stage.post("0", at_home("ana", stage, home), uri=f"{home.base}/users/ana/statuses/{1}")
        found = await fetch(source, f"{stage.base}/@ana@home.example/{copy['id']}")
        assert [post.origin for post in found] == [stage.base]


async def test_another_post_at_the_authors_own_server_is_not_taken_for_it(
    source: MastodonSource, stage: Fediverse
) -> None:
    async with run() as home:
        other = home.post("something else")
        by = at_home("ana", stage, home)
        copy = stage.post("0", by, uri=f"{home.base}/ap/users/1/statuses/{other['id']}")
        found = await fetch(source, f"{stage.base}/@ana@home.example/{copy['id']}")
        assert [plain(post.body) for post in found] == ["0"]


async def test_a_copy_that_its_own_server_does_not_show_is_believed_of_an_instance_in_the_settings_only(
    stage: Fediverse,
) -> None:
    async with run() as home, asking(home.base) as source:
        copy = stage.post("forged", at_home("boss", stage, home), uri=f"{home.base}/users/boss/statuses/{1}")
        refused = await source.fetch_thread(f"{stage.base}/@ana/{copy['id']}")
        assert isinstance(refused, Refused)
        assert "is a copy" in refused.reason


async def test_who_calls_a_post_by_a_name_of_another_server_is_refused(stage: Fediverse) -> None:
    async with asking(stage.base) as source:
        copy = stage.post("forged", uri="https://victim.example/users/illa/statuses/1")
        refused = await source.fetch_thread(f"{stage.base}/@ana/{copy['id']}")
        assert isinstance(refused, Refused)
        assert f"{stage.base}/users/ana" in refused.reason
        assert "https://victim.example/users/illa/statuses/1" in refused.reason


async def test_a_redirect_to_a_file_makes_nobody_speak(stage: Fediverse) -> None:
    """Whoever may upload a file to a configured instance would speak for it."""
    forged = json.dumps(Fediverse("https://victim.example").post("I confess.", "illa", id=7)).encode()
    async with run() as evil, asking(stage.base) as source:
        for path in ("/media/api/v1/statuses/7", "/media/7.json", "/api/v1/media/7"):
            stage.say(path, forged)
            evil.say("/api/v1/statuses/7", status=302, times=1, headers={"Location": f"{stage.base}{path}"})
            assert isinstance(await source.fetch_thread(f"{evil.base}/@x/7"), Refused)
        stage.say("/api/v1/statuses/7$", forged)
        stage.say("/api/v1/statuses/7/context", {"ancestors": [], "descendants": []})
        evil.say("/api/v1/statuses/7", status=302, times=1, headers={"Location": f"{stage.base}/api/v1/statuses/7"})
        assert [plain(post.body) for post in await fetch(source, f"{evil.base}/@x/7")] == ["I confess."]


async def test_what_a_stranger_tells_of_others_is_left_out(stage: Fediverse) -> None:
    first = stage.post("one")
    stage.post("forged", "boss@bank.example", reply_to=first)
    async with asking("https://social.example") as source:
        assert [plain(post.body) for post in await fetch(source, first["url"])] == ["one"]


async def test_a_boost_leads_to_what_was_boosted(source: MastodonSource, stage: Fediverse) -> None:
    post = stage.post("one", "kofi")
    boost = stage.post("", reblog=post)
    assert [p.uri for p in await fetch(source, boost["url"])] == [post["uri"]]


@pytest.mark.parametrize(
    "ref",
    [
        "https://news.example/rivers",
        "https://social.example/@ana",
        "https://bsky.app/profile/ana/post/3kabc",
        "https://social.example/@ana/with_replies",
        "at://did:plc:x/app.bsky.feed.post/3k",
        "tag:social.example,2016:5",
        "https://[::1/@ana/5",
        "",
    ],
)
async def test_what_is_no_post_here_is_refused_unasked(source: MastodonSource, stage: Fediverse, ref: str) -> None:
    assert isinstance(await source.fetch_thread(ref), Refused)
    assert stage.asked == []


async def test_a_post_that_is_gone_is_told(source: MastodonSource, stage: Fediverse) -> None:
    gone = await source.fetch_thread(f"{stage.base}/@ana/5")
    assert isinstance(gone, Gone)
    assert "deleted, or is not for everybody" in gone.reason


async def test_a_post_that_is_shown_but_not_public_is_not_passed_on(source: MastodonSource, stage: Fediverse) -> None:
    post = stage.post("hush")
    stage.say(f"/{post['id']}", post | {"visibility": "private"})
    assert isinstance(await source.fetch_thread(post["url"]), Gone)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>", 200, Refused),
        (b"[]", 200, Refused),
        (b"{}", 200, Refused),
        (b"<html>", 404, Refused),
        (b"<html>", 400, Refused),
        (b"", 429, TryLater),
        (b"", 502, TryLater),
        (b"", 401, TryLater),
    ],
)
async def test_other_answers(
    source: MastodonSource, stage: Fediverse, body: bytes, status: int, kind: type[object]
) -> None:
    stage.say("/api/v1/statuses/", body, status=status)
    assert isinstance(await source.fetch_thread(f"{stage.base}/@ana/5"), kind)


@pytest.mark.parametrize(
    "url",
    ["https://pinafore.social/statuses/5", "https://Semaphore.social/statuses/5/", "https://phanpy.social/#/s/5"],
)
async def test_an_address_of_a_client_that_names_no_server_is_refused_with_what_to_do(
    source: MastodonSource, url: str
) -> None:
    refused = await source.fetch_thread(url)
    assert isinstance(refused, Refused)
    assert "take the original's address" in refused.reason


async def test_a_name_that_only_its_server_can_read_is_followed_to_the_post(
    source: MastodonSource, stage: Fediverse
) -> None:
    post = stage.post("one")
    stage.say("/objects/", status=302, headers={"location": f"/notice/{post['id']}"})
    stage.say("/notice/", b"<html>")
    assert [p.uri for p in await fetch(source, f"{stage.base}/objects/{UUID}")] == [post["uri"]]


@pytest.mark.parametrize("location", ["/about", "https://else.invalid/notice/5", "http://127.0.0.1:9/notice/5", ""])
async def test_a_name_that_leads_elsewhere_is_refused(source: MastodonSource, stage: Fediverse, location: str) -> None:
    stage.say(
        "/objects/", b"<html>", status=302 if location else 200, headers={"location": location} if location else {}
    )
    stage.say("/about", b"<html>")
    assert isinstance(await source.fetch_thread(f"{stage.base}/objects/{UUID}"), Refused)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"ancestors": 5}', b'{"descendants": [{"id": 1}, 5, null]}'])
async def test_a_context_of_another_shape_leaves_the_post(
    source: MastodonSource, stage: Fediverse, body: bytes
) -> None:
    post = stage.post("one")
    stage.say("/context", body)
    assert [p.uri for p in await fetch(source, post["url"])] == [post["uri"]]


async def test_trouble_at_the_start_is_told_and_on_the_way_leaves_what_was_found(
    source: MastodonSource, stage: Fediverse
) -> None:
    posts = chain(stage, 60)
    stage.say(rf"(?<!{posts[0]['id']})/context|accounts/\d+/statuses", status=429)
    assert 15 < len(by_ana(await fetch(source, posts[0]["url"]))) < 60
    assert isinstance(await source.fetch_thread(posts[1]["url"]), TryLater)


# --- pure: addresses, and what to ask next ---


UUID = "5b1f0c9e-0000-4000-8000-00000000abcd"
ASKING = "https://c.example/authorize_interaction"
PATHS = [
    *("/@ana/5", "/@ana@b.example/5", "/web/@ana/5", "/deck/@ana/5", "/deck/@ana@b.example/5", "/web/statuses/5"),
    *("/statuses/5", "/redirect/statuses/5", "/interact/5", "/users/ana/statuses/5", "/ap/users/7/statuses/5"),
    *("/users/ana/statuses/5/activity", "/@ana/5/embed", "/@ana/5/reblogs", "/@ana/5/favourites", "/@ana/5/quotes"),
    *("/@ana/statuses/5", "/@ana/posts/5/", "/@ana@b.example/posts/5/", "/notice/5", "/notes/5", "/p/ana/5"),
    *("/i/web/post/5", "/deck/statuses/5"),
]
CLIENTS = [
    *("https://elk.zone/a.example/@ana/5", "https://main.elk.zone/a.example/@ana@b.example/5"),
    *("https://elk.zone/A.example/status/5/", "https://elk.example/a.example/@ana/5?x#y"),
    *("https://phanpy.social/#/a.example/s/5", "https://phanpy.social#/A.example/s/5?view=full"),
    *(f"{ASKING}?uri=https%3A%2F%2Fa.example%2F%40ana%2F5", f"{ASKING}/?a=1&uri=https://a.example/@ana/5/"),
    *(
        "https://c.example/lookup?uri=https://a.example/@ana/5",
        "https://c.example/ostatus_subscribe?acct=https://a.example/@ana/5",
    ),
]


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://A.example/@Ana/5", StatusAddress("https://a.example", "5")),
        ("https://a.example/@ana@b.example/5", StatusAddress("https://a.example", "5")),
        ("https://a.example/@ana/01HXYZ9", StatusAddress("https://a.example", "01HXYZ9")),
        ("https://a.example/users/ana/statuses/5/activity", StatusAddress("https://a.example", "5")),
        ("https://a.example/@ana", AccountAddress("ana", "a.example", "https://a.example")),
        ("https://a.example/@ana@b.example", AccountAddress("ana", "b.example", "https://b.example")),
        ("https://127.0.0.1:3000/@ana", AccountAddress("ana", "127.0.0.1:3000", "http://127.0.0.1:3000")),
        ("https://a.example/@ana@127.0.0.1:3000", AccountAddress("ana", "127.0.0.1:3000", "http://127.0.0.1:3000")),
        ("https://a.example/@a%6Ea", AccountAddress("ana", "a.example", "https://a.example")),
        *((f"https://a.example{path}", StatusAddress("https://a.example", "5", "/notes/" in path)) for path in PATHS),
        *(
            (f"https://A.EXAMPLE{path.rstrip('/')}/?lang=qu#top", read_link(f"https://a.example{path}", []))
            for path in PATHS
        ),
        *((link, StatusAddress("https://a.example", "5")) for link in CLIENTS),
        ("https://phanpy.social/#/127.0.0.1:3000/s/5", StatusAddress("http://127.0.0.1:3000", "5")),
        ("https://phanpy.social/#/b.127.0.0.1:3000/s/5", StatusAddress("https://b.127.0.0.1:3000", "5")),
        ("https://elk.zone/127.0.0.1:3000/@ana/5", StatusAddress("http://127.0.0.1:3000", "5")),
        ("https://elk.zone/a.example/@ana", AccountAddress("ana", "a.example", "https://a.example")),
        ("https://elk.zone/a.example/@ana@b.example", AccountAddress("ana", "b.example", "https://b.example")),
        (f"https://a.example/objects/{UUID}", Led("https://a.example", f"https://a.example/objects/{UUID}")),
        (f"https://a.example/activities/{UUID}/", Led("https://a.example", f"https://a.example/activities/{UUID}/")),
        (f"{ASKING}?uri=https%3A%2F%2Fb.example%2F%40ana", AccountAddress("ana", "b.example", "https://b.example")),
        (f"{ASKING}?acct=ana@b.example", AccountAddress("ana", "b.example", "https://b.example")),
        (f"{ASKING}?uri=acct:ana", None),
        (f"{ASKING}?uri=ftp://b.example/@ana/5", None),
        (f"{ASKING}?uri={ASKING}%3Furi%3Dhttps://b.example/@ana/5", None),
        (ASKING, None),
        ("https://a.example/@ana/posts/five", None),
        ("https://a.example/@ana/articles/5", None),
        ("https://phanpy.social/#/s/5", None),
        ("https://elk.zone/settings/@ana/5", None),
        ("https://me@a.example/@ana", None),
        ("https://a.example/@ana.rss", None),
        ("https://a.example/@ana/videos", None),
        ("https://a.example/@ana/a-slug-5", None),
        ("https://a.example/@ana/..%2F5", None),
        ("ftp://a.example/@ana", None),
        ("a.example/@ana", None),
    ],
)
def test_links_are_read_by_their_looks(url: str, read: AccountAddress | StatusAddress | Led | None) -> None:
    assert read_link(url, ["http://127.0.0.1:3000"]) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("@ana@a.example", "@ana@a.example"),
        ("ana@A.Example", "@ana@a.example"),
        ("@ana.b-c_d@a.example:8080", "@ana.b-c_d@a.example:8080"),
        ("@ana", "None"),
        ("@ana@", "None"),
        ("@@a.example", "None"),
        ("@ana@a.example/x", "None"),
        ("@ana@a@b", "None"),
        ("@a b@c.example", "None"),
    ],
)
def test_handles_name_a_person_and_a_server(text: str, read: str) -> None:
    assert str(read_handle(text, [])) == read


def entities(*rows: tuple[str, str, str]) -> dict[str, Entity]:
    """(id, parent, author)."""
    return {i: Entity(id=i, in_reply_to_id=parent or None, account=StatusAccount(id=by)) for i, parent, by in rows}


@pytest.mark.parametrize(
    ("rows", "around", "anchor"),
    [
        ([("5", "", "a")], set(), "5"),
        ([("5", "", "a")], {"5"}, None),
        ([("5", "4", "a")], {"5"}, None),  # its parent is not to be had
        ([("5", "", "a"), ("6", "5", "a")], {"5"}, "6"),
        ([("5", "", "a"), ("6", "5", "b"), ("7", "6", "a")], {"5"}, None),  # an answer to an answer is no part of it
        ([("4", "3", "a"), ("5", "4", "a")], {"5"}, "4"),  # upwards first
        ([("3", "2", "b"), ("4", "3", "a"), ("5", "4", "a")], {"5"}, None),  # somebody else's is not followed up
        ([("5", "", "a"), ("6", "5", "a"), ("10", "5", "a")], {"5"}, "10"),
        ([("5", "", "a"), ("6", "5", "a"), ("10", "5", "a")], {"5", "10"}, "6"),
        ([("5", "6", "a"), ("6", "5", "a")], {"5"}, None),
    ],
)
def test_the_ends_of_the_authors_chain_are_asked_for_next(
    rows: list[tuple[str, str, str]], around: set[str], anchor: str | None
) -> None:
    question = next_question(entities(*rows), "5", ContextProgress(around=around))
    assert question == (Around(anchor) if anchor else None)


_TWO = [("5", "", "a"), ("6", "5", "a")]


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        (
            ContextProgress(around={"5"}, cut={"5"}),
            After("6"),
        ),  # there is more than is told: the author's posts tell it faster
        (ContextProgress(around={"5"}, cut={"5"}, after={"6"}), Around("6")),
        (ContextProgress(around={"5"}, cut={"5"}, fruitful=False), Around("6")),
        (
            ContextProgress(around={"5", "6"}, cut={"5", "6"}, fruitful=False),
            After("6"),
        ),  # others' answers hide how it goes on
        (ContextProgress(around={"5", "6"}, cut={"6"}, after={"6"}), None),
        (ContextProgress(around={"5"}, cut={"5"}, after={"5"}, end="5"), None),  # all that came after it is known
        (ContextProgress(around={"5"}, cut={"5"}, after={"9"}, end="9"), After("6")),
    ],
)
def test_what_a_server_cut_is_read_on_in_what_the_author_wrote(
    asked: ContextProgress, question: Around | After | None
) -> None:
    assert next_question(entities(*_TWO), "5", asked) == question


@pytest.mark.parametrize(
    ("below", "cut"),
    [
        ([(str(n), "5", "b") for n in range(10, 69)], False),
        ([(str(n), "5", "b") for n in range(10, 70)], True),
        ([(str(n), str(n - 1) if n > 10 else "5", "b") for n in range(10, 29)], False),
        ([(str(n), str(n - 1) if n > 10 else "5", "b") for n in range(10, 30)], True),
        ([("6", "7", "b"), ("7", "6", "b")], True),  # a circle has no end
        ([], False),
    ],
)
def test_as_many_or_as_deep_as_a_server_tells_is_cut(below: list[tuple[str, str, str]], *, cut: bool) -> None:
    assert is_cut(entities(("5", "", "a"), *below), "5", [row[0] for row in below]) is cut


def test_an_end_that_nobody_answered_is_not_asked_for() -> None:
    bag = entities(("5", "", "a"), ("6", "5", "a"))
    bag["6"].replies_count = 0
    assert next_question(bag, "5", ContextProgress(around={"5"})) is None
