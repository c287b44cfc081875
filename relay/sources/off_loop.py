"""Long foreign documents are read in a thread, so that the event loop goes on meanwhile.

A thread gives the interpreter up every few milliseconds; what holds it longer within one call (a parser in C) is
bounded by the limits in :mod:`relay.sources.limits` and :mod:`relay.text.limits`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

SHORT = 20_000
"""Bytes or characters that are read at once, whatever they hold: a few milliseconds."""
_threads = ThreadPoolExecutor(
    2, thread_name_prefix="read"
)  # more of them would only take the interpreter from the loop


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """What ``work`` answers. It is pure, and takes time in proportion to ``size``: bytes or characters."""
    if size <= SHORT:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
