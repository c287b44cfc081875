"""What several tests share with those of console."""

from __future__ import annotations

import re
from typing import Any

from relay.model import (
    Card,
    Delivery,
    Post,
)
from relay.testing import delivery

INK = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b\x07]*\x1b\\")


def shown(shown_post: Post, **card: Any) -> Delivery:
    return delivery(card=Card(post=shown_post, reason="#Qeswachaka · ayllu.example", **card))
