"""The pages in a real Chromium, judged by axe-core: WCAG 2.2 AA, light and dark, wide and as narrow as it opens."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.model import Poll, PollOption, Quote
from relay.options import DeliveryOptions
from relay.testing import author, post, rich_post, text
from relay.web.pages import style
from relay.web.site import Join
from tests.servers.browser import judged
from tests.support.digest_cases import subscribe
from tests.support.list_pages import thread, visiting
from tests.support.reader import PICTURE
from tests.support.store_cases import delete, publish, uri

pytestmark = pytest.mark.real
JOIN = Join(name="Plaza", url="https://t.me/plaza", about="The village")
POLL = Poll(options=(PollOption(text="Rope", votes=3), PollOption(text="Iron", votes=1)), votes=4)
PAGES = ("/", "/tag/bridge", "thread", "author", "/privacy", "/privacy?lang=es", "/nothing")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 1200), (False, 500)])
@pytest.mark.timeout(120)
async def test_axe_finds_nothing(axe: str, path: str, dark: bool, width: int) -> None:
    async with visiting(joins=(JOIN,), contact="you@example.org") as visitor:
        await subscribe(visitor.store, DeliveryOptions())
        quote = Quote(url=post(90).url, author=author("Sami"), body=text("Older."))
        whole = (
            *thread(1, media=(PICTURE, replace(PICTURE, alt="")), language="es"),
            replace(rich_post(3), reply_to=uri(2)),
            post(4, reply_to=uri(3)),
            post(5, reply_to=uri(4), quote=quote, poll=POLL, sensitive=True, media=(PICTURE,)),
            post(9, reply_to=uri(1), body=text("Beside it.")),
        )
        await publish(visitor.store, *whole, *thread(20), *thread(22, by=replace(author("Killa"), refuses=True)))
        await delete(visitor.store, uri(4))
        slug = await visitor.slug(1)
        where = {"thread": f"/t/{slug}", "author": f"/author/{slug}"}.get(path, path)
        _, page = await visitor.get(where)
    told = await asyncio.to_thread(judged, page, style(), axe, dark=dark, width=width)
    assert told["found"] == []
    assert told["passed"] > 5
    assert told["dark"] is dark
    assert told["width"] <= width  # nothing is to be scrolled sideways
