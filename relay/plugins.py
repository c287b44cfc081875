"""Sources and adapters come from entry points, third parties' as well as ours.

``[project.entry-points."relay.sources"]`` and ``"relay.adapters"`` name a :class:`Plugin`: its own settings model,
which validates its own table of the configuration, and a function that builds it. Nothing is imported that is not
configured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from relay.records import StoreError
from relay.settings import Settings

if TYPE_CHECKING:
    from relay.http import Http
    from relay.i18n import Words
    from relay.log import Trouble
    from relay.model import Card
    from relay.ports import Adapter, Source

Kind = Literal["sources", "adapters"]

V = TypeVar("V")

_NOTES_IN_MEMORY = 1000


Hook = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""Takes the headers (names in lower case) and the body of a platform's POST, and answers the HTTP status."""


Proof = Callable[[Mapping[str, str]], str | None]
"""Takes the query of a GET by which somebody asks whether we want to be called; answers what is to be read, or None."""


@dataclass(slots=True)
class Hooks:
    """Addresses at which platforms may call the relay; ``base`` is the public one of its pages, or empty."""

    base: str = ""
    _open: dict[str, Hook] = field(default_factory=dict)
    _proofs: dict[str, Proof] = field(default_factory=dict)

    def open(self, name: str, hook: Hook, proof: Proof | None = None) -> str:
        """Take what is posted to the address that is answered. ``ValueError`` where the relay has no public one."""
        if not self.base:
            raise ValueError("a platform can only call a relay that has a relay.public_url")
        self._open[name] = hook
        if proof is not None:
            self._proofs[name] = proof
        return f"{self.base.rstrip('/')}/hook/{name}"

    def close(self, name: str) -> None:
        self._open.pop(name, None)
        self._proofs.pop(name, None)

    def prove(self, name: str, query: Mapping[str, str]) -> str | None:
        """The answer to a GET; None where nobody listens, or nobody asked for this."""
        proof = self._proofs.get(name)
        return None if proof is None else proof(query)

    async def call(self, name: str, headers: Mapping[str, str], body: bytes) -> int:
        """Hand a POST on; 404 where nobody listens."""
        hook = self._open.get(name)
        return 404 if hook is None else await hook(headers, body)


class NoteKeeper(Protocol):
    """The part of :class:`relay.store.Store` that keeps notes."""

    async def get_note(self, owner: str, key: str, now: datetime) -> str | None: ...

    async def save_note(self, owner: str, key: str, value: str, until: datetime) -> None: ...


