"""Guarded fetching: no private network is reached, no answer is too large or too slow, no host is hurried.

What the outside world may answer is a value (:data:`Reply`). The address that is connected to is the address that was
checked, because names are looked up by a resolver that drops what is barred: a name that changes its mind between check
and connection gains nothing. Redirects are followed by hand, and each hop is checked like the first.
"""

from __future__ import annotations

from relay.http.client import Cookies, Forbidden, Http, HttpResponse, HttpSettings, Reply, Unreachable, retry_after
from relay.http.guard import BarredError, Guard, is_public
from relay.http.lanes import HostPolicy
from relay.http.sockets import FloodError, Rate

__all__ = [
    "BarredError",
    "Cookies",
    "FloodError",
    "Forbidden",
    "Guard",
    "HostPolicy",
    "Http",
    "HttpResponse",
    "HttpSettings",
    "Rate",
    "Reply",
    "Unreachable",
    "is_public",
    "retry_after",
]
