"""The composition root: builds the rooms from a configuration, starts them, and stops them in order."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from relay import __version__, descriptors, plugins, settings
from relay.chat import Handlers, Services
from relay.config import Config, WebSettings
from relay.core.schedule import LONGEST_WAIT
from relay.http import Http
from relay.i18n import words
from relay.log import Trouble, get_logger
from relay.model import Destination
from relay.pipeline import housekeeping
from relay.pipeline.clock import Clock, Timekeeper
from relay.pipeline.digests import DigestLoop
from relay.pipeline.fence import fenced_adapter, fenced_source
from relay.pipeline.housekeeping import Erasing
from relay.pipeline.ingest import Ingest
from relay.pipeline.mentions import Speaker
from relay.pipeline.outbox import Outbox
from relay.pipeline.replies import Accounts, Replies
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.threads import ThreadReader, ThreadRefreshLoop
from relay.pipeline.worker import Worker, end
from relay.ports import Adapter, Source, ThreadedSource
from relay.records import Allowance, Policy, Quota, StoreError, Wanted
from relay.store import Store, open_store
from relay.web import Web
from relay.web.connections import Capacity
from relay.web.previews import Previews
from relay.web.site import Join, Site

log = get_logger(__name__)

STOP_WITHIN, CLOSE_WITHIN = timedelta(seconds=4.5), timedelta(seconds=0.1)
"""For stopping in order, and for what the store is still asked then; five seconds with what is undone afterwards."""
FORGET_EVERY = timedelta(hours=6)
GROWTH_IDLE = timedelta(seconds=30)
"""How long a thread may be due to be looked at before anybody notices, where its looks are not closer to each other."""


Tasks = list[asyncio.Task[Any]]


class StartError(Exception):
    """What keeps the relay from starting, and what to do about it."""


def clock() -> datetime:
    return datetime.now(UTC)


def user_agent(config: Config) -> str:
    """Who we are to the servers we read: name, version, and where a server's admin finds a person."""
    contact = config.relay.contact or config.relay.public_url or "self-hosted"
    return f"Chasqui/{__version__} ({contact})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a configuration becomes; the commands that only look use these without running anything."""

    config: Config
    http: Http
    sources: Mapping[str, Source]
    adapters: Mapping[str, Adapter]
    previews: Mapping[str, plugins.Preview] = field(default_factory=dict)
    """What platforms are shown of the pages, by the adapters' names."""
    colours: Mapping[str, int] = field(default_factory=dict)
    hooks: plugins.Hooks = field(default_factory=plugins.Hooks)
    backend: plugins.StorageBackend = field(default_factory=plugins.StorageBackend)


@asynccontextmanager
async def build(config: Config) -> AsyncIterator[Parts]:
    """Build sources and adapters; their connections are closed on leaving."""
    async with Http(config.http, user_agent=user_agent(config)) as http, AsyncExitStack() as stack:
        hooks, backend = plugins.Hooks(base=config.relay.public_url), plugins.StorageBackend(clock)
        host = plugins.Host(
            http=http,
            name=config.relay.name,
            language=config.relay.language,
            version=__version__,
            contact=config.relay.contact,
            colours=_colours(config.sources),
            hooks=hooks,
            notes=plugins.PluginStorage(backend=backend),
        )
        adapters = {
            name: fenced_adapter(name, _builder("adapters", name, table, host))
            for name, table in config.adapters.items()
        }
        for adapter in adapters.values():
            stack.push_async_callback(adapter.close)
        sources = {
            name: fenced_source(name, _builder("sources", name, table, host)) for name, table in config.sources.items()
        }
        yield Parts(
            config=config,
            http=http,
            sources=sources,
            adapters=adapters,
            previews=_previews(config.adapters),
            colours=host.colours,
            hooks=hooks,
            backend=backend,
        )


def _builder(kind: plugins.Kind, name: str, table: settings.Settings, host: plugins.Host) -> Callable[[], Any]:
    own = replace(host, notes=replace(host.notes, owner=f"{kind[:-1]}:{name}"))
    return lambda: plugins.load(kind, name).build(table, own)


def _colours(sources: Iterable[str]) -> dict[str, int]:
    found = {name: plugins.load("sources", name).colour for name in sources}
    return {name: colour for name, colour in found.items() if colour is not None}


def _previews(adapters: Iterable[str]) -> dict[str, plugins.Preview]:
    found = {name: plugins.load("adapters", name).preview for name in adapters}
    return {name: preview for name, preview in found.items() if preview is not None}


def wanted(config: Config) -> list[Wanted]:
    """The configured subscriptions, one for each topic and destination."""
    return [
        Wanted(
            topic=subscription.topic,
            destination=destination,
            networks=subscription.networks,
            delivery_options=subscription.delivery_options,
            filters=subscription.filters,
            options=subscription.options_for(destination.adapter),
        )
        for subscription in config.subscriptions
        for destination in subscription.to
    ]


