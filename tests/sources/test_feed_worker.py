"""The process that parses: hostile documents cost it, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from datetime import timedelta
from html import escape

import msgspec
import pytest

from relay.sources import feed_process
from relay.sources.feed_changes import find_changes
from relay.sources.feed_document import FeedChanges, FeedDocument, KnownFeed
from relay.sources.feed_parse import MANY
from relay.sources.feed_process import ParsedFeed
from relay.sources.feed_worker import LARGE, MANY_SLOW, TURN, FeedWorker, UnreadError, _taken_up
from tests.support.feed_samples import FEEDS, NOW, URL, rss

GOOD = b"<rss version='2.0'><channel><title>T</title><item><guid>1</guid></item></channel></rss>"
JSON = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 1}%s]}'
# feedparser looks for e-mail addresses in names, in quadratic time, without letting another thread run.
HOSTILE = b"<rss version='2.0'><channel><item><author>" + b"a" * 300_000 + b"</author></item></channel></rss>"


def known(content_type: str = "") -> KnownFeed:
    return KnownFeed(name=URL, feed=URL, url=URL, now=NOW, content_type=content_type)


async def title(worker: FeedWorker, body: bytes) -> str:
    read = await worker.read(body, known())
    return read[0].document.title.text if read else ""


async def test_documents_are_read_in_one_process_that_stays() -> None:
    worker = FeedWorker()
    assert await asyncio.gather(*(title(worker, GOOD) for _ in range(3))) == ["T"] * 3
    first = worker._ordinary._process
    assert await worker.read(b"nothing of the kind", known()) == (
        FeedChanges(document=FeedDocument(truncated=True)),
        [],
    )
    assert worker._ordinary._process is first


async def test_what_arrives_is_what_was_read() -> None:
    worker = FeedWorker()
    for document in (*(path.read_bytes() for path in sorted(FEEDS.iterdir())), JSON % b""):
        assert await worker.read(document, known()) == find_changes(document, known())


async def test_a_document_that_takes_too_long_is_given_up_and_nobody_else_waits() -> None:
    worker = FeedWorker(timedelta(seconds=1))
    await title(worker, GOOD)
    loop = asyncio.get_running_loop()
    begun, ticks = loop.time(), 0
    hostile = asyncio.create_task(worker.read(HOSTILE, known()))
    while not hostile.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert await hostile is None
    assert loop.time() - begun < 30
    assert ticks > 50
    assert await title(worker, GOOD)


async def test_a_document_that_is_slow_goes_on_beside_the_quick_ones_and_so_does_the_next_of_its_feed() -> None:
    worker = FeedWorker(quick=timedelta(seconds=0.2))
    await title(worker, GOOD)
    hostile = asyncio.create_task(worker.read(HOSTILE, known(), "hostile"))
    while worker._slow._process is None:
        await title(worker, GOOD)
    assert not hostile.done()
    quick = worker._ordinary._process
    again = asyncio.create_task(worker.read(HOSTILE, known(), "hostile"))
    for _ in range(3):
        await title(worker, GOOD)
    assert worker._ordinary._process is quick, "what was slow does not begin among the quick ones"
    for task in (hostile, again):
        task.cancel()
    await asyncio.gather(hostile, again, return_exceptions=True)


async def test_a_feed_that_was_quick_does_not_wait_behind_what_nobody_knows() -> None:
    worker = FeedWorker(timedelta(seconds=5))
    await worker.read(GOOD, known(), "good")
    order = list[str]()

    async def read(name: str) -> None:
        await worker.read(GOOD, known(), name)
        order.append(name)

    await asyncio.gather(*(read(name) for name in ("first", "new", "newer", "good")))
    assert order == ["first", "good", "new", "newer"]


async def test_only_the_processors_time_is_counted() -> None:
    """A process that is stopped for longer than its document may take goes on, and the document is read."""
    worker = FeedWorker(timedelta(seconds=0.5))
    await title(worker, GOOD)
    process = worker._ordinary._process
    assert process
    process.send_signal(signal.SIGSTOP)
    reading = asyncio.create_task(worker.read(GOOD, known()))
    await asyncio.sleep(1)
    process.send_signal(signal.SIGCONT)
    assert await reading
    assert worker._ordinary._process is process


async def test_a_process_that_stands_still_is_ended_at_last() -> None:
    worker = FeedWorker(timedelta(seconds=0.1))
    await title(worker, GOOD)
    process = worker._ordinary._process
    assert process
    process.send_signal(signal.SIGSTOP)
    assert await worker.read(GOOD, known()) is None
    assert process.poll() is not None
    assert await title(worker, GOOD)


@pytest.mark.siege
async def test_nobody_waits_for_a_large_document() -> None:
    worker = FeedWorker(timedelta(seconds=1))
    large = asyncio.create_task(worker.read(HOSTILE + b" " * LARGE, known()))
    await asyncio.sleep(0)
    assert await title(worker, GOOD)
    assert not large.done()
    assert await large is None


async def test_six_thousand_entries_are_read() -> None:
    item = "<guid>guid {0}</guid><title>Number {0}</title><description>{1}</description>"
    text = escape("<p>Many words were twisted into one rope.</p>" * 22)
    feed = rss(*[item.format(number, text) for number in range(6_000)]).encode()
    assert len(feed) > 7_500_000
    read = await FeedWorker().read(feed, known("application/rss+xml"))
    assert read
    assert (read[0].document.found, len(read[1])) == (6_000, MANY)
    assert read[0].note == "the feed has 6000 entries; the newest 1000 are read, the first where they have no dates"


async def test_a_cancelled_parse_leaves_no_process_behind() -> None:
    worker = FeedWorker()
    await title(worker, GOOD)
    process = worker._ordinary._process
    parsing = asyncio.create_task(worker.read(HOSTILE, known()))
    await asyncio.sleep(0.05)
    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing
    assert process
    assert process.poll() is not None


async def started(worker: FeedWorker) -> subprocess.Popen[bytes]:
    """The process that has been begun, and has not said yet that it can be asked."""
    async with asyncio.timeout(30):
        while (process := worker._ordinary._process) is None:
            await asyncio.sleep(0)
    return process


async def test_who_is_cancelled_while_a_process_starts_leaves_none_behind() -> None:
    worker = FeedWorker()
    parsing = asyncio.create_task(worker.read(GOOD, known()))
    process = await started(worker)
    parsing.cancel()
    await asyncio.gather(parsing, return_exceptions=True)
    assert process.poll() is not None
    assert await title(worker, GOOD)


async def test_a_process_that_does_not_start_is_no_fault_of_the_document() -> None:
    worker = FeedWorker()
    parsing = asyncio.create_task(worker.read(GOOD, known(), "good"))
    (await started(worker)).kill()
    with pytest.raises(UnreadError):
        await parsing
    assert await worker.read(GOOD, known(), "good")
    assert worker._slow._process is None


async def test_so_many_slow_documents_wait_and_no_more() -> None:
    """Each may have megabytes, and hold a poll: hundreds of them would have all memory, and keep all feeds waiting."""
    worker = FeedWorker(timedelta(seconds=0.5), quick=timedelta(seconds=0.2))
    assert await worker.read(HOSTILE, known(), "slow") is None
    waiting = [asyncio.create_task(worker.read(HOSTILE, known(), "slow")) for _ in range(MANY_SLOW + 1)]
    await asyncio.sleep(0)
    with pytest.raises(UnreadError):
        await worker.read(HOSTILE, known(), "slow")
    assert await title(worker, GOOD)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_process_that_was_killed_is_replaced() -> None:
    worker = FeedWorker()
    await title(worker, GOOD)
    assert worker._ordinary._process
    worker._ordinary._process.kill()
    worker._ordinary._process.wait()
    assert await title(worker, GOOD)


async def test_a_source_that_is_dropped_takes_its_process_along() -> None:
    worker = FeedWorker()
    await title(worker, GOOD)
    process = worker._ordinary._process
    assert process
    del worker
    assert process.returncode is not None


async def test_news_are_taken_up_a_turn_of_the_loop_after_the_other() -> None:
    """However many they are: as many bytes as :data:`TURN` at a time, or one that is longer."""
    texts = [
        "<p>" + "word " * 15_000,
        *(f"<p>{number} {'rope ' * 200}" for number in range(900)),
        "<p>" + "x " * 30_000,
    ]
    feed = rss(*[f"<guid>guid {n}</guid><description>{escape(text)}</description>" for n, text in enumerate(texts)])
    changes, news = find_changes(feed.encode(), known())
    lengths = [len(msgspec.msgpack.encode(one)) for one in news]
    answer = ParsedFeed(changes, lengths)
    taking = asyncio.create_task(_taken_up(answer, b"".join(map(msgspec.msgpack.encode, news))))
    turns = 0
    while not taking.done():
        await asyncio.sleep(0)
        turns += 1
    assert await taking == news
    assert turns >= sum(lengths) // TURN


def test_the_process_ends_with_its_input() -> None:
    """So it outlives nobody, not even who is killed."""
    command = [sys.executable, "-m", feed_process.__name__]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, feed_process.READY, b"")
