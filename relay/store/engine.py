"""Opening a database, and the threads in which its transactions run.

SQLite has one connection in one thread, PostgreSQL a few of each. A transaction is one hop: the statements in it are
plain synchronous calls, because a hop per statement costs many times what the statement does.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, StaticPool

from relay import private_files
from relay.log import get_logger
from relay.ports import StoreError, StoreLostError
from relay.store.errors import is_transient, store_error
from relay.store.place import Place

log = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_TRIES = 5
_POSTGRESQL_THREADS = 4
_FORMS = "write store.url like sqlite:///relay.sqlite3 or postgresql://user@host/database"


class Database:
    """Runs transactions, each whole or not at all, in threads of its own.

    A caller that is cancelled while its transaction runs does not undo it.
    """

    def __init__(self, url: URL, engine: Engine, threads: int) -> None:
        self.where = _where(url)
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="relay-store")
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._own = threading.local()
        self._connections: list[Connection] = []
        self._losses = 0
        self._lock: IO[str] | None = None
        self._place = Place(Path(url.database or "")) if _is_file(url) else None
        self._closed = False
        self.trouble = ""
        """Why the last transaction that wanted to write could not; empty: it could."""

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Run one transaction that may write. Raises :class:`StoreError`."""
        try:
            answer = await self._hop("BEGIN IMMEDIATE", lambda connection: work(connection, *args, **options))
        except StoreError as error:
            self.trouble = error.trouble
            raise
        self.trouble = ""
        return answer

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Run one transaction that only reads, and so waits for no other program's. Raises :class:`StoreError`."""
        return await self._hop("BEGIN", lambda connection: work(connection, *args, **options))

    async def _hop(self, begin: str, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise StoreError(f"{self.where} is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._transact, begin, work)

    def _transact(self, begin: str, work: Callable[[Connection], T]) -> T:
        if self._place is not None and (lost := self._place.lost()):
            raise StoreLostError(lost)
        for left in reversed(range(_TRIES)):
            try:
                connection = self._connection().execution_options(relay_begin=begin)
                with connection.begin():
                    return work(connection)
            except (DBAPIError, self._driver_error) as error:
                self._note_loss()
                cause = getattr(error, "orig", None) or error
                if left and is_transient(cause):
                    continue
                trouble = store_error(cause, self.where)
                if trouble is None:
                    raise
                raise trouble from error
        raise AssertionError("unreachable")

    def _connection(self) -> Connection:
        """This thread's connection, kept from one transaction to the next; an invalid one is opened again when used."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._engine.connect()
            self._connections.append(connection)
        elif self._own.losses != self._losses:
            connection.invalidate()
        self._own.losses = self._losses
        return connection

    def _note_loss(self) -> None:
        """Where one connection was lost, the server went: each thread is to open a new one, not to fail once more."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is not None and connection.invalidated:
            self._losses += 1

    async def checkpoint(self, *, compact: bool = False) -> bool:
        """Leave nothing of what was deleted in the write-ahead log. Raises :class:`StoreError`.

        ``compact`` also writes the file anew: where a row was moved from one page to another, its bytes may stay
        behind. That takes some seconds for each gigabyte, in which nothing else is written, and as much free disk.
        False: another program was reading, so something may be left; call again later. PostgreSQL looks after its
        log itself.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        if self._closed:
            raise StoreError(f"{self.where} is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._truncate_log, compact)

    def _truncate_log(self, compact: bool) -> bool:  # noqa: FBT001 - called by position across threads
        connection = self._connection().connection.dbapi_connection
        assert connection is not None  # noqa: S101 - it was opened in the line above
        try:
            if compact:
                connection.cursor().execute("VACUUM")
            busy, *_ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except self._driver_error as error:
            trouble = store_error(error, self.where)
            if trouble is None:
                raise
            raise trouble from error
        return not busy

    async def lock(self) -> None:
        """Keep other relays off a SQLite file until :meth:`close`. PostgreSQL is there to be shared."""
        path = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and path:
            self._lock = await asyncio.to_thread(_flock, path, self.where)

    @property
    def is_alone(self) -> bool:
        """Whether other relays are kept off."""
        return self._lock is not None

    async def close(self) -> None:
        """Let what runs end, then let go of the database. A second call does nothing."""
        self._closed = True
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._threads.shutdown()
        while self._connections:
            connection = self._connections.pop()
            connection.invalidate()  # a rollback could fail by now
            connection.close()
        self._engine.dispose()
        if self._lock:
            self._lock.close()


def connect(url: str, busy_timeout: timedelta) -> Database:
    """The database that ``url`` names; nothing is opened before the first transaction. Raises :class:`StoreError`."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(parsed, _sqlite(parsed, busy_timeout), 1)
    return Database(parsed, _postgresql(parsed, busy_timeout), _POSTGRESQL_THREADS)


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError(f"The address of the database is no URL; {_FORMS}.") from None  # it may hold a password
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise StoreError(f"{url.drivername} is no database that the relay knows; {_FORMS}.")
    return url


def _where(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"The database {url.database or 'in memory'}"
    host = url.host or url.query.get("host") or "this machine"
    return f"The PostgreSQL database {url.database or url.username or 'postgres'!r} on {host}"


def _is_file(url: URL) -> bool:
    path = url.database or ":"
    return url.get_backend_name() == "sqlite" and not path.startswith(("file:", ":"))


def _sqlite(url: URL, busy_timeout: timedelta) -> Engine:
    path = Path(url.database or ".")
    if not path.parent.is_dir() and not str(path).startswith("file:"):
        raise StoreError(f"The directory {path.parent} of the database {path.name} does not exist; create it first.")
    if _is_file(url):
        with suppress(OSError):  # then opening it fails as well, and tells why
            private_files.create(path)
    engine = create_engine(
        url,
        poolclass=StaticPool,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": busy_timeout.total_seconds()},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin below, where it can be said how
        try:
            _use_wal(connection, time.monotonic() + busy_timeout.total_seconds())
            connection.cursor().execute("PRAGMA synchronous = NORMAL")
            connection.cursor().execute("PRAGMA foreign_keys = ON")
            connection.cursor().execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
            # Every checkpoint writes the same pages again: rarer ones, at 32 MB of log, make intake a fifth faster.
            connection.cursor().execute("PRAGMA wal_autocheckpoint = 8000")
            _tighten(connection)
        except BaseException:
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that turns to writing half-way could be refused without waiting
        connection.exec_driver_sql(connection.get_execution_options().get("relay_begin", "BEGIN IMMEDIATE"))

    return engine


def _tighten(connection: DBAPIConnection) -> None:
    """Only the owner may read the database. SQLite gives new logs the database's mode; old ones may have another."""
    _, _, file = connection.cursor().execute("PRAGMA database_list").fetchone()
    for ending in ("", "-wal", "-shm", "-journal") if file else ():
        if trouble := private_files.tighten(Path(f"{file}{ending}")):
            log.warning(trouble)


def _use_wal(connection: DBAPIConnection, until: float) -> None:
    """Switch to write-ahead logging, the one statement that does not wait by itself for another that opens the file."""
    while True:
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _postgresql(url: URL, busy_timeout: timedelta) -> Engine:
    patience: dict[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 30_000, "client_encoding": "utf8"}
    try:
        engine = create_engine(
            url,
            poolclass=NullPool,  # each thread keeps its own
            hide_parameters=True,
            connect_args={name: value for name, value in patience.items() if name not in url.query},
        )
    except ImportError as error:
        raise StoreError(
            f'PostgreSQL needs the library psycopg ({error}); run: pip install "chasqui-relay[postgres]".'
        ) from error
    limits = {
        "lock_timeout": f"{round(busy_timeout / timedelta(milliseconds=1))}ms",
        "idle_in_transaction_session_timeout": "60s",  # a machine that died must not keep its locks
    }

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        if (encoding := _encoding(connection)) not in ("UTF8", ""):
            connection.close()
            raise StoreError(
                f"{_where(url)} has the encoding {encoding}, in which posts cannot be kept: make a database with"
                " `createdb --encoding=UTF8 --template=template0 NAME` and name that in store.url."
            )
        cursor = connection.cursor()
        for limit in limits.items():
            cursor.execute("SELECT set_config(%s, %s, false)", limit)
        connection.commit()

    return engine


def _encoding(connection: Any) -> str:
    """In which encoding a PostgreSQL database keeps text, as the server told when it was connected to."""
    return str(connection.info.parameter_status("server_encoding") or "")


def _flock(path: str, where: str) -> IO[str] | None:
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        private_files.create(Path(f"{path}.lock"))
        lock = Path(f"{path}.lock").open("a", encoding="utf-8")  # noqa: SIM115 - held open until the store closes
    except OSError as error:
        raise StoreError(f"{where} cannot be locked: {error}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(f"{where}: another relay is using {path}; stop it first.") from error
    return lock
