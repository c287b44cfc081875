"""The loopback Bot API is believed by the unmodified python-telegram-bot, and says no as Telegram does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllGroupChats,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    InputMediaVideo,
    ReplyParameters,
    Update,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, EndPointNotFound, Forbidden, InvalidToken
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes
from telegram.request import HTTPXRequest

from tests.servers.telegram import (
    TelegramServer,
    buttons_of,
    mentions_of,
    text_of,
)
from tests.servers.telegram_schema import problems

Json = dict[str, Any]
YES = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.05) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def bot(server: TelegramServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # else the library warns whenever it is told to wait
    async with _bot(server) as made:
        yield made
    assert problems(server.requests) == []


def _bot(server: TelegramServer, token: str | None = None) -> Bot:
    url, files = f"{server.api_url}/bot", f"{server.api_url}/file/bot"
    # nothing here is encrypted, and reading certificates takes longer than a test
    sending, polling = (HTTPXRequest(httpx_kwargs={"verify": False}) for _ in range(2))
    made = token or server.token
    return Bot(made, base_url=url, base_file_url=files, request=sending, get_updates_request=polling)


async def _refused(server: TelegramServer, session: aiohttp.ClientSession, method: str, **params: Any) -> str:
    """The description of a 400; what the library itself would not let pass is sent without it."""
    async with session.post(f"{server.api_url}/bot{server.token}/{method}", json=params) as answer:
        told = await answer.json()
        assert (answer.status, told["ok"]) == (400, False), told
        return str(told["description"]).removeprefix("Bad Request: ")


# --- the library believes it ---


async def _subscribe(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.effective_message
    assert update.effective_user
    await update.effective_message.reply_text(f"in {update.effective_user.language_code}?", reply_markup=YES)


async def _press(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.callback_query
    await update.callback_query.answer("done")
    await update.callback_query.edit_message_text("subscribed")


@asynccontextmanager
async def _application(server: TelegramServer) -> AsyncIterator[Any]:
    app = Application.builder().bot(_bot(server)).build()
    app.add_handler(CommandHandler("subscribe", _subscribe))
    app.add_handler(CallbackQueryHandler(_press))
    async with app:
        await app.start()
        yield app
        await app.stop()


async def _talk(server: TelegramServer) -> None:
    """Somebody commands, is asked, and answers."""
    asked = await server.say(server.group, server.admin, "/subscribe #x", language="es")
    await server.wait_until(lambda: server.sent(server.group))
    reply = server.sent(server.group)[0]
    assert (text_of(reply), [one["text"] for one in buttons_of(reply)]) == ("in es?", ["Yes"])
    assert asked["entities"][0] == {"type": "bot_command", "offset": 0, "length": 10}
    pressed = await server.press(reply, "Yes", server.visitor)
    assert (await pressed.answered())["text"] == "done"
    await server.wait_until(lambda: text_of(server.sent(server.group)[0]) == "subscribed")
    assert not buttons_of(server.sent(server.group)[0])
    assert server.answers == ["done"]


async def test_a_polling_application_is_served(server: TelegramServer) -> None:
    async with _application(server) as app:
        await app.updater.start_polling()
        await server.polled()
        await _talk(server)
        await server.heard()
        await app.updater.stop()
    assert (server.refused, server.updates.pending, problems(server.requests)) == ([], [], [])


async def test_a_webhook_is_served_with_its_secret_and_tried_again(server: TelegramServer) -> None:
    heads: list[tuple[str, str]] = []
    async with _application(server) as app:

        async def take(request: web.Request) -> web.Response:
            heads.append((request.headers["X-Telegram-Bot-Api-Secret-Token"], request.headers["Content-Type"]))
            if len(heads) == 1:
                return web.Response(status=500)
            await app.update_queue.put(Update.de_json(await request.json(), app.bot))
            return web.Response()

        async with _listening(take) as url:
            await app.bot.set_webhook(url, secret_token="s3cret", allowed_updates=["message", "callback_query"])
            await _talk(server)
            await server.heard()
            info = await app.bot.get_webhook_info()
            with pytest.raises(Conflict, match="webhook is active"):
                await app.bot.get_updates()
            await app.bot.delete_webhook()
    assert set(heads) == {("s3cret", "application/json")}
    assert len(heads) == 3
    assert (info.url, info.pending_update_count, server.webhook) == (url, 0, None)
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


@asynccontextmanager
async def _listening(take: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_the_second_poller_takes_over(server: TelegramServer, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=10))
    await server.polled()
    async with _bot(server) as other:
        second = asyncio.create_task(other.get_updates(timeout=10))
        with pytest.raises(Conflict, match="terminated by other getUpdates"):
            await first
        await server.say(server.group, server.admin, "/help")
        updates = await second
        assert [one.message.text for one in updates if one.message] == ["/help"]
        assert await other.get_updates(offset=updates[-1].update_id + 1, timeout=0) == ()
    assert server.updates.pending == []


async def test_media_go_by_address_and_by_upload(server: TelegramServer, bot: Bot) -> None:
    await bot.send_photo(
        server.group.id, "https://a.ayllu.example/1.jpg", caption="a @sami_ayllu #tag", has_spoiler=True
    )
    album: list[InputMediaPhoto | InputMediaVideo] = [
        InputMediaPhoto("https://a.ayllu.example/1.jpg", caption="both"),
        InputMediaPhoto(b"a picture"),
        InputMediaVideo("https://a.ayllu.example/2.mp4"),
    ]
    await bot.send_media_group(server.channel.id, album)
    await bot.send_document(server.admin.id, b"a file")
    single, (first, *_others) = server.sent(server.group)[0], server.sent(server.channel)
    assert (single["has_media_spoiler"], mentions_of(single)) == (True, ["@sami_ayllu"])
    assert len({one["media_group_id"] for one in server.sent(server.channel)}) == 1
    assert (text_of(first), "video" in server.sent(server.channel)[2]) == ("both", True)
    await bot.edit_message_caption(server.group.id, single["message_id"], caption="other")
    assert (text_of(single), server.asked("sendMediaGroup")[0].status) == ("other", 200)
    await bot.edit_message_media(
        InputMediaPhoto("https://a.ayllu.example/3.jpg"), server.group.id, single["message_id"]
    )
    assert "caption" not in server.sent(server.group)[0]


async def test_chats_people_and_menus_are_told(server: TelegramServer, bot: Bot) -> None:
    news = server.add_channel("News", username="news_ayllu", linked=server.group)
    told = await bot.get_chat("@news_ayllu")
    assert (told.id, told.linked_chat_id) == (news.id, server.group.id)
    member = await bot.get_chat_member(server.group.id, server.visitor.id)
    leaders = await bot.get_chat_administrators(news.id)
    assert (member.status, [one.user.id for one in leaders]) == ("member", [server.admin.id, server.bot.id])
    commands = [BotCommand("ayuda", "Qué puede hacer")]
    await bot.set_my_commands(commands, scope=BotCommandScopeAllGroupChats(), language_code="es")
    assert list(server.commands) == [("all_group_chats", "es")]
    assert await bot.get_my_commands() == ()
    await bot.set_my_description("Carries posts")
    assert server.descriptions == {("description", ""): "Carries posts"}
    await bot.send_chat_action(news.id, "typing")
    await bot.leave_chat(news.id)
    with pytest.raises(Forbidden, match="not a member of the channel chat"):
        await bot.send_message(news.id, "x")


async def test_a_channels_post_appears_in_its_group_and_can_be_answered_there(server: TelegramServer, bot: Bot) -> None:
    talk = server.add_group("Talk", rights=("can_delete_messages",))
    news = server.add_channel("News", linked=talk)
    await bot.send_message(news.id, "first")
    (update,) = await bot.get_updates(timeout=1)
    assert update.message
    assert (update.message.is_automatic_forward, update.message.text) == (True, "first")
    comment = await bot.send_message(talk.id, "the rest", reply_parameters=ReplyParameters(update.message.message_id))
    assert comment.message_thread_id == update.message.message_id


async def test_rich_messages_can_be_switched_off(server: TelegramServer, bot: Bot) -> None:
    told = {"html": "<h2>Thread</h2><p>one &lt;two&gt;</p><details><summary>more</summary>three</details>"}
    request = {"chat_id": server.group.id, "rich_message": told}
    await bot.do_api_request("sendRichMessage", api_kwargs=request)
    assert text_of(server.sent(server.group)[0]) == "Thread\none <two>\n\nmorethree"
    server.rich = False
    with pytest.raises(EndPointNotFound):
        await bot.do_api_request("sendRichMessage", api_kwargs=request)


# --- who may do what where ---


async def test_the_chat_says_why_nothing_can_be_sent(server: TelegramServer, bot: Bot) -> None:
    group, small, stranger = server.add_group(), server.add_group(kind="group"), server.add_person(started=False)
    server.kick_bot(group)
    server.kick_bot(small)
    server.block_bot(server.visitor)
    for chat, reason in (
        (group.id, "Forbidden: bot was kicked from the supergroup chat"),
        (small.id, "Forbidden: bot was kicked from the group chat"),
        (server.visitor.id, "Forbidden: bot was blocked by the user"),
        (stranger.id, "Forbidden: bot can't initiate conversation with a user"),
    ):
        with pytest.raises(Forbidden) as refusal:
            await bot.send_message(chat, "x")
        assert str(refusal.value) == reason
    updates = await bot.get_updates()
    assert [one.my_chat_member.new_chat_member.status for one in updates if one.my_chat_member] == ["kicked"] * 3
    for unknown in (-100123, "@nobody_there"):
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.send_message(unknown, "x")


async def test_rights_are_needed(server: TelegramServer, bot: Bot) -> None:
    silent = server.add_channel("Silent", rights=())
    with pytest.raises(BadRequest, match="Need administrator rights in the channel chat"):
        await bot.send_message(silent.id, "x")
    server.permissions(server.group, can_send_photos=False)
    await bot.send_message(server.group.id, "words are fine")
    with pytest.raises(BadRequest, match="Not enough rights to send photos to the chat"):
        await bot.send_photo(server.group.id, "https://a.ayllu.example/1.jpg")
    server.promote(server.group, server.bot)
    await bot.send_photo(server.group.id, "https://a.ayllu.example/1.jpg")
    said = await server.say(server.group, server.visitor, "hello")
    with pytest.raises(BadRequest, match="can't be deleted"):
        await bot.delete_message(server.group.id, said["message_id"])
    server.promote(server.group, server.bot, "can_delete_messages")
    assert await bot.delete_message(server.group.id, said["message_id"])


async def test_a_group_becomes_a_supergroup(server: TelegramServer, bot: Bot) -> None:
    small = server.add_group(kind="group")
    large = server.migrate(small)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(small.id, "x")
    assert moved.value.new_chat_id == large.id
    updates = await bot.get_updates()
    assert [one.message.migrate_to_chat_id for one in updates if one.message] == [large.id, None]
    await bot.send_message(large.id, "x")


async def test_topics(server: TelegramServer, bot: Bot) -> None:
    forum = server.add_group("Forum", forum=True)
    open_, closed = server.add_topic(forum, "Open"), server.add_topic(forum, "Closed")
    server.close_topic(forum, closed)
    sent = await bot.send_message(forum.id, "x", message_thread_id=open_.id)
    assert (sent.is_topic_message, len(server.messages(forum, open_)), len(server.sent(forum, open_))) == (True, 2, 1)
    for topic, reason in (
        (closed.id, "Topic_closed"),
        (999, "Message thread not found"),
        (1, "Message thread not found"),
    ):
        with pytest.raises(BadRequest, match=reason):
            await bot.send_message(forum.id, "x", message_thread_id=topic)
    answer = await bot.send_message(forum.id, "y", reply_parameters=ReplyParameters(sent.id))
    assert answer.message_thread_id == open_.id
    server.promote(forum, server.bot, "can_manage_topics")
    await bot.send_message(forum.id, "x", message_thread_id=closed.id)


async def test_privacy_mode_and_anonymous_administrators(server: TelegramServer, bot: Bot) -> None:
    await server.say(server.group, server.visitor, "nothing for a bot")
    await server.say(server.group, server.visitor, "/help@other_bot")
    await server.say(server.group, server.admin, "/help@chasqui_bot", anonymous=True)
    said = await server.say(server.channel, server.admin, "/help")
    await server.edit(said, "/helped")
    anonymous, post, edited = await bot.get_updates()
    assert edited.edited_channel_post
    assert edited.edited_channel_post.text == "/helped"
    assert anonymous.message
    assert anonymous.message.from_user
    assert anonymous.message.sender_chat
    assert (anonymous.message.from_user.id, anonymous.message.sender_chat.id) == (1087968824, server.group.id)
    assert post.channel_post
    assert (post.channel_post.from_user, post.channel_post.text) == (None, "/help")


async def test_edits_and_deletions(server: TelegramServer, bot: Bot) -> None:
    sent = await bot.send_message(server.group.id, "one", reply_markup=YES)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("one", server.group.id, sent.id, reply_markup=YES)
    await bot.edit_message_reply_markup(server.group.id, sent.id)
    await bot.edit_message_text("two", server.group.id, sent.id)
    said = await server.say(server.group, server.admin, "theirs")
    for number, reason in ((said["message_id"], "can't be edited"), (999, "Message to edit not found")):
        with pytest.raises(BadRequest, match=reason):
            await bot.edit_message_text("x", server.group.id, number)
    server.age(server.sent(server.group)[0], hours=49)
    with pytest.raises(BadRequest, match="can't be deleted"):
        await bot.delete_message(server.group.id, sent.id)
    server.delete_limit = 1e9
    assert await bot.delete_messages(server.group.id, [sent.id, 999])
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(server.group.id, sent.id)


async def test_a_token_can_be_wrong_or_revoked(server: TelegramServer, bot: Bot) -> None:
    with pytest.raises(InvalidToken):
        async with _bot(server, f"1:{secrets.token_hex(8)}"):
            pass
    server.revoke_token()
    with pytest.raises(InvalidToken):
        await bot.send_message(server.group.id, "x")
