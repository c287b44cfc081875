"""The source against a server on loopback: what is asked, and what each answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from relay.http import Http, HttpSettings
from relay.model import Deleted, Edited, Feed, FeedId, Post, Published
from relay.plugins import Host
from relay.ports import Batch, RecheckingSource, Refused, Resolved, ThreadedSource, TryLater
from relay.sources.mastodon import MastodonSettings, MastodonSource, plugin
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run

HTML = b"<!doctype html><title>Back soon</title>"
SHAPES = [
    HTML,
    b"",
    b"{}",
    b"null",
    b'"x"',
    b'{"posts": []}',
    b"[1, 2]",
    b'[{"title": "news"}]',
    b"\xff\xfe",
    b'[{"id": "1"',
]


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base) as source:
        yield source


def tag_feed(stage: Fediverse, tag: str = "rivers") -> Feed:
    return Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/v1/timelines/tag/{tag}")


def account_feed(stage: Fediverse, account: Json) -> Feed:
    return Feed(id=FeedId(2), source="mastodon", address=f"{stage.base}/api/v1/accounts/{account['id']}/statuses")


# --- settings, plugin ---


async def test_the_plugin_builds_a_source_that_rechecks_and_fetches_threads() -> None:
    async with Http(HttpSettings(), user_agent="test") as http:
        source = plugin.build(plugin.settings(), Host(http=http, name="test"))
    assert isinstance(source, ThreadedSource)
    assert isinstance(source, RecheckingSource)
    assert (source.name, source.interval, source.sweep) == ("mastodon", timedelta(seconds=60), timedelta(minutes=5))


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        (["https://Mastodon.social/"], ("https://mastodon.social",)),
        (["mastodon.social", "https://mastodon.social"], ("https://mastodon.social",)),
        (["http://127.0.0.1:3000", " lakes.example:8443 "], ("http://127.0.0.1:3000", "https://lakes.example:8443")),
    ],
)
def test_instances_are_written_in_any_sensible_way(written: list[str], understood: tuple[str, ...]) -> None:
    assert MastodonSettings.model_validate({"instances": written}).instances == understood


@pytest.mark.parametrize(
    "written",
    [
        "",
        "https://",
        "ftp://a.example",
        "https://a.example/@who",
        "https://me:pw@a.example",
        "a b",
        "https://a.example?x=1",
        "https://[::1",
    ],
)
def test_what_names_no_server_is_told_with_an_example(written: str) -> None:
    with pytest.raises(ValidationError, match=r"no address of a server; write it like https://mastodon\.social"):
        MastodonSettings.model_validate({"instances": [written]})


@pytest.mark.parametrize("change", [{"instances": []}, {"interval": "0s"}, {"instance": "x"}])
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MastodonSettings.model_validate(change)


# --- topics ---


async def test_a_hashtag_is_one_feed_at_each_instance_and_asks_nobody() -> None:
    async with asking("https://a.example", "https://b.example") as source:
        resolved = await source.resolve("#NoAlGolpe")
    assert isinstance(resolved, Resolved)
    assert resolved.feeds == (
        "https://a.example/api/v1/timelines/tag/noalgolpe",
        "https://b.example/api/v1/timelines/tag/noalgolpe",
    )
    assert (resolved.tag, resolved.title) == ("noalgolpe", "#NoAlGolpe")


async def test_a_hashtag_in_any_script_is_quoted(source: MastodonSource) -> None:
    resolved = await source.resolve("＃ποτάμι")
    assert isinstance(resolved, Resolved)
    assert resolved.feeds[0].endswith("/tag/%CF%80%CE%BF%CF%84%CE%AC%CE%BC%CE%B9")


@pytest.mark.parametrize("topic", ["#", "#2026", "#a b", "# ", "#a/../b", "#a?x=1"])
async def test_what_is_no_hashtag_is_refused(source: MastodonSource, stage: Fediverse, topic: str) -> None:
    refused = await source.resolve(topic)
    assert isinstance(refused, Refused)
    assert "no hashtag" in refused.reason
    assert not stage.asked


@pytest.mark.parametrize("form", ["@ana@{host}", "ana@{host}", "{base}/@ana", "{base}/users/ana/", "{base}/web/@ana"])
async def test_an_account_is_looked_up_at_its_own_server(source: MastodonSource, stage: Fediverse, form: str) -> None:
    host = stage.base.removeprefix("http://")
    account = stage.person("ana")
    resolved = await source.resolve(form.format(host=host, base=stage.base))
    assert resolved == Resolved(feeds=(account_feed(stage, account).address,), title=f"@ana@{host}", account=True)
    assert stage.asked == ["/api/v1/accounts/lookup?acct=ana"]


async def test_an_account_whose_server_cannot_be_asked_is_looked_up_at_the_instances(
    source: MastodonSource, stage: Fediverse
) -> None:
    account = stage.person("kofi@lakes.invalid")
    resolved = await source.resolve("@kofi@lakes.invalid")
    assert resolved == Resolved(
        feeds=(account_feed(stage, account).address,), title="@kofi@lakes.invalid", account=True
    )


async def test_a_profile_of_somebody_elsewhere_is_looked_up_at_home(source: MastodonSource, stage: Fediverse) -> None:
    stage.person("kofi@lakes.invalid")
    assert isinstance(await source.resolve(f"{stage.base}/@kofi@lakes.invalid"), Resolved)


async def test_a_server_that_speaks_for_an_account_elsewhere_is_not_believed(stage: Fediverse) -> None:
    stage.person("boss", uri="https://bank.example/users/boss")
    async with asking("https://social.invalid") as source:
        refused = await source.resolve(f"{stage.base}/@boss")
    assert not isinstance(refused, Resolved)


async def test_a_server_that_moved_is_read_where_it_is_now(source: MastodonSource, stage: Fediverse) -> None:
    account = stage.person("ana")
    async with run() as old:
        there = f"{stage.base}/api/v1/accounts/lookup?acct=ana"
        old.say("lookup", status=301, headers={"location": there})
        resolved = await source.resolve(f"{old.base}/@ana")
    assert isinstance(resolved, Resolved)
    assert resolved.feeds == (account_feed(stage, account).address,)


async def test_an_account_that_nobody_knows_is_refused(source: MastodonSource, stage: Fediverse) -> None:
    refused = await source.resolve(f"@nobody@{stage.base.removeprefix('http://')}")
    assert isinstance(refused, Refused)
    assert "no such account @nobody@" in refused.reason


async def test_an_account_of_a_server_that_is_down_may_be_known_later(source: MastodonSource) -> None:
    assert isinstance(await source.resolve("@nobody@lakes.invalid"), TryLater)


async def test_an_account_on_a_private_network_is_refused_with_the_reason(source: MastodonSource) -> None:
    refused = await source.resolve("@who@192.168.1.1")
    assert isinstance(refused, Refused)
    assert "192.168.1.1" in refused.reason
    assert "allow_private" in refused.reason


@pytest.mark.parametrize("body", SHAPES)
async def test_a_server_of_another_kind_has_no_accounts(source: MastodonSource, stage: Fediverse, body: bytes) -> None:
    stage.say("lookup", body)
    assert isinstance(await source.resolve(f"{stage.base}/@ana"), Refused)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("@ana", "names no server; write it like @who@"),
        ("rivers", "write it like #tag or @who@"),
        ("https://news.example/rivers", "no account or hashtag"),
        ("https://news.example/@ana.rss", "no account or hashtag"),
        ("https://[::1", "no account or hashtag"),
        ("https://a.example/@ana/116000000000065536", "whose thread cannot be read"),
        ("https://a.example/users/ana/statuses/5", "the address of a post"),
        ("", "write it like"),
    ],
)
async def test_other_topics_are_refused_with_what_to_write(source: MastodonSource, topic: str, reason: str) -> None:
    refused = await source.resolve(topic)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


# --- edits and deletions ---


async def relayed(source: MastodonSource, stage: Fediverse) -> list[Post]:
    batch = await source.poll(tag_feed(stage))
    assert isinstance(batch, Batch)
    return [event.post for event in batch.events if isinstance(event, Published)]


@pytest.mark.parametrize("knows_many", [True, False])
async def test_a_recheck_tells_edits_and_deletions_and_nothing_else(
    source: MastodonSource, stage: Fediverse, *, knows_many: bool
) -> None:
    stage.knows_many = knows_many
    made = [stage.post(f"#rivers {number}") for number in range(20)]
    posts = await relayed(source, stage)
    assert await source.recheck(posts) == Batch()
    stage.edit(made[3], "#rivers three")
    stage.delete(made[5])
    batch = await source.recheck(posts)
    assert isinstance(batch, Batch)
    edited, deleted = sorted(batch.events, key=lambda event: isinstance(event, Deleted))
    assert isinstance(edited, Edited)
    assert (edited.post.uri, plain(edited.post.body)) == (posts[3].uri, "#rivers three")
    assert deleted == Deleted(posts[5].uri)


async def test_an_older_answer_from_a_cache_undoes_no_edit(source: MastodonSource, stage: Fediverse) -> None:
    made = stage.post("#rivers")
    stale = made | {"edited_at": made["created_at"]}
    stage.edit(made, "#rivers again")
    posts = await relayed(source, stage)
    stage.say("/api/v1/statuses", [stale])
    assert await source.recheck(posts) == Batch()


async def test_an_id_that_means_another_post_now_edits_nothing(source: MastodonSource, stage: Fediverse) -> None:
    made = stage.post("#rivers")
    posts = await relayed(source, stage)
    stage.edit(made, "#rivers again")
    made["uri"] += "0"
    assert await source.recheck(posts) == Batch()


async def test_a_post_without_an_id_there_is_not_asked_for(source: MastodonSource, stage: Fediverse) -> None:
    stage.post("#rivers")
    (post,) = await relayed(source, stage)
    stage.asked.clear()
    assert await source.recheck([replace(post, aliases=())]) == Batch()
    assert stage.asked == []


async def test_a_recheck_is_one_request_and_one_more_for_each_that_is_missing(
    source: MastodonSource, stage: Fediverse
) -> None:
    made = [stage.post(f"#rivers {number}") for number in range(5)]
    posts = await relayed(source, stage)
    stage.delete(made[0])
    stage.asked.clear()
    await source.recheck(posts)
    assert len(stage.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"), [(404, HTML), (200, HTML), (401, b'{"error": "This method requires an authenticated user"}')]
)
async def test_what_does_not_come_from_the_api_deletes_nothing(
    source: MastodonSource, stage: Fediverse, status: int, body: bytes
) -> None:
    stage.post("#rivers")
    posts = await relayed(source, stage)
    stage.say(r"/api/v1/statuses\?", [])
    stage.say(r"/api/v1/statuses/", body, status=status)
    assert await source.recheck(posts) == Batch()


@pytest.mark.parametrize("path", [r"/api/v1/statuses\?", r"/api/v1/statuses/"])
@pytest.mark.parametrize("status", [429, 500])
async def test_a_recheck_in_trouble_is_tried_later(
    source: MastodonSource, stage: Fediverse, path: str, status: int
) -> None:
    made = stage.post("#rivers")
    posts = await relayed(source, stage)
    stage.delete(made)
    stage.say(path, status=status)
    assert isinstance(await source.recheck(posts), TryLater)


async def test_a_recheck_at_a_server_that_closed_is_tried_later(source: MastodonSource, stage: Fediverse) -> None:
    stage.post("#rivers")
    posts = await relayed(source, stage)
    stage.closed = 401
    assert isinstance(await source.recheck(posts), TryLater)


# --- whether it would work ---


PUBLIC, ACCOUNTS, OFF = "public", "authenticated", "disabled"


@pytest.mark.parametrize(
    ("local", "remote", "ok", "note"),
    [
        (PUBLIC, PUBLIC, True, "4.6.4"),
        (PUBLIC, ACCOUNTS, True, "only the posts of its own users"),
        (ACCOUNTS, ACCOUNTS, False, "choose another instance"),
        (ACCOUNTS, OFF, False, "choose another instance"),
    ],
)
async def test_check_reads_what_a_server_says_of_itself(
    source: MastodonSource, stage: Fediverse, local: str, remote: str, note: str, *, ok: bool
) -> None:
    stage.access = {"local": local, "remote": remote}
    (check,) = await source.check()
    assert (check.name, check.ok) == (f"mastodon {stage.base.removeprefix('http://')}", ok)
    assert note in check.note
    assert not any("timelines" in asked for asked in stage.asked)


@pytest.mark.parametrize(
    ("mood", "ok", "note"),
    [
        ({}, True, "4.6.4"),
        ({"local_only": True}, True, "only the posts of its own users"),
        ({"closed": 422}, False, "choose another instance"),
        ({"closed": 401}, False, "choose another instance"),
    ],
)
async def test_check_tries_where_a_server_does_not_say(
    source: MastodonSource, stage: Fediverse, mood: dict[str, Any], note: str, *, ok: bool
) -> None:
    stage.access = None
    for name, value in mood.items():
        setattr(stage, name, value)
    (check,) = await source.check()
    assert check.ok is ok
    assert note in check.note


@pytest.mark.parametrize(
    ("body", "status", "note"),
    [
        (HTML, 200, "language of Mastodon"),
        (HTML, 404, "language of Mastodon"),
        (b"", 500, "HTTP 500"),
        (b"", 429, "slow down"),
    ],
)
async def test_check_says_what_else_is_wrong(
    source: MastodonSource, stage: Fediverse, body: bytes, status: int, note: str
) -> None:
    stage.say("/api/", body, status=status)
    (check,) = await source.check()
    assert not check.ok
    assert note in check.note


async def test_check_asks_every_instance(stage: Fediverse) -> None:
    async with asking(stage.base, "http://127.0.0.1:9") as source:
        assert [check.ok for check in await source.check()] == [True, False]
