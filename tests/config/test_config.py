from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from relay.config import load
from relay.model import Destination
from relay.options import NO_FILTERS, Filters, Only
from relay.settings import Settings
from tests.support.config_cases import PLUGIN, mistakes, read
from tests.support.third_party import MODULE, installed


@pytest.fixture
def smoke(tmp_path: Path) -> Iterator[None]:
    """A third party's adapter that needs a setting and takes secrets."""
    with installed(tmp_path / "site", PLUGIN):
        yield


# --- what is read ---


def test_without_a_file_everything_has_its_default() -> None:
    config = load(None, {})
    assert config.relay.name == "Chasqui"
    assert config.store.url.get_secret_value() == "sqlite:///relay.sqlite3"
    assert config.store.keep == timedelta(days=90)
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8080)
    assert config.outbox.timeout < config.outbox.lease
    assert config.subscriptions == ()
    assert config.adapters == {}
    assert config.path is None


def test_the_file_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [relay]
        public_url = "https://relay.example/chasqui/"
        [http]
        allow_private = ["127.0.0.0/8"]
        [sources.mastodon]
        interval = "90s"
        [adapters.console]
        format = "json"
        [[subscriptions]]
        topic = "#Qeswachaka"
        to = ["console", "console:second"]
        networks = ["mastodon"]
        mode = "posts"
        """,
    )
    assert config.relay.public_url == "https://relay.example/chasqui"
    assert config.http.allow_private == (ip_network("127.0.0.0/8"),)
    assert config.sources["mastodon"].model_dump()["interval"] == "90s"
    assert config.adapters["console"].model_dump() == {"format": "json"}
    (subscription,) = config.subscriptions
    assert subscription.topic == "#Qeswachaka"
    assert subscription.to == (Destination("console"), Destination("console", "second"))
    assert subscription.networks == ("mastodon",)
    assert config.path == tmp_path / "relay.toml"


def test_one_destination_needs_no_brackets(tmp_path: Path) -> None:
    config = read(tmp_path, '[[subscriptions]]\ntopic = "#a"\nto = "console"\nnetworks = "rss"\n')
    assert config.subscriptions[0].to == (Destination("console"),)
    assert config.subscriptions[0].networks == ("rss",)


def test_a_subscription_says_which_posts_it_wants(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [[subscriptions]]
        topic = "#a"
        to = "console"
        language = ["es", "pt-BR"]
        only = "media"
        [[subscriptions]]
        topic = "#b"
        to = "console"
        language = "qu"
        """,
    )
    first, second = config.subscriptions
    assert (first.filters.language, first.filters.only) == (("es", "pt-BR"), Only.MEDIA)
    assert (second.filters.language, second.filters.only) == (("qu",), Only.ALL)


def test_a_subscription_says_what_holds_posts_back(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [[subscriptions]]
        topic = "#a"
        to = "console"
        words = "rope, or what holds"
        without = ["sale", "Sale"]
        pattern = 'qeswa\\w+'
        block = ["@Sami@Ayllu.example", "https://spam.example/"]
        min_age = "30d"
        per_hour = 3
        [[subscriptions]]
        topic = "#b"
        to = "console"
        """,
    )
    first, second = config.subscriptions
    assert first.filters == Filters(
        words=("rope, or what holds",),
        without=("Sale",),
        pattern=r"qeswa\w+",
        block=("@sami@ayllu.example", "spam.example"),
        min_age=timedelta(days=30),
        per_hour=3,
    )
    assert second.filters == NO_FILTERS


def test_a_pattern_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.core.filters._re2", lambda: None)  # ours: what the import gave
    told = mistakes(tmp_path, '[[subscriptions]]\ntopic = "#a"\nto = "console"\npattern = "a"\n')
    assert "subscriptions[0].pattern: this pattern cannot be used: patterns need the library google-re2" in told


def test_the_addresses_of_one_feed_are_one_topic(tmp_path: Path) -> None:
    text = '[[subscriptions]]\ntopic = [" https://a.example/x ", "https://b.example/x"]\nto = "console"\n'
    assert read(tmp_path, text).subscriptions[0].topic == "https://a.example/x https://b.example/x"


def test_the_quotas_of_the_chats_are_read(tmp_path: Path) -> None:
    assert (load(None, {}).commands.per_channel, load(None, {}).commands.per_community) == (25, 100)
    commands = read(tmp_path, "[commands]\nper_channel = 3\nper_community = 0\n").commands
    assert (commands.per_channel, commands.per_community) == (3, 0)


# --- what a subscription chooses at an adapter ---


@pytest.mark.usefixtures("smoke")
def test_an_option_goes_to_the_adapter_that_knows_it_as_json(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [adapters.smoke]
        hill = "Ausangate"
        [[subscriptions]]
        topic = "#a"
        to = ["console", "smoke:west", "smoke:east"]
        colour = "grey"
        puffs = 3
        [[subscriptions]]
        topic = "#b"
        to = "smoke:west"
        """,
    )
    chosen, plain = config.subscriptions
    assert json.loads(chosen.options_for("smoke")) == {"colour": "grey", "puffs": 3}
    assert chosen.options_for("console") == plain.options_for("smoke") == ""


