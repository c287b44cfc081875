"""The configuration: the only reader of the TOML file, the environment and secret files.

Environment beats file: ``RELAY_WEB__PORT=9000`` is ``port`` of ``[web]``, ``RELAY_SOURCES__RSS__INTERVAL=5m`` is
``interval`` of ``[sources.rss]``, ``RELAY_SUBSCRIPTIONS`` is the whole list as JSON. Wherever a setting is a secret,
``<name>_file`` may name a file that holds it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
)

from relay import plugins
from relay.config.adapter_options import take_options
from relay.config.errors import ConfigError, Problem, Report, nearest, read, secret_names
from relay.config.layers import from_environment, holds_secret, merged, variables, with_secrets
from relay.config.subscriptions import LanguageTag, SubscriptionConfig, not_installed
from relay.core.bot_words import COURTESIES, STOP, UNDO, UNROLL, BotWords
from relay.http import HttpSettings
from relay.http.guard import LOCAL, Network
from relay.options import DELIVERY_OPTIONS
from relay.plugins import Kind, Plugin, PluginError
from relay.private_files import exposure
from relay.settings import Duration, Settings, duration_text

__all__ = ["Config", "ConfigError", "Problem", "SubscriptionConfig", "load"]

KINDS: tuple[Kind, ...] = ("sources", "adapters")
CONSOLE = "console"
"""The adapter that needs no table."""
POLITE = timedelta(seconds=15)
LOOKS = (
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
)


# --- the tables ---


class RelaySettings(Settings):
    """``[relay]``: who we are."""

    name: Annotated[str, Field(min_length=1)] = "Chasqui"
    public_url: str = ""
    language: LanguageTag = "en"
    contact: str = ""

    @field_validator("name", "contact")
    @classmethod
    def _one_line(cls, value: str) -> str:
        # Both travel in the User-Agent header.
        if not value.isprintable():
            raise ValueError("expected one line of text")
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise ValueError('expected a web address such as "https://relay.example"')
        return value.rstrip("/")


class StoreSettings(Settings):
    """``[store]``: where posts and deliveries are kept. The address is a secret because it may hold a password."""

    url: SecretStr = SecretStr("sqlite:///relay.sqlite3")
    keep: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(days=90)
    busy_timeout: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=5)

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql://")):
            raise ValueError('expected "sqlite:///relay.sqlite3" or "postgresql://user@host/database"')
        return value


class JoinSettings(Settings):
    """One of ``[[web.join]]``: a channel that readers of the pages may join."""

    name: Annotated[str, Field(min_length=1)]
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    about: str = ""


class WebSettings(Settings):
    """``[web]``: where the pages are served."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    join: tuple[JoinSettings, ...] = ()
    connections: Annotated[int, Field(ge=0)] = 0
    per_address: Annotated[int, Field(ge=1)] = 64
    proxies: tuple[Network, ...] = LOCAL


