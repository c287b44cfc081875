"""A post becomes a message, and one more for each of its pictures, in the room and thread where it belongs.

Each part has a transaction id that is made of the delivery's: from one device it is one message, however often it is
sent. A homeserver remembers that for a while (Synapse: a day); after a crash the room is looked through besides.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from adapters.matrix.api import Failed, Json, MatrixApi
from adapters.matrix.calls import MatrixCalls
from adapters.matrix.card import message, pictures
from adapters.matrix.content import DELIVERY, Uploaded, edited, in_thread, picture_content, text_content
from adapters.matrix.media import Pictures
from adapters.matrix.outcomes import UNRELATED, outcome_of, refuses_picture, says
from adapters.matrix.rooms import RoomFinder
from adapters.matrix.settings import MatrixOptions
from adapters.matrix.style import MatrixStyle
from relay.i18n import Words
from relay.kit import MessageIds, readable
from relay.log import Trouble, get_logger
from relay.model import Card, Delivery, MessageId
from relay.ports import Outcome, Sent, TryLater

# --- which parts of a delivery stand in a room already, by the mark that each of our messages bears ---


def found(events: Iterable[Json], user: str, delivery: str) -> dict[int, str]:
    """The event of each part, by its number. What others wrote, or what was taken back, bears no mark of ours."""
    parts: dict[int, str] = {}
    for event in events:
        content = event.get("content")
        mark = content.get(DELIVERY) if isinstance(content, dict) and event.get("sender") == user else None
        name, _, number = mark.rpartition("-") if isinstance(mark, str) else ("", "", "")
        if name == delivery and number.isascii() and number.isdigit() and len(number) < 4:
            parts[int(number)] = str(event.get("event_id", ""))
    return {number: event for number, event in parts.items() if event}


# --- sending ---

log = get_logger(__name__)

MANY = 1_000
FETCHING = 8.0
"""Seconds for the pictures of one post; an attempt has longer, but not much."""
TRIES = 2
"""So often pictures that take long, or are not taken, are waited for; then links take their place."""
SOON = timedelta(seconds=5)
UPLOADS = "uploads to the homeserver"


@dataclass(frozen=True, slots=True)
class MatrixPart:
    """One message of a post; ``number`` is its own for good: 0 is the text, then each picture."""

    number: int
    content: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixOrder:
    """One post on its way into a room."""

    delivery: Delivery
    card: Card
    room: str
    look: MatrixStyle
    root: str = ""
    """The event that the post's thread began with here; empty: it stands by itself."""

    def transaction(self, number: int) -> str:
        return f"{self.delivery.id}-{number}"


