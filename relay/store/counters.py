"""Numbers that are kept, so that nobody counts rows: what was settled, how many posts there are, what is unknown.

Each is changed in the transaction that makes it true. Settled deliveries are counted by triggers, whoever settles,
releases or deletes them; on PostgreSQL each server process has rows of its own, so that no two wait for each other.
What waits is counted where it is asked for, by an index that holds nothing else.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, func, select
from sqlalchemy import text as sql

from relay.model import Action
from relay.records import Counts, State
from relay.store.rows import insert_rows
from relay.store.tables import counters, deliveries, tallies

_POSTS, _UNKNOWN, _STOPS = "posts", "unknown", "stops"
_ADD = "(name) DO UPDATE SET count = counters.count + excluded.count"
_NAMED = select(counters.c.name, counters.c.count).where(counters.c.name.in_([_POSTS, _UNKNOWN]))
_STOPPED = select(counters.c.count).where(counters.c.name == _STOPS)
_SETTLED = select(tallies.c.action, tallies.c.state, func.sum(tallies.c.count)).group_by(
    tallies.c.action, tallies.c.state
)
_WAITING = (
    select(deliveries.c.action, deliveries.c.state, func.count())
    .where(deliveries.c.settled.is_(None), deliveries.c.destination > "")  # in the order of the index of what waits
    .group_by(deliveries.c.action, deliveries.c.state)
)
_GATHER = sql(
    """WITH gone AS (
        DELETE FROM tallies WHERE worker <> 0 AND worker NOT IN (SELECT pid FROM pg_stat_activity)
        RETURNING action, state, count
    )
    INSERT INTO tallies SELECT 0, action, state, sum(count) FROM gone GROUP BY action, state
    ON CONFLICT (worker, action, state) DO UPDATE SET count = tallies.count + excluded.count"""
)


def count_unknown(connection: Connection, attempts: int) -> None:
    """Add attempts of which nobody knows whether they arrived."""
    _add(connection, _UNKNOWN, attempts)


def count_posts(connection: Connection, more: int) -> None:
    """There are so many more posts, or fewer. Who says so has serialized the transaction."""
    _add(connection, _POSTS, more)


def count_stop(connection: Connection) -> None:
    """Note that something was taken out, or may be shown again: quotes of it anywhere read differently from now on."""
    _add(connection, _STOPS, 1)


def get_stops(connection: Connection) -> int:
    """How often that was so."""
    return connection.scalar(_STOPPED) or 0


def _add(connection: Connection, name: str, more: int) -> None:
    if more:
        insert_rows(connection, counters, ("name", "count"), [(name, more)], _ADD)


def get_counts(connection: Connection) -> Counts:
    """How many there are of each. It takes a millisecond, and some more where thousands wait."""
    kept = {str(row[0]): int(row[1]) for row in connection.execute(_NAMED)}
    found: Counter[tuple[Action, State]] = Counter()
    for query in (_SETTLED, _WAITING):
        for action, state, count in connection.execute(query):
            found[Action(action), State(state)] += int(count)
    there = {of: count for of, count in found.items() if count}
    return Counts(posts=kept.get(_POSTS, 0), unknown=kept.get(_UNKNOWN, 0), deliveries=there)


def gather_counts(connection: Connection) -> None:
    """Add up what processes of PostgreSQL counted that are no more."""
    if connection.dialect.name == "postgresql":
        connection.execute(_GATHER)


# --- triggers ---

_TALLY = (
    "INSERT INTO tallies VALUES (0, {row}.action, {row}.state, {one}) ON CONFLICT DO UPDATE SET count = count + {one}"
)
_LESS, _MORE = _TALLY.format(row="old", one=-1), _TALLY.format(row="new", one=1)
TRIGGERS = {
    "sqlite": (
        f"""CREATE TRIGGER tally_settled AFTER UPDATE OF settled ON deliveries
            WHEN new.settled IS NOT NULL AND (old.settled IS NULL OR old.state <> new.state) BEGIN {_MORE}; END""",
        f"""CREATE TRIGGER tally_released AFTER UPDATE OF settled ON deliveries
            WHEN old.settled IS NOT NULL AND (new.settled IS NULL OR old.state <> new.state) BEGIN {_LESS}; END""",
        f"""CREATE TRIGGER tally_inserted AFTER INSERT ON deliveries
            WHEN new.settled IS NOT NULL BEGIN {_MORE}; END""",
        f"""CREATE TRIGGER tally_deleted AFTER DELETE ON deliveries
            WHEN old.settled IS NOT NULL BEGIN {_LESS}; END""",
    ),
    "postgresql": (
        """CREATE FUNCTION relay_tally() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' AND OLD.settled IS NOT NULL THEN
                INSERT INTO tallies AS kept VALUES (pg_backend_pid(), OLD.action, OLD.state, -1)
                ON CONFLICT (worker, action, state) DO UPDATE SET count = kept.count - 1;
            END IF;
            IF TG_OP <> 'DELETE' AND NEW.settled IS NOT NULL THEN
                INSERT INTO tallies AS kept VALUES (pg_backend_pid(), NEW.action, NEW.state, 1)
                ON CONFLICT (worker, action, state) DO UPDATE SET count = kept.count + 1;
            END IF;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER tally_updated AFTER UPDATE ON deliveries FOR EACH ROW
            WHEN ((OLD.settled IS NULL) <> (NEW.settled IS NULL)
                OR (OLD.settled IS NOT NULL AND OLD.state <> NEW.state)) EXECUTE FUNCTION relay_tally()""",
        """CREATE TRIGGER tally_inserted AFTER INSERT ON deliveries FOR EACH ROW
            WHEN (NEW.settled IS NOT NULL) EXECUTE FUNCTION relay_tally()""",
        """CREATE TRIGGER tally_deleted AFTER DELETE ON deliveries FOR EACH ROW
            WHEN (OLD.settled IS NOT NULL) EXECUTE FUNCTION relay_tally()""",
    ),
}
"""What keeps ``tallies``; a change of these needs a migration."""
