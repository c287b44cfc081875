"""Opening a database, and which of its threads runs what.

SQLite has one that writes, PostgreSQL a few; both have others for what only reads, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from relay import private_files
from relay.log import get_logger
from relay.records import StoreError, StoreLostError
from relay.store.pool import LOCK_WAIT, LostConnections, Pool, close
from relay.store.versions import CHANNEL

# --- PostgreSQL's word that another process changed subscriptions: LISTEN, on a connection of its own ---

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


# --- whether the file that is open is still the one that its path names ---

# A program may go on writing into a file that was deleted; all of it is lost when the program ends, and nothing says
# so.

_ENDINGS = ("", "-wal")


class DatabaseFile:
    """A SQLite file and its write-ahead log. Where the system does not tell, nothing is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log_size = 0
        """Bytes of the write-ahead log when it was last looked at."""
        self._names = [(ending, f"{self.path}{ending}") for ending in _ENDINGS]  # looked for before each transaction
        self._files: dict[str, tuple[int, int] | None] = {}

    def lost(self) -> str:
        """What happened to the files since they were first seen, and what to do; empty: they are there."""
        for ending, name in self._names:
            try:
                status = os.stat(name)  # noqa: PTH116 - making a path of it costs more than the look
                now = status.st_dev, status.st_ino
            except (FileNotFoundError, NotADirectoryError):
                now = None
            except OSError:
                continue
            if self._files.setdefault(ending, now) is None:
                self._files[ending] = now
            elif self._files[ending] != now:
                return self._told(ending, deleted=now is None)
            elif ending:
                self.log_size = status.st_size
        return ""

    def _told(self, ending: str, *, deleted: bool) -> str:
        what = "was deleted or moved away" if deleted else "was replaced by another file"
        return (
            f"The database {self.path}{ending} {what} while the relay was using it. The relay stops, because what it"
            " writes would be lost. Put the file back, or restore a backup, before you start it again; without it the"
            " relay begins anew."
        )


# --- engine ---

log = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_POSTGRESQL_WRITERS = 4
_READERS = (1, 2, 1)
"""Threads, each with a connection, that look rows up, that read threads and lists, that scan tables."""
LONG_LOG, LONGEST_LOG = 32 * 2**20, 128 * 2**20
"""Bytes of SQLite's write-ahead log; see :meth:`Database._tend_log` and :meth:`Database._shorten_log`.

Every checkpoint writes the same pages again: rarer ones, at 32 MB of log, make intake a fifth faster.
"""
_FEW_PAGES, _ROUNDS, _LOG_PAUSE = 250, 5, 0.1
_INCREMENTAL = 2
"""The kind of SQLite's auto_vacuum in which empty pages are given back when that is asked for."""
_GIVES_BACK = f"PRAGMA auto_vacuum = {_INCREMENTAL}"
"""It holds for a file that has no page yet; for another once that is written anew."""
_PAGES_AT_ONCE = 100
_SPARE = 64
"""Empty pages that are always kept: a quarter of a megabyte."""
_FORMS = "write store.url like sqlite:///relay.sqlite3 or postgresql://user@host/database"


