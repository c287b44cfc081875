"""What was sent is changed or taken back."""

from __future__ import annotations

from collections import OrderedDict

from adapters.matrix.api import Api, Failed
from adapters.matrix.calls import Calls
from adapters.matrix.card import message, pictures
from adapters.matrix.content import edited, text_content
from adapters.matrix.look import Look
from adapters.matrix.outcomes import outcome_of, vanished
from adapters.matrix.posted import Posted, all_of
from adapters.matrix.settings import MatrixOptions
from relay.i18n import Words
from relay.model import Card, Delivery
from relay.ports import Outcome, Refused, Sent, TryLater

FOREIGN = "no message that this adapter has sent"
MANY = 1_000


class Changer:
    """Carries out ``Action.EDIT``, ``COUNT`` and ``DELETE``."""

    def __init__(self, *, api: Api, calls: Calls, say: Words, prefix: str) -> None:
        self._api, self._calls, self._say, self._prefix = api, calls, say, prefix
        self._redacted: OrderedDict[str, int] = OrderedDict()
        """How many messages of a deletion are gone already, by the delivery's id."""

    async def edit(self, delivery: Delivery, card: Card) -> Outcome:
        """The words, and the count in them, as the card says them now. Pictures stay as they were sent.

        An edit is always one of the first event: an edit of an edit is none (Matrix spec, "Event replacements").
        """
        ours = all_of(delivery.messages)
        if not ours or ours[0].kind != "text":
            return Refused(FOREIGN)
        first = ours[0]
        look = Look(say=self._say, notify=bool(MatrixOptions.read(delivery.options).notify))
        there = pictures(card)
        shown = {media.url for media in there} if len(there) < len(ours) else set()  # which of them came, nobody knows
        content = edited(text_content(message(card, look, shown=shown), notify=look.notify), first.event)
        transaction = f"{delivery.id}-edit"  # Synapse tells transactions apart by their ids alone, not by their paths
        told = await self._calls.paced(first.room, lambda: self._api.send(first.room, transaction, content))
        return self._outcome(delivery, None if isinstance(told, str) else told)

    async def delete(self, delivery: Delivery) -> Outcome:
        """All messages that the post became, the words first."""
        ours = all_of(delivery.messages)
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

    async def _redact(self, delivery: Delivery, number: int, posted: Posted) -> Failed | TryLater | None:
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
