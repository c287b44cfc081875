"""Pictures brought to the homeserver: fetched once, uploaded once, whoever asks, and nobody's failure is another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from adapters.matrix.api import Failed
from adapters.matrix.media import ADDRESSES, FRESH, Pictures, Unfit, Uploaded
from relay.log import Trouble
from relay.model import Media, MediaKind
from relay.plugins import PluginStorage, StorageBackend
from relay.records import StoreError
from relay.store import Store
from tests.servers.feeds import Document, FeedServer
from tests.support.fetching import client


def picture(colour: str = "red", size: tuple[int, int] = (30, 20), kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


@dataclass
class Homeserver:
    """What the adapter's calls are to these tests."""

    taken: list[tuple[bytes, str, str]] = field(default_factory=list)
    refusal: Failed | None = None
    most: int = 1_000_000
    limits: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def __post_init__(self) -> None:
        self.open.set()

    async def upload(self, data: bytes, mime: str, name: str) -> str | Failed:
        self.asked.release()
        await self.open.wait()
        if self.refusal:
            return self.refusal
        self.taken.append((data, mime, name))
        return f"mxc://ayllu.example/{len(self.taken)}"

    async def limit(self) -> int:
        self.limits += 1
        return self.most


@dataclass
class World:
    web: FeedServer
    home: Homeserver = field(default_factory=Homeserver)
    backend: StorageBackend = field(default_factory=StorageBackend)
    seconds: float = 1000
    started: list[Pictures] = field(default_factory=list)

    def start(self, *, trusted: str = "127.0.0.0/8", **options: Any) -> Pictures:
        """As a relay that was just started has it."""
        http, notes = client(trusted=trusted), PluginStorage("adapter:matrix", self.backend)
        made = Pictures(http, notes, self.home.upload, self.home.limit, clock=lambda: self.seconds, **options)
        self.started.append(made)
        self._clients.append(http)
        return made

    _clients: list[Any] = field(default_factory=list)

    async def close(self) -> None:
        for part in (*self.started, *self._clients):
            await part.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FeedServer() as web:
        made = World(web)
        yield made
        await made.close()


def image(url: str, kind: MediaKind = MediaKind.IMAGE, preview: str = "") -> Media:
    return Media(url=url, kind=kind, preview=preview)


def reason(found: object) -> str:
    assert isinstance(found, Unfit), found
    return found.reason


async def test_a_picture_is_fetched_made_ready_and_uploaded_once(world: World) -> None:
    red = image(world.web.put("/red", picture(size=(5120, 20))))
    pictures = world.start()
    found = await pictures.uploaded(red)
    [(data, mime, name)] = world.home.taken
    assert found == Uploaded(url="mxc://ayllu.example/1", mime=mime, size=len(data), width=2560, height=10, name=name)
    assert (mime, name) == ("image/png", "picture.png")
    assert Image.open(BytesIO(data)).size == (2560, 10)
    assert await pictures.uploaded(red) == found
    assert (world.web.asked("/red"), len(world.home.taken)) == (1, 1)


@pytest.mark.parametrize("told", ["text/html", "image/svg+xml", "image/jpeg", "application/octet-stream"])
async def test_what_it_is_the_bytes_say_and_not_the_server(world: World, told: str) -> None:
    url = world.web.put("/x.jpg", Document(picture(kind="WEBP"), content_type=told))
    found = await world.start().uploaded(image(url))
    assert isinstance(found, Uploaded)
    assert (found.mime, found.name) == ("image/webp", "picture.webp")
    svg = world.web.put("/y.png", Document(b'<svg xmlns="http://www.w3.org/2000/svg"/>', content_type="image/png"))
    assert reason(await world.start().uploaded(image(svg))) == "it is no picture of a kind that can be shown"


async def test_it_becomes_as_small_as_the_homeserver_wants_it(world: World) -> None:
    world.home.most = 3_000
    noise = Image.effect_noise((200, 200), 90)
    out = BytesIO()
    noise.save(out, "JPEG", quality=95)
    found = await world.start().uploaded(image(world.web.put("/noise", out.getvalue())))
    assert isinstance(found, Uploaded)
    assert found.size <= 3_000


