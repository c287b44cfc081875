"""A handle ends in the domain that vouches for the account, or in the host that the account's uri names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from relay.model import Event, Post, Published
from relay.ports import Batch, Refused, Resolved
from relay.sources.mastodon import MastodonSource
from relay.sources.mastodon.handles import actor_of
from relay.sources.mastodon.home import Happened
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.support.mastodon_home_cases import asking_homes, read
from tests.support.mastodon_timeline_cases import account_feed, begun, tag_feed

ACTOR = "https://social.short.example/users/ana"


def finger(who: str, domain: str, actor: str, **changes: object) -> Json:
    link = {"rel": "self", "type": "application/activity+json", "href": actor} | changes
    page = {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": actor}
    return {"subject": f"acct:{who}@{domain}", "aliases": [actor], "links": [page, link]}


@dataclass
class World:
    """A server ``social`` whose people's handles end in ``domain``, which is another host."""

    social: Fediverse
    short: Fediverse
    source: MastodonSource

    @property
    def domain(self) -> str:
        return self.short.base.partition("://")[2]

    @property
    def host(self) -> str:
        return self.social.base.partition("://")[2]

    def vouch(self, who: str, **changes: object) -> None:
        actor = self.social.person(who)["uri"]
        self.short.fingers[f"acct:{who}@{self.domain}"] = finger(who, self.domain, actor, **changes)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with run() as social, run() as short, asking(social.base) as source:
        social.domain = short.base.partition("://")[2]
        yield World(social, short, source)


def posts(events: tuple[Event, ...]) -> list[Post]:
    return [event.post for event in events if isinstance(event, Published)]


async def brought(world: World, *texts: str, by: str = "ana") -> list[Post]:
    reader = await begun(world.source, account_feed(world.social, world.social.person(by)))
    for words in texts:
        world.social.post(words, by)
    return posts((await reader.poll()).events)


async def test_a_handle_ends_in_the_domain_that_the_server_names_and_that_vouches_for_it(world: World) -> None:
    world.vouch("ana")
    [one, two] = await brought(world, "one", "two")
    assert {one.author.handle, two.author.handle} == {f"@ana@{world.domain}"}
    assert one.author.uri.startswith(world.social.base)
    assert len(world.short.asked) == 1


async def test_a_domain_vouches_for_each_account_apart(world: World) -> None:
    world.vouch("ana")
    [one] = await brought(world, "one", by="zoe")
    assert one.author.handle == f"@zoe@{world.host}"


NOT_VOUCHED = {
    "another actor": {"href": "https://else.example/users/ana"},
    "a page": {"type": "text/html"},
    "something else": {"rel": "http://webfinger.net/rel/profile-page"},
    "no address": {"href": None},
}


@pytest.mark.parametrize("changes", NOT_VOUCHED.values(), ids=NOT_VOUCHED)
async def test_a_domain_that_does_not_lead_back_is_not_shown(world: World, changes: dict[str, object]) -> None:
    world.vouch("ana", **changes)
    [one] = await brought(world, "one")
    assert (one.author.handle, one.author.claim) == (f"@ana@{world.host}", "")


@pytest.mark.parametrize("status", [404, 410, 429, 500, 200])
async def test_a_domain_that_does_not_answer_is_not_shown_and_is_asked_once(world: World, status: int) -> None:
    world.short.say("webfinger", b"<html>", status=status)
    for who in ("ana", "zoe", "kofi"):
        [one] = await brought(world, "one", by=who)
        assert one.author.handle == f"@{who}@{world.host}"
    assert len(world.short.asked) == 1


async def test_what_another_server_says_of_a_domain_counts_where_that_one_vouches_for_it(world: World) -> None:
    async with run() as instance, asking(instance.base) as source:
        reader = await begun(source, tag_feed(instance))
        world.vouch("ana")
        for who in ("ana", "zoe"):
            copy = instance.carry(world.social.post("#rivers", who))
            copy["account"] = copy["account"] | {"acct": f"{who}@{world.domain}"}
        told = posts((await reader.poll()).events)
    assert [post.author.handle for post in told] == [f"@ana@{world.domain}", f"@zoe@{world.host}"]
    assert all(post.author.claim == "" for post in told)


async def test_nobody_is_given_a_name_in_a_domain_by_it_and_another_server_alone(world: World) -> None:
    """A domain may lead to anybody's account, and a server say anything of other servers' people."""
    world.vouch("ana")
    world.social.domain = ""
    async with run() as instance, asking(instance.base) as source:
        reader = await begun(source, tag_feed(instance))
        copy = instance.carry(world.social.post("#rivers", "ana"))
        copy["account"] = copy["account"] | {"acct": f"ana@{world.domain}"}
        [told] = posts((await reader.poll()).events)
    assert (told.author.handle, told.author.claim) == (f"@ana@{world.host}", "")


