"""A clock that jumps stops nothing, loses nothing and erases nothing too early."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import BigInteger, Connection, insert, select, type_coerce, update

from relay.log import Trouble
from relay.pipeline.clock import SETTLED, Clock, Timekeeper
from relay.pipeline.housekeeping import Erasing
from relay.pipeline.worker import Worker
from relay.sources.mastodon.budget import Budget
from relay.store import Store, open_store
from relay.store.engine import connect
from relay.store.tables import budgets, destinations, feeds, folds, leases, metadata, micros, posts, requests, stops
from tests.servers.mastodon import Draft, Mastodon
from tests.support.processes import PATIENCE, RelayProcess, seeded
from tests.support.relay_runs import ILLA, actions, configured, database
from tests.support.third_party import MODULE, installed

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
JUMPS = [HOUR, DAY, 10 * DAY]
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
LONGEST = 4 * DAY


@dataclass
class Machine:
    """A machine's two clocks."""

    wall: datetime = START
    steady: float = 1000.0

    def pass_by(self, time: timedelta) -> None:
        self.wall += time
        self.steady += time.total_seconds()

    def jump(self, by: timedelta) -> None:
        self.wall += by


@dataclass
class Told(Trouble):
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def broke(self, key: str, reason: str, **context: object) -> None:
        self.said.append(f"{key}: {reason}")

    def works(self, key: str, **context: object) -> None:
        if key == "the clock":
            self.said.append(f"{key} works")


def keeper(store: Any, machine: Machine) -> tuple[Timekeeper, Told]:
    clock, told = Clock(lambda: machine.wall, lambda: machine.steady), Told()
    worker = Worker(owner="one", lease=MINUTE, clock=clock, trouble=told)
    return Timekeeper(store=store, clock=clock, worker=worker, longest=LONGEST), told


class Nowhere:
    """A store that notes which jumps it is to follow."""

    def __init__(self) -> None:
        self.jumps: list[timedelta] = []
        self.late: list[tuple[timedelta, datetime]] = []

    async def get_last_poll(self) -> None:
        return None

    async def save_jump(self, jump: timedelta, lease: Any, longest: timedelta) -> None:
        self.jumps.append(jump)

    async def save_late_writes(self, jump: timedelta, since: datetime, lease: Any) -> None:
        self.late.append((jump, since))


# --- the clock ---


async def test_small_differences_are_followed_without_a_word() -> None:
    machine, store = Machine(), Nowhere()
    time, told = keeper(store, machine)
    for by in (timedelta(seconds=2), timedelta(seconds=-3), timedelta(milliseconds=-1)):
        machine.jump(by)
        machine.pass_by(MINUTE)
        await time.look()
        assert time.clock() == machine.wall
    assert (store.jumps, told.said, time.is_settled) == ([], [], True)


@pytest.mark.parametrize("by", [sign * jump for jump in JUMPS for sign in (1, -1)])
async def test_a_jump_counts_when_the_store_has_followed_and_is_told_once_and_once_when_it_is_undone(
    by: timedelta,
) -> None:
    machine, store = Machine(), Nowhere()
    time, told = keeper(store, machine)
    machine.jump(by)
    assert time.clock() == START
    for _ in range(3):
        await time.look()
    assert time.clock() == machine.wall
    assert store.jumps == [by]
    assert [("back" if by < timedelta(0) else "forward") in said for said in told.said] == [True]
    assert (bool(time.told), time.is_settled) == (True, False)
    machine.jump(-by)
    for _ in range(3):
        await time.look()
    assert told.said[1:] == ["the clock works"]
    assert (time.told, time.is_settled) == ("", True)


async def test_a_jump_that_stays_is_right_after_a_day() -> None:
    machine, store = Machine(), Nowhere()
    time, told = keeper(store, machine)
    machine.jump(10 * DAY)
    await time.look()
    machine.pass_by(SETTLED - MINUTE)
    await time.look()
    assert (time.is_settled,) == (False,)
    machine.pass_by(MINUTE)
    await time.look()
    assert (time.is_settled,) == (True,)
    assert told.said[-1] == "the clock works"


# --- what waits in the database ---

