"""Whatever is done to threads, and by whom: who reads them while that goes on is shown what is there afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import ClientSession, DummyCookieJar
from structlog.testing import capture_logs

from relay.model import Author, Post, Quote, Subscription
from relay.options import DeliveryOptions
from relay.records import Allowance
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from relay.web import Web
from relay.web.site import Site
from tests.support.digest_cases import bring, subscribe
from tests.support.store_cases import at, carry, delete, edit, uri
from tests.support.store_forgotten_cases import stop, undo

ALLOWED = (True, True, None, False)
"""What authors say of lists."""
DEEDS, POSTS = 40, 24


def _author(number: int, allows: bool | None) -> Author:
    return replace(author(f"Author {number % 3}"), discoverable=allows)


class Life:
    """Does one thing after the other, as the dice fall."""

    def __init__(self, store: Store, here: Subscription, seed: int) -> None:
        self.store, self.here = store, here
        self.dice = random.Random(seed)
        self.hours = 0
        self.asked = 100

    async def do(self) -> None:
        self.hours += 1
        self.asked += 1
        number = self.dice.randrange(POSTS)
        deed = self.dice.choice(
            [self.publish] * 5 + [self.edit, self.delete, self.stop, self.undo, self.forget, self.age]
        )
        await deed(number)

    def post(self, number: int) -> Post:
        """A thread of every three authors' posts; it comes in any order."""
        by = _author(number, self.dice.choice(ALLOWED))
        quote = Quote(url=uri(900), author=_author(number + 1, allows=True), body=text(f"Quoted by {number}"))
        return post(
            number,
            author=by,
            tags=("bridge",),
            reply_to=uri(number - 3) if number % 9 > 2 else "",
            quote=quote if number % 4 == 0 else None,
        )

    async def publish(self, number: int) -> None:
        posts = [self.post(each) for each in {number, self.dice.randrange(POSTS)}]
        await bring(self.store, *posts, to=self.here, allowance=Allowance(30, 2))

    async def edit(self, number: int) -> None:
        when = NOON + timedelta(hours=self.hours)
        await edit(self.store, replace(self.post(number), body=text(f"Edited at {when}"), edited=when))

    async def delete(self, number: int) -> None:
        await delete(self.store, uri(number))

    async def stop(self, number: int) -> None:
        await stop(self.store, _author(number, allows=True), self.asked)

    async def undo(self, number: int) -> None:
        await undo(self.store, _author(number, allows=True), self.asked)

    async def forget(self, number: int) -> None:
        if self.dice.random() < 0.5:
            await self.store.save_post_stop(uri(number), NOON, NOON)
            await self.store.save_erased(NOON)
        else:
            await self.store.delete_stop(uri(number), NOON)

    async def age(self, _number: int) -> None:
        """All that was settled by then is forgotten."""
        if self.dice.random() < 0.2:
            await carry(self.store)
            await self.store.delete_old(at(1))


@asynccontextmanager
async def served(store: Store) -> AsyncIterator[Web]:
    web = Web(store, None, Site(public_url="https://relay.example", clock=lambda: NOON))
    await web.start("127.0.0.1", 0)
    try:
        yield web
    finally:
        await web.stop()


async def _paths(store: Store, folds: Collection[str]) -> list[str]:
    pages = [page for number in range(POSTS) if (page := await store.get_page_of(uri(number)))]
    slugs = sorted({page.slug for page in pages})
    paths = [f"/t/{slug}{form}" for slug in slugs for form in ("", ".json")]
    paths += [f"/author/{slug}{form}" for slug in slugs for form in ("", ".atom")]
    return [
        *paths,
        "/",
        "/latest.json",
        "/tag/bridge",
        "/tag/bridge.atom",
        *(f"/fold/{digest}" for digest in sorted(folds)),
    ]


async def _read(session: ClientSession, web: Web, path: str) -> tuple[int, str]:
    async with session.get(web.url + path) as answer:
        return answer.status, await answer.text()


@pytest.mark.siege
@pytest.mark.parametrize("seed", range(3))
async def test_readers_are_always_shown_what_is_there(store_url: str, seed: int) -> None:
    store, elsewhere = await open_store(store_url), await open_store(store_url)
    life = Life(elsewhere, await subscribe(store, DeliveryOptions()), seed)
    paths: list[str] = []
    async with ClientSession(cookie_jar=DummyCookieJar()) as session, served(store) as web:

        async def read_on() -> None:
            while True:
                for path in list(paths) or ["/"]:
                    status, _ = await _read(session, web, path)
                    assert status in (200, 404, 410)

        async def live() -> None:
            folds: set[str] = set()
            for _ in range(DEEDS):
                await life.do()
                folds |= {one.page for one in await carry(elsewhere) if one.digest}
                paths[:] = await _paths(elsewhere, folds)
                async with served(store) as fresh:
                    for path in paths:
                        assert await _read(session, web, path) == await _read(session, fresh, path), path

        with capture_logs() as logs:
            async with asyncio.TaskGroup() as group:  # what fails ends all of them
                readers = [group.create_task(read_on()) for _ in range(3)]
                await group.create_task(live())
                for reader in readers:
                    reader.cancel()
        assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    await store.close()
    await elsewhere.close()
