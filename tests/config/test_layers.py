from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.config import load
from tests.support.config_cases import PLUGIN, mistakes, read
from tests.support.third_party import installed


@pytest.fixture
def smoke(tmp_path: Path) -> Iterator[None]:
    """A third party's adapter that needs a setting and takes secrets."""
    with installed(tmp_path / "site", PLUGIN):
        yield


# --- secrets ---

SMOKE = '[adapters.smoke]\nhill = "Ausangate"\n'


@pytest.mark.usefixtures("smoke")
def test_a_secret_is_read_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  s3cr3t\n")
    config = read(tmp_path, SMOKE + 'token_file = "token"\n')
    assert config.secrets() == ("s3cr3t",)


@pytest.mark.usefixtures("smoke")
def test_a_secret_deeper_down_may_be_in_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("1234")
    assert read(tmp_path, SMOKE + f'[adapters.smoke.basket]\npin_file = "{tmp_path}/pin"\n').secrets() == ("1234",)


def test_the_address_of_the_store_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://relay:pw@db/relay\n")
    config = read(tmp_path, '[store]\nurl_file = "url"\n')
    assert config.store.url.get_secret_value() == "postgresql://relay:pw@db/relay"


@pytest.mark.usefixtures("smoke")
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('token_file = "nowhere"', "relay.toml:3: adapters.smoke.token_file: nowhere cannot be read: No such file"),
        ('token_file = "empty"', "relay.toml:3: adapters.smoke.token_file: empty is empty"),
        ('token_file = "."', "cannot be read: Is a directory"),
        ("token_file = 5", "relay.toml:3: adapters.smoke.token_file: expected the path of a file"),
        (
            'token = "a"\ntoken_file = "empty"',
            "relay.toml:4: adapters.smoke.token_file: `token` and `token_file` are bo",
        ),
        ('hill_file = "empty"', "relay.toml:3: adapters.smoke.hill_file: unknown key"),
        ('tokn_file = "empty"', "relay.toml:3: adapters.smoke.tokn_file: unknown key; did you mean `token_file`?"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_told_once(tmp_path: Path, lines: str, told: str) -> None:
    (tmp_path / "empty").write_text(" \n")
    said = mistakes(tmp_path, f"{SMOKE}{lines}\n")
    assert told in said
    assert said.count("relay.toml:") == 1


def test_a_secret_whose_file_is_missing_is_not_said_to_be_missing_too(tmp_path: Path) -> None:
    needed = PLUGIN.replace("token: SecretStr | None = None", "token: SecretStr")
    with installed(tmp_path / "site", needed):
        said = mistakes(tmp_path, f'{SMOKE}token_file = "nowhere"\n')
    assert said.count("adapters.smoke.token") == 1


@pytest.mark.usefixtures("smoke")
@pytest.mark.parametrize("variable", ["RELAY_ADAPTERS__SMOKE__TOKEN", "RELAY_ADAPTERS__SMOKE__TOKEN_FILE"])
@pytest.mark.parametrize("line", ['token = "of the file"', 'token_file = "nowhere"'])
def test_a_secret_of_the_environment_beats_the_file_s_either_way(tmp_path: Path, variable: str, line: str) -> None:
    (tmp_path / "token").write_text("of the environment")
    value = str(tmp_path / "token") if variable.endswith("FILE") else "of the environment"
    assert read(tmp_path, f"{SMOKE}{line}\n", {variable: value}).secrets() == ("of the environment",)


@pytest.mark.usefixtures("smoke")
@pytest.mark.parametrize(
    "text",
    [
        SMOKE + "token = ['hunter2']",
        SMOKE + "token = 'hunter2'\ncolours = 5",
        SMOKE + "tokn = 'hunter2'",
        SMOKE + "parole = 'hunter2'",
        "adapters.smoke = { token = 'hunter2', hil = 'x' }",
        SMOKE + "token = [\n'hunter2',\n]",
        SMOKE + "basket = { pin = 'hunter2', pn = 1 }",
        SMOKE + "[adapters.smoke.basket]\npin = { a = 'hunter2' }",
        "[store]\nurl = 'postgresq://relay:hunter2@db/relay'",
        "[store]\nurl = 'postgresql://relay:hunter2@db/relay'\nkeep = 'x'",
        "[relay]\npublic_url = 'https://relay:hunter2@relay.example'",
        SMOKE + "token = 'hunter2",
        SMOKE + "token = '''\nhunter2",
        SMOKE + "token = '''\nhunter2\x01\n'''",
        SMOKE + "token = 'hunter2'' '",
    ],
)
def test_no_mistake_gives_a_secret_away(tmp_path: Path, text: str) -> None:
    assert "hunter2" not in mistakes(tmp_path, f"{text}\n")


@pytest.mark.usefixtures("smoke")
def test_a_configuration_can_be_printed(tmp_path: Path) -> None:
    config = read(tmp_path, SMOKE + 'token = "hunter2"\n[store]\nurl = "postgresql://relay:hunter2@db/relay"\n')
    assert "hunter2" not in repr(config)


# --- who may read the secrets ---

TOKEN = """\
[sources.mastodon]
instances = ["https://social.example"]
[sources.mastodon.tokens]
"https://social.example" = "s3cret"
"""


@pytest.mark.skipif(os.name != "posix", reason="there are no POSIX permissions")
@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        (TOKEN, 0o644, True),
        (TOKEN, 0o640, True),
        (TOKEN, 0o604, True),
        (TOKEN, 0o600, False),
        ('[store]\nurl = "postgresql://relay:s3cret@host/relay"', 0o644, True),
        ('[store]\nurl = "postgresql://relay@host/relay"', 0o644, False),
        ('[store]\nurl = "sqlite:///relay.sqlite3"', 0o644, False),
        ('[sources.bluesky]\nhandle = "relay.example"\napp_password = "s3cret"', 0o644, True),
        ('[sources.bluesky]\napp_password = ""', 0o644, False),
        ("[web]\nport = 1", 0o666, False),
    ],
)
def test_a_file_with_secrets_that_others_may_read_is_warned_of(
    tmp_path: Path, text: str, mode: int, warned: bool
) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(text)
    file.chmod(mode)
    told = [one for one in load(file, {}).warnings if "may be read by others" in one]
    assert told == (
        [f"{file} holds a secret and may be read by others on this machine; run: chmod go= '{file}'"] * warned
    )


@pytest.mark.skipif(os.name != "posix", reason="there are no POSIX permissions")
@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o600, False), (0o400, False)])
def test_a_secret_s_own_file_that_others_may_read_is_warned_of(tmp_path: Path, mode: int, warned: bool) -> None:
    secret, file = tmp_path / "password", tmp_path / "relay.toml"
    secret.write_text("s3cret")
    secret.chmod(mode)
    file.write_text('[sources.bluesky]\nhandle = "relay.example"\napp_password_file = "password"')
    file.chmod(0o644)
    assert [str(secret) in one for one in load(file, {}).warnings] == [True] * warned
    environment = {
        "RELAY_SOURCES__BLUESKY__APP_PASSWORD_FILE": str(secret),
        "RELAY_SOURCES__BLUESKY__HANDLE": "a.example",
    }
    assert [str(secret) in one for one in load(None, environment).warnings] == [True] * warned
