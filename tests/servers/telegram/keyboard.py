"""Buttons: how many, what they do, where they lead."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.servers.telegram.refusal import Json, bad, strict

_DEEDS = frozenset(
    {
        "url", "callback_data", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay",
    }
)  # fmt: skip
_OTHERS = ("keyboard", "remove_keyboard", "force_reply")


def checked(markup: Any, *, inline_only: bool) -> Json | None:
    """The inline keyboard that a message then has; the other kinds are seen by nobody later."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if any(key in markup for key in _OTHERS):
        if inline_only:
            raise bad("inline keyboard expected")
        return None
    if set(markup) != {"inline_keyboard"}:
        raise strict(f"reply_markup has {sorted(markup)}")
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad('field "inline_keyboard" of the InlineKeyboardMarkup should be an Array of Arrays')
    _check_rows(rows)
    return {"inline_keyboard": rows} if any(rows) else None


def _check_rows(rows: list[list[Json]]) -> None:
    if any(len(row) > 8 for row in rows):
        raise strict("more than 8 buttons in a row")
    if sum(map(len, rows)) > 100:
        raise bad("reply markup is too long")
    for row in rows:
        for button in row:
            _check_button(button)


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not str(button.get("text") or "").strip():
        raise bad("can't parse inline keyboard button: Button text must be non-empty")
    strange = sorted(set(button) - _DEEDS - {"text", "style", "icon_custom_emoji_id"})
    if strange:
        raise strict(f"a button has no {strange}")
    deeds = sorted(set(button) & _DEEDS)
    if not deeds:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(deeds) > 1:
        raise strict(f"a button does one thing, not {deeds}")
    if button.get("style", "primary") not in ("primary", "success", "danger"):
        raise bad("can't parse inline keyboard button: invalid button style specified")
    _check_deed(button)


def _check_deed(button: Json) -> None:
    if "callback_data" in button and not 1 <= len(str(button["callback_data"]).encode()) <= 64:
        raise bad("BUTTON_DATA_INVALID")
    if "copy_text" in button and not 1 <= len(str(button["copy_text"].get("text", ""))) <= 256:
        raise bad("BUTTON_COPY_TEXT_INVALID")
    if "url" in button:
        told = urlsplit(str(button["url"]))
        if told.scheme not in ("http", "https", "tg"):
            raise bad(f"inline keyboard button URL '{button['url']}' is invalid: Unsupported URL protocol")
        if not told.netloc or " " in str(button["url"]):
            raise bad("BUTTON_URL_INVALID")
