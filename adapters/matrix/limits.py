"""What Matrix allows, and how it counts (client-server API v1.19). Pure."""

from __future__ import annotations

import json
from html import escape

from adapters.matrix.mentions import leads_to_matrix
from relay.text import web_address

TEXT = 24_000
"""What both forms of one message take together, by :func:`size`: an edit carries both twice, and a whole event may take
65,536 bytes ("Size limits")."""
PICTURES = 8
URL, SHORT_URL = 2000, 1000
"""By :func:`size`: of an address in a text, and of one in the frame around it."""


def size(text: str) -> int:
    """The bytes that a text takes within an event.

    Servers count canonical JSON, that is UTF-8 in which quotes, backslashes and line ends are escaped. Libraries that
    escape all but ASCII send more than that, but nobody counts it.
    """
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2


def address(url: str, limit: int = URL) -> str:
    """The address as it may become a link; "" where it may not: it is none, too long, or leads to people or rooms."""
    safe = web_address(url)
    return "" if leads_to_matrix(safe) or size(escape(safe)) > limit else safe
