"""What SQLite and PostgreSQL say differently, and the short way to both: rows by the hundred, lists as parameters.

Statements are Core's, but Core's way of running one costs more than SQLite's own work. So they are compiled once and go
to the driver as they are, and rows to be written are tuples as the tables keep them (times from ``tables.micros``).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    Update,
    bindparam,
)
from sqlalchemy import text as sql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_SERIAL = sql("SELECT pg_advisory_xact_lock(4849081)")  # any number, the same in every relay on this database


def serialize(connection: Connection) -> None:
    """Let one transaction at a time past here, as SQLite always does: what two writers bring never races."""
    if connection.dialect.name == "postgresql":
        connection.execute(_SERIAL)


# --- lists as parameters ---


class _Listed(TypeDecorator[Iterable[Any]]):
    """Any number of values as one parameter, in the form that each database takes apart quickest."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> str:
        values = list(value or ())
        return _array(values) if dialect.name == "postgresql" else msgspec.json.encode(values).decode()


class _Among(FunctionElement[bool]):
    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> _Among:  # noqa: ARG002 - the base's signature
        return self  # not "(…) = 1", which would keep SQLite from its indexes


def among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """The column is one of the values given as ``parameter``: one statement for any number of them, without a limit."""
    return _Among(column, bindparam(parameter, type_=_Listed()))


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - compiled clauses


@compiles(_Among, "postgresql")
def _any_of_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    kind = next(iter(element.clauses)).type.compile(compiler.dialect).partition(" ")[0]
    return f"{column} = ANY ({values}::{kind}[])"


_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"'})


