"""Which addresses may be reached, decided on the address that is connected to."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_GLOBAL_V6 = IPv6Network("2000::/3")
# Inside the global unicast space and yet no machine on the public internet, or a way to write an IPv4 address:
# protocol assignments with Teredo, documentation twice, 6to4.
_RESERVED_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")))
# Called global by some Pythons: protocol assignments and 6to4 relays; and one cloud's host as its guests see it.
_RESERVED_V4 = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))

LOCAL: tuple[Network, ...] = (
    *map(IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    *map(IPv6Network, ("::1/128", "fc00::/7")),
)
"""Where machines of one's own are: this one, and private networks."""

_MANY = 4_000

_NAME = re.compile(r"(?=.{1,254}$)[a-z0-9_][a-z0-9_-]{0,62}(?:\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
# The host "ends in a number" (WHATWG URL Standard): some part of the system would take it for an IPv4 address.
_NUMBER = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)


def is_public(address: Address) -> bool:
    """Whether this is a machine on the public internet, and no IPv6 address that wraps an IPv4 one (mapped, NAT64)."""
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_V6 and not any(address in network for network in _RESERVED_V6)
    return address.is_global and not address.is_multicast and not any(address in network for network in _RESERVED_V4)


class Guard:
    """Says which addresses may be reached; knows no network. Each answer is a reason for people, empty for yes.

    Public addresses may be reached on ports 80, 443 and from 1024 up (below live mail, shells and the like), those in
    ``allowed`` on any port.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._known: dict[tuple[str, str | None, int | None, bool], str] = {}
        """What was said of origins: the same ones are asked again and again, and nothing else of an address counts."""

    def refusal(self, url: URL) -> str:
        """Why this address is not fetched, as far as can be said without looking its host up."""
        named = url.raw_user is not None or url.raw_password is not None
        key = url.scheme, url.raw_host, url.port, named
        reason = self._known.get(key)
        if reason is None:
            if len(self._known) >= _MANY:
                self._known.clear()
            reason = self._known[key] = self._refusal(url)
        return reason

    def _refusal(self, url: URL) -> str:
        if url.scheme not in ("http", "https"):
            return f"only http and https addresses are read, not {url.scheme or 'relative'} ones"
        if url.raw_user is not None or url.raw_password is not None:
            return f"{url.raw_host} is not asked: the address has a user name or password in it"
        host = (url.raw_host or "").replace("%25", "%")
        try:
            address = ip_address(host)
        except ValueError:
            return _misnomer(url, host)
        return self.bars(host, address, url.port or 0)

    def bars(self, host: str, address: Address, port: int) -> str:
        """Why ``host``, which is or was found to be ``address``, is not connected to at ``port``."""
        if any(address in network for network in self._allowed):
            return ""
        if not is_public(address):
            return f"{host} is not on the public internet (the operator may allow its network in http.allow_private)"
        if port < 1024 and port not in (80, 443):
            return f"{host} is not asked on port {port}, which is not one for web pages"
        return ""


def _misnomer(url: URL, host: str) -> str:
    if not host:
        return "the address names no host"
    if _NUMBER.fullmatch(host):
        return f"{host} is an unusual way to write a network address; write it like 203.0.113.7"
    return "" if _NAME.fullmatch(host) and _is_idna(url) else f"{host} is not a host name"


def _is_idna(url: URL) -> bool:
    try:
        return bool(url.host)
    except UnicodeError:  # "xn--" and then no Punycode
        return False


class BarredError(aiohttp.ClientError):  # one of aiohttp's own passes through its connector unchanged
    """A name led to addresses that are all barred; the text is the reason."""


class GuardedResolver(AbstractResolver):
    """Looks names up and drops the addresses that are barred, so that what is connected to has been checked."""

    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        reasons = [self._guard.bars(host, ip_address(place["host"]), place["port"]) for place in found]
        allowed = [place for place, reason in zip(found, reasons, strict=True) if not reason]
        if not allowed:
            raise BarredError(reasons[0]) if reasons else OSError(f"{host} has no address")
        return allowed

    async def close(self) -> None:
        await self._inner.close()
