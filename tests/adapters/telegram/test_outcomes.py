"""What each of Telegram's refusals means for a delivery: a table."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, TelegramError

from adapters.telegram.calls import REFUSED_FOR
from adapters.telegram.outcomes import (
    TOO_OLD,
    UNCHANGED,
    VANISHED,
    closed,
    outcome_of,
    refused_item,
    refuses_media,
    says,
)
from adapters.telegram.transport import Broken, NoSuchMethod, Slower, TelegramMaybeSent, TelegramNotSent, lost, refusal
from relay.i18n import words
from relay.model import Action, Destination
from relay.ports import Gone, Moved, Refused, TryLater, Unknown
from relay.testing import delivery

SAY = words("en")
SEND = delivery(to="telegram:-5/7")
EDIT = delivery(action=Action.EDIT, to="telegram:-5")


@pytest.mark.parametrize(
    ("error", "words_of_it"),
    [
        (Forbidden("Forbidden: bot was blocked by the user"), "blocked"),
        (Forbidden("Forbidden: bot was kicked from the supergroup chat"), "no longer in"),
        (Forbidden("Forbidden: bot is not a member of the channel chat"), "no longer in"),
        (Forbidden("Forbidden: user is deactivated"), "no longer exists"),
        (Forbidden("Forbidden: bot can't initiate conversation with a user"), "/start"),
        (Forbidden("Forbidden: something new"), "something new"),
        (BadRequest("Bad Request: need administrator rights in the channel chat"), "administrator"),
        (BadRequest("Bad Request: not enough rights to send text messages to the chat"), "administrator"),
        (BadRequest("Bad Request: CHAT_WRITE_FORBIDDEN"), "administrator"),
        (BadRequest("Bad Request: have no rights to send a message"), "administrator"),
        (BadRequest("Bad Request: chat not found"), "gone"),
        (BadRequest("Bad Request: group chat was deactivated"), "gone"),
        (BadRequest("Bad Request: TOPIC_CLOSED"), "topic is closed"),
        (BadRequest("Bad Request: message thread not found"), "topic was deleted"),
    ],
)
@pytest.mark.parametrize("what", [SEND, EDIT])
def test_a_place_that_is_closed_to_us_is_gone_with_a_reason(
    error: TelegramError, words_of_it: str, what: object
) -> None:
    outcome = outcome_of(error, what, SAY)  # type: ignore[arg-type]  # a delivery, as the line above says
    assert isinstance(outcome, Gone)
    assert words_of_it in outcome.reason


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (TelegramNotSent("no way"), None),
        (Slower(43_200), timedelta(hours=12)),
        (InvalidToken("Unauthorized"), REFUSED_FOR),
        (NoSuchMethod("Not Found"), REFUSED_FOR),
        (Conflict("terminated by other getUpdates request"), REFUSED_FOR),
        (TryLater("the pace", timedelta(seconds=3)), timedelta(seconds=3)),
    ],
)
@pytest.mark.parametrize("what", [SEND, EDIT])
def test_what_was_surely_not_done_is_tried_later(error: object, after: timedelta | None, what: object) -> None:
    outcome = outcome_of(error, what, SAY)  # type: ignore[arg-type]  # as above
    assert isinstance(outcome, TryLater)
    assert outcome.after == after


@pytest.mark.parametrize("error", [TelegramMaybeSent("x"), Broken("x"), NetworkError("x"), TelegramError("x")])
def test_a_lost_answer_is_unknown_for_a_message_and_tried_again_for_an_edit(error: TelegramError) -> None:
    assert isinstance(outcome_of(error, SEND, SAY), Unknown)
    assert isinstance(outcome_of(error, EDIT, SAY), TryLater)


def test_a_group_that_became_a_supergroup_moves_with_its_topic() -> None:
    assert outcome_of(ChatMigrated(-1005), SEND, SAY) == Moved(Destination("telegram", "-1005/7"))
    assert isinstance(outcome_of(ChatMigrated(-5), SEND, SAY), Refused)


@pytest.mark.parametrize("words_of_it", ["can't parse entities: x", "message text is empty", "BUTTON_URL_INVALID"])
def test_what_telegram_does_not_want_as_it_is_is_refused(words_of_it: str) -> None:
    assert isinstance(outcome_of(BadRequest(f"Bad Request: {words_of_it}"), SEND, SAY), Refused)


def test_words_are_recognised_in_refusals_alone() -> None:
    assert says(BadRequest("Bad Request: message is not modified: specified new message content"), UNCHANGED)
    assert says(BadRequest("Bad Request: message to delete not found"), VANISHED)
    assert says(BadRequest("Bad Request: message can't be deleted for everyone"), TOO_OLD)
    assert not says(NetworkError("message is not modified"), UNCHANGED)
    assert not says(None, UNCHANGED)
    assert closed(TelegramMaybeSent("chat not found"), SAY) == ""


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (BadRequest("Bad Request: failed to get HTTP URL content"), True),
        (BadRequest("Bad Request: group send failed"), True),
        (BadRequest("Bad Request: PHOTO_SAVE_FILE_INVALID"), True),
        (BadRequest("Bad Request: EXTERNAL_URL_INVALID"), True),
        (BadRequest("Bad Request: nobody has ever read these words"), True),
        (BadRequest("Request Entity Too Large"), True),
        (BadRequest("Bad Request: not enough rights to send photos to the chat"), True),
        (BadRequest("Bad Request: not enough rights to send video notes to the chat"), True),
        (BadRequest("Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN"), True),
        (Forbidden("Forbidden: CHAT_SEND_GIFS_FORBIDDEN"), True),
        (BadRequest("Bad Request: chat not found"), False),
        (BadRequest("Bad Request: CHAT_WRITE_FORBIDDEN"), False),
        (BadRequest("Bad Request: need administrator rights in the channel chat"), False),
        (BadRequest("Bad Request: TOPIC_CLOSED"), False),
        (Forbidden("Forbidden: bot was kicked from the channel chat"), False),
        (Forbidden("Forbidden: something new"), False),
        (ChatMigrated(-1005), False),
        (InvalidToken("Unauthorized"), False),
        (Slower(7), False),
        (TelegramNotSent("no way"), False),
        (TelegramMaybeSent("the answer was lost"), False),
        (Broken("Internal Server Error (500)"), False),
        (NetworkError("x"), False),
        (TryLater("the pace"), False),
        (None, False),
    ],
)
def test_any_answer_that_neither_closes_the_chat_nor_asks_to_wait_is_a_refusal_of_media(
    error: object, is_one: bool
) -> None:
    assert refuses_media(error, "sendMediaGroup", SAY) is is_one
    assert not refuses_media(error, "sendMessage", SAY)


@pytest.mark.parametrize(
    ("words_of_it", "number"),
    [
        ('failed to send message #1 with the error message "WEBPAGE_CURL_FAILED"', 1),
        ('failed to send message #10 with the error message "PHOTO_INVALID_DIMENSIONS"', 10),
        ("failed to send message #x with", 0),
        (f"failed to send message #{'9' * 5000} with", 0),
        ("group send failed", 0),
    ],
)
def test_the_refused_item_of_an_album_is_the_one_that_telegram_names(words_of_it: str, number: int) -> None:
    assert refused_item(BadRequest(f"Bad Request: {words_of_it}")) == number


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError])
def test_without_a_connection_nothing_was_sent(error: type[httpx.HTTPError]) -> None:
    assert isinstance(lost(error("https://x/bot1:secret")), TelegramNotSent)


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError],
)
def test_a_connection_that_ends_leaves_a_doubt_and_no_address(error: type[httpx.HTTPError]) -> None:
    failed = lost(error("https://x/bot1:secret"))
    assert isinstance(failed, TelegramMaybeSent)
    assert "secret" not in str(failed)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"parameters": {"retry_after": 7}}', Slower),
        (429, b"<html>", Slower),
        (401, b'{"description": "Unauthorized"}', InvalidToken),
        (404, b'{"description": "Not Found"}', NoSuchMethod),
        (413, b"<html>", BadRequest),
        (302, b"", TelegramNotSent),
        (500, b"[]", Broken),
        (502, b"<html>Bad Gateway</html>", Broken),
    ],
)
def test_statuses_that_the_library_has_no_name_for(status: int, body: bytes, kind: type[TelegramError]) -> None:
    failed = refusal(status, body)
    assert type(failed) is kind
    if isinstance(failed, Slower):
        assert failed.seconds in {7, 1}
