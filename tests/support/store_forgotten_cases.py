"""What several tests share with those of store forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from relay.core.consent import UNDO_FOR
from relay.model import (
    Author,
    Post,
)
from relay.ports import Mention
from relay.records import Forgotten, Heard, Undone
from relay.store import Store
from relay.testing import NOON
from tests.support.mentioned import mention
from tests.support.store_cases import uri

ILLA = "https://ayllu.example/users/illa"


async def rows(store: Store, table: str) -> str:
    """Everything that a table holds, as text."""
    assert isinstance(store, Store)

    def work(connection: Connection) -> str:
        return "\n".join(map(str, connection.execute(text(f"SELECT * FROM {table}")).all()))  # noqa: S608 - a test's own

    return await store._db.read(work)


async def readable(store: Store, *numbers: int) -> list[int]:
    """Which of these posts stand on a page to be read."""
    pages = {number: await store.get_page_of(uri(number)) for number in numbers}
    return [
        number
        for number, page in pages.items()
        if page and any(isinstance(one, Post) and one.uri == uri(number) for one in page.posts)
    ]


async def ask(store: Store, number: int, by: Author, text: str = "@chasqui stop") -> Mention:
    said = mention(number, text, by=by)
    await store.add_mentions("fake", "chasqui", [Heard(mention=said, urgent=True)], str(number), NOON)
    return said


async def stop(store: Store, by: Author, number: int = 1, now: datetime = NOON) -> Forgotten:
    """The author says so."""
    return await store.save_own_stop("fake", await ask(store, number, by), now, now + UNDO_FOR)


async def undo(store: Store, by: Author, number: int = 2, now: datetime = NOON) -> Undone | None:
    return await store.delete_own_stop("fake", await ask(store, number, by, "@chasqui undo stop"), now)
