"""The Telegram adapter as the relay sees it: the contract of every adapter, its checks, and no secret anywhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog
from pydantic import ValidationError

from adapters.telegram import Telegram, TelegramOptions, TelegramSettings, plugin
from adapters.telegram.calls import TelegramCalls
from adapters.telegram.comments import Comment, Comments
from adapters.telegram.pace import TelegramPace
from relay.model import Action, Destination
from relay.ports import Adapter, TryLater
from relay.testing import AdapterContract, FakeInbox, delivery
from tests.servers.telegram import LOST, Flood, Status, TelegramServer
from tests.support.telegram_world import adapter_for, pictures, to, world

TOKEN = "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr"


class TelegramContract(AdapterContract):
    """Against the loopback Bot API; each adapter that a test makes is closed after it."""

    @pytest_asyncio.fixture(autouse=True)
    async def telegram(self) -> AsyncIterator[None]:
        async with TelegramServer(window=0.01) as server:
            self.server, self.made = server, list[Telegram]()
            self.to = f"telegram:{self.place()}"
            yield
            for adapter in self.made:
                await adapter.close()
            assert server.too_many == 0

    def place(self) -> str:
        return str(self.server.group.id)

    def make(self) -> Adapter:
        adapter = adapter_for(self.server, second=0.01)
        self.made.append(adapter)
        return adapter


class TestGroups(TelegramContract):
    pass


class TestChannels(TelegramContract):
    def place(self) -> str:
        return f"@{self.server.channel.username}"


class TestTopics(TelegramContract):
    def place(self) -> str:
        forum = self.server.add_group("Forum", forum=True)
        return f"{forum.id}/{self.server.add_topic(forum).id}"


# --- settings ---


def test_the_plugin_has_settings_and_options() -> None:
    assert plugin.settings is TelegramSettings
    assert plugin.options is TelegramOptions


def test_the_token_is_a_secret_and_the_policy_is_the_limits() -> None:
    settings = TelegramSettings.model_validate({"token": f" {TOKEN} ", "owners": [7], "on_unknown": "skip"})
    assert settings.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"token": ""},
        {"token": "123456789"},
        {"token": "123456789:short"},
        {"token": TOKEN, "api_url": "api.telegram.org"},
        {"token": TOKEN, "api_url": "https://x/{token}"},
        {"token": TOKEN, "owners": ["@illa"]},
        {"token": TOKEN, "owners": [-5]},
        {"token": TOKEN, "on_unknown": "perhaps"},
        {"token": TOKEN, "sparkle": 1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        TelegramSettings.model_validate(wrong)
    assert TOKEN not in str(refused.value)


def test_options_of_another_version_are_as_if_not_chosen() -> None:
    assert TelegramOptions.read('{"sparkle": 1}') == TelegramOptions.read("{") == TelegramOptions.read("")
    assert TelegramOptions.read('{"rich": true}').rich is True


async def test_what_cannot_be_an_address_is_refused_without_asking() -> None:
    async with world() as (server, adapter):
        outcome = await adapter.deliver(to("the-group"))
        assert "@name" in getattr(outcome, "reason", "")
        assert server.requests == []


async def test_the_policy_for_what_is_unknown_is_a_limit() -> None:
    async with world(on_unknown="skip") as (_, adapter):
        assert adapter.limits.on_unknown == "skip"
        assert not adapter.limits.idempotent


# --- checks ---


async def test_a_check_says_who_the_bot_is_and_where_it_may_post() -> None:
    async with world() as (server, adapter):
        forum = server.add_group("Forum", forum=True)
        topic = server.add_topic(forum)
        mute = server.add_channel("Mute", rights=())
        left = server.add_group("Left")
        server.kick_bot(left)
        quiet = server.add_group("Quiet")
        server.permissions(quiet, can_send_messages=False)
        person = server.add_person("Sami")
        good = [server.group.id, f"@{server.channel.username}", f"{forum.id}/{topic.id}", person.id]
        bad = [f"{server.group.id}/7", mute.id, left.id, quiet.id, "-100999", "general"]
        me, *checks = await adapter.check([Destination("telegram", str(one)) for one in (*good, *bad)])
    assert me.ok
    assert "@chasqui_bot" in me.note
    assert "asks for updates" in me.note
    assert [check.ok for check in checks] == [True] * len(good) + [False] * len(bad)
    notes = [check.note for check in checks]
    assert "Qeswachaka" in notes[0]
    assert "before something is posted" in notes[2]
    told = ["no topics", "who can post", "add", "only administrators", "add @chasqui_bot", "expected @name"]
    assert all(words in note for words, note in zip(told, notes[len(good) :], strict=True))


async def test_a_check_with_a_bad_token_says_what_to_do() -> None:
    async with world() as (server, adapter):
        server.revoke_token()
        (check,) = await adapter.check([Destination("telegram", str(server.group.id))])
    assert not check.ok
    assert "adapters.telegram.token" in check.note


async def test_a_check_where_telegram_cannot_be_reached_says_so() -> None:
    async with world() as (server, _):
        away = adapter_for(server, api_url="http://127.0.0.1:9")
        (check,) = await away.check()
        await away.close()
    assert not check.ok
    assert "cannot be reached" in check.note


# --- running ---


async def test_a_refused_token_ends_the_commands_with_one_loud_line_and_nothing_else() -> None:
    """The other adapters of the process go on: nothing is raised."""
    async with world() as (server, adapter):
        server.revoke_token()
        with structlog.testing.capture_logs() as lines:
            await adapter.deliver(to(server.group))
            async with asyncio.timeout(30):
                await adapter.run(FakeInbox())
            await adapter.deliver(to(server.group, 2))
        assert len([line for line in lines if line["log_level"] == "error"]) >= 1
        assert server.asked("sendMessage") == server.asked("sendMessage")[:1]


# --- comments ---


async def test_a_forward_that_comes_while_it_is_waited_for_is_found() -> None:
    comments = Comments(patience=5)
    asking = asyncio.create_task(comments.below(-1, 5))
    await asyncio.sleep(0)
    comments.forwarded(-1, 5, -2, 9)
    assert await asking == Comment(-2, 9)
    comments.closed(-1, 5)
    assert await comments.below(-1, 5) is None


async def test_a_forward_that_does_not_come_is_waited_for_once() -> None:
    comments = Comments(patience=0.01)
    assert await comments.below(-1, 5) is None
    assert await asyncio.wait_for(comments.below(-1, 5), 0.009) is None
    comments.forwarded(-1, 5, -2, 9)
    assert await comments.below(-1, 5) == Comment(-2, 9)


# --- calls ---


async def test_who_waits_for_the_crowd_is_served_in_the_order_of_coming() -> None:
    calls, served = TelegramCalls(TelegramPace(second=0.02)), list[int]()

    async def one(chat: int) -> None:
        async def act() -> None:
            served.append(chat)

        assert not isinstance(await calls.paced(chat, "sendMessage", act), TryLater)

    await asyncio.gather(*(one(chat) for chat in range(1, 100)))
    assert served == list(range(1, 100))


async def test_what_finds_no_connection_is_surely_not_sent() -> None:
    """It waits for a moment only: a hand of the outbox is not to be held."""
    calls, free, begun = TelegramCalls(TelegramPace(second=0.001), hold=0.01), asyncio.Event(), asyncio.Semaphore(0)

    async def held() -> bool:
        begun.release()
        return await free.wait()

    stuck = [asyncio.create_task(calls.paced(n, "sendMessage", held)) for n in range(1, 9)]
    for _ in stuck:
        await begun.acquire()
    assert isinstance(await calls.paced(99, "sendMessage", free.wait), TryLater)
    assert isinstance(await calls.plain(free.wait), TryLater)
    free.set()
    assert await asyncio.gather(*stuck) == [True] * 8
    assert await calls.paced(99, "sendMessage", free.wait) is True


# --- secrets ---


async def test_no_secret_is_logged_at_any_level_whatever_happens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "telegram", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    seen: list[str] = []
    with structlog.testing.capture_logs() as lines:
        async with world() as (server, adapter):
            for number, fault in enumerate([None, LOST, Status(500), Status(502), Flood(1), Status(404)], 1):
                if fault is not None:
                    server.faults.add("send*", fault)
                card = pictures(number % 3 or 1)
                sent = await adapter.deliver(to(server.add_group(), number, card=card))
                seen.append(repr(sent))
            sent = await adapter.deliver(to(server.channel, 9))
            seen.append(repr(sent))
            again = adapter_for(server)
            seen.append(repr(await again.deliver(to(server.channel, 10))))
            server.revoke_token()
            seen.append(repr(await again.deliver(delivery(8, to="telegram:-5", action=Action.DELETE))))
            seen.append(repr(await again.check()))
            await again.close()
            away = adapter_for(server, api_url="http://127.0.0.1:9")
            seen.append(repr(await away.deliver(to(server.group))))
            await away.close()
            token = server.token
    told = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    traces = [record.exc_text or "" for record in caplog.records]
    everything = "\n".join([*seen, *told, *traces, repr(lines)])
    assert "Sent(" in everything
    assert "Unknown(" in everything
    assert token not in everything
    assert token.partition(":")[2] not in everything