WAITING = {
    "feeds.next_poll": feeds.c.next_poll,
    "destinations.due": destinations.c.due,
    "destinations.not_before": destinations.c.not_before,
    "posts.next_check": posts.c.next_check,
    "posts.next_look": posts.c.next_look,
    "requests.due": requests.c.due,
    "budgets.until": budgets.c.until,
}
PAST = {
    "feeds.polled": feeds.c.polled,
    "posts.seen": posts.c.seen,
    "posts.looked": posts.c.looked,
    "posts.visited": posts.c.visited,
    "requests.at": requests.c.at,
    "folds.opened": folds.c.opened,
}
APPOINTED = {"folds.due": folds.c.due}
ERASED = {"stops.due": stops.c.due}
LEASED = {"feeds": feeds, "destinations": destinations, "leases": leases}


def test_each_time_in_the_database_is_in_the_table_or_has_a_reason() -> None:
    exempt = {
        "audit.at": "for people",
        "posts.published": "the author's clock",
        "posts.grown": "the author's clock",
        "posts.grew": "like posts.looked",
        "folds.closed": "only whether it is there counts",
        "stops.at": "for people",
        "deliveries.created": "for the age at which it is erased",
        "deliveries.settled": "for the age at which it is erased",
        "notes.until": "may be forgotten, or kept for longer, at any time",
    }
    moments = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if type(column.type).__name__ == "Moment" and column.name != "leased_until"
    }
    assert moments == WAITING.keys() | PAST.keys() | APPOINTED.keys() | ERASED.keys() | exempt.keys()


def _row(column: Any, value: datetime) -> dict[str, Any]:
    """A row of the column's table, with something in each column that wants it."""
    row: dict[str, Any] = {}
    for other in column.table.columns:
        if other.nullable or other.server_default is not None or other.autoincrement is True:
            continue
        kind = other.type.python_type if type(other.type).__name__ != "Moment" else datetime
        row[other.name] = {str: "x", bytes: b"x", int: 1, bool: False, datetime: START - DAY}[kind]
    return row | {column.name: value}


async def _moved(url: str, store: Store, column: Any, value: datetime, jump: timedelta) -> datetime:
    """What becomes of a time when the clock of a running relay jumps."""
    other = connect(url, timedelta(seconds=5))
    try:
        await other.write(lambda connection: connection.execute(insert(column.table).values(_row(column, value))))
        machine = Machine()
        time, _ = keeper(store, machine)
        machine.jump(jump)
        await time.look()
        found = await other.read(lambda connection: connection.execute(select(column)).scalar_one())
    finally:
        await other.close()
    assert isinstance(found, datetime)
    return found


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("column", WAITING.values(), ids=WAITING)
async def test_what_waits_waits_as_long_after_a_step_back(
    store_url: str, store: Store, column: Any, jump: timedelta
) -> None:
    found = await _moved(store_url, store, column, START + MINUTE, -jump)
    assert found == START - jump + MINUTE


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("column", [feeds.c.next_poll, destinations.c.due, destinations.c.not_before], ids=str)
async def test_what_was_under_way_as_the_clock_was_set_back_waits_no_longer_either(
    store_url: str, store: Store, column: Any, jump: timedelta
) -> None:
    """It was told the time from before, and is written after the database was brought in line."""
    other, machine = connect(store_url, timedelta(seconds=5)), Machine()
    time, _ = keeper(store, machine)
    machine.jump(-jump)
    await time.look()
    row = _row(column, START + MINUTE)
    if column.table is feeds:
        row |= {"polled": START}
    await other.write(lambda connection: connection.execute(insert(column.table).values(row)))
    machine.pass_by(timedelta(seconds=1))
    await time.look()
    found = await other.read(lambda connection: connection.execute(select(column)).scalar_one())
    await other.close()
    assert found == START - jump + MINUTE


async def test_what_waited_long_before_a_step_back_is_not_looked_at_earlier(store_url: str, store: Store) -> None:
    other, machine, column = connect(store_url, timedelta(seconds=5)), Machine(), feeds.c.next_poll
    time, _ = keeper(store, machine)
    row = _row(column, START + DAY) | {"polled": START - 3 * HOUR}
    await other.write(lambda connection: connection.execute(insert(feeds).values(row)))
    machine.jump(-HOUR)
    for _ in range(3):
        await time.look()
        machine.pass_by(timedelta(seconds=1))
    found = await other.read(lambda connection: connection.execute(select(column)).scalar_one())
    await other.close()
    assert found == START + DAY - HOUR


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("column", [*WAITING.values(), *APPOINTED.values()], ids=[*WAITING, *APPOINTED])
async def test_what_is_due_stays_due_after_a_step_forward(
    store_url: str, store: Store, column: Any, jump: timedelta
) -> None:
    assert await _moved(store_url, store, column, START + MINUTE, jump) == START + MINUTE