async def test_what_another_server_invents_keeps_nobody_from_their_handle(world: World) -> None:
    """It tells of people whom the domain does not know: those of whom their own server tells are asked about still."""
    world.vouch("ana")
    async with run() as instance, asking(instance.base) as source:
        hostile = await begun(source, tag_feed(instance))
        own = await begun(source, account_feed(world.social, world.social.person("ana")))
        copy = instance.carry(world.social.post("#rivers", "zoe"))
        copy["account"] = copy["account"] | {"acct": f"zoe@{world.domain}"}
        assert posts((await hostile.poll()).events)[0].author.handle == f"@zoe@{world.host}"
        world.social.post("one", "ana")
        [told] = posts((await own.poll()).events)
    assert told.author.handle == f"@ana@{world.domain}"


async def test_a_server_cannot_name_a_domain_that_is_somebody_else_s(world: World) -> None:
    """It claims the domain of a server whose ana is another account, and that of one that it can only name."""
    true = world.short.person("ana")["uri"]
    world.short.fingers[f"acct:ana@{world.domain}"] = finger("ana", world.domain, true)
    [one] = await brought(world, "one")
    assert one.author.handle == f"@ana@{world.host}"


async def test_threads_quotes_and_rechecks_have_it_too(world: World) -> None:
    world.vouch("ana")
    world.vouch("kofi")
    quoted = world.social.post("The well is dry.", "kofi")
    first = world.social.post("one", quote={"state": "accepted", "quoted_status": quoted})
    thread = await world.source.fetch_thread(first["url"])
    assert isinstance(thread, list)
    assert thread[0].author.handle == f"@ana@{world.domain}"
    assert thread[0].quote
    assert thread[0].quote.author
    assert thread[0].quote.author.handle == f"@kofi@{world.domain}"
    world.social.edit(first, "better")
    answer = await world.source.recheck(thread[:1])
    assert isinstance(answer, Batch)
    [event] = answer.events
    assert not hasattr(event, "ref")
    assert event.post.author.handle == f"@ana@{world.domain}"
    assert plain(event.post.body) == "better"


async def test_an_account_is_found_by_its_handle_where_its_server_has_another_address(world: World) -> None:
    world.short.closed = 404
    world.vouch("ana")
    async with asking(world.short.base) as source:
        world.social.accounts[f"ana@{world.domain}"] = world.social.person("ana")
        resolved = await source.resolve(f"@ana@{world.domain}")
        assert isinstance(resolved, Resolved)
        assert resolved.feeds == (account_feed(world.social, world.social.person("ana")).address,)
        world.vouch("ana", href=f"{world.social.base}/users/zoe")
        assert isinstance(await source.resolve(f"@ana@{world.domain}"), Refused)


class Hanging(Fediverse):
    """A server that never says what it is."""

    async def _instance(self, request: web.Request) -> web.Response:
        self.asked.append("hangs")
        await asyncio.Event().wait()
        raise AssertionError(request)


async def test_a_server_that_hangs_when_asked_for_its_domain_delays_its_people_once() -> None:
    async with run(Hanging()) as stage, asking_homes(stage, 0.1) as homes:
        told = Published(read(stage, stage.post("#rivers")))
        for _ in range(3):
            confirmed = await homes.confirm([("", told)])
            assert [event.post.author.handle for event in posts_of(confirmed.events)] == [told.post.author.handle]
        assert stage.asked.count("hangs") == 1


def posts_of(events: tuple[Happened, ...]) -> list[Published]:
    return [event for _, event in events if isinstance(event, Published)]


SAME = finger("ana", "short.example", ACTOR)


@pytest.mark.parametrize(
    ("document", "actor"),
    [
        (SAME, ACTOR),
        (SAME | {"subject": None}, ACTOR),
        (SAME | {"subject": "acct:Ana@Short.example"}, ACTOR),
        (SAME | {"subject": "acct:ana@else.example"}, ""),
        (SAME | {"subject": "acct:zoe@short.example"}, ""),
        (SAME | {"links": None}, ""),
        (SAME | {"links": {"rel": "self"}}, ""),
        (SAME | {"links": [7, {"rel": "self"}, SAME["links"][1]]}, ACTOR),
        (finger("ana", "short.example", ACTOR, type='application/ld+json; profile="https://x"'), ACTOR),
        ([], ""),
        (None, ""),
    ],
)
def test_a_webfinger_document_names_one_actor_or_none(document: object, actor: str) -> None:
    assert actor_of(json.dumps(document).encode(), "ana", "short.example") == actor
