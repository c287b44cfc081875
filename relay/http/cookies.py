"""Cookies for as long as the way to one document takes: some servers send a reader around to see them come back."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import CookieJar
from yarl import URL

_MOST = 20
_ROOM = 8_000


class Cookies:
    """What the hosts on one way have set, for themselves alone (RFC 6265); whoever asks forgets it with this."""

    def __init__(self) -> None:
        self._jar: CookieJar | None = None
        self._taken = 0
        self._room = _ROOM

    def take(self, url: URL, headers: Sequence[str]) -> None:
        """Keep what ``Set-Cookie`` says at this address: twenty of them at most, and 8,000 characters, over the way."""
        for header in headers:
            self._room -= len(header)
            if self._taken == _MOST or self._room < 0:
                return
            if header.isascii() and header.isprintable():
                self._taken += 1
                self._jar = self._jar or CookieJar(unsafe=True, quote_cookie=False)  # an IP address is a host, too
                self._jar.update_cookies_from_headers([header], url)
        if self._jar:  # nor is a whole top-level domain the host's own
            self._jar.clear(lambda cookie: "." not in cookie["domain"] and cookie["domain"] != url.raw_host)

    def header(self, url: URL | str) -> str:
        """What ``Cookie`` says to this address; empty where nothing."""
        cookies = self._jar.filter_cookies(URL(url)).values() if self._jar else ()
        return "; ".join(f"{cookie.key}={cookie.coded_value}" for cookie in cookies)