@pytest.mark.parametrize("jump", [sign * jump for jump in JUMPS for sign in (1, -1)])
async def test_what_is_erased_later_is_erased_as_much_later_whatever_the_clock_does(
    store_url: str, store: Store, jump: timedelta
) -> None:
    """There and back again too: an author may still undo a stop, and not for longer than was promised."""
    other, column = connect(store_url, timedelta(seconds=5)), stops.c.due
    try:
        values = _row(column, START + 72 * HOUR)
        await other.write(lambda connection: connection.execute(insert(stops).values(values)))
        machine, found = Machine(), []
        time, _ = keeper(store, machine)
        for by in (jump, -jump):
            machine.jump(by)
            await time.look()
            found.append(await other.read(lambda connection: connection.execute(select(column)).scalar_one()))
    finally:
        await other.close()
    assert found == [START + jump + 72 * HOUR, START + 72 * HOUR]


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("column", PAST.values(), ids=PAST)
async def test_nothing_has_happened_in_the_future(store_url: str, store: Store, column: Any, jump: timedelta) -> None:
    assert await _moved(store_url, store, column, START - MINUTE, -jump) == START - jump


@pytest.mark.parametrize(("jump", "days"), [(HOUR, 0), (DAY, 1), (10 * DAY + HOUR, 10)])
async def test_an_appointment_keeps_its_time_of_day(store_url: str, store: Store, jump: timedelta, days: int) -> None:
    found = await _moved(store_url, store, folds.c.due, START + 2 * HOUR, -jump)
    assert found == START + 2 * HOUR - days * DAY


@pytest.mark.parametrize("jump", [sign * jump for jump in JUMPS for sign in (1, -1)])
@pytest.mark.parametrize("table", LEASED.values(), ids=LEASED)
async def test_our_leases_last_and_nobodys_lasts_longer(
    store_url: str, store: Store, table: Any, jump: timedelta
) -> None:
    """Else what is being done would be begun a second time, or a dead relay would hold it for as long as the jump."""
    column = table.c.leased_until
    row = _row(column, START + MINUTE) | {"leased_by": "one"}
    other = connect(store_url, timedelta(seconds=5))
    try:
        await other.write(lambda connection: connection.execute(insert(table).values(row)))
        machine = Machine()
        time, _ = keeper(store, machine)
        machine.jump(jump)
        await time.look()
        found = await other.read(lambda connection: connection.execute(select(column)).scalar_one())
    finally:
        await other.close()
    assert found == START + jump + MINUTE


@pytest.mark.parametrize("later", [HOUR, DAY, 10 * DAY])
async def test_a_clock_that_was_set_back_while_the_relay_was_off_is_noticed(
    store_url: str, store: Store, later: timedelta
) -> None:
    """By when a feed was read last; what waited then is due within a minute."""
    other = connect(store_url, timedelta(seconds=5))
    values = _row(feeds.c.next_poll, START + later + MINUTE) | {"polled": START + later}
    try:
        await other.write(lambda connection: connection.execute(insert(feeds).values(values)))
        time, told = keeper(store, Machine())
        await time.start()
        found = await other.read(lambda connection: connection.execute(select(feeds.c.next_poll)).scalar_one())
    finally:
        await other.close()
    assert found <= START + 2 * MINUTE
    assert "behind what the database has seen" in told.said[0]
    assert not time.is_settled


async def test_what_is_due_later_than_the_longest_pause_is_due_now(store_url: str, store: Store) -> None:
    other = connect(store_url, timedelta(seconds=5))
    try:
        values = _row(feeds.c.next_poll, START + 10 * DAY) | {"polled": START - MINUTE}
        await other.write(lambda connection: connection.execute(insert(feeds).values(values)))
        time, told = keeper(store, Machine())
        await time.start()
        found = await other.read(lambda connection: connection.execute(select(feeds.c.next_poll)).scalar_one())
    finally:
        await other.close()
    assert (found, told.said) == (START, [])


async def test_after_a_long_absence_nothing_is_erased_at_once(store_url: str, store: Store) -> None:
    """The clock may be wrong: nobody can tell."""
    other = connect(store_url, timedelta(seconds=5))
    try:
        values = _row(feeds.c.polled, START - 30 * DAY)
        await other.write(lambda connection: connection.execute(insert(feeds).values(values)))
    finally:
        await other.close()
    machine = Machine()
    time, _ = keeper(store, machine)
    await time.start()
    assert time.started.is_set()
    assert not time.is_settled
    assert not time.is_sure
    machine.pass_by(SETTLED)
    assert time.is_sure


