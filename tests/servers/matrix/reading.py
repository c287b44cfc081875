"""What a client reads of rooms: events, history, relations, state, members."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Any

from tests.servers.matrix.account import filter_named
from tests.servers.matrix.door import CLIENT, Operations, Request
from tests.servers.matrix.refusal import Json, bad, forbidden, missing
from tests.servers.matrix.sending import room_of
from tests.servers.matrix.things import MEMBER, Room, is_redacted, relation_of
from tests.servers.matrix.world import World

operations = Operations()
_ROOM = f"{CLIENT}/rooms/{{room}}"
_RELATIONS = "/_matrix/client/v1/rooms/{room}/relations/{event}"


def shown(world: World, asked: Request, room: Room, event: Json) -> Json:
    """An event as this device sees it: with its age, its transaction, its latest edit."""
    unsigned = {**event["unsigned"], "age": max(0, int(time.time() * 1000) - event["origin_server_ts"])}
    sent = world.sent_by.get(event["event_id"])
    if sent and sent[:2] == (asked.user, asked.device):
        unsigned["transaction_id"] = sent[2]
    edit = room.latest(event)
    if edit:
        unsigned["m.relations"] = {"m.replace": edit}
    return {**event, "unsigned": unsigned}


def passes(wanted: Json, event: Json) -> bool:
    """Whether a filter lets an event through."""
    kind, sender = event["type"], event.get("sender", "")
    if any(fnmatchcase(kind, one) for one in wanted.get("not_types", ())) or sender in wanted.get("not_senders", ()):
        return False
    types, senders = wanted.get("types"), wanted.get("senders")
    typed = types is None or any(fnmatchcase(kind, one) for one in types)
    return typed and (senders is None or sender in senders)


def place_of(token: str) -> int:
    """The place in the stream that ``s12`` means."""
    if token[:1] != "s" or not token[1:].isdigit():
        raise bad("Invalid stream token", "M_INVALID_PARAM")
    return int(token[1:])


def _visible(world: World, asked: Request) -> tuple[Room, int]:
    """The room, and how many of its events one sees: after leaving, those until then."""
    room = room_of(world, asked, inside=False)
    mine = room.state.get((MEMBER, asked.user))
    hidden = mine is None or room.membership(asked.user) == "invite" or (asked.user, room.id) in world.forgotten
    if hidden or mine is None:
        raise forbidden(f"User {asked.user} not in room {room.id}, and room previews are disabled")
    return room, len(room.events) if room.membership(asked.user) == "join" else room.index(mine) + 1


@operations("GET", f"{_ROOM}/event/{{event}}")
def event(world: World, asked: Request) -> Json:
    room = world.rooms.get(asked.room)
    found = room.by_id.get(asked.params["event"]) if room else None
    if room is None or found is None or room.membership(asked.user) != "join":
        raise missing()
    return shown(world, asked, room, found)


@operations("GET", f"{_ROOM}/messages")
def messages(world: World, asked: Request) -> Json:
    """History, in either direction; the answer names no ``end`` where there is no more."""
    room, count = _visible(world, asked)
    backwards = asked.query.get("dir", "f") == "b"
    start = asked.query.get("from")
    wanted = filter_named(world, asked.query.get("filter", ""))
    place = place_of(start) if start is not None else (world.place if backwards else 0)
    middle = min(room.after(place), count)
    order = range(middle - 1, -1, -1) if backwards else range(middle, count)
    fitting = [number for number in order if passes(wanted, room.events[number])]
    limit = int(asked.query.get("limit") or wanted.get("limit", 10))
    taken = fitting[:limit]
    told = {"start": f"s{place}", "chunk": [shown(world, asked, room, room.events[number]) for number in taken]}
    if len(fitting) > len(taken) and taken:
        told["end"] = f"s{room.places[taken[-1]] - (1 if backwards else 0)}"
    return told


@operations("GET", _RELATIONS, f"{_RELATIONS}/{{kind}}", f"{_RELATIONS}/{{kind}}/{{type}}")
def relations(world: World, asked: Request) -> Json:
    """What relates to an event, newest first."""
    room, count = _visible(world, asked)
    target = asked.params["event"]
    if target not in room.by_id:
        raise missing("Unknown parent event.")
    start = asked.query.get("from")
    upto = min(count, room.after(place_of(start))) if start is not None else count
    found = [one for one in room.events[:upto] if _relates(one, target, asked.params)][::-1]
    limit = int(asked.query.get("limit", 5))
    told: Json = {"chunk": [shown(world, asked, room, one) for one in found[:limit]]}
    if len(found) > limit:
        told["next_batch"] = f"s{room.place(found[limit])}"
    return told


def _relates(one: Json, target: str, params: dict[str, str]) -> bool:
    kind, parent = relation_of(one)
    fits = params.get("kind") in (None, kind) and params.get("type") in (None, one["type"])
    return parent == target and fits and not is_redacted(one)


@operations("GET", f"{_ROOM}/state")
def all_state(world: World, asked: Request) -> list[Json]:
    room, count = _visible(world, asked)
    return [shown(world, asked, room, one) for one in room.state_before(count).values()]


@operations("GET", f"{_ROOM}/state/{{type}}", f"{_ROOM}/state/{{type}}/", f"{_ROOM}/state/{{type}}/{{key}}")
def get_state(world: World, asked: Request) -> Any:
    """A state's content; with ``format=event`` the whole event."""
    room, count = _visible(world, asked)
    found = room.state_before(count).get((asked.params["type"], asked.params.get("key", "")))
    if found is None:
        raise missing()
    return shown(world, asked, room, found) if asked.query.get("format") == "event" else found["content"]


@operations("GET", f"{CLIENT}/joined_rooms")
def joined_rooms(world: World, asked: Request) -> Json:
    return {"joined_rooms": [one.id for one in world.rooms.values() if one.membership(asked.user) == "join"]}


@operations("GET", f"{_ROOM}/joined_members")
def joined_members(world: World, asked: Request) -> Json:
    room = room_of(world, asked)
    names = {one: room.content(MEMBER, one).get("displayname") for one in room.joined}
    return {"joined": {one: {"display_name": name, "avatar_url": None} for one, name in names.items()}}


@operations("GET", f"{_ROOM}/members")
def members(world: World, asked: Request) -> Json:
    room, count = _visible(world, asked)
    found = [one for (kind, _), one in room.state_before(count).items() if kind == MEMBER]
    return {"chunk": [shown(world, asked, room, one) for one in found]}
