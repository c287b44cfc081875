"""The pages, lists and their other forms, byte for byte."""

from __future__ import annotations

import re
from dataclasses import replace

from relay.model import Removed
from relay.options import DeliveryOptions
from relay.testing import author, post, text
from tests.goldens.golden import Names, same, sections
from tests.goldens.kinds import POSTS
from tests.support.digest_cases import subscribe
from tests.support.list_pages import JOIN, thread, visiting
from tests.support.reader import SLUG, page, served
from tests.support.store_cases import publish

FORMS = ("html", "md", "txt", "json")
ANSWERED = (
    post(1),
    Removed(post(2).uri),
    post(3, body=text("The end.")),
    replace(POSTS["everything"], uri=post(4).uri),
)


def _settled(shown: str) -> str:
    """Without the names of the style sheets, and of pages that are made by chance."""
    plain = re.sub(r"style\.css\?v=[0-9a-f]+", "style.css", shown)
    plain = re.sub(r"127\.0\.0\.1:\d+", "relay.example", plain)
    return Names(r"(?<=/t/)[\w-]{19,}", r"(?<=urn:uuid:)[\w-]{36}").settle(plain)


async def test_threads_read_as_they_did() -> None:
    for form in FORMS:
        found = []
        for kind, shown in {**{kind: (one,) for kind, one in POSTS.items()}, "a thread": ANSWERED}.items():
            async with served(page(*shown)) as get:
                answer = await get(f"/t/{SLUG}" + ("" if form == "html" else f".{form}"))
            found.append((f"{kind}: {answer.kind}", answer.text))
        same(f"pages/threads.{form}.txt", _settled(sections(found)))


async def test_a_thread_reads_as_it_did_in_spanish() -> None:
    async with served(page(*ANSWERED)) as get:
        answer = await get(f"/t/{SLUG}", headers={"Accept-Language": "es"})
    same("pages/thread.es.txt", _settled(answer.text))


async def test_lists_read_as_they_did() -> None:
    found = []
    async with visiting(joins=(JOIN,)) as visitor:
        await subscribe(visitor.store, DeliveryOptions())
        await publish(visitor.store, *thread(1), *thread(3, by=replace(author("Sami"))), *thread(5))
        for path in (
            "/",
            "/tag/bridge",
            "/tag/bridge.atom",
            "/tag/bridge.json",
            "/tag/nothing",
            "/privacy",
            "/robots.txt",
            "/nothing",
        ):
            status, shown = await visitor.get(path)
            found.append((f"{path}: {status}", shown))
    same("pages/lists.txt", _settled(sections(found)))
