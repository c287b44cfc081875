"""What several tests share with those of app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from relay.config import Config, load
from relay.settings import Settings

TABLES = '[web]\nport = 0\n[outbox]\nlease = "300ms"\ntimeout = "100ms"\n[sources.rss]\n'


def config_of(folder: Path, text: str = TABLES) -> Config:
    file = folder / "relay.toml"
    file.write_text(text)
    return load(file, {})


def with_adapters(config: Config, *names: str) -> Config:
    return replace(config, adapters={name: Settings() for name in names})
