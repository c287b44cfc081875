"""The real `relay run` between a network and a homeserver, from the invitation to the end: ours, and Synapse."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from PIL import Image

from relay.store import open_store
from tests.servers.feeds import Document, FeedServer
from tests.servers.masto import Masto
from tests.servers.mastodon import Draft, Mastodon
from tests.servers.matrix import MatrixServer
from tests.servers.synapse import Synapse
from tests.support.discord_run_cases import MockNetwork
from tests.support.matrix_homes import Home, Loopback, Real, Seen, seen, told, wait_for
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database

CONFIG = """\
[relay]
public_url = "https://relay.example"
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.mastodon]
instances = ["{instance}"]
interval = "100ms"
sweep = "300ms"
[sources.rss]
interval = "100ms"
[adapters.matrix]
homeserver = "{home}"
user = "{user}"
token = "{token}"
invites = ["{server}"]
"""


async def configured(folder: Path, instance: str, home: Home) -> Path:
    file = folder / "relay.toml"
    file.write_text(
        CONFIG.format(
            store=database(folder),
            instance=instance,
            home=home.url,
            user=home.user,
            token=await home.token(),
            server=home.server,
        )
    )
    return file


def having(words: str, there: list[Seen]) -> list[Seen]:
    return [one for one in there if words in one.body]


@pytest.mark.timeout(90)
async def test_a_room_from_the_invitation_to_the_way_out(tmp_path: Path) -> None:
    async with MatrixServer() as server:
        await from_invitation_to_leaving(tmp_path, Loopback(server))
        assert server.faulty == []
        assert server.too_many == 0


@pytest.mark.real
@pytest.mark.timeout(240)
async def test_the_same_on_a_real_homeserver(tmp_path: Path, synapse: Synapse) -> None:
    await from_invitation_to_leaving(tmp_path, Real(synapse))


async def from_invitation_to_leaving(folder: Path, home: Home) -> None:
    """Sami made the room, Quilla is a stranger to the relay and reads along."""
    async with Mastodon([ILLA]) as stage, FeedServer() as feeds:
        room = await home.room("sami", ["quilla"])
        feeds.documents["/pictures.xml"] = with_picture(feeds, "")
        async with RelayProcess(await configured(folder, stage.url, home), verbose=True) as relay:
            await home.invite("sami", room)
            await wait_for(home, "quilla", room, lambda there: len(there) == 1)
            assert "!relay subscribe" in (await seen(home, "quilla", room))[0].body
            assert "manage" in await told(home, "quilla", room, "!relay subscribe #qeswachaka")
            assert "Done" in await told(home, "sami", room, "!relay subscribe #qeswachaka")
            assert "Done" in await told(home, "sami", room, f"!relay subscribe {feeds.url}/pictures.xml")
            await seeded(database(folder), 2)

            first = stage.post(Draft(author="illa", text="The bridge of @sami:ayllu.example holds. #qeswachaka"))
            there = await wait_for(home, "quilla", room, lambda there: having("holds", there))
            [post] = having("holds", there)
            assert post.kind == "m.notice"
            assert post.thread == ""
            assert "@sami:ayllu" not in post.body

            warned = stage.post(Draft(author="illa", text="It swayed a lot. #qeswachaka", warning="heights"))
            there = await wait_for(home, "quilla", room, lambda there: having("heights", there))
            assert not having("swayed", there)
            assert "data-mx-spoiler" in having("heights", there)[0].html

            feeds.documents["/pictures.xml"] = with_picture(feeds, "A picture of the bridge.")
            there = await wait_for(home, "quilla", room, lambda there: any(one.kind == "m.image" for one in there))
            [picture] = [one for one in there if one.kind == "m.image"]
            assert picture.body == "Ropes over a river"
            assert picture.url.startswith("mxc://")

            stage.edit(first, "The bridge held all night. #qeswachaka")
            there = await wait_for(home, "quilla", room, lambda there: having("held all night", there))
            assert having("held all night", there)[0].event == post.event
            stage.delete(warned)
            await wait_for(home, "quilla", room, lambda there: not having("heights", there))

            await home.kick("sami", room)
            assert "nvite" in await paused(database(folder), f"matrix:{room}")
            assert await relay.stop() == 0, "".join(relay.log)
        assert await home.token() not in "".join(relay.log)


async def paused(store_url: str, destination: str) -> str:
    """Why nothing is posted at a destination, as soon as that is so."""
    async with asyncio.timeout(20):
        store = await open_store(store_url)
        try:
            while not (
                reason := {str(one.destination): one.paused for one in await store.list_destinations()}[destination]
            ):
                await asyncio.sleep(0.05)
        finally:
            await store.close()
    return reason


def with_picture(feeds: FeedServer, words: str) -> Document:
    """A feed with one item that has a picture; without words it has none yet."""
    made = io.BytesIO()
    Image.new("RGB", (60, 40), "brown").save(made, "PNG")
    feeds.documents["/day.png"] = Document(made.getvalue(), "image/png")
    picture = (
        f'<media:content url="{feeds.url}/day.png" type="image/png">'
        "<media:description>Ropes over a river</media:description></media:content>"
    )
    item = (
        f'<item><guid isPermaLink="false">bridge</guid><link>{feeds.url}/bridge</link>'
        f"<pubDate>{format_datetime(datetime.now(UTC))}</pubDate><description>{words}</description>{picture}</item>"
    )
    return Document(
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>The Bell</title>'
        f"<link>{feeds.url}/</link>{item if words else ''}</channel></rss>".encode()
    )


@pytest.mark.real
@pytest.mark.timeout(240)
async def test_somebody_else_s_network_and_somebody_else_s_homeserver(
    tmp_path: Path, synapse: Synapse, masto: Masto
) -> None:
    home, network = Real(synapse), MockNetwork(masto)
    room = await home.room("sami", ["quilla"])
    async with RelayProcess(await configured(tmp_path, network.instance, home), verbose=True) as relay:
        await home.invite("sami", room)
        await wait_for(home, "quilla", room, lambda there: len(there) == 1)
        assert "Done" in await told(home, "sami", room, "!relay subscribe #puente")
        await seeded(database(tmp_path), 1)
        first = await network.post("Two bridges. #puente")
        await wait_for(home, "quilla", room, lambda there: having("Two bridges", there))
        await network.edit(first, "Three bridges. #puente")
        await wait_for(home, "quilla", room, lambda there: having("Three bridges", there))
        await network.delete(first)
        await wait_for(home, "quilla", room, lambda there: not having("bridges", there))
        assert await relay.stop() == 0
