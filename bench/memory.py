"""What an idle relay holds: `relay run` with a hashtag and a feed, no chat platform's library; the floor is aiohttp."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.feeds import new_database, serve
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


FEEDS = 500
POLLING = """\
[store]
url = "sqlite:///{folder}/polling.sqlite3"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.rss]
interval = "10s"
"""


def resident(pid: int) -> float:
    """Megabytes of resident memory (Linux: VmRSS of proc(5))."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def _shares(pid: int) -> float:
    """Megabytes of a process and of those that it started: of what they share, each one's part (smaps_rollup, PSS)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return sum(_kilobytes(Path(f"/proc/{one}/smaps_rollup"), "Pss:") for one in (pid, *children)) / 1024


def _kilobytes(table: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in table.read_text().splitlines() if line.startswith(name))


def _measure(command: list[str], seconds: float, weigh: Callable[[int], float] = resident) -> float:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        return weigh(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _polling(folder: str) -> float:
    """A relay that polls feeds, of which some change at every answer, with its process that reads them."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = here.recv()
    kinds = ("same", "plain", "one")
    topics = (f"{url}/{kinds[number % 3]}/{'x' * (number % 3)}ours{number:07}" for number in range(FEEDS))
    wanted = "".join(f'[[subscriptions]]\ntopic = "{topic}"\nto = "console"\n' for topic in topics)
    new_database(f"sqlite:///{folder}/polling.sqlite3")
    config = Path(folder) / "polling.toml"
    config.write_text(POLLING.format(folder=folder) + wanted)
    try:
        return _measure([sys.executable, "-m", "relay.cli", "run", "-c", str(config)], 60, _shares)
    finally:
        server.terminate()
        server.join()


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "relay.toml"
        config.write_text(CONFIG.format(folder=folder))
        relay = [sys.executable, "-m", "relay.cli", "run", "-c", str(config)]
        # a start that makes the tables takes megabytes more; how an idle relay stands is how it starts from then on
        new_database(f"sqlite:///{folder}/relay.sqlite3")
        value = _measure(relay, 12)
        polling = _polling(folder)
    program = [sys.executable, "-c", "import aiohttp, time; time.sleep(10)"]
    floor, part = _measure(program, 2), _measure(program, 2, _shares)
    return [
        Figure(
            name="an idle relay, resident",
            value=value,
            unit="MB",
            target="≤ 80 MB",
            met=value <= 80,
            floor=floor,
            floor_name="MB, Python with aiohttp imported",
        ),
        Figure(
            name=f"a relay that polls {FEEDS} feeds, a third of them changing, with its process that reads them",
            value=polling,
            unit="MB PSS",
            target="≤ 80 MB",
            met=polling <= 80,
            floor=part,
            floor_name="MB PSS, Python with aiohttp imported",
        ),
    ]
