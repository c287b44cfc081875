"""People talk with the relay on Matrix over real sockets: answers in threads, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.i18n import words
from relay.model import Card, Media, MediaKind
from relay.ports import Answer, Choice, Command
from relay.testing import FakeInbox, post, text
from tests.servers.matrix import LOST, Limited, MatrixServer, Person, Refuse, Room, Status
from tests.support.matrix_world import QUICK, listening

UNDO = (Choice("Undo", "unsubscribe 3"), Choice("Show the latest three", "preview 3"))


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as started:
        yield started


def plaza(server: MatrixServer, **more: Any) -> tuple[Room, Person]:
    """A room of Sami's in which others are, too."""
    sami = server.person("sami")
    return server.add_room(sami, members=[server.bot, server.person("illa")], **more), sami


def thread_of(message: dict[str, Any]) -> str:
    relation = message["content"].get("m.relates_to", {})
    return str(relation["event_id"]) if relation.get("rel_type") == "m.thread" else ""


async def test_a_command_is_answered_by_notices_in_a_thread_below_it_with_cards_and_lines(server: MatrixServer) -> None:
    room, sami = plaza(server)
    picture = Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A bridge")
    cards = (Card(post=post(), reason="#Qeswachaka"), Card(post=post(2, media=(picture,)), reason="#Qeswachaka"))
    async with listening(server, Answer(text=text("Done."), cards=cards, choices=UNDO)):
        line = await server.say(room, sami, "!relay subscribe #Qeswachaka")
        await server.wait_until(lambda: len(server.sent(room)) == 3)
    messages = server.sent(room)
    assert {thread_of(one) for one in messages} == {line}
    assert {one["content"]["msgtype"] for one in messages} == {"m.notice"}
    assert all(one["content"]["m.mentions"] == {} for one in messages)
    first, second, third = server.bodies(room)
    assert [one.split(": ", 1)[1] for one in first.splitlines() if ": " in one] == [
        "!relay unsubscribe 3",
        "!relay preview 3",
    ]
    assert "<code>!relay unsubscribe 3</code>" in messages[0]["content"]["formatted_body"]
    assert "Post number 1." in second
    assert "https://ayllu.example/1.png" in third, "pictures are links here"
    assert server.asked("upload") == []


async def test_no_more_than_five_posts_are_shown(server: MatrixServer) -> None:
    room, sami = plaza(server)
    cards = tuple(Card(post=post(number), reason="#x") for number in range(9))
    async with listening(server, Answer(text=text("The latest:"), cards=cards)) as relay:
        await relay.asked(room, sami, "!relay preview #x")
        await server.say(room, sami, "!relay nonsense")
        await server.wait_until(lambda: "nonsense" in "".join(server.bodies(room)))
        assert len(server.sent(room)) == 7


async def test_lines_about_another_room_name_it(server: MatrixServer) -> None:
    room, sami = plaza(server)
    server.add_room(sami, members=[server.bot], alias="bridge")
    async with listening(server, Answer(text=text("Done."), choices=UNDO)) as relay:
        told = await relay.told(room, sami, "!relay subscribe #x #bridge:ayllu.example")
        assert "!relay unsubscribe 3 #bridge:ayllu.example" in told.replace("\u2060", "")


async def test_in_a_thread_the_answer_stands_in_it(server: MatrixServer) -> None:
    room, sami = plaza(server)
    root = await server.say(room, sami, "About the bridge")
    inside = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True, "m.in_reply_to": {"event_id": root}}
    async with listening(server) as relay:
        assert thread_of(await relay.answer(room, sami, "!relay status", relates_to=inside)) == root


async def test_below_what_can_begin_no_thread_the_answer_stands_alone(server: MatrixServer) -> None:
    room, sami = plaza(server)
    root = await server.say(room, sami, "About the bridge")
    reference = {"rel_type": "m.reference", "event_id": root}
    second = await server.say(room, sami, "And this", relates_to=reference)
    async with listening(server, Answer(text=text("Done."), cards=(Card(post=post(), reason="#x"),))) as relay:
        assert thread_of(await relay.answer(room, sami, "!relay status", relates_to=reference)) == root
        await server.wait_until(lambda: len(server.sent(room)) == 2)
        odd = {"rel_type": "m.reference", "event_id": second}
        assert thread_of(await relay.answer(room, sami, "!relay status", relates_to=odd)) == ""
        await server.wait_until(lambda: len(server.sent(room)) == 4)
    assert "Cannot start threads" not in str(server.faulty)


