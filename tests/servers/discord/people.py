"""People at their keyboards: they type commands, press buttons, use the menu of a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.discord import messages
from tests.servers.discord.components import every
from tests.servers.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, Interaction, choices_of
from tests.servers.discord.refusal import Refusal
from tests.servers.discord.things import Channel, Guild, Json, Person, Role
from tests.servers.discord.world import World

_CHANNEL, _ROLE, _USER = 7, 8, 6
_TYPES: Mapping[int, type | tuple[type, ...]] = {
    3: str,
    4: int,
    5: bool,
    6: (str, Person),
    7: (str, Channel),
    8: (str, Role),
    10: (int, float),
}


@dataclass(frozen=True)
class Doing:
    """Who does something where, and what they may."""

    user: Person
    channel: Channel
    permissions: int | None
    there: int | None
    app_permissions: int | None
    locale: str

    @property
    def guild(self) -> Guild:
        return self.channel.guild

    def may(self, channel: Channel) -> int:
        """The person's permissions there."""
        told = self.permissions if channel is self.channel or self.there is None else self.there
        return self.guild.permissions_of(self.user.id, channel) if told is None else told

    def relay_may(self, channel: Channel) -> int:
        return channel.permissions if self.app_permissions is None else self.app_permissions


class People(World):
    """A world with people who act."""

    def __init__(self, *, window: float = 1.0, nonce_ttl: float = 300.0) -> None:
        self.interactions: dict[str, Interaction] = {}
        self.patience = 5.0
        """How many seconds people wait for a session and a synced command."""
        super().__init__(window=window, nonce_ttl=nonce_ttl)

    async def ready(self, sessions: int = 1, seconds: float = 10) -> None:
        """Until so many sessions are connected."""
        raise NotImplementedError

    async def command(  # the keywords are what a person brings
        self,
        channel: Channel | str,
        name: str,
        given: Mapping[str, Any] | None = None,
        *,
        user: Person | None = None,
        permissions: int | None = None,
        there: int | None = None,
        app_permissions: int | None = None,
        locale: str = "en-US",
    ) -> Interaction:
        """Somebody enters ``/name``."""
        doing = self._doing(channel, user, permissions, locale, there=there, app_permissions=app_permissions)
        command, spec = await self._synced(name, doing.guild, 1)
        told = _Told(doing)
        options = told.options(spec, given or {})
        return self._act(doing, COMMAND, _data(command, name, options, told.resolved))

    async def autocomplete(
        self,
        channel: Channel | str,
        name: str,
        option: str,
        typed: str,
        *,
        given: Mapping[str, Any] | None = None,
        user: Person | None = None,
        permissions: int | None = None,
        locale: str = "en-US",
    ) -> list[Json]:
        """What is offered to somebody who types into an option."""
        doing = self._doing(channel, user, permissions, locale)
        command, spec = await self._synced(name, doing.guild, 1)
        told = _Told(doing)
        known = _options_of(spec)
        assert known.get(option, {}).get("autocomplete"), f"/{name} has no completion for {option!r}"
        focused = {"name": option, "type": known[option]["type"], "value": typed, "focused": True}
        options = [*told.options(spec, given or {}, whole=False), focused]
        return await choices_of(self._act(doing, AUTOCOMPLETE, _data(command, name, options, told.resolved)))

    async def menu(
        self,
        channel: Channel | str,
        name: str,
        *,
        content: str = "",
        embeds: list[Json] | None = None,
        components: list[Json] | None = None,
        message: Json | None = None,
        user: Person | None = None,
        permissions: int | None = None,
        locale: str = "en-US",
    ) -> Interaction:
        """Somebody uses the menu of a message: one that is there, or one with this content."""
        doing = self._doing(channel, user, permissions, locale)
        command, _spec = await self._synced(name, doing.guild, 3)
        target = message or self.post(channel, content, embeds=embeds, components=components)
        resolved = {"messages": {target["id"]: target}}
        data = {"id": command["id"], "name": name, "type": 3, "target_id": target["id"], "resolved": resolved}
        return self._act(doing, COMMAND, data)

    async def press(
        self,
        where: Interaction | Json,
        button: str,
        *,
        user: Person | None = None,
        permissions: int | None = None,
        locale: str = "en-US",
    ) -> Interaction:
        """Somebody presses the button with this custom id or label."""
        return await self._use(where, button, None, user, permissions, locale)

    async def choose(
        self,
        where: Interaction | Json,
        menu: str,
        values: Iterable[str],
        *,
        user: Person | None = None,
        permissions: int | None = None,
        locale: str = "en-US",
    ) -> Interaction:
        """Somebody chooses from the select menu with this custom id."""
        return await self._use(where, menu, list(values), user, permissions, locale)

    async def _use(
        self,
        where: Interaction | Json,
        name: str,
        values: list[str] | None,
        user: Person | None,
        permissions: int | None,
        locale: str,
    ) -> Interaction:
        await self.ready(seconds=self.patience)
        message, part = _component(where, name)
        doing = self._doing(message["channel_id"], user, permissions, locale)
        assert not part.get("disabled"), f"{name!r} cannot be pressed"
        assert "custom_id" in part, f"{name!r} is a link, nobody hears of it"
        data = {"custom_id": part["custom_id"], "component_type": part["type"], "id": part.get("id", 0)}
        if values is not None:
            data["values"] = values
        return self._act(doing, COMPONENT, data, message)

    def post(
        self,
        channel: Channel | str,
        content: str,
        *,
        user: Person | None = None,
        components: list[Json] | None = None,
        embeds: list[Json] | None = None,
    ) -> Json:
        """A message of somebody else's."""
        it = self.find_channel(channel)
        body: Json = {"content": content, "components": components or [], "embeds": embeds or []}
        made = messages.make(self, it, (user or self.visitor).json, body)
        if any(part.get("type") in range(9, 18) for part in components or []):
            made["flags"] |= 1 << 15
        return messages.add(self, it, made)

    def messages(self, channel: Channel | str) -> list[Json]:
        """What stands there, oldest first."""
        return list(self.find_channel(channel).messages.values())

    def delete_message(self, channel: Channel | str, message_id: str) -> None:
        """A moderator deletes it."""
        messages.remove(self, self.find_channel(channel), message_id)

    # --- what the bot's answers arrive at ---

    def waiting(self, interaction_id: str, token: str) -> Interaction:
        """The interaction of a callback."""
        found = self.interactions.get(token)
        if found is None or found.id != interaction_id:
            raise Refusal(404, 10062, "Unknown interaction")
        return found

    def interaction(self, token: str) -> Interaction:
        """The interaction behind a webhook's token."""
        found = self.interactions.get(token)
        if found is None or found.callback is None:
            raise Refusal(404, 10015, "Unknown Webhook")
        if not found.usable:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        return found

    # --- how it is told ---

    def _doing(
        self,
        channel: Channel | str,
        user: Person | None,
        permissions: int | None,
        locale: str,
        *,
        there: int | None = None,
        app_permissions: int | None = None,
    ) -> Doing:
        it = self.find_channel(channel)
        who = user or self.manager
        if who.id not in it.guild.members:
            it.guild.people[who.id], it.guild.members[who.id] = who, []
        return Doing(who, it, permissions, there, app_permissions, locale)

    async def _synced(self, name: str, guild: Guild, kind: int) -> tuple[Json, Json]:
        """The command and, of "name sub", the subcommand."""
        await self.ready(seconds=self.patience)
        top = name if kind == 3 else name.partition(" ")[0]
        try:
            await self.wait_until(lambda: self._known(top, guild, kind), self.patience)
        except AssertionError:
            names = sorted(one["name"] for one in self.commands)
            raise AssertionError(f"the command {name!r} was never synced; there are {names}") from None
        command = spec = self._known(top, guild, kind)[0]
        for part in [] if kind == 3 else name.split(" ")[1:]:
            spec = _options_of(spec)[part]
        return command, spec

    def _known(self, name: str, guild: Guild, kind: int) -> list[Json]:
        there = [*self.guild_commands.get(guild.id, []), *self.commands]
        return [one for one in there if one["name"] == name and one["type"] == kind]

    def _act(self, doing: Doing, kind: int, data: Json, source: Json | None = None) -> Interaction:
        made = Interaction(self, kind, doing.channel, doing.user, source)
        self.interactions[made.token] = made
        member = {**doing.guild.member_json(doing.user.id), "permissions": str(doing.may(doing.channel))}
        told: Json = {
            "id": made.id,
            "application_id": self.application_id,
            "type": kind,
            "token": made.token,
            "version": 1,
        }
        told |= {"guild_id": doing.guild.id, "channel_id": doing.channel.id, "channel": _partial(doing, doing.channel)}
        told |= {"guild": {"id": doing.guild.id, "locale": doing.guild.locale, "features": []}, "member": member}
        told |= {"app_permissions": str(doing.relay_may(doing.channel)), "locale": doing.locale, "data": data}
        told |= {
            "guild_locale": doing.guild.locale,
            "attachment_size_limit": 10_485_760,
            "entitlements": [],
            "context": 0,
        }
        told |= {"authorizing_integration_owners": {"0": doing.guild.id}}
        if source is not None:
            told["message"] = source
        self.tell("INTERACTION_CREATE", told, doing.guild, 0)
        return made


