"""Every rendered body against Discord's own schema (OpenAPI), where it is at hand."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.discord.card import edit_of, message
from adapters.discord.settings import Style
from tests.support.discord_bodies import POSTS, STYLES, card, look
from tests.support.discord_render_schema_cases import CREATE, EDIT, SPECS, components, validator

EXECUTE, UPDATE = "IncomingWebhookRequestPartial", "IncomingWebhookUpdateRequestPartial"

pytestmark = pytest.mark.skipif(not SPECS, reason="RELAY_TEST_SPECS names no folder with discord-openapi.json")


def unknown(body: dict[str, Any], name: str) -> set[str]:
    """The schema lets unknown keys pass; Discord ignores them, and so does what they were to say."""
    return set(body) - set(components()["schemas"][name]["properties"])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", POSTS)
def test_a_body_is_what_discord_asks_for(kind: str, style: Style) -> None:
    create, edit = (EXECUTE, UPDATE) if style == "webhook" else (CREATE, EDIT)
    for open_to in (look(style), look(style, age_restricted=True, role="77")):
        body = message(card(POSTS[kind], thread=(3, 7), unroll="https://relay.example/t/a"), open_to)
        for name, sent in ((create, body), (edit, edit_of(body))):
            assert not [error.message for error in validator(name).iter_errors(sent)]
            assert not unknown(sent, name)


def test_the_schema_finds_what_is_wrong() -> None:
    wrong = {"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 4001}]}
    assert not validator(CREATE).is_valid(wrong)
