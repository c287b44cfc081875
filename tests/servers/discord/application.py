"""REST about the bot itself: who it is, its guilds, its commands, where its gateway is, its first answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.discord.refusal import Refusal
from tests.servers.discord.rest import Answer, Ask, Routes
from tests.servers.discord.rules import check_commands
from tests.servers.discord.things import THREADS, Guild, Json
from tests.servers.discord.world import World

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer

routes = Routes()


def _application(world: World) -> Json:
    owner: Json = {"id": "1", "username": "owner", "discriminator": "0", "avatar": None, "global_name": None}
    own: Json = {
        "id": world.application_id,
        "name": "Chasqui",
        "description": "",
        "icon": None,
        "type": None,
        "flags": 0,
    }
    own |= {"bot_public": True, "bot_require_code_grant": False, "verify_key": "0" * 64, "summary": "", "team": None}
    own |= {
        "owner": owner,
        "bot": world.bot.json,
        "hook": True,
        "is_monetized": False,
        "tags": [],
        "install_params": None,
    }
    return {**own, "approximate_guild_count": len(world.guilds), "integration_types_config": {"0": {}}}


@routes("GET", "/users/@me")
def me(world: World, _ask: Ask) -> Answer:
    return 200, {**world.bot.json, "verified": True, "mfa_enabled": True, "email": None, "locale": "en-US"}


@routes("GET", "/users/@me/guilds")
def my_guilds(world: World, _ask: Ask) -> Answer:
    keys = ("id", "name", "icon", "banner", "features")
    return 200, [{key: guild.json[key] for key in keys} for guild in world.guilds.values() if not guild.left]


@routes("DELETE", "/users/@me/guilds/*")
def leave_guild(world: World, ask: Ask) -> Answer:
    world.remove_guild(_guild(world, ask.ids[0]))
    return 204, None


@routes("GET", "/applications/@me")
def application(world: World, _ask: Ask) -> Answer:
    return 200, _application(world)


@routes("GET", "/oauth2/applications/@me")
def oauth_application(world: World, _ask: Ask) -> Answer:
    return 200, _application(world)


@routes("GET", "/gateway", bot=False)
def gateway(server: DiscordServer, _ask: Ask) -> Answer:
    return 200, {"url": server.gateway_url}


@routes("GET", "/gateway/bot")
def gateway_of_bot(server: DiscordServer, _ask: Ask) -> Answer:
    left = {"total": 1000, "remaining": 1000 - server.identifies, "reset_after": 86_400_000, "max_concurrency": 1}
    return 200, {"url": server.gateway_url, "shards": server.shards, "session_start_limit": left}


# --- guilds ---


def _guild(world: World, guild_id: str) -> Guild:
    guild = world.guilds.get(guild_id)
    if guild is None or guild.left:
        raise Refusal(404, 10004, "Unknown Guild")
    return guild


@routes("GET", "/guilds/*")
def get_guild(world: World, ask: Ask) -> Answer:
    return 200, _guild(world, ask.ids[0]).json


@routes("GET", "/guilds/*/roles")
def get_roles(world: World, ask: Ask) -> Answer:
    return 200, _guild(world, ask.ids[0]).json["roles"]


@routes("GET", "/guilds/*/channels")
def get_channels(world: World, ask: Ask) -> Answer:
    return 200, [channel.json for channel in _guild(world, ask.ids[0]).channels if channel.kind not in THREADS]


@routes("GET", "/guilds/*/members/*")
def get_member(world: World, ask: Ask) -> Answer:
    guild = _guild(world, ask.ids[0])
    user_id = world.bot_id if ask.ids[1] == "@me" else ask.ids[1]
    if user_id not in guild.members:
        raise Refusal(404, 10007, "Unknown Member")
    return 200, guild.member_json(user_id)


@routes("GET", "/guilds/*/threads/active")
def active_threads(world: World, ask: Ask) -> Answer:
    guild = _guild(world, ask.ids[0])
    found = [thread.json for thread in world.threads() if thread.guild is guild and not thread.archived]
    return 200, {"threads": found, "members": []}


# --- commands ---


def _check_application(world: World, application_id: str) -> None:
    if application_id != world.application_id:
        raise Refusal(404, 10002, "Unknown Application")


def _as_kept(world: World, command: Json, old: list[Json], guild_id: str | None) -> Json:
    """With what Discord adds; a command keeps its id as long as it keeps its name."""
    kind = command.get("type") or 1
    known = next((one for one in old if (one["name"], one["type"]) == (command["name"], kind)), None)
    version = world.ids.next()
    own: Json = {"id": known["id"] if known else version, "application_id": world.application_id, "version": version}
    own |= {"name_localizations": None, "description_localizations": None, "description": "", "dm_permission": True}
    own |= {
        "default_member_permissions": None,
        "integration_types": [0],
        "contexts": None,
        "nsfw": False,
        "handler": None,
    }
    own |= {"guild_id": guild_id} if guild_id else {}
    kept = {**own, **command, "type": kind}
    if kept.get("default_member_permissions") is not None:
        kept["default_member_permissions"] = str(kept["default_member_permissions"])
    return kept


@routes("GET", "/applications/*/commands")
def get_commands(world: World, ask: Ask) -> Answer:
    _check_application(world, ask.ids[0])
    return 200, _listed(world.commands, ask)


def _listed(commands: list[Json], ask: Ask) -> list[Json]:
    """Translations are only told to those who ask for them."""
    if ask.query.get("with_localizations", "").lower() in ("true", "1"):
        return commands
    return [_untranslated(command) for command in commands]


def _untranslated(part: Json) -> Json:
    own = {key: value for key, value in part.items() if not key.endswith("_localizations")}
    for key in ("options", "choices"):
        if key in own:
            own[key] = [_untranslated(inner) for inner in own[key]]
    return own


@routes("PUT", "/applications/*/commands", bucket="commands")
def put_commands(world: World, ask: Ask) -> Answer:
    _check_application(world, ask.ids[0])
    check_commands(ask.body)
    world.commands = [_as_kept(world, command, world.commands, None) for command in ask.body]
    world.syncs += 1
    world.changed()
    return 200, world.commands


@routes("GET", "/applications/*/guilds/*/commands")
def get_guild_commands(world: World, ask: Ask) -> Answer:
    _check_application(world, ask.ids[0])
    return 200, _listed(world.guild_commands.get(ask.ids[1], []), ask)


@routes("PUT", "/applications/*/guilds/*/commands", bucket="commands")
def put_guild_commands(world: World, ask: Ask) -> Answer:
    _check_application(world, ask.ids[0])
    guild = world.guilds.get(ask.ids[1])
    if guild is None or guild.left:
        raise Refusal(403, 50001, "Missing Access")
    check_commands(ask.body)
    old = world.guild_commands.get(guild.id, [])
    world.guild_commands[guild.id] = [_as_kept(world, command, old, guild.id) for command in ask.body]
    world.syncs += 1
    world.changed()
    return 200, world.guild_commands[guild.id]


# --- interactions ---


@routes("POST", "/interactions/*/*/callback", bot=False)
def callback(server: DiscordServer, ask: Ask) -> Answer:
    interaction = server.waiting(ask.ids[0], ask.ids[1])
    interaction.acknowledge(ask.fields)
    if ask.query.get("with_response", "").lower() in ("true", "1"):
        return 200, interaction.callback_json
    return 204, None
