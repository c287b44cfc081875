"""What the bot asks and tells about itself and about chats: getMe, its commands, getChat, its webhook."""

from __future__ import annotations

import re
from typing import Any

from tests.servers.telegram import reach
from tests.servers.telegram.calls import Call, Operations
from tests.servers.telegram.refusal import Json, bad
from tests.servers.telegram.things import Member
from tests.servers.telegram.world import World

operations = Operations()
_SCOPES = {
    "default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat", "chat_administrators",
    "chat_member",
}  # fmt: skip
_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
_LANGUAGE = re.compile(r"^([a-z]{2})?$")
_SECRET = re.compile(r"^[A-Za-z0-9_-]{1,256}$")


@operations
def get_me(world: World, call: Call) -> Json:
    more = {"can_join_groups": True, "can_read_all_group_messages": not world.privacy}
    return {**world.bot.json, **more, "supports_inline_queries": False, "has_main_web_app": False}


@operations
async def get_updates(world: World, call: Call) -> list[Json]:
    return await world.updates.poll(call.params)


# --- webhook ---


@operations
def set_webhook(world: World, call: Call) -> bool:
    told = dict(call.params)
    if told.pop("drop_pending_updates", False):
        world.updates.pending.clear()
    if not told["url"]:
        world.updates.hook(None)
        return True
    local = told["url"].startswith("http://127.0.0.1:")
    if not local and not told["url"].startswith("https://"):
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if not _SECRET.match(told.get("secret_token", "x")):
        raise bad("secret token contains unallowed characters")
    if not 1 <= told.get("max_connections", 40) <= 100:
        raise bad("max_connections must be between 1 and 100")
    world.updates.hook(told)
    return True


@operations
def delete_webhook(world: World, call: Call) -> bool:
    if call.params.get("drop_pending_updates"):
        world.updates.pending.clear()
    world.updates.hook(None)
    return True


@operations
def get_webhook_info(world: World, call: Call) -> Json:
    return world.updates.info


# --- commands and descriptions ---


def _scope(world: World, told: Any) -> str:
    given = told or {"type": "default"}
    kind = given.get("type")
    if kind not in _SCOPES:
        raise bad(f"can't parse BotCommandScope: unsupported type {kind!r}")
    parts = [kind]
    if kind in ("chat", "chat_administrators", "chat_member"):
        chat = reach.reached(world, given.get("chat_id"))
        if kind != "chat" and chat.kind in ("private", "channel"):
            raise bad(f"can't use the scope {kind} in a {chat.kind} chat")
        parts.append(chat.id)
    if kind == "chat_member":
        parts.append(given["user_id"])
    return ":".join(map(str, parts))


def _language(call: Call) -> str:
    given = str(call.params.get("language_code", ""))
    if not _LANGUAGE.match(given):
        raise bad("invalid language code specified")
    return given


def _menu(world: World, call: Call) -> tuple[str, str]:
    return _scope(world, call.params.get("scope")), _language(call)


@operations
def set_my_commands(world: World, call: Call) -> bool:
    given = call.params["commands"]
    if not isinstance(given, list) or len(given) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for one in given:
        _check_command(one)
    world.commands[_menu(world, call)] = given
    return True


def _check_command(told: Any) -> None:
    if not isinstance(told, dict) or not set(told) <= {"command", "description", "is_ephemeral"}:
        raise bad("can't parse BotCommand: expected an object with command and description")
    if not re.fullmatch(r"[a-z0-9_]{1,32}", str(told.get("command"))):
        raise bad("BOT_COMMAND_INVALID")
    if not 1 <= len(str(told.get("description", ""))) <= 256:
        raise bad("BOT_COMMAND_DESCRIPTION_INVALID")


@operations
def get_my_commands(world: World, call: Call) -> list[Json]:
    return world.commands.get(_menu(world, call), [])


@operations
def delete_my_commands(world: World, call: Call) -> bool:
    world.commands.pop(_menu(world, call), None)
    return True


def _describe(kind: str, most: int) -> None:
    def write(world: World, call: Call) -> bool:
        given = str(call.params.get(kind, ""))
        if len(given) > most:
            raise bad(f"{kind} is too long")
        world.descriptions[kind, _language(call)] = given
        return True

    def read(world: World, call: Call) -> Json:
        told = world.descriptions
        return {kind: told.get((kind, _language(call))) or told.get((kind, ""), "")}

    write.__name__, read.__name__ = f"set_my_{kind}", f"get_my_{kind}"
    operations(write)
    operations(read)


for _kind, _most in (("description", 512), ("short_description", 120), ("name", 64)):
    _describe(_kind, _most)


# --- people and chats ---


@operations
def answer_callback_query(world: World, call: Call) -> bool:
    key = call.params["callback_query_id"]
    if key not in world.queries or world.queries[key] is not None:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if len(call.params.get("text", "")) > 200:
        raise bad("MESSAGE_TOO_LONG")
    told = {name: call.params.get(name) for name in ("text", "show_alert", "url")}
    world.queries[key] = told
    world.answers.append(call.params.get("text", ""))
    return True


@operations
def get_chat(world: World, call: Call) -> Json:
    chat = reach.found(world, call.params["chat_id"])
    return chat.full if chat.username and not chat.person else reach.reached(world, chat.id).full


@operations
def get_chat_member(world: World, call: Call) -> Json:
    chat = reach.reached(world, call.params["chat_id"])
    who = world.people.get(call.params["user_id"])
    if who is None:
        raise bad("user not found")
    mine = chat.member(world.bot)
    if chat.kind == "channel" and not mine.leads and who is not world.bot:
        raise bad("member list is inaccessible")
    return chat.member(who).json(chat.kind)


@operations
def get_chat_administrators(world: World, call: Call) -> list[Json]:
    chat = reach.reached(world, call.params["chat_id"])
    if chat.kind == "private":
        raise bad("there are no administrators in the private chat")
    bots = call.params.get("return_bots", False)
    shown = [one for one in chat.members.values() if one.leads and _counts(world, one, bots=bots)]
    return [one.json(chat.kind) for one in shown]


def _counts(world: World, member: Member, *, bots: bool) -> bool:
    return bots or not member.person.is_bot or member.person is world.bot


@operations
def get_chat_member_count(world: World, call: Call) -> int:
    return sum(one.inside for one in reach.reached(world, call.params["chat_id"]).members.values())


@operations
def leave_chat(world: World, call: Call) -> bool:
    chat = reach.reached(world, call.params["chat_id"])
    if chat.kind == "private":
        raise bad("chat not found")
    world.leave(chat)
    return True


@operations
def send_chat_action(world: World, call: Call) -> bool:
    reach.place(world, call.params)
    if call.params["action"] not in _ACTIONS:
        raise bad("wrong parameter action in request")
    return True


@operations
def get_file(world: World, call: Call) -> Json:
    key = call.params["file_id"]
    if key not in world.files:
        raise bad("wrong file_id or the file is temporarily unavailable")
    return {"file_id": key, "file_unique_id": key[-24:], "file_size": 1000, "file_path": f"files/{key[-24:]}"}
