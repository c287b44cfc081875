"""What several tests share with those of lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import ClientSession, DummyCookieJar
from selectolax.lexbor import LexborHTMLParser

from relay.model import Author, Post
from relay.options import DeliveryOptions
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from relay.web import Web
from relay.web.site import Join, Site
from tests.support.digest_cases import subscribe
from tests.support.store_cases import uri

JOIN = Join(name="Plaza", url="https://t.me/plaza", about="The village")


def thread(first: int, *, by: Author | None = None, **said: object) -> tuple[Post, Post]:
    who = by or author()
    return (
        post(first, author=who, tags=("bridge",), body=text(f"Thread {first}"), **said),
        post(first + 1, author=who, reply_to=uri(first)),
    )


class Visitor:
    """Reads pages of a relay over a real store; ``day`` is how many days have gone by."""

    web: Web
    session: ClientSession
    headers: Mapping[str, str]

    def __init__(self, store: Store) -> None:
        self.store = store
        self.day = 0.0

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.web.url + path, allow_redirects=False) as answer:
            self.headers = answer.headers
            return answer.status, await answer.text()

    async def data(self, path: str) -> bytes:
        async with self.session.get(self.web.url + path) as answer:
            data: bytes = await answer.read()
        return data

    async def tree(self, path: str) -> LexborHTMLParser:
        status, page = await self.get(path)
        assert status == 200, page
        return LexborHTMLParser(page)

    async def slug(self, number: int) -> str:
        page = await self.store.get_page_of(uri(number))
        assert page
        return page.slug


@asynccontextmanager
async def visiting(**said: object) -> AsyncIterator[Visitor]:
    store = await open_store("sqlite://")
    await subscribe(store, DeliveryOptions())  # of a configuration, and so no secret
    visitor = Visitor(store)
    site = Site(name="Chaski Wasi", clock=lambda: NOON + timedelta(days=visitor.day), **said)  # type: ignore[arg-type]  # named by the test
    visitor.web = Web(store, None, site)
    await visitor.web.start("127.0.0.1", 0)
    try:
        async with ClientSession(cookie_jar=DummyCookieJar()) as visitor.session:
            yield visitor
    finally:
        await visitor.web.stop()
        await store.close()
