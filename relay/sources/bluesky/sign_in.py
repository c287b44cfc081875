"""The POSTs that this source makes: where the operator's account signs in, and at the server where it lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from relay.http import Answer, Reply, Unreachable

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts to an address that the configuration or the account's own document names, never to anybody else's."""

    agent: str

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request, over a connection of its own; few are made. Redirects are not followed."""
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=_TIMEOUT, headers={"User-Agent": self.agent}, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.post(url, headers=headers, data=body, allow_redirects=False) as response,
            ):
                plain = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, url, plain, await response.content.read(_MOST))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Unreachable(f"{urlsplit(url).netloc} cannot be reached ({type(error).__name__})")
