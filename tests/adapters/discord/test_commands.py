"""The command table as Discord's commands, and what people's links and answers become."""

from __future__ import annotations

import copy
import json
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from adapters.discord.interactions import bodies, choices, said
from adapters.discord.requests import links_in, question_in
from adapters.discord.style import DiscordStyle
from adapters.discord.tree import MENU, OWN, same, tree
from relay.core.commands import TABLE
from relay.i18n import words
from relay.model import Card
from relay.options import Kind
from relay.ports import Answer, Choice, Suggestion
from relay.testing import post, text
from tests.servers.discord_schema import spec_path

LOOK = DiscordStyle(style="card", age_restricted=False, say=words("en"), colour=None, relay="Chasqui")
COMMANDS = {command["name"]: command for command in tree()}


def option(command: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in COMMANDS[command]["options"] if one["name"] == name)
    return found


# --- the tree ---


@cache
def _official() -> Draft202012Validator:
    path = spec_path()
    if path is None:
        pytest.skip("the official document is not here: RELAY_TEST_SPECS names its folder")
    document = json.loads(path.read_text())
    part = "#/paths/~1applications~1{application_id}~1commands/put/requestBody/content/application~1json/schema"
    return Draft202012Validator({**document, "$ref": part})


def test_discord_takes_the_commands() -> None:
    errors = [f"{error.json_path}: {error.message[:200]}" for error in _official().iter_errors(tree())]
    assert not errors


def test_the_table_is_all_there_and_the_menu() -> None:
    assert [command["name"] for command in tree()] == [*(spec.name for spec in TABLE), MENU]


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.name)
def test_each_parameter_takes_what_its_kind_says(spec: Any) -> None:
    for parameter in spec.parameters:
        shown = option(spec.name, parameter.name)
        assert shown["required"] is parameter.required
        assert shown["type"] == (7 if parameter.kind is Kind.PLACE else 3)
        assert shown.get("autocomplete", False) is (parameter.kind in {Kind.TOPIC, Kind.OWN, Kind.NETWORKS})
        assert [one["value"] for one in shown.get("choices", ())] == [value for value, _ in parameter.choices]
        if parameter.kind is Kind.PLACE:
            assert set(shown["channel_types"]) == {0, 5, 10, 11, 12, 15}


def test_only_commands_that_change_something_need_manage_channels() -> None:
    needing = {name for name, command in COMMANDS.items() if command.get("default_member_permissions") == 1 << 4}
    assert needing == {spec.name for spec in TABLE if spec.manages}
    assert all(command.get("default_member_permissions", 16) == 16 for command in COMMANDS.values())


def test_commands_are_for_servers_only() -> None:
    assert all(one["contexts"] == [0] and one["integration_types"] == [0] for one in COMMANDS.values())


def test_discords_own_options_stand_beside_those_of_the_table() -> None:
    own = {name: OWN & {one["name"] for one in command.get("options", ())} for name, command in COMMANDS.items()}
    assert own.pop("settings") == {"style", "mention_role", "mention_nobody", "crosspost"}
    assert own.pop("subscribe") == {"style", "mention_role", "crosspost"}
    assert not any(own.values())
    assert option("subscribe", "mention_role")["type"] == 8
    assert option("subscribe", "crosspost")["type"] == 5


def test_required_options_come_first_as_discord_wants_it() -> None:
    for command in COMMANDS.values():
        required = [bool(one.get("required")) for one in command.get("options", ())]
        assert required == sorted(required, reverse=True)


def test_texts_fit_in_every_language() -> None:
    """8,000 characters of names, descriptions and values a command, the longest language of each; 100 a description."""
    for command in COMMANDS.values():
        assert _size(command) < 8000
        for one in [command, *command.get("options", ())]:
            texts = [one.get("description", ""), *one.get("description_localizations", {}).values()]
            assert all(len(said) <= 100 for said in texts)


def _size(one: dict[str, Any]) -> int:
    """As Discord counts: of a command, its options and their choices."""
    said = [
        max(map(len, (str(one.get(key, "")), *(one.get(f"{key}_localizations") or {}).values())))
        for key in ("name", "description", "value")
    ]
    return sum(said) + sum(_size(each) for key in ("options", "choices") for each in one.get(key, ()))


