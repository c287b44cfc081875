"""PostgreSQL's word that another process changed subscriptions: LISTEN, on a connection of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from relay.store.versions import CHANNEL

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class Notices:
    """Waits. Where nobody can tell (SQLite, a lost connection, a pooler in between), it waits for the time alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def wait(self, within: timedelta) -> None:
        """Return when something changed since the last call returned, or when the time is over."""
        seconds = within.total_seconds()
        if self._engine.dialect.name != "postgresql":
            await asyncio.sleep(seconds)
            return
        import psycopg

        until = asyncio.get_running_loop().time() + seconds
        try:
            if self._connection is None:
                self._connection = await asyncio.wait_for(self._connect(), seconds)
                return  # what changed before anybody listened
            async with aclosing(self._connection.notifies(timeout=seconds, stop_after=1)) as told:
                async for _ in told:
                    pass
        except (psycopg.Error, TimeoutError, OSError):
            await self.close()
            await asyncio.sleep(until - asyncio.get_running_loop().time())
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> AsyncConnection:
        from psycopg import AsyncConnection

        url = self._engine.url.set(drivername="postgresql+psycopg")
        _, options = self._engine.dialect.create_connect_args(url)
        connection = await AsyncConnection.connect(**options, autocommit=True)
        try:
            await connection.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Let go of the connection; the next wait opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is gone already, whatever it says
                await connection.close()