@pytest.mark.usefixtures("smoke")
def test_only_what_was_chosen_is_handed_on(tmp_path: Path) -> None:
    """What was not is the adapter's to decide, each time anew."""
    env = {"RELAY_SUBSCRIPTIONS": '[{"topic": "#b", "to": ["smoke:west"], "colour": "white"}]'}
    config = read(tmp_path, '[adapters.smoke]\nhill = "Ausangate"\n', env)
    assert json.loads(config.subscriptions[0].options_for("smoke")) == {"colour": "white"}


def test_two_adapters_may_know_the_same_option(tmp_path: Path) -> None:
    points = f"smoke = {MODULE}:plugin\nmirror = {MODULE}:mirror"
    mirror = """
class MirrorOptions(Settings):
    colour: str = ""
mirror = Plugin(Settings, lambda settings, host: None, options=MirrorOptions)
"""
    with installed(tmp_path / "site", PLUGIN + mirror, points=points):
        config = read(
            tmp_path,
            """
            [adapters]
            smoke = { hill = "Ausangate" }
            mirror = {}
            [[subscriptions]]
            topic = "#a"
            to = ["smoke:west", "mirror"]
            colour = "grey"
            puffs = 2
            """,
        )
    (subscription,) = config.subscriptions
    assert json.loads(subscription.options_for("smoke")) == {"colour": "grey", "puffs": 2}
    assert json.loads(subscription.options_for("mirror")) == {"colour": "grey"}


# --- what is read from elsewhere ---


@pytest.mark.parametrize("text", ["\ufeff[web]\nport = 1\n", "[web]\r\nport = 1\r\n"], ids=["byte order mark", "CRLF"])
def test_files_from_elsewhere_are_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_bytes(text.encode())
    assert load(file, {}).web.port == 1


def test_a_configuration_is_frozen(tmp_path: Path) -> None:
    config: Any = read(tmp_path, "[sources.rss]\n")
    with pytest.raises(AttributeError):
        config.path = None
    with pytest.raises(TypeError):
        config.sources["rss"] = None


# --- which plugins are in use ---


def test_without_a_table_of_sources_all_are_read_that_need_no_settings(tmp_path: Path) -> None:
    with installed(tmp_path / "site", PLUGIN, group="relay.sources"):
        assert set(load(None, {}).sources) == {"rss", "mastodon", "bluesky"}


def test_with_a_table_only_these_sources_are_read(tmp_path: Path) -> None:
    assert set(read(tmp_path, "[sources.rss]\n").sources) == {"rss"}


def test_a_variable_for_one_source_does_not_switch_the_others_off() -> None:
    assert set(load(None, {"RELAY_SOURCES__RSS__INTERVAL": "5m"}).sources) == {"rss", "mastodon", "bluesky"}


def test_a_variable_adds_a_source_to_those_of_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, "[sources.mastodon]\n", {"RELAY_SOURCES__RSS__INTERVAL": "5m"})
    assert set(config.sources) == {"rss", "mastodon"}


@pytest.mark.usefixtures("smoke")
def test_adapters_are_those_with_a_table(tmp_path: Path) -> None:
    config = read(tmp_path, '[adapters.smoke]\nhill = "Ausangate"\n')
    assert list(config.adapters) == ["smoke"]
    assert config.adapters["smoke"].model_dump()["hill"] == "Ausangate"


@pytest.mark.usefixtures("smoke")
def test_an_adapter_may_come_from_the_environment_alone() -> None:
    assert list(load(None, {"RELAY_ADAPTERS__SMOKE__HILL": "Ausangate"}).adapters) == ["smoke"]


def test_the_console_needs_no_table_where_a_subscription_names_it(tmp_path: Path) -> None:
    config = read(tmp_path, '[[subscriptions]]\ntopic = "#a"\nto = "console"\n')
    assert list(config.adapters) == ["console"]


def test_a_plugin_that_is_not_configured_is_not_imported(tmp_path: Path) -> None:
    with installed(tmp_path / "site", "raise AssertionError('imported')"):
        load(None, {})
        assert MODULE not in sys.modules


