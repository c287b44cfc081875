"""What the repository says of itself is so: packaging, containers, the lock, the rooms, the documents."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.config import load

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE = (ROOT / "compose.yaml").read_text()
SOURCES = sorted(chain((ROOT / "relay").rglob("*.py"), (ROOT / "adapters").rglob("*.py")))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines(pattern: str, text: str) -> list[Any]:
    """What ``re.findall`` finds, where ``^`` and ``$`` are the ends of a line."""
    return re.findall(pattern, text, re.MULTILINE)


def packaged(folder: str) -> set[str]:
    """The files of a package as they stand in the checkout."""
    return {
        name(path)
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


# --- the wheel ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as our build backend makes it, offline."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = place.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_both_packages_and_nothing_else(wheel: Path) -> None:
    held = {entry for entry in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in entry}
    assert held == packaged("relay") | packaged("adapters")


@pytest.mark.parametrize(
    "pattern",
    [
        r"relay/py\.typed",
        r"adapters/py\.typed",
        r"relay/web/templates/.+\.html",
        r"relay/web/static/.+\.css",
        r"relay/store/migrations/.+\.py",
    ],
)
def test_the_wheel_holds_what_is_not_imported_but_needed(wheel: Path, pattern: str) -> None:
    assert any(re.fullmatch(pattern, entry) for entry in zipfile.ZipFile(wheel).namelist())


def test_the_wheel_names_the_entry_points_and_each_leads_to_a_file_in_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (listed,) = [entry for entry in archive.namelist() if entry.endswith("entry_points.txt")]
    parser = ConfigParser()
    parser.read_string(archive.read(listed).decode())
    project = PYPROJECT["project"]
    wanted = {"console_scripts": project["scripts"], **project["entry-points"]}
    assert {group: dict(parser[group]) for group in parser.sections()} == wanted
    for target in chain.from_iterable(points.values() for points in wanted.values()):
        module = target.partition(":")[0].replace(".", "/")
        assert {f"{module}.py", f"{module}/__init__.py"} & set(archive.namelist()), target


# --- the locks ---

LOCKS = ["requirements.lock", "docker/requirements.lock", "docker/build.lock"]
EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]


def pins(lock: str) -> dict[str, tuple[str, str]]:
    """The version and the hashes of each package in a lock."""
    pattern = r"^([a-z0-9-]+)==(\S+).*((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)*)"
    return {package: (version, hashes) for package, version, hashes in lines(pattern, (ROOT / lock).read_text())}


def direct(*extras: str) -> set[str]:
    needs = chain(PYPROJECT["project"]["dependencies"], *(EXTRAS[extra] for extra in extras))
    return {re.split(r"[\[<>=;~! ]", need)[0].lower().replace(".", "-") for need in needs}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_for_everything_and_names_no_host(lock: str) -> None:
    assert all(hashes for _, hashes in pins(lock).values())
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:|@ ", (ROOT / lock).read_text())


def test_the_locks_name_every_direct_dependency() -> None:
    assert direct(*EXTRAS) <= set(pins("requirements.lock"))
    assert direct(*(set(EXTRAS) - {"test"})) <= set(pins("docker/requirements.lock"))
    assert "hatchling" in pins("docker/build.lock")


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_image_has_the_versions_and_files_that_were_tested(lock: str) -> None:
    assert pins(lock).items() <= pins("requirements.lock").items()


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = lines(r"pip (?:install|wheel) ([^&\n]+)", DOCKERFILE)
    assert len(installs) == 4
    for options in installs:
        assert "--require-hashes" in options or {"--no-index", "--no-deps"} <= set(options.split())


def test_base_images_are_named_by_digest_and_kept_up_to_date() -> None:
    images = lines(r"^FROM (\S+)", DOCKERFILE) + [i for i in lines(r"image: (\S+)", COMPOSE) if i != "chasqui-relay"]
    assert len(images) == 3
    assert all(re.fullmatch(r"\w+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images)
    watched = (ROOT / ".github/dependabot.yml").read_text()
    assert {"docker", "docker-compose", "pip", "github-actions"} <= set(lines(r"package-ecosystem: ([\w-]+)", watched))


# --- containers ---


def test_the_dockerfile_copies_what_exists_and_what_the_build_context_lets_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [path for line in lines(r"^COPY (?!--from)(.+)$", DOCKERFILE) for path in line.split()[:-1]]
    assert set(copied) == let_through
    assert all((ROOT / path).exists() for path in copied)
    assert {
        "pyproject.toml",
        *LOCKS[1:],
        *PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
    } <= (set(copied))


def test_the_dockerfile_copies_between_stages_what_an_earlier_stage_made() -> None:
    ((stage, path),) = lines(r"^COPY --from=(\w+) (\S+)", DOCKERFILE)
    made = DOCKERFILE.partition(f" AS {stage}\n")[2].partition("\nFROM ")[0]
    assert f"python -m venv {path}" in made


def test_the_image_runs_our_command_unprivileged_and_keeps_its_data() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    command = json.loads(lines(r"^CMD (.+)$", final)[-1])
    assert command == ["relay", "run", "-c", "/etc/relay/relay.toml"]
    assert command[0] in PYPROJECT["project"]["scripts"]
    (user,) = lines(r"^USER (\w+)$", final)
    assert lines(rf"^RUN useradd .* --home-dir /data --create-home {user}$", final)
    assert lines(r"^VOLUME /data$", final)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
async def test_the_health_check_is_well_when_the_server_says_so(status: int, code: int) -> None:
    async def health(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", health)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port
        assert await run_health_check(server.port) == code


async def test_the_health_check_fails_when_nobody_answers(unused_tcp_port: int) -> None:
    assert await run_health_check(unused_tcp_port) == 1


async def run_health_check(port: int) -> int:
    check = json.loads(lines(r"HEALTHCHECK .*?CMD (\[.+\])$", DOCKERFILE)[0])
    assert check[0] == "python"
    process = await asyncio.create_subprocess_exec(
        sys.executable, *(part.replace("8080", str(port)) for part in check[1:]), stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


def test_compose_mounts_what_exists_where_the_image_reads_it() -> None:
    mounts = lines(r"- (\./\S+?):(\S+?)(?::ro)?$", COMPOSE)
    assert {target for _, target in mounts} == {"/etc/relay/relay.toml"}
    assert all((ROOT / source).is_file() for source, _ in mounts)
    declared = set(lines(r"^  ([\w-]+):$", COMPOSE.partition("\nvolumes:\n")[2]))
    assert set(lines(r"- ([\w-]+-data):/", COMPOSE)) == declared


def test_the_commands_in_compose_name_profiles_and_services_that_exist() -> None:
    services = set(lines(r"^  ([\w-]+):$", COMPOSE.partition("\nservices:\n")[2].partition("\nvolumes:\n")[0]))
    profiles = set(lines(r"^    profiles: \[(\w+)\]$", COMPOSE))
    commands = lines(r"docker compose(?: --profile (\w+))? up(?: (\w+))?$", COMPOSE)
    assert len(commands) == 2
    assert {profile for profile, _ in commands if profile} == profiles
    assert {service for _, service in commands if service} <= services


def test_the_sample_configuration_listens_where_the_image_is_asked_and_keeps_data_in_the_volume() -> None:
    sample = tomllib.loads((ROOT / "docker/config.toml").read_text())
    assert sample["web"] == {"host": "0.0.0.0", "port": 8080}
    assert sample["store"]["url"].startswith("sqlite:////data/")
    assert set(lines(r'"127\.0\.0\.1:[\d-]+:(\d+)"', COMPOSE)) == {"8080"}


def test_the_sample_configuration_holds_and_compose_sets_its_store_from_outside() -> None:
    variables = dict(lines(r"^ +(RELAY_\w+): (\S+)$", COMPOSE))
    config = load(ROOT / "docker/config.toml", variables)
    assert config.store.url.get_secret_value() == "postgresql://relay:relay@postgres/relay"
    assert config.warnings == ()


# --- the rooms ---


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_stays_below_700_lines_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 700
    assert not text or ast.get_docstring(ast.parse(text)), "a module's docstring says what it is for"


MODULES = {name(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in SOURCES}
TREES = {module: ast.parse(path.read_text()) for module, path in MODULES.items()}
ENTRIES = {
    point.partition(":")[0]
    for points in [PYPROJECT["project"]["scripts"], *PYPROJECT["project"]["entry-points"].values()]
    for point in points.values()
}
SHORT_AND_ALONE = {
    "adapters.discord.adapter": "what the entry point builds; its package only names it",
    "relay.chat.suggesting": "helps to type; nothing that carries out a command is in it",
    "relay.pipeline.housekeeping": "loops of their own, which the application starts",
    "relay.sources.feed_process": "the entry of the process that reads feeds, which loads nothing that fetches",
    "relay.store.clock_jumps": "SQL of the methods that store.py declares, in the module of its name",
    "relay.store.indexes": "loaded by migrations alone: it would cost an idle relay memory",
    "relay.store.listings": "SQL of the methods that store.py declares, in the module of its name",
    "relay.store.posts": "SQL of the methods that store.py declares, in the module of its name",
    "relay.text.html": "everybody has it through relay.text",
    "relay.text.prose": "everybody has it through relay.text",
    "relay.web.atom": "loaded when it is asked for: it would cost an idle relay memory",
    "relay.web.epub": "loaded when it is asked for: it would cost an idle relay memory",
}
"""Modules below 150 lines that have one importer, and why they stand apart."""
OF_OTHERS = {"relay.testing": "the contract tests that authors of plugins run"}
"""Modules that nothing of ours leads to."""
LOADED_BY_ALEMBIC = "relay.store.migrations."
IMPORT_NAMES = {
    "discord-py": "discord",
    "python-telegram-bot": "telegram",
    "google-re2": "re2",
    "pillow": "PIL",
    "pydantic-settings": "pydantic_settings",
    "prometheus-client": "prometheus_client",
}
"""What packages are imported as, where it is not their own name."""


def imports(module: str) -> set[str]:
    """The modules that one imports, early or late, as they are written."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


