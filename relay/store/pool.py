"""Threads with a connection each, in which transactions run.

A transaction is one hop: the statements in it are plain synchronous calls, because a hop per statement costs many times
what the statement does.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from relay.records import StoreBusyError, StoreError

# --- database trouble as sentences for people ---

# Full disks, locks and lost connections are the world's and become :class:`StoreError`; a statement that the database
# does not understand, or a constraint that we break ourselves, is a bug and stays what it is.

_SQLITE = {
    sqlite3.SQLITE_BUSY: "is locked by another program; end what else is using it",
    sqlite3.SQLITE_LOCKED: "is locked by another program; end what else is using it",
    sqlite3.SQLITE_PROTOCOL: "is locked by another program; end what else is using it",
    sqlite3.SQLITE_SCHEMA: "was changed by another program; end what else is using it",
    sqlite3.SQLITE_INTERRUPT: "was not asked to the end, because nobody waited for the answer or the relay stops",
    sqlite3.SQLITE_FULL: "did not fit on the disk; free some space",
    sqlite3.SQLITE_IOERR: "could not be read or written; look at the disk",
    sqlite3.SQLITE_READONLY: "may not be written; check the owner and the permissions of the file and its directory",
    sqlite3.SQLITE_PERM: "may not be opened; check the owner and the permissions of the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its directory exists and may be written to",
    sqlite3.SQLITE_CORRUPT: "is damaged; stop the relay and restore a backup",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database; name another file",
}
_POSTGRESQL = {  # by SQLSTATE, or its first two characters
    "08": "cannot be reached",
    "25": "ended the transaction or may not be written",
    "28": "refuses this user",
    "3D": "does not exist",
    "40": "gave way to other transactions again and again",
    "42501": "does not allow this user to do that",
    "53": "has no more room or connections",
    "55": "is locked by another program",
    "57": "is stopping, or cancelled the statement",
    "58": "could not be read or written",
    "XX": "is damaged",
}
_LOCKED = "55P03"
_TRANSIENT = {"40001", "40P01"}  # serialization failure, deadlock: the same transaction will do when run again


def is_transient(error: BaseException) -> bool:
    """The database undid the transaction for another's sake and asks for it again."""
    return getattr(error, "sqlstate", None) in _TRANSIENT


def is_busy(error: BaseException) -> bool:
    """SQLite waited for another program's lock, in vain so far; PostgreSQL waits by itself for as long as it is to."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)


def store_error(error: BaseException, where: str) -> StoreError | None:
    """The trouble that a driver tells of as a sentence about ``where``; None where it is a bug of ours."""
    return _of_sqlite(error, where) if isinstance(error, sqlite3.Error) else _of_postgresql(error, where)


def _of_sqlite(error: sqlite3.Error, where: str) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the upper bits say more than people need
    trouble = _SQLITE.get(code)
    return StoreError(f"{where} {trouble} ({error}).", trouble) if trouble else None


def _of_postgresql(error: BaseException, where: str) -> StoreError | None:
    state = getattr(error, "sqlstate", None)
    if state is None:  # from the library itself, which is not always installed and so is not imported here
        kinds = {kind.__name__ for kind in type(error).__mro__}  # an InterfaceError says that a connection is closed
        trouble = "cannot be reached" if kinds & {"OperationalError", "InterfaceError"} else None
    else:
        trouble = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    first = next(iter(str(error).strip().splitlines()), "no reason given")
    kind = StoreBusyError if state == _LOCKED else StoreError
    return kind(f"{where} {trouble} ({first}).", trouble) if trouble else None


# --- pool ---

T = TypeVar("T")

_TRIES = 5
LOCK_WAIT = 0.02
"""Seconds for which SQLite may wait for a lock at a time: while it does, nothing can stop it."""
_AGAIN = 0.01
"""Seconds until it is asked again."""
_INSIST, _INSIST_FOR = 0.05, 0.25
"""Seconds between two interruptions (one that falls between two statements does nothing), and of all of them."""


@dataclass(eq=False, slots=True)
class _Job:
    """What is to be done, until when it may wait for others' locks, and whether nobody waits for it any more."""

    pool: Pool
    attempt: Callable[[_Job], Any]
    work: Callable[[Connection], Any]
    until: float
    answer: asyncio.Future[Any]
    """Of the event loop's thread, which alone may touch it."""
    abandoned: bool = False
    done: bool = False


