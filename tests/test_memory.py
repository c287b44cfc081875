"""What a relay and its process that reads feeds do not load until they need it: each is megabytes of memory."""

import subprocess
import sys
from pathlib import Path

CONFIG = """\
[store]
url = "{url}"
[web]
port = 0
[sources.mastodon]
instances = ["https://127.0.0.1:9"]
[sources.rss]
[[subscriptions]]
topic = "#bridge"
to = "console"
"""
RUN = """\
import asyncio, pathlib, sys
import relay.cli
from relay.app import open_app
from relay.config import load

async def main():
    async with open_app(load(pathlib.Path(sys.argv[1]), env={})) as app:
        stop = asyncio.Event()
        running = asyncio.create_task(app.run(stop))
        await app.ingest.ready.wait()
        stop.set()
        await running

asyncio.run(main())
print(*sys.modules)
"""
READ = """\
import sys
from relay.sources import feed_process
feed_process.main()
print(*sys.modules)
"""
OF_NO_USE_AT_REST = {
    *("alembic", "mako", "pygments", "rich", "jinja2", "pydantic_settings", "dotenv", "xml.etree.ElementTree"),
    *("regex", "re2", "statistics", "feedparser", "relay.sources.feed_changes", "relay.sources.bluesky"),
    *("discord", "telegram", "mautrix", "PIL", "psycopg", "psycopg_pool", "relay.demo", "relay.inspect"),
    *("adapters.discord", "adapters.telegram", "adapters.matrix", "sqlalchemy.orm", "sqlalchemy.ext.asyncio"),
}
OF_NO_USE_TO_FEEDS = {
    *("asyncio", "aiohttp", "sqlalchemy", "pydantic", "structlog", "jinja2", "typer", "relay.app", "relay.http"),
    *("ssl", "socket", "http.client", "email.message", "tempfile", "zipfile", "multiprocessing"),
}


def loaded(code: str, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_a_relay_at_rest_loads_what_it_uses(tmp_path: Path, sqlite_url: str) -> None:
    config = tmp_path / "relay.toml"
    config.write_text(CONFIG.format(url=sqlite_url))
    modules = loaded(RUN, str(config))
    assert "relay.sources.mastodon" in modules
    assert not OF_NO_USE_AT_REST & modules


def test_the_process_that_reads_feeds_loads_nothing_that_fetches() -> None:
    modules = loaded(READ)
    assert "relay.sources.feed_parser" in modules
    assert not OF_NO_USE_TO_FEEDS & modules
