"""A post becomes a message: where it belongs, under whose name, and never twice as far as Discord lets us know."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, get_args

from adapters.discord.api import DiscordApi, DiscordReply, Result
from adapters.discord.card import message, original, original_in, title
from adapters.discord.channels import ANNOUNCEMENT, CLOSED, Channel, Channels
from adapters.discord.identity import Identity, Me
from adapters.discord.limits import LONGEST
from adapters.discord.markdown import target_of
from adapters.discord.outcomes import (
    ARCHIVED,
    CROSSPOSTED,
    NO_ACCESS,
    NO_PERMISSION,
    THREAD_EXISTS,
    TOO_MANY_WEBHOOKS,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    WEBHOOK_GONE,
    Failures,
    is_closed,
    refuses_body,
)
from adapters.discord.settings import DiscordOptions, Style
from adapters.discord.style import DiscordStyling
from adapters.discord.webhooks import Webhook, Webhooks
from relay.kit import MessageIds, readable
from relay.log import Trouble, get_logger
from relay.model import Card, Delivery, Destination, MessageId
from relay.ports import Gone, Outcome, Sent

# --- whether a message that may have been sent was: a look at what already stands in the channel ---

LOOKED_AT = "50"
POSTS_LOOKED_AT = 5


class History:
    """Finds a message of ours by the address behind its Original button."""

    def __init__(self, api: DiscordApi, me: Me, webhooks: Webhooks) -> None:
        self._api, self._me, self._webhooks = api, me, webhooks

    async def find(
        self, delivery: Delivery, card: Card, channel: Channel, thread: str
    ) -> DiscordMessage | Result | None:
        """The message that an earlier try became; None: there is none, or we may not look."""
        me = await self._me.get()
        if not isinstance(me, Identity):
            return me
        if channel.is_forum and not thread:
            return await self._among_posts(card, channel, me)
        found = await self._among_messages(delivery, card, thread or channel.id, channel.holder, me)
        if found is None and thread and not channel.is_forum:
            found = await self._among_messages(delivery, card, channel.id, channel.holder, me)
        return found

    async def _among_messages(
        self, delivery: Delivery, card: Card, place: str, holder: str, me: Identity
    ) -> DiscordMessage | Result | None:
        reply = await self._api.request("GET", f"/channels/{place}/messages", query={"limit": LOOKED_AT})
        if not isinstance(reply, DiscordReply) or not reply.ok:
            return None if is_closed(reply) else reply
        other = {one.message for text in delivery.under if (one := DiscordMessage.parse(text))}
        return self._ours(reply.body, card, holder, me, other)

    async def _among_posts(self, card: Card, channel: Channel, me: Identity) -> DiscordMessage | Result | None:
        """A post of a forum is a thread; those of the same name are looked at first."""
        reply = await self._api.request("GET", f"/guilds/{channel.guild}/threads/active")
        if not isinstance(reply, DiscordReply) or not reply.ok:
            return None if is_closed(reply) else reply
        name = title(card)
        posts = [
            one
            for one in reply.body["threads"]
            if one.get("parent_id") == channel.id and (one.get("owner_id") == me.user or one.get("name") == name)
        ]
        posts.sort(key=lambda one: (one.get("name") == name, int(one["id"])), reverse=True)
        for one in posts[:POSTS_LOOKED_AT]:
            first = await self._api.request("GET", f"/channels/{one['id']}/messages/{one['id']}")
            if not isinstance(first, DiscordReply) or not (first.ok or first.status in {403, 404}):
                return first
            if first.ok and (found := self._ours([first.body], card, channel.id, me, ())):
                return found
        return None

    def _ours(
        self, messages: Iterable[Mapping[str, Any]], card: Card, holder: str, me: Identity, other: Collection[str]
    ) -> DiscordMessage | None:
        for one in messages:
            if one["id"] in other or not self._is_ours(one, holder, me):
                continue
            if original_in(one) in {original(card), target_of(card.post.url, LONGEST)} - {""}:
                return DiscordMessage.of(one)
        return None

    def _is_ours(self, message: Mapping[str, Any], holder: str, me: Identity) -> bool:
        webhook = str(message.get("webhook_id") or "")
        if webhook:
            return message.get("application_id") == me.application or self._webhooks.known(holder, webhook)
        return bool((message.get("author") or {}).get("id") == me.user)


# --- where a thread goes on: in the Discord thread of its first message ---

MANY = 2_000


class DiscordThreads:
    """Opens each thread once; remembers where it may not, so that nobody is asked in vain at each post."""

    def __init__(self, api: DiscordApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._open: dict[str, None] = {}
        self._barred: dict[str, float] = {}

    async def under(self, channel: Channel, delivery: Delivery, card: Card) -> str | Result:
        """The thread to post in; empty: in the channel itself."""
        first = next(iter(readable(delivery.under, DiscordMessage.parse)), None)
        if first is None or channel.is_thread:
            return ""
        thread = first.message if first.channel == channel.id else first.channel
        if self._is_barred(thread):
            return ""
        if first.channel != channel.id or thread in self._open:
            return thread
        if self._is_barred(channel.id):
            return ""
        reply = await self._api.request("POST", f"{first.path}/threads", {"name": title(card)})
        return self._opened(channel, first.message, reply)

    def failed(self, thread: str, result: Result) -> bool:
        """Whether a message that a thread did not take belongs into the channel itself."""
        if not isinstance(result, DiscordReply) or not (is_closed(result) or result.code == ARCHIVED):
            return False
        self._open.pop(thread, None)
        self._bar(thread)
        return True

    def _opened(self, channel: Channel, message: str, reply: Result) -> str | Result:
        if isinstance(reply, DiscordReply) and (reply.ok or reply.code == THREAD_EXISTS):
            while len(self._open) >= MANY:
                del self._open[next(iter(self._open))]
            self._open[message] = None
            return message  # the thread of a message has the message's own number
        if isinstance(reply, DiscordReply) and reply.status == 403 and is_closed(reply):
            log.warning("threads go on in the channel itself", channel=channel.id, reason=reply.message)
            self._bar(channel.id)
            return ""
        if isinstance(reply, DiscordReply) and (reply.status == 400 or reply.code == UNKNOWN_MESSAGE):
            return ""  # too many threads, a channel that has none, the message is gone
        return reply

    def _is_barred(self, place: str) -> bool:
        return self._barred.get(place, 0.0) > self._clock()

    def _bar(self, place: str) -> None:
        now = self._clock()
        self._barred = {one: until for one, until in self._barred.items() if until > now}
        self._barred[place] = now + BARRED_FOR


# --- crossposts ---

# Publishing a post of an announcement channel to those who follow it: a bonus, never a reason to send again.

MOST = 10
WITHIN = 3600.0


class Crossposts:
    """Ten an hour in each channel, as far as this process knows: Discord allows no more, and does not say so before."""

    def __init__(self, api: DiscordApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._done: dict[str, deque[float]] = {}
        self._trouble = Trouble(log)

    async def publish(self, posted: DiscordMessage) -> None:
        """Try once; what does not work is told, and is over."""
        what, now = f"publishing in channel {posted.channel}", self._clock()
        done = self._done.setdefault(posted.channel, deque())
        while done and now - done[0] >= WITHIN:
            done.popleft()
        if len(done) >= MOST:
            self._trouble.broke(what, f"only {MOST} posts an hour can be published: the others are not")
            return
        done.append(now)
        reply = await self._api.request("POST", f"{posted.path}/crosspost")
        if isinstance(reply, DiscordReply) and (reply.ok or reply.code == CROSSPOSTED):
            self._trouble.works(what)
        else:
            self._trouble.broke(what, reply.message if isinstance(reply, DiscordReply) else reply.reason)


# --- sending ---

log = get_logger(__name__)

MOST_TAGS = 5
BARRED_FOR = 600.0
NONCE_TRUSTED_FOR = 4
"""Tries after which the nonce of the first may be forgotten: Discord keeps it for minutes, how many it does not say."""


def nonce(delivery: Delivery, part: int = 0) -> str:
    """The same for every try of a delivery at a channel: Discord answers with the message it has, no second one."""
    key = f"{delivery.id}|{delivery.destination.address}|{part}".encode()
    return urlsafe_b64encode(blake2b(key, digest_size=18).digest()).decode()


def tags_for(channel: Channel, card: Card) -> list[str]:
    """The forum's own tags that the post has as hashtags; its first one where it demands one and none fits."""
    wanted = {tag.casefold() for tag in card.post.tags}
    fitting = [tag for tag, name in channel.tags if name.lstrip("#").casefold() in wanted][:MOST_TAGS]
    return fitting or [tag for tag, _ in channel.tags[:1] if channel.needs_tag]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordOrder:
    """One post on its way: ``thread`` is empty for the channel itself, ``webhook`` None for the bot's own name."""

    delivery: Delivery
    card: Card
    channel: Channel
    options: DiscordOptions
    thread: str = ""
    style: Style = "card"
    webhook: Webhook | None = None
    plain: bool = False

    @property
    def new_post(self) -> bool:
        """It opens a post in a forum."""
        return self.channel.is_forum and not self.thread

    def milder(self) -> Iterator[DiscordOrder]:
        """The same with less that Discord may refuse: without pictures and buttons, and under the relay's own name."""
        yield replace(self, plain=True)
        if self.webhook is not None:
            yield replace(self, plain=True, style="card", webhook=None)

    @property
    def doubtful(self) -> bool:
        """An earlier try may have become a message, and sending again might make a second one."""
        tries, nameless = self.delivery.attempts, self.new_post or self.webhook is not None
        return self.delivery.interrupted or tries >= NONCE_TRUSTED_FOR or (tries > 0 and nameless)


