"""Whether a message that may have been sent was: a look at what already stands in the channel."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from adapters.discord.api import Api, Reply, Result
from adapters.discord.card import original, original_in, title
from adapters.discord.channels import Channel
from adapters.discord.markdown import target_of
from adapters.discord.me import Identity, Me
from adapters.discord.outcomes import is_closed
from adapters.discord.pieces import LONGEST
from adapters.discord.posted import Posted, first_of
from adapters.discord.webhooks import Webhooks
from relay.model import Card, Delivery

LOOKED_AT = "50"
POSTS_LOOKED_AT = 5


class History:
    """Finds a message of ours by the address behind its Original button."""

    def __init__(self, api: Api, me: Me, webhooks: Webhooks) -> None:
        self._api, self._me, self._webhooks = api, me, webhooks

    async def find(self, delivery: Delivery, card: Card, channel: Channel, thread: str) -> Posted | Result | None:
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
    ) -> Posted | Result | None:
        reply = await self._api.request("GET", f"/channels/{place}/messages", query={"limit": LOOKED_AT})
        if not isinstance(reply, Reply) or not reply.ok:
            return None if is_closed(reply) else reply
        other = {one.message for text in delivery.under if (one := first_of((text,)))}
        return self._ours(reply.body, card, holder, me, other)

    async def _among_posts(self, card: Card, channel: Channel, me: Identity) -> Posted | Result | None:
        """A post of a forum is a thread; those of the same name are looked at first."""
        reply = await self._api.request("GET", f"/guilds/{channel.guild}/threads/active")
        if not isinstance(reply, Reply) or not reply.ok:
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
            if not isinstance(first, Reply) or not (first.ok or first.status in {403, 404}):
                return first
            if first.ok and (found := self._ours([first.body], card, channel.id, me, ())):
                return found
        return None

    def _ours(
        self, messages: Iterable[Mapping[str, Any]], card: Card, holder: str, me: Identity, other: Collection[str]
    ) -> Posted | None:
        for one in messages:
            if one["id"] in other or not self._is_ours(one, holder, me):
                continue
            if original_in(one) in {original(card), target_of(card.post.url, LONGEST)} - {""}:
                return Posted.of(one)
        return None

    def _is_ours(self, message: Mapping[str, Any], holder: str, me: Identity) -> bool:
        webhook = str(message.get("webhook_id") or "")
        if webhook:
            return message.get("application_id") == me.application or self._webhooks.known(holder, webhook)
        return bool((message.get("author") or {}).get("id") == me.user)
