"""/sync: what happened since the client last asked, or a wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

from tests.servers.matrix.account import filter_named
from tests.servers.matrix.door import CLIENT, Operations, Request
from tests.servers.matrix.reading import passes, place_of, shown
from tests.servers.matrix.refusal import Json
from tests.servers.matrix.things import MEMBER, Room
from tests.servers.matrix.world import World

operations = Operations()
CACHED = 120.0
_STRIPPED = ("create", "join_rules", "name", "canonical_alias", "avatar", "topic", "encryption")


@dataclass(frozen=True)
class _View:
    """One client, how far it has come, and what it wants to hear of."""

    world: World
    asked: Request
    since: int
    fresh: bool
    """It knows nothing yet."""
    wanted: Json

    def part(self, *names: str) -> Json:
        found: Any = self.wanted
        for name in names:
            found = found.get(name, {})
        return dict(found)

    def notes(self, room: str, since: int, wanted: Json) -> list[Json]:
        """Account data."""
        mine = [
            {"type": kind, "content": content}
            for (user, where, kind), (place, content) in self.world.notes.items()
            if user == self.asked.user and where == room and place > since
        ]
        return [one for one in mine if passes(wanted, one)]


@operations("GET", f"{CLIENT}/sync")
async def sync(world: World, asked: Request) -> Json:
    """At once when there is anything to tell or ``since`` is missing, else after ``timeout`` milliseconds.

    The same question without ``since`` has the same answer for two minutes, as at Synapse
    (``sync_response_cache_duration``).
    """
    told = asked.query.get("since")
    if told is None:
        key = asked.user, asked.device, *sorted(asked.query.items())
        known, at = world.synced.get(key, (None, 0.0))
        if known is not None and world.clock() - at < CACHED:
            return known
        world.synced[key] = await _answered(world, asked), world.clock()
        return world.synced[key][0]
    return await _answered(world, asked)


async def _answered(world: World, asked: Request) -> Json:
    told = asked.query.get("since")
    wanted = filter_named(world, asked.query.get("filter", ""))
    view = _View(world, asked, place_of(told) if told else 0, told is None, wanted)
    world.seen[asked.user] = view.since
    world.changed()
    full = asked.query.get("full_state") == "true"
    seconds = min(int(asked.query.get("timeout", 0)), 300_000) / 1000
    found = _happened(view, full=full)
    if view.fresh or full or len(found) > 1 or seconds <= 0:
        return found
    world.polling[asked.user] = world.polling.get(asked.user, 0) + 1
    try:
        return await _awaited(view, time.monotonic() + seconds)
    finally:
        world.polling[asked.user] -= 1


async def _awaited(view: _View, until: float) -> Json:
    """What happens next that the client wants to hear of."""
    world, user = view.world, view.asked.user
    world.seen[user] = world.place
    world.changed()  # somebody may wait for this
    while True:
        moved = world.next_move
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await moved.wait()
        found = _happened(view, full=False)
        if len(found) > 1 or time.monotonic() >= until:
            return found
        if world.seen[user] < world.place:
            world.seen[user] = world.place
            world.changed()


def _happened(view: _View, *, full: bool) -> Json:
    """Sections that would be empty are left out, as Synapse does."""
    rooms: dict[str, Json] = {}
    for room in view.world.rooms.values():
        if _wants(view, room):
            kind, told = _section(view, room, full=full)
            if told is not None:
                rooms.setdefault(kind, {})[room.id] = told
    notes = view.notes("", view.since, view.part("account_data"))
    found: Json = {"next_batch": f"s{view.world.place}"}
    found |= {"account_data": {"events": notes}} if notes else {}
    return found | ({"rooms": rooms} if rooms else {})


def _wants(view: _View, room: Room) -> bool:
    wanted = view.part("room")
    listed = room.id in wanted.get("rooms", [room.id]) and room.id not in wanted.get("not_rooms", ())
    return listed and (view.asked.user, room.id) not in view.world.forgotten


def _section(view: _View, room: Room, *, full: bool) -> tuple[str, Json | None]:
    mine = room.state.get((MEMBER, view.asked.user))
    membership = room.membership(view.asked.user)
    if mine is None:
        return "", None
    if membership == "join":
        return "join", _joined(view, room, full=full)
    news = room.place(mine) > view.since
    if membership == "invite":
        return "invite", _invited(view, room) if news else None
    heard = news and (not view.fresh or view.part("room").get("include_leave"))
    return "leave", _left(view, room, mine) if heard else None


def _invited(view: _View, room: Room) -> Json:
    mine = room.state[MEMBER, view.asked.user]
    keys = [*((f"m.room.{kind}", "") for kind in _STRIPPED), (MEMBER, mine["sender"]), (MEMBER, view.asked.user)]
    found = [room.state[key] for key in dict.fromkeys(keys) if key in room.state]
    fields = ("type", "state_key", "sender", "content")
    return {"invite_state": {"events": [{key: one[key] for key in fields} for one in found]}}


def _joined(view: _View, room: Room, *, full: bool) -> Json | None:
    newly = view.fresh or room.joined_at[view.asked.user] > view.since
    first = 0 if newly else room.after(view.since)
    if first == len(room.events) and not full and not view.notes(room.id, view.since, {}):
        return None
    told = _timeline(view, room, first, len(room.events), entire=newly or full)
    notes = view.notes(room.id, 0 if newly else view.since, view.part("room", "account_data"))
    if not (newly or full or told["timeline"]["events"] or told["state"]["events"] or notes):
        return None
    return told | {"account_data": {"events": notes}, "ephemeral": {"events": []}, "unread_notifications": {}}


def _left(view: _View, room: Room, mine: Json) -> Json:
    """What one still saw: all until one left, or only that one was put off."""
    end = room.index(mine) + 1
    was = room.joined_at.get(view.asked.user)
    first = min(room.after(view.since), end - 1) if was is not None else end - 1
    return _timeline(view, room, first, end, entire=False)


def _timeline(view: _View, room: Room, first: int, end: int, *, entire: bool) -> Json:
    """The newest events from ``first`` on, and the state before them that the client does not know."""
    wanted = view.part("room", "timeline")
    fitting = [number for number in range(first, end) if passes(wanted, room.events[number])]
    limit = int(wanted.get("limit", 10))
    taken = fitting[-limit:] if limit else []
    limited = len(fitting) > len(taken)
    start = taken[0] if taken else end
    known = {} if entire else room.state_before(first)
    there = {one["event_id"]: one for when in (start, end) for one in room.state_before(when).values()}
    told = {room.events[number]["event_id"] for number in taken}
    state = [one for key, one in there.items() if key not in told and known.get(_key(one)) is not one]
    place = room.places[start] - 1 if start < len(room.places) else view.world.place
    state = [one for one in state if passes(view.part("room", "state"), one)]
    return {
        "timeline": {"events": _told(view, room, [room.events[number] for number in taken]), "limited": limited,
                     "prev_batch": f"s{place}"},
        "state": {"events": _told(view, room, state)},
    }  # fmt: skip


def _key(event: Json) -> tuple[str, str]:
    return event["type"], event["state_key"]


def _told(view: _View, room: Room, events: list[Json]) -> list[Json]:
    found = [shown(view.world, view.asked, room, one) for one in events]
    return [{key: value for key, value in one.items() if key != "room_id"} for one in found]
