from __future__ import annotations

import asyncio
import errno
import fcntl
import io
import json
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TextIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from adapters.console import Console, ConsoleSettings, plugin, to_json
from relay.model import (
    Action,
    Card,
    MessageId,
    Place,
    PostUri,
)
from relay.plugins import Host
from relay.ports import Adapter, Sent, TryLater
from relay.testing import AdapterContract, FakeInbox, delivery, in_thread, post, rich_post, text
from tests.support.console_cases import INK, shown
from tests.support.thorough import examples

JSON = ConsoleSettings(format="json")
CARD = ConsoleSettings()
"""What a card on a terminal is painted with: looks and links."""


class Counting(io.StringIO):
    """Counts writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str, /) -> int:
        self.writes += 1
        return super().write(text)


@contextmanager
def terminal(columns: int) -> Iterator[tuple[TextIO, int]]:
    """A real one: the stream to write to, and the descriptor on which it can be seen."""
    seen, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream, seen
    os.close(seen)


class TestConsoleJson(AdapterContract):
    to = "console"

    def make(self) -> Adapter:
        return Console(JSON, io.StringIO())


class TestConsoleCard(AdapterContract):
    to = "console"

    def make(self) -> Adapter:
        return Console(CARD, io.StringIO())


# --- JSON ---


async def test_a_send_is_one_object_on_one_line() -> None:
    stream = io.StringIO()
    sent = delivery(
        to="console:left",
        card=Card(
            post=replace(rich_post(), title="The bridge"),
            reason="#Qeswachaka · ayllu.example",
            thread=Place(root=PostUri("https://ayllu.example/0"), position=2, count=7),
            unroll="https://relay.example/t/x",
        ),
    )
    assert await Console(JSON, stream).deliver(sent) == Sent((MessageId("test-1"),))
    assert stream.getvalue().endswith("}\n")
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue()) == {
        "action": "send",
        "id": "test-1",
        "destination": "console:left",
        "uri": "https://ayllu.example/users/illa/statuses/1",
        "url": "https://ayllu.example/@illa/1",
        "author": {"name": "Illa", "handle": "@illa@ayllu.example", "url": "https://ayllu.example/@illa"},
        "title": "The bridge",
        "text": "The bridge holds.\n\nread more (https://ayllu.example/more)",
        "warning": "heights",
        "media": [{"url": "https://ayllu.example/1.png", "kind": "image", "alt": "A rope bridge over a river"}],
        "quote": {
            "url": "https://ayllu.example/@sami/9",
            "author": {"name": "Sami", "handle": "@sami@ayllu.example", "url": "https://ayllu.example/@sami"},
            "text": "Bring rope.",
            "media": [],
            "link": None,
            "state": "accepted",
        },
        "link": None,
        "published": "2026-07-01T12:01:00+00:00",
        "reason": "#Qeswachaka · ayllu.example",
        "thread": {
            "root": "https://ayllu.example/0",
            "position": 2,
            "count": 7,
            "unroll": "https://relay.example/t/x",
        },
    }


def test_a_deletion_has_the_same_keys_and_knows_only_what_it_is_of() -> None:
    sent, deleted = (json.loads(to_json(delivery(action=action))) for action in (Action.SEND, Action.DELETE))
    assert list(deleted) == list(sent)
    assert {key: value for key, value in deleted.items() if value is not None} == {
        "action": "delete",
        "id": "test-1",
        "destination": "fake:room",
        "uri": "https://ayllu.example/users/illa/statuses/1",
    }


def test_an_edit_tells_the_new_text() -> None:
    told = json.loads(to_json(delivery(action=Action.EDIT)))
    assert (told["action"], told["text"]) == ("edit", "Post number 1.")


def test_a_new_count_has_the_same_keys_and_tells_how_long_the_thread_is() -> None:
    sent, counted = (
        json.loads(to_json(delivery(action=action, card=in_thread(1, 4)))) for action in (Action.SEND, Action.COUNT)
    )
    assert list(counted) == list(sent)
    assert counted["action"] == "count"
    assert counted["thread"] == {
        "root": "https://ayllu.example/users/illa/statuses/1",
        "position": 1,
        "count": 4,
        "unroll": "https://relay.example/t/abc",
    }


def test_a_post_outside_a_thread_and_a_thread_without_a_page_are_null_there() -> None:
    place = Place(root=PostUri("r"), position=1, count=2)
    assert json.loads(to_json(shown(post(), unroll="https://relay.example/t/x")))["thread"] is None
    assert json.loads(to_json(shown(post(), thread=place)))["thread"]["unroll"] is None


def test_letters_of_all_scripts_are_written_as_they_are() -> None:
    assert "ñandú 橋 جسر 🧵" in to_json(shown(post(body=text("ñandú 橋 جسر 🧵"))))


@given(st.text())
@settings(max_examples=examples(200), deadline=None)
def test_any_text_is_one_line_without_controls_and_reads_back(said: str) -> None:
    line = to_json(shown(post(title=said, warning=said)))
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", line)
    assert json.loads(line.encode())["title"] == said


def test_half_a_character_is_no_reason_to_fail() -> None:
    """An instance may cut a surrogate pair."""
    assert json.loads(to_json(shown(post(title="\ud83e"))).encode())["title"] == "\ud83e"


# --- streams ---


async def test_on_a_terminal_a_card_is_painted_and_fits() -> None:
    with terminal(60) as (stream, seen):
        await Console(CARD, stream).deliver(shown(rich_post()))
        painted = os.read(seen, 100_000).decode()
    assert INK.search(painted)
    assert max(cell_len(line) for line in INK.sub("", painted).splitlines()) <= 60


async def test_on_a_terminal_without_colours_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal(60) as (stream, seen):
        await Console(CARD, stream).deliver(shown(rich_post()))
        assert b"\x1b" not in os.read(seen, 100_000)


@pytest.mark.parametrize("how", [JSON, CARD], ids=lambda how: str(how.format))
async def test_each_delivery_is_one_write(how: ConsoleSettings) -> None:
    """Whoever reads along never sees half a line."""
    stream = Counting()
    for number in range(3):
        await Console(how, stream).deliver(delivery(number))
    assert stream.writes == 3


async def test_a_program_reads_each_line_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as lines, os.fdopen(writing, "w", encoding="ascii") as stream:
        console = Console(JSON, stream)
        for number in range(3):
            await console.deliver(shown(post(title=f"ñ{number}")))
            assert json.loads(lines.readline())["title"] == f"ñ{number}"


async def test_when_nobody_reads_any_more_it_says_so_each_time() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        console = Console(JSON, stream)
        for _ in range(2):
            assert await console.deliver(delivery()) == TryLater("nobody reads the output any more")


class FullDisk(io.RawIOBase):
    """Takes ten bytes of a line, then nothing until there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = bytearray()
        self.room = 10

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(data)[: self.room]
        self.room -= len(part)
        self.taken += part
        return len(part)


