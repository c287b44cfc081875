"""Where the values of a configuration come from: the file, above it the environment, and secret files beside both."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from relay.config.errors import Report, secret_fields, submodels
from relay.config.lines import Key

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
