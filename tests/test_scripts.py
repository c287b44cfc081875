"""The scripts make one environment, once, and say plainly when they cannot. Shell scripts play Python and uv here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

UNIX = ("sh", "cat", "chmod", "cksum", "cp", "dirname", "ls", "mkdir", "rm")
"""All that the scripts (and the stage) may use of the system."""

ENVIRONMENT = r"""
make_environment() {
    mkdir -p "$1/bin"
    cp "$TOOLS/python-stage" "$1/bin/python"
    for tool in relay ruff mypy lint-imports; do
        printf '#!/bin/sh\necho "%s $*"\nexit ${STAGE_EXIT:-0}\n' "$tool" >"$1/bin/$tool"
        chmod +x "$1/bin/$tool"
    done
}
"""

PYTHON = rf"""#!/bin/sh
# A Python whose `venv`, `pip` and `pytest` are played; the rest is real.
{ENVIRONMENT}
case "$1 $2" in
"-m venv") [ -z "${{NO_VENV:-}}" ] || exit 1; echo "venv" >>"$LOG"; make_environment "$3" ;;
"-m pip") echo "pip $*" >>"$LOG"; echo "progress"; exit "${{INSTALL_EXIT:-0}}" ;;
"-m pytest") shift 2; echo "pytest $*"; pwd; exit "${{STAGE_EXIT:-0}}" ;;
*) exec "{sys.executable}" -IS -c "import sys; sys.executable = '$0'; $2" ;;
esac
"""

UV = rf"""#!/bin/sh
{ENVIRONMENT}
[ "$1" = --version ] || echo "uv $*" >>"$LOG"
case $1 in
venv) for place; do :; done; make_environment "$place" ;;
pip) echo "progress"; exit "${{INSTALL_EXIT:-0}}" ;;
esac
"""

OLD_PYTHON = f"""#!/bin/sh
exec "{sys.executable}" -IS -c "import sys; sys.version_info = (3, 10, 13); $2"
"""

BROKEN_SHIM = """#!/bin/sh
echo "this version is not installed" >&2
exit 127
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@dataclass(frozen=True)
class Checkout:
    """A copy of the scripts on a machine of which we know every command."""

    root: Path
    tools: Path
    log: Path

    def run(
        self, script: str, *arguments: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        known = {"PATH": str(self.tools), "TOOLS": str(self.tools), "LOG": str(self.log), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [self.root / "scripts" / script, *arguments],
            cwd=cwd or self.root,
            env=known | env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def command(self, name: str, text: str) -> None:
        executable(self.tools / name, text)

    @property
    def installations(self) -> int:
        """How often an environment was made."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return sum(line.startswith(("venv", "uv venv")) for line in lines)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """A machine without Python and uv, and a checkout whose path has spaces."""
    root, tools = tmp_path / "a check out", tmp_path / "tools"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "requirements.lock").write_text("a==1\n")
    tools.mkdir()
    for name in UNIX:
        found = shutil.which(name)
        assert found, f"{name} is part of every Unix"
        (tools / name).symlink_to(found)
    executable(tools / "python-stage", PYTHON)
    return Checkout(root, tools, tmp_path / "log")


@pytest.fixture(params=["pip", "uv"])
def checkout(bare: Checkout, request: pytest.FixtureRequest) -> Checkout:
    """A machine with a good Python, once with uv and once without."""
    bare.command("python3", PYTHON)
    if request.param == "uv":
        bare.command("uv", UV)
    return bare


def test_the_first_run_says_in_one_line_what_it_does_and_shows_progress_beside_the_output(checkout: Checkout) -> None:
    done = checkout.run("demo", "--once")
    assert done.stdout == "relay demo --once\n"
    assert done.stderr.splitlines() == [
        f"Making an environment in {checkout.venv} (once, about a minute) …",
        "progress",
        "progress",
    ]


def test_the_second_run_finds_it_made_and_is_silent(checkout: Checkout) -> None:
    checkout.run("demo")
    done = checkout.run("test")
    assert (done.returncode, done.stderr, checkout.installations) == (0, "", 1)


def test_everything_locked_is_installed_by_hash_and_then_the_project(checkout: Checkout) -> None:
    checkout.run("demo")
    locked, project = [line for line in checkout.log.read_text().splitlines() if " pip " in f" {line}"]
    assert "--require-hashes" in locked
    assert str(checkout.root / "requirements.lock") in locked
    assert "--no-deps" in project
    assert project.endswith(f"-e {checkout.root}")


SHARED = "-n auto --maxschedchunk 4"
"""Each core takes its share of the suite."""


def test_arguments_pass_through_untouched(checkout: Checkout) -> None:
    done = checkout.run("test", "-k", "two words", "tests/test_x.py")
    assert done.stdout == f"pytest {SHARED} -k two words tests/test_x.py\n{checkout.root}\n"


def test_real_servers_have_the_machine_for_themselves(checkout: Checkout) -> None:
    done = checkout.run("test", "-x", RELAY_TEST_REAL="1")
    assert done.stdout == f"pytest -x\n{checkout.root}\n"


@pytest.mark.parametrize("script", ["demo", "test", "check"])
def test_the_exit_code_is_that_of_what_ran(checkout: Checkout, script: str) -> None:
    assert checkout.run(script, STAGE_EXIT="7").returncode == 7


def test_scripts_run_from_any_directory(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.run("test", cwd=tmp_path)
    assert done.stdout == f"pytest {SHARED}\n{checkout.root}\n"
    assert checkout.venv.is_dir()


def test_another_folder_can_be_named_from_where_one_stands(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.run("test", cwd=tmp_path, RELAY_VENV="else where").returncode == 0
    assert (tmp_path / "else where" / "bin" / "python").exists()
    assert not checkout.venv.exists()


def test_check_runs_every_tool_and_ends_with_the_tests(checkout: Checkout) -> None:
    done = checkout.run("check", "-x")
    ran = [line for line in done.stdout.splitlines() if line and not line.startswith("—")]
    assert [line.strip() for line in ran] == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "lint-imports",
        f"pytest {SHARED} -x",
        str(checkout.root),
    ]


@pytest.mark.parametrize("file", ["requirements.lock", "pyproject.toml"])
def test_it_is_made_anew_when_what_it_is_made_from_changes(checkout: Checkout, file: str) -> None:
    checkout.run("demo")
    (checkout.root / file).write_text("something = 'else'\n")
    checkout.run("demo")
    assert checkout.installations == 2


@pytest.mark.parametrize("part", ["bin/python", "bin/relay", "made-from"])
def test_it_is_made_anew_when_a_part_of_it_is_broken(checkout: Checkout, part: str) -> None:
    checkout.run("demo")
    (checkout.venv / part).write_text("broken\n")
    (checkout.venv / part).chmod(0o644)
    done = checkout.run("demo")
    assert (done.returncode, checkout.installations) == (0, 2)


def test_it_is_made_anew_where_the_checkout_was_moved(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("demo")
    moved = Checkout(checkout.root.rename(tmp_path / "moved"), checkout.tools, checkout.log)
    assert moved.run("demo").returncode == 0
    assert moved.installations == 2


def test_it_is_made_anew_for_another_python(checkout: Checkout) -> None:
    checkout.run("demo")
    other = PYTHON.replace(
        "*) exec", '*) [ "$2" = "import sys; print(sys.version)" ] && exec echo "another build"; exec'
    )
    checkout.command("python3.13", other)
    checkout.run("demo")
    assert checkout.installations == 1
    checkout.run("demo", PYTHON="python3.13")
    assert checkout.installations == 2


def test_a_failed_installation_is_one_sentence_and_the_next_run_starts_over(checkout: Checkout) -> None:
    failed = checkout.run("demo", INSTALL_EXIT="1")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[2:] == ["The environment could not be made; the lines above say why."]
    assert failed.stdout == ""
    assert checkout.run("demo").returncode == 0
    assert checkout.installations == 2


def test_a_folder_that_was_not_made_by_the_scripts_is_left_alone(checkout: Checkout) -> None:
    (checkout.venv / "bin").mkdir(parents=True)
    (checkout.venv / "precious").write_text("keep me")
    done = checkout.run("demo")
    assert done.returncode == 1
    assert "was not made by this script" in done.stderr
    assert (checkout.venv / "precious").read_text() == "keep me"


@pytest.mark.parametrize("script", ["demo", "test", "check"])
def test_an_old_python_is_refused_in_one_sentence(bare: Checkout, script: str) -> None:
    bare.command("python3", OLD_PYTHON)
    done = bare.run(script)
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed; python3 here is Python 3.10.13.")
    assert len(done.stderr.splitlines()) == 1
    assert not bare.venv.exists()


def test_no_python_at_all_is_said_in_one_sentence(bare: Checkout) -> None:
    done = bare.run("demo")
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed; python3 here is no Python that runs.")
    assert len(done.stderr.splitlines()) == 1


def test_uv_may_bring_the_python_where_there_is_none(bare: Checkout) -> None:
    bare.command("uv", UV)
    bare.command("python3", OLD_PYTHON)
    done = bare.run("demo")
    assert done.returncode == 0
    assert "--python >=3.11" in bare.log.read_text()


@pytest.mark.parametrize("text", [BROKEN_SHIM, OLD_PYTHON], ids=["shim", "old"])
def test_a_python_that_does_not_do_is_passed_over(checkout: Checkout, text: str) -> None:
    checkout.command("python3.13", text)
    assert checkout.run("demo").returncode == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [(OLD_PYTHON, "Python 3.10.13"), (BROKEN_SHIM, "no Python that runs"), ("", "no Python that runs")],
    ids=["old", "shim", "empty"],
)
def test_a_named_python_is_used_or_refused_never_replaced(checkout: Checkout, text: str, what: str) -> None:
    checkout.command("mine", text)
    done = checkout.run("demo", PYTHON="mine")
    assert (done.returncode, done.stderr) == (1, f"Python 3.11 or newer is needed; PYTHON=mine is {what}.\n")


def test_a_python_that_cannot_make_environments_is_told_from_a_failed_installation(bare: Checkout) -> None:
    bare.command("python3", PYTHON)
    done = bare.run("demo", NO_VENV="1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "cannot make environments; on Debian and Ubuntu: apt install python3-venv"
    )


@pytest.mark.parametrize("path", ["scripts/demo", "scripts/test", "scripts/check", "scripts/lock", ".ci/run"])
def test_every_script_can_be_started(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)
