"""The relay's command table as Discord's application commands: the JSON, and whether it is what Discord has. Pure.

It is JSON and not discord.py's CommandTree: the table is data, and a tree would have to make a function with a
signature out of each row, only to take it apart again; and its channel argument drops ``app_permissions``, which we
need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.discord.permissions import MANAGE_CHANNELS
from relay.core.commands import TABLE, Parameter, Spec
from relay.i18n import later, words
from relay.options import Kind

SPECS = {spec.name: spec for spec in TABLE}
MENU = later("Unroll thread")
"""The entry in the menu of a message."""
STYLE, MENTION, SILENT, CROSSPOST = "style", "mention_role", "mention_nobody", "crosspost"
"""Discord's own options of a subscription, beside those of the table."""
OWN = frozenset({STYLE, MENTION, SILENT, CROSSPOST})

_LOCALES = ("es-ES", "es-419")
_SLASH, _MESSAGE = 1, 3
_STRING, _BOOLEAN, _CHANNEL, _ROLE = 3, 5, 7, 8
_POSTABLE = [0, 5, 10, 11, 12, 15]
"""Text, announcement, the three kinds of threads, forum."""
_LONGEST = {Kind.LINK: 2000, Kind.TOPIC: 2000, Kind.LANGUAGES: 100}
_OFFERED = frozenset({Kind.TOPIC, Kind.OWN, Kind.NETWORKS})
_STYLES = (
    ("card", later("card")),
    ("embed", later("embed")),
    ("webhook", later("posted with the author's name and picture")),
)
_PLACED = {"contexts": [0], "integration_types": [0]}
"""In servers only, and installed there: nobody has the relay for themselves alone."""


def tree() -> list[dict[str, Any]]:
    """All commands, as ``PUT /applications/{id}/commands`` takes them."""
    menu = {"type": _MESSAGE, "name": MENU, **_localised("name", MENU, 32), **_PLACED}
    return [*(_command(spec) for spec in TABLE), menu]


def _command(spec: Spec) -> dict[str, Any]:
    options = [_option(parameter) for parameter in spec.parameters]
    own = {"subscribe": _own(), "settings": [*_own(), _silent()]}.get(spec.name, [])
    return {
        "type": _SLASH,
        "name": spec.name,
        **_described(spec.summary),
        "options": [*options, *own],
        **({"default_member_permissions": MANAGE_CHANNELS} if spec.manages else {}),
        **_PLACED,
    }


def _option(parameter: Parameter) -> dict[str, Any]:
    plain = {"name": parameter.name, **_described(parameter.summary), "required": parameter.required}
    match parameter.kind:
        case Kind.PLACE:
            return {"type": _CHANNEL, **plain, "channel_types": _POSTABLE}
        case Kind.CHOICE:
            return {"type": _STRING, **plain, "choices": _choices(parameter.choices)}
        case kind if kind in _OFFERED:
            return {"type": _STRING, **plain, **_at_most(kind), "autocomplete": True}
        case kind:
            return {"type": _STRING, **plain, **_at_most(kind)}


def _own() -> list[dict[str, Any]]:
    return [
        {
            "type": _STRING,
            "name": STYLE,
            **_described(later("How posts look")),
            "choices": _choices(_STYLES),
        },
        {"type": _ROLE, "name": MENTION, **_described(later("A role to mention with every post"))},
        {
            "type": _BOOLEAN,
            "name": CROSSPOST,
            **_described(later("In an announcement channel: publish posts to the servers that follow it")),
        },
    ]


def _silent() -> dict[str, Any]:
    return {"type": _BOOLEAN, "name": SILENT, **_described(later("Stop mentioning a role"))}


def _choices(choices: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"name": _cut(label, 100), "value": value, **_localised("name", label, 100)} for value, label in choices]


def _at_most(kind: Kind) -> dict[str, int]:
    return {"max_length": _LONGEST[kind]} if kind in _LONGEST else {}


def _described(text: str) -> dict[str, Any]:
    return {"description": _cut(text, 100), **_localised("description", text, 100)}


def _localised(key: str, text: str, limit: int) -> dict[str, Any]:
    said = {tag: _cut(words(tag)(text), limit) for tag in _LOCALES}
    known = {tag: local for tag, local in said.items() if local != text}
    return {f"{key}_localizations": known} if known else {}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


# --- is it what Discord has? ---

_KEPT = frozenset({
    "type", "name", "description", "options", "required", "choices", "value", "autocomplete", "channel_types",
    "max_length", "contexts", "integration_types",
})  # fmt: skip


def same(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> bool:
    """Whether Discord has these commands already: a PUT costs nothing new, but 200 new ones a day are the limit.

    ``theirs`` was asked for with its localisations. What Discord adds, and what it leaves out for empty, is no change.
    """
    return _sorted(ours) == _sorted(theirs)


def _sorted(commands: Sequence[dict[str, Any]]) -> list[Any]:
    return sorted((_essence(one) for one in commands), key=lambda one: (one.get("type", _SLASH), one["name"]))


def _essence(value: Any) -> Any:
    if isinstance(value, list):
        kept = [_essence(one) for one in value]
        return sorted(kept) if all(isinstance(one, int) for one in kept) else kept
    if not isinstance(value, dict):
        return value
    told = {key: _essence(one) for key, one in value.items() if key in _KEPT}
    told |= {key: one for key, one in value.items() if key.endswith("_localizations")}
    told |= {key: str(one) for key, one in value.items() if key == "default_member_permissions" and one is not None}
    return {key: one for key, one in told.items() if one not in (None, False, "", [], {})}
