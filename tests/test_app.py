"""The composition root: who is built with what, who runs where, and who is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from relay import __version__
from relay.app import App, Parts, build, policy, wanted
from relay.config import Config
from relay.http import Http
from relay.inspect import check
from relay.model import Destination
from relay.options import Only
from relay.plugins import Host, Plugin
from relay.ports import Command, Inbox, Limits, Source
from relay.records import ActingUser, Allowance, Lease, Policy, Quota, Wanted
from relay.settings import Settings
from relay.sources.rss import plugin as rss
from relay.store import Store, open_store
from relay.testing import NOON, FakeAdapter, FakeSource, post
from relay.text import plain
from tests.support.app_cases import TABLES, config_of, with_adapters
from tests.support.digest_cases import QUIET, bring, subscribe
from tests.support.store_cases import HALL, publish

ROOM = Destination("fake", "room")


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    opened = await open_store(sqlite_url)
    yield opened
    await opened.close()


@dataclass
class Gateway(FakeAdapter):
    """An adapter of which only one may be connected."""

    remote: bool = True
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, inbox: Inbox) -> None:
        self.began.set()
        try:
            await super().run(inbox)
        finally:
            self.began.clear()


class Watched:
    """A store that remembers who was refused a lease, and how often."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.answers: list[tuple[str, str, bool]] = []
        self.claimed = asyncio.Condition()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim_lease(self, name: str, lease: Lease) -> bool:
        answer = await self._store.claim_lease(name, lease)
        async with self.claimed:
            self.answers.append((lease.owner, name, answer))
            self.claimed.notify_all()
        return answer

    async def until(self, owner: str, count: int, *, answer: bool) -> None:
        async with asyncio.timeout(10), self.claimed:
            await self.claimed.wait_for(lambda: self.answers.count((owner, "adapter:fake", answer)) >= count)


@dataclass
class Running:
    app: App
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def end(self) -> None:
        self.stop.set()
        await self.task


@asynccontextmanager
async def running(config: Config, store: Any, adapter: FakeAdapter, *sources: Source) -> AsyncIterator[Running]:
    async with Http(config.http, user_agent="test") as http:
        parts = Parts(
            config=config,
            http=http,
            sources={source.name: source for source in sources},
            adapters={adapter.name: adapter},
        )
        stop = asyncio.Event()
        app = App(parts, store)
        one = Running(app, stop, asyncio.create_task(app.run(stop)))
        try:
            yield one
        finally:
            await one.end()


async def test_what_the_store_takes_in_is_held_to_the_configuration_and_to_what_the_plugins_can(tmp_path: Path) -> None:
    config = config_of(tmp_path, '[outbox]\nbudget = 7\nburst = 2\n[threads]\nlooks = ["1h"]\n[sources.rss]\n')
    adapters = {"fake": FakeAdapter(), "fixed": FakeAdapter(limits=Limits(edits=False, deletions=False))}
    async with build(config) as parts:
        made = policy(replace(parts, sources={**parts.sources, "fake": FakeSource()}, adapters=adapters))
    kept = frozenset({"fixed"})
    allowance = Allowance(budget=7, burst=2, unedited=kept, undeleted=kept)
    assert made == Policy(allowance=allowance, looks=(timedelta(hours=1),), threaded=frozenset({"fake"}))


def ask(name: str, **arguments: str) -> Command:
    return Command(name=name, arguments=arguments, destination=ROOM, user="7", may_manage=True)


async def test_of_two_relays_one_takes_the_commands_and_the_other_takes_over(tmp_path: Path, store: Store) -> None:
    config, watched = config_of(tmp_path), Watched(store)
    first, second = Gateway(), Gateway()
    async with running(config, watched, first) as one:
        await asyncio.wait_for(first.began.wait(), 30)
        async with running(config, watched, second) as two:
            await watched.until(two.app.worker.owner, 3, answer=False)
            await watched.until(one.app.worker.owner, 3, answer=True)
            assert first.began.is_set()
            assert not second.began.is_set()
            await one.end()
            await asyncio.wait_for(second.began.wait(), 30)
            assert not first.began.is_set()


