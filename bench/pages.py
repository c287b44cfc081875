"""Pages served from the store: how long one takes, and how many a second one core serves.

The floor is aiohttp answering a body of the same size that it holds in memory.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection

import aiohttp
import uvloop
from aiohttp import web

from bench.figures import Figure
from relay.app import clock
from relay.model import Post, PostUri, Published
from relay.ports import Intake, Lease, Store
from relay.store import open_store
from relay.testing import author, rich_post
from relay.web import Web
from relay.web.site import Site

THREADS, LENGTH = 200, 8
PATIENT, BUSY = 400, 4_000
"""Pages that are asked for one by one, and by several at a time."""


def _thread(number: int) -> list[Post]:
    """Eight posts with a picture, a quote and a poll each."""
    posts: list[Post] = []
    for step in range(LENGTH):
        uri = PostUri(f"https://ayllu.example/{number}/{step}")
        above = posts[-1].uri if posts else ""
        posts.append(replace(rich_post(step), uri=uri, url=uri, aliases=(), author=author(), reply_to=above))
    return posts


async def _filled(folder: str) -> Store:
    store = await open_store(f"sqlite:///{folder}/pages.sqlite3")
    now = clock()
    lease = Lease(owner="bench", now=now, until=now)
    for number in range(THREADS):
        events = tuple(map(Published, _thread(number)))
        await store.add_intakes([Intake(feed=None, events=events)], lease)
    return store


def _serve(told: Connection) -> None:
    """The pages, and a plain body as large as one of them, until the other side ends."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = await _filled(folder)
            pages = [await store.get_page_of(f"https://ayllu.example/{number}/0") for number in range(THREADS)]
            slugs = [page.slug for page in pages if page]
            site = Web(store, None, Site())
            await site.start("127.0.0.1", 0)
            async with aiohttp.ClientSession() as session, session.get(f"{site.url}/t/{slugs[0]}") as answer:
                body = await answer.read()
            app = web.Application()

            async def plain(_request: web.Request) -> web.Response:
                return web.Response(body=body, content_type="text/html")

            app.router.add_get("/{name}", plain)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            floor = f"http://127.0.0.1:{runner.addresses[0][1]}"
            told.send(([f"{site.url}/t/{slug}" for slug in slugs], [f"{floor}/{slug}" for slug in slugs], len(body)))
            while True:
                await asyncio.to_thread(told.recv)
                told.send(time.process_time())

    uvloop.run(main())


async def _ask(addresses: Sequence[str], count: int, at_once: int) -> list[float]:
    """Seconds that each answer took; nobody waits for another's connection."""
    spent: list[float] = []
    numbers = iter(range(count))
    # no compression: what packs a page on the way is the library, on both sides alike
    headers = {"Accept-Encoding": "identity"}

    async def reader(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            begun = time.perf_counter()
            async with session.get(addresses[number % len(addresses)]) as answer:
                await answer.read()
            spent.append(time.perf_counter() - begun)

    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(reader(session) for _ in range(at_once)))
    return spent


def measure() -> list[Figure]:
    here, there = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    pages, plain, size = here.recv()
    uvloop.run(_ask(pages, 400, 4))  # visits are noted, templates compiled
    medians = [statistics.median(uvloop.run(_ask(some, PATIENT, 1))) * 1e3 for some in (pages, plain)]
    rates = []
    for some in (pages, plain):
        here.send("time")
        before = here.recv()
        uvloop.run(_ask(some, BUSY, 8))
        here.send("time")
        rates.append(BUSY / (here.recv() - before))
    server.terminate()
    return [
        Figure(
            name=f"a page of {LENGTH} posts ({size / 1e3:.0f} kB) from the store, p50",
            value=medians[0],
            unit="ms",
            target="≤ 5 ms",
            met=medians[0] <= 5,
            floor=medians[1],
            floor_name="ms, aiohttp with the body in memory",
        ),
        Figure(
            name="such pages a second of the server's CPU",
            value=rates[0],
            unit="pages/s",
            target="≥ 500/s",
            met=rates[0] >= 500,
            floor=rates[1],
            floor_name="pages/s, aiohttp with the body in memory",
        ),
    ]
