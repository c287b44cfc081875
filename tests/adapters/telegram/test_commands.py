"""What people write on Telegram becomes commands, and answers become messages. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.telegram.address import TelegramAddress
from adapters.telegram.conversations import DATA, Carried, pages, toast
from adapters.telegram.requests import (
    TelegramRequest,
    asked_in,
    asker_of,
    forwarded_in,
    line_in,
    links_in,
    place_named,
    place_of,
)
from relay.i18n import words
from relay.ports import Answer, Choice, Refused
from relay.testing import text
from tests.support.telegram_listening import written

EN, ES = words("en"), words("es")
PAGE = "https://ayllu.example/@illa/1"
BOT = "chasqui_bot"
PRIVATE = {"id": 7, "type": "private", "first_name": "Sami"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Qeswachaka"}


def asked(line: str, **more: Any) -> TelegramRequest | Refused | None:
    message = written(line, **more)
    found = line_in(message, BOT)
    return asked_in(message, found, EN) if found else None


def link(text: str, part: str, url: str = "") -> dict[str, Any]:
    kind = {"type": "text_link", "url": url} if url else {"type": "url"}
    return {"offset": len(text[: text.index(part)].encode("utf-16-le")) // 2, "length": len(part), **kind}


# --- lines ---


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("/subscribe #Qeswachaka", False),
        (f"/subscribe@{BOT} #Qeswachaka", True),
        (f"/SUBSCRIBE@{BOT.upper()} #Qeswachaka", True),
        ("/subscribe@another_bot #Qeswachaka", None),
        ("subscribe #Qeswachaka", None),
        ("", None),
    ],
)
def test_a_line_is_for_us_unless_it_names_another(line: str, ours: bool | None) -> None:
    found = line_in(written(line), BOT)
    assert (found.ours if found else None) is ours
    assert found is None or (found.name, found.rest) == ("subscribe", "#Qeswachaka")


def test_in_a_private_chat_every_command_is_for_us() -> None:
    found = line_in(written("/nonsense", chat=PRIVATE), BOT)
    assert found is not None
    assert found.ours


@pytest.mark.parametrize(
    "more",
    [
        {
            "forward_origin": {
                "type": "user",
                "date": 1,
                "sender_user": {"id": 9, "is_bot": False, "first_name": "Illa"},
            }
        },
        {"via_bot": {"id": 9, "is_bot": True, "first_name": "x"}},
    ],
    ids=["forwarded", "through another bot"],
)
def test_what_the_person_did_not_write_is_not_obeyed(more: dict[str, Any]) -> None:
    """Else an administrator who forwards a message would subscribe to what a stranger wrote in it."""
    assert line_in(written("/subscribe #Qeswachaka", **more), BOT) is None


@pytest.mark.parametrize(
    ("line", "name", "arguments", "about"),
    [
        ("/subscribe #Qeswachaka", "subscribe", {"topic": "#Qeswachaka"}, None),
        ("/subscribe\n#Qeswachaka only=media", "subscribe", {"topic": "#Qeswachaka", "only": "media"}, None),
        ("/subscribe #x @ayllu", "subscribe", {"topic": "#x"}, TelegramAddress("@ayllu")),
        ("/subscribe @ayllu #x language=qu", "subscribe", {"topic": "#x", "language": "qu"}, TelegramAddress("@ayllu")),
        ("/subscribe #x channel=@ayllu", "subscribe", {"topic": "#x"}, TelegramAddress("@ayllu")),
        ("/subscribe #x channel=ayllu", "subscribe", {"topic": "#x"}, TelegramAddress("@ayllu")),
        ("/subscribe #x channel=https://t.me/ayllu", "subscribe", {"topic": "#x"}, TelegramAddress("@ayllu")),
        ("/subscribe #x -1001234567890", "subscribe", {"topic": "#x"}, TelegramAddress(-1001234567890)),
        ("/subscribe #x -1001234567890/77", "subscribe", {"topic": "#x"}, TelegramAddress(-1001234567890, 77)),
        ("/subscribe @illa@ayllu.example", "subscribe", {"topic": "@illa@ayllu.example"}, None),
        ("/subscriptions @ayllu", "subscriptions", {}, TelegramAddress("@ayllu")),
        ("/pause @ayllu", "pause", {}, TelegramAddress("@ayllu")),
        ("/pause 3", "pause", {"topic": "3"}, None),
        ("/preview #Qeswachaka", "preview", {"topic": "#Qeswachaka"}, None),
        (
            "/subscribe @illa@\u2060ayllu.example",
            "subscribe",
            {"topic": "@illa@ayllu.example"},
            None,
        ),
    ],
)
def test_a_line_becomes_a_command(
    line: str, name: str, arguments: dict[str, str], about: TelegramAddress | None
) -> None:
    assert asked(line) == TelegramRequest(name=name, arguments=arguments, about=about)


@pytest.mark.parametrize(
    ("line", "arguments", "options"),
    [
        ("/settings 5 silent=yes", {"topic": "5"}, {"silent": True}),
        ("/settings silent=no 5 comments=true", {"topic": "5"}, {"silent": False, "comments": True}),
        ("/settings 5 silent=default only=media", {"topic": "5", "only": "media"}, {"silent": None}),
        ("/subscribe #x --rich=on", {"topic": "#x"}, {"rich": True}),
        ("/preview https://ayllu.example/?silent=yes", {"topic": "https://ayllu.example/?silent=yes"}, None),
    ],
)
def test_options_of_telegram_s_own_are_told_from_the_words(
    line: str, arguments: dict[str, str], options: dict[str, bool | None] | None
) -> None:
    found = asked(line)
    assert isinstance(found, TelegramRequest)
    assert found.arguments == arguments
    assert (json.loads(found.options) if found.options else None) == options


def test_an_option_that_is_neither_yes_nor_no_is_told_so() -> None:
    found = asked("/settings 5 silent=perhaps")
    assert isinstance(found, Refused)
    assert "silent=yes" in found.reason


@pytest.mark.parametrize("typed", ["12345", "channel=12345", "@x", "ayllu.example", "javascript:1", "-12"])
def test_what_is_no_channel_names_none(typed: str) -> None:
    """A person's number least of all: their private chat is nobody else's."""
    assert place_named(typed) is None


def test_what_cannot_be_meant_is_explained() -> None:
    for line in ("/subscribe #x channel=12345", "/subscribe #x @ayllu @another", "/subscribe", "/subscribe #x only=x"):
        assert isinstance(asked(line), Refused), line


def test_an_unknown_command_is_explained_where_it_can_only_be_ours() -> None:
    assert asked("/nonsense") is None
    assert isinstance(asked("/nonsense", chat=PRIVATE), Refused)
    assert isinstance(asked(f"/subscripe@{BOT}"), Refused)


# --- who and where ---


def test_a_topic_is_a_place_of_its_own_but_a_reply_is_not() -> None:
    assert place_of(written(message_thread_id=77, is_topic_message=True)) == TelegramAddress(-1001, 77)
    assert place_of(written(message_thread_id=77)) == TelegramAddress(-1001)


@pytest.mark.parametrize(
    ("more", "id_", "user", "anonymous"),
    [
        ({}, 7, "telegram:7", False),
        ({"sender_chat": GROUP}, None, "telegram:-1001", True),
        ({"sender_chat": {"id": -1009, "type": "channel", "title": "News"}}, None, "telegram:-1009", False),
    ],
    ids=["a person", "an anonymous administrator", "a channel"],
)
def test_who_asks_is_what_telegram_says(more: dict[str, Any], id_: int | None, user: str, anonymous: bool) -> None:
    asker = asker_of(written(**more), "qu")
    assert asker is not None
    assert (asker.id, asker.user, asker.anonymous) == (id_, user, anonymous)
    assert asker.language == ("es" if id_ else "qu")


def test_bots_are_not_talked_with() -> None:
    robot: dict[str, Any] = {"from": {"id": 8, "is_bot": True, "first_name": "Robot"}}
    assert asker_of(written(**robot), "en") is None


def test_a_channels_post_in_its_discussion_group_is_told_apart() -> None:
    channel = {"id": -1009, "type": "channel", "title": "News"}
    origin = {"type": "channel", "date": 1, "chat": channel, "message_id": 42}
    found = forwarded_in(written("Hello", sender_chat=channel, is_automatic_forward=True, forward_origin=origin))
    assert found is not None
    assert (found.channel, found.channel_message, found.group, found.group_message) == (-1009, 42, -1001, 5)
    assert forwarded_in(written("Hello", forward_origin=origin)) is None


# --- links ---


@pytest.mark.parametrize(
    ("line", "entities", "found"),
    [
        (f"see {PAGE}, please", [PAGE], [PAGE]),
        ("🌉 see ayllu.example/1", ["ayllu.example/1"], ["https://ayllu.example/1"]),
        ("tg://user?id=7", ["tg://user?id=7"], []),
        ("nothing", [], []),
    ],
)
def test_the_links_of_a_text(line: str, entities: list[str], found: list[str]) -> None:
    assert links_in(written(line, entities=[link(line, part) for part in entities])) == found


def test_the_links_behind_words_and_buttons_and_under_a_picture_count() -> None:
    words_with = written("the thread", entities=[link("the thread", "thread", PAGE)])
    button = {"inline_keyboard": [[{"text": "Original", "url": PAGE}, {"text": "Undo", "callback_data": "x"}]]}
    picture = written("", caption=PAGE, caption_entities=[link(PAGE, PAGE)])
    for message in (words_with, written("Hello", reply_markup=button), picture):
        assert links_in(message) == [PAGE]


def test_of_a_message_of_ours_the_original_comes_first() -> None:
    row = [{"text": "Unroll (3)", "url": "https://relay.example/t/abc"}, {"text": "Original", "url": PAGE}]
    author = link("Illa: see there", "Illa", "https://ayllu.example/@illa")
    told = written("Illa: see there", entities=[author], reply_markup={"inline_keyboard": [row]})
    assert links_in(told)[0] == PAGE


def reply(line: str, entities: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    told = {"message_id": 4, "date": 1, "chat": GROUP, "text": line, "entities": entities, **more}
    return {"reply_to_message": {key: value for key, value in told.items() if value is not None}}


def test_unroll_as_a_reply_takes_the_links_of_that_message() -> None:
    found = asked("/unroll", **reply(f"see {PAGE}", [link(f"see {PAGE}", PAGE)]))
    assert found == TelegramRequest(name="unroll", arguments={"url": PAGE})
    assert asked(f"/unroll {PAGE}", entities=[link(f"/unroll {PAGE}", PAGE)]) == found


def test_unroll_as_a_reply_to_a_message_without_a_link_is_answered_as_such() -> None:
    assert asked("/unroll", **reply("Hello", [])) == TelegramRequest(name="unroll", arguments={"url": "-"})


def test_unroll_alone_says_what_it_needs_even_in_a_topic() -> None:
    """Telegram calls every message in a topic a reply to the one that opened it."""
    opened = reply("", [], forum_topic_created={"name": "Bridges", "icon_color": 1})
    assert isinstance(asked("/unroll"), Refused)
    assert isinstance(asked("/unroll", **opened), Refused)


# --- answers ---


def test_buttons_stand_under_the_last_page() -> None:
    lines = text(*(f"{number}. #Qeswachaka{'x' * 90}" for number in range(90)))
    shown = pages(Answer(text=lines, choices=tuple(Choice("More" * 40, "help") for _ in range(5))), str.upper)
    assert len(shown) > 1
    assert [bool(page.rows) for page in shown] == [False] * (len(shown) - 1) + [True]
    assert [[one.data for one in row] for row in shown[-1].rows] == [["HELP"] * 2, ["HELP"] * 2, ["HELP"]]
    assert all(len(one.label) <= 60 for row in shown[-1].rows for one in row)
    assert all(len(page.words.text) <= 4096 for page in shown)


@pytest.mark.parametrize(
    "about",
    [TelegramAddress(-1001), TelegramAddress("@ayllu"), TelegramAddress(-1001234567890, 77), TelegramAddress(7)],
    ids=str,
)
@pytest.mark.parametrize("line", ["preview 12", "x" * 60, "ñ" * 30])
def test_a_button_carries_its_line_and_chat_in_sixty_four_bytes(about: TelegramAddress, line: str) -> None:
    carried, here = Carried(), TelegramAddress(-1001)
    data = carried.write(line, about, here)
    assert len(data.encode()) <= DATA
    assert carried.read(data, here) == (about, line)


def test_a_button_that_another_relay_remembered_means_nothing() -> None:
    old = Carried().write("x" * 60, TelegramAddress("@ayllu"), TelegramAddress(7))
    assert Carried().read(old, TelegramAddress(7)) is None


def test_what_flashes_up_is_short() -> None:
    assert toast(Answer(text=text("Done."))) == "Done."
    long = toast(Answer(text=text("🌉 bridge " * 60)))
    assert 100 < len(long.encode("utf-16-le")) // 2 <= 200
