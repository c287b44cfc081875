"""What several tests share with those of store open."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

from relay.store import open_store
from relay.store.engine import connect

SOON = timedelta(milliseconds=50)


async def reopened(url: str) -> None:
    store = await open_store(url)
    await store.close()


async def run(url: str, *statements: str) -> None:
    """Do something to a database that the store does not know of."""
    database = connect(url, SOON)

    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await database.write(work)
    await database.close()
