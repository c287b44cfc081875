"""Database trouble as sentences for people.

Full disks, locks and lost connections are the world's and become :class:`StoreError`; a statement that the database
does not understand, or a constraint that we break ourselves, is a bug and stays what it is.
"""

from __future__ import annotations

import sqlite3

from relay.ports import StoreError

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
    return StoreError(f"{where} {trouble} ({first}).", trouble) if trouble else None
