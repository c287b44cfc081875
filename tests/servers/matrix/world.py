"""The state of a small homeserver: accounts, rooms and one stream of all that happens."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.servers.matrix import rules
from tests.servers.matrix.buckets import Buckets
from tests.servers.matrix.content import problems
from tests.servers.matrix.faults import Faults
from tests.servers.matrix.refusal import Json, Told
from tests.servers.matrix.things import MEMBER, Person, Room, Upload, id_of, is_redacted, pruned, relation_of

NAME = "ayllu.example"
Sent = tuple[str, str, str]
"""A user, a device, and a transaction of it."""


class World:
    """Rooms and people, kept in memory."""

    def __init__(
        self,
        *,
        rate: float | None = None,
        burst: int = 10,
        second: float = 1.0,
        hold: float | None = None,
        told: Told = "both",
        joins: float | None = None,
        one_token: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = NAME
        self.buckets = Buckets(rate, burst, second, clock)
        self.join_buckets = Buckets(joins, 10, second, clock)
        self.hold = 0.5 * second if hold is None else hold
        """For how long a refusal of the limiter is held back: its wait counts from before that, as at Synapse."""
        self.told, self.one_token = told, one_token
        self.clock = clock
        self.synced: dict[tuple[object, ...], tuple[Json, float]] = {}
        """Answers about the present by what was asked, and when."""
        self.faults = Faults()
        self.upload_limit = 50 << 20
        self.quota_full = False
        self.place = 0
        self.rooms: dict[str, Room] = {}
        self.aliases: dict[str, str] = {}
        self.people: dict[str, Person] = {}
        self.tokens: dict[str, tuple[str, str]] = {}
        self.uploads: dict[str, Upload] = {}
        self.filters: list[Json] = []
        self.forgotten: set[tuple[str, str]] = set()
        self.notes: dict[tuple[str, str, str], tuple[int, Json]] = {}
        """Account data by user, room (or nothing) and type, with its place in the stream."""
        self.transactions: dict[tuple[str, str, str], str] = {}
        """Events by user, device and path: what is asked again is not done again."""
        self.used: dict[tuple[str, str, str, str], str] = {}
        """Paths by user, device, room and transaction."""
        self.sent_by: dict[str, Sent] = {}
        self.faulty: list[str] = []
        self.seen: dict[str, int] = {}
        """How far in the stream each account has come with /sync."""
        self.polling: dict[str, int] = {}
        self._moved = asyncio.Event()
        made = self.person("relay", device="CHASQUI")
        self.bot, self.token, self.password, self.device = made.id, made.token, made.password, made.device

    # --- waiting ---

    def changed(self) -> None:
        """Wake whoever waits for something here."""
        self._moved.set()
        self._moved = asyncio.Event()

    @property
    def next_move(self) -> asyncio.Event:
        """What is set when anything changes from now on."""
        return self._moved

    async def wait_until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Until the condition on this server holds; an AssertionError where it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._moved.wait()
        except TimeoutError:
            if not condition():
                raise AssertionError(f"it did not come true within {seconds:g} s") from None

    # --- accounts ---

    def person(self, name: str, *, device: str = "PHONE") -> Person:
        """The account of this name, made when it is first asked for."""
        user = f"@{name}:{self.name}"
        if user not in self.people:
            self.people[user] = Person(user, self.new_token(user, device), secrets.token_urlsafe(12), device)
        return self.people[user]

    def new_token(self, user: str, device: str) -> str:
        """Another token for the device; with ``one_token`` instead of its older ones, which Synapse leaves."""
        if self.one_token:
            self.tokens = {key: one for key, one in self.tokens.items() if one != (user, device)}
        made = f"syt_{secrets.token_urlsafe(24)}"
        self.tokens[made] = (user, device)
        return made

    def revoke_token(self, token: str | None = None) -> None:
        """This token, or all of the bot's, are worth nothing from now on."""
        gone = {token} if token else {key for key, (user, _) in self.tokens.items() if user == self.bot}
        self.tokens = {key: one for key, one in self.tokens.items() if key not in gone}
        self.changed()

    # --- rooms ---

    def add_room(
        self,
        creator: object,
        *,
        name: str = "",
        version: str = "12",
        encrypted: bool = False,
        alias: str = "",
        members: Iterable[object] = (),
        users: Mapping[str, int] | None = None,
        events_default: int = 0,
        public: bool = False,
        predecessor: str = "",
    ) -> Room:
        """A room with its creator and the members in it; ``users`` are power levels by user id."""
        who, key = id_of(creator), secrets.token_urlsafe(32)
        made = Room("", version, frozenset({who}))
        made.id = f"!{key}" if made.sovereign else f"!{key[:18]}:{self.name}"
        self.rooms[made.id] = made
        create: Json = {"room_version": version} | ({"predecessor": {"room_id": predecessor}} if predecessor else {})
        if version.isdigit() and int(version) < 11:
            create["creator"] = who
        self.set_state(made, "m.room.create", create, by=who)
        self._become(made, who, "join", by=who)
        levels = ({} if made.sovereign else {who: 100}) | {id_of(key): one for key, one in (users or {}).items()}
        self.set_state(made, "m.room.power_levels", _power(levels, events_default), by=who)
        self.set_state(made, "m.room.join_rules", {"join_rule": "public" if public else "invite"}, by=who)
        self.set_state(made, "m.room.history_visibility", {"history_visibility": "shared"}, by=who)
        if name:
            self.set_state(made, "m.room.name", {"name": name}, by=who)
        if alias:
            self.set_alias(made, alias)
        if encrypted:
            self.encrypt(made)
        for one in map(id_of, members):
            self._become(made, one, "invite", by=who)
            self._become(made, one, "join", by=one)
        return made

    def find(self, room: Room | str) -> Room:
        return room if isinstance(room, Room) else self.rooms[room]

    def set_state(self, room: Room | str, kind: str, content: Json, key: str = "", *, by: object = None) -> str:
        """Somebody (by default the creator) sets a state."""
        it = self.find(room)
        if kind == "m.room.power_levels":
            rules.check_levels(it, content)
        sender = id_of(by) if by else min(it.creators)
        return self.happen(it, {"type": kind, "sender": sender, "content": content, "state_key": key})

    def set_power(self, room: Room | str, user: object, level: int) -> None:
        it = self.find(room)
        content = it.content("m.room.power_levels")
        self.set_state(it, "m.room.power_levels", content | {"users": content["users"] | {id_of(user): level}})

    def encrypt(self, room: Room | str) -> None:
        self.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})

    def upgrade(self, room: Room | str, version: str = "12") -> Room:
        """The room is replaced by another, which only its creator is in; nobody else may write in the old one."""
        old = self.find(room)
        name = str(old.content("m.room.name").get("name", ""))
        made = self.add_room(min(old.creators), name=name, version=version, predecessor=old.id)
        told = {"body": "This room has been replaced", "replacement_room": made.id}
        self.set_state(old, "m.room.tombstone", told)
        levels = old.content("m.room.power_levels")
        raised = max(int(levels.get("users_default", 0)) + 1, 50)
        self.set_state(old, "m.room.power_levels", levels | {"events_default": raised, "invite": raised})
        for alias in [key for key, target in self.aliases.items() if target == old.id]:
            self.aliases[alias] = made.id
        return made

    def set_alias(self, room: Room | str, alias: str) -> str:
        """The room is found under ``plaza`` or ``#plaza:ayllu.example``."""
        it = self.find(room)
        full = alias if alias.startswith("#") else f"#{alias}:{self.name}"
        self.aliases[full] = it.id
        self.set_state(it, "m.room.canonical_alias", {"alias": full})
        return full

    def delete_alias(self, alias: str) -> None:
        del self.aliases[alias if alias.startswith("#") else f"#{alias}:{self.name}"]
        self.changed()

    def remove_room(self, room: Room | str) -> None:
        """An administrator of the server removes it: all are out, and nobody comes in again."""
        it = self.find(room)
        for one in it.joined:
            self._become(it, one, "leave", by=f"@admin:{self.name}")
        self.aliases = {key: target for key, target in self.aliases.items() if target != it.id}
        self.set_state(it, "m.room.join_rules", {"join_rule": "invite"})

    # --- membership ---

    def invite(self, room: Room | str, who: object, whom: object = None, *, is_direct: bool = False) -> None:
        """Somebody invites somebody, by default the bot."""
        self._become(self.find(room), id_of(whom or self.bot), "invite", by=id_of(who), is_direct=is_direct)

    def join(self, room: Room | str, who: object) -> None:
        self._become(self.find(room), id_of(who), "join", by=id_of(who))

    def leave(self, room: Room | str, who: object) -> None:
        self._become(self.find(room), id_of(who), "leave", by=id_of(who))

    def kick(self, room: Room | str, who: object, whom: object = None, reason: str = "") -> None:
        """Somebody puts somebody out, by default the bot; an invitation is taken back so, too."""
        self._become(self.find(room), id_of(whom or self.bot), "leave", by=id_of(who), reason=reason)

    def ban(self, room: Room | str, who: object, whom: object = None, reason: str = "") -> None:
        self._become(self.find(room), id_of(whom or self.bot), "ban", by=id_of(who), reason=reason)

    def _become(self, room: Room, user: str, membership: str, *, by: str, **more: Any) -> None:
        content = {"membership": membership, "displayname": user[1:].split(":", maxsplit=1)[0].capitalize()}
        content |= {key: value for key, value in more.items() if value}
        self.forgotten.discard((user, room.id))
        self.happen(room, {"type": MEMBER, "sender": by, "content": content, "state_key": user})

    # --- what happens ---

    def happen(self, room: Room, event: Json, sent: Sent | None = None) -> str:
        """Put an event behind the others; the id that it gets."""
        self.place += 1
        made = {**event, "event_id": f"${secrets.token_urlsafe(32)}", "room_id": room.id, "unsigned": {}}
        made["origin_server_ts"] = int(time.time() * 1000)
        key = str(made["event_id"])
        if sent:
            self.sent_by[key] = sent
        room.add(made, self.place)
        if event["sender"] == self.bot:
            self._judge(room, made)
        self.changed()
        return key

    def blot_out(self, room: Room, event: Json, by: str, reason: str = "", sent: Sent | None = None) -> str:
        """Redact an event; the id of the redaction, which names it in both places that there are."""
        told = {"redacts": event["event_id"]} | ({"reason": reason} if reason else {})
        done = {"type": "m.room.redaction", "sender": by, "content": told, "redacts": event["event_id"]}
        key = self.happen(room, done, sent)
        event["content"] = pruned(event)
        event["unsigned"]["redacted_because"] = room.by_id[key]
        self.changed()
        return key

    def _judge(self, room: Room, event: Json) -> None:
        found = problems(event["content"], self.uploads) if event["type"] == "m.room.message" else []
        kind, target = relation_of(event)
        if kind == "m.replace" and target in room.by_id:
            original = room.by_id[target]
            if not is_redacted(original) and not room.edits(original, event):
                found.append("it edits what it may not: another's, an edit, or another type")
        self.faulty += [f"{room.id} {event['event_id']}: {one}" for one in found]

    # --- what the bot sent ---

    def raw(self, room: Room | str) -> list[Json]:
        """The bot's own events there, as they were sent; redacted ones are empty."""
        return [one for one in self.find(room).events if one["sender"] == self.bot and "state_key" not in one]

    def sent(self, room: Room | str) -> list[Json]:
        """The bot's messages as a member sees them now: edited, and without what was redacted."""
        it = self.find(room)
        said = [one for one in self.raw(it) if one["type"] == "m.room.message" and not is_redacted(one)]
        return [_now(it, one) for one in said if relation_of(one)[0] != "m.replace"]

    def bodies(self, room: Room | str) -> list[str]:
        """The plain texts of what the bot sent."""
        return [one["content"]["body"] for one in self.sent(room)]


def _power(users: Json, events_default: int) -> Json:
    usual = {"ban": 50, "kick": 50, "redact": 50, "invite": 0, "state_default": 50, "users_default": 0}
    events = {"m.room.power_levels": 100, "m.room.tombstone": 100, "m.room.encryption": 100, "m.room.name": 50}
    return {**usual, "events": events, "events_default": events_default, "users": users}


def _now(room: Room, event: Json) -> Json:
    edit = room.latest(event)
    if edit is None:
        return event
    kept = {key: value for key, value in event["content"].items() if key == "m.relates_to"}
    return {**event, "content": {**edit["content"]["m.new_content"], **kept}}
