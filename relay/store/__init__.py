"""The store: posts, subscriptions and the outbox in one SQL database, SQLite by default, PostgreSQL to share."""

from __future__ import annotations

from datetime import timedelta

from relay.log import get_logger
from relay.records import Policy, StoreBusyError
from relay.store.engine import Database, connect
from relay.store.leases import delete_all_leases
from relay.store.migrations import HEAD, get_version, migrate
from relay.store.store import Store, get_token

__all__ = ["Store", "open_store"]

log = get_logger(__name__)


async def open_store(
    url: str,
    *,
    policy: Policy = Policy(),  # noqa: B008 - it cannot be changed
    exclusive: bool = False,
    busy_timeout: timedelta = timedelta(seconds=5),
) -> Store:
    """Open the database that ``url`` names, and make or migrate its tables.

    ``sqlite:///relative.sqlite3``, ``sqlite:////absolute.sqlite3``, ``sqlite://`` (in memory) or
    ``postgresql://user@host/database``. ``exclusive`` refuses a SQLite file that another relay uses; a transaction
    waits ``busy_timeout`` for other programs' locks. Raises :class:`relay.records.StoreError`.
    """
    database = connect(url, busy_timeout)
    try:
        if exclusive:
            await database.lock()
        if await database.look_up(get_version) != HEAD:
            await _migrate(database)
        if database.is_alone:  # whoever held something was killed: nobody needs to wait for its leases
            await database.write(delete_all_leases)
        return Store(database, await database.look_up(get_token), policy)
    except BaseException:
        await database.close(timedelta(0))
        raise


async def _migrate(database: Database) -> None:
    """Of relays that start together on a PostgreSQL one migrates it, which may take minutes; the others wait."""
    told = False
    while True:
        try:
            await database.write(migrate, database.where)
        except StoreBusyError as error:
            if not told:
                log.warning(
                    "another program changes the database; this relay starts when that is over", reason=str(error)
                )
            told = True
        else:
            return