class _Memory:
    """Keeps a few notes while there is no store."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def get_note(self, owner: str, key: str, now: datetime) -> str | None:
        value, until = self._notes.get((owner, key), ("", now))
        return value if until > now else None

    async def save_note(self, owner: str, key: str, value: str, until: datetime) -> None:
        self._notes.pop((owner, key), None)
        while len(self._notes) >= _NOTES_IN_MEMORY:
            del self._notes[next(iter(self._notes))]
        self._notes[owner, key] = value, until


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class StorageBackend:
    """Where notes are kept: in the store once it is bound to one, before that in memory."""

    clock: Callable[[], datetime] = _now
    _keeper: NoteKeeper = field(default_factory=_Memory)
    _trouble: Trouble | None = None

    def bind(self, keeper: NoteKeeper, trouble: Trouble) -> None:
        """Keep notes there from now on, and tell of what does not work."""
        self._keeper, self._trouble = keeper, trouble

    async def get(self, owner: str, key: str) -> str | None:
        return await self._try("reading notes", self._keeper.get_note(owner, key, self.clock()))

    async def save(self, owner: str, key: str, value: str, keep: timedelta) -> None:
        await self._try("writing notes", self._keeper.save_note(owner, key, value, self.clock() + keep))

    async def _try(self, action: str, work: Awaitable[V]) -> V | None:
        """None where the store does not take part; of reading and writing one may fail while the other works."""
        try:
            answer = await work
        except StoreError as error:
            if self._trouble:
                self._trouble.broke(action, str(error))
            return None
        if self._trouble:
            self._trouble.works(action)
        return answer


@dataclass(frozen=True, slots=True)
class PluginStorage:
    """A small memory for one source or adapter, over restarts and shared among machines; ``owner`` says whose.

    For what makes work lighter and may be forgotten at any time: where the store fails, nothing is known and nothing is
    kept, and whoever asks goes on without. Everybody who can read the database can read it, so no secrets go in here.
    """

    owner: str = ""
    backend: StorageBackend = field(default_factory=StorageBackend)

    async def get(self, key: str) -> str | None:
        """What was saved under ``key``; None of what never was, is over, or cannot be read now."""
        return await self.backend.get(self.owner, key)

    async def save(self, key: str, value: str, keep: timedelta) -> None:
        """Remember ``value`` for as long as ``keep``, in the place of what stood there. Some text, no NUL in it."""
        await self.backend.save(self.owner, key, value, keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the relay lends to a source or an adapter."""

    http: Http
    name: str
    """What the relay is called (``relay.name``)."""
    language: str = "en"
    version: str = ""
    contact: str = ""
    colours: Mapping[str, int] = field(default_factory=dict)
    """The colour of each source's network, as 0xRRGGBB, by the source's name."""
    hooks: Hooks = field(default_factory=Hooks)
    """Where platforms may call the relay."""
    notes: PluginStorage = field(default_factory=PluginStorage)
    """What it remembers, for this source or adapter alone."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a platform shows where the address of a page is pasted, if it can show more than Open Graph has words for.

    A page names it in a link of this ``rel`` and media type (``kind``), and it is served beside the page.
    """

    rel: str
    kind: str
    make: Callable[[Card, Words, int | None], str]
    """Of a card of the whole thread, in a language and the network's colour; empty: there is none. Pure."""


S = TypeVar("S", bound=Settings)
T = TypeVar("T", "Source", "Adapter")


@dataclass(frozen=True, slots=True)
class Plugin(Generic[S, T]):
    """What an entry point names."""

    settings: type[S]
    build: Callable[[S, Host], T]
    """Raises :class:`PluginError` where the configuration is wrong: the relay then does not start, and says why.

    Any other exception is taken for passing: it is told, and the plugin is built again later.
    """
    options: type[Settings] | None = None
    """Of an adapter: what one subscription may choose for itself; each has a default, None where that is ``settings``'.

    Written beside the other keys of ``[[subscriptions]]``, handed on as JSON in ``Delivery.options``.
    """
    colour: int | None = None
    """Of a source: the colour of its network, as 0xRRGGBB."""
    preview: Preview | None = None
    """Of an adapter: what its platform is shown of a page."""


class PluginError(Exception):
    """An entry point that cannot be loaded; the message says which, from where, and why."""


def names(kind: Kind) -> Mapping[str, EntryPoint]:
    """The installed plugins of one kind, by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=f"relay.{kind}")}


def load(kind: Kind, name: str) -> Plugin[Any, Any]:
    """Import one plugin. Raises :class:`PluginError` with the entry point and the distribution that brought it."""
    points = {point.value: point for point in entry_points(group=f"relay.{kind}", name=name)}
    if len(points) > 1:
        told = " and ".join(sorted(f"{point.value} ({_where(point)})" for point in points.values()))
        raise PluginError(f"{kind[:-1]} {name!r} is brought by {told}; uninstall all but one")
    point = names(kind)[name]
    try:
        plugin = point.load()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a third party's module may fail in any way
        raise PluginError(
            f"{kind[:-1]} {name!r} cannot be loaded from {point.value} ({_where(point)}): {error}"
        ) from error
    if not isinstance(plugin, Plugin):
        raise PluginError(f"{kind[:-1]} {name!r}: {point.value} is no relay.plugins.Plugin")
    models: tuple[object, ...] = (plugin.settings, plugin.options or Settings)
    for model in models:
        if not (isinstance(model, type) and issubclass(model, Settings)):
            raise PluginError(f"{kind[:-1]} {name!r}: {point.value} has settings that are no relay.settings.Settings")
    return plugin


def _where(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "no distribution"
