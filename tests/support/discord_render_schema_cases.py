"""What several tests share with those of discord render schema."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SPECS = os.environ.get("RELAY_TEST_SPECS", "")


CREATE, EDIT = "MessageCreateRequest", "MessageEditRequestPartial"


@cache
def components() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(SPECS, "discord-openapi.json").read_text())["components"]
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components()})
