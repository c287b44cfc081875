"""What people write behind ``telegram:``, and what messages are called in the store."""

from __future__ import annotations

import pytest

from adapters.telegram.address import TelegramAddress, is_private
from adapters.telegram.message_ids import TelegramMessage
from relay.kit import readable
from relay.model import MessageId


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("@ayllu", TelegramAddress("@ayllu")),
        ("@ayllu/77", TelegramAddress("@ayllu", 77)),
        ("-1001234567890", TelegramAddress(-1001234567890)),
        ("-1001234567890/77", TelegramAddress(-1001234567890, 77)),
        ("12345", TelegramAddress(12345)),
        (" 12345 ", TelegramAddress(12345)),
    ],
)
def test_an_address_is_a_chat_and_maybe_a_topic(written: str, place: TelegramAddress) -> None:
    assert TelegramAddress.parse(written) == place
    assert TelegramAddress.parse(str(place)) == place


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ayllu",
        "@",
        "@abc",
        "@1234",
        "0",
        "-0",
        "1/",
        "1/0",
        "1/x",
        "/77",
        "1 2",
        "+1",
        "١٢٣",
        "@aylluñ",
        "9" * 17,
        "1/2/3",
    ],
)
def test_what_is_no_address_is_none(wrong: str) -> None:
    assert TelegramAddress.parse(wrong) is None


def test_the_general_topic_has_no_number_in_a_request() -> None:
    assert TelegramAddress(-100, 1).thread is None
    assert TelegramAddress(-100, 2).thread == 2


def test_a_moved_group_keeps_its_topic() -> None:
    assert TelegramAddress(-5, 7).moved(-1005) == TelegramAddress(-1005, 7)


def test_private_chats_have_positive_numbers() -> None:
    assert [is_private(one) for one in (5, -5, "@ayllu")] == [True, False, False]


@pytest.mark.parametrize("kind", ["text", "caption", "album", "rich"])
def test_a_message_id_is_read_as_it_was_written(kind: str) -> None:
    written = MessageId(f"{kind}/-1001/42")
    posted = TelegramMessage.parse(written)
    assert posted is not None
    assert posted.id == written
    assert (posted.kind, posted.chat, posted.message) == (kind, -1001, 42)


@pytest.mark.parametrize("foreign", ["", "text", "card/1/2", "text/1", "text/@ayllu/2", "text/1/2/3", "text/1/x"])
def test_messages_of_others_are_left_out(foreign: str) -> None:
    assert readable([MessageId(foreign), MessageId("text/1/2")], TelegramMessage.parse) == (
        TelegramMessage("text", 1, 2),
    )
