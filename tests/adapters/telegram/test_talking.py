"""People talk with the relay on Telegram over real sockets: answers, buttons, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.telegram.conversations import TalkTimeouts
from relay.i18n import words
from relay.model import Card, Destination, Media, MediaKind
from relay.ports import Answer, Choice, Command
from relay.testing import FakeInbox, post, text
from tests.servers.telegram import Flood, Refuse, TelegramServer, buttons_of, text_of
from tests.support.telegram_listening import QUICK, listening


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.02) as started:
        yield started


UNDO = (Choice("Undo", "unsubscribe 3"), Choice("Show the latest three", "preview 3"))


async def test_a_command_in_a_group_is_answered_there_as_a_reply_with_cards_and_buttons(server: TelegramServer) -> None:
    picture = Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A bridge")
    cards = (Card(post=post(), reason="#Qeswachaka"), Card(post=post(2, media=(picture,)), reason="#Qeswachaka"))
    async with listening(server, Answer(text=text("Done."), cards=cards, choices=UNDO)) as relay:
        line = await server.say(server.group, server.admin, "/subscribe@chasqui_bot #Qeswachaka", language="es")
        assert await relay.command() == Command(
            name="subscribe",
            arguments={"topic": "#Qeswachaka"},
            destination=place(server.group),
            community=str(server.group.id),
            user=f"telegram:{server.admin.id}",
            language="es",
            may_manage=True,
        )
        await server.wait_until(lambda: len(server.sent(server.group)) == 3)
        first, second, third = server.sent(server.group)
        assert text_of(first) == "Done."
        assert [one["text"] for one in buttons_of(first)] == ["Undo", "Show the latest three"]
        assert "Post number 1." in text_of(second)
        assert third["photo"]
        assert all(one["reply_to_message"]["message_id"] == line["message_id"] for one in (first, second, third))
    assert server.refused == []


def place(chat: Any) -> Destination:
    return Destination("telegram", str(chat.id))


async def test_in_a_topic_it_is_about_the_topic_and_answered_there(server: TelegramServer) -> None:
    forum = server.add_group("Ayllu", forum=True)
    topic = server.add_topic(forum, "Bridges")
    async with listening(server) as relay:
        command = await relay.asked(forum, server.admin, "/subscribe #Qeswachaka", topic=topic)
        assert (command.destination.address, command.community) == (f"{forum.id}/{topic.id}", str(forum.id))
        await server.wait_until(lambda: server.sent(forum, topic))


async def test_media_that_telegram_cannot_get_at_are_told_in_words(server: TelegramServer) -> None:
    picture = Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A rope bridge")
    server.bad_url(picture.url, "failed to get HTTP URL content")
    cards = (Card(post=post(1, media=(picture,)), reason="#Qeswachaka"),)
    async with listening(server, Answer(text=text("The latest:"), cards=cards)) as relay:
        await relay.asked(server.group, server.admin, "/preview #Qeswachaka")
        await server.wait_until(lambda: len(server.sent(server.group)) == 2)
        assert "A rope bridge" in text_of(server.sent(server.group)[1])


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_handler_that_raises_is_a_sentence_for_the_person(server: TelegramServer, language: str) -> None:
    class Broken(FakeInbox):
        async def answer(self, command: Command) -> Answer:
            raise RuntimeError("a bug")

    with capture_logs() as logs:
        async with listening(server, inbox=Broken()) as relay:
            told = await relay.told(server.group, server.admin, "/help", language=language)
    assert told == words(language)("Something went wrong. The relay's operator can find the reason in its log.")
    assert "a command failed" in [one["event"] for one in logs]


async def test_a_mistake_is_explained_in_the_language_of_the_person(server: TelegramServer) -> None:
    async with listening(server) as relay:
        told = await relay.told(server.private(server.admin), server.admin, "/subscripe", language="es")
        assert told == words("es")("There is no command “{name}”. Did you mean “{near}”?").format(
            name="subscripe", near="subscribe"
        )
        assert relay.inbox.commands.empty()


@pytest.mark.parametrize("line", ["/start", "/start from-a-link"])
async def test_start_greets_in_three_lines(server: TelegramServer, line: str) -> None:
    async with listening(server) as relay:
        told = await relay.told(server.private(server.admin), server.admin, line)
        assert len([one for one in told.splitlines() if one]) == 3
        assert "/help" in told


async def test_a_command_in_a_channel_is_shown_the_way_to_the_private_chat(server: TelegramServer) -> None:
    async with listening(server) as relay:
        told = await relay.told(server.channel, server.admin, "/subscribe #Qeswachaka")
        assert "/subscribe #Qeswachaka @ayllu" in told
        assert relay.inbox.commands.empty()


async def test_a_short_pause_that_telegram_asks_for_is_waited_for_once(server: TelegramServer) -> None:
    server.faults.add("sendMessage", Flood(0.05))
    async with listening(server) as relay:
        assert await relay.told(server.group, server.admin, "/help") == "Understood."
        server.faults.add("sendMessage", Flood(43200), chat=server.group)
        with capture_logs() as logs:
            await relay.asked(server.group, server.admin, "/help")
            assert await relay.told(server.private(server.admin), server.admin, "/help") == "Understood."
            await server.wait_until(lambda: len(server.asked("sendMessage")) == 4)
            assert await relay.told(server.group, server.admin, "/help") == "Understood."
    reasons = [one["reason"] for one in logs if one["event"] == "an answer was not taken"]
    assert reasons == ["Telegram asks for a pause of 43200 s"]


# --- buttons ---


async def offered(relay: Any, chat: Any, **more: Any) -> dict[str, Any]:
    server = relay.server
    message: dict[str, Any] = await relay.answer(chat, server.admin, "/subscribe #Qeswachaka", **more)
    await relay.command()
    return message


async def test_a_press_is_a_command_and_its_answer_takes_the_place_of_the_question(server: TelegramServer) -> None:
    async with listening(server, Answer(text=text("Done."), choices=UNDO)) as relay:
        message = await offered(relay, server.group)
        relay.inbox.reply = Answer(text=text("Brought no more."))
        pressed = await server.press(message, "Undo", server.admin)
        command = await relay.command()
        assert (command.name, command.arguments, command.may_manage) == ("unsubscribe", {"topic": "3"}, True)
        assert command.destination == place(server.group)
        assert (await pressed.answered())["text"] == "Brought no more."
        (shown,) = server.sent(server.group)
        assert (text_of(shown), buttons_of(shown)) == ("Brought no more.", [])


async def test_posts_come_below_and_the_buttons_stay(server: TelegramServer) -> None:
    async with listening(server, Answer(text=text("Done."), choices=UNDO)) as relay:
        message = await offered(relay, server.group)
        relay.inbox.reply = Answer(text=text("The latest:"), cards=(Card(post=post(), reason="#x"),))
        await (await server.press(message, "Show the latest three", server.admin)).answered()
        assert len(buttons_of(server.sent(server.group)[0])) == 2
        assert [text_of(one)[:11] for one in server.sent(server.group)[:2]] == ["Done.", "The latest:"]


async def test_a_press_about_a_channel_is_about_the_channel(server: TelegramServer) -> None:
    private = server.private(server.admin)
    async with listening(server, Answer(text=text("Done."), choices=UNDO)) as relay:
        message = await relay.answer(private, server.admin, "/subscribe #Qeswachaka @ayllu")
        assert str((await relay.command()).destination) == "telegram:@ayllu"
        await server.press(message, "Undo", server.admin)
        assert str((await relay.command()).destination) == "telegram:@ayllu"


async def test_only_the_asker_or_an_administrator_may_press(server: TelegramServer) -> None:
    async with listening(server, Answer(text=text("The latest:"), choices=UNDO)) as relay:
        message = await relay.answer(server.group, server.visitor, "/subscriptions")
        await relay.command()
        stranger = server.add_person("Wayra")
        server.join(server.group, stranger)
        refused = await (await server.press(message, "Show the latest three", stranger)).answered()
        assert refused["show_alert"]
        assert relay.inbox.commands.empty()
        for person in (server.visitor, server.admin):
            await (await server.press(message, "Show the latest three", person)).answered()
            assert (await relay.command()).user == f"telegram:{person.id}"


async def test_a_press_that_fails_is_told_to_the_one_who_pressed_alone(server: TelegramServer) -> None:
    async with listening(server, Answer(text=text("Done."), choices=UNDO)) as relay:
        message = await offered(relay, server.group)
        relay.inbox.reply = Answer(text=text("Gone already."), failed=True)
        told = await (await server.press(message, "Undo", server.admin)).answered()
        assert (told["text"], told["show_alert"]) == ("Gone already.", True)
        assert len(buttons_of(server.sent(server.group)[0])) == 2


async def test_a_press_is_heard_at_once_though_its_answer_takes_long(server: TelegramServer) -> None:
    impatient = replace(QUICK, patience=TalkTimeouts(press=0.01))
    async with listening(server, Answer(text=text("Done."), choices=UNDO), timing=impatient) as relay:
        message = await offered(relay, server.group)
        relay.inbox.hold = asyncio.Event()
        pressed = await server.press(message, "Undo", server.admin)
        assert not (await pressed.answered()).get("text")
        relay.inbox.reply = Answer(text=text("Late."))
        relay.inbox.hold.set()
        await server.wait_until(lambda: text_of(server.sent(server.group)[0]) == "Late.")


async def test_a_press_while_nobody_listened_is_not_obeyed(server: TelegramServer) -> None:
    async with listening(server, Answer(text=text("Done."), choices=UNDO)) as relay:
        message = await offered(relay, server.group)
    pressed = await server.press(message, "Undo", server.admin)
    async with listening(server) as relay:
        assert (await pressed.answered())["show_alert"]
        assert relay.inbox.commands.empty()


async def test_an_answer_that_telegram_refuses_stops_nothing(server: TelegramServer) -> None:
    server.faults.add("sendMessage", Refuse(400, "Bad Request: TOPIC_CLOSED"))
    async with listening(server) as relay:
        await relay.asked(server.group, server.admin, "/help")
        assert await relay.told(server.group, server.admin, "/help") == "Understood."
