"""Servers that others wrote pin much: each lives in a virtual environment of its own, made once."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.thorough import THOROUGH


def only_when_real() -> None:
    """Skip, unless real servers are wanted."""
    if not THOROUGH:
        pytest.skip("runs a server in an environment of its own: set RELAY_TEST_REAL=1")


def environment(package: str, variable: str) -> Path:
    """The virtual environment with ``package`` in it: where ``variable`` says, else made where there is none yet.

    It is kept under ``RELAY_TEST_CACHE`` (``~/.cache/chasqui-tests``).
    """
    if given := os.environ.get(variable):
        return Path(given)
    cache = Path(os.environ.get("RELAY_TEST_CACHE") or Path.home() / ".cache" / "chasqui-tests")
    place = cache / package.replace("==", "-")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once make it once
        if not (place / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
            subprocess.run([place / "bin" / "pip", "install", "--quiet", package], check=True)
            (place / "complete").touch()
    return place


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path, *, seconds: float = 30) -> None:
    """A process has no event for "I listen now", so it is asked again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own address on loopback
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes], *, seconds: float = 3) -> None:
    """Ask it to stop, and then make it."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