class _Session:
    """One thread's connection, kept from one transaction to the next, and the job that it is used for."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.losses = -1
        """Of how many losses it knows; its connection is as new as that."""
        self._lock = threading.Lock()
        self._job: _Job | None = None
        self._driver: Any = None

    @contextmanager
    def serving(self, job: _Job, connection: Connection) -> Iterator[Connection]:
        """Others may interrupt the job meanwhile."""
        driver = connection.connection.dbapi_connection
        with self._lock:
            self._job, self._driver = job, driver
        try:
            yield connection
        finally:
            with self._lock:
                self._job = self._driver = None

    def interrupt(self, job: _Job | None = None) -> None:
        """Have ``job``, or whatever runs, end with an error and be undone. From any thread; none for the next one."""
        with self._lock:
            if self._job is None or (job and job is not self._job):
                return
            if hasattr(self._driver, "interrupt"):  # SQLite's
                self._driver.interrupt()
            elif job is None:  # PostgreSQL hears of it on another connection, perhaps only when the next job runs
                with suppress(Exception):  # the server may be out of reach
                    self._driver.cancel_safe(timeout=_INSIST)

    def close(self) -> None:
        """Let go of the connection, but not under the hands of a job."""
        if self.connection is not None and self._job is None:
            connection, self.connection = self.connection, None  # perhaps no other one can be opened for a while
            connection.invalidate()  # a rollback could fail by now
            connection.close()


@dataclass(slots=True)
class LostConnections:
    """How often a connection to a database was lost: then the server went, and all the others are lost as well."""

    count: int = 0


class Pool:
    """Runs transactions in up to ``size`` threads, first come, first served. ``where`` is the database, for people.

    ``reads``: its connections refuse to write. ``patience``: for how many seconds a transaction waits for other
    programs' locks, counted from when it was asked for. ``losses`` is shared by all pools of a database. ``check`` is
    called before each transaction and may raise. What is cancelled is interrupted and undone where the database can.
    """

    def __init__(
        self,
        engine: Engine,
        size: int,
        *,
        where: str,
        patience: float,
        losses: LostConnections,
        reads: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._where, self._patience, self._reads, self._check = engine, where, patience, reads, check
        self._size, self._threads = size, list[threading.Thread]()
        self._queue = SimpleQueue[_Job | None]()
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._own = threading.local()
        self._sessions: list[_Session] = []
        self._losses = losses
        self._refuses = self._hurries = False
        self.running = 0
        """So many jobs run or wait for their turn. Of the event loop's thread."""

    # --- transactions ---

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction. Raises :class:`StoreError`."""
        return await self._submit(self._transact, work)

    async def use(self, work: Callable[[Any], T]) -> T:
        """What can be no transaction, with the driver's connection. Raises :class:`StoreError`."""
        return await self._submit(self._outside, lambda connection: work(connection.connection.dbapi_connection))

    async def _submit(self, attempt: Callable[[_Job], T], work: Callable[[Connection], T]) -> T:
        """Not by ``concurrent.futures``: its locks and callbacks cost several times what handing the job over does."""
        if self._refuses:
            raise StoreError(f"{self._where} is closed.")
        loop = asyncio.get_running_loop()
        job = _Job(self, attempt, work, time.monotonic() + self._patience, loop.create_future())
        if len(self._threads) < min(self.running + 1, self._size):
            self._add_thread()
        self.running += 1
        self._queue.put(job)
        try:
            answer: T = await job.answer
        except asyncio.CancelledError:
            self._abandon(job, loop)
            raise
        return answer

    def ended(self, job: _Job, answer: Any, error: BaseException | None) -> None:
        """Called in the event loop's thread."""
        self.running -= 1
        if job.answer.done():  # it was cancelled
            return
        if error is None:
            job.answer.set_result(answer)
        else:
            job.answer.set_exception(error)

    def _add_thread(self) -> None:
        name = f"relay-{'reads' if self._reads else 'store'}_{len(self._threads)}"
        # a daemon: who forgets to close a database need not wait for ever at the end of the program
        thread = threading.Thread(target=_serve, args=(self._queue,), name=name, daemon=True)
        thread.start()  # the system may have no room for it: then there is none, and the job is not one that waits
        self._threads.append(thread)

    def _abandon(self, job: _Job, loop: asyncio.AbstractEventLoop) -> None:
        """Nobody waits for it any more: let it not hold up who comes next."""
        job.abandoned = True
        if not job.done and not loop.is_closed():
            for session in self._sessions:
                session.interrupt(job)
            loop.call_later(_INSIST, self._abandon, job, loop)

    def run_to_end(self, job: _Job) -> Any:
        """All attempts at a job, in one of the threads."""
        self._check()
        left = _TRIES
        while True:
            if self._hurries:
                raise StoreError(f"{self._where} is closed.")
            try:
                return job.attempt(job)
            except (DBAPIError, self._driver_error) as error:
                self._note_loss()
                cause = getattr(error, "orig", None) or error
                left -= is_transient(cause)
                if (is_transient(cause) and left) or (is_busy(cause) and self._may_wait(job)):
                    time.sleep(_AGAIN)
                    continue
                trouble = store_error(cause, self._where)
                if trouble is None:
                    raise
                raise trouble from error

    def _may_wait(self, job: _Job) -> bool:
        return not (job.abandoned or self._hurries) and time.monotonic() < job.until

    def _transact(self, job: _Job) -> Any:
        with self._serving(job) as connection, connection.begin():
            return job.work(connection)

    def _outside(self, job: _Job) -> Any:
        with self._serving(job) as connection:
            return job.work(connection)

    # --- connections ---

    def _serving(self, job: _Job) -> AbstractContextManager[Connection]:
        """This thread's connection, opened anew where one was lost."""
        session: _Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = _Session()
            self._sessions.append(session)
        if session.connection is None or session.losses != self._losses.count:
            session.close()
            session.connection, session.losses = self._open(), self._losses.count
        return session.serving(job, session.connection)

    def _open(self) -> Connection:
        connection = self._engine.connect()
        if self._reads:
            _prepare_to_read(connection.connection.dbapi_connection)
        return connection.execution_options(relay_begin="BEGIN" if self._reads else "BEGIN IMMEDIATE")

    def _note_loss(self) -> None:
        """Where one connection was lost, the server went: each thread is to open a new one, not to fail once more."""
        session: _Session | None = getattr(self._own, "session", None)
        if session is not None and session.connection is not None and session.connection.invalidated:
            self._losses.count += 1

    # --- the end ---

    def refuse(self) -> None:
        """Take nothing new; the threads end behind what was asked for. From the thread that asks."""
        self._refuses = True
        for _ in self._threads:
            self._queue.put(None)

    def ends(self, until: float) -> bool:
        """Whether the threads end before that moment of the steady clock. Blocks its thread."""
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def hurry(self) -> None:
        """Interrupt and undo what runs, and let nothing of what waits begin. Call it until the threads have ended."""
        self._hurries = True
        for session in self._sessions:
            session.interrupt()

    def disconnect(self) -> None:
        """Close the connections. What still runs keeps its own, and loses it with the process."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()


def _prepare_to_read(driver: Any) -> None:
    """Forbid it to write. SQLite forgets with each write what it has read: to keep more of it is of no use."""
    if isinstance(driver, sqlite3.Connection):
        driver.execute("PRAGMA query_only = ON")
        driver.execute("PRAGMA cache_size = -512")
    else:
        from psycopg import IsolationLevel

        driver.execute("SET idle_in_transaction_session_timeout = '60s'")  # it has no locks that others wait for
        driver.commit()
        # Said with each BEGIN, not once: a pooler may lend the server's session to who writes. Like SQLite's, all that
        # a transaction reads is of one moment, whatever others write between two statements.
        driver.isolation_level, driver.read_only = IsolationLevel.REPEATABLE_READ, True


def _serve(queue: SimpleQueue[_Job | None]) -> None:
    """One thread: a job after the other, until there is to be none."""
    while (job := queue.get()) is not None:
        answer: Any = None
        error: BaseException | None = None
        try:
            if not job.abandoned:
                answer = job.pool.run_to_end(job)
        except StopIteration as stray:  # no future takes it
            error = RuntimeError(f"a transaction raised {stray!r}")
        except BaseException as raised:  # noqa: BLE001 - it is raised where the answer is awaited
            error = raised
        job.done = True
        with suppress(RuntimeError):  # the loop is closed
            job.answer.get_loop().call_soon_threadsafe(job.pool.ended, job, answer, error)
        del job, answer, error


def close(pools: list[Pool], within: float) -> None:
    """Let what was asked for end within so many seconds, then interrupt it, then disconnect. Blocks its thread.

    The pools take nothing new (:meth:`Pool.refuse`) any more.
    """
    until = time.monotonic() + within
    late = [pool for pool in pools if not pool.ends(until)]
    until = time.monotonic() + _INSIST_FOR
    while late and time.monotonic() < until:
        for pool in late:
            pool.hurry()
        late = [pool for pool in late if not pool.ends(time.monotonic() + _INSIST)]
    for pool in pools:
        pool.disconnect()
