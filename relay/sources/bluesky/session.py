"""The session of the operator's own account.

It lives in memory, and in a file where the operator names one: the tokens of a session open the account. Without the
file a restart signs in anew. Servers allow that 30 times in five minutes and 300 times a day; we do it once in five
minutes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from relay import private_files
from relay.http import Http
from relay.log import get_logger
from relay.ports import TryLater
from relay.sources.bluesky.answers import Failure, Stale, judge
from relay.sources.bluesky.shapes import Raw, read, read_all
from relay.sources.kit import LONG, Denied, Missing, Ok, Unexpected
from relay.text import web_address

_PAUSE = timedelta(minutes=5)
_JSON = "application/json"


class _Tokens(msgspec.Struct):
    access: str = msgspec.field(name="accessJwt")
    renewal: str = msgspec.field(name="refreshJwt")
    document: Raw = msgspec.field(name="didDoc", default=Raw())


class Service(msgspec.Struct):
    id: str
    address: str = msgspec.field(name="serviceEndpoint")


class DidDocument(msgspec.Struct):
    """A DID document, as far as it says where the account lives."""

    id: str = ""
    service: Raw = Raw()


@dataclass(frozen=True, slots=True)
class _Open:
    access: str
    renewal: str
    base: str


def home(document: bytes | Raw, did: str = "") -> str:
    """The address of the account's own server (PDS) in its DID document; empty where there is none.

    ``did``: whose document it has to be.
    """
    read_document = read(document, DidDocument)
    if did and (read_document is None or read_document.id != did):
        return ""
    services = read_all(read_document.service, Service) if read_document else []
    address = next((one.address for one in services if one.id.endswith("#atproto_pds")), "")
    return web_address(address).rstrip("/")


class Session:
    """Asks as the account does, signing in when it must. Never raises, never hurries, tells no secret."""

    def __init__(
        self, http: Http, base: str, handle: str, password: SecretStr, *, file: SessionFile | None = None
    ) -> None:
        self.handle = handle
        self._http = http
        self._base = base
        self._password = password
        self._file = self._unread = file
        self._open: _Open | None = None
        self._turn = asyncio.Lock()
        self._rest: tuple[datetime, str] | None = None
        self._asked = datetime.min.replace(tzinfo=UTC)
        """When to sign in again at the earliest, and why not before."""

    @property
    def home(self) -> str:
        """The host of the server that is asked."""
        return urlsplit(self._open.base if self._open else self._base).netloc

    async def ask(self, method: str, params: Sequence[tuple[str, str]] = ()) -> Ok | Failure:
        """One question at the account's own server; asked again once where the session had run out."""
        return await self._try(lambda current: self._get(current, method, params))

    async def tell(self, method: str, body: bytes) -> Ok | Failure:
        """One deed at the account's own server, of JSON; tried again once where the session had run out."""
        return await self._try(lambda current: self._do(current, method, body))

    async def _try(self, attempt: Callable[[_Open], Awaitable[Ok | Failure]]) -> Ok | Failure:
        answer: Ok | Failure = Stale(self.home)
        used: _Open | None = None
        for _ in range(2):
            current = await self._renewed(used)
            if not isinstance(current, _Open):
                return current
            answer = await attempt(current)
            if not isinstance(answer, Stale) and not (isinstance(answer, Denied) and answer.error == "AuthMissing"):
                return answer
            used = current
        return answer

    async def _get(self, current: _Open, method: str, params: Sequence[tuple[str, str]]) -> Ok | Failure:
        headers = {"accept": _JSON, "authorization": f"Bearer {current.access}"}
        reply = await self._http.get(f"{current.base}/xrpc/{method}", params=params or None, headers=headers)
        return judge(reply, datetime.now(UTC))

    async def _do(self, current: _Open, method: str, body: bytes) -> Ok | Failure:
        url = f"{current.base}/xrpc/{method}"
        headers = {"authorization": f"Bearer {current.access}"}
        return judge(await self._http.write("POST", url, body, headers=headers), datetime.now(UTC))

    async def _renewed(self, used: _Open | None) -> _Open | Failure:
        """The session; another one than ``used``, which is no good any more. Many who ask make one request."""
        async with self._turn:
            if self._open is None and (kept := await self._kept()):
                self._open = kept
            if self._open is None:
                return await self._sign_in()
            if self._open is not used:
                return self._open
            answer = await self._post("com.atproto.server.refreshSession", f"Bearer {used.renewal}", b"")
            if isinstance(answer, Stale | Denied | Missing):
                self._open = None
                return await self._sign_in()
            return await self._keep(self._opened(answer))

    async def _kept(self) -> _Open | None:
        """What an earlier start kept; asked for once."""
        file, self._unread = self._unread, None
        kept = await asyncio.to_thread(file.load, self.handle) if file else None
        return _Open(kept.access, kept.renewal, kept.base) if kept else None

    async def _keep(self, opened: _Open | Failure) -> _Open | Failure:
        if self._file and isinstance(opened, _Open):
            kept = Kept(self.handle, opened.access, opened.renewal, opened.base)
            await asyncio.to_thread(self._file.save, kept)
        return opened

    async def _sign_in(self) -> _Open | Failure:
        now = datetime.now(UTC)
        if self._rest and self._asked <= now < self._rest[0]:  # else the clock was set back
            return TryLater(self._rest[1], self._rest[0] - now)
        body = msgspec.json.encode({"identifier": self.handle, "password": self._password.get_secret_value()})
        self._asked = now
        self._rest = now + _PAUSE, f"{self.home} was asked for a session a moment ago"
        answer = await self._post("com.atproto.server.createSession", "", body)
        opened = self._refused(answer) if isinstance(answer, Denied) else await self._keep(self._opened(answer))
        if isinstance(opened, TryLater):
            self._rest = now + max(opened.after or _PAUSE, _PAUSE), opened.reason
        return opened

    def _refused(self, answer: Denied) -> TryLater:
        if answer.error == "AuthFactorTokenRequired":
            return TryLater(f"{answer.host} wants a second factor: sources.bluesky needs an app password", LONG)
        return TryLater(f"{answer.host} does not let {self.handle} in: check handle and app_password", LONG)

    def _opened(self, answer: Ok | Failure) -> _Open | Failure:
        if not isinstance(answer, Ok):
            return answer
        tokens = read(answer.body, _Tokens)
        if tokens is None:
            return Unexpected(answer.host).later()
        base = home(tokens.document) or (self._open.base if self._open else self._base)
        self._open = _Open(tokens.access, tokens.renewal, base)
        return self._open

    async def _post(self, method: str, authorization: str, body: bytes) -> Ok | Failure:
        """Sessions are made and renewed where the account signs in, also when it lives elsewhere."""
        url = f"{self._base}/xrpc/{method}"
        headers = {"authorization": authorization} if authorization else {}
        return judge(await self._http.write("POST", url, body, headers=headers), datetime.now(UTC))


# --- a session that outlives a restart, in a file that only its owner may read ---
# It is written where the operator says, and nowhere else: what is in it opens the account until it runs out (a refresh
# token lives for about two months), so it has no place in a database that several relays share.


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
