"""What a partial index is for is found by it, whatever values a statement is given: counted by the database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from relay.store import Store, batch, pages, stops
from relay.testing import post
from tests.support.store_cases import cost_of, publish

ROWS = 300
ASKED: dict[str, tuple[str, Callable[[Connection], object]]] = {
    "posts that have a page": ("posts", lambda open_: batch._PAGES(open_, pages=["none"])),
    "the thread that is to be stopped": (
        "posts",
        lambda open_: open_.execute(stops._OF_POST, {"keys": ["none"], "refs": ["none"]}).all(),
    ),
    "the post of a page": ("posts", lambda open_: open_.execute(pages._OF_PAGE, {"page": "none"}).all()),
}


@pytest.mark.parametrize("asked", ASKED)
async def test_what_is_not_in_the_index_is_not_read(store: Store, asked: str) -> None:
    assert isinstance(store, Store)
    await publish(store, *(post(number) for number in range(ROWS)))
    table, work = ASKED[asked]
    assert await store._db.look_up(cost_of, table, work) < ROWS // 2
