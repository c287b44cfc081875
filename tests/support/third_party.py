"""A plugin of somebody else's, installed for the length of a test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = "smoke_signals"


@contextmanager
def installed(
    folder: Path, code: str, *, group: str = "relay.adapters", points: str = f"smoke = {MODULE}:plugin"
) -> Iterator[None]:
    """Put ``code`` and its entry points where Python finds them, as installing a distribution would."""
    folder.mkdir(exist_ok=True)
    (folder / f"{MODULE}.py").write_text(code)
    info = folder / f"{MODULE}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: smoke-signals\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}\n")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(MODULE, None)
        importlib.invalidate_caches()
