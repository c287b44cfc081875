"""The configuration: the only reader of the TOML file, the environment and secret files.

Environment beats file: ``RELAY_WEB__PORT=9000`` is ``port`` of ``[web]``, ``RELAY_SOURCES__RSS__INTERVAL=5m`` is
``interval`` of ``[sources.rss]``, ``RELAY_SUBSCRIPTIONS`` is the whole list as JSON. Wherever a setting is a secret,
``<name>_file`` may name a file that holds it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, cast, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, ValidationInfo, create_model, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from relay import plugins
from relay.config.errors import ConfigError, Problem, Report, nearest, read, secret_fields, secret_names, submodels
from relay.config.lines import Key
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

    def bot_words(self) -> BotWords:
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


# What a subscription chooses for itself at the adapters that it goes to: keys beside its own that only they read.


Models = Mapping[str, type[Settings] | None]
"""Of each adapter that is in use, what a subscription may choose there; None: nothing."""


def take_options(entries: object, own: Collection[str], models: Models, report: Report) -> list[dict[str, str]]:
    """Take the options out of the ``subscriptions`` as they were read, and give them back as JSON by adapter.

    What is no subscription, and a key that is nobody's, is left for the model to complain of; here more is said of it.
    """
    return [
        _Taking(entry, own, models, ("subscriptions", number), report).take() if isinstance(entry, dict) else {}
        for number, entry in enumerate(entries if isinstance(entries, list) else ())
    ]


@dataclass(frozen=True, slots=True)
class _Taking:
    """One subscription."""

    entry: dict[str, Any]
    own: Collection[str]
    models: Models
    key: Key
    report: Report

    def take(self) -> dict[str, str]:
        adapters = sorted(set(self._adapters()))
        chosen: dict[str, dict[str, Any]] = {}
        for name in [name for name in self.entry if name not in self.own]:
            readers = [adapter for adapter in adapters if name in self._options(adapter)]
            for adapter in readers:
                chosen.setdefault(adapter, {})[name] = self.entry[name]
            if readers or not self._complain(name, adapters):
                del self.entry[name]
        return {adapter: self._read(adapter, values) for adapter, values in chosen.items()}

    def _adapters(self) -> Iterator[str]:
        """Those that it names, as far as that can be read."""
        to = self.entry.get("to")
        for destination in to if isinstance(to, list) else [to]:
            if isinstance(destination, str):
                yield destination.strip().partition(":")[0]

    def _options(self, adapter: str) -> Iterable[str]:
        model = self.models.get(adapter)
        return model.model_fields if model else ()

    def _read(self, adapter: str, values: dict[str, Any]) -> str:
        model = self.models[adapter] or Settings
        try:
            return model.model_validate(values).model_dump_json(exclude_unset=True)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                placed = cast(ErrorDetails, {**detail, "loc": (*self.key, *detail["loc"])})
                self.report.add_invalid(placed, model, {"subscriptions": {self.key[1]: values}})
            return ""

    def _complain(self, name: str, adapters: Collection[str]) -> bool:
        """Say of a key that nobody here knows whose option it is, or is like; False: it may be right."""
        options = {option: owner for owner in (*sorted(self.models), *adapters) for option in self._options(owner)}
        if name in options:
            here = f"is an option of `{options[name]}`, to which this subscription does not go"
            self.report.add((*self.key, name), here)
            return True
        near = next(iter(get_close_matches(name, [*self.own, *options], n=1)), "")
        of = f", an option of `{options[near]}`" if near in options else ""
        if not near and not self.models.keys() >= set(adapters):
            return False  # an adapter that is not there, as is told at ``to``, may be the one that knows it
        self.report.add((*self.key, name), "unknown key", f"did you mean `{near}`{of}?" if near else "")
        return True


# Where the values of a configuration come from: the file, above it the environment, and secret files beside both.


PREFIX = "relay_"


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` beats ``below``, key by key."""
    both = {
        name: merged(below[name], value)
        for name, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(name), dict)
    }
    return {**below, **above, **both}


