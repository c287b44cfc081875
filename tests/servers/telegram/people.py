"""People at their keyboards: they write and press buttons."""

from __future__ import annotations

import secrets
from typing import Any

from tests.servers.telegram import entities, messages
from tests.servers.telegram.refusal import Json
from tests.servers.telegram.things import Chat, Person, Topic, key_of
from tests.servers.telegram.world import World


class Press:
    """A button that somebody pressed."""

    def __init__(self, world: World, key: str) -> None:
        self.id = key
        self._world = world

    async def answered(self, seconds: float = 5) -> Json:
        """What the bot showed for it: text, show_alert, url."""
        await self._world.wait_until(lambda: self._world.queries[self.id] is not None, seconds)
        return self._world.queries[self.id] or {}


class People(World):
    """A world with people who act."""

    async def say(
        self,
        chat: Chat | int,
        person: Person,
        text: str,
        *,
        reply_to: Any = None,
        topic: Topic | int | None = None,
        anonymous: bool = False,
        language: str | None = None,
    ) -> Json:
        """Somebody writes there; in a channel it is the channel that speaks."""
        it = self.find(chat)
        assert it.kind != "channel" or it.member(person).leads, f"{person.first_name} cannot post in {it.title}"
        if it.person:
            it.person.started = True
        author = messages.author_of(it, person, anonymous=anonymous, language=language)
        found = entities.detected(text, [])
        content = {"text": text, **({"entities": found} if found else {})}
        reply = it.posts[key_of(reply_to)] if reply_to is not None else None
        made = messages.write(it, author, content, reply, key_of(topic) if topic is not None else None)
        self.hear(it, made)
        self.forward(it, made)
        return made

    async def edit(self, message: Json, text: str) -> Json:
        """Somebody edits what they wrote."""
        chat = self.chats[message["chat"]["id"]]
        found = entities.detected(text, [])
        content = {"text": text, **({"entities": found} if found else {})}
        messages.replace(chat.posts[message["message_id"]], content, None)
        self.updates.add(f"edited_{messages.update_field(chat)}", messages.shown(message))
        return message

    async def press(self, message: Json, what: str, person: Person) -> Press:
        """Somebody presses the button with this label or data."""
        chat = self.chats[message["chat"]["id"]]
        now = chat.posts[message["message_id"]]
        there = messages.buttons_of(now)
        button = next((one for one in there if what in (one["text"], one.get("callback_data"))), None)
        assert button, f"there is no button {what!r}, but {[one['text'] for one in there]}"
        assert "callback_data" in button, f"{what!r} is a link, nobody hears of it"
        key = str(secrets.randbits(62))
        self.queries[key] = None
        told = {"id": key, "from": person.json, "message": messages.shown(now), "chat_instance": str(chat.id)}
        self.updates.add("callback_query", {**told, "data": button["callback_data"]})
        return Press(self, key)

    async def polled(self, seconds: float = 10) -> None:
        """Until somebody polls, or a webhook is set."""
        await self.wait_until(lambda: self.updates.polling or self.updates.webhook, seconds)

    async def heard(self, seconds: float = 10) -> None:
        """Until every update so far was taken."""
        last = max((one["update_id"] for one in self.updates.pending), default=0)
        await self.wait_until(lambda: all(one["update_id"] > last for one in self.updates.pending), seconds)

    async def next_sent(self, chat: Chat | int, seconds: float = 10) -> Json:
        """The next message of the bot's there."""
        it = self.find(chat)
        before = set(it.ours)
        await self.wait_until(lambda: any(key in it.posts for key in it.ours - before), seconds)
        return it.posts[min(key for key in it.ours - before if key in it.posts)]