class Database:
    """Runs transactions, each whole or not at all. What only reads holds up nothing that writes, nor waits for it.

    A read sees all that was written before it began. On SQLite a caller that is cancelled has its transaction undone
    where it was still under way; on PostgreSQL that goes on.
    """

    def __init__(self, url: URL, engine: Engine, patience: timedelta) -> None:
        self.where = _where(url)
        self._engine = engine
        self._lock: IO[str] | None = None
        self._place = DatabaseFile(Path(url.database or "")) if _is_file(url) else None
        self._closed = False
        self._patience = patience.total_seconds()
        make = partial(
            Pool, engine, where=self.where, patience=self._patience, losses=LostConnections(), check=self._check
        )
        self._writes = make(1 if self._is_sqlite else _POSTGRESQL_WRITERS)
        in_memory = self._is_sqlite and not _is_shared(url)  # then there is but one connection
        self._looks, self._reads, self._scans = (
            self._writes if in_memory else make(size, reads=True) for size in _READERS
        )
        self._logs = make(1, reads=True)
        self._pools = [self._logs, self._scans, self._reads, self._looks, self._writes]  # the last leaves no log behind
        self._tending: asyncio.Task[None] | None = None
        self._look_again = self._tend_again = 0.0
        self.trouble = ""
        """Why the last transaction that wanted to write could not; empty: it could."""

    @property
    def _is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @property
    def is_writing(self) -> bool:
        return bool(self._writes.running)

    def _check(self) -> None:
        if self._place is not None and (lost := self._place.lost()):
            raise StoreLostError(lost)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Run one transaction that may write. Raises :class:`StoreError`."""
        try:
            answer = await self._run(self._writes, work, *args, **options)
        except StoreError as error:
            self.trouble = error.trouble
            raise
        self.trouble = ""
        await self._shorten_log()
        self._tend_log()
        return answer

    async def look_up(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Read a few rows by an index. Raises :class:`StoreError`."""
        return await self._run(self._looks, work, *args, **options)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Read a thread or a list, however long it is; it holds up no :meth:`look_up`. Raises :class:`StoreError`."""
        return await self._run(self._reads, work, *args, **options)

    async def scan(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Read whole tables; it holds up nothing but other scans. Raises :class:`StoreError`."""
        return await self._run(self._scans, work, *args, **options)

    async def _run(
        self, pool: Pool, work: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        return await pool.run(lambda connection: work(connection, *args, **options))

    async def checkpoint(self, *, compact: bool = False) -> bool:
        """Leave nothing of what was deleted in the write-ahead log. Raises :class:`StoreError`.

        ``compact`` also writes the file anew: where a row was moved from one page to another, its bytes may stay
        behind. That takes some seconds for each gigabyte, in which nothing else is written, and as much free disk.
        False: something was being read all the time, so something may be left; call again later. PostgreSQL looks
        after its log itself.
        """
        if not self._is_sqlite:
            return True
        if compact:
            await self._writes.use(_write_anew)
        until = time.monotonic() + self._patience
        while True:  # one short attempt after the other, between which others write
            if await self._writes.use(_truncate_log):
                return True
            if time.monotonic() > until:
                return False

    async def shrink(self, pause: float) -> None:
        """Give back what the file has of empty pages, but for a tenth that is soon filled again, some at a time.

        ``pause``: seconds in between. A file that an older relay made first has to be written anew (``compact``).
        PostgreSQL looks after that itself. Raises :class:`StoreError`.
        """
        while self._is_sqlite and await self._writes.use(_give_back):  # noqa: ASYNC110 - a pause, no waiting
            await asyncio.sleep(pause)

    def _tend_log(self) -> None:
        """Begin to bring a log that has grown long into the file, beside what is written meanwhile.

        A commit that did so itself, as SQLite has it, would hold up all that comes after it for most of a second.
        """
        long = self._place is not None and self._place.log_size >= LONG_LOG
        if long and self._tending is None and time.monotonic() >= self._tend_again and not self._closed:
            self._tending = asyncio.create_task(self._bring_in(), name="write-ahead log")

    async def _bring_in(self) -> None:
        try:
            with suppress(StoreError):  # the next write tells of it
                known = 0
                for _ in range(_ROUNDS):
                    pages = await self._logs.use(_checkpoint)
                    if pages - known <= _FEW_PAGES:
                        break
                    known = pages
                await self._writes.use(_checkpoint)  # the few that came meanwhile: then the next write begins it anew
        finally:
            self._tending, self._tend_again = None, time.monotonic() + _LOG_PAUSE

    async def _shorten_log(self) -> None:
        """SQLite begins its log anew when nobody reads in it. Where there is always somebody, readers wait a moment."""
        if self._place is None or self._place.log_size < LONGEST_LOG or time.monotonic() < self._look_again:
            return
        with suppress(StoreError):  # the next write tells of it
            if not await self._writes.use(_truncate_log):
                self._look_again = time.monotonic() + 1

    async def lock(self) -> None:
        """Keep other relays off a SQLite file until :meth:`close`. PostgreSQL is there to be shared."""
        path = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and path:
            self._lock = await asyncio.to_thread(_flock, path, self.where)

    def notices(self) -> Notices:
        """What waits for the changes of other processes; to be closed before :meth:`close`."""
        return Notices(self._engine)

    @property
    def is_alone(self) -> bool:
        """Whether other relays are kept off."""
        return self._lock is not None

    async def close(self, within: timedelta = timedelta(seconds=5)) -> None:
        """Let go of the database. What runs has so long to end, then it is undone. A second call does nothing."""
        if not self._closed:
            self._closed = True
            for pool in self._pools:
                pool.refuse()
            if self._tending is not None:
                self._tending.cancel()
                await asyncio.wait([self._tending])
            await asyncio.to_thread(self._shut, within.total_seconds())

    def _shut(self, within: float) -> None:
        close(self._pools, within)
        self._engine.dispose()
        if self._lock:
            self._lock.close()


def _write_anew(driver: Any) -> None:
    driver.execute(_GIVES_BACK).close()
    driver.execute("VACUUM").close()


def _checkpoint(driver: Any) -> int:
    """Bring what is in the log into the file, while others read and write; how many pages it had when that began."""
    _, pages, _ = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def _truncate_log(driver: Any) -> bool:
    """Bring what is in the log into the file, and empty it; who reads in it is waited for, but not for long."""
    driver.execute("PRAGMA busy_timeout = 200").close()
    busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {LOCK_WAIT * 1e3:.0f}").close()
    return not busy


def _give_back(driver: Any) -> bool:
    """Cut some empty pages off the file's end; False: few are left."""
    free, pages, kind = (
        driver.execute(f"PRAGMA {of}").fetchone()[0] for of in ("freelist_count", "page_count", "auto_vacuum")
    )
    if kind != _INCREMENTAL or free <= max(_SPARE, (pages - free) // 10):
        return False
    driver.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")  # execute() would cut off one page alone
    return True


def connect(url: str, busy_timeout: timedelta) -> Database:
    """The database that ``url`` names; nothing is opened before the first transaction. Raises :class:`StoreError`."""
    parsed = _parse(url)
    make = _sqlite if parsed.get_backend_name() == "sqlite" else _postgresql
    return Database(parsed, make(parsed, busy_timeout), busy_timeout)


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


def _is_shared(url: URL) -> bool:
    """Whether two connections to SQLite see the same."""
    path = url.database or ":"
    return not path.startswith((":", "file::")) and url.query.get("mode") != "memory"


def _sqlite(url: URL, busy_timeout: timedelta) -> Engine:
    path = Path(url.database or ".")
    if not path.parent.is_dir() and not str(path).startswith("file:"):
        raise StoreError(f"The directory {path.parent} of the database {path.name} does not exist; create it first.")
    if _is_file(url):
        with suppress(OSError):  # then opening it fails as well, and tells why
            private_files.create(path)
    engine = create_engine(
        url,
        poolclass=NullPool,  # each thread keeps its own
        hide_parameters=True,
        connect_args={
            "check_same_thread": False,
            "timeout": min(busy_timeout.total_seconds(), LOCK_WAIT),
            "cached_statements": 512,
        },
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin below, where it can be said how
        try:
            # Nothing here may write into a file that is there: it may be locked, and is to be read all the same.
            if connection.cursor().execute("PRAGMA page_count").fetchone() == (0,):
                connection.cursor().execute(_GIVES_BACK)
            connection.cursor().execute("PRAGMA journal_mode = WAL")
            connection.cursor().execute("PRAGMA synchronous = NORMAL")
            connection.cursor().execute("PRAGMA foreign_keys = ON")
            connection.cursor().execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
            connection.cursor().execute(
                "PRAGMA journal_size_limit = 0"
            )  # a log that is begun anew is as long as it says
            connection.cursor().execute("PRAGMA wal_autocheckpoint = 16000")  # where nobody was quicker (_tend_log)
            _tighten(connection)
        except BaseException:
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that turns to writing half-way could be refused without waiting
        driver: Any = connection.connection.dbapi_connection
        driver.execute(connection.get_execution_options()["relay_begin"])

    return engine


def _tighten(connection: DBAPIConnection) -> None:
    """Only the owner may read the database. SQLite gives new logs the database's mode; old ones may have another."""
    _, _, file = connection.cursor().execute("PRAGMA database_list").fetchone()
    for ending in ("", "-wal", "-shm", "-journal") if file else ():
        if trouble := private_files.tighten(Path(f"{file}{ending}")):
            log.warning(trouble)


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
        "idle_in_transaction_session_timeout": "4s",  # others wait longer for the locks of who stands still
        "random_page_cost": "1.1",  # what is claimed and settled is in memory: an index beats reading a table of it
        "plan_cache_mode": "force_generic_plan",  # to plan a claim costs more than to run it
        "jit": "off",  # it pays off in queries of seconds
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