@pytest.mark.usefixtures("smoke")
def test_an_adapter_can_be_added_if_it_needs_no_settings() -> None:
    config = load(None, {})
    added = config.with_adapter("console")
    assert list(added.adapters) == ["console"]
    assert added.with_adapter("console") is added
    assert config.with_adapter("smoke") is config
    assert config.with_adapter("nothing") is config


# --- environment ---


def test_environment_beats_file(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        '[web]\nhost = "0.0.0.0"\nport = 1\n[sources.rss]\ninterval = "10m"\n',
        {"RELAY_WEB__PORT": "9000", "RELAY_SOURCES__RSS__INTERVAL": "5m"},
    )
    assert (config.web.host, config.web.port) == ("0.0.0.0", 9000)
    assert config.sources["rss"].model_dump()["interval"] == "5m"


@pytest.mark.usefixtures("smoke")
@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("RELAY_ADAPTERS__SMOKE__COLOURS", "white", "colours", ("white",)),
        ("RELAY_ADAPTERS__SMOKE__COLOURS", "white, grey", "colours", ("white", "grey")),
        ("RELAY_ADAPTERS__SMOKE__COLOURS", '["white", "grey, dark"]', "colours", ("white", "grey, dark")),
        ("RELAY_ADAPTERS__SMOKE__WET", "true", "wet", True),
        ("RELAY_ADAPTERS__SMOKE__HILL", "12345", "hill", "12345"),
        ("RELAY_ADAPTERS__SMOKE__TOKEN", "12345", "token", SecretStr("12345")),
        ("relay_adapters__smoke__interval", "1h30m", "interval", timedelta(minutes=90)),
    ],
)
def test_a_variable_has_the_type_of_its_setting(
    tmp_path: Path, variable: str, value: str, key: str, expected: object
) -> None:
    config = read(tmp_path, '[adapters.smoke]\nhill = "Ausangate"\n', {variable: value})
    assert getattr(config.adapters["smoke"], key) == expected


@pytest.mark.usefixtures("smoke")
def test_a_variable_reaches_into_a_table_of_a_table() -> None:
    config = load(None, {"RELAY_ADAPTERS__SMOKE__HILL": "a", "RELAY_ADAPTERS__SMOKE__BASKET__PIN": "1234"})
    assert config.secrets() == ("1234",)


def test_subscriptions_may_be_json_in_a_variable(tmp_path: Path) -> None:
    env = {"RELAY_SUBSCRIPTIONS": '[{"topic": "#b", "to": ["console"]}]'}
    config = read(tmp_path, '[[subscriptions]]\ntopic = "#a"\nto = "console"\n', env)
    assert [subscription.topic for subscription in config.subscriptions] == ["#b"]


def test_variables_of_others_are_let_be() -> None:
    env = {
        "RELAY_PORT": "tcp://10.0.0.1:80",
        "RELAY_LOG": "json",
        "PATH": "/bin",
        "RELAY_WEB__HOST": "",
        "RELAY_WEB": "x",
    }
    assert load(None, env).web.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("RELAY_WEB__PORT", "http", 'RELAY_WEB__PORT: expected a whole number, got "http"'),
        ("RELAY_WEB__PROT", "1", "RELAY_WEB__PROT: unknown key; did you mean `port`?"),
        ("RELAY_WBE__PORT", "1", "RELAY_WBE__PORT: there is no table [wbe]; did you mean `web`?"),
        ("RELAY_SOURCES__RRS__INTERVAL", "1m", "no source `rrs` is installed; did you mean `rss`?"),
        ("RELAY_SUBSCRIPTIONS", "#a", 'RELAY_SUBSCRIPTIONS: expected a list, got "#a"'),
        ("RELAY_SUBSCRIPTIONS", '[{"topic": "#a"}]', "RELAY_SUBSCRIPTIONS: is missing"),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(tmp_path: Path, variable: str, value: str, told: str) -> None:
    said = mistakes(tmp_path, "[web]\nport = 80\n", {variable: value})
    assert said.startswith(f"environment: {variable}")
    assert told in said


# --- warnings ---


def test_an_impolite_interval_is_obeyed_with_a_warning(tmp_path: Path) -> None:
    config = read(tmp_path, '[sources.rss]\ninterval = "14s"\n[sources.mastodon]\ninterval = "15s"\n')
    assert config.sources["rss"].model_dump()["interval"] == "14s"
    (warning,) = config.warnings
    assert "sources.rss.interval is 14s" in warning


def test_the_defaults_of_every_table_are_valid() -> None:
    for table in (load(None, {}).relay, load(None, {}).outbox):
        assert isinstance(table, Settings)
        assert type(table)() == table
