from __future__ import annotations

import json
import logging
import os
import pty
import sys
import warnings
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from relay.log import Trouble, configure, get_logger, hide, redact
from tests.support.thorough import examples

BOT = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
THREE_PARTS = "MTA5ODc2NTQzMjEwOTg3NjU0.GxYzAb.abcdefghijklmnopqrstuvwxyz0123"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


Err = pytest.CaptureFixture[str]


# --- redaction ---


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://ana:pw@feeds.example/x", "https://…@feeds.example/x"),
        ("postgresql://relay:p/w@db:5432/relay is away", "postgresql://…@db:5432/relay is away"),
        (f"POST https://api.example/bot{BOT}/sendMessage", "POST https://api.example/bot…/sendMessage"),
        (f"token {BOT}.", "token …."),
        ("https://chat.example/api/webhooks/1234/aBc-d_E9", "https://chat.example/api/webhooks/1234/…"),
        (
            "https://chat.example/api/interactions/1234/aBc-d_E9/callback",
            "https://chat.example/api/interactions/1234/…/callback",
        ),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer …"),
        (f"Authorization: Bot {THREE_PARTS}", "Authorization: Bot …"),
        (f"logged in with {THREE_PARTS}", "logged in with …"),
        ("syt_Y2hhc3F1aQ_kzWbqTtrVmPpXyZaBcDe_0Ab1Cd", "…"),
        ("https://x.example/api?limit=3&access_token=s3cr3t&b=1", "https://x.example/api?limit=3&access_token=…&b=1"),
    ],
)
def test_a_secret_is_hidden_and_the_rest_stays(said: str, shown: str) -> None:
    assert redact(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        "https://mastodon.example/@ana/113",
        "@ana@mastodon.example wrote at 12:30",
        "at://did:plc:abcdefghijklmnopqrstuvwx/app.bsky.feed.post/3kabc",
        "Bot started; the bot internationalisation works",
        "sqlite:///relay.sqlite3",
        "mailto:ana@mail.example",
        "2026-07-01T12:00:00.000000Z relay.sources.rss",
    ],
)
def test_what_is_no_secret_is_left_alone(said: str) -> None:
    assert redact(said) == said


@given(st.text())
@settings(max_examples=examples(200), deadline=None)
def test_redacting_twice_changes_nothing_more(said: str) -> None:
    assert redact(redact(said)) == redact(said)


# --- lines ---


def test_piped_it_is_one_line_of_pairs(capsys: Err) -> None:
    configure()
    structlog.get_logger().info("a feed works", feed="https://ana:pw@feeds.example/x")
    line = capsys.readouterr().err
    assert 'level=info event="a feed works" feed=https://…@feeds.example/x' in line
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_asked_for_json_it_is_one_object_a_line(capsys: Err) -> None:
    configure(json=True)
    structlog.get_logger().warning("qué pasa", deep={"url": ["https://ana:pw@x.example/"]})
    told = json.loads(capsys.readouterr().err)
    assert told["event"] == "qué pasa"
    assert told["level"] == "warning"
    assert told["deep"] == {"url": ["https://…@x.example/"]}


def test_on_a_terminal_colours_do_not_disguise_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        configure()
        structlog.get_logger().info("hello", url="https://ana:pw@feeds.example/x", token=BOT)
        terminal.flush()
        shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "\x1b[" in shown
    assert "hello" in shown
    assert "pw" not in shown
    assert BOT not in shown


def test_below_the_level_nothing_is_said(capsys: Err) -> None:
    configure("error")
    structlog.get_logger().warning("not so bad")
    assert capsys.readouterr().err == ""


def test_a_known_secret_of_any_shape_is_hidden(capsys: Err) -> None:
    configure(secrets=["correct horse", "correct horse battery"])
    structlog.get_logger().info("signed in with correct horse battery", nested=["correct horse"])
    said = capsys.readouterr().err
    assert "horse" not in said
    assert "battery" not in said


def test_a_trace_is_kept_and_its_secrets_are_hidden(capsys: Err) -> None:
    configure()
    try:
        int(f"https://api.example/bot{BOT}/getMe")
    except ValueError:
        structlog.get_logger().exception("it broke")
    said = capsys.readouterr().err
    assert "ValueError: invalid literal for int() with base 10: 'https://api.example/bot…/getMe'" in said
    assert BOT not in said


