"""Whether the file that is open is still the one that its path names.

A program may go on writing into a file that was deleted; all of it is lost when the program ends, and nothing says so.
"""

from __future__ import annotations

import os
from pathlib import Path

_ENDINGS = ("", "-wal")


class Place:
    """A SQLite file and its write-ahead log. Where the system does not tell, nothing is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log_size = 0
        """Bytes of the write-ahead log when it was last looked at."""
        self._names = [(ending, f"{self.path}{ending}") for ending in _ENDINGS]  # looked for before each transaction
        self._files: dict[str, tuple[int, int] | None] = {}

    def lost(self) -> str:
        """What happened to the files since they were first seen, and what to do; empty: they are there."""
        for ending, name in self._names:
            try:
                status = os.stat(name)  # noqa: PTH116 - making a path of it costs more than the look
                now = status.st_dev, status.st_ino
            except (FileNotFoundError, NotADirectoryError):
                now = None
            except OSError:
                continue
            if self._files.setdefault(ending, now) is None:
                self._files[ending] = now
            elif self._files[ending] != now:
                return self._told(ending, deleted=now is None)
            elif ending:
                self.log_size = status.st_size
        return ""

    def _told(self, ending: str, *, deleted: bool) -> str:
        what = "was deleted or moved away" if deleted else "was replaced by another file"
        return (
            f"The database {self.path}{ending} {what} while the relay was using it. The relay stops, because what it"
            " writes would be lost. Put the file back, or restore a backup, before you start it again; without it the"
            " relay begins anew."
        )
