"""People at their clients: they write, edit and redact; and what a test waits for."""

from __future__ import annotations

from tests.servers.matrix import rules
from tests.servers.matrix.refusal import Json, Refusal
from tests.servers.matrix.things import Room, id_of
from tests.servers.matrix.world import World


class People(World):
    """A world with people who act."""

    async def say(
        self, room: Room | str, who: object, text: str, *, msgtype: str = "m.text", relates_to: Json | None = None
    ) -> str:
        """Somebody writes there; the event's id."""
        content: Json = {"msgtype": msgtype, "body": text, "m.mentions": {}}
        return self._put(room, who, content | ({"m.relates_to": relates_to} if relates_to else {}))

    async def edit(self, room: Room | str, who: object, event: str, text: str) -> str:
        """Somebody edits what they wrote."""
        new: Json = {"msgtype": "m.text", "body": text, "m.mentions": {}}
        relation = {"rel_type": "m.replace", "event_id": event}
        return self._put(room, who, {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation})

    def redact(self, room: Room | str, who: object, event: str, reason: str = "") -> str:
        """Somebody takes back an event of their own, or with power any."""
        it = self.find(room)
        try:
            rules.check_redaction(it, id_of(who), it.by_id[event])
        except Refusal as refusal:
            raise AssertionError(str(refusal)) from None
        return self.blot_out(it, it.by_id[event], id_of(who), reason)

    def _put(self, room: Room | str, who: object, content: Json) -> str:
        it = self.find(room)
        event = {"type": "m.room.message", "sender": id_of(who), "content": content}
        try:
            rules.check_inside(it, id_of(who))
            rules.check_power(it, id_of(who), "m.room.message")
            rules.check_relation(self.rooms, it, content)
        except Refusal as refusal:
            raise AssertionError(str(refusal)) from None
        return self.happen(it, event)

    async def next_sent(self, room: Room | str, seconds: float = 10) -> Json:
        """The next message of the bot's there."""
        before = {one["event_id"] for one in self.sent(room)}

        def fresh() -> list[Json]:
            return [one for one in self.sent(room) if one["event_id"] not in before]

        await self.wait_until(fresh, seconds)
        return fresh()[0]

    async def polled(self, seconds: float = 10) -> None:
        """Until the bot waits in /sync."""
        await self.wait_until(lambda: self.polling.get(self.bot), seconds)

    async def heard(self, seconds: float = 10) -> None:
        """Until the bot has come back from all that happened so far."""
        last = self.place
        await self.wait_until(lambda: self.seen.get(self.bot, -1) >= last, seconds)
