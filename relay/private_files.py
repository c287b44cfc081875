"""Files that only their owner may read: the database, sessions, and files that hold secrets.

Systems without POSIX permissions (Windows) are left to their own rules.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR


def create(path: Path) -> None:
    """Make an empty file with mode 0600, whatever the umask; one that is there already stays untouched.

    An existing file is never opened: to close it would drop the locks that this process holds on it (fcntl(2)).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))


def tighten(path: Path) -> str:
    """Take all permissions of group and others away; a file that is not there is no trouble.

    Returns why the file is still open to others, as a sentence for people; "" where it is not.
    """
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path} may be read by others on this machine, and its permissions cannot be changed ({error.strerror})"
    return ""


def exposure(path: Path) -> str:
    """Whether others may read a file that holds a secret, as a sentence with what to do; "" where they may not.

    The group's right to read does not count where somebody else owns the file: it is how the relay reads it.
    """
    try:
        status = path.stat()
    except OSError:
        return ""
    if os.name != "posix":
        return ""
    ours = status.st_uid == os.geteuid()
    others = stat.S_IROTH | (stat.S_IRGRP if ours else 0)
    if not status.st_mode & others:
        return ""
    return f"{path} holds a secret and may be read by others on this machine; run: chmod go= '{path}'"