IMPORTS = {module: imports(module) - {module} for module in MODULES}


def test_a_short_module_has_two_importers_or_is_part_of_another() -> None:
    alone = {
        module
        for module, path in MODULES.items()
        if path.name != "__init__.py" and module not in ENTRIES and not module.startswith(LOADED_BY_ALEMBIC)
        if len(path.read_text().splitlines()) < 150 and sum(module in found for found in IMPORTS.values()) < 2
    }
    assert alone == set(SHORT_AND_ALONE)


def test_every_module_is_reached_from_an_entry_point() -> None:
    reached: set[str] = set()
    ahead = [*ENTRIES, *(module for module in MODULES if module.startswith(LOADED_BY_ALEMBIC))]
    while ahead:
        module = ahead.pop()
        if module in MODULES and module not in reached:
            reached.add(module)
            ahead += [*IMPORTS[module], module.rpartition(".")[0]]
    assert MODULES.keys() - reached == OF_OTHERS.keys()


def test_no_public_class_has_the_name_of_another() -> None:
    """But for siblings that play the same part under the same name: ``adapters/*/api.py``."""
    parts: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                parts.setdefault(node.name, set()).add(module.rpartition(".")[2])
    assert {found: places for found, places in parts.items() if len(places) > 1} == {}


def test_every_runtime_dependency_is_imported() -> None:
    used = {found.partition(".")[0] for found in set().union(*IMPORTS.values())}
    assert [need for need in direct(*(set(EXTRAS) - {"test"})) if not is_imported(need, used)] == []


