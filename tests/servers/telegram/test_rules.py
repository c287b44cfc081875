"""What the loopback Bot API refuses, how much it takes, and what can be let go wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.servers.telegram import LOST, RESET, Flood, Refuse, Slow, Status, TelegramServer, entities, markup, text_of
from tests.servers.telegram.calls import Request
from tests.servers.telegram.refusal import Refusal
from tests.servers.telegram_schema import problems, spec_path

Json = dict[str, Any]
PHOTO = {"type": "photo", "media": "https://a.ayllu.example/1.jpg"}


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.05) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def call(server: TelegramServer, session: aiohttp.ClientSession) -> Any:
    """A call without any library: status and body."""

    async def ask(method: str, **params: Any) -> tuple[int, Json]:
        given = {"chat_id": server.group.id, **params} if method.startswith(("send", "edit", "delete")) else params
        async with session.post(f"{server.api_url}/bot{server.token}/{method}", json=given) as answer:
            return answer.status, await answer.json()

    return ask


def _buttons(*row: Json) -> Json:
    return {"reply_markup": {"inline_keyboard": [list(row)]}}


def _styled(kind: str, offset: int, length: int, **more: Any) -> Json:
    return {"type": kind, "offset": offset, "length": length, **more}


REFUSED: tuple[tuple[str, Json, str], ...] = (
    ("sendMessage", {}, "message text is empty"),
    ("sendMessage", {"text": " \n"}, "message text is empty"),
    ("sendMessage", {"text": "x" * 4097}, "message is too long"),
    ("sendMessage", {"text": "🧵" * 2049}, "message is too long"),
    ("sendMessage", {"text": "x", "colour": "red"}, "strict: sendMessage has no parameter colour"),
    ("sendMessage", {"text": "x", "message_thread_id": "no"}, "can't parse message_thread_id"),
    ("sendMessage", {"text": "a < b", "parse_mode": "HTML"}, "can't parse entities: Unsupported start tag"),
    ("sendMessage", {"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities: Can't find end tag"),
    ("sendMessage", {"text": "x", "reply_parameters": {"message_id": 9}}, "message to be replied not found"),
    ("sendMessage", {"text": "x", **_buttons(*[{"text": "x", "url": "https://a.example"}] * 9)}, "strict: more than 8"),
    ("sendMessage", {"text": "x", **_buttons({"text": "x", "callback_data": "é" * 33})}, "BUTTON_DATA_INVALID"),
    ("sendMessage", {"text": "x", **_buttons({"text": "x", "url": "javascript:x"})}, "inline keyboard button URL"),
    ("sendMessage", {"text": "x", **_buttons({"text": "", "url": "https://a.example"})}, "can't parse inline keyboard"),
    ("sendMessage", {"text": "x", **_buttons({"text": "x"})}, "can't parse inline keyboard button: Text buttons"),
    ("sendPhoto", {}, 'parameter "photo" is required'),
    ("sendPhoto", {"photo": PHOTO["media"], "caption": "x" * 1025}, "message caption is too long"),
    ("sendPhoto", {"photo": "file:///etc/hostname"}, "wrong file identifier/HTTP URL specified"),
    ("sendPhoto", {"photo": "https://a.ayllu.example/gone.jpg"}, "failed to get HTTP URL content"),
    ("sendMediaGroup", {"media": [PHOTO]}, "strict: an album of 1"),
    ("sendMediaGroup", {"media": [PHOTO] * 11}, "strict: an album of 11"),
    ("sendMediaGroup", {"media": [PHOTO, {**PHOTO, "type": "document"}]}, "document can't be mixed"),
    ("sendMediaGroup", {"media": [PHOTO] * 2, **_buttons()}, "strict: sendMediaGroup has no parameter reply_markup"),
    (
        "sendMediaGroup",
        {"media": [PHOTO, {**PHOTO, "media": "https://a.ayllu.example/gone.jpg"}]},
        'failed to send message #2 with the error message "WEBPAGE_CURL_FAILED"',
    ),
    ("setMyCommands", {"commands": [{"command": "Help", "description": "x"}]}, "BOT_COMMAND_INVALID"),
    ("setMyCommands", {"commands": [{"command": "help", "description": ""}]}, "BOT_COMMAND_DESCRIPTION_INVALID"),
    ("setMyCommands", {"commands": [], "scope": {"type": "everywhere"}}, "can't parse BotCommandScope"),
    ("answerCallbackQuery", {"callback_query_id": "1"}, "query is too old"),
    ("setWebhook", {"url": "http://relay.ayllu.example/"}, "bad webhook"),
    (
        "sendRichMessage",
        {"rich_message": {"html": "<div>x</div>"}},
        'can\'t parse entities: Unsupported start tag "div"',
    ),
    ("sendRichMessage", {"rich_message": {"html": "<p>one<br>two</p>"}}, "strict: <br>"),
    ("sendRichMessage", {"rich_message": {"html": '<p class="x">one</p>'}}, "strict: <p> has no"),
    ("sendRichMessage", {"rich_message": {"html": '<img src="data:x"/>'}}, "wrong file identifier"),
    ("sendRichMessage", {"rich_message": {"html": "<p>" + "x" * 32769 + "</p>"}}, "rich message is too long"),
    ("sendRichMessage", {"rich_message": {"html": "<p>x</p>" * 501}}, "rich message is too long: 501 blocks"),
)


@pytest.mark.parametrize(("method", "params", "reason"), REFUSED)
async def test_a_call_is_refused(server: TelegramServer, call: Any, method: str, params: Json, reason: str) -> None:
    server.bad_url("https://a.ayllu.example/gone.jpg")
    status, body = await call(method, **params)
    assert (status, body["ok"], body["error_code"]) == (400, False, 400)
    assert body["description"].startswith(f"Bad Request: {reason}"), body
    assert [one.status for one in server.refused] == [400]
    assert server.sent(server.group) == []


@pytest.mark.parametrize(
    "given",
    [
        [_styled("bold", 0, 0)],
        [_styled("bold", 2, 10)],
        [_styled("bold", 1, 1)],  # half of the first letter
        [_styled("bold", 0, 4), _styled("italic", 3, 3)],
        [_styled("code", 0, 5), _styled("bold", 2, 1)],
        [_styled("bold", 0, 5), _styled("code", 2, 1)],
        [_styled("blockquote", 0, 5), _styled("expandable_blockquote", 2, 1)],
        [_styled("text_link", 0, 5, url="https://a.example"), _styled("text_link", 2, 1, url="https://b.example")],
        [_styled("text_link", 0, 5, url="javascript:x")],
        [_styled("bold", 0, 5, url="https://a.example")],
        [_styled("shiny", 0, 5)],
        [_styled("bold", 0, 5)] * 101,
    ],
)
def test_entities_are_refused(given: list[Json]) -> None:
    with pytest.raises(Refusal):
        entities.checked("🧵abcde", given)


def test_entities_that_nest_are_taken() -> None:
    nested = [_styled("blockquote", 0, 7), _styled("bold", 0, 7), _styled("text_link", 2, 3, url="https://a.example")]
    assert entities.checked("🧵abcde", nested) == nested
    assert entities.checked("🧵abcde", [_styled("blockquote", 0, 7), _styled("code", 2, 1)])


def test_what_telegram_makes_a_link_of_is_found() -> None:
    text = "🧵 @sami_ayllu #Ayni /help a@b.example https://ayllu.example/x. @\u2060broken"
    found = [(one["type"], entities.part(text, one)) for one in entities.detected(text, [])]
    assert found == [
        ("mention", "@sami_ayllu"),
        ("hashtag", "#Ayni"),
        ("bot_command", "/help"),
        ("email", "a@b.example"),
        ("url", "https://ayllu.example/x"),
    ]
    assert entities.detected("@sami_ayllu", [_styled("code", 0, 11)]) == [_styled("code", 0, 11)]


def test_html_becomes_text_and_entities() -> None:
    html = '🧵 <b>a &lt;<i>b</i></b> <pre><code class="language-py">x</code></pre><blockquote expandable>q</blockquote>'
    text, found = markup.parsed(html)
    assert text == "🧵 a <b xq"
    assert found == [
        _styled("bold", 3, 4),
        _styled("italic", 6, 1),
        _styled("pre", 8, 1, language="py"),
        _styled("expandable_blockquote", 9, 1),
    ]


@pytest.mark.parametrize("html", ["</b>", "<b>x</i>", "<b", "<font>x</font>", "<span>x</span>", "<!-- x -->"])
def test_html_that_telegram_does_not_know_is_refused(html: str) -> None:
    with pytest.raises(Refusal, match="can't parse entities"):
        markup.parsed(html)


# --- how much it takes ---


async def _send_until_refused(call: Any, most: int = 40, **params: Any) -> tuple[int, Json]:
    for count in range(most):
        status, body = await call("sendMessage", text="x", **params)
        if status == 429:
            return count, body["parameters"]
    return most, {}


async def test_a_chat_takes_a_short_burst(call: Any, server: TelegramServer) -> None:
    server.window = 1.0
    count, told = await _send_until_refused(call)
    assert (count, 0.5 < told["retry_after"] <= 1, server.too_many) == (3, True, 1)
    await call("sendMediaGroup", media=[PHOTO] * 4, chat_id="@ayllu")
    _, told = await _send_until_refused(call, chat_id="@ayllu")
    assert 1.5 < told["retry_after"] <= 2


async def test_a_group_takes_twenty_a_minute_edits_included(call: Any, server: TelegramServer) -> None:
    server.window, server.buckets.chat_seconds = 1.0, 1e-9
    await call("sendMediaGroup", media=[PHOTO] * 10)
    for number in range(5):
        assert (await call("editMessageCaption", message_id=1, caption=str(number)))[0] == 200
    count, told = await _send_until_refused(call)
    assert (count, told["retry_after"] > 50) == (5, True)
    assert (await _send_until_refused(call, chat_id=server.admin.id, most=10))[0] == 10


async def test_all_chats_together_take_thirty_a_second(call: Any, server: TelegramServer) -> None:
    server.window = 1.0
    chats = [server.add_group() for _ in range(31)]
    answers = [await call("sendMessage", chat_id=chat.id, text="x") for chat in chats]
    assert [status for status, _ in answers] == [200] * 30 + [429]


async def test_who_waits_as_told_goes_through(call: Any, server: TelegramServer) -> None:
    """In scaled windows the wait is told exactly, else in whole seconds."""
    _, told = await _send_until_refused(call)
    assert told["retry_after"] <= 0.05
    await asyncio.sleep(told["retry_after"])
    assert (await call("sendMessage", text="x"))[0] == 200
    server.whole_seconds = True
    _, told = await _send_until_refused(call)
    assert told["retry_after"] == 1
    server.buckets.off = True
    assert (await call("sendMessage", text="x"))[0] == 200


# --- what goes wrong ---


async def test_answers_are_lost_before_and_after_the_deed(call: Any, server: TelegramServer) -> None:
    server.faults.add("sendMessage", RESET)
    server.faults.add("sendMessage", LOST)
    for text in ("before", "after"):
        with pytest.raises(aiohttp.ClientError):
            await call("sendMessage", text=text)
    assert [text_of(one) for one in server.sent(server.group)] == ["after"]
    assert ([one.status for one in server.requests], server.faults.left) == ([0, 0], 0)


async def test_planned_answers(call: Any, server: TelegramServer) -> None:
    server.faults.add("send*", Flood(43200), chat=server.group, after=1)
    server.faults.add("sendMessage", Status(502), chat=server.channel)
    server.faults.add("sendMessage", Status(500, committed=True), chat=server.channel)
    server.faults.add("getChat", Refuse(400, "Bad Request: whatever"), count=None)
    assert (await call("sendMessage", text="x"))[0] == 200
    status, body = await call("sendMessage", text="x")
    assert (status, body["parameters"], server.too_many) == (429, {"retry_after": 43200}, 0)
    assert [(await call("sendMessage", text="x", chat_id="@ayllu"))[0] for _ in range(3)] == [502, 500, 200]
    assert len(server.sent(server.channel)) == 2
    assert (await call("getChat", chat_id="@ayllu"))[1]["description"] == "Bad Request: whatever"
    server.faults.clear()
    assert (await call("getChat", chat_id="@ayllu"))[0] == 200


async def test_what_happened_is_counted_for_other_processes(
    call: Any, server: TelegramServer, session: aiohttp.ClientSession
) -> None:
    await call("sendMessage", text="x")
    await call("sendMessage", text="")
    async with session.get(f"{server.api_url}/_test/counts") as answer:
        told = await answer.json()
    assert (told["requests"], told["refused"], told["too_many"]) == (2, 1, 0)
    assert told["messages"][str(server.group.id)] == 1


async def test_a_slow_answer_comes_after_the_deed(call: Any, server: TelegramServer) -> None:
    server.faults.add("sendMessage", Slow(0.05))
    started = time.monotonic()
    asking = asyncio.create_task(call("sendMessage", text="x"))
    await server.next_sent(server.group)
    assert not asking.done()
    assert (await asking)[0] == 200
    assert time.monotonic() - started >= 0.05


async def test_who_waits_in_vain_is_told(server: TelegramServer) -> None:
    with pytest.raises(AssertionError, match=r"did not come true within 0\.01 s"):
        await server.wait_until(lambda: server.sent(server.group), seconds=0.01)


# --- the document ---


@pytest.mark.skipif(spec_path() is None, reason="RELAY_TEST_SPECS names no folder with Telegram's document")
def test_the_document_finds_what_it_knows_of() -> None:
    def told(method: str, **params: Any) -> list[str]:
        return problems([Request(method, params)])

    media = [PHOTO, {"type": "video", "media": "https://a.ayllu.example/2.mp4"}]
    assert told("sendMediaGroup", chat_id=1, media=media) == []
    assert told("setMyCommands", commands=[{"command": "x", "description": "y"}], scope={"type": "default"}) == []
    assert told("sendMessage", chat_id="@x", text="<b></b>" * 999, parse_mode="HTML") == []
    assert told("sendMessage", text="", colour=1) == [
        "sendMessage: no 'colour'",
        "sendMessage: 'chat_id' is missing",
        "sendMessage.text: 0 is not in 1-4096 characters",
    ]
    assert told("sendMediaGroup", chat_id=1, media=[{**PHOTO, "width": 1}]) == ["sendMediaGroup.media[0]: no 'width'"]
    assert told("sendMessage", chat_id=1, text="x", **_buttons({"text": "x", "callback_data": "é" * 33}))
    assert told("sendMessage", chat_id=True, text=3)
    assert told("sendPigeon") == ["sendPigeon: no such method"]
