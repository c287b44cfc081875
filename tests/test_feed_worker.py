"""The process that parses: hostile documents cost it, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from datetime import timedelta
from html import escape

import pytest

from relay.sources import feed_process
from relay.sources.feed_json import parse_json
from relay.sources.feed_parse import MANY, Document, parse
from relay.sources.feed_posts import note, read_items, setting_of
from relay.sources.feed_worker import LARGE, FeedWorker, items_of
from tests.feed_samples import NOW, URL, rss

GOOD = b"<rss version='2.0'><channel><title>T</title><item><guid>1</guid></item></channel></rss>"
JSON = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 1}%s]}'
# feedparser looks for e-mail addresses in names, in quadratic time, without letting another thread run.
HOSTILE = b"<rss version='2.0'><channel><item><author>" + b"a" * 300_000 + b"</author></item></channel></rss>"


async def test_documents_are_parsed_in_one_process_that_stays() -> None:
    worker = FeedWorker()
    documents = await asyncio.gather(*(worker.parse(GOOD, "application/rss+xml") for _ in range(3)))
    first = worker._ordinary._process
    assert [document and document.title.text for document in documents] == ["T"] * 3
    assert await worker.parse(b"nothing of the kind", "") == Document(truncated=True)
    assert worker._ordinary._process is first


async def test_a_small_json_feed_is_read_at_once_and_any_other_document_in_the_process() -> None:
    worker = FeedWorker()
    small, large, many = JSON % b"", JSON % (b', "' + b"a" * 300_000 + b'"'), JSON % (b',{"id": 2}' * 1_000)
    assert await worker.parse(small, "") == parse_json(small)
    assert worker._ordinary._process is None
    for body in (large, many):
        worker = FeedWorker()
        assert await worker.parse(body, "") == parse_json(body)
        assert worker._ordinary._process


async def test_a_document_that_takes_too_long_is_given_up_and_nobody_else_waits() -> None:
    worker = FeedWorker(timedelta(seconds=1))
    await worker.parse(GOOD, "")
    loop = asyncio.get_running_loop()
    begun, ticks = loop.time(), 0
    hostile = asyncio.create_task(worker.parse(HOSTILE, ""))
    while not hostile.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert await hostile is None
    assert loop.time() - begun < 30
    assert ticks > 50
    assert await worker.parse(GOOD, "")


async def test_only_the_processors_time_is_counted() -> None:
    """A process that is stopped for longer than its document may take goes on, and the document is read."""
    worker = FeedWorker(timedelta(seconds=0.5))
    await worker.parse(GOOD, "")
    process = worker._ordinary._process
    assert process
    process.send_signal(signal.SIGSTOP)
    reading = asyncio.create_task(worker.parse(GOOD, ""))
    await asyncio.sleep(1)
    process.send_signal(signal.SIGCONT)
    assert await reading
    assert worker._ordinary._process is process


async def test_a_process_that_stands_still_is_ended_at_last() -> None:
    worker = FeedWorker(timedelta(seconds=0.1))
    await worker.parse(GOOD, "")
    process = worker._ordinary._process
    assert process
    process.send_signal(signal.SIGSTOP)
    assert await worker.parse(GOOD, "") is None
    assert process.poll() is not None
    assert await worker.parse(GOOD, "")


async def test_nobody_waits_for_a_large_document() -> None:
    worker = FeedWorker(timedelta(seconds=1))
    large = asyncio.create_task(worker.parse(HOSTILE + b" " * LARGE, ""))
    await asyncio.sleep(0)
    assert await worker.parse(GOOD, "")
    assert not large.done()
    assert await large is None


async def test_six_thousand_entries_are_read() -> None:
    item = "<guid>guid {0}</guid><title>Number {0}</title><description>{1}</description>"
    text = escape("<p>Many words were twisted into one rope.</p>" * 22)
    feed = rss(*[item.format(number, text) for number in range(6_000)]).encode()
    assert len(feed) > 7_500_000
    document = await FeedWorker().parse(feed, "application/rss+xml")
    assert document
    assert (document.found, len(document.entries)) == (6_000, MANY)
    assert note(document) == "the feed has 6000 entries; the newest 1000 are read, the first where they have no dates"


async def test_a_cancelled_parse_leaves_no_process_behind() -> None:
    worker = FeedWorker()
    await worker.parse(GOOD, "")
    process = worker._ordinary._process
    parsing = asyncio.create_task(worker.parse(HOSTILE, ""))
    await asyncio.sleep(0.05)
    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing
    assert process
    assert process.poll() is not None


async def test_a_process_that_was_killed_is_replaced() -> None:
    worker = FeedWorker()
    await worker.parse(GOOD, "")
    assert worker._ordinary._process
    worker._ordinary._process.kill()
    worker._ordinary._process.wait()
    assert await worker.parse(GOOD, "")


async def test_a_source_that_is_dropped_takes_its_process_along() -> None:
    worker = FeedWorker()
    await worker.parse(GOOD, "")
    process = worker._ordinary._process
    assert process
    del worker
    assert process.returncode is not None


async def test_entries_become_posts_while_others_go_on() -> None:
    long = "<p>" + "word " * 5_000
    texts = [long if number == 50 else f"<p>{number}" for number in range(400)]
    feed = rss(*[f"<guid>guid {n}</guid><description>{escape(text)}</description>" for n, text in enumerate(texts)])
    document = parse(feed.encode())
    setting = setting_of(document, address=URL, url=URL, now=NOW)
    reading, ticks = asyncio.create_task(items_of(document, setting)), 0
    while not reading.done():
        await asyncio.sleep(0)
        ticks += 1
    assert await reading == read_items(document, setting)
    assert ticks > 3


def test_the_process_ends_with_its_input() -> None:
    """So it outlives nobody, not even who is killed."""
    command = [sys.executable, "-m", feed_process.__name__]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
