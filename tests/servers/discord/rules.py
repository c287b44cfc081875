"""What Discord refuses, with its own codes: the form of messages, embeds, components, webhooks and commands."""

from __future__ import annotations

import re
from typing import Any

from tests.servers.discord.components import check_components, check_rows, check_v2
from tests.servers.discord.refusal import Json, Refusal, check_length, check_url, invalid

V2 = 1 << 15
EPHEMERAL = 64
SILENT = 1 << 12
NO_EMBEDS = 1 << 2
_MESSAGE_KEYS = {"content", "embeds", "components", "nonce", "enforce_nonce", "tts", "flags", "allowed_mentions"}
_MESSAGE_KEYS |= {"attachments", "message_reference", "sticker_ids", "poll"}
_MESSAGE_KEYS |= {"username", "avatar_url", "thread_name", "applied_tags"}  # a webhook's


def check_message(body: Json, *, flags: int = 0, partial: bool = False, links_only: bool = False) -> None:
    """Refuse what Discord refuses; ``flags`` are the message's own (an edit), ``partial`` lets it say nothing."""
    unknown = sorted(set(body) - _MESSAGE_KEYS)
    if unknown:
        raise invalid(unknown[0], "No such field (the loopback is strict here).", "UNKNOWN_FIELD")
    flags |= body.get("flags") or 0
    _check_content(body)
    _check_embeds(body.get("embeds") or [])
    _check_allowed(body.get("allowed_mentions"))
    components = body.get("components") or []
    if flags & V2:
        check_v2(body, components)
    else:
        check_rows(components)
    check_components(components, links_only=links_only)
    if not partial and not _says_something(body, components):
        raise Refusal(400, 50006, "Cannot send an empty message")


def _says_something(body: Json, components: list[Json]) -> bool:
    filled = [embed for embed in body.get("embeds") or [] if set(embed) - {"type", "color", "timestamp"}]
    return bool((body.get("content") or "").strip() or filled or components or body.get("attachments"))


def _check_content(body: Json) -> None:
    if body.get("content") is not None:
        check_length(body["content"], "content", 0, 2000)
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > 25:
        raise invalid("nonce", "Must be 25 or fewer in length.", "NONCE_TYPE_TOO_LONG")


def _check_allowed(allowed: Json | None) -> None:
    if not allowed:
        return
    if set(allowed) - {"parse", "users", "roles", "replied_user"}:
        raise invalid("allowed_mentions", "No such field (the loopback is strict here).", "UNKNOWN_FIELD")
    for kind in ("users", "roles"):
        if len(allowed.get(kind) or []) > 100:
            raise invalid(f"allowed_mentions.{kind}", "Must be 100 or fewer in length.")
        if allowed.get(kind) and kind in (allowed.get("parse") or []):
            raise invalid("allowed_mentions", f"parse:{kind} and {kind} are mutually exclusive.", "MUTUALLY_EXCLUSIVE")


_EMBED_TEXTS = {"title": 256, "description": 4096}


def _check_embeds(embeds: list[Json]) -> None:
    if len(embeds) > 10:
        raise invalid("embeds", "Must be 10 or fewer in length.")
    for number, embed in enumerate(embeds):
        _check_embed(embed, f"embeds.{number}")
    if sum(map(_embed_size, embeds)) > 6000:
        raise invalid("embeds", "Embed size exceeds maximum size of 6000", "MAX_EMBED_SIZE_EXCEEDED")


def _embed_size(embed: Json) -> int:
    fields = embed.get("fields") or []
    texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    texts += [(embed.get("author") or {}).get("name")]
    texts += [part.get(key) for part in fields for key in ("name", "value")]
    return sum(len(text.strip()) for text in texts if text)


def _check_embed(embed: Json, where: str) -> None:
    for key, longest in _EMBED_TEXTS.items():
        if embed.get(key) is not None:
            check_length(embed[key], f"{where}.{key}", 0, longest)
    if embed.get("url"):
        check_url(embed["url"], f"{where}.url")
    for key, text, longest in (("footer", "text", 2048), ("author", "name", 256)):
        part = embed.get(key)
        if part:
            check_length(part.get(text), f"{where}.{key}.{text}", 1, longest)
            _check_links(part, f"{where}.{key}")
    for key in ("image", "thumbnail"):
        if embed.get(key):
            _check_links(embed[key], f"{where}.{key}")
    _check_fields(embed.get("fields") or [], where)
    if not 0 <= (embed.get("color") or 0) <= 0xFFFFFF:
        raise invalid(f"{where}.color", "int value should be less than or equal to 16777215.", "NUMBER_TYPE_MAX")