class DiscordSender:
    """Carries out ``Action.SEND``."""

    def __init__(
        self,
        *,
        api: DiscordApi,
        channels: Channels,
        me: Me,
        manner: DiscordStyling,
        webhooks: Webhooks,
        failures: Failures,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._channels, self._manner, self._clock = api, channels, manner, clock
        self._webhooks, self._failures = webhooks, failures
        self._threads = DiscordThreads(api, clock=clock)
        self._history = History(api, me, webhooks)
        self._crossposts = Crossposts(api, clock=clock)
        self._no_webhooks: dict[str, float] = {}

    async def send(self, delivery: Delivery, card: Card) -> Outcome:
        channel = await self._channels.get(delivery.destination.address)
        if not isinstance(channel, Channel):
            return await self._failures.outcome(delivery, channel)
        if reason := self._manner.foreign(channel):
            return Gone(reason)
        if channel.kind in CLOSED:
            return Gone(self._manner.say("I can't post in this kind of channel."))
        thread = await self._threads.under(channel, delivery, card)
        if not isinstance(thread, str):
            return await self._failures.outcome(delivery, thread, channel)
        options = DiscordOptions.read(delivery.options)
        order = DiscordOrder(delivery=delivery, card=card, channel=channel, options=options, thread=thread)
        return await self._in_style(order)

    async def _in_style(self, order: DiscordOrder) -> Outcome:
        style = self._manner.style(order.options)
        if self._failures.breaks(order.delivery):
            style = "embed"  # components may be too much for Discord in a way that nobody can count: it answers 500
        webhook = await self._webhook(order.channel) if style == "webhook" else None
        if webhook is not None and not isinstance(webhook, Webhook):
            return await self._failures.outcome(order.delivery, webhook, order.channel)
        style = "card" if style == "webhook" and webhook is None else style
        return await self._once(replace(order, style=style, webhook=webhook))

    async def _once(self, order: DiscordOrder) -> Outcome:
        """Send, unless an earlier try turns out to be there."""
        if order.doubtful:
            found = await self._history.find(order.delivery, order.card, order.channel, order.thread)
            if isinstance(found, DiscordMessage):
                return await self._sent(order, found, None)
            if found is not None:
                return await self._failures.outcome(order.delivery, found, order.channel)
        result = await self._create(order)
        if order.thread and self._threads.failed(order.thread, result):
            order = replace(order, thread="")
            result = await self._create(order)
        for other in order.milder():
            if not refuses_body(result):
                break
            log.info("a message was refused: it goes with less", channel=order.channel.id, plain=other.plain)
            order, result = other, await self._create(other)
        self._failures.count(order.delivery, result)
        if not isinstance(result, DiscordReply):
            return await self._failures.outcome(order.delivery, result, order.channel)
        if result.ok:
            return await self._sent(order, _posted(order, result), result)
        if result.code == UNKNOWN_MESSAGE:  # the nonce is known, its message is not: sent, then removed by somebody
            self._failures.over(order.delivery)
            return Sent(wait=result.wait)
        return await self._failures.outcome(order.delivery, result, order.channel)

    async def _sent(self, order: DiscordOrder, posted: DiscordMessage, reply: DiscordReply | None) -> Sent:
        self._failures.over(order.delivery)
        announced = order.channel.kind == ANNOUNCEMENT and posted.channel == order.channel.id
        if announced and self._manner.crosspost(order.options):
            await self._crossposts.publish(posted)
        return Sent((posted.id,), wait=reply.wait) if reply else Sent((posted.id,))

    # --- the request ---

    async def _create(self, order: DiscordOrder) -> Result:
        look = self._manner.look(order.card, order.style, order.channel, order.options, plain=order.plain)
        body = message(order.card, look)
        if order.webhook is not None:
            return await self._through(order, order.webhook, body)
        if order.new_post:
            post = {"name": title(order.card), "message": body, "applied_tags": tags_for(order.channel, order.card)}
            return await self._api.request("POST", f"/channels/{order.channel.id}/threads", post)
        named = {**body, "nonce": nonce(order.delivery), "enforce_nonce": True}
        return await self._api.request("POST", f"/channels/{order.thread or order.channel.id}/messages", named)

    # --- under the author's name ---

    async def _webhook(self, channel: Channel) -> Webhook | Result | None:
        """None: webhooks are not for us in this channel."""
        if self._no_webhooks.get(channel.holder, 0.0) > self._clock():
            return None
        found = await self._webhooks.get(channel.holder)
        if isinstance(found, DiscordReply) and found.code in {NO_ACCESS, NO_PERMISSION} | TOO_MANY_WEBHOOKS:
            if channel.holder not in self._no_webhooks:
                log.warning(
                    "posts appear under the relay's own name: it may not manage webhooks there",
                    channel=channel.holder,
                    reason=found.message,
                )
            self._no_webhooks[channel.holder] = self._clock() + BARRED_FOR
            return None
        return found

    async def _through(self, order: DiscordOrder, webhook: Webhook, body: dict[str, Any]) -> Result:
        """A webhook that somebody removed is made again, once."""
        result = await self._execute(order, webhook, body)
        if not _webhook_is_gone(result):
            return result
        self._webhooks.forget(order.channel.holder)
        again = await self._webhook(order.channel)
        return (
            await self._execute(order, again, body)
            if isinstance(again, Webhook)
            else result
            if again is None
            else again
        )

    async def _execute(self, order: DiscordOrder, webhook: Webhook, body: dict[str, Any]) -> Result:
        query = {"wait": "true", "with_components": "true"}
        if thread := order.thread or (order.channel.id if order.channel.is_thread else ""):
            query["thread_id"] = thread
        elif order.new_post:
            body = {**body, "thread_name": title(order.card), "applied_tags": tags_for(order.channel, order.card)}
        return await self._api.request("POST", webhook.path, body, query=query)


def _webhook_is_gone(result: Result) -> bool:
    if not isinstance(result, DiscordReply):
        return False
    if result.code in WEBHOOK_GONE:
        return True
    return result.status == 404 and result.code not in {UNKNOWN_CHANNEL, UNKNOWN_MESSAGE}


def _posted(order: DiscordOrder, reply: DiscordReply) -> DiscordMessage:
    """The message that was made, or that Discord had already: then it may be in another style than this try's."""
    if order.new_post and order.webhook is None:  # its first message has the post's own number
        made = {"channel_id": reply.body["id"], "id": reply.body["id"], **(reply.body.get("message") or {})}
        return DiscordMessage.of(made)
    return DiscordMessage.of(reply.body)


def is_channel(destination: Destination) -> bool:
    """Whether the address can be a channel's number."""
    return destination.address.isascii() and destination.address.isdigit() and len(destination.address) <= 20


# --- what Discord's messages are called in the store: ``card/CHANNEL/MESSAGE``, ``webhook:ID/CHANNEL/MESSAGE`` ---


V2 = 1 << 15
"""The flag of a message made of components; an edit can never remove it."""
_NUMBER = r"\d{1,20}"
_IDS = MessageIds(
    "{style}{by}/{channel}/{message}",
    style="|".join(get_args(Style)),
    by=rf"(?::{_NUMBER})?",
    channel=_NUMBER,
    message=_NUMBER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordMessage:
    """A message of ours, the style it was sent in, and for ``webhook`` the webhook that sent it."""

    style: Style
    channel: str
    """The channel or thread that it lies in; the first message of a thread in a forum has the thread's own number."""
    message: str
    webhook: str = ""

    @classmethod
    def parse(cls, text: MessageId) -> DiscordMessage | None:
        """None: no message of ours."""
        found = _IDS.read(text)
        if found is None or (found["style"] == "webhook") != bool(found["by"]):
            return None
        style: Style = found["style"]  # type: ignore[assignment]  # the pattern has the styles only
        return cls(style=style, webhook=found["by"][1:], channel=found["channel"], message=found["message"])

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> DiscordMessage:
        """A message of ours as Discord gives it back."""
        webhook = str(message.get("webhook_id") or "")
        style: Style = "webhook" if webhook else "card" if int(message.get("flags") or 0) & V2 else "embed"
        return cls(style=style, channel=str(message["channel_id"]), message=str(message["id"]), webhook=webhook)

    @property
    def id(self) -> MessageId:
        by = f":{self.webhook}" if self.webhook else ""
        return _IDS.write(style=self.style, by=by, channel=self.channel, message=self.message)

    @property
    def path(self) -> str:
        return f"/channels/{self.channel}/messages/{self.message}"
