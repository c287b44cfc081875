"""What a homeserver answers, and what that means for a delivery and its room: tables."""

from __future__ import annotations

from datetime import timedelta

import aiohttp
import pytest

from adapters.matrix.api import Failed, lost, refusal
from adapters.matrix.calls import REFUSED_FOR
from adapters.matrix.outcomes import outcome_of, vanished
from relay.i18n import words
from relay.model import Action
from relay.ports import Gone, Outcome, Refused, TryLater, Unknown
from relay.testing import delivery

SAY = words("en")
MINUTE = timedelta(minutes=1)


def failed(status: int, code: str = "", error: str = "", **headers: str) -> Failed:
    body = {"errcode": code, "error": error} if code else "<html>"
    return refusal(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("answer", "kind", "words_in"),
    [
        (failed(403, "M_FORBIDDEN", "User @relay:ayllu.example not in room !plaza"), Gone, "not in this room"),
        (failed(403, "M_FORBIDDEN", "@relay:ayllu.example was banned: user is banned"), Gone, "Invite me again"),
        (failed(403, "M_FORBIDDEN", "You don't have permission to post that to the room."), Gone, "power level"),
        (failed(403, "M_FORBIDDEN", "No longer open"), Gone, "No longer open"),
        (failed(404, "M_NOT_FOUND", "Room alias #plaza:ayllu.example not found"), Gone, "no longer exists"),
        (failed(413, "M_TOO_LARGE", "event too large"), Refused, "M_TOO_LARGE"),
        (failed(400, "M_BAD_JSON", "Unknown value"), Refused, "Unknown value"),
        (failed(400, "M_INVALID_PARAM", "no"), Refused, "M_INVALID_PARAM"),
        (failed(404, "M_UNRECOGNIZED", "Unrecognized request"), TryLater, "Unrecognized"),
        (failed(401, "M_UNKNOWN_TOKEN", "Invalid access token passed."), TryLater, "refuses the account"),
        (failed(401, "M_USER_LOCKED", "locked"), TryLater, "refuses the account"),
        (failed(403, "M_USER_SUSPENDED", "suspended"), TryLater, "refuses the account"),
        (failed(403, "M_RESOURCE_LIMIT_EXCEEDED", "monthly users"), TryLater, "refuses the account"),
        (failed(404), TryLater, "HTTP 404"),
        (failed(301), TryLater, "HTTP 301"),
        (failed(500, "M_UNKNOWN", "Internal server error"), Unknown, "Internal"),
        (failed(502), Unknown, "HTTP 502"),
        (lost(aiohttp.ServerDisconnectedError()), Unknown, "the answer was lost"),
        (lost(ConnectionResetError()), Unknown, "the answer was lost"),
        (lost(aiohttp.ConnectionTimeoutError()), TryLater, "cannot be reached"),
    ],
    ids=str,
)
def test_each_refusal_means_something(answer: Failed, kind: type[Outcome], words_in: str) -> None:
    outcome = outcome_of(answer, delivery(to="matrix:!plaza"), SAY, "!relay")
    assert isinstance(outcome, kind)
    assert words_in in outcome.reason  # type: ignore[union-attr]  # none of these kinds is one without a reason


@pytest.mark.parametrize("action", [Action.EDIT, Action.DELETE, Action.COUNT])
def test_an_edit_or_a_deletion_of_which_nobody_knows_is_simply_made_again(action: Action) -> None:
    outcome = outcome_of(failed(502), delivery(action=action, to="matrix:!plaza"), SAY, "!relay")
    assert isinstance(outcome, TryLater)


def test_a_refused_account_is_left_alone_for_a_while() -> None:
    outcome = outcome_of(failed(401, "M_UNKNOWN_TOKEN"), delivery(to="matrix:!plaza"), SAY, "!relay")
    assert isinstance(outcome, TryLater)
    assert outcome.after == REFUSED_FOR


@pytest.mark.parametrize(
    ("header", "milliseconds", "seconds"),
    [
        ("5", 4775, 4.775),  # Synapse's: the same, once rounded up
        ("5", None, 5),
        ("", 4775, 4.775),
        ("30", 200, 30),  # a proxy asks for more: the header is the one that counts since Matrix 1.10
        ("", None, None),
        ("Fri, 31 Dec 2027 23:59:59 GMT", 1500, 1.5),
        ("-1", "soon", None),
        ("", True, None),
        ("999999999999", None, None),
        ("", 1e300, 86_400),
        pytest.param("", 10**400, 86_400, id="a very long number"),
        ("999999999", float("nan"), 86_400),
        ("", float("inf"), 86_400),
        ("", -5, None),
    ],
)
def test_how_long_to_wait_is_read_from_the_header_and_exactly_from_the_body(
    header: str, milliseconds: object, seconds: float | None
) -> None:
    body = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": milliseconds}
    answer = refusal(429, {"Retry-After": header} if header else {}, body)
    assert answer.limited
    assert answer.after == (None if seconds is None else timedelta(seconds=seconds))
    outcome = outcome_of(answer, delivery(to="matrix:!plaza"), SAY, "!relay")
    assert outcome == TryLater("Too Many Requests", answer.after)


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"errcode": 5, "error": ["x"]}, "", "HTTP 403"),
        ([], "", "HTTP 403"),
        (None, "", "HTTP 403"),
        ({"errcode": "M_FORBIDDEN", "error": " a\nb " + "c" * 999}, "M_FORBIDDEN", "a b ccc"),
    ],
)
def test_an_answer_may_hold_anything(body: object, code: str, reason: str) -> None:
    answer = refusal(403, {}, body)
    assert answer.code == code
    assert answer.reason.startswith(reason)
    assert len(answer.reason) <= 300


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (failed(404, "M_NOT_FOUND", "Could not find event"), True),
        (failed(400, "M_UNKNOWN", "Can't send relation to unknown event"), True),
        (failed(400, "M_UNKNOWN", "something else"), False),
        (failed(500, "M_UNKNOWN", "Can't send relation to unknown event"), False),
        (TryLater("soon"), False),
        (None, False),
    ],
)
def test_what_is_gone_needs_no_change(answer: object, gone: bool) -> None:
    assert vanished(answer) is gone


def test_a_room_s_reasons_are_said_in_the_relay_s_language() -> None:
    outcome = outcome_of(
        failed(403, "M_FORBIDDEN", "not in room"), delivery(to="matrix:!plaza"), words("es"), "!chasqui"
    )
    assert isinstance(outcome, Gone)
    assert "!chasqui resume" in outcome.reason
    assert "sala" in outcome.reason


def test_minutes_are_what_a_proxy_is_given() -> None:
    outcome = outcome_of(failed(404), delivery(to="matrix:!plaza"), SAY, "!relay")
    assert outcome == TryLater("HTTP 404", MINUTE)