def _partial(doing: Doing, channel: Channel) -> Json:
    """A channel as interactions have it: what the person may there, what the bot may there."""
    keys = ("id", "name", "type", "guild_id", "parent_id", "thread_metadata", "nsfw", "flags", "position")
    own = {key: value for key, value in channel.json.items() if key in keys}
    return {**own, "permissions": str(doing.may(channel)), "app_permissions": str(doing.relay_may(channel))}


def _data(command: Json, name: str, options: list[Json], resolved: Json) -> Json:
    for part, kind in zip(reversed(name.split(" ")[1:]), (1, 2), strict=False):
        options = [{"name": part, "type": kind, "options": options}]
    return {"id": command["id"], "name": command["name"], "type": 1, "options": options, "resolved": resolved}


def _options_of(spec: Json) -> dict[str, Json]:
    return {option["name"]: option for option in spec.get("options") or []}


def _component(where: Interaction | Json, name: str) -> tuple[Json, Json]:
    there = where.messages if isinstance(where, Interaction) else [where]
    for message in there:
        for part in every(message["components"]):
            if name in (part.get("custom_id"), part.get("label")):
                return message, part
    shown = [part.get("label") for message in there for part in every(message["components"]) if "label" in part]
    raise AssertionError(f"there is no {name!r} to press, only {shown}")


