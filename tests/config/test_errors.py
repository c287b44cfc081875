from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.config import ConfigError, load
from tests.support.config_cases import PLUGIN, mistakes, read
from tests.support.third_party import installed


@pytest.fixture
def smoke(tmp_path: Path) -> Iterator[None]:
    """A third party's adapter that needs a setting and takes secrets."""
    with installed(tmp_path / "site", PLUGIN):
        yield


# --- mistakes in the file ---


def test_a_mistake_is_told_like_a_compiler_tells_it(tmp_path: Path) -> None:
    text = '[relay]\nname = "Illa"\n\n[sources.rss]\n  intervall = "10m"  # often\n'
    assert mistakes(tmp_path, text) == (
        "relay.toml:5: sources.rss.intervall: unknown key; did you mean `interval`?\n"
        '    intervall = "10m"  # often\n'
        "    ^^^^^^^^^"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[webb]\nport = 1", "1: webb: unknown table; did you mean `web`?"),
        ("port = 1", "1: port: unknown key"),
        ("[web]\nport = 'x'", '2: web.port: expected a whole number, got "x"'),
        ("[web]\nport = 1.5", "2: web.port: expected a whole number, got 1.5"),
        ("[web]\nport = 70000", "2: web.port: expected at most 65535, got 70000"),
        ("[web]\nport = [1]", "2: web.port: expected a whole number, got a list"),
        ("web = 5", "1: web: expected a table, got 5"),
        ("[relay]\nname = 5", "2: relay.name: expected a text, got 5"),
        ("[relay]\nname = ''", "2: relay.name: must not be empty"),
        ('[relay]\nname = "a\\r\\nX-Evil: 1"', '2: relay.name: expected one line of text, got "a\\r\\nX-Evil: 1"'),
        ("[relay]\npublic_url = 'relay.example'", "2: relay.public_url: expected a web address such as"),
        ("[relay]\nlanguage = 'español'", "2: relay.language: expected a language tag such as"),
        ("[store]\nurl = 'mysql://db'", '2: store.url: expected "sqlite:///relay.sqlite3" or "postgresql://'),
        ("[store]\nkeep = 'long'", '2: store.keep: expected a time span such as "90s", "10m" or "6h", got "long"'),
        ("[store]\nkeep = -1", "2: store.keep: expected at least 0s, got -1"),
        ("[http]\nallow_private = ['10.0.0.0/8', 'home']", '2: http.allow_private[1]: expected a network such as "127'),
        ("[outbox]\ntimeout = '30s'", "2: outbox.timeout: 30s must be less than outbox.lease (30s)"),
        ("[outbox]\ngrace = '6s'", "2: outbox.grace: 6s is too long; at most 4500ms"),
        ("[outbox]\non_unknown = 'ask'", '2: outbox.on_unknown: expected "resend" or "skip", got "ask"'),
        ("sources = 5", "1: sources: expected a table, got 5"),
        ("[sources]\nrss = 5", "2: sources.rss: expected a table, got 5"),
        ("[sources.rrs]", "1: sources.rrs: no source `rrs` is installed; did you mean `rss`?"),
        ("[adapters.pigeon]", "1: adapters.pigeon: no adapter `pigeon` is installed; there are: console"),
        ("[subscriptions]\ntopic = '#a'", "1: subscriptions: expected a list, got a table; write [[subscriptions]]"),
        ("[[subscriptions]]\ntopic = '#a'", "1: subscriptions[0].to: is missing"),
        ("[[subscriptions]]\ntopic = ' '\nto = 'console'", "2: subscriptions[0].topic: must not be empty"),
        ("[[subscriptions]]\ntopic = '#a'\nto = []", "3: subscriptions[0].to: must not be empty"),
        (
            "[[subscriptions]]\ntopic = '#a'\nto = [5]",
            '3: subscriptions[0].to[0]: expected a text such as "console", got 5',
        ),
        ("[[subscriptions]]\ntopic = '#a'\nto = ':room'", "names no adapter; write it like adapter:address"),
        ("[[subscriptions]]\ntopic = '#a'\nto = 'console'\nmode = ['posts']", "4: subscriptions[0].mode: expected"),
        (
            "[[subscriptions]]\ntopic = '#a'\nto = 'console'\nonly = 'pictures'",
            '4: subscriptions[0].only: expected "all", "media", "text", "links" or "originals"',
        ),
        *(
            (f"[[subscriptions]]\ntopic = '#a'\nto = 'console'\n{line}", f"4: subscriptions[0].{told}")
            for line, told in (
                ("pattern = '('", "pattern: this pattern cannot be used: missing ): ("),
                (f"pattern = '{'a' * 201}'", "pattern: this pattern cannot be used: it is too long: 200 characters"),
                ("pattern = '.{900}'", "pattern: this pattern cannot be used: it is too large"),
                ("pattern = ['a']", "pattern: expected a text, got a list"),
                (f"words = ['{'a' * 101}']", "words: too long for a word (at most 100 characters)"),
                ("words = [5]", "words[0]: expected a text, got 5"),
                ("wrods = 'a'", "wrods: unknown key; did you mean `words`?"),
                (
                    "block = 'sami'",
                    "block: “sami” is neither an account nor a server; write them like @who@ayllu.example",
                ),
                ("min_age = 'old'", 'min_age: expected a time span such as "90s", "10m" or "6h", got "old"'),
                ("min_age = '9999d'", 'min_age: expected at most 3650d, got "9999d"'),
                ("per_hour = -1", "per_hour: expected at least 0, got -1"),
                ("per_hour = 'few'", 'per_hour: expected a whole number, got "few"'),
                ("perhour = 3", "perhour: unknown key; did you mean `per_hour`?"),
            )
        ),
        (
            "[[subscriptions]]\ntopic = ['#a', '#b']\nto = 'console'",
            "2: subscriptions[0].topic: a list is for the addresses of one feed, its mirrors; write [[subscriptions]]",
        ),
        ("[[subscriptions]]\ntopic = []\nto = 'console'", "2: subscriptions[0].topic: a list is for the addresses"),
        ("[[subscriptions]]\ntopic = 5\nto = 'console'", "2: subscriptions[0].topic: expected a text, got 5"),
        (
            "[[subscriptions]]\ntopic = '#a'\nto = 'console'\nlanguage = ['es', 'español']",
            '4: subscriptions[0].language[1]: expected a language tag such as "en" or "pt-BR", got "español"',
        ),
        (
            "[[subscriptions]]\ntopic = '#a'\nto = 'console'\nlanguge = 'es'",
            "4: subscriptions[0].languge: unknown key; did you mean `language`?",
        ),
        ("[commands]\nper_channel = -1", "2: commands.per_channel: expected at least 0, got -1"),
        ("[commands]\nper_chanel = 5", "2: commands.per_chanel: unknown key; did you mean `per_channel`?"),
    ],
)
def test_each_mistake_is_told_where_it_is(tmp_path: Path, text: str, told: str) -> None:
    first, *_ = mistakes(tmp_path, text).splitlines()
    assert told in first
    assert first.startswith("relay.toml:")


