"""A plugin's faults are told and tried again; they stop neither the relay nor another plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.config import ConfigError, load
from relay.core.checks import is_mentions
from relay.model import Author, Feed, FeedId, MessageId
from relay.pipeline.fence import Bug, apart, fenced_adapter, fenced_source
from relay.plugins import Kind, PluginError
from relay.plugins import load as load_plugin
from relay.ports import (
    Batch,
    Gone,
    Limits,
    Mention,
    MentionedSource,
    Mentions,
    RecheckingSource,
    Refused,
    Resolved,
    Sent,
    StreamingSource,
    ThreadedSource,
    TryLater,
    Unknown,
)
from relay.testing import NOON, FakeAdapter, FakeInbox, FakeSource, author, delivery, post
from tests.servers.mastodon import Draft, Mastodon
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import CONFIG, ILLA, actions, database
from tests.support.third_party import MODULE, installed

FEED = Feed(id=FeedId(1), source="smoke", address="x", seeded=True)


async def _raise(error: BaseException) -> Any:
    raise error


async def _deaf() -> None:
    """Ends some day, whoever cancels it."""
    deaf = asyncio.ensure_future(asyncio.sleep(3))
    while not deaf.done():
        try:
            await asyncio.shield(deaf)
        except asyncio.CancelledError:
            continue


async def _cancelled() -> None:
    task = asyncio.current_task()
    assert task
    task.cancel()
    await asyncio.sleep(0)


FAULTS: dict[str, Callable[[], Awaitable[Any]]] = {
    "an exception": lambda: _raise(RuntimeError("boom")),
    "a system exit": lambda: _raise(SystemExit(3)),
    "a keyboard interrupt": lambda: _raise(KeyboardInterrupt()),
    "a cancellation": lambda: _raise(asyncio.CancelledError()),
    "a cancellation of its own task": _cancelled,
    "a generator exit": lambda: _raise(GeneratorExit()),
    "a group": lambda: _raise(BaseExceptionGroup("many", [ValueError("one"), asyncio.CancelledError()])),
    "no coroutine": lambda: None,  # type: ignore[dict-item,return-value]  # that is the fault
    "nonsense": lambda: asyncio.sleep(0, "done"),
    "nothing": lambda: asyncio.sleep(0, None),
}


class Broken(FakeAdapter):
    def __init__(self, fault: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(name="smoke")
        self.fault = fault

    async def deliver(self, what: Any) -> Any:
        return await self.fault()

    async def check(self, destinations: Any = ()) -> Any:
        return await self.fault()

    async def close(self) -> None:
        await self.fault()


class BrokenSource(FakeSource):
    fault: Callable[[], Awaitable[Any]]

    async def poll(self, feed: Any) -> Any:
        return await self.fault()

    async def resolve(self, topic: str) -> Any:
        return await self.fault()

    async def check(self) -> Any:
        return await self.fault()


def broken_source(fault: Callable[[], Awaitable[Any]]) -> Any:
    source = BrokenSource(name="smoke")
    source.fault = fault
    return source


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_whatever_a_plugin_does_is_a_value(fault: Callable[[], Awaitable[Any]]) -> None:
    adapter, source = (
        fenced_adapter("smoke", lambda: Broken(fault)),
        fenced_source("smoke", lambda: broken_source(fault)),
    )
    assert isinstance(await adapter.deliver(delivery()), Unknown)
    assert [check.ok for check in await adapter.check()] == [False]
    await adapter.close()
    assert isinstance(await source.poll(FEED), TryLater)
    assert isinstance(await source.resolve("#bridge"), TryLater)
    assert [check.ok for check in await source.check()] == [False]


@pytest.mark.parametrize(
    "answer",
    [
        Sent("abc"),  # type: ignore[arg-type]  # these are the faults
        Sent((MessageId("1"),), wait=5),  # type: ignore[arg-type]  # these are the faults
        Sent((1,)),  # type: ignore[arg-type]  # these are the faults
        TryLater("x", after=timedelta.max),
        TryLater(None),  # type: ignore[arg-type]  # these are the faults
        Gone(5),  # type: ignore[arg-type]  # these are the faults
        Batch(),
        Exception("returned"),
    ],
)
async def test_an_outcome_that_fits_nowhere_counts_as_unknown(answer: Any) -> None:
    adapter = fenced_adapter("smoke", lambda: Broken(lambda: asyncio.sleep(0, answer)))
    assert isinstance(await adapter.deliver(delivery()), Unknown)


@pytest.mark.parametrize("answer", [Sent((MessageId("1"),)), TryLater("slow"), Refused("no"), Gone("closed")])
async def test_an_outcome_passes_unchanged(answer: Any) -> None:
    adapter = fenced_adapter("smoke", lambda: Broken(lambda: asyncio.sleep(0, answer)))
    assert await adapter.deliver(delivery()) is answer


@pytest.mark.parametrize(
    "answer",
    [
        Batch(events=[post()]),  # type: ignore[arg-type]  # these are the faults
        Batch(events=(post(),)),  # type: ignore[arg-type]  # these are the faults
        Batch(cursor=5),  # type: ignore[arg-type]  # these are the faults
        Batch(wait=timedelta.max),
        Resolved(feeds=("x",)),
        Refused("no"),
        [],
    ],
)
async def test_a_poll_that_fits_nowhere_counts_as_no_answer(answer: Any) -> None:
    source = fenced_source("smoke", lambda: broken_source(lambda: asyncio.sleep(0, answer)))
    assert isinstance(await source.poll(FEED), TryLater)


def test_a_fenced_source_has_the_abilities_of_its_source_and_no_others() -> None:
    kinds = (ThreadedSource, RecheckingSource, StreamingSource, MentionedSource)
    real = FakeSource(name="smoke")
    fenced = fenced_source("smoke", lambda: real)
    assert [isinstance(fenced, kind) for kind in kinds] == [isinstance(real, kind) for kind in kinds]


async def test_a_call_that_ignores_its_cancellation_is_left_behind() -> None:
    caller = asyncio.create_task(apart(_deaf, "deaf"))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(caller, 2)
    assert isinstance(await apart(_deaf, "deaf", within=timedelta(milliseconds=1)), Bug)


async def test_while_an_attempt_does_not_end_there_is_no_second_one_at_its_destination() -> None:
    attempts: list[int] = []

    async def deaf() -> None:
        attempts.append(1)
        await _deaf()

    adapter = fenced_adapter("smoke", lambda: Broken(deaf))
    first = asyncio.create_task(adapter.deliver(delivery()))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])
    assert isinstance(await adapter.deliver(delivery()), TryLater)
    assert len(attempts) == 1


async def test_what_cannot_be_built_is_built_again_later() -> None:
    tries: list[int] = []

    def build() -> FakeAdapter:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("the moon is full")
        return FakeAdapter(name="smoke")

    adapter = fenced_adapter("smoke", build)
    assert isinstance(await adapter.deliver(delivery()), TryLater)
    assert "the moon is full" in (await adapter.check())[0].note
    running = asyncio.create_task(adapter.run(FakeInbox()))
    async with asyncio.timeout(10):
        while len(tries) < 2:
            await asyncio.sleep(0.02)
    assert isinstance(await adapter.deliver(delivery()), Sent)
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize(
    "built", [None, "hill", object(), FakeSource(name="x")], ids=["None", "text", "object", "source"]
)
def test_what_is_no_adapter_is_refused_at_the_start(built: Any) -> None:
    with pytest.raises(PluginError, match="adapter 'smoke' cannot be built"):
        fenced_adapter("smoke", lambda: built)


NONSENSE = [
    Limits(text=0),
    Limits(text=-5),
    Limits(text="4000"),  # type: ignore[arg-type]  # these are the faults
    Limits(media=-1),
    Limits(gap=timedelta(seconds=-1)),
    Limits(gap=timedelta.max),
    Limits(gap=5),  # type: ignore[arg-type]  # these are the faults
    Limits(edits="yes"),  # type: ignore[arg-type]  # these are the faults
    Limits(on_unknown="perhaps"),  # type: ignore[arg-type]  # these are the faults
]


@pytest.mark.parametrize("limits", NONSENSE, ids=str)
def test_limits_that_make_no_sense_are_refused_at_the_start(limits: Limits) -> None:
    adapter = FakeAdapter(name="smoke")
    adapter.limits = limits
    with pytest.raises(PluginError, match="limits that make no sense"):
        fenced_adapter("smoke", lambda: adapter)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval", 5),
        ("interval", timedelta(0)),
        ("listen", 5),
        ("listen", timedelta.max),
        ("sweep", None),
        ("posting", 5),
        ("posting", (0, timedelta(hours=1))),
        ("posting", ("9", timedelta(hours=1))),
        ("posting", (9, timedelta(0))),
    ],
)
def test_a_source_whose_pauses_make_no_sense_is_refused_at_the_start(name: str, value: object) -> None:
    source = FakeSource(name="smoke")
    setattr(source, name, value)
    with pytest.raises(PluginError, match=f"a.? {name} that is no"):
        fenced_source("smoke", lambda: source)


MENTION = Mention(uri="https://ayllu.example/1", asker=author(), text="@relay unroll", at=NOON)


@pytest.mark.parametrize(
    "changes",
    [
        {"at": NOON.replace(tzinfo=None)},
        {"at": "now"},
        {"uri": 5},
        {"asker": "illa"},
        {"asker": Author(uri="illa", name="Illa", handle=None)},  # type: ignore[arg-type]  # that is the fault
        {"text": None},
        {"about": None},
    ],
)
def test_a_mention_that_fits_nowhere_is_none(changes: dict[str, Any]) -> None:
    assert is_mentions(Mentions(mentions=(MENTION,)))
    assert not is_mentions(Mentions(mentions=(MENTION, replace(MENTION, **changes))))


# --- the configuration ---


@pytest.mark.parametrize(("kind", "name"), [("adapters", "discord"), ("sources", "mastodon")])
def test_a_name_that_two_plugins_claim_is_nobody_s(tmp_path: Path, kind: Kind, name: str) -> None:
    """Else whoever installs something that calls itself like a part of the relay would have taken its place."""
    claimed = installed(tmp_path / "plugins", "1/0", group=f"relay.{kind}", points=f"{name} = {MODULE}:plugin")
    with claimed, pytest.raises(PluginError, match=rf"{MODULE}:plugin \(smoke-signals 1.2\).*uninstall all but one"):
        load_plugin(kind, name)


SETTINGS = """
from pydantic import field_validator
from relay.plugins import Plugin
from relay.settings import Settings
class Smoke(Settings):
    hill: str = "x"
    @field_validator("hill")
    @classmethod
    def _hill(cls, value):
        raise RuntimeError("no such hill")
