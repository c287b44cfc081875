"""What several tests share with those of authentic run."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.servers.environments import free_port
from tests.support.relay_runs import database

CONFIG = """\
[relay]
public_url = "http://127.0.0.1:{port}"
[store]
url = "{store}"
[web]
port = {port}
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[outbox]
budget = 0
[sources.mastodon]
instances = [{instances}]
interval = "100ms"
sweep = "300ms"
[adapters.console]
format = "json"
[[subscriptions]]
topic = "{topic}"
to = "console"
"""


def configured(folder: Path, topic: str, *instances: str) -> Path:
    file = folder / "relay.toml"
    named = ", ".join(f'"{instance}"' for instance in instances)
    file.write_text(CONFIG.format(port=free_port(), store=database(folder), instances=named, topic=topic))
    return file


async def text_of(address: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return await answer.text()
