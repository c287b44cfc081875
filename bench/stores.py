"""What the store benchmarks share: a database file, posts to put in, and the bare sqlite3 floor."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relay.model import Destination, Published, Subscription, SubscriptionId
from relay.records import Intake, Lease, PlannedSend
from relay.testing import post

DESTINATIONS = 30
PER_POST = 3


def room(number: int) -> str:
    return f"chat:{number % DESTINATIONS}"


ROOMS = {
    room(number): Subscription(id=SubscriptionId(0), topic="#bridge", destination=Destination.parse(room(number)))
    for number in range(DESTINATIONS)
}
BODY = "x" * 700


def lease(owner: str = "bench") -> Lease:
    now = datetime.now(UTC)
    return Lease(owner=owner, now=now, until=now + timedelta(seconds=60))


def intake(first: int, posts: int) -> Intake:
    """Posts of about the floor's size, each wanted by three destinations."""
    events = tuple(Published(post(first + number)) for number in range(posts))
    return Intake(
        feed=None,
        events=events,
        planned_sends=tuple(
            PlannedSend(
                uri=event.post.uri,
                by={name: ROOMS[name] for name in (room(first + number + k * 10) for k in range(PER_POST))},
                place="ayllu.example",
            )
            for number, event in enumerate(events)
        ),
    )


def bare(file: Path) -> sqlite3.Connection:
    """The floor's database: two tables, the same pragmas, no library in between."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE post(id INTEGER PRIMARY KEY, uri TEXT UNIQUE, data TEXT)")
    connection.execute(
        "CREATE TABLE delivery(id INTEGER PRIMARY KEY, post INTEGER, destination INTEGER, state INTEGER, "
        "UNIQUE(destination, post))"
    )
    connection.execute("CREATE INDEX pending ON delivery(destination, id) WHERE state=0")
    return connection


def bare_insert(connection: sqlite3.Connection, first: int, posts: int) -> None:
    connection.execute("BEGIN")
    for number in range(first, first + posts):
        connection.execute("INSERT INTO post VALUES (?, ?, ?)", (number, f"https://ayllu.example/{number}", BODY))
        connection.executemany(
            "INSERT INTO delivery(post, destination, state) VALUES (?, ?, 0)",
            [(number, (number + k * 10) % DESTINATIONS) for k in range(PER_POST)],
        )
    connection.execute("COMMIT")