async def test_a_command_in_a_chat_becomes_a_subscription_that_is_read(tmp_path: Path, store: Store) -> None:
    adapter, source = Gateway(), FakeSource()
    async with running(config_of(tmp_path), store, adapter, source):
        adapter.written.put_nowait(ask("subscribe", topic="#Qeswachaka"))
        async with asyncio.timeout(30):
            while not source.polls:
                await asyncio.sleep(0.005)
    (answer,) = adapter.heard
    assert "Done. New posts on #Qeswachaka" in plain(answer.text)
    assert source.polls[0].address == "#Qeswachaka"


async def test_what_people_asked_for_is_linked_again_at_the_next_start(tmp_path: Path, store: Store) -> None:
    """A source may have been added meanwhile, or may not have answered before the relay was stopped."""
    config = config_of(tmp_path)
    adapter = Gateway()
    async with running(config, store, adapter, FakeSource()):
        adapter.written.put_nowait(ask("subscribe", topic="#Qeswachaka"))
        async with asyncio.timeout(30):
            while not adapter.heard:
                await asyncio.sleep(0.005)
    async with running(config, store, Gateway(), FakeSource(), FakeSource("other")), asyncio.timeout(30):
        while {state.feed.source for state in await store.list_feeds()} != {"fake", "other"}:
            await asyncio.sleep(0.005)


async def test_what_is_resumed_and_a_digest_that_is_due_wait_for_no_tick(tmp_path: Path, store: Store) -> None:
    """The outbox looks by itself once an hour here. The posts are of a day long ago: nothing is erased for its age."""
    adapter, config = Gateway(), config_of(tmp_path, '[web]\nport = 0\n[store]\nkeep = "0s"\n[sources.rss]\n')
    quiet = await subscribe(store, QUIET, HALL)
    await store.save_destination(ROOM, "closed", NOON)
    await publish(store, post(1), to=(ROOM, HALL))
    async with running(config, store, adapter) as one, asyncio.timeout(10):
        one.app.outbox.idle = timedelta(hours=1)
        await adapter.wait_for(1)
        while await store.get_next_due(("fake",)):
            await asyncio.sleep(0.005)
        adapter.written.put_nowait(ask("resume"))
        assert [each.destination for each in await adapter.wait_for(2)] == [HALL, ROOM]
        await bring(store, post(2), post(3), to=quiet)
        one.app.folding.due.set()
        folded = (await adapter.wait_for(3))[-1].digest
        assert folded
        assert folded.count == 2


async def test_an_adapter_on_this_machine_needs_no_lease(tmp_path: Path, store: Store) -> None:
    watched = Watched(store)
    async with running(config_of(tmp_path), watched, Gateway(remote=False)) as one:
        adapter = one.app.parts.adapters["fake"]
        assert isinstance(adapter, Gateway)
        await asyncio.wait_for(adapter.began.wait(), 30)
    assert watched.answers == []


async def test_a_platform_s_call_reaches_the_adapter_that_opened_a_hook(tmp_path: Path, store: Store) -> None:
    async def hook(_headers: Mapping[str, str], body: bytes) -> int:
        return 200 if body == b"hello" else 400

    async with running(config_of(tmp_path), store, Gateway(remote=False)) as one:
        one.app.parts.hooks.base = "https://chaski.example"
        one.app.parts.hooks.open("fake", hook)
        adapter = one.app.parts.adapters["fake"]
        assert isinstance(adapter, Gateway)
        await asyncio.wait_for(adapter.began.wait(), 30)
        async with ClientSession() as session, session.post(f"{one.app.web.url}/hook/fake", data=b"hello") as answer:
            assert answer.status == 200


