"""The adapter: takes deliveries, and lets people's commands in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from adapters.matrix.address import NO_ROOM, is_alias, is_id
from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.calls import DEAD, MatrixCalls
from adapters.matrix.card import message, pictures
from adapters.matrix.content import edited, text_content
from adapters.matrix.limits import TEXT
from adapters.matrix.media import Pictures
from adapters.matrix.outcomes import ENCRYPTED, outcome_of, vanished
from adapters.matrix.rights import Powers, level, needed_to_post
from adapters.matrix.rooms import RoomFinder, Rooms
from adapters.matrix.sending import MatrixMessage, MatrixSender
from adapters.matrix.settings import MatrixOptions, MatrixSettings
from adapters.matrix.style import MatrixStyle
from relay.i18n import Words, words
from relay.kit import readable
from relay.model import Action, Card, Delivery, Destination
from relay.plugins import Host
from relay.ports import Check, Inbox, Limits, Outcome, Refused, Sent, TryLater

# --- checks ---

# What ``relay check`` asks of a homeserver: who the bot is, and of each room whether it could post there.

CREATE, POWER, NAME = "m.room.create", "m.room.power_levels", "m.room.name"
PACE = (
    "how fast it may post, a homeserver does not tell: Synapse by default takes one message in five seconds of an "
    "account, in all its rooms together. An admin of the homeserver lifts that: POST "
    '/_synapse/admin/v1/users/{user}/override_ratelimit with {{"messages_per_second": 0, "burst_count": 0}}'
)
NOBODY = "nobody may invite it: name people or servers in adapters.matrix.invites (or owners)"


class MatrixChecks:
    def __init__(self, settings: MatrixSettings, api: MatrixApi, rooms: Rooms) -> None:
        self._settings, self._api, self._rooms = settings, api, rooms

    async def all(self, destinations: Collection[Destination]) -> Sequence[Check]:
        me = await self._api.whoami()
        if isinstance(me, Failed):
            return (Check(name="matrix", ok=False, note=_refusal(me)),)
        user, device = me
        if user != self._settings.user:
            note = f"the token is {user}'s: set adapters.matrix.user to that, or use a token of {self._settings.user}"
            return (Check(name="matrix", ok=False, note=note),)
        own = Check(name="matrix", ok=True, note=await self._introduced(user, device))
        return (own, *[await self._one(destination) for destination in destinations])

    async def _introduced(self, user: str, device: str) -> str:
        software = await self._api.software()
        notes = [f"the bot is {user} on {software or 'a homeserver'}, device {device or 'without a name'}"]
        if not device:
            notes.append("its token has no device: after a crash a post may come twice; use a token from a login")
        if not self._settings.invites and not self._settings.owners:
            notes.append(NOBODY)
        if software in {"", "Synapse"}:
            notes.append(PACE.format(user=user))
        return "; ".join(notes)

    async def _one(self, destination: Destination) -> Check:
        name, address = str(destination), destination.address
        if not is_id(address) and not is_alias(address):
            return Check(name=name, ok=False, note=NO_ROOM)
        room, joined = await self._rooms.find(address), await self._api.joined()
        if isinstance(room, Failed):
            return Check(name=name, ok=False, note=_refusal(room))
        if isinstance(joined, Failed):
            return Check(name=name, ok=False, note=_refusal(joined))
        if room not in joined:
            return Check(name=name, ok=False, note=f"the bot is not in this room: invite {self._api.user}")
        return await self._standing(name, room)

    async def _standing(self, name: str, room: str) -> Check:
        encrypted, create = await self._rooms.encrypted(room), await self._api.state_event(room, CREATE)
        if isinstance(encrypted, Failed):
            return Check(name=name, ok=False, note=_refusal(encrypted))
        if isinstance(create, Failed):
            return Check(name=name, ok=False, note=_refusal(create))
        if encrypted:
            return Check(name=name, ok=False, note=ENCRYPTED)
        if after := await self._rooms.successor(room):
            return Check(name=name, ok=False, note=f"this room was replaced by {after.room}")
        levels = await self._api.state(room, POWER)
        powers = Powers(None if isinstance(levels, Failed) else levels, create)
        ours, needed = level(powers, self._api.user), needed_to_post(powers)
        if ours < needed:
            note = f"it takes a power level of {needed:g} to post here, and the bot's is {ours:g}: raise it"
            return Check(name=name, ok=False, note=note)
        named = await self._api.state(room, NAME)
        return Check(name=name, ok=True, note="" if isinstance(named, Failed) else str(named.get("name", ""))[:100])


def _refusal(failed: Failed) -> str:
    if failed.unauthorized:
        return f"the homeserver refuses the token ({failed.reason}): {DEAD}"
    if failed.code == "M_FORBIDDEN" and not failed.limited:
        return f"the homeserver refuses it ({failed.reason}): look at adapters.matrix.user and password, or the room"
    if failed.code == "M_NOT_FOUND":
        return f"the homeserver knows no such room ({failed.reason})"
    if not failed.code and failed.status:
        return f"no homeserver answers there ({failed.reason}): look at adapters.matrix.homeserver"
    return failed.reason


# --- what was sent is changed or taken back ---

FOREIGN = "no message that this adapter has sent"
MANY = 1_000


class MatrixChanger:
    """Carries out ``Action.EDIT``, ``COUNT`` and ``DELETE``."""

    def __init__(self, *, api: MatrixApi, calls: MatrixCalls, say: Words, prefix: str) -> None:
        self._api, self._calls, self._say, self._prefix = api, calls, say, prefix
        self._redacted: OrderedDict[str, int] = OrderedDict()
        """How many messages of a deletion are gone already, by the delivery's id."""

    async def edit(self, delivery: Delivery, card: Card) -> Outcome:
        """The words, and the count in them, as the card says them now. Pictures stay as they were sent.

        An edit is always one of the first event: an edit of an edit is none (Matrix spec, "Event replacements").
        """
        ours = readable(delivery.messages, MatrixMessage.parse)
        if not ours or ours[0].kind != "text":
            return Refused(FOREIGN)
        first = ours[0]
        look = MatrixStyle(say=self._say, notify=bool(MatrixOptions.read(delivery.options).notify))
        there = pictures(card)
        shown = {media.url for media in there} if len(there) < len(ours) else set()  # which of them came, nobody knows
        content = edited(text_content(message(card, look, shown=shown), notify=look.notify), first.event)
        transaction = f"{delivery.id}-edit"  # Synapse tells transactions apart by their ids alone, not by their paths
        told = await self._calls.paced(first.room, lambda: self._api.send(first.room, transaction, content))
        return self._outcome(delivery, None if isinstance(told, str) else told)

    async def delete(self, delivery: Delivery) -> Outcome:
        """All messages that the post became, the words first."""
        ours = readable(delivery.messages, MatrixMessage.parse)
        if not ours:
            return Refused(FOREIGN)
        for number, one in enumerate(ours):
            if number < self._redacted.get(delivery.id, 0):
                continue
            failed = await self._redact(delivery, number, one)
            if failed is not None and not vanished(failed):
                return self._outcome(delivery, failed)
            self._keep(delivery.id, number + 1)
        self._redacted.pop(delivery.id, None)
        return self._outcome(delivery, None)

    async def _redact(self, delivery: Delivery, number: int, posted: MatrixMessage) -> Failed | TryLater | None:
        transaction = f"{delivery.id}-{number}-gone"
        told = await self._calls.paced(posted.room, lambda: self._api.redact(posted.room, posted.event, transaction))
        return None if isinstance(told, str) else told

    def _outcome(self, delivery: Delivery, failed: Failed | TryLater | None) -> Outcome:
        """What is no longer there at all is done."""
        if failed is None or vanished(failed):
            return Sent(delivery.messages, wait=self._calls.gap())
        return outcome_of(failed, delivery, self._say, self._prefix)

    def _keep(self, delivery: str, count: int) -> None:
        self._redacted[delivery] = count
        while len(self._redacted) > MANY:
            self._redacted.popitem(last=False)


