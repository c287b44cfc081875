"""Listening to Telegram: asked for or called, in order and beside each other, through trouble, until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.telegram.receiving import ALLOWED, ANOTHER, UPDATES
from relay.plugins import Hooks
from relay.ports import Answer, Command
from relay.testing import FakeInbox, text
from tests.servers.telegram import RESET, Status, TelegramServer, text_of
from tests.support.telegram_listening import bot, listening

Logs = list[MutableMapping[str, Any]]


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.02) as started:
        yield started


async def until(condition: Callable[[], object]) -> None:
    """A log has no event to await."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def events(logs: Logs, event: str) -> list[Mapping[str, Any]]:
    return [one for one in logs if one["event"] == event]


# --- in order, and beside each other ---


async def test_a_slow_answer_holds_up_its_own_chat_alone(server: TelegramServer) -> None:
    class Slow(FakeInbox):
        async def answer(self, command: Command) -> Answer:
            self.commands.put_nowait(command)
            if command.name == "preview":
                await wake.wait()
            return Answer(text=text(f"{command.name} is done"))

    wake = asyncio.Event()
    async with listening(server, inbox=Slow()) as relay:
        await server.say(server.group, server.admin, "/preview #Qeswachaka")
        await server.say(server.group, server.admin, "/help")
        assert await relay.told(server.private(server.admin), server.admin, "/help") == "help is done"
        assert server.sent(server.group) == []
        wake.set()
        await server.wait_until(lambda: len(server.sent(server.group)) == 2)
        assert [text_of(one) for one in server.sent(server.group)] == ["preview is done", "help is done"]


async def test_a_chat_that_asks_without_end_is_not_remembered_without_end(server: TelegramServer) -> None:
    inbox = FakeInbox(hold=asyncio.Event())
    with capture_logs() as logs:
        async with listening(server, inbox=inbox):
            for _ in range(50):
                await server.say(server.group, server.admin, "/help")
            await until(lambda: [one for one in logs if "faster than" in one["event"]])


async def test_what_was_asked_long_before_the_start_is_not_obeyed(server: TelegramServer) -> None:
    await server.say(server.group, server.admin, "/pause")
    server.updates.pending[-1]["message"]["date"] -= 180
    await server.say(server.group, server.admin, "/resume")
    async with listening(server) as relay:
        assert (await relay.command()).name == "resume"


async def test_stopping_takes_no_time_whatever_is_under_way(server: TelegramServer) -> None:
    async with listening(server, inbox=FakeInbox(hold=asyncio.Event())) as relay:
        await relay.asked(server.group, server.admin, "/help")
        relay.running.cancel()
        done, _ = await asyncio.wait([relay.running], timeout=2)
        assert done
        assert relay.running.cancelled()


async def test_only_what_is_needed_is_asked_for(server: TelegramServer) -> None:
    async with listening(server):
        await server.wait_until(lambda: len(server.asked("getUpdates")) >= 2 or server.updates.polling)
    assert server.updates.allowed == list(ALLOWED)


# --- trouble ---


async def test_trouble_is_told_once_and_its_end_once(server: TelegramServer) -> None:
    server.faults.add("getUpdates", RESET, count=2)
    server.faults.add("getUpdates", Status(502), count=2, after=2)
    with capture_logs() as logs:
        async with listening(server) as relay:
            assert await relay.told(server.group, server.admin, "/help") == "Understood."
            await until(lambda: events(logs, "works again"))
    broke = events(logs, "does not work")
    assert [one["what"] for one in broke] == [UPDATES] * len(broke)
    assert 1 <= len(broke) <= 2
    assert len(events(logs, "works again")) == 1
    assert server.token not in str(logs)


async def test_a_token_that_telegram_refuses_ends_it_with_one_line(server: TelegramServer) -> None:
    with capture_logs() as logs:
        async with listening(server) as relay:
            server.revoke_token()
            await server.say(server.group, server.admin, "/help")
            await asyncio.wait_for(relay.running, 30)
    assert len([one for one in logs if one["log_level"] == "error"]) == 1


async def test_another_one_with_the_same_token_is_told_loudly_and_once(server: TelegramServer) -> None:
    with capture_logs() as logs:
        async with listening(server) as relay, bot(server) as another:
            for _ in range(3):
                await another.get_updates(timeout=0, allowed_updates=ALLOWED)
                await server.wait_until(lambda: server.updates.polling)
            assert not relay.running.done()
            assert await relay.told(server.group, server.admin, "/help") == "Understood."
    assert len(events(logs, ANOTHER)) == 1


async def test_an_address_that_somebody_has_left_with_telegram_is_taken_away(server: TelegramServer) -> None:
    async with bot(server) as another:
        await another.set_webhook("https://another.example/hook")
    async with listening(server) as relay:
        await server.wait_until(lambda: server.webhook is None)
        assert await relay.told(server.group, server.admin, "/help") == "Understood."


# --- being called ---


