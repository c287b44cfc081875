"""A real Chromium, and axe-core in it: what it says of a page that a reader sees. Only with ``RELAY_TEST_REAL=1``.

Chromium is Debian's; axe-core comes from the npm registry, once, into the cache of ``tests.servers.environments``.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from tests.servers.environments import only_when_real

AXE = "axe-core@4.14.1"
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_RUN = """<script>{axe}</script><script>
axe.run(document, {{ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }}).then(
  (told) => {{
    const found = told.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]);
    const pre = document.createElement("pre");
    pre.id = "axe";
    const width = document.documentElement.scrollWidth;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    pre.textContent = JSON.stringify({{ found, passed: told.passes.length, width, dark }});
    document.body.append(pre);
  }});
</script>"""


def axe_script() -> str:
    """The text of axe-core."""
    cache = Path(os.environ.get("RELAY_TEST_CACHE") or Path.home() / ".cache" / "chasqui-tests")
    place = cache / AXE.replace("@", "-")
    place.mkdir(parents=True, exist_ok=True)
    script = place / "node_modules" / "axe-core" / "axe.min.js"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), AXE]
            subprocess.run(install, check=True)
    return script.read_text("utf-8")


@pytest.fixture(scope="session")
def axe() -> str:
    only_when_real()
    if not (shutil.which("chromium") and shutil.which("npm")):
        pytest.skip("needs Debian's chromium, and npm for axe-core")
    return axe_script()


def judged(page: str, css: str, axe: str, *, dark: bool = False, width: int = 1200) -> dict[str, Any]:
    """What axe finds on a page, laid out so wide, in the light or in the dark: ``found``, ``passed`` and ``width``."""
    # The page forbids scripts and foreign styles, as it should: what is judged is the page without its policy.
    page = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{css}</style>", page)
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    page = page.replace("</body>", f"{_RUN.format(axe=axe)}</body>")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, "utf-8")
        looks = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
        command = ["chromium", *_QUIET, *looks, f"--user-data-dir={folder}/profile", f"--window-size={width},1000"]
        command += ["--virtual-time-budget=20000", "--dump-dom", file.as_uri()]
        dom = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True).stdout
    told = re.search(r'<pre id="axe">(.*?)</pre>', dom, re.DOTALL)
    if told is None:
        raise AssertionError(f"axe did not end on this page: {escape(dom[:500])}")
    read: dict[str, Any] = json.loads(unescape(told[1]))
    return read
