"""What a running relay does besides: looks after its memory and its database's file."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from contextlib import suppress
from datetime import timedelta

from relay.log import get_logger
from relay.ports import Store, StoreError, StoreLostError

log = get_logger(__name__)

WATCH_EVERY = timedelta(seconds=5)


async def watch_store(store: Store) -> None:
    """Raise :class:`StoreLostError` when the database's file is gone; the loops would wait for it for ever."""
    while True:
        await asyncio.sleep(WATCH_EVERY.total_seconds())
        try:
            await store.get_next_due(())
        except StoreLostError as error:
            log.error("the database is lost, and the relay stops", reason=str(error))  # noqa: TRY400 - no bug of ours
            raise
        except StoreError:
            pass  # the loops tell of it


async def give_back_memory() -> None:
    """Hand back what starting up took and nobody needs any more: some megabytes, where the C library keeps them."""
    await asyncio.sleep(2)
    gc.collect()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
