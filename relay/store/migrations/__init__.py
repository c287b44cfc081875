"""Bringing a database to the schema that this program knows; Alembic is only imported where there is work for it."""

from __future__ import annotations

from sqlalchemy import Connection, Text, column, inspect, select, table
from sqlalchemy import text as sql

from relay.records import StoreError
from relay.store.rows import serialize
from relay.store.tables import metadata

HEAD = "0018"
VERSION_TABLE = "relay_schema"
_PATIENTLY = sql("SET LOCAL idle_in_transaction_session_timeout = '10min'")
_VERSION = select(column("version_num", Text)).select_from(table(VERSION_TABLE))


def get_version(connection: Connection) -> str | None:
    """The schema's version; None of a database that the relay never used."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(_VERSION).scalar_one_or_none()


def migrate(connection: Connection, where: str) -> None:
    """Bring the schema to :data:`HEAD` within the transaction. Raises :class:`StoreError` where that cannot be."""
    serialize(connection)
    version = get_version(connection)
    if version == HEAD:  # another process was quicker
        return
    if version is None:
        _check_vacant(connection, where)
    elif version > HEAD:
        raise StoreError(
            f"{where} was written by a newer relay (schema {version}, this program knows {HEAD}); update the program."
        )
    _upgrade(connection)


def _check_vacant(connection: Connection, where: str) -> None:
    taken = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if taken:
        raise StoreError(f"{where} holds another program's tables ({', '.join(sorted(taken))}); name a database apart.")


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(_PATIENTLY)  # a migration computes between its statements: thousands of long posts at a time
    config = Config()
    config.set_main_option("script_location", "relay.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