@asynccontextmanager
async def called(server: TelegramServer) -> AsyncIterator[tuple[Hooks, str]]:
    """Serves hooks as the relay's pages do; Telegram's calls come here."""
    hooks = Hooks(base="https://relay.example")

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.Response(status=await hooks.call(request.match_info["name"], headers, await request.read()))

    app = web.Application()
    app.router.add_post("/hook/{name}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.deliver_to = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hooks, f"{server.deliver_to}/hook/telegram"
    finally:
        await runner.cleanup()


async def test_telegram_calls_the_relay_where_that_is_wanted(server: TelegramServer) -> None:
    async with called(server) as (hooks, _):
        async with listening(server, hooks=hooks, webhook=True) as relay:
            assert await relay.told(server.group, server.admin, "/help") == "Understood."
            assert server.webhook is not None
            assert server.webhook["url"] == "https://relay.example/hook/telegram"
            assert server.asked("getUpdates") == []
        assert await hooks.call("telegram", {}, b"") == 404


async def test_a_call_without_the_secret_is_refused(server: TelegramServer) -> None:
    async with (
        called(server) as (hooks, url),
        aiohttp.ClientSession() as session,
        listening(server, hooks=hooks, webhook=True) as relay,
    ):
        assert server.webhook is not None
        secret = server.webhook["secret_token"]
        for wrong in ({}, {"X-Telegram-Bot-Api-Secret-Token": secret[:-1]}):
            async with session.post(url, json={"update_id": 1}, headers=wrong) as answer:
                assert answer.status == 403
        right = {"X-Telegram-Bot-Api-Secret-Token": secret}
        with capture_logs() as logs:
            async with session.post(url, data=b"{nonsense", headers=right) as answer:
                assert answer.status == 200
        assert [one["log_level"] for one in logs] == ["error"]
        assert relay.inbox.commands.empty()


async def test_each_start_has_a_secret_of_its_own(server: TelegramServer) -> None:
    secrets: set[str] = set()
    async with called(server) as (hooks, _):
        for _ in range(2):  # the same secret twice would be waited for in vain
            async with listening(server, hooks=hooks, webhook=True):
                await server.wait_until(lambda: len(server.asked("setWebhook")) == len(secrets) + 1)
                secrets.add(server.asked("setWebhook")[-1].params["secret_token"])
    assert all(len(one) >= 32 for one in secrets)


async def test_an_address_that_somebody_has_changed_is_told_and_set_again(server: TelegramServer) -> None:
    with capture_logs() as logs:
        async with called(server) as (hooks, _), bot(server) as another, listening(server, hooks=hooks, webhook=True):
            await another.set_webhook("https://another.example/hook")
            await server.wait_until(lambda: server.webhook and "relay.example" in server.webhook["url"])
    assert len(events(logs, ANOTHER)) == 1


async def test_calls_that_do_not_get_through_are_told(server: TelegramServer) -> None:
    with capture_logs() as logs:
        async with called(server) as (hooks, _), listening(server, hooks=hooks, webhook=True):
            hooks.close("telegram")
            await server.say(server.group, server.admin, "/help")
            await until(lambda: events(logs, "does not work"))
    assert "404" in events(logs, "does not work")[0]["reason"]


async def test_a_relay_without_a_public_address_cannot_be_called(server: TelegramServer) -> None:
    with capture_logs() as logs:
        async with bot(server) as another:
            await another.set_webhook("https://another.example/hook")  # so that nobody waits for a question
        async with listening(server, webhook=True) as relay:
            await asyncio.wait_for(relay.running, 30)
    assert len(events(logs, "telegram cannot call this relay")) == 1


# --- what becomes of the relay ---


async def test_a_group_that_shows_the_relay_out_is_lost(server: TelegramServer) -> None:
    async with listening(server) as relay:
        server.kick_bot(server.group)
        assert await relay.lost() == (
            {f"telegram:{server.group.id}"},
            "I am no longer in this chat. Add me again, then use /resume.",
        )


async def test_a_channel_in_which_the_relay_may_post_no_more_is_lost_by_both_its_names(server: TelegramServer) -> None:
    async with listening(server) as relay:
        server.promote(server.channel, server.bot, "can_edit_messages")
        places, reason = await relay.lost()
        assert places == {f"telegram:{server.channel.id}", "telegram:@ayllu"}
        assert "can post messages" in reason


async def test_a_person_who_blocks_the_relay_is_lost(server: TelegramServer) -> None:
    async with listening(server) as relay:
        server.block_bot(server.visitor)
        assert (await relay.lost())[0] == {f"telegram:{server.visitor.id}"}


async def test_what_happened_while_nobody_listened_is_lost_all_the_same(server: TelegramServer) -> None:
    server.kick_bot(server.group)
    async with listening(server) as relay:
        assert (await relay.lost())[0] == {f"telegram:{server.group.id}"}


async def test_a_relay_that_is_let_into_a_group_says_how_to_begin(server: TelegramServer) -> None:
    group = server.add_group("Ayllu")
    server.kick_bot(group)
    async with listening(server) as relay:
        await relay.lost()
        server.invite_bot(group)
        await server.wait_until(lambda: server.sent(group))
        told = text_of(server.sent(group)[-1])
        assert "/subscribe #Qeswachaka" in told
        assert len([one for one in told.splitlines() if one]) == 3
        assert relay.inbox.losses.empty()


async def test_the_copy_of_a_channels_post_in_its_group_is_where_its_comments_are(server: TelegramServer) -> None:
    group = server.add_group("Comments", rights=("can_delete_messages",))
    channel = server.add_channel("News", username="yachay", linked=group)
    async with listening(server) as relay:
        posted = await server.say(channel, server.admin, "The bridge holds.")
        comment = await relay.comments.below(channel.id, posted["message_id"])
        assert comment is not None
        assert comment.chat == group.id
