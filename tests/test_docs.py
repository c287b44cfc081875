from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from relay import plugins
from relay.config import OutboxSettings, RelaySettings, StoreSettings, SubscriptionConfig, WebSettings, load
from relay.http import HttpSettings

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"

Tables = dict[str, type[BaseModel]]


def tables() -> Tables:
    """Every table that may be written, with its model: ours, and those of the plugins that we bring."""
    ours: Tables = {
        "relay": RelaySettings,
        "store": StoreSettings,
        "web": WebSettings,
        "http": HttpSettings,
        "outbox": OutboxSettings,
    }
    for kind in ("sources", "adapters"):
        for name, point in plugins.names(kind).items():
            if point.dist and point.dist.name == "chasqui-relay":
                ours[f"{kind}.{name}"] = plugins.load(kind, name).settings
    return ours


def written() -> dict[str, dict[str, Any]]:
    """The tables of the example by their dotted name."""
    document = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
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


def test_the_example_lists_every_table() -> None:
    assert set(written()) == set(tables())


def test_the_example_lists_every_setting_with_its_default() -> None:
    for name, model in tables().items():
        assert set(written()[name]) == set(model.model_fields), name
        example = model.model_validate(written()[name])
        assert {key: shown(value) for key, value in example} == {key: shown(value) for key, value in model()}, name


def test_the_example_lists_every_option_of_a_subscription() -> None:
    (subscription,) = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["subscriptions"]
    fields = SubscriptionConfig.model_fields
    assert set(subscription) == set(fields)
    example = SubscriptionConfig.model_validate(subscription)
    optional = {key for key, field in fields.items() if not field.is_required()}
    assert {key: getattr(example, key) for key in optional} == {key: fields[key].default for key in optional}


def test_each_setting_of_the_example_has_a_comment_beside_it() -> None:
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if re.match(r"\w+ = ", line):
            assert re.search(r"  # \S", line), line
            assert len(line) <= 120, line
