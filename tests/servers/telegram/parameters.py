"""Which methods there are, which parameters they take, and how those are read from a form or from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.servers.telegram.refusal import Json, bad, strict

_TO = "chat_id:id! message_thread_id:int business_connection_id:str direct_messages_topic_id:int "
_QUIET = (
    "disable_notification:bool protect_content:bool allow_paid_broadcast:bool message_effect_id:str"
    " reply_parameters:json "
)
_SEND = _TO + _QUIET + "reply_markup:json suggested_post_parameters:json "
_CAPTION = _SEND + "caption:str parse_mode:str caption_entities:json "
_SHOWN = _CAPTION + "show_caption_above_media:bool has_spoiler:bool "
_EDIT = "business_connection_id:str chat_id:id message_id:int inline_message_id:str reply_markup:json "
_FILM = "duration:int width:int height:int thumbnail:file "
_LANGUAGE = "language_code:str "

_METHODS = {
    "getMe": "",
    "getUpdates": "offset:int limit:int timeout:int allowed_updates:json",
    "setWebhook": "url:str! certificate:file ip_address:str max_connections:int allowed_updates:json"
    " drop_pending_updates:bool secret_token:str",
    "deleteWebhook": "drop_pending_updates:bool",
    "getWebhookInfo": "",
    "sendMessage": _SEND + "text:str! parse_mode:str entities:json link_preview_options:json",
    "sendPhoto": _SHOWN + "photo:file!",
    "sendVideo": _SHOWN + _FILM + "video:file! cover:file start_timestamp:int supports_streaming:bool",
    "sendAnimation": _SHOWN + _FILM + "animation:file!",
    "sendAudio": _CAPTION + "audio:file! duration:int performer:str title:str thumbnail:file",
    "sendDocument": _CAPTION + "document:file! thumbnail:file disable_content_type_detection:bool",
    "sendMediaGroup": _TO + _QUIET + "media:json!",
    "sendRichMessage": _SEND + "rich_message:json!",
    "editMessageText": _EDIT + "text:str parse_mode:str entities:json link_preview_options:json rich_message:json",
    "editMessageCaption": _EDIT + "caption:str parse_mode:str caption_entities:json show_caption_above_media:bool",
    "editMessageMedia": _EDIT + "media:json!",
    "editMessageReplyMarkup": _EDIT,
    "deleteMessage": "chat_id:id! message_id:int!",
    "deleteMessages": "chat_id:id! message_ids:json!",
    "setMyCommands": _LANGUAGE + "commands:json! scope:json",
    "getMyCommands": _LANGUAGE + "scope:json",
    "deleteMyCommands": _LANGUAGE + "scope:json",
    "setMyDescription": _LANGUAGE + "description:str",
    "getMyDescription": _LANGUAGE,
    "setMyShortDescription": _LANGUAGE + "short_description:str",
    "getMyShortDescription": _LANGUAGE,
    "setMyName": _LANGUAGE + "name:str",
    "getMyName": _LANGUAGE,
    "answerCallbackQuery": "callback_query_id:str! text:str show_alert:bool url:str cache_time:int",
    "getChat": "chat_id:id!",
    "getChatMember": "chat_id:id! user_id:int!",
    "getChatMemberCount": "chat_id:id!",
    "getChatAdministrators": "chat_id:id! return_bots:bool",
    "leaveChat": "chat_id:id!",
    "sendChatAction": _TO.replace("direct_messages_topic_id:int ", "") + "action:str!",
    "getFile": "file_id:str!",
}


def _table(told: str) -> dict[str, str]:
    return dict(one.split(":", 1) for one in told.split())


METHODS: Mapping[str, Mapping[str, str]] = {name: _table(told) for name, told in _METHODS.items()}
_BY_LOWER = {name.lower(): name for name in METHODS}


def method_named(name: str) -> str | None:
    """The method as documented: Telegram does not mind its case."""
    return _BY_LOWER.get(name.lower())


def decoded(method: str, raw: Mapping[str, Any]) -> Json:
    """The parameters as values; what cannot be read stays as it came."""
    table = METHODS.get(method, {})
    return {name: _value(table.get(name, "str?").rstrip("!"), value) for name, value in raw.items()}


def check(method: str, given: Mapping[str, Any], files: set[str]) -> None:
    """Refuse what the method does not take, and what is not of its type."""
    table = METHODS[method]
    strange = sorted(set(given) - set(table))
    if strange:
        raise strict(f"{method} has no parameter {', '.join(strange)}")
    for name, kind in table.items():
        if name in given:
            _check_type(name, kind.rstrip("!"), given[name])
        elif kind.endswith("!") and name not in files:
            raise bad(_missing(name))


def _missing(name: str) -> str:
    known = {"chat_id": "chat_id is empty", "text": "message text is empty", "user_id": "invalid user_id specified"}
    return known.get(name, f'parameter "{name}" is required')


_TYPES: Mapping[str, tuple[type, ...]] = {
    "id": (int, str),
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
    "file": (str,),
    "json": (dict, list),
}


def _check_type(name: str, kind: str, value: Any) -> None:
    if not isinstance(value, _TYPES[kind]) or (kind in ("int", "id") and isinstance(value, bool)):
        raise bad(f"can't parse {name}: {str(value)[:60]!r} is no {kind}")


def _value(kind: str, value: Any) -> Any:
    """From a form everything comes as text; from JSON as it is."""
    if not isinstance(value, str) or kind in ("str", "file"):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return value if kind == "id" and not isinstance(read, int) else read
