"""What a person asks for on Discord, as the relay's own :class:`Command` and :class:`Question`: reads, never answers.

Discord's payload says who asks and what they and the relay may do, in the channel that is meant; nothing is taken from
what a client could have made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import discord

from adapters.discord import tree
from adapters.discord.card import original_in
from adapters.discord.permissions import ADMINISTRATOR, MANAGE_CHANNELS, MENTION_EVERYONE, obstacle
from adapters.discord.settings import Style
from relay.core.commands import Mistake, command_of
from relay.i18n import Words
from relay.model import Destination
from relay.options import Kind
from relay.ports import Command, Question, Refused

DiscordInteraction = discord.Interaction[Any]
Record = Mapping[str, Any]

_LINK = re.compile(r"https?://[^\s<>()\"|]+(?:\([^\s<>()\"|]*\)[^\s<>()\"|]*)*", re.IGNORECASE)
_AFTER = ".,;:!?*_~`'\"”’»]"
"""What may follow an address in a text and is no part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The channel that is meant; ``asker`` and ``relay`` are what each may do there."""

    id: str
    kind: int
    asker: int
    relay: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which command, with what, about which channel."""

    name: str
    arguments: Mapping[str, str]
    target: Target
    options: str = ""


def destination(channel_id: object) -> Destination:
    return Destination("discord", str(channel_id))


def command_in(interaction: DiscordInteraction, say: Words, style: Style) -> Command | Refused:
    """What a slash command, the menu of a message or a button asks for; ``Refused`` says what to do instead.

    ``style`` is how posts look where nobody chooses: it decides what the relay needs in the channel.
    """
    data = _data(interaction)
    if interaction.type is discord.InteractionType.component:
        asked = _pressed(interaction, str(data["custom_id"]), say)
    elif data["name"] == tree.MENU:
        asked = _from_menu(interaction, say)
    else:
        asked = _slash(interaction, say)
    return asked if isinstance(asked, Refused) else _command(interaction, asked, say, style)


def question_in(interaction: DiscordInteraction) -> Question | None:
    """What is being typed; None: nothing that suggestions are made for."""
    data = _data(interaction)
    spec = tree.SPECS.get(data["name"])
    options = cast("list[Record]", data.get("options") or [])
    typing = next((option for option in options if option.get("focused")), None)
    if spec is None or typing is None:
        return None
    places = {parameter.name for parameter in spec.parameters if parameter.kind is Kind.PLACE}
    named = next((option["value"] for option in options if option["name"] in places), None)
    return Question(
        command=spec.name,
        parameter=typing["name"],
        typed=str(typing["value"]),
        destination=destination(_seen(interaction, named) or interaction.channel_id),
        community=str(interaction.guild_id or ""),
        language=interaction.locale.value,
    )


def custom_id(channel_id: object, line: str) -> str:
    """What a button carries: its command line, and the channel that it is about."""
    return f"{channel_id} {line}"


# --- the three ways to ask ---


def _slash(interaction: DiscordInteraction, say: Words) -> _Asked | Refused:
    data = _data(interaction)
    spec = tree.SPECS.get(data["name"])
    if spec is None:
        return Refused(say("This command no longer exists. /help lists the commands."))
    given = {option["name"]: option["value"] for option in data.get("options") or ()}
    places = {parameter.name for parameter in spec.parameters if parameter.kind is Kind.PLACE}
    named = next((given[name] for name in places if name in given), None)
    target = _named(interaction, str(named), say) if named else _here(interaction)
    if isinstance(target, Refused):
        return target
    options = _options(interaction, given, target, say)
    if isinstance(options, Refused):
        return options
    arguments = {name: str(value) for name, value in given.items() if name not in places | tree.OWN}
    return _Asked(spec.name, arguments, target, options)


def _from_menu(interaction: DiscordInteraction, say: Words) -> _Asked | Refused:
    data = _data(interaction)
    message = data["resolved"]["messages"][data["target_id"]]
    # A message of ours begins with the unroll page; of another's, nobody knows which button is the post.
    link = (original_in(message) if _is_ours(interaction, message) else "") or next(links_in(message), "")
    if not link:
        return Refused(say("That message has no link. Choose one that links to a post."))
    return _Asked("unroll", {"url": link}, _here(interaction))


def _is_ours(interaction: DiscordInteraction, message: Record) -> bool:
    """Sent by the bot, or by a webhook of its own."""
    by = message.get("application_id") or message.get("author", {}).get("id")
    return str(by) in {str(interaction.application_id), str(interaction.client.user.id)}


def _pressed(interaction: DiscordInteraction, pressed: str, say: Words) -> _Asked | Refused:
    channel_id, _, line = pressed.partition(" ")
    parsed = command_of(line, say=say)
    if isinstance(parsed, Mistake):
        return Refused(parsed.text)
    target = (
        _here(interaction) if channel_id == str(interaction.channel_id) else _elsewhere(interaction, channel_id, say)
    )
    return target if isinstance(target, Refused) else _Asked(parsed.name, parsed.arguments, target)