@pytest.mark.usefixtures("smoke")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('to = ["console", "smoke:west"]', "to[1]: adapter `smoke` is not configured; add [adapters.smoke]"),
        ('to = "smok:west"', "to: no adapter `smok` is installed; did you mean `smoke`?"),
        (
            'to = "console"\nnetworks = ["mastodon"]',
            "networks[0]: source `mastodon` is not configured; add [sources.mast",
        ),
        (
            'to = "console"\nnetworks = ["mastodn"]',
            "networks[0]: no source `mastodn` is installed; did you mean `mastod",
        ),
    ],
)
def test_a_subscription_names_only_what_is_configured(tmp_path: Path, line: str, told: str) -> None:
    said = mistakes(tmp_path, f'[sources.rss]\n[[subscriptions]]\ntopic = "#a"\n{line}\n')
    assert f"subscriptions[0].{told}" in said


@pytest.mark.usefixtures("smoke")
@pytest.mark.parametrize(
    ("to", "line", "told"),
    [
        ("smoke:west", 'colour = "pink"', 'colour: expected "white" or "grey", got "pink"'),
        ("smoke:west", 'puffs = "many"', 'puffs: expected a whole number, got "many"'),
        ("smoke:west", 'color = "grey"', "color: unknown key; did you mean `colour`, an option of `smoke`?"),
        ("smoke:west", 'topics = "#b"', "topics: unknown key; did you mean `topic`?"),
        ("smoke:west", "unheard = 1", "unheard: unknown key"),
        ("console", 'colour = "grey"', "colour: is an option of `smoke`, to which this subscription does not go"),
        ("console", 'color = "grey"', "color: unknown key; did you mean `colour`, an option of `smoke`?"),
        ("console", "options_for = 1", "options_for: unknown key"),
        ("console", "_options = 1", "_options: unknown key"),
    ],
)
def test_a_mistake_in_an_option_is_told_where_it_is_and_whose_it_is(
    tmp_path: Path, to: str, line: str, told: str
) -> None:
    said = mistakes(tmp_path, f'[adapters.smoke]\nhill = "a"\n[[subscriptions]]\ntopic = "#a"\nto = "{to}"\n{line}\n')
    assert said.splitlines() == [
        f"relay.toml:6: subscriptions[0].{told}",
        f"    {line}",
        f"    {'^' * len(line.partition(' ')[0])}",
    ]