class MatrixSender:
    """Carries out ``Action.SEND``."""

    def __init__(
        self, *, api: MatrixApi, calls: MatrixCalls, places: RoomFinder, media: Pictures, say: Words, prefix: str
    ) -> None:
        self._api, self._calls, self._places, self._media = api, calls, places, media
        self._say, self._prefix = say, prefix
        self._trouble = Trouble()
        self._sent: OrderedDict[str, dict[int, str]] = OrderedDict()
        """The parts that are there already, by the delivery's id."""

    async def send(self, delivery: Delivery, card: Card) -> Outcome:
        room = await self._places.room_of(delivery)
        if not isinstance(room, str):
            return room
        order = self._order(delivery, card, room)
        uploaded = await self._uploaded(order)
        if isinstance(uploaded, TryLater):
            return uploaded
        sent = await self._so_far(order)
        if isinstance(sent, Failed):
            return outcome_of(sent, delivery, self._say, self._prefix)
        failed = await self._all(order, list(_parts(order, uploaded, self._say)), sent)
        if failed is None and len(sent) <= len(uploaded):
            failed = await self._reworded(order, sent)
        if failed is not None:
            self._keep(delivery.id, sent)
            return outcome_of(failed, delivery, self._say, self._prefix)
        self._sent.pop(delivery.id, None)
        posted = (MatrixMessage("picture" if number else "text", room, event) for number, event in sorted(sent.items()))
        return Sent(tuple(one.id for one in posted), wait=self._calls.gap())

    # --- where to, and what is there ---

    def _order(self, delivery: Delivery, card: Card, room: str) -> MatrixOrder:
        notify = bool(MatrixOptions.read(delivery.options).notify)
        first = next(iter(readable(delivery.under, MatrixMessage.parse)), None)
        return MatrixOrder(
            delivery=delivery,
            card=card,
            room=room,
            look=MatrixStyle(say=self._say, notify=notify),
            root=first.event if first is not None and first.room == room else "",
        )

    async def _so_far(self, order: MatrixOrder) -> dict[int, str] | Failed:
        known = self._sent.get(order.delivery.id)
        if known is not None or not order.delivery.interrupted:
            return known or {}
        latest = await self._api.latest(order.room, 100)
        return latest if isinstance(latest, Failed) else found(latest, self._api.user, order.delivery.id)

    # --- pictures ---

    async def _uploaded(self, order: MatrixOrder) -> dict[int, Uploaded] | TryLater:
        """The pictures that the homeserver has, by the number of their part; the others become links."""
        wanted = pictures(order.card)
        waits = order.delivery.attempts < TRIES
        ready: dict[int, Uploaded] = {}
        try:
            async with asyncio.timeout(FETCHING):
                for number, media in enumerate(wanted, 1):
                    came = await self._media.uploaded(media)
                    if isinstance(came, Uploaded):
                        ready[number] = came
                        self._trouble.works(UPLOADS)
                    elif isinstance(came, Failed):
                        self._trouble.broke(UPLOADS, came.reason)
                        if waits and (came.limited or came.status == 0 or came.status >= 500):
                            return TryLater(f"a picture waits: {came.reason}", came.after)
        except TimeoutError:
            if waits:
                return TryLater("its pictures take long", SOON)
        return ready

    # --- the calls ---

    async def _all(
        self, order: MatrixOrder, parts: Collection[MatrixPart], sent: dict[int, str]
    ) -> Failed | TryLater | None:
        """Send what is not there yet, in order, but for pictures that are refused; what stopped it, or None."""
        for part in parts:
            if part.number in sent:
                continue
            event = await self._part(order, part, order.root)
            if order.root and says(event, UNRELATED):
                event = await self._part(order, part, "")
            if part.number and refuses_picture(event):
                continue
            if not isinstance(event, str):
                return event
            sent[part.number] = event
        return None

    async def _reworded(self, order: MatrixOrder, sent: dict[int, str]) -> Failed | TryLater | None:
        """Pictures were refused after the words were taken: these link to them now, if the homeserver lets us."""
        log.info("pictures were refused: links take their place", room=order.room)
        shown = {media.url for number, media in enumerate(pictures(order.card), 1) if number in sent}
        written = message(order.card, order.look, shown=shown)
        content = edited(text_content(written, notify=order.look.notify), sent[0])
        transaction = order.transaction(0) + "-links"
        told = await self._calls.paced(order.room, lambda: self._api.send(order.room, transaction, content))
        return None if isinstance(told, str) or refuses_picture(told) else told

    async def _part(self, order: MatrixOrder, part: MatrixPart, root: str) -> str | Failed | TryLater:
        content = in_thread(part.content, root) if root else part.content
        transaction = order.transaction(part.number)
        return await self._calls.paced(order.room, lambda: self._api.send(order.room, transaction, content))

    def _keep(self, delivery: str, sent: dict[int, str]) -> None:
        """For the next try of the same delivery."""
        if sent:
            self._sent[delivery] = sent
            while len(self._sent) > MANY:
                self._sent.popitem(last=False)


def _parts(order: MatrixOrder, uploaded: dict[int, Uploaded], say: Words) -> Iterator[MatrixPart]:
    wanted = pictures(order.card)
    shown = {media.url for number, media in enumerate(wanted, 1) if number in uploaded}
    written = message(order.card, order.look, shown=shown)
    yield MatrixPart(0, text_content(written, notify=order.look.notify, delivery=order.transaction(0)))
    for number, media in enumerate(wanted, 1):
        if number in uploaded:
            picture = picture_content(uploaded[number], media.alt, say=say, delivery=order.transaction(number))
            yield MatrixPart(number, picture)


# What Matrix's messages are called in the store: ``text !room $event``, and ``picture …`` for each of its pictures.


Kind = Literal["text", "picture"]
_IDS = MessageIds("{kind} {room} {event}", kind="|".join(get_args(Kind)), room=r"!\S{1,254}", event=r"\$\S{1,254}")


@dataclass(frozen=True, slots=True)
class MatrixMessage:
    """A message of ours."""

    kind: Kind
    room: str
    event: str

    @classmethod
    def parse(cls, text: MessageId) -> MatrixMessage | None:
        """None: no message of ours."""
        if (found := _IDS.read(text)) is None:
            return None
        kind: Kind = found["kind"]  # type: ignore[assignment]  # the pattern has the kinds only
        return cls(kind, found["room"], found["event"])

    @property
    def id(self) -> MessageId:
        return _IDS.write(kind=self.kind, room=self.room, event=self.event)