def test_foreign_text_moves_no_cursor_and_begins_no_line(capsys: Err) -> None:
    configure()
    structlog.get_logger().info("a name", name="Ana\x1b[2J\x9b1A\nlevel=error event=forged\r")
    said = capsys.readouterr().err
    assert not {"\x1b", "\x9b", "\r"} & set(said)
    assert said.count("\n") == 1


def test_libraries_are_heard_from_warning_up_through_the_same_redaction(capsys: Err) -> None:
    configure("debug")
    library = logging.getLogger("chatty.library")
    library.info("GET https://api.example/bot%s/getMe", BOT)
    library.warning("401 from https://api.example/bot%s/getMe", BOT)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "logger=chatty.library" in said
    assert BOT not in said


def test_warnings_of_python_go_to_the_log(capsys: Err) -> None:
    configure()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert "old ways" in capsys.readouterr().err


# --- trouble ---


def test_trouble_is_told_once_and_its_end_once() -> None:
    trouble = Trouble()
    with capture_logs() as told:
        trouble.works("feed")
        trouble.broke("feed", "503", host="a.example")
        trouble.broke("feed", "503")
        trouble.works("feed")
        trouble.works("feed")
    assert told == [
        {"event": "does not work", "log_level": "warning", "what": "feed", "reason": "503", "host": "a.example"},
        {"event": "works again", "log_level": "info", "what": "feed"},
    ]


def test_a_new_reason_is_told_again() -> None:
    trouble = Trouble()
    with capture_logs() as told:
        for reason in ("503", "timed out", "timed out", "503"):
            trouble.broke("feed", reason)
    assert [line["reason"] for line in told] == ["503", "timed out", "503"]


def test_one_trouble_does_not_hide_another() -> None:
    trouble = Trouble()
    with capture_logs() as told:
        trouble.broke("one feed", "503")
        trouble.broke("another", "503")
        trouble.works("one feed")
        trouble.broke("another", "503")
    assert [line["what"] for line in told] == ["one feed", "another", "one feed"]


@pytest.mark.parametrize("json", [False, True])
def test_a_name_neither_turns_a_line_around_nor_ends_it(capsys: Err, *, json: bool) -> None:
    configure(json=json)
    get_logger("t").info("a name", name="Ana\u202e\u2066\u2028level=error\u2029x\u2069")
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "Ana level=error x" in said


def test_a_server_that_complains_of_something_else_each_time_does_not_fill_the_disk() -> None:
    now = 0.0
    trouble = Trouble(clock=lambda: now)
    with capture_logs() as told:
        for number in range(1_000):
            trouble.broke("stream", f"odd {number}")
            trouble.works("stream")
        trouble.broke("another", "503")
    assert len(told) == 11
    assert told[-1]["what"] == "another"
    now = 61.0
    with capture_logs() as told:
        trouble.broke("stream", "odd 999")
        trouble.broke("stream", "odd 999")
        trouble.works("stream")
    assert [line["event"] for line in told] == ["does not work", "works again"]


def test_a_long_value_is_hidden_in_linear_time_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    get_logger("t").warning("odd", header="a-" * 500_000, other="x://" * 200_000 + "@secret")
    assert len(capsys.readouterr().err) < 10_000


def test_nothing_is_written_of_who_connects(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    for name in ("aiohttp.server", "aiohttp.access", "aiohttp.web", "aiohttp.websocket"):
        logging.getLogger(name).error("Error handling request from %s", "203.0.113.7")
    sock = "<socket.socket fd=9, laddr=('0.0.0.0', 80), raddr=('203.0.113.7', 5555)>"
    logging.getLogger("asyncio").error("Exception in callback\nsocket: %s", sock)
    told = capsys.readouterr().err
    assert "Exception in callback" in told
    assert "203.0.113.7" not in told


@pytest.mark.parametrize(
    "quoted", ["{}", "xx{}yy", "{}{}", "Zk3 mast{}", "%3A{}%20", "Bearer {}", '"{}"'], ids=lambda quoted: quoted
)
def test_a_secret_of_the_configuration_is_hidden_in_any_form(quoted: str) -> None:
    secret = 'Zk3-plain"words/of+no shape'
    configure(secrets=[secret, "abc"])
    try:
        for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret[:15]):
            told = hide(quoted.format(form, form))
            assert secret[:12] not in told
            assert "shape" not in told
        assert hide("abc and mast") == "abc and mast"  # too short to be looked for
    finally:
        configure()