class OutboxSettings(Settings):
    """``[outbox]``: how deliveries are carried out."""

    lease: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=30)
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=20)
    concurrency: Annotated[int, Field(ge=1)] = 32
    on_unknown: Literal["resend", "skip"] = "resend"
    grace: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=4)
    budget: Annotated[int, Field(ge=0, le=DELIVERY_OPTIONS["budget"].most)] = 30
    burst: Annotated[int, Field(ge=1, le=DELIVERY_OPTIONS["burst"].most)] = 10

    @field_validator("timeout")
    @classmethod
    def _within_the_lease(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        # A delivery that outlives its lease would be carried out by somebody else at the same time.
        lease = info.data.get("lease", value + value)
        if value >= lease:
            raise ValueError(f"{duration_text(value)} must be less than outbox.lease ({duration_text(lease)})")
        return value

    @field_validator("grace")
    @classmethod
    def _within_the_stop(cls, value: timedelta) -> timedelta:
        if value > timedelta(seconds=4.5):
            raise ValueError(f"{duration_text(value)} is too long; at most 4500ms, because the relay stops within 5s")
        return value


class ThreadSettings(Settings):
    """``[threads]``: how threads are followed, and how long their pages stay."""

    looks: tuple[Annotated[Duration, Field(gt=timedelta(0))], ...] = LOOKS
    expire: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(days=30)

    @field_validator("looks")
    @classmethod
    def _one_after_the_other(cls, value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError('expected spans that grow, such as ["10m", "1h", "6h"]')
        return value


_Word = Annotated[str, Field(pattern=r"^[^\W\d_]+$")]
_Words = Annotated[tuple[_Word, ...], Field(min_length=1)]


class MentionSettings(Settings):
    """``[mentions]``: the words by which people ask who mention the relay's accounts."""

    unroll: Mapping[LanguageTag, _Words] = Field(default_factory=lambda: dict(UNROLL), min_length=1)
    stop: _Words = STOP
    undo: _Words = UNDO
    courtesies: _Words = COURTESIES

    def asking(self) -> BotWords:
        return BotWords(unroll=self.unroll, stop=self.stop, undo=self.undo, courtesies=self.courtesies)


class CommandSettings(Settings):
    """``[commands]``: how many subscriptions people may make in the chats."""

    per_channel: Annotated[int, Field(ge=0)] = 25
    per_community: Annotated[int, Field(ge=0)] = 100


# --- the whole ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that holds: everything in it was checked. A table that was not written has its defaults."""

    relay: RelaySettings
    store: StoreSettings
    web: WebSettings
    http: HttpSettings
    outbox: OutboxSettings
    threads: ThreadSettings
    mentions: MentionSettings
    commands: CommandSettings
    sources: Mapping[str, Settings]
    adapters: Mapping[str, Settings]
    subscriptions: tuple[SubscriptionConfig, ...]
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    def with_adapter(self, name: str) -> Config:
        """The same with one more adapter that needs no settings; itself where there is no such adapter."""
        if name in self.adapters or name not in plugins.names("adapters"):
            return self
        settings = plugins.load("adapters", name).settings
        if _needs_settings(settings):
            return self
        return replace(self, adapters=MappingProxyType({**self.adapters, name: settings()}))

    def secrets(self) -> tuple[str, ...]:
        """What must appear in no log. The store's address is left out: only its password is secret."""
        tables = (*self.sources.values(), *self.adapters.values())
        return tuple(_secrets(tables))


def _secrets(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            if secret := value.get_secret_value():
                yield secret
        case BaseModel():
            yield from _secrets(tuple(entry for _, entry in value))
        case Mapping():
            yield from _secrets(tuple(value.values()))
        case list() | tuple():
            for entry in value:
                yield from _secrets(entry)


def load(path: Path | None, env: Mapping[str, str] | None = None) -> Config:
    """Read and check the configuration; None: defaults and environment alone.

    A source is in use if it has a table; with no table for any source, all that need no settings are. An adapter is in
    use if it has a table, ``console`` also if a subscription names it. Raises :class:`ConfigError` with all mistakes.
    """
    environment = os.environ if env is None else env
    document = read(path)
    report = Report(document, variables(environment))
    written = {kind: _written(kind, report) for kind in KINDS}
    used = {kind: _plugins(kind, written[kind], report) for kind in KINDS}
    fields = _fields(used)
    model = create_model("Tables", __base__=Settings, **fields)
    report.secrets = secret_names(model)
    for key in report.variables:
        if key[0] not in model.model_fields:
            report.add(key, f"there is no table [{key[0]}]", nearest(str(key[0]), model.model_fields))

    folder = path.parent if path else Path()
    above = from_environment(fields, {name: environment[name] for name in report.variables.values()})
    above = with_secrets(model, above, {}, folder, report)
    below = with_secrets(model, document.tables, above, folder, report)
    data = merged({kind: {name: {} for name in used[kind]} for kind in KINDS}, merged(below, above))
    models = {CONSOLE: None} | {name: plugin.options for name, plugin in used["adapters"].items()}
    options = take_options(data.get("subscriptions"), SubscriptionConfig.model_fields, models, report)
    known = {"sources": written["sources"].union(used["sources"]), "adapters": written["adapters"] | {CONSOLE}}
    tables: dict[str, Any] = {}
    try:
        tables = dict(model.model_validate(data, context=known))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            report.add_invalid(detail, model, data)
    except Exception as error:  # noqa: BLE001 - a third party's validator may raise anything
        report.add(*_failed(error, used, data))
    report.raise_any()
    subscriptions: tuple[SubscriptionConfig, ...] = tables["subscriptions"]
    tables["subscriptions"] = tuple(map(SubscriptionConfig.choosing, subscriptions, options))
    files = [path] if path and holds_secret(document.tables, report.secrets) else []
    return _config(tables, path, [*files, *report.secret_files])


def _failed(error: Exception, used: Mapping[Kind, Mapping[str, Plugin[Any, Any]]], data: Mapping[str, Any]) -> Any:
    """Which table could not be read, and why."""
    for kind, loaded in used.items():
        for name, plugin in loaded.items():
            try:
                plugin.settings.model_validate(data[kind][name])
            except ValidationError:
                continue
            except Exception as own:  # noqa: BLE001 - as above
                return (kind, name), f"its settings cannot be read: {type(own).__name__}: {own}"
    raise error


def _config(tables: dict[str, Any], path: Path | None, secret_files: Sequence[Path]) -> Config:
    for kind in KINDS:
        tables[kind] = MappingProxyType(dict(tables[kind]))
    config = Config(**tables, path=path, warnings=tuple(_warnings(tables["sources"], secret_files)))
    named = {destination.adapter for subscription in config.subscriptions for destination in subscription.to}
    return config.with_adapter(CONSOLE) if CONSOLE in named else config


def _warnings(sources: Mapping[str, Settings], secret_files: Sequence[Path]) -> Iterator[str]:
    yield from filter(None, map(exposure, secret_files))
    for name, table in sources.items():
        interval = getattr(table, "interval", POLITE)
        if interval < POLITE:
            shown = f"sources.{name}.interval is {duration_text(interval)}"
            yield f"{shown}: obeyed, but servers may shut out who asks more often than every {duration_text(POLITE)}"


# --- plugins ---


def _written(kind: Kind, report: Report) -> set[str]:
    """The plugins that have a table, or a variable that belongs into one."""
    tables = report.document.tables.get(kind)
    variables = {str(key[1]) for key in report.variables if key[0] == kind}
    return variables.union(tables if isinstance(tables, dict) else ())


def _plugins(kind: Kind, written: set[str], report: Report) -> dict[str, Plugin[Any, Any]]:
    """Import what is written and what is in use without being written; nothing else."""
    # A variable adjusts a source; it does not switch the other ones off.
    unwritten = set(plugins.names(kind)) if kind == "sources" and not report.document.tables.get(kind) else set()
    loaded = {name: _plugin(kind, name, report) for name in sorted(written | unwritten)}
    return {
        name: plugin
        for name, plugin in loaded.items()
        if plugin and (name in written or not _needs_settings(plugin.settings))
    }


def _plugin(kind: Kind, name: str, report: Report) -> Plugin[Any, Any] | None:
    try:
        if name in plugins.names(kind):
            return plugins.load(kind, name)
        report.add((kind, name), not_installed(kind, name))
    except PluginError as error:
        report.add((kind, name), str(error))
    return None


def _needs_settings(settings: type[Settings]) -> bool:
    return any(info.is_required() for info in settings.model_fields.values())


def _fields(used: Mapping[Kind, Mapping[str, Plugin[Any, Any]]]) -> dict[str, Any]:
    """The tables of this configuration, as fields of a model."""
    plain = {"relay": RelaySettings, "store": StoreSettings, "web": WebSettings, "http": HttpSettings}
    plain |= {"outbox": OutboxSettings, "threads": ThreadSettings, "mentions": MentionSettings}
    plain |= {"commands": CommandSettings}
    fields: dict[str, Any] = {name: (table, Field(default_factory=table)) for name, table in plain.items()}
    for kind, loaded in used.items():
        tables: dict[str, Any] = {name: (plugin.settings, ...) for name, plugin in loaded.items()}
        fields[kind] = (create_model(kind, __base__=Settings, **tables), ...)
    return fields | {"subscriptions": (tuple[SubscriptionConfig, ...], ())}