def policy(parts: Parts) -> Policy:
    """What holds for everything that is read, by the configuration and by what the plugins can do."""
    config = parts.config
    limits = {name: adapter.limits for name, adapter in parts.adapters.items()}
    allowance = Allowance(
        config.outbox.budget,
        config.outbox.burst,
        unedited=frozenset(name for name, limit in limits.items() if not limit.edits),
        undeleted=frozenset(name for name, limit in limits.items() if not limit.deletions),
    )
    threaded = frozenset(name for name, source in parts.sources.items() if isinstance(source, ThreadedSource))
    return Policy(allowance=allowance, looks=config.threads.looks, threaded=threaded)


def _site(config: Config, accounts: Accounts) -> Site:
    bot_words = accounts.bot_words
    return Site(
        name=config.relay.name,
        public_url=config.relay.public_url,
        language=config.relay.language,
        contact=config.relay.contact,
        joins=tuple(Join(name=join.name, url=join.url, about=join.about) for join in config.web.join),
        expire=config.threads.expire,
        accounts=accounts.handles,
        ask=next(iter(bot_words.unroll.values()))[0],
        stop=bot_words.stop[0],
        undo=bot_words.undoing,
    )


def _capacity(web: WebSettings) -> Capacity:
    total = descriptors.for_visitors(web.connections)
    return Capacity(total=total, per_address=web.per_address, proxies=web.proxies)