def _as_discord_says_it(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With ids and versions, nulls and defaults, bits as text, in another order."""
    told = copy.deepcopy(commands)[::-1]
    for number, command in enumerate(told):
        command |= {"id": str(number), "application_id": "1", "version": "9", "nsfw": False, "dm_permission": False}
        command.setdefault("name_localizations", None)
        command.setdefault("description", "")
        if "default_member_permissions" in command:
            command["default_member_permissions"] = str(command["default_member_permissions"])
        for one in command.get("options", ()):
            one.setdefault("description_localizations", None)
            if not one.get("required"):
                one.pop("required", None)
    return told


def test_what_discord_has_already_is_no_change() -> None:
    assert same(tree(), _as_discord_says_it(tree()))


def _reworded(commands: list[Any]) -> None:
    commands[0]["description"] += "!"


def _said_otherwise_in_spanish(commands: list[Any]) -> None:
    commands[0]["description_localizations"] = {"es-ES": "Otra cosa"}


def _one_more_choice(commands: list[Any]) -> None:
    next(one for one in commands[0]["options"] if "choices" in one)["choices"].append({"name": "x", "value": "x"})


def _other_rights(commands: list[Any]) -> None:
    commands[0]["default_member_permissions"] = "0"


def _one_less(commands: list[Any]) -> None:
    commands.pop()


def _one_option_needed(commands: list[Any]) -> None:
    commands[0]["options"][-1]["required"] = True


@pytest.mark.parametrize(
    "change",
    [_reworded, _said_otherwise_in_spanish, _one_more_choice, _other_rights, _one_less, _one_option_needed],
    ids=lambda change: change.__name__,
)
def test_a_change_is_seen(change: Any) -> None:
    theirs = _as_discord_says_it(tree())[::-1]
    change(theirs)
    assert not same(tree(), theirs)


# --- links in a message ---

PAGE = "https://ayllu.example/@illa/1"


@pytest.mark.parametrize(
    ("message", "link"),
    [
        ({"content": f"see {PAGE}, and https://ayllu.example/2"}, PAGE),
        ({"content": f"({PAGE})"}, PAGE),
        ({"content": f"<{PAGE}>"}, PAGE),
        ({"content": f"[the thread]({PAGE})."}, PAGE),
        ({"content": f"||{PAGE}||"}, PAGE),
        ({"content": f"**{PAGE}**"}, PAGE),
        ({"content": "https://ayllu.example/wiki/Bridge_(rope)!"}, "https://ayllu.example/wiki/Bridge_(rope)"),
        ({"content": "", "embeds": [{"url": PAGE}]}, PAGE),
        ({"content": "", "embeds": [{"description": f"from {PAGE}"}]}, PAGE),
        ({"content": "", "components": [{"type": 1, "components": [{"type": 2, "style": 5, "url": PAGE}]}]}, PAGE),
        ({"content": "", "components": [{"type": 17, "components": [{"type": 10, "content": f"[x]({PAGE})"}]}]}, PAGE),
        ({"content": "", "components": [{"type": 9, "components": [], "accessory": {"type": 2, "url": PAGE}}]}, PAGE),
        ({"content": "", "message_snapshots": [{"message": {"content": PAGE}}]}, PAGE),
        ({"content": "javascript:alert(1) ftp://ayllu.example"}, ""),
        ({}, ""),
    ],
)
def test_the_first_link_of_a_message(message: dict[str, Any], link: str) -> None:
    assert next(links_in(message), "") == link


# --- what is typed ---


def test_suggestions_are_for_the_channel_of_the_person_where_the_named_one_is_not_of_this_guild() -> None:
    """While a person types, Discord hands on the channel's id unchecked."""
    guild = SimpleNamespace(get_channel_or_thread=lambda _: None, me=None)
    options = [{"name": "topic", "value": "#", "focused": True}, {"name": "channel", "value": "99"}]
    interaction = SimpleNamespace(
        data={"name": "unsubscribe", "options": options},
        guild=guild,
        guild_id=7,
        channel_id=42,
        user=None,
        locale=SimpleNamespace(value="es-419"),
    )
    question = question_in(cast("Any", interaction))
    assert question is not None
    assert (question.destination.address, question.community, question.language) == ("42", "7", "es-419")


# --- answers ---


def test_a_long_answer_goes_on_in_more_messages_and_its_buttons_stand_under_the_last() -> None:
    lines = text(*(f"{number}. #Qeswachaka{'x' * 90}" for number in range(60)))
    shown = bodies(Answer(text=lines, choices=(Choice("More", "help"),)), "42", LOOK, {})
    assert len(shown) > 2
    assert all(0 < len(one["content"]) <= 2000 for one in shown)
    assert [bool(one.get("components")) for one in shown] == [False] * (len(shown) - 1) + [True]
    everything = "\n".join(one["content"] for one in shown)
    assert all(f"{number}" in everything for number in range(60))


def test_one_endless_paragraph_is_cut_to_what_discord_takes() -> None:
    assert [len(one["content"]) <= 2000 for one in said("word " * 2000)] == [True]


def test_an_answer_without_words_is_still_an_answer() -> None:
    assert bodies(Answer(text=()), "42", LOOK, {})[0]["content"]


def test_buttons_stand_in_rows_of_five_and_carry_channel_and_line() -> None:
    asked = tuple(Choice("a long label " * 10, "x" * 60) for _ in range(30))
    rows = bodies(Answer(text=text("?"), choices=asked), "12345678901234567890", LOOK, {})[0]["components"]
    assert [len(row["components"]) for row in rows] == [5] * 5
    buttons = [button for row in rows for button in row["components"]]
    assert all(len(button["label"]) <= 80 for button in buttons)
    assert all(button["custom_id"] == f"12345678901234567890 {'x' * 60}" for button in buttons)


@pytest.mark.parametrize("style", ["card", "embed", "webhook"])
def test_a_post_is_shown_in_the_style_of_the_channel_and_calls_nobody(style: Any) -> None:
    look = DiscordStyle(
        style=style, age_restricted=False, mention_role="77", say=words("en"), colour=None, relay="Chasqui"
    )
    answer = Answer(text=text("This one:"), cards=(Card(post=post(), reason="#Qeswachaka"),))
    shown = bodies(answer, "42", look, {"fake": 0x6364FF})[1]
    assert not {"username", "avatar_url", "allowed_mentions", "nonce"} & shown.keys()
    assert bool(shown.get("embeds")) is (style == "embed")
    assert bool(shown.get("flags", 0) & 1 << 15) is (style != "embed")
    assert "<@&77>" not in json.dumps(shown)
    assert str(0x6364FF) in json.dumps(shown)


def test_suggestions_that_discord_would_refuse_are_left_out() -> None:
    assert choices([Suggestion("", "x"), Suggestion("empty", ""), Suggestion("long", "x" * 101)]) == [("x", "x")]
