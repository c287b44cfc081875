"""What several tests share with those of telegram run."""

from __future__ import annotations

from pathlib import Path

from tests.servers.telegram import Chat, Person, TelegramServer, Topic, text_of
from tests.support.discord_run_cases import Network
from tests.support.relay_runs import database

CONFIG = """\
[relay]
public_url = "https://relay.example"
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.mastodon]
instances = ["{instance}"]
interval = "100ms"
sweep = "300ms"
[adapters.telegram]
token = "{token}"
api_url = "{api}"
"""


def configured(folder: Path, network: Network, server: TelegramServer) -> Path:
    file = folder / "relay.toml"
    file.write_text(
        CONFIG.format(store=database(folder), instance=network.instance, token=server.token, api=server.api_url)
    )
    return file


async def told(server: TelegramServer, chat: Chat, who: Person, line: str, *, topic: Topic | None = None) -> str:
    """What the relay answers to a line that somebody wrote."""
    before = len(server.sent(chat, topic))
    await server.say(chat, who, line, topic=topic)
    await server.wait_until(lambda: len(server.sent(chat, topic)) > before)
    return text_of(server.sent(chat, topic)[-1])
