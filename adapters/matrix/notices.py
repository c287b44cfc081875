"""What the relay says for itself in a room: notices, each with a transaction of its own, so that it is said once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.calls import MatrixCalls
from adapters.matrix.content import in_thread, text_content
from adapters.matrix.message_text import MatrixText
from adapters.matrix.outcomes import UNRELATED, says


class MatrixVoice:
    """Speaks for one account, at once: somebody waits for it."""

    def __init__(self, api: MatrixApi, calls: MatrixCalls) -> None:
        self._api, self._calls = api, calls

    async def say(self, room: str, transaction: str, parts: Iterable[MatrixText], *, root: str = "") -> bool:
        """Post the parts one after the other, in the thread below ``root`` if there is one. Whether all were taken."""
        for number, part in enumerate(parts, 1):
            came = await self._put(room, f"{transaction}-{number}", part, root)
            if root and says(came, UNRELATED):
                root = ""  # what it answers was taken back, or is no place for a thread
                came = await self._put(room, f"{transaction}-{number}-alone", part, root)
            if isinstance(came, Failed):
                return False
        return True

    async def _put(self, room: str, transaction: str, part: MatrixText, root: str) -> str | Failed:
        content = text_content(part, notify=False)
        content = in_thread(content, root) if root else content
        return await self._calls.at_once(room, lambda: self._api.send(room, transaction, content))


def mark(name: str) -> str:
    """A name of any length as one that fits into a transaction's."""
    return hashlib.sha256(name.encode()).hexdigest()[:20]
