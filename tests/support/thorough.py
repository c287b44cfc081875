"""How much is tried: everything where it has its time (``RELAY_TEST_REAL=1``), less while somebody waits for it."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("RELAY_TEST_REAL") == "1"


def examples(number: int) -> int:
    """How many of ``number`` examples Hypothesis shall find."""
    return number if THOROUGH else max(number // 6, 10)
