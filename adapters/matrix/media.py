"""Pictures brought from the web to the homeserver, each content once."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from adapters.matrix import pictures
from adapters.matrix.api import Failed
from adapters.matrix.content import Uploaded
from adapters.matrix.pictures import Ready, Unfit
from relay.http import HttpResponse
from relay.model import Media

if TYPE_CHECKING:
    from relay.http import Http
    from relay.plugins import PluginStorage

__all__ = ["Pictures", "Unfit", "Uploaded"]

KEEP = timedelta(days=90)
"""How long it is known that a content was uploaded."""
FRESH = timedelta(hours=1)
"""For how long what was found behind an address is not looked for again."""
ADDRESSES = 500
LONGEST = timedelta(seconds=30)
"""For making one picture ready; an ordinary one takes a fifth of a second."""
_ACCEPT = {"Accept": "image/jpeg, image/png, image/webp, image/gif, image/*;q=0.5"}

Found = Uploaded | Unfit | Failed
T = TypeVar("T")


class Pictures:
    """Fetches pictures, makes them ready one at a time, and uploads what the homeserver does not have yet.

    ``upload`` takes the bytes, their type and a file's name, and answers an ``mxc:`` address; ``limit`` answers how
    many bytes the homeserver takes; ``home`` is what that is called: another one knows nothing of its files. Who asks
    for what is on its way waits for that; failures are not remembered.
    """

    def __init__(
        self,
        http: Http,
        notes: PluginStorage,
        upload: Callable[[bytes, str, str], Awaitable[str | Failed]],
        limit: Callable[[], Awaitable[int]],
        *,
        home: str = "",
        clock: Callable[[], float] = time.monotonic,
        longest: timedelta = LONGEST,
    ) -> None:
        self._http, self._notes, self._upload, self._limit = http, notes, upload, limit
        self._clock, self._longest, self._home = clock, longest, home
        self._turn = asyncio.Semaphore(1)
        self._known: OrderedDict[str, tuple[float, Uploaded]] = OrderedDict()
        self._coming: dict[str, asyncio.Task[Found]] = {}
        self._uploading: dict[str, asyncio.Task[str | Failed]] = {}

    async def uploaded(self, media: Media) -> Found:
        """The media's picture on the homeserver: itself, or the still that stands for what is none, or too large."""
        found: Found = Unfit("there is no picture of it")
        for url in dict.fromkeys(one for one in (media.picture, media.preview) if one):
            known = self._remembered(url)
            found = await _shared(self._coming, url, partial(self._bring, url)) if known is None else known
            if not isinstance(found, Unfit):
                break
        return found

    async def close(self) -> None:
        """End what is under way; who waits for it is cancelled."""
        tasks = [*self._coming.values(), *self._uploading.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _remembered(self, url: str) -> Uploaded | None:
        until, found = self._known.get(url, (0.0, None))
        if found is None or until <= self._clock():
            return None
        self._known.move_to_end(url)
        return found

    async def _bring(self, url: str) -> Found:
        reply = await self._http.get(url, headers=_ACCEPT)
        if not isinstance(reply, HttpResponse):
            return Unfit(reply.reason)
        if reply.status != 200:
            return Unfit(f"the picture's server answered {reply.status}")
        ready = await self._prepare(reply.body)
        if isinstance(ready, Unfit):
            return ready
        address = await _shared(self._uploading, ready.digest, lambda: self._place(ready))
        if isinstance(address, Failed):
            return address
        found = _uploaded(ready, address)
        self._remember(url, found)
        return found

    def _remember(self, url: str, found: Uploaded) -> None:
        self._known[url] = self._clock() + FRESH.total_seconds(), found
        self._known.move_to_end(url)
        if len(self._known) > ADDRESSES:
            self._known.popitem(last=False)

    async def _prepare(self, body: bytes) -> Ready | Unfit:
        limit = await self._limit()
        async with self._turn:
            return await _prepared_apart(body, limit, self._longest)

    async def _place(self, ready: Ready) -> str | Failed:
        key = f"mxc/{self._home}/{ready.digest}"
        if known := await self._notes.get(key):
            return known
        address = await self._upload(ready.data, ready.mime, _name(ready))
        if not isinstance(address, Failed):
            await self._notes.save(key, address, KEEP)
        return address


def _name(ready: Ready) -> str:
    return f"picture.{ready.extension}"


def _uploaded(ready: Ready, address: str) -> Uploaded:
    return Uploaded(
        url=address,
        mime=ready.mime,
        size=len(ready.data),
        width=ready.width,
        height=ready.height,
        name=_name(ready),
    )


async def _shared(running: dict[str, asyncio.Task[T]], key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Wait for the work that runs under ``key``, begun now where there is none. Who is cancelled only stops waiting."""
    task = running.get(key)
    if task is None:
        task = running[key] = asyncio.create_task(work(), name=f"picture {key}")
        task.add_done_callback(lambda _: running.pop(key))
    return await asyncio.shield(task)


async def _prepared_apart(body: bytes, limit: int, longest: timedelta) -> Ready | Unfit:
    """As :func:`pictures.prepared`, in a process that ends with its memory, its time and whatever goes wrong in it."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", pictures.__file__, str(limit)),  # the file alone: its package would load the whole adapter
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the relay
        )
    except OSError as error:
        return Unfit(f"the picture cannot be decoded now: {error.strerror}")
    try:
        async with asyncio.timeout(longest.total_seconds()):
            answer, _ = await process.communicate(body)
    except TimeoutError:
        answer = b""
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return pictures.heard(answer)
