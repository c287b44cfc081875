"""What Discord's answers mean for a delivery and for its channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from adapters.discord.api import REFUSED_FOR, DiscordMaybeSent, DiscordNotSent, DiscordReply, Result
from adapters.discord.channels import Channel, Channels
from adapters.discord.permissions import missing
from adapters.discord.rights import DiscordRights
from relay.i18n import Words
from relay.model import Delivery
from relay.ports import Gone, Outcome, Refused, TryLater, Unknown

A_WHILE = timedelta(minutes=1)
SECOND_LOOK = timedelta(seconds=30)
STRIKES = 2
BROKEN = 3
"""So often Discord may fail at one body (HTTP 5xx) before it is given another one."""
MANY = 1_000

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK = 10003, 10008, 10015
NO_ACCESS, NO_PERMISSION, BAD_WEBHOOK_TOKEN, ARCHIVED = 50001, 50013, 50027, 50083
TOO_MANY_WEBHOOKS = frozenset({30007, 30058})
THREAD_EXISTS = 160004
CROSSPOSTED = 40033
_SLOWER = frozenset({20016, 20022, 20028, 20029, 30046})
"""Write rates beside the headers': announcements, channel, server, and edits of old messages."""
WEBHOOK_GONE = frozenset({UNKNOWN_WEBHOOK, BAD_WEBHOOK_TOKEN})
_THIS_MESSAGE = frozenset({UNKNOWN_MESSAGE, 50005, 200000, 200001, 240000})
"""Refusals of one message: its channel is open all the same."""
_GUARD = 40333


def code_of(result: Result) -> int:
    """Discord's own code of a refusal; 0: none."""
    return result.code if isinstance(result, DiscordReply) else 0


def is_broken(result: Result) -> bool:
    """Discord failed at it (HTTP 5xx but "come back later")."""
    return isinstance(result, DiscordReply) and result.status >= 500 and result.status != 503


def is_closed(result: Result) -> bool:
    """The place is gone or closed to us, as far as one answer can say."""
    return (
        isinstance(result, DiscordReply)
        and result.status in {403, 404}
        and result.code not in _THIS_MESSAGE | _SLOWER | WEBHOOK_GONE | {_GUARD}
        and not (result.status == 403 and not result.code)  # not Discord's: the guard in front of it
    )


def refuses_body(result: Result) -> bool:
    """Discord says no to what is in a message (HTTP 400, 413): without pictures and buttons it may take it."""
    refused = isinstance(result, DiscordReply) and result.status in {400, 413} and result.code != ARCHIVED
    return refused and isinstance(outcome_of(result), Refused)


def outcome_of(result: Result) -> Outcome:
    """The outcome of a failure, as a table; a closed place (:func:`is_closed`) is to be looked at once more."""
    match result:
        case DiscordNotSent(reason, after):
            return TryLater(reason, after)
        case DiscordMaybeSent(reason):
            return Unknown(reason)
    words = f"{result.message} ({result.code or result.status})"
    for applies, what, after in _LATER:
        if applies(result):
            return TryLater(f"{what}: {words}", after if result.retry_after is None else result.retry_after)
    return Unknown(f"Discord failed: {words}") if is_broken(result) else Refused(f"Discord refuses it: {words}")


_LATER: tuple[tuple[Callable[[DiscordReply], bool], str, timedelta | None], ...] = (
    (lambda one: one.code in _SLOWER or one.status == 429, "Discord asks for a slower pace", A_WHILE),
    (lambda one: one.code in WEBHOOK_GONE, "the webhook is gone, another one is needed", None),
    (lambda one: one.status == 401, "Discord refuses the bot's token", REFUSED_FOR),
    (is_closed, "Discord refuses the channel", SECOND_LOOK),
    (lambda one: one.status == 403 and one.code in {0, _GUARD}, "the guard before Discord refuses us", REFUSED_FOR),
    (lambda one: one.status == 503, "Discord has no time", None),
)


class Failures:
    """Remembers what failed before: a channel that refuses twice in a row is closed, a body that breaks is changed."""

    def __init__(self, channels: Channels, rights: DiscordRights, say: Words) -> None:
        self._channels, self._rights, self._say = channels, rights, say
        self._strikes: Counter[str] = Counter()
        self._broken: Counter[str] = Counter()

    async def outcome(self, delivery: Delivery, result: Result, channel: Channel | None = None) -> Outcome:
        """What a failed request means for the delivery; ``channel``: what is known of its place."""
        place = delivery.destination.address
        if not is_closed(result):
            return outcome_of(result)
        self._channels.forget(place)
        self._count(self._strikes, place)
        if self._strikes[place] < STRIKES:
            return outcome_of(result)
        del self._strikes[place]
        return Gone(await self._reason(place, result, channel))

    def count(self, delivery: Delivery, result: Result) -> None:
        """What came of handing in a body: Discord may have failed at it."""
        if is_broken(result):
            self._count(self._broken, delivery.id)

    def breaks(self, delivery: Delivery) -> bool:
        """Discord failed at this delivery as it is too often."""
        return self._broken[delivery.id] >= BROKEN

    def over(self, delivery: Delivery) -> None:
        """It worked."""
        self._strikes.pop(delivery.destination.address, None)
        self._broken.pop(delivery.id, None)

    @staticmethod
    def _count(counter: Counter[str], key: str) -> None:
        if len(counter) >= MANY:
            counter.clear()  # of so many at once, none is the one that matters
        counter[key] += 1

    async def _reason(self, place: str, result: Result, channel: Channel | None) -> str:
        say, code = self._say, code_of(result)
        name = f"#{channel.name}" if channel and channel.name else place
        match code:
            case 10003:
                return say("The channel {channel} is gone.").format(channel=name)
            case 10004:
                return say("The server of {channel} is gone, or I am no longer in it.").format(channel=name)
            case 50001:
                return say("I can't see the channel {channel}. Give me access, then use /resume.").format(channel=name)
        lacking = await self._lacking(channel) if channel is not None else ""
        if lacking:
            return say(
                "I can't post in {channel}: I need the permission {names}. Give it to me, then use /resume."
            ).format(channel=name, names=lacking)
        words = result.message if isinstance(result, DiscordReply) else ""
        return say("I can't post in {channel}: {reason}. Give me permission, then use /resume.").format(
            channel=name, reason=words
        )

    async def _lacking(self, channel: Channel) -> str:
        have = await self._rights.held(channel)
        return ", ".join(self._say(name) for name in missing(have, channel.kind)) if isinstance(have, int) else ""
