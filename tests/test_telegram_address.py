"""What people write behind ``telegram:``, and what messages are called in the store."""

from __future__ import annotations

import pytest

from adapters.telegram.address import Place, is_private
from adapters.telegram.posted import Posted
from relay.kit import readable
from relay.model import MessageId


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("@ayllu", Place("@ayllu")),
        ("@ayllu/77", Place("@ayllu", 77)),
        ("-1001234567890", Place(-1001234567890)),
        ("-1001234567890/77", Place(-1001234567890, 77)),
        ("12345", Place(12345)),
        (" 12345 ", Place(12345)),
    ],
)
def test_an_address_is_a_chat_and_maybe_a_topic(written: str, place: Place) -> None:
    assert Place.parse(written) == place
    assert Place.parse(str(place)) == place


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
    assert Place.parse(wrong) is None


def test_the_general_topic_has_no_number_in_a_request() -> None:
    assert Place(-100, 1).thread is None
    assert Place(-100, 2).thread == 2


def test_a_moved_group_keeps_its_topic() -> None:
    assert Place(-5, 7).moved(-1005) == Place(-1005, 7)


def test_private_chats_have_positive_numbers() -> None:
    assert [is_private(one) for one in (5, -5, "@ayllu")] == [True, False, False]


@pytest.mark.parametrize("kind", ["text", "caption", "album", "rich"])
def test_a_message_id_is_read_as_it_was_written(kind: str) -> None:
    written = MessageId(f"{kind}/-1001/42")
    posted = Posted.parse(written)
    assert posted is not None
    assert posted.id == written
    assert (posted.kind, posted.chat, posted.message) == (kind, -1001, 42)


@pytest.mark.parametrize("foreign", ["", "text", "card/1/2", "text/1", "text/@ayllu/2", "text/1/2/3", "text/1/x"])
def test_messages_of_others_are_left_out(foreign: str) -> None:
    assert readable([MessageId(foreign), MessageId("text/1/2")], Posted.parse) == (Posted("text", 1, 2),)