def _check_links(part: Json, where: str) -> None:
    if part.get("url"):
        check_url(part["url"], f"{where}.url", schemes=("http", "https", "attachment"))
    if part.get("icon_url"):
        check_url(part["icon_url"], f"{where}.icon_url", schemes=("http", "https", "attachment"))


def _check_fields(fields: list[Json], where: str) -> None:
    if len(fields) > 25:
        raise invalid(f"{where}.fields", "Must be 25 or fewer in length.")
    for number, part in enumerate(fields):
        check_length(part.get("name"), f"{where}.fields.{number}.name", 1, 256)
        check_length(part.get("value"), f"{where}.fields.{number}.value", 1, 1024)


def check_webhook_name(name: Any, where: str = "name") -> None:
    check_length(name, where, 1, 80)
    for word in ("clyde", "discord"):
        if word in name.casefold():
            raise invalid(where, f'Username cannot contain "{word}"', "USERNAME_INVALID_CONTAINS")


def check_edit(message: Json, body: Json) -> None:
    """An edit: the message's rules, and the flag of the new components stays for ever."""
    new = body.get("flags")
    if message["flags"] & V2 and new is not None and not new & V2:
        raise invalid(
            "flags", "The IS_COMPONENTS_V2 flag cannot be removed.", "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG"
        )
    check_message(body, flags=message["flags"], partial=True)
    left = {key: body[key] if key in body else message.get(key) for key in ("content", "embeds", "components")}
    if (message["flags"] | (new or 0)) & V2:
        check_v2(left, left["components"] or [])
    if not _says_something({**left, "attachments": message["attachments"]}, left["components"] or []):
        raise Refusal(400, 50006, "Cannot send an empty message")


_COMMAND_NAME = re.compile(r"^[-_'\w]{1,32}$")


def check_commands(commands: Any) -> None:
    """Names, lengths and the order of options; 100 commands to type, 15 for messages."""
    if not isinstance(commands, list):
        raise invalid("_", "Only iterables may be used in a ListType", "LIST_TYPE_CONVERT")
    typed = [command for command in commands if command.get("type", 1) == 1]
    if len(typed) > 100 or len(commands) - len(typed) > 30:
        raise Refusal(400, 30032, "Maximum number of application commands reached (100)")
    for number, command in enumerate(commands):
        _check_command(command, str(number))


def _check_command(command: Json, where: str) -> None:
    if command.get("type", 1) == 1:
        _check_named(command, where)
        _check_options(command.get("options") or [], where)
        if _command_size(command) > 8000:
            raise invalid(where, "Command exceeds maximum size (8000)", "APPLICATION_COMMAND_TOO_LARGE")
    else:
        check_length(command.get("name"), f"{where}.name", 1, 32)


def _check_named(part: Json, where: str) -> None:
    name = part.get("name")
    if not isinstance(name, str) or not _COMMAND_NAME.match(name) or name != name.lower():
        raise invalid(f"{where}.name", "Command name is invalid", "APPLICATION_COMMAND_INVALID_NAME")
    check_length(part.get("description"), f"{where}.description", 1, 100)
    for tongue, text in (part.get("description_localizations") or {}).items():
        check_length(text, f"{where}.description_localizations.{tongue}", 1, 100)
    for tongue, text in (part.get("name_localizations") or {}).items():
        if not _COMMAND_NAME.match(text) or text != text.lower():
            path = f"{where}.name_localizations.{tongue}"
            raise invalid(path, "Command name is invalid", "APPLICATION_COMMAND_INVALID_NAME")


def _check_options(options: list[Json], where: str) -> None:
    if len(options) > 25:
        raise invalid(f"{where}.options", "Must be 25 or fewer in length.")
    if len({option.get("name") for option in options}) != len(options):
        raise invalid(
            f"{where}.options", "Option names must be unique", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"
        )
    needed = [bool(option.get("required")) for option in options]
    if needed != sorted(needed, reverse=True):
        reason = "Required options must be placed before non-required options"
        raise invalid(f"{where}.options", reason, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID")
    for number, option in enumerate(options):
        path = f"{where}.options.{number}"
        _check_named(option, path)
        _check_choices(option, path)
        _check_options(option.get("options") or [], path)


def _check_choices(option: Json, where: str) -> None:
    choices = option.get("choices") or []
    if len(choices) > 25:
        raise invalid(f"{where}.choices", "Must be 25 or fewer in length.")
    if choices and option.get("autocomplete"):
        raise invalid(where, "Choices and autocomplete exclude each other", "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE")
    for number, choice in enumerate(choices):
        check_length(choice.get("name"), f"{where}.choices.{number}.name", 1, 100)


def _command_size(part: Json) -> int:
    inner = sum(map(_command_size, part.get("options") or []))
    return len(part.get("name") or "") + len(part.get("description") or "") + inner
