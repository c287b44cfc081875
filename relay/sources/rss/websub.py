"""WebSub (W3C Recommendation of 2018-01-23) as a subscriber sees it: what is asked, what is believed. Pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

LEASE = timedelta(days=10)
"""For how long a hub is asked to tell; it decides itself."""
_LONGEST, _SHORTEST = timedelta(days=30), timedelta(seconds=60)
_ALGORITHMS = frozenset({"sha1", "sha256", "sha384", "sha512"})
_LONGEST_CHALLENGE = 2000
# Names by which a machine is known to its neighbours alone (RFC 6761, 6762, 8375, and what routers use).
_LOCAL = re.compile(r"[^.]+|.*\.(?:localhost|local|internal|intranet|lan|home|home\.arpa|test|invalid|onion)")


def request(topic: str, callback: str, secret: str) -> dict[str, str]:
    """The form that asks a hub to tell of news (5.1)."""
    return {
        "hub.mode": "subscribe",
        "hub.topic": topic,
        "hub.callback": callback,
        "hub.lease_seconds": str(int(LEASE.total_seconds())),
        "hub.secret": secret,
    }


def challenge(query: Mapping[str, str], topic: str) -> str | None:
    """What to answer to a hub that asks whether we meant it (5.3); None: we did not ask for this."""
    text = query.get("hub.challenge", "")
    meant = query.get("hub.mode") == "subscribe" and query.get("hub.topic") == topic
    return text if meant and 0 < len(text) <= _LONGEST_CHALLENGE else None


def is_denied(query: Mapping[str, str], topic: str) -> bool:
    """The hub says that it will not tell (5.2)."""
    return query.get("hub.mode") == "denied" and query.get("hub.topic") == topic


def lease(query: Mapping[str, str]) -> timedelta:
    """For how long the hub will tell: a minute at least, a month at most, a day where it does not say."""
    text = query.get("hub.lease_seconds", "").strip()
    if not re.fullmatch(r"[0-9]{1,10}", text):
        return timedelta(days=1)
    return min(max(timedelta(seconds=int(text)), _SHORTEST), _LONGEST)


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether who posted knows the secret (7.1). Header names in lower case."""
    algorithm, found, signature = headers.get("x-hub-signature", "").strip().partition("=")
    if not found or algorithm.lower() not in _ALGORITHMS:
        return False
    right = hmac.new(secret.encode(), body, algorithm.lower()).hexdigest()
    return hmac.compare_digest(right.encode(), signature.strip().lower().encode(errors="replace"))


def is_for_neighbours(url: str) -> bool:
    """No hub out there could call this address, as far as its name tells."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        ip_address(host)
    except ValueError:
        return _LOCAL.fullmatch(host) is not None
    return False
