"""What people write behind ``matrix:``: ``!room``, ``!room:server`` or ``#alias:server``."""

from __future__ import annotations

import re

NO_ROOM = "expected a room's address such as #plaza:example.org, or its id, which begins with !"
_ID = re.compile(r"![^\s/?#]{1,254}")
_ALIAS = re.compile(r"#[^\s:]{1,200}:[A-Za-z0-9.\[\]:-]{1,100}")


def is_id(address: str) -> bool:
    """Whether it can be a room's id; since room version 12 those name no server (MSC4291)."""
    return _ID.fullmatch(address) is not None


def is_alias(address: str) -> bool:
    """Whether it can be a room's alias."""
    return _ALIAS.fullmatch(address) is not None
