"""File descriptors: how many the process may have, and how many of them visitors may use."""

from __future__ import annotations

import sys

WANTED = 65_536
RESERVED = 256
"""For the relay's own work: the database, the servers that it reads, the platforms that it writes to."""
MOST_VISITORS = 4_096


def raise_limit() -> None:
    """Let the process have as many descriptors as the system grants it, and not more than it could ever use."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def for_visitors(asked: int = 0) -> int:
    """How many connections the web server may hold: what was ``asked`` for, and never what the relay itself needs.

    Where the system grants few descriptors, half of them are kept for the relay.
    """
    if sys.platform == "win32":
        return asked or 512
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = WANTED if soft == resource.RLIM_INFINITY else soft
    room = max(limit - max(min(RESERVED, limit // 2), 1), 1)
    return min(room, asked or MOST_VISITORS)
