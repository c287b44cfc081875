"""A session that outlives a restart, in a file that only its owner may read.

It is written where the operator says, and nowhere else: what is in it opens the account until it runs out (a refresh
token lives for about two months), so it has no place in a database that several relays share.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from relay import private_files
from relay.log import get_logger

log = get_logger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """The tokens of a session, whose they are, and the account's own server."""

    handle: str
    access: str
    renewal: str
    base: str

    def __repr__(self) -> str:
        return f"Kept({self.handle!r})"


@dataclass(frozen=True, slots=True)
class SessionFile:
    """Reads and writes; a file that cannot be read is none, one that cannot be written is told once."""

    path: Path

    def load(self, handle: str) -> Kept | None:
        """The session of this account that was kept; its file becomes private where it was not."""
        if trouble := private_files.tighten(self.path):
            log.warning(trouble)
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            return None
        return kept if kept.handle == handle else None

    def save(self, kept: Kept) -> None:
        """Put it in the place of what was there, whole or not at all."""
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with suppress(FileNotFoundError):
                new.unlink()
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(kept))
            new.replace(self.path)
        except OSError as error:
            log.warning("the session cannot be kept: a restart signs in anew", file=str(self.path), reason=str(error))
