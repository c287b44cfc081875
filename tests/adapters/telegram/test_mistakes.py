"""What people get wrong at a real `relay run` on Telegram, and what they are told, in their language."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.mastodon import Mastodon
from tests.servers.telegram import TelegramServer
from tests.support.discord_run_cases import MastodonNetwork
from tests.support.processes import RelayProcess
from tests.support.relay_runs import ILLA, database
from tests.support.telegram_run_cases import configured, told

CLOSED = "127.0.0.1:9"


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.02) as opened:
        yield opened


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_every_mistake_has_a_clear_answer_in_the_persons_language(tmp_path: Path, server: TelegramServer) -> None:
    """One relay for all of them: to start it costs more than to ask it."""
    foreign = server.add_channel("Foreign", username="foreign", rights=())
    sami = server.add_person("Quri", language="es")
    private = server.private(sami)
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, MastodonNetwork(stage), server)
        text = config.read_text().replace('allow_private = ["127.0.0.0/8"]', 'allow_private = ["127.0.0.1/32"]')
        config.write_text(text.replace("[store]", '[store]\nbusy_timeout = "1s"') + "[sources.rss]\n")
        async with RelayProcess(config) as relay:
            await server.polled(seconds=20)
            mistakes = {
                "/subscribe": "le falta",
                "/subscribe sopa de papas": "Un tema a la vez",
                "/subscribe http://10.0.0.1/feed.xml": "No entiendo",
                f"/subscribe http://{CLOSED}/feed.xml": "No puedo leer",
                f"/subscribe {stage.url}/nothing-here.xml": "No puedo leer",
                f"/subscribe {' '.join(['#q'] * 500)}": "Un tema a la vez",
                f"/subscribe #puente @{foreign.username}": "administrador",
                "/subscribe #puente @nobody_here": "No puedo ver",
                "/unsubscribe #puente": "todavía no sigue nada",
                "/unroll https://nowhere.example/1": "No pude leer",
                "/settings": "listed: no",
            }
            answers = {line: await told(server, private, sami, line) for line in mistakes}
            blocker = sqlite3.connect(database(tmp_path).removeprefix("sqlite:///"), isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            answers["busy"] = await told(server, private, sami, "/subscribe #cosecha")
            blocker.close()
            mistakes["busy"] = "base de datos"
            assert "todavía no sigue nada" in await told(server, private, sami, "/subscriptions")
            assert await relay.stop() == 0
    wrong = {line[:60]: answers[line] for line, words in mistakes.items() if words not in answers[line]}
    assert wrong == {}
    assert {request.method for request in server.refused} == {"getChat"}  # that of the chat that is not there