async def test_on_a_full_disk_it_tries_later_and_begins_a_new_line() -> None:
    disk = FullDisk()
    console = Console(JSON, io.TextIOWrapper(io.BufferedWriter(disk), encoding="utf-8"))
    assert await console.deliver(delivery(1)) == TryLater("the output takes no more: No space left on device")
    disk.room = 100_000
    assert isinstance(await console.deliver(delivery(1)), Sent)
    torn, *lines, end = disk.taken.decode().split("\n")
    assert torn == '{"action":'
    assert [json.loads(line)["id"] for line in lines] == ["test-1"]
    assert end == ""


async def test_a_reader_that_lets_the_output_pile_up_is_waited_for_later() -> None:
    """Another program may have made the terminal non-blocking."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w", encoding="utf-8") as stream:
        console = Console(JSON, stream)
        outcomes = [await console.deliver(shown(post(title="x" * 10_000))) for _ in range(20)]
    assert isinstance(outcomes[0], Sent)
    assert isinstance(outcomes[-1], TryLater)


async def test_it_prints_to_standard_output_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    console = plugin.build(ConsoleSettings(format="json"), cast("Host", None))
    await console.deliver(delivery())
    assert json.loads(capsys.readouterr().out)["id"] == "test-1"


async def test_its_readers_are_here_and_it_takes_no_commands() -> None:
    console, inbox = Console(CARD, io.StringIO()), FakeInbox()
    assert not console.remote
    await asyncio.wait_for(console.run(inbox), 1)
    assert inbox.commands.empty()