# --- environment ---


def variables(env: Mapping[str, str]) -> dict[Key, str]:
    """The names of the variables that are settings, by key.

    A variable without ``__`` is not ours, but for the list of subscriptions; an empty one is as good as none.
    """
    found: dict[Key, str] = {}
    for name, value in env.items():
        key = tuple(name.lower().removeprefix(PREFIX).split("__"))
        if value and name.lower().startswith(PREFIX) and (len(key) > 1 or key == ("subscriptions",)):
            found[key] = name
    return found


def from_environment(fields: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """What the environment says of a model's fields, as nested tables; not checked yet."""
    if not env:
        return {}
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict  # 2 MB with what it imports

    class Environment(BaseSettings):
        model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True)

    class Variables(EnvSettingsSource):
        """A list may be written as JSON or with commas; what cannot be read is left for the model to complain of."""

        def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
            del field_name
            try:
                return json.loads(value)
            except ValueError:
                return [part.strip() for part in value.split(",")] if _is_plain_list(field) else value

    source = Variables(create_model("Environment", __base__=Environment, **fields))
    source.env_vars = {name.lower(): value for name, value in env.items()}
    return source()


def _is_plain_list(field: FieldInfo | None) -> bool:
    if field is None or any(submodels(field.annotation)):
        return False
    return get_origin(field.annotation) in {list, tuple, set, frozenset}


# --- secret files ---


@dataclass(frozen=True, slots=True)
class _Unreadable:
    reason: str


def with_secrets(
    model: type[BaseModel],
    table: Mapping[str, Any],
    above: Mapping[str, Any],
    folder: Path,
    report: Report,
    key: Key = (),
) -> dict[str, Any]:
    """A table with ``<name>_file`` read into ``<name>``, unless ``above`` gives that. Paths start at ``folder``."""
    complete = dict(table)
    for name, info in model.model_fields.items():
        value, beats = table.get(name), above.get(name)
        if isinstance(value, dict):
            for deeper in submodels(info.annotation):
                beats = beats if isinstance(beats, dict) else {}
                complete[name] = with_secrets(deeper, value, beats, folder, report, (*key, name))
    for name in secret_fields(model):
        file = f"{name}_file"
        if file not in table:
            continue
        del complete[file]
        if name in table:
            report.add((*key, file), f"`{name}` and `{file}` are both given", "keep one of them")
        elif name not in above:
            secret = _secret(table[file], folder)
            report.secret_files.append(folder / str(table[file]))
            if isinstance(secret, _Unreadable):
                report.add((*key, file), secret.reason)
                report.excuse((*key, name))
            else:
                complete[name] = secret
    return complete


def holds_secret(table: object, names: Collection[str]) -> bool:
    """Whether a file's tables hold the value of a secret; ``names`` are those that secrets have."""
    if isinstance(table, Mapping):
        return any((name in names and _is_secret(value)) or holds_secret(value, names) for name, value in table.items())
    return isinstance(table, list) and any(holds_secret(one, names) for one in table)


def _is_secret(value: object) -> bool:
    """A database's address is one where there is a password in it."""
    if isinstance(value, Mapping):
        return any(map(_is_secret, value.values()))
    if not isinstance(value, str) or "://" not in value:
        return bool(value)
    try:
        return bool(urlsplit(value).password)
    except ValueError:
        return True


def _secret(file: object, folder: Path) -> str | _Unreadable:
    if not isinstance(file, str):
        return _Unreadable("expected the path of a file")
    try:
        text = (folder / file).read_text("utf-8").strip()
    except OSError as error:
        return _Unreadable(f"{folder / file} cannot be read: {error.strerror}")
    except ValueError:
        return _Unreadable(f"{folder / file} holds no text")
    return text or _Unreadable(f"{folder / file} is empty")
