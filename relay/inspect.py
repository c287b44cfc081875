"""The commands that look and change nothing (or one flag): check, preview, unroll, subscriptions, resume."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from relay.app import Parts, build, clock, wanted
from relay.config import Config
from relay.core.consent import UNDO_FOR
from relay.core.option_types import written
from relay.core.schedule import is_waiting
from relay.i18n import words
from relay.log import hide
from relay.model import CHAT, Action, Card, Delivery, DeliveryId, Destination, Subscription, Thread
from relay.pipeline.mentions import UNREACHABLE, accounts_of
from relay.pipeline.threads import fetch
from relay.pipeline.topics import Answers, latest, likeliest, refusal, resolve
from relay.ports import Adapter, Check, Refused, Resolved
from relay.records import FeedState, StopKind, StoreError, Wanted
from relay.store import Store, open_store
from relay.text import clean
from relay.web.render import Format, ThreadReading, render_thread


def tell(line: str) -> None:
    """Print a line without secrets: a server that is asked may echo the token that it was sent."""
    sys.stdout.write(hide(line) + "\n")


# --- check ---


async def check(config: Config) -> int:
    """Print a table of ✓ and ✗; 1 on any ✗."""
    async with build(config) as parts:
        store, ours = await _check_store(config)
        ours = [*ours, *(want.destination for want in wanted(config))]
        topics, *answers = await asyncio.gather(
            _check_topics(parts),
            *(source.check() for source in parts.sources.values()),
            *(adapter.check(_at(adapter, ours)) for adapter in parts.adapters.values()),
        )
    checks = [_check_pages(parts), *store, *(check for answer in answers for check in answer), *topics]
    _print(checks)
    return 0 if all(check.ok for check in checks) else 1


def _at(adapter: Adapter, destinations: Iterable[Destination]) -> list[Destination]:
    return sorted({one for one in destinations if one.adapter == adapter.name}, key=str)


def _print(checks: Sequence[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        tell(f"{'✓' if check.ok else '✗'} {check.name:<{width}}  {check.note}".rstrip())


def _check_pages(parts: Parts) -> Check:
    web = parts.config.web
    remote = sorted(adapter.name for adapter in parts.adapters.values() if adapter.remote)
    if parts.config.relay.public_url:
        return Check(name="pages", ok=True, note=parts.config.relay.public_url)
    if any(accounts_of(parts.sources)):
        return Check(name="mentions", ok=False, note=UNREACHABLE)
    note = f"http://{web.host}:{web.port}, this machine only"
    if remote:
        note += f": messages at {', '.join(remote)} carry no unroll link; set relay.public_url to give them one"
    return Check(name="pages", ok=True, note=note)


async def _check_store(config: Config) -> tuple[Sequence[Check], Sequence[Destination]]:
    """How the store is, and where people in the chats asked for something."""
    try:
        async with _opened(config) as store:
            checks = [Check(name="store", ok=True), *await _check_paused(store), *await _check_feeds(store)]
            chats = [one.destination for one in await store.list_subscriptions() if one.origin == CHAT]
    except StoreError as error:
        return [Check(name="store", ok=False, note=str(error))], []
    return checks, chats


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Store]:
    store = await open_store(config.store.url.get_secret_value(), busy_timeout=config.store.busy_timeout)
    try:
        yield store
    finally:
        await store.close()


async def _check_paused(store: Store) -> Iterable[Check]:
    return [
        Check(
            name=str(state.destination),
            ok=False,
            note=f"paused, {state.waiting} waiting: {state.paused}; `relay resume {state.destination}` serves it again",
        )
        for state in await store.list_destinations()
        if state.paused
    ]


async def _check_feeds(store: Store) -> Iterable[Check]:
    states = await store.list_feeds()
    newest = max((state.polled for state in states if state.polled), default=None)
    return [
        Check(name=f"{state.feed.source} {state.feed.address}", ok=not state.stopped, note=note)
        for state in states
        if (note := _of_feed(state, newest))
    ]


def _of_feed(state: FeedState, newest: datetime | None) -> str:
    """What is to be said of it; empty: all is well."""
    notes = [state.stopped or state.note]
    if state.next_poll and is_waiting(state, newest):
        since = f"{state.next_poll:%H:%M:%S} UTC"
        notes.append(f"due since {since} and still waiting: its server is slow, or other feeds come first")
    return "; ".join(filter(None, notes))


async def _check_topics(parts: Parts) -> Sequence[Check]:
    return await asyncio.gather(*(_check_topic(topic, parts) for topic in wanted(parts.config)))


async def _check_topic(topic: Wanted, parts: Parts) -> Check:
    answers: Answers = await resolve(topic.topic, topic.networks or parts.sources, parts.sources)
    if not topic.networks:
        answers = likeliest(topic.topic, answers)
    name = f"{topic.topic} → {topic.destination}"
    if why := refusal(topic.topic, answers):
        return Check(name=name, ok=False, note=why)
    late = [
        f"{source}: {answer.reason}" for source, answer in answers.items() if not isinstance(answer, Resolved | Refused)
    ]
    found = {source: answer for source, answer in answers.items() if isinstance(answer, Resolved)}
    notes = [*late, *(f"{source}: {answer.note}" for source, answer in found.items() if answer.note)]
    return Check(name=name, ok=not notes, note="; ".join(notes) or f"read from {', '.join(found)}")


# --- preview ---


async def preview(config: Config, topic: str, count: int, to: str) -> int:
    """Print the last ``count`` posts on a topic as they would be sent."""
    destination = Destination.parse(to)
    async with build(config.with_adapter("console")) as parts:
        if destination.adapter not in parts.adapters:
            return _failed(f"no adapter {destination.adapter!r} is configured")
        asked = next((one for one in wanted(config) if (one.topic, one.destination) == (topic, destination)), None)
        networks = (asked and asked.networks) or parts.sources
        filters = asked.filters if asked else None
        found = await latest(topic, networks, parts.sources, count=count, wanted=filters, now=clock())
        if found.refused:
            return _failed(refusal(topic, {name: Refused(reason) for name, reason in found.refused.items()}))
        for where, reason in found.unread.items():
            _failed(f"{where}: {reason}")
        for why, left_out in found.left_out.items():
            tell(f"{left_out} left out by `{why}`")
        for card in found.cards:
            await _show(parts, destination, card)
    if not found.cards:
        tell("Nothing to show: no post on this topic can be read now.")
    return 0


async def _show(parts: Parts, destination: Destination, card: Card) -> None:
    adapter = parts.adapters[destination.adapter]
    shown = adapter if not adapter.remote else parts.adapters["console"]
    await shown.deliver(
        Delivery(id=DeliveryId("preview"), action=Action.SEND, destination=destination, uri=card.post.uri, card=card)
    )


# --- unroll ---


async def unroll(config: Config, url: str, output: Path | None, form: str) -> int:
    """Write the thread in which ``url`` stands."""
    suffix = form or (output.suffix.lstrip(".") if output else "txt")
    try:
        chosen = Format({"htm": "html", "markdown": "md", "text": "txt"}.get(suffix, suffix))
    except ValueError:
        return _failed(f"unknown format {suffix!r}; choose html, md, txt or json", 2)
    async with build(config) as parts:
        speaks = config.mentions.bot_words()
        answer = await fetch(url, list(parts.sources.values()), lambda post: speaks.is_request(post, ()))
    if not isinstance(answer, Thread):
        return _failed(f"{url} cannot be unrolled: {answer.reason}")
    written = render_thread(_reading(answer, config), chosen)
    if output is None:
        sys.stdout.write(f"{written}\n")  # the author's words, as they are
    else:
        await asyncio.to_thread(output.write_text, written, encoding="utf-8")
        sys.stderr.write(f"{output}: {len(answer.posts)} posts\n")
    return 0


def _reading(thread: Thread, config: Config) -> ThreadReading:
    language = config.relay.language
    return ThreadReading.of_thread(thread, now=clock(), site=config.relay.name, language=language, say=words(language))


# --- subscriptions ---


async def subscriptions(config: Config) -> int:
    """Print every subscription: its number, topic and destination, who keeps it, and what is special about it."""
    async with _opened(config) as store:
        found = sorted(await store.list_subscriptions(), key=lambda one: (str(one.destination), one.id))
    _table([[str(one.id), one.topic, f"→ {one.destination}", one.origin, _special(one)] for one in found])
    if not found:
        tell("No subscription yet.")
    return 0


def _special(one: Subscription) -> str:
    parts = {
        "networks": ",".join(one.networks),
        **written(one.filters),
        "options": one.options,
        "paused": one.paused,
    }
    return "  ".join(f"{name}={value}" for name, value in parts.items() if value)


async def audit(config: Config, count: int) -> int:
    """Print the latest changes that people made in the chats, newest first."""
    async with _opened(config) as store:
        found = await store.list_audit(count)
    _table([[f"{one.at:%Y-%m-%d %H:%M}", one.user, str(one.destination), one.action, one.detail] for one in found])
    if not found:
        tell("Nothing was changed in a chat yet.")
    return 0


def _table(rows: Sequence[Sequence[str]]) -> None:
    rows = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        tell("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


# --- resume ---


async def resume(config: Config, destination: str) -> int:
    async with _opened(config) as store:
        known = {str(state.destination): state for state in await store.list_destinations()}
        if destination not in known:
            return _failed(f"nothing was ever relayed to {destination!r}; known are: {', '.join(known) or 'none'}")
        await store.save_destination(known[destination].destination, "", clock())
        tell(f"{destination} is served again; {known[destination].waiting} waiting.")
    return 0


def _failed(message: str, code: int = 1) -> int:
    sys.stderr.write(f"relay: {hide(message)}\n")
    return code


# --- forget ---


async def forget(config: Config, ref: str, *, now: bool, post: bool) -> int:
    """Hide an author, or (``post``) the thread of a post, and have it erased when it cannot be undone any more.

    ``now``: erase it at once.
    """
    async with _opened(config) as store:
        at = clock()
        until = at if now else at + UNDO_FOR
        if post or await store.get_stop_kind(ref) is StopKind.POST:
            gone = await store.save_post_stop(ref, at, until)
            if gone is None:
                return _failed(f"no post is known by {ref}")
            tell(f"{ref} is a post: its whole thread is taken out.")
        else:
            gone = await store.save_author_stop(ref, at, until)
            tell(f"{ref} is an author: all of theirs is taken out, and nothing of theirs is kept or relayed again.")
        posts = "1 post" if gone.posts == 1 else f"{gone.posts} posts"
        if now:
            erased = await store.save_erased(at)
            tell(f"Erased: {posts}. It can be undone for what comes from now on: relay forget --undo {ref}")
            if erased and not await _compacted(store):
                tell("Its last bytes leave the database's file when `relay run` comes to it.")
        else:
            tell(f"Hidden: {posts}, and erased at {gone.erased:%Y-%m-%d %H:%M} UTC. Until then it can be undone:")
            tell(f"relay forget --undo {ref}")
    if gone.messages:
        tell(f"{gone.messages} of the messages are deleted as soon as `relay run` comes to it.")
    return 0


async def _compacted(store: Store) -> bool:
    try:
        return await store.save_compact()
    except StoreError:  # it is in use
        return False


async def unforget(config: Config, ref: str) -> int:
    async with _opened(config) as store:
        undone = await store.delete_stop(ref, clock())
    if undone is None:
        tell(f"{ref} was not forgotten.")
        return 1
    tell(f"{ref} may be kept and relayed again.")
    if undone.posts:
        tell(f"{undone.posts} posts can be read again; messages that were deleted do not come back.")
    elif undone.erased:
        tell("What was kept before is erased and does not come back.")
    return 0


async def forgotten(config: Config) -> int:
    """What is taken out: what can still be undone by its name, what is erased by its number alone."""
    async with _opened(config) as store:
        stops = await store.list_stops()
    if not stops:
        tell("Nobody is forgotten.")
        return 0
    rows = [[f"{stop.erased:%Y-%m-%d %H:%M} UTC", stop.kind.value, stop.ref] for stop in stops if stop.erased]
    if rows:
        _table([["erased at", "kind", "who or what"], *rows])
    for (day, kind), count in Counter((f"{stop.at:%Y-%m-%d}", stop.kind) for stop in stops if not stop.erased).items():
        tell(f"{day}  {count} × {kind}, erased")
    return 0
