"""Fixtures of the sieges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.sink import Sink, install_adapter


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink(slowest=0.03) as opened:
        yield opened


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    return install_adapter(folder)