async def test_one_content_is_uploaded_once_whatever_its_address_and_metadata(world: World) -> None:
    exif = Image.Exif()
    exif[0x010F] = "illa"
    one, other = (world.web.put(path, picture(exif=tags)) for path, tags in (("/a", Image.Exif()), ("/b", exif)))
    pictures = world.start()
    first, second = await asyncio.gather(pictures.uploaded(image(one)), pictures.uploaded(image(other)))
    assert first == second
    assert len(world.home.taken) == 1


async def test_who_brings_what_is_being_uploaded_waits_for_that(world: World) -> None:
    world.home.open.clear()
    pictures = world.start()
    urls = [world.web.put(path, picture()) for path in ("/a", "/b")]
    waiting = [asyncio.create_task(pictures.uploaded(image(url))) for url in urls]
    async with asyncio.timeout(20):
        while world.home.limits < 2 or pictures._turn.locked():  # until both are made ready
            await asyncio.sleep(0.01)
    world.home.open.set()
    first, second = await asyncio.gather(*waiting)
    assert first == second
    assert len(world.home.taken) == 1


async def test_it_is_uploaded_once_over_restarts_and_by_all_machines(world: World, store: Store) -> None:
    url = world.web.put("/red", picture())
    found = []
    for _ in range(2):
        world.backend = StorageBackend()
        world.backend.bind(store, Trouble())
        found.append(await world.start().uploaded(image(url)))
    assert found[0] == found[1]
    assert (world.web.asked("/red"), len(world.home.taken)) == (2, 1)


class Lost:
    """A store that is gone."""

    async def get_note(self, owner: str, key: str, now: object) -> str | None:
        raise StoreError("It is gone.")

    async def save_note(self, owner: str, key: str, value: str, until: object) -> None:
        raise StoreError("It is gone.")


async def test_without_a_store_it_is_uploaded_all_the_same(world: World) -> None:
    world.backend.bind(Lost(), Trouble())
    assert isinstance(await world.start().uploaded(image(world.web.put("/red", picture()))), Uploaded)


# --- together ---


async def test_who_asks_for_the_same_at_once_shares_it(world: World) -> None:
    red = image(world.web.put("/red", picture()))
    pictures = world.start()
    found = await asyncio.gather(*(pictures.uploaded(red) for _ in range(10)))
    assert len(set(found)) == 1
    assert (world.web.asked("/red"), len(world.home.taken)) == (1, 1)


async def test_who_stops_waiting_stops_nobody_else(world: World) -> None:
    """Not even who asked first."""
    world.home.open.clear()
    pictures = world.start()
    same = [image(world.web.put(path, picture())) for path in ("/a", "/a", "/b")]
    first, second, elsewhere = (asyncio.create_task(pictures.uploaded(media)) for media in same)
    await world.home.asked.acquire()
    first.cancel()
    await asyncio.wait([first])
    world.home.open.set()
    assert first.cancelled()
    assert await second == await elsewhere == await pictures.uploaded(same[0])
    assert (world.web.asked("/a"), len(world.home.taken)) == (1, 1)


async def test_what_nobody_waits_for_any_more_is_there_for_the_next_one(world: World) -> None:
    world.home.open.clear()
    pictures, red = world.start(), image(world.web.put("/red", picture()))
    waiting = asyncio.create_task(pictures.uploaded(red))
    await world.home.asked.acquire()
    waiting.cancel()
    await asyncio.wait([waiting])
    world.home.open.set()
    assert isinstance(await pictures.uploaded(red), Uploaded)
    assert (world.web.asked("/red"), len(world.home.taken)) == (1, 1)


async def test_closing_ends_what_is_under_way(world: World) -> None:
    world.home.open.clear()
    pictures = world.start()
    waiting = asyncio.create_task(pictures.uploaded(image(world.web.put("/red", picture()))))
    await world.home.asked.acquire()
    await pictures.close()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert not pictures._coming
    assert not pictures._uploading


# --- failures ---


async def test_an_upload_that_fails_is_passed_on_and_not_remembered(world: World) -> None:
    pictures, red = world.start(), image(world.web.put("/red", picture()))
    world.home.refusal = Failed("too fast", code="M_LIMIT_EXCEEDED", status=429, after=timedelta(seconds=3))
    for found in await asyncio.gather(pictures.uploaded(red), pictures.uploaded(red)):
        assert found == world.home.refusal
    world.home.refusal = None
    assert isinstance(await pictures.uploaded(red), Uploaded)


