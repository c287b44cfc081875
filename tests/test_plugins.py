from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from relay import plugins
from relay.plugins import Host, PluginError
from relay.settings import Duration, Settings, duration_text
from tests.support.third_party import MODULE, installed
from tests.support.thorough import examples

NO_HOST = cast("Host", None)  # what is built here borrows nothing

ADAPTER = """
from relay.plugins import Plugin
from relay.settings import Settings

class SmokeSettings(Settings):
    hill: str = "Pachatusan"

plugin = Plugin(SmokeSettings, lambda settings, host: settings.hill)
"""


# --- entry points ---


@pytest.mark.parametrize(
    ("kind", "name"), [("sources", "rss"), ("sources", "mastodon"), ("adapters", "console")], ids=lambda part: part
)
def test_our_own_plugins_are_found_like_any_other(kind: plugins.Kind, name: str) -> None:
    assert issubclass(plugins.load(kind, name).settings, Settings)


def test_a_third_party_plugin_is_found_by_its_distribution(tmp_path: Path) -> None:
    with installed(tmp_path, ADAPTER):
        assert {"console", "smoke"} <= set(plugins.names("adapters"))
        assert "smoke" not in plugins.names("sources")
    assert "smoke" not in plugins.names("adapters")


def test_names_imports_nothing(tmp_path: Path) -> None:
    with installed(tmp_path, "raise AssertionError('imported')"):
        assert "smoke" in plugins.names("adapters")
        assert MODULE not in sys.modules


def test_a_plugin_brings_its_settings_and_builds_with_them(tmp_path: Path) -> None:
    with installed(tmp_path, ADAPTER):
        plugin = plugins.load("adapters", "smoke")
        assert plugin.build(plugin.settings(hill="Ausangate"), NO_HOST) == "Ausangate"


@pytest.mark.parametrize(
    ("code", "point", "told"),
    [
        ("import no_such_library", "smoke_signals:plugin", "No module named 'no_such_library'"),
        (ADAPTER, "smoke_signals:plugged", "plugged"),
        (ADAPTER, "smoke_signals_typo:plugin", "smoke_signals_typo"),
        ("plugin = 5", "smoke_signals:plugin", "is no relay.plugins.Plugin"),
    ],
    ids=["its library is missing", "no such name in it", "no such module", "not a plugin"],
)
def test_a_plugin_that_does_not_load_is_named_with_its_entry_point(
    tmp_path: Path, code: str, point: str, told: str
) -> None:
    with installed(tmp_path, code, points=f"smoke = {point}"), pytest.raises(PluginError) as caught:
        plugins.load("adapters", "smoke")
    assert all(part in str(caught.value) for part in ("adapter 'smoke'", point, told))


def test_the_distribution_of_a_broken_plugin_is_named(tmp_path: Path) -> None:
    """Two distributions may fight over one module name; who it is must not be a riddle."""
    with (
        installed(tmp_path, "import no_such_library"),
        pytest.raises(PluginError, match=r"smoke-signals 1\.2"),
    ):
        plugins.load("adapters", "smoke")


# --- settings ---


class Fire(Settings):
    wood: str = "qeñua"
    burn: Duration = timedelta(hours=1)


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Fire.model_validate({"wod": "chachacomo"})


def test_settings_are_frozen() -> None:
    fire: Any = Fire()
    with pytest.raises(ValidationError, match="frozen"):
        fire.wood = "kiswar"


# --- durations ---

SPAN = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0s", timedelta(0)),
        ("400ms", timedelta(milliseconds=400)),
        ("90s", timedelta(seconds=90)),
        ("1.5s", timedelta(seconds=1.5)),
        ("10m", timedelta(minutes=10)),
        ("6h", timedelta(hours=6)),
        ("30d", timedelta(days=30)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1h 30m", timedelta(hours=1, minutes=30)),
        ("2 m", timedelta(minutes=2)),
        (" 5s ", timedelta(seconds=5)),
        (45, timedelta(seconds=45)),
        (timedelta(minutes=7), timedelta(minutes=7)),
    ],
)
def test_a_duration_is_read(written: object, meant: timedelta) -> None:
    assert SPAN.validate_python(written) == meant


@pytest.mark.parametrize(
    "written", ["", " ", "s", "10", "10x", "-5s", "5 s later", "1h,30m", "PT5M", "1e3s", "10m!", []]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        SPAN.validate_python(written)


def test_a_refusal_says_how_a_duration_is_written() -> None:
    with pytest.raises(ValidationError, match='"90s", "10m" or "6h"'):
        SPAN.validate_python("soon")


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=1500), "1500ms"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=90), "90m"),
        (timedelta(hours=36), "36h"),
        (timedelta(days=7), "7d"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(span: timedelta, written: str) -> None:
    assert duration_text(span) == written


@given(st.integers(0, 10**12))
@settings(max_examples=examples(200), deadline=None)
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert SPAN.validate_python(duration_text(span)) == span


# --- whether settings are others now ---

SETTINGS = """
from pydantic import BaseModel, ConfigDict, SecretStr
from relay.settings import Settings, mark

class Hill:
    def __repr__(self):
        return "Pachatusan"

class Inner(BaseModel):
    names: frozenset[str] = frozenset("abcdefgh")

class Table(Settings):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    hill: Hill = Hill()
    inner: Inner = Inner()
    token: SecretStr = SecretStr("verysecret")
    count: int = 1

def same(**changes):
    return mark({"smoke": Table(**changes)}, "1.0") == mark({"smoke": Table()}, "1.0")

print(mark({"smoke": Table()}, "1.0"), same(count=2), same(token="another"), same(inner=Inner(names={"a"})))
"""


def test_the_mark_of_settings_is_the_same_in_each_process_whatever_a_plugin_has_in_them() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", SETTINGS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0][1:] == ["False", "True", "False"]
