"""Hubs tell of news: subscriptions with them, kept as long as feeds are wanted. Only that a feed is to be polled is
believed, and only of who knows the secret; slow polls go on besides.

Callback addresses and secrets live as long as the process; after a restart, hubs are asked anew, and what they still
tell the old addresses is answered 404 until it lapses.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from ipaddress import ip_address
from urllib.parse import urlsplit

from relay.core.schedule import backoff
from relay.http import HostPolicy, Http, HttpResponse, Reply
from relay.model import Feed
from relay.plugins import Hooks, PluginStorage
from relay.ports import Streamed, Watched
from relay.sources.rss.cursor import Cursor

# --- WebSub (W3C Recommendation of 2018-01-23) as a subscriber sees it: what is asked, what is believed ---

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


# --- push ---

HUBS = HostPolicy(name="hubs", connections=1)
RENEW = 0.8
"""When to ask for more time: this part of the lease after it was given."""
VERIFIED_WITHIN = timedelta(hours=1)
"""A hub that took the request and never asked back is asked again."""
AGAIN, LONGEST = timedelta(hours=1), timedelta(days=1)
"""A hub that refuses or does not answer: the first pause, and the longest."""
BETWEEN = timedelta(seconds=30)
"""The least time between two polls of one feed that a hub asks for."""
_LOOK_EVERY = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class HubSubscription:
    """One feed at one hub."""

    hub: str
    topic: str
    name: str
    """Of the hook: nobody can guess it."""
    secret: str
    callback: str = ""
    due: datetime
    """When to ask the hub next."""
    until: datetime | None = None
    """For how long it tells; None: it has not asked back."""
    failures: int = 0
    trouble: str = ""
    told: datetime | None = None
    """When a poll was last asked for."""
    ping: bool = False
    """It told of something, and no poll was asked for yet."""
    noted: bool = True
    """Whether the last ``until`` was written down."""
    asking: asyncio.Task[None] | None = field(default=None, repr=False)


class Push:
    """All subscriptions of this process, by the feed's address."""

    def __init__(self, http: Http, hooks: Hooks, notes: PluginStorage, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._hooks = hooks
        self._notes = notes
        self._clock = clock
        self._hubs: dict[str, tuple[str, str]] = {}
        self._held: dict[str, HubSubscription] = {}
        self._woken = asyncio.Event()
        self._last = clock()

    # --- what polls see of it ---

    def can_be_reached(self) -> bool:
        """A hub can call this relay: it has a public address. Names are believed unless they are a neighbour's."""
        base = self._hooks.base
        return bool(base) and not self._http.refusal(base) and not is_for_neighbours(base)

    def hear_of(self, address: str, hub: str, topic: str) -> None:
        """The feed names a hub."""
        if self.can_be_reached() and self._hubs.get(address) != (hub, topic):
            self._hubs[address] = hub, topic
            self._woken.set()

    async def is_active(self, address: str) -> bool:
        """A hub tells of news in the feed, to whichever of the machines that share the notes."""
        return self.can_be_reached() and bool(await self._notes.get(_key(address)))

    def look(self) -> None:
        """See now what is due."""
        self._woken.set()

    # --- the stream ---

    async def stream(self, watched: Watched) -> AsyncIterator[Streamed]:
        """Keep subscriptions for what is watched; tell which feeds to poll, and what does not work."""
        note = ""
        try:
            while True:
                self._woken.clear()
                changed = asyncio.create_task(watched.changed())
                try:
                    self._match(watched.feeds)
                    self._ask_due()
                    await self._write_down()
                    missed, trouble = self._take_pings(), self._trouble()
                    if missed or trouble != note:
                        note = trouble
                        yield Streamed(missed=missed, note=note)
                    await self._rest(changed)
                finally:
                    changed.cancel()
        finally:
            for address in list(self._held):
                self._drop(address)

    def _match(self, feeds: Mapping[str, Feed]) -> None:
        """One subscription for each watched feed that has a hub, and none besides."""
        for address in [address for address in self._held if address not in feeds]:
            self._drop(address)
        for address in [address for address in self._hubs if address not in feeds]:
            del self._hubs[address]
        for address, feed in feeds.items():
            hub = self._hubs.get(address) or _hub_in(feed.cursor)
            held = self._held.get(address)
            if held and hub and (held.hub, held.topic) != hub:
                self._drop(address)
                held = None
            if hub and not held:
                self._hubs[address] = hub
                self._hold(address, *hub)

    def _hold(self, address: str, hub: str, topic: str) -> None:
        name = f"websub-{secrets.token_urlsafe(24)}"
        held = HubSubscription(hub=hub, topic=topic, name=name, secret=secrets.token_urlsafe(32), due=self._clock())
        held.callback = self._hooks.open(name, partial(self._told, held), partial(self._asked_back, held))
        self._held[address] = held

    def _drop(self, address: str) -> None:
        held = self._held.pop(address)
        self._hooks.close(held.name)
        if held.asking:
            held.asking.cancel()

    async def _rest(self, changed: asyncio.Task[None]) -> None:
        """Until something is due, a hub called, or something else is watched."""
        now = self._clock()
        dues = [held.due for held in self._held.values() if held.asking is None]
        dues += [_next_ping(held) for held in self._held.values() if held.ping]
        wait = min([*(due - now for due in dues), _LOOK_EVERY])
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait(
                {woken, changed}, timeout=max(wait.total_seconds(), 0.01), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            woken.cancel()

    # --- asking ---

    def _ask_due(self) -> None:
        now = self._clock()
        if now < self._last:  # the clock was set back: nobody knows until when the hubs tell
            for held in self._held.values():
                held.due = min(held.due, now)
        self._last = now
        for address, held in self._held.items():
            if held.asking is None and held.due <= now:
                held.asking = asyncio.create_task(self._ask(held), name=f"subscribe to {address}")

    async def _ask(self, held: HubSubscription) -> None:
        """Ask the hub once. It asks back while it is asked, or later."""
        before = held.until
        held.due = self._clock() + LONGEST
        reply = await self._http.post(held.hub, request(held.topic, held.callback, held.secret), manner=HUBS)
        self._settle(held, reply, asked_back=held.until != before)
        held.asking = None
        self._woken.set()

    def _settle(self, held: HubSubscription, reply: Reply, *, asked_back: bool) -> None:
        now = self._clock()
        if isinstance(reply, HttpResponse) and 200 <= reply.status < 300:
            held.failures, held.trouble = 0, ""
            if not asked_back:
                held.due = now + VERIFIED_WITHIN
            return
        told = f"answered {reply.status}" if isinstance(reply, HttpResponse) else reply.reason
        held.trouble = f"the hub {urlsplit(held.hub).hostname} does not tell of {held.topic}: {told}"
        held.failures += 1
        held.due = now + backoff(held.failures, 0.0, first=AGAIN, longest=LONGEST)

    # --- what hubs say ---

    def _asked_back(self, held: HubSubscription, query: Mapping[str, str]) -> str | None:
        now = self._clock()
        if is_denied(query, held.topic):
            held.trouble = f"the hub {urlsplit(held.hub).hostname} refuses to tell of {held.topic}"
            held.until, held.due = None, now + LONGEST
            self._woken.set()
            return ""
        answer = challenge(query, held.topic)
        if answer is not None:
            time = lease(query)
            held.until, held.due, held.noted, held.trouble = now + time, now + time * RENEW, False, ""
            self._woken.set()
        return answer

    async def _told(self, held: HubSubscription, headers: Mapping[str, str], body: bytes) -> int:
        """A hub is answered well whatever it says; who does not know the secret is not believed (7.1)."""
        if is_signed(headers, body, held.secret):
            held.ping = True
            self._woken.set()
        return 202

    def _take_pings(self) -> tuple[str, ...]:
        now = self._clock()
        ready = [address for address, held in self._held.items() if _ready(held, now)]
        for address in ready:
            self._held[address].ping, self._held[address].told = False, now
        return tuple(ready)

    def _trouble(self) -> str:
        troubles = list(dict.fromkeys(held.trouble for held in self._held.values() if held.trouble))
        more = f"; and {len(troubles) - 3} more" if len(troubles) > 3 else ""
        return "; ".join(troubles[:3]) + more

    async def _write_down(self) -> None:
        """Let polls know, on other machines too, that they may be slow."""
        for address, held in list(self._held.items()):
            if not held.noted and held.until:
                held.noted = True
                await self._notes.save(_key(address), "active", max(held.until - self._clock(), timedelta(seconds=1)))


def _ready(held: HubSubscription, now: datetime) -> bool:
    return held.ping and not now < _next_ping(held) <= now + BETWEEN  # later than that: the clock was set back


def _next_ping(held: HubSubscription) -> datetime:
    return held.told + BETWEEN if held.told else held.due - LONGEST * 365


def _hub_in(cursor: str) -> tuple[str, str] | None:
    if '"hub":' not in cursor:
        return None
    read = Cursor.load(cursor)
    return (read.hub, read.topic) if read.hub and read.topic else None


def _key(address: str) -> str:
    return f"websub {blake2b(address.encode(errors='replace'), digest_size=16).hexdigest()}"