def _array(values: Iterable[Any]) -> str:
    """Values as PostgreSQL writes an array: of such it knows, as it does not of JSON, that they are but a few."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return f'"{value.translate(_ESCAPED)}"' if isinstance(value, str) else str(value)


# --- statements, compiled once ---

_PIPELINE = "pipeline"
"""By which name a connection knows the pipeline that it is in."""


def pipelined(connection: Connection) -> AbstractContextManager[None]:
    """Send PostgreSQL one statement after the other: only who wants rows waits, and that for all at once.

    For statements of this module alone: Core would take an answer that is not here yet for an empty one. An error may
    be raised by a later statement than its own, or at the end.
    """
    return _pipelined(connection) if connection.dialect.name == "postgresql" else _AT_ONCE


_AT_ONCE = nullcontext()


@contextmanager
def _pipelined(connection: Connection) -> Iterator[None]:
    with _driver(connection).pipeline() as connection.info[_PIPELINE]:
        try:
            yield
        finally:
            del connection.info[_PIPELINE]


def _fetch(connection: Connection, cursor: Any) -> list[Any]:
    """All rows. Within a pipeline they are awaited by a synchronization of it: until one, the server takes the
    session for busy, and would leave a process that stands still its locks, whatever limit a transaction has
    (idle_in_transaction_session_timeout counts only between synchronizations).
    """
    if pipeline := connection.info.get(_PIPELINE):
        pipeline.sync()
    return cursor.fetchall()  # type: ignore[no-any-return]  # the driver's own


_Statement = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]] | Update


class Query:
    """A statement of the hot path: called with its parameters, it gives rows with fields named like the columns."""

    def __init__(self, statement: _Statement) -> None:
        self._statement = statement
        self._plans: dict[str, _Plan] = {}

    def __call__(self, connection: Connection, **values: object) -> list[Any]:
        plan = self._plans.get(connection.dialect.name) or self._plan(connection.dialect)
        return plan.run(connection, values)

    def explain(self, connection: Connection, **values: object) -> list[str]:
        """The steps by which the database would find the rows, in its own words."""
        return self._plan(connection.dialect).explain(connection, values)

    def _plan(self, dialect: Dialect) -> _Plan:
        plan = self._plans.get(dialect.name)
        if plan is None:
            plan = self._plans[dialect.name] = _Plan(self._statement, dialect)
        return plan


class _Plan:
    """A statement as one dialect says it, with what its values have to become on the way in and out."""

    def __init__(self, statement: _Statement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._constants = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        self._in = {name: _to_driver(bind.type, dialect) for bind, name in compiled.bind_names.items()}
        names: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._order = None if names is None else [(name, self._in[name]) for name in names]
        columns = () if isinstance(statement, Update) else statement.selected_columns
        out = [_from_driver(column.type, dialect) for column in columns]
        self._out = out if any(out) else None
        self._awaits = dialect.name == "postgresql"
        self._make = _row_maker([column.name for column in columns]) if columns else None

    def run(self, connection: Connection, values: dict[str, object]) -> list[Any]:
        cursor = _driver(connection).execute(self._text, self._bound(values))
        if self._make is None:
            return []
        rows = _fetch(connection, cursor) if self._awaits else cursor.fetchall()
        if rows and self._out:
            rows = [[out(value) if out else value for out, value in zip(self._out, row, strict=True)] for row in rows]
        return list(map(self._make, rows))

    def explain(self, connection: Connection, values: dict[str, object]) -> list[str]:
        how = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        rows = _driver(connection).execute(f"{how} {self._text}", self._bound(values)).fetchall()
        return [str(row[-1]) for row in rows]

    def _bound(self, values: dict[str, object]) -> list[object] | dict[str, object]:
        given = self._constants | values if self._constants else values
        if self._order is None:
            return {name: into(given[name]) if into else given[name] for name, into in self._in.items()}
        return [into(given[name]) if into else given[name] for name, into in self._order]


_Way = Callable[[Any], Any] | None
"""What a value has to become between us and the driver; None: it stays."""


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> _Way:
    there = kind.dialect_impl(dialect)
    if isinstance(there, TypeDecorator) and there.impl_instance.bind_processor(dialect) is None:
        return partial(there.process_bind_param, dialect=dialect)  # a type of ours: no more than its own function
    return there.bind_processor(dialect)


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> _Way:
    there = kind.dialect_impl(dialect)
    if isinstance(there, TypeDecorator) and there.impl_instance.result_processor(dialect, None) is None:
        return partial(there.process_result_value, dialect=dialect)
    return there.result_processor(dialect, None)


_driver: Callable[[Connection], Any] = attrgetter("connection.dbapi_connection")
"""The driver's own connection, whose way of running a statement both drivers share; its errors are the driver's."""


def _row_maker(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    record: Any = namedtuple  # mypy wants fields that it can read
    return partial(tuple.__new__, record("Row", names))


Record = Any
"""A row of a :class:`Query`."""

# --- many rows at once ---

_MET = "met"  # what the key of an update is called among the new values, where it may be a column too


def insert_rows(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    conflict: str = "DO NOTHING",
) -> None:
    """Insert rows, in their order; ``conflict`` is what SQL is to do about those that are there already."""
    if rows:
        _run(connection, _insert(table, columns, conflict, connection.dialect), rows)


def update_rows(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    key: str,
    rows: Sequence[tuple[Any, ...]],
    where: str = "TRUE",
    given: str = "",
) -> None:
    """Set ``columns`` where ``key``, the last value of each row, is met; a key comes once at most.

    The first column becomes NULL where ``given``, a condition in SQL, does not hold.
    """
    if rows:
        _run(connection, _update(table, columns, key, where, given, connection.dialect), rows)


def _run(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    driver = _driver(connection)
    if connection.dialect.name == "postgresql":
        driver.execute(statement, [*map(_array, zip(*rows, strict=True))])
    elif len(rows) == 1:
        driver.execute(statement, rows[0])
    else:
        driver.executemany(statement, rows)


@lru_cache
def _insert(table: Table, columns: tuple[str, ...], conflict: str, dialect: Dialect) -> str:
    new = f"VALUES ({', '.join('?' * len(columns))})"
    if dialect.name == "postgresql":
        new = f"SELECT * FROM {_records(table, columns, columns, dialect)}"  # noqa: S608 - our own names
    names = ", ".join(map(dialect.identifier_preparer.quote, columns))
    return f"INSERT INTO {table.name} ({names}) {new} ON CONFLICT {conflict}"


@lru_cache
def _update(table: Table, columns: tuple[str, ...], key: str, where: str, given: str, dialect: Dialect) -> str:
    values = [f"new.{column}" if dialect.name == "postgresql" else "?" for column in columns]
    if given:
        values[0] = f"CASE WHEN {given} THEN {values[0]} END"
    sets = ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True))
    if dialect.name != "postgresql":
        return f"UPDATE {table.name} SET {sets} WHERE {key} = ? AND {where}"  # noqa: S608 - our own names
    new = _records(table, (*columns, key), (*columns, _MET), dialect)
    return f"UPDATE {table.name} SET {sets} FROM {new} WHERE {table.name}.{key} = new.{_MET} AND {where}"  # noqa: S608 - our own names


def _records(table: Table, columns: tuple[str, ...], names: tuple[str, ...], dialect: Dialect) -> str:
    """Rows that are given as one array for each column, under names that may differ from the columns'."""
    arrays = (f"%s::{table.c[column].type.compile(dialect).partition(' ')[0]}[]" for column in columns)
    return f"unnest({', '.join(arrays)}) AS new ({', '.join(map(dialect.identifier_preparer.quote, names))})"