def _command(interaction: DiscordInteraction, asked: _Asked, say: Words, style: Style) -> Command:
    target = asked.target
    chosen = json.loads(asked.options or "{}").get(tree.STYLE, style)
    return Command(
        name=asked.name,
        arguments=asked.arguments,
        destination=destination(target.id),
        community=str(interaction.guild_id or ""),
        user=f"discord:{interaction.user.id}",
        language=interaction.locale.value,
        may_manage=bool(target.asker & (MANAGE_CHANNELS | ADMINISTRATOR)),
        obstacle=obstacle(target.relay, target.kind, say, webhooks=chosen == "webhook"),
        options=asked.options,
    )


# --- which channel, and who may what there ---


def _here(interaction: DiscordInteraction) -> Target:
    kind = interaction.channel.type.value if interaction.channel else 0
    return Target(
        id=str(interaction.channel_id),
        kind=kind,
        asker=interaction.permissions.value,
        relay=interaction.app_permissions.value,
    )


def _named(interaction: DiscordInteraction, channel_id: str, say: Words) -> Target | Refused:
    found: Record | None = _data(interaction).get("resolved", {}).get("channels", {}).get(channel_id)
    if found is None:
        return _gone(say)
    told = found.get("app_permissions")
    return Target(
        id=channel_id,
        kind=int(found["type"]),
        asker=int(found["permissions"]),
        relay=int(told) if told is not None else _may(interaction, channel_id, who=None),
    )


def _elsewhere(interaction: DiscordInteraction, channel_id: str, say: Words) -> Target | Refused:
    channel = _channel(interaction, channel_id)
    if channel is None:
        return _gone(say)
    return Target(
        id=channel_id,
        kind=channel.type.value,
        asker=_may(interaction, channel_id, who=interaction.user),
        relay=_may(interaction, channel_id, who=None),
    )


def _gone(say: Words) -> Refused:
    return Refused(say("That channel is gone, or I can't see it. Choose another one."))


def _channel(interaction: DiscordInteraction, channel_id: object) -> Any:
    """Of this guild only, whatever the id."""
    known = str(channel_id).isdecimal() and interaction.guild is not None
    return interaction.guild.get_channel_or_thread(int(str(channel_id))) if known and interaction.guild else None


def _may(interaction: DiscordInteraction, channel_id: str, *, who: object | None) -> int:
    """What a member, or else the relay, may do in a channel of this guild, from what the gateway told."""
    channel = _channel(interaction, channel_id)
    member = who if who is not None or interaction.guild is None else interaction.guild.me
    if channel is None or not isinstance(member, discord.Member):
        return 0
    return int(channel.permissions_for(member).value)


def _seen(interaction: DiscordInteraction, channel_id: object) -> str:
    """While a person types, a channel comes unchecked: it counts where they can see it."""
    may = _may(interaction, str(channel_id), who=interaction.user) if channel_id else 0
    return str(channel_id) if may & discord.Permissions.view_channel.flag else ""


# --- Discord's own options ---


def _options(interaction: DiscordInteraction, given: Record, target: Target, say: Words) -> str | Refused:
    """As JSON; whoever may not mention a role themselves cannot have the relay mention it."""
    own = {name: given[name] for name in (tree.STYLE, tree.CROSSPOST) if name in given}
    if (role := given.get(tree.MENTION)) is not None:
        refused = _unmentionable(interaction, str(role), target, say)
        if refused:
            return Refused(refused)
        own[tree.MENTION] = str(role)
    if given.get(tree.SILENT):
        own[tree.MENTION] = None
    return json.dumps(own) if own else ""


def _unmentionable(interaction: DiscordInteraction, role_id: str, target: Target, say: Words) -> str:
    role: Record = _data(interaction).get("resolved", {}).get("roles", {}).get(role_id, {})
    if role_id == str(interaction.guild_id):
        return say("I can mention one role, but not @everyone. Choose another role.")
    if role.get("mentionable"):
        return ""
    if not target.asker & (MENTION_EVERYONE | ADMINISTRATOR):
        return say(
            "You are not allowed to mention this role, so I won't do it for you. Choose one that everyone may mention."
        )
    if not target.relay & (MENTION_EVERYONE | ADMINISTRATOR):
        return say("I am not allowed to mention this role. In the server settings, allow anyone to mention it.")
    return ""


# --- the links of a message ---


def links_in(message: Record) -> Iterator[str]:
    """The web addresses in a message, in the order in which a reader meets them: text, previews, buttons."""
    parts = (message, *(one.get("message", {}) for one in message.get("message_snapshots") or ()))
    for part in parts:
        yield from _written(str(part.get("content") or ""))
        for embed in part.get("embeds") or ():
            yield from (str(embed["url"]),) if embed.get("url") else _written(str(embed.get("description") or ""))
        yield from _in_components(part.get("components") or ())


def _written(text: str) -> Iterator[str]:
    yield from (found.rstrip(_AFTER) for found in _LINK.findall(text))


def _in_components(components: Any) -> Iterator[str]:
    for one in components:
        if isinstance(one.get("url"), str):
            yield one["url"]
        yield from _written(str(one.get("content") or ""))
        yield from _in_components([*(one.get("components") or ()), *filter(None, [one.get("accessory")])])


def _data(interaction: DiscordInteraction) -> dict[str, Any]:
    """Discord's own words; discord.py's types know neither ``app_permissions`` nor what is raw in them."""
    return cast("dict[str, Any]", interaction.data or {})
