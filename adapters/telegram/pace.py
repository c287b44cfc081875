"""How often Telegram may be asked: by its FAQ, and learned downwards from what it refuses.

Pure: the clock is an argument, in seconds. A ticket is taken before each request that shows or changes a message, and
given back when its answer came. In one chat a message a second, in a group or channel twenty a minute besides, in all
thirty a second (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this); an edit counts as a
message, an album as many as it has. These figures are no promise: a chat that says 429 is left alone for as long as
it asks, and served more slowly after that, while all others go on as before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from adapters.telegram.address import is_private

A_MINUTE = 60.0
A_MINUTES_MESSAGES = 20
ALL_TOGETHER = 30
A_LITTLE = 0.002
LATEST = 1.0
"""So long after it was begun a request counts at the latest: what then still lasts is the fetching of media."""
SURE_AFTER = 20
"""So many answers show how quick one can be."""
SLOWER, QUICKER, SLOWEST = 0.7, 0.01, 0.1
"""A refusal takes away three tenths of a chat's rate, each message taken gives back a hundredth of the full one."""
MANY_CHATS = 2_000

Chat = int | str


@dataclass(slots=True)
class TelegramTicket:
    """``until``: seconds at which it is no longer in the way of others, in all and in its chat."""

    chat: Chat
    items: int
    kind: str
    begun: float
    counted: float = 0.0


@dataclass(slots=True)
class _Chat:
    private: bool
    free: float = 0.0
    closed: float = 0.0
    rate: float = 1.0
    recent: list[TelegramTicket] = field(default_factory=list)
    """Those of the last minute, where that counts."""


class TelegramPace:
    """Whether one more request may be made now. ``second``: how long one is (tests have shorter ones)."""

    def __init__(self, *, second: float = 1.0) -> None:
        self.second = second
        self._chats: dict[Chat, _Chat] = {}
        self._names: dict[str, int] = {}
        self._all: list[TelegramTicket] = []
        self._answers: Counter[str] = Counter()
        self._quickest: dict[str, float] = {}

    # --- may I? ---

    def wait(self, chat: Chat, items: int, now: float) -> float:
        """Seconds until the chat takes so many more messages; 0: now."""
        one = self._chat(chat)
        return max(0.0, max(one.closed, one.free, self._minute(one, items, now)) - now)

    def crowd(self, items: int, now: float) -> float:
        """Seconds until there is room for so many more in the budget of all chats together; 0: now."""
        self._all = [one for one in self._all if one.counted + self.second > now]
        return max(0.0, self._room(self._all, ALL_TOGETHER, items, self.second) - now)

    def take(self, chat: Chat, items: int, kind: str, now: float) -> TelegramTicket:
        """It is sent now; ``kind`` is the method, as some take longer than others."""
        ticket = TelegramTicket(chat, items, kind, begun=now, counted=now + self._most(LATEST))
        one = self._chat(chat)
        one.free = max(one.free, now) + self._gap(one) * items
        if not one.private:
            one.recent.append(ticket)
        self._all.append(ticket)
        self._forget_idle(now)
        return ticket

    # --- what came of it ---

    def done(self, ticket: TelegramTicket, now: float) -> None:
        """It was taken.

        Telegram counts a request when it arrives, which is some time between the writing and the answer: at the latest
        at the answer, less the shortest time that way and answer have ever taken together. So the next one neither
        comes too early nor waits for a way that it has yet to go itself.
        """
        self._counted(ticket, now)
        one = self._chat(ticket.chat)
        one.rate = min(1.0, one.rate + QUICKER)

    def refused(self, ticket: TelegramTicket, now: float) -> None:
        """It was not taken, for a reason of its own: nothing appeared, so it is in nobody's way in its chat."""
        self._counted(ticket, now)
        one = self._chat(ticket.chat)
        one.recent = [other for other in one.recent if other is not ticket]
        one.free -= self._gap(one) * (ticket.items - 1)

    def unsent(self, ticket: TelegramTicket) -> None:
        """It never left this machine."""
        one = self._chat(ticket.chat)
        one.free -= self._gap(one) * ticket.items
        one.recent = [other for other in one.recent if other is not ticket]
        self._all = [other for other in self._all if other is not ticket]

    def slowed(self, ticket: TelegramTicket, after: float, now: float) -> None:
        """The chat is closed for ``after`` seconds, and slower after that. No other chat hears of it."""
        self._counted(ticket, now)
        one = self._chat(ticket.chat)
        one.recent = [other for other in one.recent if other is not ticket]
        one.closed = max(one.closed, now + after)
        one.rate = max(SLOWEST, one.rate * SLOWER)

    def named(self, name: str, chat: int) -> None:
        """``@name`` and the number are one chat."""
        if name.casefold() not in self._names:
            self._names[name.casefold()] = chat
            if (known := self._chats.pop(name.casefold(), None)) is not None:
                self._chats.setdefault(chat, known)

    # --- inside ---

    def _counted(self, ticket: TelegramTicket, now: float) -> None:
        took = now - ticket.begun
        self._answers[ticket.kind] += 1
        quickest = self._quickest[ticket.kind] = min(took, self._quickest.get(ticket.kind, took))
        sure = self._answers[ticket.kind] > SURE_AFTER
        ticket.counted = min(ticket.counted, now + A_LITTLE - (quickest if sure else 0.0))
        one = self._chat(ticket.chat)
        one.free = max(one.free, ticket.counted + self._gap(one) * ticket.items)

    def _gap(self, one: _Chat) -> float:
        return self.second / one.rate

    def _minute(self, one: _Chat, items: int, now: float) -> float:
        """When the minute has room for so many more."""
        if one.private:
            return 0.0
        minute = A_MINUTE * self.second
        one.recent = [ticket for ticket in one.recent if ticket.counted + minute > now]
        return self._room(one.recent, max(1, int(A_MINUTES_MESSAGES * one.rate)), items, minute)

    @staticmethod
    def _room(tickets: list[TelegramTicket], most: int, items: int, window: float) -> float:
        """When so many more fit among those of a window; what never fits alone fits when the window is empty."""
        spare = most - sum(one.items for one in tickets) - items
        if spare >= 0 or not tickets:
            return 0.0
        for one in sorted(tickets, key=lambda one: one.counted):
            spare += one.items
            if spare >= 0:
                return one.counted + window
        return max(one.counted for one in tickets) + window

    def _most(self, seconds: float) -> float:
        return seconds * self.second

    def _chat(self, chat: Chat) -> _Chat:
        key = self._names.get(chat.casefold(), chat.casefold()) if isinstance(chat, str) else chat
        known = self._chats.get(key)
        if known is None:
            known = self._chats[key] = _Chat(private=is_private(key))
        return known

    def _forget_idle(self, now: float) -> None:
        if len(self._chats) > MANY_CHATS:
            minute = A_MINUTE * self.second
            self._chats = {
                key: one
                for key, one in self._chats.items()
                if max(one.free, one.closed) + minute > now or one.rate < 1.0
            }
