"""The state of a small Telegram, and what a test changes in it; what bots hear of is queued."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.servers.telegram import messages
from tests.servers.telegram.buckets import Buckets
from tests.servers.telegram.faults import Faults
from tests.servers.telegram.refusal import Json
from tests.servers.telegram.things import Chat, Member, Person, Topic, key_of, rights_of
from tests.servers.telegram.updates import Updates

POSTING = ("can_post_messages", "can_edit_messages", "can_delete_messages")


class World:
    """Chats and people, kept in memory."""

    def __init__(self, *, window: float = 1.0) -> None:
        self.buckets = Buckets(window=window, whole_seconds=window == 1.0)
        self.faults = Faults()
        self.updates = Updates(self.changed)
        self.privacy = True
        self.rich = True
        self.delete_limit = 172_800.0
        self.revoked = False
        self.bad_urls: dict[str, str] = {}
        self.answers: list[str] = []
        self.queries: dict[str, Json | None] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.descriptions: dict[tuple[str, str], str] = {}
        self.files: set[str] = set()
        self.chats: dict[int, Chat] = {}
        self.people: dict[int, Person] = {}
        self._ids = iter(range(7_000_001, 8_000_000))
        self._moved = asyncio.Event()
        self._furnish()

    def _furnish(self) -> None:
        self.bot = Person(next(self._ids), "Chasqui", "chasqui_bot", None, is_bot=True)
        self.people[self.bot.id] = self.bot
        self.token = f"{self.bot.id}:AA{secrets.token_urlsafe(40).replace('-', 'x')[:33]}"
        self.admin = self.add_person("Sami", username="sami_ayllu")
        self.visitor = self.add_person("Illa", username="illa_ayllu")
        self.group = self.add_group("Qeswachaka")
        self.channel = self.add_channel("Ayllu", username="ayllu")

    # --- waiting ---

    def changed(self) -> None:
        """Wake whoever waits for something here."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait_until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Until the condition on this server holds; an AssertionError where it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._moved.wait()
        except TimeoutError:
            if not condition():
                raise AssertionError(f"it did not come true within {seconds:g} s") from None

    # --- chats ---

    def add_group(
        self,
        title: str = "Group",
        *,
        kind: str = "supergroup",
        forum: bool = False,
        username: str | None = None,
        rights: Iterable[str] | None = None,
    ) -> Chat:
        """A group with the bot in it: a plain member, or an administrator with these rights."""
        number = next(self._ids)
        made = Chat(-1_000_000_000_000 - number if kind == "supergroup" else -number, kind, title, username, forum)
        made.last_id = 1 if forum else 0  # the General topic has the number 1
        return self._people_in(made, rights)

    def add_channel(
        self,
        title: str = "News",
        *,
        username: str | None = None,
        linked: Chat | None = None,
        rights: Iterable[str] | None = POSTING,
    ) -> Chat:
        """A channel whose administrator the bot is; ``linked`` is the group where it is discussed."""
        made = Chat(-1_000_000_000_000 - next(self._ids), "channel", title, username)
        if linked:
            made.linked_id, linked.linked_id = linked.id, made.id
        return self._people_in(made, rights)

    def _people_in(self, made: Chat, rights: Iterable[str] | None) -> Chat:
        made.members[self.admin.id] = Member(self.admin, "creator")
        made.members[self.visitor.id] = Member(self.visitor)
        status = "member" if rights is None else "administrator"
        made.members[self.bot.id] = Member(self.bot, status, rights_of(rights or ()))
        self.chats[made.id] = made
        self.changed()
        return made

    def find(self, chat: Chat | int) -> Chat:
        return chat if isinstance(chat, Chat) else self.chats[chat]

    def private(self, person: Person | int) -> Chat:
        """The chat of the bot and this person."""
        return self.chats[key_of(person)]

    def rename(self, chat: Chat | int, *, title: str | None = None, username: str | None = None) -> None:
        it = self.find(chat)
        it.title, it.username = title or it.title, username
        self.changed()

    def permissions(self, chat: Chat | int, **given: bool) -> None:
        """What ordinary members may do there."""
        it = self.find(chat)
        assert set(given) <= set(it.permissions), f"there are no such permissions: {sorted(given)}"
        it.permissions |= given

    def remove_chat(self, chat: Chat | int) -> None:
        self.find(chat).gone = True
        self.changed()

    def migrate(self, chat: Chat | int) -> Chat:
        """The group becomes a supergroup, under another id."""
        old = self.find(chat)
        made = Chat(-1_000_000_000_000 - next(self._ids), "supergroup", old.title, permissions=old.permissions)
        made.members = dict(old.members)
        self.chats[made.id] = made
        author = messages.author_of(old, self.admin)
        self.hear(old, messages.write(old, author, {"migrate_to_chat_id": made.id}))
        old.migrated_to = made.id
        self.hear(made, messages.write(made, author, {"migrate_from_chat_id": old.id}))
        return made

    # --- topics ---

    def add_topic(self, chat: Chat | int, name: str = "Topic") -> Topic:
        it = self.find(chat)
        assert it.is_forum, f"{it.title} is no forum"
        told = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        made = Topic(messages.write(it, messages.author_of(it, self.admin), told)["message_id"], name)
        it.posts[made.id] |= {"message_thread_id": made.id, "is_topic_message": True}
        it.topics[made.id] = made
        self.hear(it, it.posts[made.id])
        return made

    def close_topic(self, chat: Chat | int, topic: Topic | int) -> None:
        self._topic(chat, topic, "forum_topic_closed").closed = True

    def open_topic(self, chat: Chat | int, topic: Topic | int) -> None:
        self._topic(chat, topic, "forum_topic_reopened").closed = False

    def delete_topic(self, chat: Chat | int, topic: Topic | int) -> None:
        it, key = self.find(chat), key_of(topic)
        del it.topics[key]
        it.posts = {number: one for number, one in it.posts.items() if one.get("message_thread_id") != key}
        self.changed()

    def _topic(self, chat: Chat | int, topic: Topic | int, event: str) -> Topic:
        it = self.find(chat)
        found = it.topics[key_of(topic)]
        self.hear(it, messages.write(it, messages.author_of(it, self.admin), {event: {}}, topic=found.id))
        return found

    # --- people ---

    def add_person(
        self, first_name: str = "Quri", *, username: str | None = None, language: str = "en", started: bool = True
    ) -> Person:
        """Somebody with a private chat; the bot may write there once they ``started`` it."""
        made = Person(next(self._ids), first_name, username, language, started=started)
        chat = Chat(made.id, "private", person=made)
        chat.members = {made.id: Member(made), self.bot.id: Member(self.bot)}
        self.people[made.id] = made
        self.chats[made.id] = chat
        return made

    def join(self, chat: Chat | int, person: Person | int, status: str = "member") -> None:
        self._become(chat, person, status)

    def promote(
        self,
        chat: Chat | int,
        person: Person | int,
        *rights: str,
        status: str = "administrator",
        anonymous: bool = False,
    ) -> None:
        self._become(chat, person, status, rights, anonymous=anonymous)

    def demote(self, chat: Chat | int, person: Person | int) -> None:
        self._become(chat, person, "member")

    def remove(self, chat: Chat | int, person: Person | int, status: str = "kicked") -> None:
        self._become(chat, person, status)

    def kick_bot(self, chat: Chat | int) -> None:
        self._become(chat, self.bot, "kicked")

    def invite_bot(self, chat: Chat | int, *rights: str) -> None:
        self._become(chat, self.bot, "administrator" if rights else "member", rights)

    def block_bot(self, person: Person | int) -> None:
        """They want nothing more of the bot."""
        self._become(self.private(person), self.bot, "kicked")

    def unblock_bot(self, person: Person | int) -> None:
        self._become(self.private(person), self.bot, "member")

    def _become(
        self,
        chat: Chat | int,
        person: Person | int,
        status: str,
        rights: Iterable[str] = (),
        *,
        anonymous: bool = False,
        by: Person | None = None,
    ) -> None:
        it, who = self.find(chat), self.people[key_of(person)]
        before = it.member(who)
        after = it.members[who.id] = Member(who, status, rights_of(rights), anonymous)
        told = {"chat": it.json, "from": (by or it.person or self.admin).json, "date": int(time.time())}
        told |= {"old_chat_member": before.json(it.kind), "new_chat_member": after.json(it.kind)}
        if who is self.bot:
            self.updates.add("my_chat_member", told)
        elif it.member(self.bot).leads:
            self.updates.add("chat_member", told)
        self.changed()

    def leave(self, chat: Chat) -> None:
        """The bot goes by itself."""
        self._become(chat, self.bot, "left", by=self.bot)

    # --- messages ---

    def hear(self, chat: Chat, message: Json) -> None:
        """Tell the bot of a message, where it hears such."""
        if self._heard(chat, message):
            self.updates.add(messages.update_field(chat), messages.shown(message))
        self.changed()

    def _heard(self, chat: Chat, message: Json) -> bool:
        member = chat.member(self.bot)
        if not member.inside or message["message_id"] in chat.ours:
            return False
        return chat.kind in ("private", "channel") or not self.privacy or member.leads or self._meant(message)

    def _meant(self, message: Json) -> bool:
        """In privacy mode: commands, replies to the bot, its name, what befalls the chat."""
        if "text" not in message and "caption" not in message and "photo" not in message:
            return not message.get("is_automatic_forward")
        text = messages.text_of(message).lower()
        name = f"@{self.bot.username}".lower()
        replied = message.get("reply_to_message", {}).get("from", {}).get("id") == self.bot.id
        first = text.split()[0] if text.split() else ""
        return replied or name in text or (first.startswith("/") and "@" not in first)

    def forward(self, chat: Chat, post: Json) -> None:
        """A channel's post appears in the group where it is discussed."""
        group = self.chats.get(chat.linked_id or 0) if chat.kind == "channel" else None
        if group:
            self.hear(group, messages.forwarded(group, post))

    def delete_message(self, chat: Chat | int, message: Any) -> None:
        """Somebody deletes it; bots hear nothing of that."""
        it = self.find(chat)
        del it.posts[key_of(message)]
        self.changed()

    def age(self, message: Json, *, hours: float) -> None:
        """The message was sent so long ago."""
        chat = self.chats[message["chat"]["id"]]
        chat.posts[message["message_id"]]["date"] = int(time.time() - hours * 3600)

    def messages(self, chat: Chat | int, topic: Topic | int | None = None) -> list[Json]:
        """All that is there, oldest first."""
        it = self.find(chat)
        key = key_of(topic) if topic is not None else None
        return [one for _, one in sorted(it.posts.items()) if key is None or one.get("message_thread_id") == key]

    def sent(self, chat: Chat | int, topic: Topic | int | None = None) -> list[Json]:
        """What the bot sent there."""
        return [one for one in self.messages(chat, topic) if one["message_id"] in self.find(chat).ours]

    def bad_url(self, url: str, reason: str = "failed to get HTTP URL content") -> None:
        """Media from there is refused."""
        self.bad_urls[url] = reason

    def revoke_token(self) -> None:
        """The token is worth nothing from now on."""
        self.revoked = True
