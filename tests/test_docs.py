from __future__ import annotations

import re
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, SecretStr

from adapters.discord.permissions import invite, names
from relay import plugins
from relay.config import (
    CommandSettings,
    MentionSettings,
    OutboxSettings,
    RelaySettings,
    StoreSettings,
    SubscriptionConfig,
    ThreadSettings,
    WebSettings,
    load,
)
from relay.core.commands import TABLE
from relay.http import HttpSettings

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"

COMMENTED = re.compile(r"^#(?=\[|\w+ = )", re.MULTILINE)
"""Before a table that only works with a setting of one's own: a reader takes it away."""

Tables = dict[str, type[BaseModel]]


def example() -> str:
    """All of the example, with what is commented out."""
    return COMMENTED.sub("", EXAMPLE.read_text(encoding="utf-8"))


def tables() -> Tables:
    """Every table that may be written, with its model: ours, and those of the plugins that we bring."""
    ours: Tables = {
        "relay": RelaySettings,
        "store": StoreSettings,
        "web": WebSettings,
        "http": HttpSettings,
        "outbox": OutboxSettings,
        "threads": ThreadSettings,
        "mentions": MentionSettings,
        "commands": CommandSettings,
    }
    for kind in ("sources", "adapters"):
        for name, point in plugins.names(kind).items():
            if point.dist and point.dist.name == "chasqui-relay":
                ours[f"{kind}.{name}"] = plugins.load(kind, name).settings
    return ours


def written() -> dict[str, dict[str, Any]]:
    """The tables of the example by their dotted name."""
    document = tomllib.loads(example())
    found: dict[str, dict[str, Any]] = {}
    for name, table in document.items():
        if name in {"sources", "adapters"}:
            found |= {f"{name}.{plugin}": settings for plugin, settings in table.items()}
        elif name != "subscriptions":
            found[name] = table
    return found


def shown(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def test_the_example_configuration_loads() -> None:
    config = load(EXAMPLE, env={})
    assert config.subscriptions
    assert config.warnings == ()


def test_the_example_loads_too_when_what_is_commented_out_is_taken_in(tmp_path: Path) -> None:
    whole = tmp_path / "relay.toml"
    whole.write_text(example(), encoding="utf-8")
    whole.chmod(0o600)  # it holds secrets
    config = load(whole, env={})
    assert set(config.adapters) == {
        name.removeprefix("adapters.") for name in written() if name.startswith("adapters.")
    }
    assert config.warnings == ()


def test_only_what_needs_a_setting_of_ones_own_is_commented_out() -> None:
    open_tables = set(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")).get("adapters", {}))
    for name, model in tables().items():
        kind, _, plugin = name.partition(".")
        if kind == "adapters":
            needs = any(field.is_required() for field in model.model_fields.values())
            assert (plugin in open_tables) != needs, name


def test_the_example_lists_every_table() -> None:
    assert set(written()) == set(tables())


ONE_OF = {"adapters.matrix": ("token",)}
"""One of several settings must be there: this one will do."""


def test_the_example_lists_every_setting_with_its_default() -> None:
    for name, model in tables().items():
        assert set(written()[name]) == set(model.model_fields), name
        least = {key for key, field in model.model_fields.items() if field.is_required() or key in ONE_OF.get(name, ())}
        required = {key: written()[name][key] for key in least}
        told, default = model.model_validate(written()[name]), model.model_validate(required)
        # None is "as said elsewhere", for which TOML has no word: the example shows what that is
        known = {key: shown(value) for key, value in default if value is not None}
        assert {key: shown(value) for key, value in told if key in known} == known, name


def test_the_example_lists_every_option_of_a_subscription() -> None:
    (subscription,) = tomllib.loads(example())["subscriptions"]
    fields = SubscriptionConfig.model_fields
    assert set(subscription) == set(fields)
    told = SubscriptionConfig.model_validate(subscription)
    # None is "as said elsewhere": the example shows, as a comment, what that is
    optional = {key for key, field in fields.items() if not field.is_required() and field.default is not None}
    assert {key: getattr(told, key) for key in optional} == {key: fields[key].default for key in optional}


def test_each_setting_of_the_example_has_a_comment_beside_it() -> None:
    for line in example().splitlines():
        if re.match(r"\w+ = ", line):
            assert re.search(r"  # \S", line), line
            assert len(line) <= 120, line


# --- the README, where it speaks of Discord ---

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_every_command_that_people_may_type() -> None:
    shown = set(re.findall(r"`/(\w+)", README))
    assert {spec.name for spec in TABLE} <= shown


def test_the_readme_names_exactly_the_permissions_that_the_invitation_asks_for() -> None:
    (asked,) = parse_qs(urlsplit(invite("1")).query)["permissions"]
    assert f"*{', '.join(names(int(asked)))}.*" in README


def test_the_readme_s_settings_for_discord_load(tmp_path: Path) -> None:
    (settings,) = re.findall(r"```toml\n( +\[relay\].*?\[adapters\.discord\].*?)```", README, re.DOTALL)
    (tmp_path / "discord.token").write_text("a-token")
    (tmp_path / "relay.toml").write_text(dedent(settings))
    config = load(tmp_path / "relay.toml", env={})
    assert "a-token" in config.secrets()


def test_what_is_promised_and_how_to_report_is_one_link_away() -> None:
    text = EXAMPLE.with_name("SECURITY.md").read_text()
    assert "(SECURITY.md)" in EXAMPLE.with_name("README.md").read_text()
    assert "Report a vulnerability" in text
    assert not re.search(r"[\w.]+@[\w.]+\.\w+", text), "no address that nobody reads"