async def test_an_edit_is_no_new_command(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        line = await server.say(room, sami, "!relay status")
        assert (await relay.command()).name == "status"
        await server.edit(room, sami, line, "!relay pause")
        assert (await relay.asked(room, sami, "!relay help")).name == "help"


async def test_two_relays_in_one_room_do_not_talk_with_each_other(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        await server.say(room, server.person("illa"), "!relay help", msgtype="m.notice")
        assert (await relay.asked(room, sami, "!relay status")).name == "status"


async def test_the_prefix_alone_is_help_which_tells_of_the_languages(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server, Answer(text=text("I can do this: …"))) as relay:
        told = await relay.told(room, sami, "!relay")
        assert (await relay.command()).name == "help"
        assert told.splitlines()[-1].startswith("!relay language es")
        assert "language" not in await relay.told(room, sami, "!relay status")


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_mistake_is_explained_in_the_language_of_the_relay(server: MatrixServer, language: str) -> None:
    room, sami = plaza(server)
    async with listening(server, language=language) as relay:
        expected = words(language)("There is no command “{name}”. Did you mean “{near}”?")
        told = await relay.told(room, sami, "!relay subscripe #x")
        assert told == expected.format(name="subscripe", near="subscribe")
        assert relay.inbox.commands.empty()


class Broken(FakeInbox):
    async def answer(self, command: Command) -> Answer:
        raise RuntimeError(command.name)


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_handler_that_raises_is_a_sentence_for_the_person(server: MatrixServer, language: str) -> None:
    room, sami = plaza(server)
    with capture_logs() as logs:
        async with listening(server, inbox=Broken(), language=language) as relay:
            told = await relay.told(room, sami, "!relay help")
    assert told == words(language)("Something went wrong. The relay's operator can find the reason in its log.")
    assert "a command failed" in [one["event"] for one in logs]


class Slow(FakeInbox):
    async def answer(self, command: Command) -> Answer:
        raise TimeoutError(command.name)


async def test_what_takes_too_long_is_told(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server, inbox=Slow(), timing=replace(QUICK, life=0.01)) as relay:
        assert "too long" in await relay.told(room, sami, "!relay help")


@pytest.mark.parametrize("effect", [LOST, Status(500, committed=True), Limited(0.05)], ids=repr)
async def test_an_answer_stands_there_once_or_not_at_all(server: MatrixServer, effect: Any) -> None:
    """Its transaction is made of the question."""
    room, sami = plaza(server)
    async with listening(server) as relay:
        server.faults.add("send", effect)
        await relay.asked(room, sami, "!relay status")
        assert await relay.told(room, sami, "!relay subscripe") != ""
    assert sum(one == "Understood." for one in server.bodies(room)) == 1


async def test_the_same_question_has_the_same_transaction(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        await relay.told(room, sami, "!relay status")
        await relay.told(room, sami, "!relay status")
    names = [one.path.rpartition("/")[2] for one in server.asked("send")]
    assert all(one.startswith("re-") and one.endswith("-1") for one in names)
    assert len(set(names)) == 2


async def test_an_answer_that_is_refused_stops_nothing(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        server.faults.add("send", Refuse(403, "M_FORBIDDEN"))
        await relay.asked(room, sami, "!relay status")
        assert await relay.told(room, sami, "!relay status") == "Understood."


# --- languages ---


async def test_a_room_has_a_language_that_outlives_the_relay(server: MatrixServer) -> None:
    room, sami = plaza(server)
    other, _ = plaza(server)
    unknown = words("es")("There is no command “{name}”. “help” lists the commands.").format(name="xyzzy")
    async with listening(server) as relay:
        assert "es" in await relay.told(room, sami, "!relay language es")
        assert await relay.told(room, sami, "!relay xyzzy") == unknown
        assert await relay.told(other, sami, "!relay xyzzy") != unknown
        assert (await relay.asked(room, sami, "!relay status")).language == "es"
    async with listening(server) as relay:
        assert await relay.told(room, sami, "!relay xyzzy") == unknown
        assert "es" in await relay.told(room, sami, "!relay language")
        assert "en" in await relay.told(room, sami, "!relay language en-GB")
        assert await relay.told(room, sami, "!relay xyzzy") != unknown


async def test_only_who_may_manage_a_room_sets_its_language_and_anybody_may_ask(server: MatrixServer) -> None:
    room, _ = plaza(server)
    illa = server.person("illa")
    async with listening(server) as relay:
        assert "people who can manage" in await relay.told(room, illa, "!relay language es")
        assert "I answer in en" in await relay.told(room, illa, "!relay language")


async def test_a_language_that_it_does_not_speak_changes_nothing(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        assert "en, es" in await relay.told(room, sami, "!relay language qu")
        assert server.asked("put_room_account_data") == []


async def test_a_language_that_could_not_be_noted_down_is_told_as_such(server: MatrixServer) -> None:
    """And nothing that was noted down before is undone by that."""
    room, sami = plaza(server)
    async with listening(server) as relay:
        server.faults.add("get_room_account_data", Status(500), count=None)
        assert "try again" in await relay.told(room, sami, "!relay language es")
        assert server.asked("put_room_account_data") == []
        server.faults.clear()
        server.faults.add("put_room_account_data", Status(500))
        assert "answer" in await relay.told(room, sami, "!relay language es")
