"""What several tests share with those of config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from relay.config import Config, ConfigError, load

PLUGIN = """
from datetime import timedelta
from typing import Literal
from pydantic import SecretStr
from relay.plugins import Plugin
from relay.settings import Duration, Settings

class Basket(Settings):
    pin: SecretStr | None = None

class SmokeSettings(Settings):
    hill: str
    token: SecretStr | None = None
    colours: tuple[str, ...] = ("white",)
    interval: Duration = timedelta(minutes=1)
    wet: bool = False
    basket: Basket = Basket()

class SmokeOptions(Settings):
    colour: Literal["white", "grey"] = "white"
    puffs: int | None = None

plugin = Plugin(SmokeSettings, lambda settings, host: None, options=SmokeOptions)
"""


def read(folder: Path, text: str, env: Mapping[str, str] | None = None) -> Config:
    file = folder / "relay.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, env or {})


def mistakes(folder: Path, text: str, env: Mapping[str, str] | None = None) -> str:
    """All that is said of a configuration; file names without their folder."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, env)
    return str(caught.value).replace(f"{folder}/", "")
