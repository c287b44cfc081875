"""How long a server asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.http import retry_after
from tests.support.thorough import examples

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Sun, 01 Mar 2026 12:05:00 GMT"}, 300),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Sun, 01 Mar 2026 14:05:00 +0200"}, 300),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "9" * 15}, 365 * 86400),
        ({"retry-after": "9" * 400}, None),
        ({"x-ratelimit-reset": "2026-03-01T12:05:00.000000Z", "x-ratelimit-remaining": "0"}, 300),
        ({"x-ratelimit-reset": "2026-03-01T12:05:00.000000Z", "x-ratelimit-remaining": "7"}, None),
        ({"x-ratelimit-reset": "2026-03-01T12:05:00.000000Z"}, 300),
        ({"ratelimit-reset": str(int(NOW.timestamp()) + 60), "ratelimit-remaining": "0"}, 60),
        ({"ratelimit-reset": "60", "ratelimit-remaining": "0"}, 60),
        ({"retry-after": "5", "x-ratelimit-reset": "2026-03-01T12:05:00Z"}, 5),
        ({"retry-after": "soon", "x-ratelimit-reset": "2026-03-01T12:05:00Z"}, 300),
    ],
)
def test_what_a_server_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@settings(max_examples=examples(200), deadline=None)
@given(st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset", "ratelimit-remaining"]), st.text()))
def test_no_header_is_an_error(headers: dict[str, str]) -> None:
    asked = retry_after(headers, NOW)
    assert asked is None or timedelta(0) <= asked <= timedelta(days=365)
