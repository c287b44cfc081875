"""What a client does in rooms: join and leave them, send, redact, set state."""

from __future__ import annotations

from tests.servers.matrix import rules
from tests.servers.matrix.buckets import Buckets
from tests.servers.matrix.door import CLIENT, Operations, Request
from tests.servers.matrix.refusal import Json, Refusal, bad, forbidden, limited, missing
from tests.servers.matrix.things import MEMBER, Room
from tests.servers.matrix.world import Sent, World

operations = Operations()
_ROOM = f"{CLIENT}/rooms/{{room}}"


def room_of(world: World, asked: Request, *, inside: bool = True) -> Room:
    """The room that is meant, which one must be in: else nobody tells whether there is one."""
    found = world.rooms.get(asked.room)
    if found is None:
        raise forbidden(f"User {asked.user} not in room {asked.room} (None)")
    if inside:
        rules.check_inside(found, asked.user)
    return found


def _check_pace(world: World, buckets: Buckets, user: str) -> None:
    wait = buckets.wait(user)
    if wait > 0:
        buckets.too_many += 1
        raise limited(wait, world.told)


# --- membership ---


@operations("POST", f"{CLIENT}/join/{{room}}", f"{_ROOM}/join")
def join(world: World, asked: Request) -> Json:
    asked.json(empty=True)
    room = _room_to_join(world, asked.room)
    if room.membership(asked.user) != "join":
        _check_pace(world, world.join_buckets, asked.user)
        _check_welcome(room, asked.user)
        world.join_buckets.take(asked.user)
        world.join(room, asked.user)
    return {"room_id": room.id}


def _room_to_join(world: World, named: str) -> Room:
    if named.startswith("#"):
        named = world.aliases.get(named) or _no_alias(named)
    if not named.startswith("!"):
        raise bad(f"{named} was not legal room ID or room alias", "M_INVALID_PARAM")
    if named not in world.rooms:
        error = "Can't join remote room because no servers that are in the room have been provided."
        raise Refusal(404, "M_UNKNOWN", error)
    return world.rooms[named]


def _no_alias(named: str) -> str:
    raise missing(f"Room alias {named} not found")


def _check_welcome(room: Room, user: str) -> None:
    if room.membership(user) == "ban":
        raise forbidden("You are banned from this room")
    if room.membership(user) != "invite" and room.content("m.room.join_rules")["join_rule"] != "public":
        raise forbidden("You are not invited to this room.")


@operations("POST", f"{_ROOM}/leave")
def leave(world: World, asked: Request) -> Json:
    asked.json(empty=True)
    room = room_of(world, asked, inside=False)
    if room.membership(asked.user) in ("join", "invite"):
        world.leave(room, asked.user)
        return {}
    mine = room.state.get((MEMBER, asked.user))
    if mine is None or mine["sender"] != asked.user:
        raise forbidden(f"{asked.user} not in room {room.id}.")
    return {}


@operations("POST", f"{_ROOM}/forget")
def forget(world: World, asked: Request) -> Json:
    asked.json(empty=True)
    room = room_of(world, asked, inside=False)
    if room.membership(asked.user) in ("join", "invite"):
        raise bad(f"User {asked.user} in room {room.id}")
    world.forgotten.add((asked.user, room.id))
    return {}


@operations("GET", f"{CLIENT}/directory/room/{{room}}")
def alias(world: World, asked: Request) -> Json:
    if not asked.room.startswith("#") or ":" not in asked.room:
        raise bad("Room alias invalid", "M_INVALID_PARAM")
    return {"room_id": world.aliases.get(asked.room) or _no_alias(asked.room), "servers": [world.name]}


# --- events ---


def _sent(world: World, asked: Request) -> tuple[Sent, str]:
    """What makes this call the same as another, and the event that the other made: per device, not per token."""
    key = (asked.user, asked.device, asked.path)
    return (asked.user, asked.device, asked.txn), world.transactions.get(key, "")


def _done(world: World, asked: Request, event: str) -> Json:
    first = world.used.setdefault((asked.user, asked.device, asked.room, asked.txn), asked.path)
    if first != asked.path and asked.user == world.bot:
        # Synapse's table knows no path: there the second call would be taken for the first
        world.faulty.append(f"{asked.path}: the transaction id was used before, at {first}")
    world.transactions[asked.user, asked.device, asked.path] = event
    world.buckets.take(asked.user)
    return {"event_id": event}


@operations("PUT", f"{_ROOM}/send/{{type}}/{{txn}}")
def send(world: World, asked: Request) -> Json:
    """An event; sent again by the same device with the same transaction id it is the same, whatever is in it."""
    sent, before = _sent(world, asked)
    if before:
        return {"event_id": before}
    content, kind = asked.json(), asked.params["type"]
    _check_pace(world, world.buckets, asked.user)
    rules.check_values(content)
    room = room_of(world, asked)
    if room.encrypted and kind == "m.room.message" and asked.user == world.bot:
        world.faulty.append(f"{room.id}: a message in the clear in an encrypted room")
    rules.check_power(room, asked.user, kind)
    rules.check_relation(world.rooms, room, content)
    event = {"type": kind, "sender": asked.user, "content": content, "room_id": room.id, "origin_server_ts": 10**12}
    rules.check_size(event)
    return _done(world, asked, world.happen(room, event, sent))


@operations("PUT", f"{_ROOM}/redact/{{event}}/{{txn}}")
def redact(world: World, asked: Request) -> Json:
    sent, before = _sent(world, asked)
    if before:
        return {"event_id": before}
    told = asked.json(empty=True)
    _check_pace(world, world.buckets, asked.user)
    room = room_of(world, asked)
    rules.check_power(room, asked.user, "m.room.redaction")
    event = room.by_id.get(asked.params["event"])
    if event is None:
        raise missing()
    rules.check_redaction(room, asked.user, event)
    return _done(world, asked, world.blot_out(room, event, asked.user, str(told.get("reason", "")), sent))


@operations("PUT", f"{_ROOM}/state/{{type}}", f"{_ROOM}/state/{{type}}/", f"{_ROOM}/state/{{type}}/{{key}}")
def put_state(world: World, asked: Request) -> Json:
    content, kind, key = asked.json(), asked.params["type"], asked.params.get("key", "")
    _check_pace(world, world.buckets, asked.user)
    rules.check_values(content)
    room = room_of(world, asked)
    rules.check_state(room, asked.user, kind, key, content)
    rules.check_size({"type": kind, "sender": asked.user, "content": content, "room_id": room.id, "state_key": key})
    world.buckets.take(asked.user)
    same = room.content(kind, key) == content and (kind, key) in room.state
    found = room.state[kind, key]["event_id"] if same else world.set_state(room, kind, content, key, by=asked.user)
    return {"event_id": found}


@operations("PUT", f"{_ROOM}/typing/{{user}}")
def typing(world: World, asked: Request) -> Json:
    room_of(world, asked)
    return {}


@operations("POST", f"{_ROOM}/receipt/{{kind}}/{{event}}", f"{_ROOM}/read_markers")
def receipt(world: World, asked: Request) -> Json:
    room_of(world, asked)
    return {}
