"""Notes: what the relay remembers for its sources and adapters, in the store and while there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.app import App, build
from relay.log import Trouble
from relay.plugins import Host, Plugin, PluginStorage, StorageBackend
from relay.records import StoreError
from relay.settings import Settings
from relay.store import Store, open_store
from relay.testing import NOON, FakeAdapter, FakeSource, post
from tests.support.app_cases import TABLES, config_of, with_adapters
from tests.support.store_cases import at, publish

HOUR = timedelta(hours=1)
MATRIX = "adapter:matrix"


# --- in the store ---


async def test_a_note_is_its_owner_s_alone_and_the_last_one_holds(store: Store) -> None:
    await store.save_note(MATRIX, "mxc/1", "first", at(5))
    await store.save_note(MATRIX, "mxc/1", "a «second»\none\\", at(9))
    await store.save_note("source:rss", "mxc/1", "", at(9))
    assert await store.get_note(MATRIX, "mxc/1", at(8)) == "a «second»\none\\"
    assert await store.get_note("source:rss", "mxc/1", at(8)) == ""
    assert await store.get_note(MATRIX, "mxc/2", at(8)) is None
    assert await store.get_note("adapter:other", "mxc/1", at(8)) is None


async def test_a_note_that_is_over_is_never_answered(store: Store) -> None:
    await store.save_note(MATRIX, "mxc/1", "there", at(5))
    assert await store.get_note(MATRIX, "mxc/1", at(4.99)) == "there"
    assert await store.get_note(MATRIX, "mxc/1", at(5)) is None


async def test_notes_that_were_over_by_then_are_forgotten_and_no_others(store: Store) -> None:
    await publish(store, post(1), to=())
    await store.save_note(MATRIX, "old", "gone", at(5))
    await store.save_note(MATRIX, "new", "kept", at(90))
    assert await store.delete_old(at(60)) == 1, "posts, and not notes, are counted"
    assert await store.get_note(MATRIX, "old", at(4)) is None
    assert await store.get_note(MATRIX, "new", at(4)) == "kept"


async def test_what_one_machine_notes_another_one_reads_and_so_does_the_next_start(store_url: str) -> None:
    one, two = await open_store(store_url), await open_store(store_url)
    await one.save_note(MATRIX, "mxc/1", "there", at(5))
    await one.close()
    assert await two.get_note(MATRIX, "mxc/1", at(1)) == "there"
    await two.close()


# --- what is lent ---


@dataclass
class Watch:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Keeper:
    """A store that fails when it is told to."""

    reading: str = ""
    writing: str = ""
    kept: dict[tuple[str, str], str] = field(default_factory=dict)

    async def get_note(self, owner: str, key: str, now: datetime) -> str | None:
        if self.reading:
            raise StoreError(self.reading)
        return self.kept.get((owner, key))

    async def save_note(self, owner: str, key: str, value: str, until: datetime) -> None:
        if self.writing:
            raise StoreError(self.writing)
        self.kept[owner, key] = value


@pytest.mark.parametrize("kept", ["memory", "store"])
async def test_notes_are_forgotten_after_their_time(kept: str, store: Store) -> None:
    """In memory and in the store alike."""
    watch = Watch()
    backend = StorageBackend(watch)
    if kept == "store":
        backend.bind(store, Trouble())
    notes, others = PluginStorage(MATRIX, backend), PluginStorage("adapter:other", backend)
    await notes.save("a", "1", HOUR)
    await notes.save("a", "2", 2 * HOUR)
    watch.now += timedelta(minutes=119)
    assert (await notes.get("a"), await others.get("a")) == ("2", None)
    watch.now += timedelta(minutes=1)
    assert await notes.get("a") is None


async def test_memory_holds_the_latest_notes_only() -> None:
    notes = PluginStorage()
    for number in range(1001):
        await notes.save(str(number), "x", HOUR)
        await notes.save("1000", "x", HOUR)
    assert [await notes.get(key) for key in ("0", "1", "999", "1000")] == [None, "x", "x", "x"]


async def test_a_store_that_fails_fails_nobody_and_is_told_of_once() -> None:
    keeper, backend = Keeper(), StorageBackend()
    backend.bind(keeper, Trouble())
    notes = PluginStorage(MATRIX, backend)
    with capture_logs() as logs:
        keeper.reading = keeper.writing = "The disk is full."
        for _ in range(3):
            await notes.save("a", "1", HOUR)
            assert await notes.get("a") is None
        keeper.reading = ""
        assert await notes.get("a") is None
        await notes.save("a", "1", HOUR)
        keeper.writing = ""
        await notes.save("a", "2", HOUR)
        assert await notes.get("a") == "2"
    assert [(line["event"], line["what"]) for line in logs] == [
        ("does not work", "writing notes"),
        ("does not work", "reading notes"),
        ("works again", "reading notes"),
        ("works again", "writing notes"),
    ]


async def test_a_closed_store_knows_nothing(store_url: str) -> None:
    store, backend = await open_store(store_url), StorageBackend()
    backend.bind(store, Trouble())
    await store.close()
    await PluginStorage(MATRIX, backend).save("a", "1", HOUR)
    assert await PluginStorage(MATRIX, backend).get("a") is None


async def test_each_plugin_has_notes_of_its_own_in_the_store_once_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """Commands that only look build the same without a store."""
    lent: dict[str, PluginStorage] = {}

    def built(made: Any) -> Any:
        def build(_settings: Settings, host: Host) -> Any:
            lent[host.notes.owner] = host.notes
            return made

        return Plugin(Settings, build)

    kinds = {"adapters": built(FakeAdapter()), "sources": built(FakeSource())}
    monkeypatch.setattr("relay.plugins.load", lambda kind, _name: kinds[kind])  # ours: what is installed is not tested
    async with build(with_adapters(config_of(tmp_path, TABLES), "matrix", "rss")) as parts:
        assert set(lent) == {MATRIX, "adapter:rss", "source:rss"}
        await lent[MATRIX].save("a", "in memory", HOUR)
        assert await lent[MATRIX].get("a") == "in memory"
        App(parts, store)
        for owner, notes in lent.items():
            await notes.save("a", owner, HOUR)
        assert [await notes.get("a") for notes in lent.values()] == list(lent)
        assert await store.get_note("source:rss", "a", NOON) == "source:rss"
