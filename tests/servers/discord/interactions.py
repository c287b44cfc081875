"""The life of an interaction: one first answer within 3 s, then follow-ups and edits for 15 minutes."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from tests.servers.discord import messages
from tests.servers.discord.messages import buttons_of, text_of
from tests.servers.discord.refusal import Refusal, invalid
from tests.servers.discord.rules import EPHEMERAL, check_edit, check_message
from tests.servers.discord.things import Channel, Json, Person

if TYPE_CHECKING:
    from tests.servers.discord.people import People

COMMAND, COMPONENT, AUTOCOMPLETE = 2, 3, 4
_FIRST = 3.0
_LIFE = 900.0


class Interaction:
    """What a person did, and all that the bot made of it."""

    def __init__(self, world: People, kind: int, channel: Channel, user: Person, source: Json | None = None) -> None:
        self.world = world
        self.kind = kind
        self.channel = channel
        self.user = user
        self.source = source
        self.id = world.ids.next()
        self.token = secrets.token_urlsafe(80)
        self.began = time.monotonic()
        self.callback: Json | None = None
        self.original: Json | None = None
        self.follow_ups: list[Json] = []
        self.edited = False
        self._expired = False

    # --- what a test asks ---

    async def answered(self, seconds: float = _FIRST) -> Json:
        """The first answer, as the bot sent it."""
        try:
            await self.world.wait_until(lambda: self.callback is not None, seconds)
        except AssertionError:
            raise AssertionError(f"the interaction was not answered within {seconds:g} s") from None
        assert self.callback is not None
        return self.callback

    async def settled(self, seconds: float = 10) -> Json:
        """The message that the person sees in the end."""
        await self.answered(min(seconds, _FIRST))
        try:
            await self.world.wait_until(lambda: not self._thinking, seconds)
        except AssertionError:
            raise AssertionError(f"the interaction was deferred, and nothing followed within {seconds:g} s") from None
        assert self.messages, "the interaction was answered, but there is nothing to see"
        return self.messages[-1] if self._silent else self.messages[0]

    @property
    def _silent(self) -> bool:
        return self.callback is not None and self.callback["type"] == 6 and not self.edited

    @property
    def _thinking(self) -> bool:
        return self.deferred and not self.edited and not self.follow_ups

    @property
    def deferred(self) -> bool:
        return self.callback is not None and self.callback["type"] in (5, 6)

    @property
    def messages(self) -> list[Json]:
        """What there is to see, the message that a button stood on too where that was edited."""
        first = [] if self.original is None or self._thinking else [self.original]
        return first + self.follow_ups

    @property
    def text(self) -> str:
        return "\n".join(map(text_of, self.messages))

    @property
    def ephemeral(self) -> bool:
        return all(message["flags"] & EPHEMERAL for message in self.messages)

    @property
    def buttons(self) -> list[Json]:
        return [button for message in self.messages for button in buttons_of(message)]

    def expire(self) -> None:
        """The 15 minutes are over."""
        self._expired = True

    # --- what the bot does ---

    def acknowledge(self, body: Json) -> None:
        """The first answer; there is one, and it comes within 3 s."""
        if self.callback is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        if time.monotonic() - self.began > _FIRST:
            raise Refusal(404, 10062, "Unknown interaction")
        kind, data = body.get("type"), body.get("data") or {}
        self._check(kind, data)
        if kind in (4, 5):
            self.original = self._make(data)
        elif kind in (6, 7):
            self.original = self.source
        if kind == 4:
            self._enter(self.original)
        elif kind == 7 and self.source is not None:
            self._change(self.source, data)
        self.callback = {"type": kind, "data": data}
        self.world.changed()

    def _check(self, kind: object, data: Json) -> None:
        if kind not in (4, 5, 6, 7, 8, 9) or (kind == 8) != (self.kind == AUTOCOMPLETE):
            raise invalid("type", "This is no answer to such an interaction.", "INTERACTION_CALLBACK_TYPE_INVALID")
        if kind in (6, 7) and self.kind != COMPONENT:
            raise invalid("type", "There is no message to update.", "INTERACTION_CALLBACK_TYPE_INVALID")
        if kind == 4:
            check_message(data)
        if kind == 5 and (set(data) - {"flags"} or (data.get("flags") or 0) & ~EPHEMERAL):
            raise invalid("data", "A deferral may say EPHEMERAL, nothing else.", "INTERACTION_DEFERRED_FLAGS")
        if kind == 7 and self.source is not None:
            check_edit(self.source, data)
        if kind == 8:
            _check_choices(data.get("choices") or [])

    def _make(self, body: Json) -> Json:
        secret = (body.get("flags") or 0) & EPHEMERAL
        who = {"id": self.id, "type": self.kind, "user": self.user.json, "authorizing_integration_owners": {}}
        app = self.world.application_id
        more = {"webhook_id": app, "application_id": app, "interaction_metadata": who}
        made = messages.make(self.world, self.channel, self.world.bot.json, body, **more)
        made["flags"] |= secret
        return made

    def _enter(self, message: Json | None) -> None:
        if message is not None and not message["flags"] & EPHEMERAL:
            messages.add(self.world, self.channel, message)

    def _change(self, message: Json, body: Json) -> Json:
        self.edited = True
        return messages.edit(self.world, self.channel, message, body)

    @property
    def callback_json(self) -> Json:
        """The answer to a callback ``with_response``."""
        kind = (self.callback or {}).get("type")
        told: Json = {"id": self.id, "type": self.kind, "response_message_ephemeral": False}
        if self.original is None:
            return {"interaction": told, "resource": {"type": kind}} if kind != 8 else {"interaction": told}
        told |= {"response_message_id": self.original["id"], "response_message_loading": kind == 5}
        told["response_message_ephemeral"] = bool(self.original["flags"] & EPHEMERAL)
        return {"interaction": told, "resource": {"type": kind, "message": self.original}}

    def follow_up(self, body: Json) -> Json:
        """A further message; the first one after a deferral takes the place of "is thinking"."""
        check_message(body)
        if self.callback and self.callback["type"] == 5 and self._thinking and self.original is not None:
            self._settle(body)
            return self.original
        made = self._make(body)
        self.follow_ups.append(made)
        self._enter(made)
        self.world.changed()
        return made

    def _settle(self, body: Json) -> None:
        assert self.original is not None
        self.original["flags"] |= (body.get("flags") or 0) & ~EPHEMERAL  # the deferral has decided that
        self._change(self.original, {key: value for key, value in body.items() if key != "flags"})
        self._enter(self.original)

    def shown(self, message_id: str) -> Json:
        """``@original`` or a follow-up."""
        wanted = self.original["id"] if message_id == "@original" and self.original else message_id
        known = [self.original] if self.original else []
        for message in known + self.follow_ups:
            if message["id"] == wanted:
                return message
        raise Refusal(404, 10008, "Unknown Message")

    def edit(self, message_id: str, body: Json) -> Json:
        message = self.shown(message_id)
        check_edit(message, body)
        first = message is self.original and self._thinking and self.callback is not None and self.callback["type"] == 5
        self._change(message, body)
        if first:
            self._enter(message)
        self.world.changed()
        return message

    def remove(self, message_id: str) -> None:
        message = self.shown(message_id)
        if message is self.original:
            self.original, self.edited = None, True
        else:
            self.follow_ups.remove(message)
        if message["id"] in self.channel.messages:
            messages.remove(self.world, self.channel, message["id"])
        self.world.changed()

    @property
    def usable(self) -> bool:
        """Whether its token still opens anything."""
        return not self._expired and time.monotonic() - self.began < _LIFE


def _check_choices(choices: list[Json]) -> None:
    if len(choices) > 25:
        raise invalid("data.choices", "Must be 25 or fewer in length.")
    for number, choice in enumerate(choices):
        name, value = choice.get("name"), choice.get("value")
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise invalid(f"data.choices.{number}.name", "Must be between 1 and 100 in length.")
        if value is None or (isinstance(value, str) and not 1 <= len(value) <= 100):
            raise invalid(f"data.choices.{number}.value", "Must be between 1 and 100 in length.")


async def choices_of(interaction: Interaction) -> list[Json]:
    """What an autocompletion offered."""
    answer = await interaction.answered()
    offered: list[Json] = answer["data"].get("choices") or []
    return offered
