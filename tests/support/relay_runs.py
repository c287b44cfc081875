"""What several tests share with those of relay run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.servers.mastodon import Mastodon, Person

JOINED = datetime(2026, 1, 1, tzinfo=UTC)


ILLA = Person(username="illa", name="Illa", note="Writes of bridges.", joined=JOINED)


SAMI = Person(username="sami", name="Sami", note="Grows potatoes.", joined=JOINED)


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
lease = "2s"
timeout = "1s"
[sources.mastodon]
instances = ["{stage}"]
interval = "100ms"
sweep = "300ms"
[sources.rss]
interval = "100ms"
[adapters.console]
format = "json"
[[subscriptions]]
topic = "#bridge"
to = "console"
[[subscriptions]]
topic = "#harvest"
to = "console"
[[subscriptions]]
topic = "{stage}/feed.xml"
to = "console"
"""


def database(folder: Path) -> str:
    return f"sqlite:///{folder}/relay.sqlite3"


def configured(folder: Path, stage: Mastodon, extra: str = "") -> Path:
    file = folder / "relay.toml"
    file.write_text(CONFIG.format(store=database(folder), stage=stage.url) + extra)
    return file


def actions(lines: list[dict[str, Any]], action: str) -> list[str]:
    return [line["uri"] for line in lines if line["action"] == action]
