"""What several tests share with those of store migrations."""

from __future__ import annotations

import msgspec
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from relay.model import Post
from relay.store.engine import connect
from tests.support.store_open_cases import SOON


def formerly(post: Post) -> str:
    """A post as it was kept until the twelfth schema."""
    return msgspec.json.encode(post).decode()


async def upgrade_to(url: str, version: str, *statements: str) -> None:
    """A database as an older relay left it."""
    database = connect(url, SOON)
    config = Config()
    config.set_main_option("script_location", "relay.store:migrations")

    def work(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        for statement in statements:
            connection.exec_driver_sql(statement)

    await database.write(work)
    await database.close()