def is_imported(need: str, used: set[str]) -> bool:
    """A driver may be named in a database's address instead."""
    in_address = any(f"+{need}" in path.read_text() for path in SOURCES)
    return IMPORT_NAMES.get(need, need.replace("-", "_")) in used or in_address


PLATFORMS = re.compile("discord|telegram|matrix", re.IGNORECASE)
NETWORKS = re.compile("mastodon|bluesky", re.IGNORECASE)


def names_at(pattern: re.Pattern[str], exempt: str) -> list[str]:
    """``file:line`` of each line in the core that matches, but for the files that are exempt."""
    return [
        f"{name(path)}:{number}: {line.strip()}"
        for path in SOURCES
        if name(path).startswith("relay/") and not re.match(exempt, name(path))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_core_names_no_platform() -> None:
    """Configuration and the contract tests may: they are what people and third parties read."""
    assert names_at(PLATFORMS, r"relay/(config/__init__|testing|plugins)\.py") == []


def test_no_network_is_named_outside_its_room() -> None:
    assert names_at(NETWORKS, r"relay/(sources/|core/hashtag\.py|config)") == []


PYTHON_FILES = sorted(chain(SOURCES, (ROOT / "tests").rglob("*.py"), (ROOT / "bench").rglob("*.py")))


def test_every_lint_and_type_ignore_carries_its_reason() -> None:
    ignore = re.compile(
        r"#\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w, -]+\])?)(?P<reason>.*)"
    )
    bare = [
        f"{name(path)}:{number}"
        for path in PYTHON_FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if path != Path(__file__) and (found := ignore.search(line)) and not found["reason"].strip(" #-–—:()")
    ]
    assert bare == []


# --- the documents ---


def test_the_licence_is_mit_everywhere_it_is_named() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    assert PYPROJECT["project"]["license"] == "MIT"


def test_the_changelog_keeps_its_form() -> None:
    """Keep a Changelog 1.1.0: Unreleased first, known kinds of change, here one sentence a line."""
    text = (ROOT / "CHANGELOG.md").read_text()
    written = [line for line in text.splitlines() if line]
    releases = [line for line in written if line.startswith("## ")]
    kinds = {line for line in written if line.startswith("### ")}
    assert written[0] == "# Changelog"
    assert releases[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line) for line in releases[1:])
    assert kinds <= {f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")}
    entries = text.partition("\n## ")[2].splitlines()[1:]
    assert all(re.fullmatch(r"- [A-Z`#].+\.", line) for line in entries if line and not line.startswith("#"))


PATHS = re.compile(r"`((?:relay|adapters|tests|bench|scripts|docker|docs|\.ci|\.github)/[\w./-]*|[A-Z]\w+\.md)`")


DOCUMENTS = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/decisions.md", "SECURITY.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document: str) -> None:
    named = PATHS.findall((ROOT / document).read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
NAMED = re.compile(r"`((?:relay|adapters|tests)/[\w/]+\.py)(?::(\w+))?`")
WALKS = re.findall(r"^### (.+)\n\n((?:\d\. .+\n)+)", ARCHITECTURE, re.MULTILINE)


@pytest.mark.parametrize(("path", "function"), sorted({named for named in NAMED.findall(ARCHITECTURE) if named[1]}))
def test_every_function_that_the_architecture_names_is_in_its_file(path: str, function: str) -> None:
    assert (ROOT / path).is_file()
    defined = ast.walk(ast.parse((ROOT / path).read_text()))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assert function in {node.name for node in defined if isinstance(node, kinds)}


def test_the_architecture_walks_three_ways_and_none_is_long() -> None:
    assert len(WALKS) == 3
    modules = {title: {path for path, _ in NAMED.findall(steps)} for title, steps in WALKS}
    assert {title: len(paths) for title, paths in modules.items() if not 10 <= len(paths) <= 35} == {}


def test_the_glossary_has_at_most_thirty_words() -> None:
    rows = ARCHITECTURE.partition("## Glossary")[2].partition("\n## ")[0]
    words = [word for row in lines(r"^\| (?!word |-)([^|]+) \|", rows) for word in row.split(",")]
    assert 0 < len(words) <= 30


def test_the_decisions_name_every_dependency() -> None:
    text = (ROOT / "docs/decisions.md").read_text().lower()
    needs = chain(PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"].values())
    assert [need for need in (re.split(r"[\[<>=;~! ]", need)[0] for need in needs) if need not in text] == []


def test_the_readme_names_every_command() -> None:
    from typer.main import get_command

    from relay.cli import app

    readme = (ROOT / "README.md").read_text()
    command = get_command(app)
    commands = getattr(command, "commands", {})
    assert commands, "relay has subcommands"
    assert [verb for verb, one in commands.items() if not one.hidden and f"relay {verb}" not in readme] == []


def test_the_readme_names_both_commands_of_a_newcomer() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "scripts/demo" in readme
    assert "scripts/test" in readme
