"""What others take for the same feeds: each peer a program of its own, in an environment of its own.

``reader`` fetches, parses with its copy of feedparser, and stores in SQLite. RSStT cannot be installed beside what it
needs any more; what it does for a feed is written here anew, without its messages: a session for the request, all of
the document by feedparser in a thread, CRC-32 of what names each entry, these in SQLite, the HTML of new entries by
Beautiful Soup with lxml, and a tree of its own made of that.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping

FEEDS = 32

_READER = """
import sys, time
from reader import make_reader
addresses = sys.argv[1:]
reader = make_reader(":memory:")
for address in addresses:
    reader.add_feed(address)
for _ in range(3):
    begun = time.process_time()
    for _ in reader.update_feeds_iter(scheduled=False):
        pass
    spent = (time.process_time() - begun) / len(addresses) * 1e3
print(spent)
"""

_RSSTT = """
import asyncio, io, json, sqlite3, sys, time, warnings, zlib
import aiohttp, feedparser
from bs4 import BeautifulSoup
addresses = sys.argv[1:]
store = sqlite3.connect(":memory:")
store.execute("CREATE TABLE feeds (link PRIMARY KEY, hashes)")

def tree(node):
    return [node.name, node.get("href"), [tree(one) if one.name else str(one) for one in node.children]]

async def poll(address):
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        body = await answer.read()
    read = await asyncio.to_thread(feedparser.parse, io.BytesIO(body), sanitize_html=False)
    row = store.execute("SELECT hashes FROM feeds WHERE link = ?", (address,)).fetchone()
    known = set(json.loads(row[0])) if row else set()
    hashes = {}
    for entry in read.entries:
        name = entry.get("guid") or entry.get("link") or entry.get("title") or entry.get("summary") or ""
        hashes[format(zlib.crc32(name.encode()), "x")] = entry
    for entry in [entry for name, entry in hashes.items() if name not in known]:
        html = entry.content[0].value if "content" in entry else entry.get("summary", "")
        tree(BeautifulSoup(html, "lxml"))
    kept = [*hashes, *(name for name in known if name not in hashes)][: max(len(hashes) * 2, 100)]
    store.execute("REPLACE INTO feeds VALUES (?, ?)", (address, json.dumps(kept)))
    store.commit()

async def main():
    for _ in range(3):
        begun = time.process_time()
        for first in range(0, len(addresses), 16):
            await asyncio.gather(*map(poll, addresses[first : first + 16]))
        spent = (time.process_time() - begun) / len(addresses) * 1e3
    print(spent)

asyncio.run(main())
"""

_asked = 0


def _measured(package: str, variable: str, needs: tuple[str, ...], program: str, url: str, kind: str) -> float:
    """Milliseconds of the processor's time for a feed, in the last of three rounds."""
    from tests.servers.environments import environment  # brings pytest along, which would weigh on all that is measured

    global _asked  # noqa: PLW0603 - each run asks for feeds that nobody has asked for
    python = environment(package, variable) / "bin" / "python"
    imports = "; ".join(f"import {name}" for name in ("feedparser", "aiohttp", "lxml", "bs4", "sgmllib"))
    if subprocess.run([python, "-c", imports], capture_output=True, check=False).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True, capture_output=True)
    addresses = [f"{url}/{kind}/{'x' * (number % 3)}peer{_asked + number:08}" for number in range(FEEDS)]
    _asked += FEEDS
    told = subprocess.run([python, "-c", program, *addresses], capture_output=True, check=True, text=True).stdout
    return float(told)


_NEEDS = ("feedparser", "aiohttp", "lxml", "beautifulsoup4", "sgmllib3k")  # sgmllib: for reader's copy of feedparser


def _reader(url: str, kind: str) -> float:
    return _measured("reader", "RELAY_BENCH_READER", _NEEDS, _READER, url, kind)


def _rsstt(url: str, kind: str) -> float:
    return _measured("reader", "RELAY_BENCH_READER", _NEEDS, _RSSTT, url, kind)


PEERS: Mapping[str, Callable[[str, str], float]] = {"reader": _reader, "RSStT's way": _rsstt}
