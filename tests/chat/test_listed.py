"""`/settings listed=yes`: a channel says that others may see which hashtags it follows."""

from __future__ import annotations

import pytest

from relay.store import Store
from tests.support.house import ROOM, House


@pytest.fixture
def house(store: Store) -> House:
    return House(store)


async def listed(house: House) -> bool:
    return any(one.listed for one in await house.store.list_destinations() if one.destination == ROOM)


async def test_a_channel_becomes_public_and_is_so_no_more(house: House) -> None:
    assert "listed: no — only this community can see them" in await house.told("settings")
    told = await house.told("settings listed=yes")
    assert "Saved. The settings are now:" in told
    assert "listed: yes — shown on the front page" in told
    assert await listed(house)
    assert "listed: yes" in await house.told("settings")
    assert "listed: no" in await house.told("settings listed=no")
    assert not await listed(house)
    assert [row.detail for row in await house.store.list_audit(9)] == ["listed: no", "listed: yes"]


async def test_a_topic_and_the_channel_may_be_changed_at_once(house: House) -> None:
    await house.ask("subscribe #bridge")
    told = await house.told("settings #bridge only=media listed=yes")
    assert "only: posts with pictures, video or sound" in told
    assert "listed: yes" in told
    assert await listed(house)


async def test_what_is_wrong_with_the_topic_leaves_the_channel_as_it_is(house: House) -> None:
    await house.ask("subscribe #bridge")
    await house.refused("settings #nothing listed=yes")
    await house.refused("settings #bridge every=never listed=yes")
    assert not await listed(house)


@pytest.mark.parametrize("line", ["settings only=media", "settings mode=posts listed=yes", "settings quiet=-"])
async def test_what_is_of_a_topic_needs_one(house: House, line: str) -> None:
    assert "Which topic do you mean?" in await house.refused(line)
    assert not await listed(house)


async def test_only_who_may_manage_the_channel_decides(house: House) -> None:
    await house.refused("settings listed=yes", may_manage=False)
    assert "“listed” cannot be “maybe”" in await house.refused("help", name="settings", arguments={"listed": "maybe"})
    assert not await listed(house)


async def test_it_is_answered_in_spanish_too(house: House) -> None:
    assert "aparecen en la portada" in await house.told("settings listed=yes", language="es")