class _Told:
    """The options of a command as a client sends them, with what they name."""

    def __init__(self, doing: Doing) -> None:
        self.doing = doing
        self.resolved: Json = {}

    def options(self, spec: Json, given: Mapping[str, Any], *, whole: bool = True) -> list[Json]:
        known = _options_of(spec)
        strange = sorted(set(given) - set(known))
        assert not strange, f"/{spec['name']} has no {strange}; it has {sorted(known)}"
        missing = [name for name, option in known.items() if option.get("required") and name not in given]
        assert not (whole and missing), f"/{spec['name']} cannot be sent without {missing}"
        return [self._option(known[name], value) for name, value in given.items()]

    def _option(self, option: Json, value: Any) -> Json:
        name, kind = option["name"], option["type"]
        assert isinstance(value, _TYPES[kind]), f"{name}: {value!r} is nothing that a client sends for type {kind}"
        assert not isinstance(value, bool) or kind == 5, f"{name}: {value!r} is no number"
        _check_value(option, value)
        if kind in (_CHANNEL, _ROLE, _USER):
            value = self._resolve(option, str(getattr(value, "id", value)))
        return {"name": name, "type": kind, "value": value}

    def _resolve(self, option: Json, key: str) -> str:
        guild = self.doing.guild
        if option["type"] == _CHANNEL:
            channel = next(one for one in guild.channels if one.id == key)
            allowed = option.get("channel_types") or [channel.kind]
            assert channel.kind in allowed, f"{option['name']} takes channels of {allowed}, not of {channel.kind}"
            self.resolved.setdefault("channels", {})[key] = _partial(self.doing, channel)
        elif option["type"] == _ROLE:
            role = guild.role(key)
            assert role is not None, f"{key} is no role there"
            self.resolved.setdefault("roles", {})[key] = role.json
        else:
            self.resolved.setdefault("users", {})[key] = guild.people[key].json
            member = {name: value for name, value in guild.member_json(key).items() if name != "user"}
            bits = str(guild.permissions_of(key, self.doing.channel))
            self.resolved.setdefault("members", {})[key] = {**member, "permissions": bits}
        return key


def _check_value(option: Json, value: Any) -> None:
    """What a client would not let pass: choices and bounds."""
    name = option["name"]
    allowed = [choice["value"] for choice in option.get("choices") or []]
    assert not allowed or value in allowed, f"{name}: {value!r} is none of {allowed}"
    size = len(value) if isinstance(value, str) else value
    prefix, suffix = ("", "_length") if isinstance(value, str) else ("", "_value")
    if isinstance(size, int | float):
        low, high = option.get(f"{prefix}min{suffix}"), option.get(f"{prefix}max{suffix}")
        assert low is None or size >= low, f"{name}: {str(value)[:60]!r} ({size}) is below {low}"
        assert high is None or size <= high, (
            f"{name}: {str(value)[:60]!r} ({size}) is above {high}: a client does not let that pass"
        )