async def test_a_stop_that_fell_due_while_the_relay_was_off_is_not_made_final_by_a_clock_that_is_doubted(
    store_url: str, store: Store
) -> None:
    """What an author may undo for three days is not erased because a machine woke up in the wrong week."""
    await store.save_author_stop("https://ayllu.example/illa", START, START + 3 * DAY)
    other = connect(store_url, timedelta(seconds=5))
    try:
        await other.write(lambda connection: connection.execute(insert(feeds).values(_row(feeds.c.polled, START))))
    finally:
        await other.close()
    machine = Machine(wall=START + 5 * DAY)
    time, _ = keeper(store, machine)
    await time.start()
    erasing = Erasing(store=store, worker=time.worker, sure=lambda: time.is_sure)
    for passes, stands in ((timedelta(0), True), (SETTLED, False)):
        machine.pass_by(passes)
        await erasing.erase()
        (stop,) = await store.list_stops()
        assert (stop.erased is not None) is stands


# --- what waits in memory ---


def test_a_budget_forgets_what_lies_in_the_future() -> None:
    budget = Budget()
    for _ in range(270):
        assert not budget.take(START)
    assert budget.take(START)
    assert not budget.take(START - HOUR)
    budget.heed(429, {"retry-after": "600"}, START)
    assert budget.wait(START + MINUTE)
    assert not budget.wait(START - HOUR)


# --- the real process ---

FAKED = """
from datetime import UTC, datetime, timedelta
from pathlib import Path
import relay.app
from relay.plugins import Plugin
from relay.settings import Settings
from relay.testing import FakeAdapter

class Nothing(Settings):
    pass

PLACE = Path(__file__).with_name("offset")

def clock():
    return datetime.now(UTC) + timedelta(seconds=float(PLACE.read_text()))

relay.app.clock = clock
plugin = Plugin(Nothing, lambda settings, host: FakeAdapter(name="smoke"))
"""


@pytest.mark.siege
@pytest.mark.parametrize("seconds", [-3600, -864_000, 864_000])
async def test_a_relay_whose_clock_jumps_relays_on(tmp_path: Path, seconds: int) -> None:
    folder = tmp_path / "plugins"
    with installed(folder, FAKED, points=f"smoke = {MODULE}:plugin"):
        pass
    offset = folder / "offset"
    offset.write_text("0")
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, stage, "[adapters.smoke]\n")
        async with RelayProcess(config, pythonpath=folder) as relay:
            await seeded(database(tmp_path), 3)
            stage.post(Draft(author="illa", text="Before #bridge", name="before"))
            await relay.wait_until(lambda lines: len(actions(lines, "send")) == 1)
            host, port = relay.pages
            (folder / "next").write_text(str(seconds))
            (folder / "next").rename(offset)
            await _until_told(f"http://{host}:{port}/readyz", "jumped")
            for number in range(3):
                stage.post(Draft(author="illa", text=f"After {number} #bridge", name=f"after{number}"))
                await relay.wait_until(lambda lines, n=number: len(actions(lines, "send")) == 2 + n)
            assert await relay.stop() == 0
    sent = actions(relay.lines, "send")
    assert len(sent) == len(set(sent)) == 4
    log = "".join(relay.log)
    assert log.count("it jumped") == 1


async def _until_told(url: str, word: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while True:
            async with session.get(url) as answer:
                if word in await answer.text():
                    return
            await asyncio.sleep(0.2)


@pytest.mark.siege
async def test_a_relay_that_starts_with_a_clock_that_was_set_back_reads_on(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, stage)
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 3)
            assert await relay.stop() == 0
        other = connect(database(tmp_path), timedelta(seconds=5))

        def advance(connection: Connection) -> None:
            for column in (feeds.c.next_poll, feeds.c.polled):
                later = type_coerce(column, BigInteger) + micros(START + DAY) - micros(START)
                connection.execute(update(feeds).values({column: later}))

        await other.write(advance)
        await other.close()
        stage.post(Draft(author="illa", text="Meanwhile #bridge", name="meanwhile"))
        async with RelayProcess(config) as relay:
            await relay.wait_until(lambda lines: actions(lines, "send") == [stage.uris["meanwhile"]], seconds=90)
            assert await relay.stop() == 0
    assert "behind what the database has seen" in "".join(relay.log)
    store = await open_store(database(tmp_path))
    await store.close()
