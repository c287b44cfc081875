"""The real `relay run` on feeds of one host: none of them edits, replaces or hides what another one says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.servers.feeds import FeedServer
from tests.servers.mastodon import Draft, Mastodon
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database

CONFIG = """\
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[outbox]
budget = 0
[sources.rss]
interval = "100ms"
[adapters.console]
format = "json"
"""
FOLLOWED = """
[[subscriptions]]
topic = "{topic}"
to = "console"
mode = "posts"
"""
GUID = "https://files.example/2026/the-bridge"


def configured(folder: Path, *topics: str) -> Path:
    file = folder / "relay.toml"
    file.write_text(CONFIG.format(store=database(folder)) + "".join(FOLLOWED.format(topic=topic) for topic in topics))
    return file


def feed(title: str, *entries: tuple[str, str, datetime]) -> str:
    """A document with entries of these guids, words and dates, all at one page."""
    items = "".join(
        f"<item><guid isPermaLink='false'>{guid}</guid><link>https://files.example/bridge</link>"
        f"<title>{words}</title><pubDate>{format_datetime(date)}</pubDate></item>"
        for guid, words, date in entries
    )
    return f"<rss version='2.0'><channel><title>{title}</title>{items}</channel></rss>"


@pytest.mark.siege
@pytest.mark.timeout(90)
@pytest.mark.parametrize("first", ["illa", "thief"])
@pytest.mark.parametrize(
    "later", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)], ids=["before", "same", "after"]
)
async def test_a_guid_of_another_feed_at_the_same_host_is_nobodys_but_its_own(
    tmp_path: Path, first: str, later: timedelta
) -> None:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    old = ("urn:old:entry:1", "Long ago", now - timedelta(days=9))
    said = {
        "illa": feed("Illa", (GUID, "The bridge stands.", now), old),
        "thief": feed("Thief", (GUID, "The bridge fell.", now + later), old),
    }
    async with FeedServer() as server:
        topics = [server.put(f"/~{who}/feed.xml", feed(who, old)) for who in said]
        async with RelayProcess(configured(tmp_path, *topics)) as relay:
            await seeded(database(tmp_path), 2)
            for number, who in enumerate(sorted(said, key=lambda who: who != first), 1):
                server.put(f"/~{who}/feed.xml", said[who])
                await relay.wait_until(lambda lines, number=number: len(lines) == number)
            server.put("/~thief/feed.xml", feed("Thief", (GUID, "It never stood.", now + later), old))
            await relay.wait_until(lambda lines: len(lines) == 3)
            server.put("/~thief/feed.xml", feed("Thief"))
            server.put("/~illa/feed.xml", feed("Illa", (GUID, "The bridge stands, still.", now), old))
            await relay.wait_until(lambda lines: len(lines) == 4)
            assert await relay.stop() == 0
    told = [(line["action"], line["author"]["name"], line["title"]) for line in relay.lines]
    sends = [("send", "Illa", "The bridge stands."), ("send", "Thief", "The bridge fell.")]
    assert sorted(told[:2]) == sends
    assert told[2:] == [("edit", "Thief", "It never stood."), ("edit", "Illa", "The bridge stands, still.")]
    uris = {line["author"]["name"]: line["uri"] for line in relay.lines[:2]}
    assert [line["uri"] for line in relay.lines[2:]] == [uris["Thief"], uris["Illa"]]


NETWORKS = """
[sources.mastodon]
instances = ["{stage}"]
interval = "100ms"
sweep = "300ms"
"""


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_a_feed_that_leads_to_a_post_elsewhere_neither_speaks_as_its_author_nor_hides_her(tmp_path: Path) -> None:
    """Whether it repeats her words or puts others there; and what it takes back later is its own alone."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with Mastodon([ILLA]) as stage, FeedServer() as server:
        address = server.put("/feed.xml", feed("Illa", ("urn:old:entry:1", "Long ago", now - timedelta(days=9))))
        config = configured(tmp_path, "#bridge", address)
        config.write_text(config.read_text() + NETWORKS.format(stage=stage.url))
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 2)
            stage.post(Draft(author="illa", text="It stands. #bridge", name="p1"))
            await relay.wait_until(lambda lines: len(lines) == 1)
            toot = relay.lines[0]["url"]
            entry = f"<guid isPermaLink='false'>{toot}</guid><link>{toot}</link><description>It fell.</description>"
            server.put(
                "/feed.xml", f"<rss version='2.0'><channel><title>Illa</title><item>{entry}</item></channel></rss>"
            )
            await relay.wait_until(lambda lines: len(lines) == 2)
            server.put("/feed.xml", feed("Illa", (toot, "It never stood.", now)))
            await relay.wait_until(lambda lines: len(lines) == 3)
            stage.edit("p1", "It stands, still. #bridge")
            await relay.wait_until(lambda lines: len(lines) == 4)
            stage.delete("p1")
            await relay.wait_until(lambda lines: len(lines) == 5)
            assert await relay.stop() == 0
    hers, theirs = relay.lines[0], relay.lines[1]
    assert [(line["action"], line["uri"]) for line in relay.lines] == [
        ("send", hers["uri"]),
        ("send", theirs["uri"]),
        ("edit", theirs["uri"]),
        ("edit", hers["uri"]),
        ("delete", hers["uri"]),
    ]
    assert (theirs["text"], theirs["author"]["handle"], theirs["author"]["url"]) == ("It fell.", "", "")
    assert relay.lines[3]["text"].startswith("It stands, still.")
