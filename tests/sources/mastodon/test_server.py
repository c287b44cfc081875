"""The loopback server speaks as a real Mastodon server does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.mastodon import Draft, Item, Mastodon, Person, Picture
from tests.servers.mastodon.entities import cut_page, hashtags, html, snowflake
from tests.support.thorough import examples

JOINED = datetime(2024, 2, 29, tzinfo=UTC)
ANA, BEN = (Person(username=who, name=who.title(), note="Invented.", joined=JOINED) for who in ("ana", "ben"))


class Reader:
    """Asks the stage as an anonymous client would."""

    def __init__(self, stage: Mastodon, session: ClientSession) -> None:
        self.stage, self.session = stage, session

    async def get(self, path: str, status: int = 200, /, **params: str | int) -> Any:
        async with self.session.get(self.stage.url + path, params=params) as answer:
            assert answer.status == status, await answer.text()
            assert answer.content_type == "application/json"
            return await answer.json()

    async def ids(self, path: str, **params: str | int) -> list[str]:
        return [one["id"] for one in await self.get(path, **params)]


@pytest.fixture
async def stage() -> AsyncIterator[Mastodon]:
    async with Mastodon([ANA, BEN]) as stage:
        yield stage


@pytest.fixture
async def reader(stage: Mastodon) -> AsyncIterator[Reader]:
    async with ClientSession() as session:
        yield Reader(stage, session)


def say(stage: Mastodon, text: str = "one #rope", **more: Any) -> str:
    return stage.post(Draft(**{"author": "ana", "text": text} | more))


# --- paging ---


async def test_min_id_walks_up_without_a_gap_and_since_id_leaves_one(stage: Mastodon, reader: Reader) -> None:
    ids = [say(stage) for _ in range(6)]
    timeline = "/api/v1/timelines/tag/rope"
    assert await reader.ids(timeline, min_id=ids[0], limit=2) == [ids[2], ids[1]]
    assert await reader.ids(timeline, since_id=ids[0], limit=2) == [ids[5], ids[4]]
    assert await reader.ids(timeline, max_id=ids[2], limit=2) == [ids[1], ids[0]]
    assert await reader.ids(timeline, min_id=ids[0], max_id=ids[3]) == [ids[2], ids[1]]


async def test_a_page_holds_20_and_at_most_40(stage: Mastodon, reader: Reader) -> None:
    for _ in range(45):
        say(stage)
    assert len(await reader.ids("/api/v1/timelines/tag/rope")) == 20
    assert len(await reader.ids("/api/v1/timelines/tag/rope", limit=99)) == 40


@settings(max_examples=examples(100), deadline=None)
@given(count=st.integers(0, 30), limit=st.integers(1, 50), start=st.integers(-1, 30))
def test_walking_with_any_limit_meets_each_newer_post_once(count: int, limit: int, start: int) -> None:
    posts = [10 * n + 5 for n in range(1, count)]
    bound, met = 10 * start + 15, list[int]()
    while page := cut_page(posts, {"min_id": str(bound), "limit": str(limit)}):
        met += reversed(page)
        bound = page[0]
    assert met == [number for number in posts if number > 10 * start + 15]


# --- hashtags ---


async def test_a_hashtag_is_found_whatever_its_case_and_accents(stage: Mastodon, reader: Reader) -> None:
    ids = [say(stage, f"the {tag} holds") for tag in ("#Café", "#cafe", "#ＣＡＦＥ", "#cafeteria")]
    assert await reader.ids("/api/v1/timelines/tag/CAFÉ") == ids[2::-1]
    assert await reader.get("/api/v1/timelines/tag/nobody") == []


async def test_a_hashtag_shows_public_posts_and_replies_only(stage: Mastodon, reader: Reader) -> None:
    first = say(stage)
    answer = say(stage, reply_to=first, author="ben")
    for visibility in ("unlisted", "private", "direct"):
        say(stage, visibility=visibility)
    assert await reader.ids("/api/v1/timelines/tag/rope") == [answer, first]
    assert await reader.ids("/api/v1/timelines/tag/rope", local="true") == [answer, first]


async def test_hashtags_are_combined(stage: Mastodon, reader: Reader) -> None:
    rope, _, both = say(stage, "#rope"), say(stage, "#cable"), say(stage, "#rope #cable")
    timeline = "/api/v1/timelines/tag/rope"
    assert await reader.ids(timeline, **{"all[]": "Cable"}) == [both]
    assert await reader.ids(timeline, **{"none[]": "Cable"}) == [rope]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#one and #One and #two", ("one", "two")),
        ("no#tag, https://x.example/#fragment, #2024", ()),
        ("#橋 and #جسر", ("橋", "جسر")),
    ],
)
def test_hashtags_are_told_from_what_looks_like_them(text: str, tags: tuple[str, ...]) -> None:
    assert hashtags(text) == tags


# --- posts ---


def test_unknown_names_are_no_mentions() -> None:
    assert html("@nobody & @ana", "", {"ana": ANA}).startswith("<p>@nobody &amp; <span")


async def test_a_post_has_the_real_shape(stage: Mastodon, reader: Reader) -> None:
    photo = Picture(file="morning.svg", alt="A bridge & a runner", width=1200, height=675)
    text = "Ropes & <knots>, @ben\nsee https://www.example.org/a/very/long/path/to/the/rope #Rope\n\nEnd."
    number = say(stage, text, warning="Heights", language="en", picture=photo, ago=timedelta(hours=2))
    post = await reader.get(f"/api/v1/statuses/{number}")
    assert post["content"] == (
        '<p>Ropes &amp; &lt;knots&gt;, <span class="h-card" translate="no">'
        f'<a href="{stage.url}/@ben" class="u-url mention">@<span>ben</span></a></span><br />see '
        '<a href="https://www.example.org/a/very/long/path/to/the/rope" target="_blank" rel="nofollow noopener" '
        'translate="no"><span class="invisible">https://www.</span>'
        '<span class="ellipsis">example.org/a/very/long/path/t</span>'
        f'<span class="invisible">o/the/rope</span></a> <a href="{stage.url}/tags/rope" class="mention hashtag" '
        'rel="tag">#<span>Rope</span></a></p><p>End.</p>'
    )
    assert (post["spoiler_text"], post["sensitive"], post["language"]) == ("Heights", True, "en")
    assert post["tags"] == [{"name": "Rope", "url": f"{stage.url}/tags/rope"}]
    assert [person["acct"] for person in post["mentions"]] == ["ben"]
    assert post["uri"] == f"{stage.url}/users/ana/statuses/{number}"
    assert post["url"] == f"{stage.url}/@ana/{number}"
    assert (post["edited_at"], post["in_reply_to_id"], post["quote"], post["reblog"]) == (None, None, None, None)
    [media] = post["media_attachments"]
    assert (media["type"], media["description"]) == ("image", "A bridge & a runner")
    assert media["meta"]["original"]["size"] == "1200x675"
    created = datetime.fromisoformat(post["created_at"])
    assert timedelta(0) <= stage.posted[post["uri"]] - created - timedelta(hours=2) < timedelta(milliseconds=1)


async def test_ids_only_grow_even_when_older_posts_come_later(stage: Mastodon) -> None:
    ids = [int(say(stage, ago=timedelta(hours=hours))) for hours in (5, 9, 2, 0, 0, 1)]
    assert ids == sorted(set(ids))
    assert snowflake(datetime.now(UTC)) - ids[-1] < 60_000 << 16


async def test_an_edit_changes_text_and_tags_and_says_when(stage: Mastodon, reader: Reader) -> None:
    number = say(stage, "186 #ropes", name="count")
    stage.edit("count", "168 #rope")
    post = await reader.get(f"/api/v1/statuses/{number}")
    assert "168" in post["content"]
    assert [tag["name"] for tag in post["tags"]] == ["rope"]
    assert datetime.fromisoformat(post["edited_at"]) <= stage.edited[post["uri"]]
    assert await reader.ids("/api/v1/timelines/tag/ropes") == []


async def test_a_quote_carries_the_quoted_post_until_that_is_deleted(stage: Mastodon, reader: Reader) -> None:
    old = say(stage, "the old word", author="ben")
    number = say(stage, "she said", quote=old)
    post = await reader.get(f"/api/v1/statuses/{number}")
    assert post["quote"]["state"] == "accepted"
    assert post["quote"]["quoted_status"]["id"] == old
    assert post["content"].startswith(f'<p class="quote-inline">RE: <a href="{stage.url}/@ben/{old}"')
    again = await reader.get(f"/api/v1/statuses/{say(stage, 'and I', quote=number)}")
    assert again["quote"]["quoted_status"]["quote"] is None
    stage.delete(old)
    post = await reader.get(f"/api/v1/statuses/{number}")
    assert post["quote"] == {"state": "deleted", "quoted_status": None}
    assert post["content"] == "<p>she said</p>"


async def test_what_is_not_to_be_seen_is_not_found(stage: Mastodon, reader: Reader) -> None:
    gone, secret, open_ = say(stage), say(stage, visibility="private"), say(stage, visibility="unlisted")
    stage.delete(gone)
    for number in (gone, secret, "7", "abc", "²"):
        assert await reader.get(f"/api/v1/statuses/{number}", 404) == {"error": "Record not found"}
        await reader.get(f"/api/v1/statuses/{number}/context", 404)
    assert (await reader.get(f"/api/v1/statuses/{open_}"))["visibility"] == "unlisted"
    with pytest.raises(KeyError, match="no post 'gone'"):
        stage.edit("gone", "?")


async def test_many_posts_are_asked_for_at_once_and_the_deleted_are_absent(stage: Mastodon, reader: Reader) -> None:
    ids = [say(stage) for _ in range(4)]
    stage.delete(ids[1])
    query = "&".join(f"id[]={number}" for number in [*ids, "12"])
    assert await reader.ids(f"/api/v1/statuses?{query}") == [ids[0], ids[2], ids[3]]
    assert "error" in await reader.get(f"/api/v1/statuses?{'id[]=1&' * 21}", 422)


# --- conversations ---


async def test_descendants_come_depth_first_with_answers_to_oneself_in_front(stage: Mastodon, reader: Reader) -> None:
    root = say(stage, "1")
    for name, author, parent in [
        ("b", "ben", root),
        ("2", "ana", root),
        ("b-a", "ana", "b"),
        ("3", "ana", "2"),
        ("b2", "ben", "2"),
        ("b-b", "ben", "b"),
    ]:
        say(stage, name, name=name, author=author, reply_to=parent)
    context = await reader.get(f"/api/v1/statuses/{root}/context")
    assert [text(post) for post in context["descendants"]] == ["2", "3", "b", "b-a", "b-b", "b2"]
    context = await reader.get(f"/api/v1/statuses/{context['descendants'][1]['id']}/context")
    assert [text(post) for post in context["ancestors"]] == ["1", "2"]


def text(post: Any) -> str:
    return str(post["content"]).removeprefix("<p>").removesuffix("</p>")


async def test_an_anonymous_reader_gets_20_levels_60_below_and_40_above(stage: Mastodon, reader: Reader) -> None:
    ids = [say(stage)]
    for _ in range(50):
        ids.append(say(stage, reply_to=ids[-1]))
    context = await reader.get(f"/api/v1/statuses/{ids[0]}/context")
    assert [post["id"] for post in context["descendants"]] == ids[1:21]
    context = await reader.get(f"/api/v1/statuses/{ids[50]}/context")
    assert [post["id"] for post in context["ancestors"]] == ids[10:50]
    for _ in range(70):
        say(stage, reply_to=ids[50])
    assert len((await reader.get(f"/api/v1/statuses/{ids[50]}/context"))["descendants"]) == 60


async def test_deleting_the_middle_splits_the_thread(stage: Mastodon, reader: Reader) -> None:
    first = say(stage)
    middle = say(stage, reply_to=first)
    last = say(stage, reply_to=middle)
    stage.delete(middle)
    orphan = await reader.get(f"/api/v1/statuses/{last}")
    assert orphan["in_reply_to_id"] is None
    assert orphan["in_reply_to_account_id"] == str(ANA.id)
    assert await reader.get(f"/api/v1/statuses/{first}/context") == {"ancestors": [], "descendants": []}


async def test_a_chain_below_somebody_elses_post_keeps_naming_that_somebody(stage: Mastodon, reader: Reader) -> None:
    one = say(stage, author="ben", reply_to=say(stage))
    two = say(stage, author="ben", reply_to=one)
    assert (await reader.get(f"/api/v1/statuses/{two}"))["in_reply_to_account_id"] == str(ANA.id)


# --- accounts and the server ---


async def test_accounts_are_looked_up_by_short_and_full_name(stage: Mastodon, reader: Reader) -> None:
    for name in ("ana", f"ana@{stage.host}", f"@ana@{stage.host}"):
        person = await reader.get("/api/v1/accounts/lookup", acct=name)
        assert (person["id"], person["display_name"]) == (str(ANA.id), "Ana")
    assert person["discoverable"] is person["indexable"] is True
    assert await reader.get(f"/api/v1/accounts/{ANA.id}") == person
    for path in ("lookup?acct=zoe", "lookup?acct=ana@elsewhere.example", "lookup", "12", "12/statuses"):
        await reader.get(f"/api/v1/accounts/{path}", 404)


async def test_an_accounts_posts_are_those_that_everybody_may_see(stage: Mastodon, reader: Reader) -> None:
    other = say(stage, author="ben")
    first = say(stage, visibility="unlisted")
    second = say(stage, reply_to=first)
    answer = say(stage, "no tag", reply_to=other)
    say(stage, visibility="private")
    posts = f"/api/v1/accounts/{ANA.id}/statuses"
    assert await reader.ids(posts, exclude_reblogs="true") == [answer, second, first]
    assert await reader.ids(posts, min_id=first, limit=1) == [second]


async def test_the_instance_says_that_its_timelines_are_open(stage: Mastodon, reader: Reader) -> None:
    about = await reader.get("/api/v2/instance")
    assert about["domain"] == stage.host
    assert about["configuration"]["timelines_access"]["hashtag_feeds"] == {"local": "public", "remote": "public"}


# --- the newspaper, pictures and pages ---


async def test_the_feed_answers_304_until_something_is_published(stage: Mastodon, reader: Reader) -> None:
    stage.publish_item(Item(name="old", title="Old & <new>", text="Mind the <gap> & the goat.", ago=timedelta(days=2)))
    async with reader.session.get(stage.feed_url) as answer:
        etag, body = answer.headers["ETag"], await answer.read()
    async with reader.session.get(stage.feed_url, headers={"If-None-Match": etag}) as answer:
        assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", etag)
    guid = stage.publish_item(Item(name="new", title="New", text="Text."))
    async with reader.session.get(stage.feed_url, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 200
        feed = feedparser.parse(await answer.read())
    assert feed.bozo == 0
    assert [entry.id for entry in feed.entries] == [guid, f"{stage.url}/news/old"] == list(stage.posted)[::-1]
    assert b"<description>&lt;p&gt;Mind the &amp;lt;gap&amp;gt; " in body
    [entry] = feedparser.parse(body).entries
    assert entry.title == "Old & <new>"
    assert entry.summary == "<p>Mind the &lt;gap&gt; &amp; the goat.</p>"
    assert entry.published_parsed[:3] == (datetime.now(UTC) - timedelta(days=2)).timetuple()[:3]


async def test_it_stops_and_stops_again() -> None:
    stage = Mastodon()
    await stage.start()
    await stage.stop()
    await stage.stop()