# --- adapter ---


class Matrix:
    """One account at one homeserver."""

    name = "matrix"
    remote = True

    def __init__(self, settings: MatrixSettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self.limits = Limits(text=TEXT, media=None, idempotent=True)
        self.api = api = MatrixApi(settings)
        self.calls = calls = MatrixCalls()
        self.rooms = rooms = Rooms(api)
        say, prefix = words(host.language), settings.prefix
        places = RoomFinder(api=api, rooms=rooms, settings=settings, say=say)
        server = settings.user.partition(":")[2]
        self._media = media = Pictures(host.http, host.notes, api.upload, api.upload_limit, home=server)
        self._sender = MatrixSender(api=api, calls=calls, places=places, media=media, say=say, prefix=prefix)
        self._changer = MatrixChanger(api=api, calls=calls, say=say, prefix=prefix)
        self._checks = MatrixChecks(settings, api, rooms)

    async def run(self, inbox: Inbox) -> None:
        """Take commands until cancelled. A token that is refused ends it with one loud line: others go on."""
        from adapters.matrix.listening import Listening

        await Listening(self._settings, self._host, self.api, self.calls, self.rooms).run(inbox)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once."""
        if delivery.action is Action.DELETE:
            return await self._changer.delete(delivery)
        if delivery.card is None:
            return Refused("there is nothing to show")
        if delivery.action is Action.SEND:
            return await self._sender.send(delivery, delivery.card)
        return await self._changer.edit(delivery, delivery.card)

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """Who the bot is, how fast it may post, and of each room whether it could post there."""
        return await self._checks.all(destinations)

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        await self._media.close()
        await self.api.close()


def build(settings: MatrixSettings, host: Host) -> Matrix:
    return Matrix(settings, host)