plugin = Plugin({settings}, lambda settings, host: None)
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)", "cannot be loaded"),
        ("1/0", "division by zero"),
        (SETTINGS.format(settings="dict"), "no relay.settings.Settings"),
        (SETTINGS.format(settings="None"), "no relay.settings.Settings"),
        (SETTINGS.format(settings="Smoke"), "no such hill"),
    ],
)
def test_a_plugin_that_cannot_be_configured_is_told_at_the_start(tmp_path: Path, code: str, told: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('[adapters.smoke]\nhill = "Ausangate"\n')
    with installed(tmp_path / "plugins", code), pytest.raises(ConfigError, match=told):
        load(file, {})


# --- the real process ---

WORKING = """
import asyncio
from relay.plugins import Host, Plugin, PluginError
from relay.settings import Settings
from relay.ports import Batch, Check, Limits, Refused, Resolved, Sent, Streamed, TryLater
from datetime import timedelta

class Nothing(Settings):
    pass

class Smoke:
    limits = Limits()
    remote = False
    def __init__(self, name): self.name = name
    async def run(self, inbox): await asyncio.Event().wait()
    async def deliver(self, delivery): return Sent(("1",))
    async def check(self, destinations=()): return ()
    async def close(self): pass

async def deaf():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

class Runs(Smoke):
    async def run(self, inbox): raise RuntimeError("its run is broken")
class Exits(Smoke):
    async def run(self, inbox): raise SystemExit(7)
class Cancels(Smoke):
    async def run(self, inbox): raise asyncio.CancelledError
class Deaf(Smoke):
    async def run(self, inbox): await deaf()
    async def deliver(self, delivery): await deaf()
    async def close(self): await deaf()
class Nonsense(Smoke):
    async def deliver(self, delivery): return "sent"
class Leaves(Smoke):
    async def deliver(self, delivery): raise SystemExit(7)

def broken(settings, host): raise RuntimeError("its build is broken")
def plugin(kind, name): return Plugin(Nothing, lambda settings, host: kind(name))
runs, exits, cancels = plugin(Runs, "runs"), plugin(Exits, "exits"), plugin(Cancels, "cancels")
deafs = plugin(Deaf, "deafs")
nonsense, leaves, builds = plugin(Nonsense, "nonsense"), plugin(Leaves, "leaves"), Plugin(Nothing, broken)

class Odd:
    name = "odd"
    interval = timedelta(milliseconds=100)
    sweep = timedelta(seconds=1)
    async def resolve(self, topic): return Resolved(feeds=(topic,)) if topic == "odd" else Refused("no")
    async def poll(self, feed): return "nonsense"
    async def check(self): return ()
    def streams(self): return ("endless", "broken", "deaf")
    async def stream(self, name, watched, cursor):
        while True:
            if name == "endless": yield Streamed()
            elif name == "deaf": await deaf()
            else: raise SystemExit(7)
odd = Plugin(Nothing, lambda settings, host: Odd())

def wrong(settings, host): raise PluginError("the token is missing; write it into [adapters.wrong]")
wrong = Plugin(Nothing, wrong)
"""
ADAPTERS = ("runs", "exits", "cancels", "deafs", "nonsense", "leaves", "builds")


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    points = "\n".join(f"{name} = {MODULE}:{name}" for name in (*ADAPTERS, "wrong"))
    with installed(folder, WORKING, points=f"{points}\n[relay.sources]\nodd = {MODULE}:odd"):
        return folder


@pytest.fixture
async def stage() -> AsyncIterator[Mastodon]:
    async with Mastodon([ILLA]) as running:
        yield running


def configured(folder: Path, stage: Mastodon) -> Path:
    tables = "".join(f'[adapters.{name}]\n[[subscriptions]]\ntopic = "#bridge"\nto = "{name}:x"\n' for name in ADAPTERS)
    odd = '[sources.odd]\n[[subscriptions]]\ntopic = "odd"\nnetworks = ["odd"]\nto = "console"\n'
    file = folder / "relay.toml"
    file.write_text(CONFIG.format(store=database(folder), stage=stage.url) + tables + odd)
    return file


@pytest.mark.siege
async def test_a_relay_among_broken_plugins_relays_on_and_stops_in_time(
    tmp_path: Path, plugins: Path, stage: Mastodon
) -> None:
    relay = RelayProcess(configured(tmp_path, stage), pythonpath=plugins)
    async with relay:
        await seeded(database(tmp_path), 3)
        stage.post(Draft(author="illa", text="One #bridge", name="one"))
        await relay.wait_until(lambda lines: actions(lines, "send"))
        stage.post(Draft(author="illa", text="Two #bridge", name="two"))
        await relay.wait_until(lambda lines: len(actions(lines, "send")) == 2)
        async with asyncio.timeout(7):  # five seconds, and a busy machine
            await relay.stop()
    log = "".join(relay.log)
    assert log.count('reason="RuntimeError: its run is broken"') == 1
    assert log.count("its build is broken") >= 1
    assert all(f"adapter {name}" in log for name in ("runs", "exits", "cancels", "nonsense", "leaves", "builds"))
    assert all(what in log for what in ("source odd (polls)", "stream odd broken"))


async def test_a_wrong_configuration_is_told_once_and_the_relay_does_not_start(
    tmp_path: Path, plugins: Path, stage: Mastodon
) -> None:
    config = configured(tmp_path, stage)
    config.write_text(config.read_text() + "[adapters.wrong]\n")
    async with RelayProcess(config, pythonpath=plugins) as relay:
        assert await relay.ended() == 1
    told = "relay: adapter 'wrong' cannot be built: the token is missing; write it into [adapters.wrong]\n"
    assert relay.log[-1] == told
