"""What was sent is changed or taken back: in the style, and under the name, in which it was sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from adapters.discord.api import DiscordApi, DiscordReply, Result
from adapters.discord.card import edit_of, message
from adapters.discord.channels import Channel, Channels
from adapters.discord.identity import Identity, Me
from adapters.discord.outcomes import ARCHIVED, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, Failures, refuses_body
from adapters.discord.sending import DiscordMessage
from adapters.discord.settings import DiscordOptions
from adapters.discord.style import DiscordStyling
from adapters.discord.webhooks import Webhook, Webhooks
from relay.kit import readable
from relay.model import Card, Delivery
from relay.ports import Gone, Outcome, Refused, Sent

FOREIGN = "no message that this adapter has sent"
_A_FEW = "3"


@dataclass(frozen=True, slots=True)
class _Found:
    """A message of ours and where it lies; ``webhook`` None: the bot's own."""

    posted: DiscordMessage
    channel: Channel
    webhook: Webhook | None = None

    def address(self) -> tuple[str, dict[str, str]]:
        """The path and query of requests about it."""
        if self.webhook is None:
            return self.posted.path, {}
        query = {"thread_id": self.channel.id} if self.channel.is_thread else {}
        return f"{self.webhook.path}/messages/{self.posted.message}", query


class DiscordChanger:
    """Carries out ``Action.EDIT``, ``COUNT`` and ``DELETE``."""

    def __init__(
        self,
        *,
        api: DiscordApi,
        channels: Channels,
        me: Me,
        manner: DiscordStyling,
        webhooks: Webhooks,
        failures: Failures,
    ) -> None:
        self._api, self._channels, self._me, self._manner = api, channels, me, manner
        self._webhooks, self._failures = webhooks, failures

    async def edit(self, delivery: Delivery, card: Card) -> Outcome:
        """The message as the card says it now; the count stands on its button, so a new count is an edit too."""
        found = await self._find(delivery)
        if not isinstance(found, _Found):
            return found
        if self._failures.breaks(delivery):
            return Refused("Discord failed at this edit too often")
        options = DiscordOptions.read(delivery.options)

        async def change(*, plain: bool) -> Result:
            look = self._manner.look(card, found.posted.style, found.channel, options, plain=plain)
            return await self._patch(found, edit_of(message(card, look)))

        async def act() -> Result:
            result = await change(plain=False)
            return await change(plain=True) if refuses_body(result) else result

        return await self._done(delivery, found, act)

    async def delete(self, delivery: Delivery) -> Outcome:
        """The message, and the post of a forum with the last message in it."""
        found = await self._find(delivery)
        if not isinstance(found, _Found):
            return found
        if found.channel.posts_in and await self._is_alone(found.posted) and await self._post_is_deleted(found):
            self._failures.over(delivery)
            return Sent(delivery.messages)
        return await self._done(delivery, found, lambda: self._delete(found))

    # --- which message ---

    async def _find(self, delivery: Delivery) -> _Found | Outcome:
        posted = next(iter(readable(delivery.messages, DiscordMessage.parse)), None)
        if posted is None:
            return Refused(FOREIGN)
        channel = await self._channels.get(posted.channel)
        if not isinstance(channel, Channel):
            gone = isinstance(channel, DiscordReply) and channel.code == UNKNOWN_CHANNEL
            if gone and posted.channel != delivery.destination.address:
                return Sent(delivery.messages)  # its thread was removed, and it with it
            return await self._failures.outcome(delivery, channel)
        if reason := self._manner.foreign(channel):
            return Gone(reason)
        if not posted.webhook:
            return _Found(posted, channel)
        return await self._by_webhook(delivery, posted, channel)

    async def _by_webhook(self, delivery: Delivery, posted: DiscordMessage, channel: Channel) -> _Found | Outcome:
        webhook = await self._webhooks.find(channel.holder, posted.webhook)
        if webhook is None:
            return Refused("the webhook that sent it is gone: nobody can change the message any more")
        if not isinstance(webhook, Webhook):
            return await self._failures.outcome(delivery, webhook, channel)
        return _Found(posted, channel, webhook)

    # --- what is done to it ---

    async def _done(self, delivery: Delivery, found: _Found, act: Callable[[], Awaitable[Result]]) -> Outcome:
        result = await act()
        if isinstance(result, DiscordReply) and result.code == ARCHIVED and await self._woken(found.channel):
            result = await act()
        self._failures.count(delivery, result)
        if not isinstance(result, DiscordReply):
            return await self._failures.outcome(delivery, result, found.channel)
        gone = result.code == UNKNOWN_MESSAGE or (
            result.code == UNKNOWN_CHANNEL and found.channel.id != delivery.destination.address
        )
        if not result.ok and not gone:
            if found.webhook is not None:
                self._webhooks.forget(found.channel.holder)
            return await self._failures.outcome(delivery, result, found.channel)
        self._failures.over(delivery)
        return Sent(delivery.messages, wait=result.wait)

    async def _patch(self, found: _Found, body: dict[str, Any]) -> Result:
        path, query = found.address()
        if found.webhook is not None:
            query = {**query, "with_components": "true"}
        return await self._api.request("PATCH", path, body, query=query)

    async def _delete(self, found: _Found) -> Result:
        path, query = found.address()
        return await self._api.request("DELETE", path, query=query)

    async def _woken(self, thread: Channel) -> bool:
        """A thread that fell asleep takes no edits until it is called back."""
        reply = await self._api.request("PATCH", f"/channels/{thread.id}", {"archived": False})
        return isinstance(reply, DiscordReply) and reply.ok

    # --- posts in forums ---

    async def _is_alone(self, posted: DiscordMessage) -> bool:
        """Nothing else stands in the post: nothing of other people, and nothing that goes on after it."""
        reply = await self._api.request("GET", f"/channels/{posted.channel}/messages", query={"limit": _A_FEW})
        if not isinstance(reply, DiscordReply) or not reply.ok:
            return False
        return [str(one["id"]) for one in reply.body] == [posted.message]  # nothing at all: we may not look

    async def _post_is_deleted(self, found: _Found) -> bool:
        """False: we may not; the message alone is deleted then."""
        me = await self._me.get()
        if not isinstance(me, Identity) or found.channel.raw.get("owner_id") not in {me.user, found.posted.webhook}:
            return False
        reply = await self._api.request("DELETE", f"/channels/{found.channel.id}")
        self._channels.forget(found.channel.id)
        return isinstance(reply, DiscordReply) and (reply.ok or reply.code == UNKNOWN_CHANNEL)