def test_an_option_of_an_adapter_that_is_not_there_is_no_mistake_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, '[[subscriptions]]\ntopic = "#a"\nto = "pigeon"\ncolour = "grey"\ntopc = "#b"\n')
    assert [problem.key for problem in caught.value.problems] == ["subscriptions[0].to", "subscriptions[0].topc"]
    assert caught.value.problems[1].hint == "did you mean `topic`?"


def test_a_mistake_in_an_option_of_a_variable_names_the_variable(tmp_path: Path) -> None:
    env = {"RELAY_SUBSCRIPTIONS": '[{"topic": "#a", "to": "console", "colour": "grey"}]'}
    assert mistakes(tmp_path, "", env) == "environment: RELAY_SUBSCRIPTIONS: unknown key"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[[subscriptions]]\ntopic = "#a"\nto = "pigeon"\n\n[web]\nport = "x"\nhots = "y"\n\n[adapters.consle]\n'
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, {"RELAY_STORE__KEEP": "x"})
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (None, "RELAY_STORE__KEEP"),
        (3, "subscriptions[0].to"),
        (6, "web.port"),
        (7, "web.hots"),
        (9, "adapters.consle"),
    ]


def test_a_plugin_that_does_not_load_is_told_at_its_table(tmp_path: Path) -> None:
    with installed(tmp_path / "site", "import no_such_library"):
        said = mistakes(tmp_path, '[adapters.smoke]\n[[subscriptions]]\ntopic = "#a"\nto = "smoke:west"\n')
    assert said.startswith("relay.toml:1: adapters.smoke: adapter 'smoke' cannot be loaded")
    assert "subscriptions" not in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[web]\nport = = 1\n", "relay.toml:2: malformed TOML: invalid value"),
        (
            "[web]\nhost = localhost\n",
            '; a text is written in quotes: key = "text"\n    host = localhost\n           ^',
        ),
        ("[web\nport = 1\n", "relay.toml:1: malformed TOML: expected ']' at the end of a table declaration"),
        ('[web]\nhost = "x\n', "relay.toml:2: malformed TOML: "),
        ("[web]\nport = 1\n[web]\n", "relay.toml:3: malformed TOML: cannot declare"),
        ("port = [1,\n", "malformed TOML: "),
    ],
)
def test_malformed_toml_is_pointed_at(tmp_path: Path, text: str, told: str) -> None:
    assert told in mistakes(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "nowhere.toml", {})


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_bytes(b"[relay]\nname = '\xff'\n")
    with pytest.raises(ConfigError, match=r"relay\.toml: is not UTF-8 text \(byte 17\)"):
        load(tmp_path / "relay.toml", {})
