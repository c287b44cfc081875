"""What an idle relay holds: `relay run` with a hashtag and a feed, no chat platform's library; the floor is aiohttp."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure

CONFIG = """\
[store]
url = "sqlite:///{folder}/relay.sqlite3"
[web]
port = 0
[sources.mastodon]
instances = ["https://127.0.0.1:9"]
[sources.rss]
[[subscriptions]]
topic = "#bridge"
to = "console"
[[subscriptions]]
topic = "https://127.0.0.1:9/feed"
to = "console"
"""


def _resident(pid: int) -> float:
    """Megabytes of resident memory (Linux: VmRSS of proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def _measure(command: list[str], seconds: float) -> float:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        return _resident(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "relay.toml"
        config.write_text(CONFIG.format(folder=folder))
        relay = [sys.executable, "-m", "relay.cli", "run", "-c", str(config)]
        _measure(relay, 8)  # the first start makes the tables; how an idle relay stands is how it starts from then on
        value = _measure(relay, 12)
    floor = _measure([sys.executable, "-c", "import aiohttp, time; time.sleep(10)"], 2)
    return [
        Figure(
            name="an idle relay, resident",
            value=value,
            unit="MB",
            target="≤ 80 MB",
            met=value <= 80,
            floor=floor,
            floor_name="MB, Python with aiohttp imported",
        )
    ]
