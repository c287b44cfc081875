"""A chat that Telegram has closed for half a day delays no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.telegram import TelegramSettings, build
from relay.http import Http, HttpSettings
from relay.plugins import Host
from relay.records import State
from relay.store import open_store
from tests.servers.telegram import Flood, TelegramServer
from tests.support.outbox_cases import running, until, want

HALF_A_DAY = 43_200


@pytest.mark.timeout(30)
async def test_a_flood_wait_of_twelve_hours_in_one_chat_delays_no_other(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    async with TelegramServer(window=0.05) as server, Http(HttpSettings(), user_agent="test") as http:
        settings = TelegramSettings(token=SecretStr(server.token), api_url=server.api_url)
        adapter = build(settings, Host(http=http, name="Chasqui"))
        flooded, *others = (server.add_group(f"ayllu{number}") for number in range(8))
        server.faults.add("sendMessage", Flood(HALF_A_DAY), count=None, chat=flooded)
        async with running(store, adapter, concurrency=8):
            await want(store, [1], f"telegram:{flooded.id}")
            await server.wait_until(lambda: len(server.asked("sendMessage")) == 1)
            await want(store, [2, 3], f"telegram:{flooded.id}", *(f"telegram:{chat.id}" for chat in others))
            await until(store, **{State.SENT: 14, State.DUE: 3})
        await adapter.close()
    await store.close()
    assert len(server.asked("sendMessage")) == 15, "the flooded chat was asked again"