class App:
    """A running relay. ``async with App(parts) as app`` starts it; leaving stops it in order within five seconds."""

    def __init__(self, parts: Parts, store: Store, *, on_settled: Callable[..., None] | None = None) -> None:
        config = parts.config
        self.parts = parts
        self.store = store
        self.clock = Clock(lambda: clock())  # noqa: PLW0108 - looked up each time, so that a test may set it
        self.worker = Worker(
            owner=f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}",
            lease=config.outbox.lease,
            clock=self.clock,
            trouble=Trouble(),
        )
        self.timekeeper = Timekeeper(
            store=store,
            clock=self.clock,
            worker=self.worker,
            longest=2 * max([LONGEST_WAIT, *(source.interval for source in parts.sources.values())]),
        )
        parts.backend.bind(store, self.worker.trouble)
        self.outbox = Outbox(
            store=store,
            adapters=parts.adapters,
            worker=self.worker,
            address=self.address,
            say=words(config.relay.language),
            name=config.relay.name,
            timeout=config.outbox.timeout,
            on_unknown=config.outbox.on_unknown,
            concurrency=config.outbox.concurrency,
        )
        if on_settled is not None:
            self.outbox.settled = on_settled
        accounts = Accounts(bot_words=config.mentions.bot_words())
        self.threads = ThreadReader(
            store=store,
            sources=parts.sources,
            worker=self.worker,
            written=self.outbox.take,
            is_request=accounts.is_request,
        )
        self.speaker = Speaker(
            store=store,
            sources=parts.sources,
            replies=Replies(threads=self.threads, accounts=accounts, base=config.relay.public_url),
            worker=self.worker,
            accounts=accounts,
            language=config.relay.language,
        )
        self.web = Web(
            store,
            self.threads.look,
            replace(_site(config, accounts), clock_trouble=lambda: self.timekeeper.told),
            hooks=parts.hooks,
            previews=Previews(parts.previews, parts.colours),
            capacity=_capacity(config.web),
        )
        self.ingest = Ingest(
            store=store,
            sources=parts.sources,
            worker=self.worker,
            claimed=self.outbox.take,
            claim=self.outbox.claim,
            looks=config.threads.looks,
            above=self.threads.above,
            is_request=accounts.is_request,
        )
        self.erasing = Erasing(store=store, worker=self.worker, sure=lambda: self.timekeeper.is_sure)
        self.folding = DigestLoop(store=store, worker=self.worker, sent=self.outbox.wake)
        self.thread_refresh = ThreadRefreshLoop(
            store=store,
            sources=parts.sources,
            threads=self.threads,
            worker=self.worker,
            idle=min(GROWTH_IDLE, *config.threads.looks[:1]) if config.threads.looks else GROWTH_IDLE,
        )
        self.subscriptions = Subscriptions(
            store=store,
            sources=parts.sources,
            worker=self.worker,
            origin=f"config:{config.relay.name}",
            changed=self.ingest.refresh,
            mark=settings.mark(config.sources, __version__, *sorted(parts.sources)),
        )
        self.handlers = Handlers(
            Services(
                store=store,
                sources=parts.sources,
                worker=self.worker,
                subscriptions=self.subscriptions,
                threads=self.threads,
                quota=Quota(destination=config.commands.per_channel, community=config.commands.per_community),
                page=self._page_at,
                resumed=self.outbox.wake,
                version=__version__,
            )
        )

    def _page_at(self, destination: Destination, slug: str) -> str:
        adapter = self.parts.adapters.get(destination.adapter)
        return self.address(adapter, f"t/{slug}") if adapter else ""

    def address(self, adapter: Adapter, path: str) -> str:
        """The address of a page as this adapter's readers can reach it; empty where they cannot."""
        base = self.parts.config.relay.public_url or ("" if adapter.remote else self.web.url)
        return f"{base.rstrip('/')}/{path}" if base else ""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set, then stop ingest, outbox (with grace), adapters and web, in this order."""
        await self._serve()
        adapters = [
            asyncio.create_task(self._attend(adapter), name=adapter.name) for adapter in self.parts.adapters.values()
        ]
        outbox = asyncio.create_task(self.outbox.run(), name="outbox")
        ingest = asyncio.create_task(self._read(), name="ingest")
        watch = asyncio.create_task(housekeeping.watch_store(self.store), name="store")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            await _first_failure_or(stopped, [ingest, outbox, watch, *adapters])
        finally:
            await self._stop([ingest, watch, stopped], [outbox], adapters)

    async def _attend(self, adapter: Adapter) -> None:
        """Take commands. A platform lets one account be connected once: of several relays one is, until it ends."""
        if adapter.remote:
            name = f"adapter:{adapter.name}"
            await self.worker.while_held(self.store, name, lambda: adapter.run(self.handlers))
        else:
            await adapter.run(self.handlers)

    async def _serve(self) -> None:
        web = self.parts.config.web
        try:
            await self.web.start(web.host, web.port)
        except OSError as error:
            why = error.strerror or str(error)
            raise StartError(
                f"the pages cannot be served on {web.host}:{web.port}: {why}; change [web] host or port"
            ) from error

    async def _stop(self, readers: Tasks, senders: Tasks, adapters: Tasks) -> None:
        try:
            async with asyncio.timeout(STOP_WITHIN.total_seconds()):
                await end(*readers)
                await self.ingest.stop()
                await end(*senders)
                await self.outbox.stop(self.parts.config.outbox.grace)
                await end(*adapters)
                await self.web.stop()
                await self.store.delete_leases(self.worker.owner)
        except (TimeoutError, StoreError) as error:
            log.error(  # noqa: TRY400 - no bug, so no traceback
                "the relay stopped in a hurry; the next start goes on where it was", reason=str(error) or "time is up"
            )
        else:
            log.info("the relay has stopped")
        if self.outbox.unknown:
            log.warning("of some attempts nobody knows whether they arrived", attempts=self.outbox.unknown)

    async def _read(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.subscriptions.run(wanted(self.parts.config)), name="subscriptions")
            tasks.create_task(self.subscriptions.serve(), name="chat subscriptions")
            tasks.create_task(self.ingest.run(), name="ingest")
            tasks.create_task(self.folding.run(), name="folds")
            tasks.create_task(self.thread_refresh.run(), name="thread refresh")
            tasks.create_task(self._erase(), name="erasing")
            tasks.create_task(self.speaker.run(), name="mentions")
            tasks.create_task(self._announce(), name="announcement")
            tasks.create_task(self.timekeeper.run(), name="clock")
            tasks.create_task(housekeeping.tend_memory(started=self.ingest.ready), name="memory")
            if self.parts.config.store.keep:
                tasks.create_task(self._forget(self.parts.config.store.keep), name="forget")

    async def _erase(self) -> None:
        await self.timekeeper.started.wait()
        await self.erasing.run()

    async def _announce(self) -> None:
        """Say that the relay runs when it does: all subscriptions are known, and what is due is read."""
        await self.subscriptions.written.wait()
        await self.ingest.ready.wait()
        log.info("the relay runs", pages=self.web.url, subscriptions=self.ingest.subscriptions)

    async def _forget(self, keep: timedelta) -> None:
        await self.timekeeper.started.wait()
        while True:
            if self.timekeeper.is_settled:
                await self.worker.persist(lambda: self.store.delete_old(self.clock() - keep))
            await asyncio.sleep(FORGET_EVERY.total_seconds())


async def _first_failure_or(stopped: asyncio.Task[Any], tasks: Tasks) -> None:
    """Wait for ``stopped``; raise what ends a task before. Tasks that end well are let go."""
    waiting = {stopped, *tasks}
    while stopped in waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if stopped in done:
            return


@asynccontextmanager
async def open_app(
    config: Config, *, exclusive: bool = True, sources: Mapping[str, Source] | None = None
) -> AsyncIterator[App]:
    """Everything that ``relay run`` runs, opened and closed in order; with ``sources`` besides the configured ones."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(build(config))
        parts = replace(parts, sources={**parts.sources, **(sources or {})})
        store = await open_store(
            config.store.url.get_secret_value(),
            policy=policy(parts),
            exclusive=exclusive,
            busy_timeout=config.store.busy_timeout,
        )
        stack.push_async_callback(store.close, CLOSE_WITHIN)
        yield App(parts, store)