async def test_what_cannot_be_fetched_is_unfit_until_it_can(world: World) -> None:
    pictures, url = world.start(), f"{world.web.url}/red"
    assert reason(await pictures.uploaded(image(url))) == "the picture's server answered 404"
    world.web.put("/red", Document(picture(), status=206))
    assert reason(await pictures.uploaded(image(url))) == "the picture's server answered 206"
    world.web.put("/red", picture()[:-40])
    assert reason(await pictures.uploaded(image(url))) == "the picture is damaged"
    world.web.put("/red", picture())
    assert isinstance(await pictures.uploaded(image(url)), Uploaded)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/x.png", "cannot be reached"),
        ("file:///etc/passwd", "http"),
        ("data:image/png;base64,AAAA", "http"),
        ("nonsense", ""),
    ],
)
async def test_an_address_that_gives_nothing_is_unfit(world: World, url: str, why: str) -> None:
    assert why in reason(await world.start().uploaded(image(url)))


async def test_a_private_network_is_never_reached(world: World) -> None:
    url = world.web.put("/red", picture())
    assert "127.0.0.1" in reason(await world.start(trusted="").uploaded(image(url)))
    assert world.web.asked("/red") == 0


async def test_a_picture_that_takes_too_long_is_unfit_and_its_process_is_gone(world: World) -> None:
    pictures, red = world.start(longest=timedelta(milliseconds=1)), image(world.web.put("/red", picture()))
    assert reason(await pictures.uploaded(red)) == "the picture takes too much time or memory to decode"
    assert isinstance(await world.start().uploaded(red), Uploaded)


# --- what is remembered ---


async def test_an_address_is_looked_at_again_after_an_hour(world: World) -> None:
    """There may be another picture by then; the same one is not uploaded again."""
    pictures, red = world.start(), image(world.web.put("/red", picture()))
    found = await pictures.uploaded(red)
    world.seconds += FRESH.total_seconds() - 1
    assert await pictures.uploaded(red) == found
    assert world.web.asked("/red") == 1
    world.seconds += 1
    assert await pictures.uploaded(red) == found
    assert (world.web.asked("/red"), len(world.home.taken)) == (2, 1)
    world.web.put("/red", picture("blue"))
    world.seconds += FRESH.total_seconds()
    assert await pictures.uploaded(red) != found


async def test_the_addresses_that_were_asked_for_last_are_remembered(world: World) -> None:
    pictures, red = world.start(), image(world.web.put("/red", picture()))
    found = await pictures.uploaded(red)
    assert isinstance(found, Uploaded)
    for number in range(ADDRESSES - 1):
        pictures._remember(f"https://ayllu.example/{number}", found)
    await pictures.uploaded(red)
    pictures._remember("https://ayllu.example/more", found)
    assert len(pictures._known) == ADDRESSES
    await pictures.uploaded(red)
    assert world.web.asked("/red") == 1
    assert "https://ayllu.example/0" not in pictures._known


# --- which picture ---


@pytest.mark.parametrize(
    ("kind", "url", "has_preview", "path"),
    [
        (MediaKind.IMAGE, "/media", True, "/media"),
        (MediaKind.VIDEO, "/media", True, "/preview"),
        (MediaKind.ANIMATION, "/media.mp4", True, "/preview"),
        (MediaKind.ANIMATION, "/media.gif", True, "/media.gif"),
        (MediaKind.ANIMATION, "/media.gif", False, "/media.gif"),
        (MediaKind.AUDIO, "/media", True, "/preview"),
        (MediaKind.VIDEO, "/media", False, ""),
        (MediaKind.FILE, "/media", False, ""),
    ],
)
async def test_which_picture_shows_a_media(
    world: World, kind: MediaKind, url: str, path: str, *, has_preview: bool
) -> None:
    media, preview = (world.web.put(where, picture()) for where in (url, "/preview"))
    found = await world.start().uploaded(image(media, kind, preview if has_preview else ""))
    assert [path for path, _ in world.web.requests] == ([path] if path else [])
    assert isinstance(found, Uploaded) if path else found == Unfit("there is no picture of it")


async def test_of_an_animation_that_is_too_large_a_still_is_shown(world: World) -> None:
    still = world.web.put("/still.png", picture())
    moving = image(f"{world.web.url}/status/404/moving.gif", MediaKind.ANIMATION, still)
    found = await world.start().uploaded(moving)
    assert isinstance(found, Uploaded)
    assert found.mime == "image/png"