async def test_at_the_end_it_is_told_how_many_attempts_nobody_knows_of(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for unknown in (0, 2):
        async with running(config_of(tmp_path), store, FakeAdapter()) as one:
            one.app.outbox.unknown = unknown
        told = capsys.readouterr()
        assert ("nobody knows" in told.out + told.err) == bool(unknown)


async def test_the_quota_is_the_configured_one(tmp_path: Path, store: Store) -> None:
    config = config_of(tmp_path, TABLES + "[commands]\nper_channel = 1\n")
    adapter = Gateway()
    async with running(config, store, adapter, FakeSource()):
        for topic in ("#one", "#two"):
            adapter.written.put_nowait(ask("subscribe", topic=topic))
        async with asyncio.timeout(30):
            while len(adapter.heard) < 2:
                await asyncio.sleep(0.005)
    assert [answer.failed for answer in adapter.heard] == [False, True]


async def test_a_configured_subscription_keeps_its_filters(tmp_path: Path) -> None:
    subscription = '[[subscriptions]]\ntopic = "#a"\nto = "console"\nlanguage = ["es", "qu"]\nonly = "media"\n'
    (want,) = wanted(config_of(tmp_path, TABLES + subscription))
    assert (want.topic, want.filters.language, want.filters.only, want.delivery_options.mode) == (
        "#a",
        ("es", "qu"),
        Only.MEDIA,
        "threads",
    )


async def test_plugins_learn_who_we_are_and_adapters_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[Host] = []
    adapter, broken = FakeAdapter(), Unclosable()

    def built(_settings: Settings, host: Host) -> FakeAdapter:
        hosts.append(host)
        return [adapter, broken][len(hosts) - 1]

    def load_plugin(kind: str, name: str) -> Plugin[Any, Any]:
        return rss if kind == "sources" else Plugin(Settings, built)

    relay = '[relay]\ncontact = "illa@ayllu.example"\npublic_url = "https://chaski.example"\n[adapters.console]\n'
    config = config_of(tmp_path, TABLES + relay)
    config = with_adapters(config, "one", "two")
    monkeypatch.setattr("relay.plugins.load", load_plugin)  # ours: what is installed is not what is tested
    async with build(config) as parts:
        assert [adapter.closed] == [False]
        assert hosts[0].hooks is hosts[1].hooks is parts.hooks
        assert parts.hooks.base == "https://chaski.example"
    assert adapter.closed, "though the other one fails to close"
    assert hosts[0].version == __version__
    assert hosts[0].contact == "illa@ayllu.example"
    assert hosts[0].colours == {"rss": 0xEE802F}


@dataclass
class Unclosable(FakeAdapter):
    async def close(self) -> None:
        raise ConnectionResetError


async def test_check_asks_an_adapter_about_every_place_of_ours_there(
    tmp_path: Path, store: Store, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the configuration, and those that people in the chats asked for."""
    by = ActingUser(user="7", action="subscribe", now=NOON)
    await store.add_subscription(Wanted(topic="#a", destination=ROOM), Quota(destination=9, community=9), by)
    text = f'[store]\nurl = "{sqlite_url}"\n{TABLES}[[subscriptions]]\ntopic = "#b"\nto = "console"\n'
    config = config_of(tmp_path, text)
    (kept,) = config.subscriptions
    elsewhere = kept.model_copy(update={"to": (Destination("fake", "hall"), Destination("other", "x"))})
    config = replace(with_adapters(config, "fake"), subscriptions=(elsewhere,), sources={})
    fake = Plugin(Settings, lambda _settings, _host: FakeAdapter())
    monkeypatch.setattr("relay.plugins.load", lambda _kind, _name: fake)  # ours, as above
    await check(config)
    out = capsys.readouterr().out
    assert [name for name in ("fake:hall", "fake:room", "other:x") if f"✓ {name}" in out] == ["fake:hall", "fake:room"]
