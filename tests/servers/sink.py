"""A chat platform reduced to its memory: takes deliveries over HTTP and knows which of them it has seen."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from aiohttp import web

from tests.servers import sink_adapter


@dataclass(frozen=True)
class Arrival:
    id: str
    action: str
    destination: str
    uri: str
    words: str = ""
    under: str = ""


@dataclass
class Sink:
    """``steady`` destinations honour the delivery's id; at ``plain`` ones every request is a message."""

    slowest: float = 0.0
    """Seconds an answer takes at most; a window in which the sender can be killed."""
    messages: list[Arrival] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __aenter__(self) -> Sink:
        app = web.Application()
        app.router.add_post("/deliver", self._deliver)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _deliver(self, request: web.Request) -> web.Response:
        arrival = Arrival(**await request.json())
        known = arrival.destination.startswith("steady") and arrival in self.messages
        if not known:
            self.messages.append(arrival)
            self.changed.set()
        if self.slowest:
            await asyncio.sleep(random.uniform(0, self.slowest))
        return web.Response(text=f"m{self.messages.index(arrival)}")

    def sent(self, destination: str) -> list[str]:
        """The uris of the sends at one destination, in the order of arrival, repeats and all."""
        return [m.uri for m in self.messages if m.destination == destination and m.action == "send"]

    def repeats(self, destination: str) -> int:
        return sum(count - 1 for count in Counter(self.sent(destination)).values())

    async def wait_until_holds(self, destination: str, uris: set[str], *, seconds: float) -> None:
        """Return when every one of ``uris`` was sent there; ``TimeoutError`` after ``seconds``."""
        async with asyncio.timeout(seconds):
            while not uris <= set(self.sent(destination)):
                self.changed.clear()
                await self.changed.wait()

    async def wait_for_words(self, *words: str, seconds: float = 20) -> None:
        """Return when a message has all of these words in it."""
        async with asyncio.timeout(seconds):
            while not any(all(part in one.words for part in words) for one in self.messages):
                self.changed.clear()
                await self.changed.wait()


def install_adapter(folder: Path) -> Path:
    """Make its adapters installed plugins for whoever has the returned folder on its PYTHONPATH."""
    shutil.copy(Path(sink_adapter.__file__), folder / "sink_adapter.py")
    info = folder / "sink_adapter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sink-adapter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[relay.adapters]\nsteady = sink_adapter:steady\nplain = sink_adapter:plain\nfixed = sink_adapter:fixed\n"
    )
    return folder
