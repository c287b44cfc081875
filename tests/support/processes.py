"""The real `relay run` as a child process."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from relay.store import open_store


def _limit(descriptors: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


PATIENCE = 90.0
"""Seconds for what takes one or two: on a busy machine a start alone takes twenty."""


@dataclass
class RelayProcess:
    """`relay run -c FILE`; its JSON lines are gathered as they come, its log is kept for the failing test."""

    config: Path
    pythonpath: Path | None = None
    verbose: bool = False
    descriptors: int = 0
    """How many it may have; 0: as many as we."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> RelayProcess:
        env = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
        if self.pythonpath:
            env["PYTHONPATH"] = str(self.pythonpath)
        self.running.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "relay.cli",
            "run",
            "-c",
            str(self.config),
            *(["-v"] if self.verbose else []),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=partial(_limit, self.descriptors) if self.descriptors else None,
        )
        self._readers = [asyncio.create_task(self._read_lines()), asyncio.create_task(self._read_log())]
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    async def _read_lines(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            self.lines.append(json.loads(line))
            self.changed.set()

    async def _read_log(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            self.log.append(line.decode())
            if b"the relay runs" in line:
                self.running.set()
        self.running.set()  # it will not come any more

    @property
    def pages(self) -> tuple[str, int]:
        """Where it serves its pages; it must be running."""
        told = [line for line in self.log if "the relay runs" in line][-1]
        url = next(part.removeprefix("pages=") for part in told.split() if part.startswith("pages="))
        host, _, port = url.removeprefix("http://").partition(":")
        return host, int(port)

    async def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()
        await self.ended()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        code = await self._process.wait()
        await asyncio.gather(*self._readers)
        return code

    async def wait_until(self, condition: Any, *, seconds: float = PATIENCE) -> None:
        """Return when ``condition(lines)`` holds; fail with the relay's log otherwise."""
        try:
            async with asyncio.timeout(seconds):
                while not condition(self.lines):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s; lines: {self.lines}; log:\n{''.join(self.log)}") from None

    async def __aenter__(self) -> RelayProcess:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            await self.kill()


async def seeded(store_url: str, feeds: int) -> None:
    """Return when the relay has read each of its feeds once: what is posted now is news."""
    async with asyncio.timeout(PATIENCE):
        store = await open_store(store_url)
        try:
            while sum(state.feed.seeded for state in await store.list_feeds()) < feeds:
                await asyncio.sleep(0.02)
        finally:
            await store.close()
