"""What the command line says: its help, `relay check` over what works and what does not, lists, mistakes in a file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.goldens.golden import same, sections
from tests.servers.mastodon import Mastodon
from tests.support.command_line import relay, with_a_thread
from tests.support.relay_runs import configured


@pytest.fixture
async def stage() -> AsyncIterator[Mastodon]:
    async with with_a_thread() as opened:
        yield opened


HELPS = ((), ("run",), ("demo",), ("check",), ("preview",), ("unroll",), ("subscriptions",), ("resume",), ("forget",))
BROKEN = """
[[subscriptions]]
topic = "nonsense"
to = "console"
[[subscriptions]]
topic = "#nobody-here"
to = ["console", "console:other"]
only = "media"
"""
WRONG = """[relay]
nam = "x"
[web]
prot = 1
[outbox]
lease = "soon"
[sources.mastodon]
instances = "ayllu.example"
[[subscriptions]]
topic = "#x"
to = "nowhere:1"
budget = -1
"""


def _settled(shown: str, folder: Path) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", shown.replace(str(folder), "…"))


@pytest.mark.siege
async def test_the_command_line_says_what_it_said(tmp_path: Path, stage: Mastodon) -> None:
    found = []
    lines = [[*command, "--help"] for command in HELPS]
    configured(tmp_path, stage, BROKEN)
    lines += [
        ["check"],
        ["subscriptions"],
        ["subscriptions", "--audit"],
        ["resume", "console"],
        ["preview", "nonsense"],
    ]
    for line in lines:
        code, out, err = await relay(*line, folder=tmp_path)
        found.append((f"relay {' '.join(line)}: {code}", out + err))
    (tmp_path / "relay.toml").write_text(WRONG)
    code, out, err = await relay("run", folder=tmp_path)
    found.append((f"relay run with mistakes: {code}", out + err))
    same("cli.txt", _settled(sections(found), tmp_path))
