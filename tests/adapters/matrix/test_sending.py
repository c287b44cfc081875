"""The adapter against a loopback homeserver: posts, pictures, threads, edits, deletions, and what is in the way."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pytest
from PIL import Image

from adapters.matrix import Matrix
from adapters.matrix.sending import MatrixMessage
from relay.http import Http
from relay.kit import readable
from relay.model import Action, Card, Delivery, Media, MediaKind, MessageId
from relay.plugins import Host
from relay.ports import Adapter, Gone, Moved, Outcome, Refused, Sent, TryLater, Unknown
from relay.testing import AdapterContract, delivery, in_thread, post
from tests.servers.feeds import Document, FeedServer
from tests.servers.matrix import LOST, RESET, Garbage, Limited, MatrixServer, Refuse, Room, Status
from tests.support.fetching import client
from tests.support.matrix_world import settings


@dataclass
class World:
    """Our adapter, a room in which it is, and a server of pictures."""

    server: MatrixServer
    room: Room
    adapter: Matrix
    pictures: FeedServer
    http: Http

    @property
    def to(self) -> str:
        return f"matrix:{self.room.id}"

    def again(self) -> Matrix:
        """The adapter after a restart of the relay."""
        return Matrix(settings(self.server), Host(http=self.http, name="Chasqui"))

    async def send(self, number: int = 1, **changes: Any) -> Sent:
        outcome = await self.adapter.deliver(delivery(number, to=self.to, **changes))
        assert isinstance(outcome, Sent), outcome
        return outcome

    def sent(self) -> list[dict[str, Any]]:
        return [event["content"] for event in self.server.sent(self.room)]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with MatrixServer() as server, FeedServer() as pictures, client() as http:
        room = server.add_room(server.person("sami"), members=(server.bot,))
        adapter = Matrix(settings(server), Host(http=http, name="Chasqui"))
        yield World(server, room, adapter, pictures, http)
        await adapter.close()
        assert server.faulty == []


def picture(world: World, name: str = "bridge", colour: str = "red") -> Media:
    """A picture that can be fetched."""
    made = io.BytesIO()
    Image.new("RGB", (30, 20), colour).save(made, "PNG")
    world.pictures.documents[f"/{name}.png"] = Document(made.getvalue(), "image/png")
    return Media(url=f"{world.pictures.url}/{name}.png", kind=MediaKind.IMAGE, alt=f"A {colour} {name}")


def with_pictures(*media: Media, **changes: Any) -> Card:
    return Card(post=post(1, media=media, **changes), reason="#Qeswachaka · ayllu.example")


class TestContract(AdapterContract):
    @pytest.fixture(autouse=True)
    def _given(self, world: World) -> None:
        self.world = world
        self.to = world.to

    def make(self) -> Adapter:
        return self.world.adapter


# --- what arrives ---


async def test_a_post_is_a_notice_that_pings_nobody_and_previews_nothing(world: World) -> None:
    await world.send()
    [content] = world.sent()
    assert content["msgtype"] == "m.notice"
    assert "Post number 1." in content["body"]
    assert content["m.mentions"] == {}
    assert content["com.beeper.linkpreviews"] == []


async def test_a_subscription_may_want_to_ring(world: World) -> None:
    await world.send(options='{"notify": true}')
    assert world.sent()[0]["msgtype"] == "m.text"


async def test_pictures_follow_the_words_with_their_descriptions(world: World) -> None:
    sent = await world.send(card=with_pictures(picture(world), picture(world, "river", "blue")))
    words, bridge, river = world.sent()
    assert len(sent.messages) == 3
    assert "/bridge.png" not in words["formatted_body"]
    assert (bridge["msgtype"], bridge["body"]) == ("m.image", "A red bridge")
    assert river["info"] == {"mimetype": "image/png", "size": river["info"]["size"], "w": 30, "h": 20}
    assert bridge["m.mentions"] == {}


async def test_a_picture_is_uploaded_once_for_all_rooms(world: World) -> None:
    other = world.server.add_room(world.server.person("illa"), members=(world.server.bot,))
    card = with_pictures(picture(world))
    await world.send(1, card=card)
    assert isinstance(await world.adapter.deliver(delivery(2, to=f"matrix:{other.id}", card=card)), Sent)
    assert len(world.server.uploads) == 1


async def test_what_cannot_be_fetched_or_shown_stays_a_link(world: World) -> None:
    gone = Media(url=f"{world.pictures.url}/status/404", kind=MediaKind.IMAGE, alt="Gone")
    page = Media(url=f"{world.pictures.url}/html", kind=MediaKind.IMAGE, alt="A page")
    await world.send(card=with_pictures(gone, page, picture(world)))
    words, shown = world.sent()
    assert "Gone" in words["body"]
    assert "A page" in words["body"]
    assert shown["body"] == "A red bridge"


@pytest.mark.parametrize(
    "refusal",
    [
        Refuse(413, "M_TOO_LARGE"),
        Refuse(403, "M_FORBIDDEN", "Media upload limit exceeded"),
        Refuse(400, "M_ROPE_OF_AN_UNKNOWN_KIND"),
        Refuse(404, "M_UNRECOGNIZED"),
    ],
)
async def test_a_picture_that_the_homeserver_does_not_keep_is_a_link(world: World, refusal: Refuse) -> None:
    world.server.faults.add("upload", refusal)
    await world.send(card=with_pictures(picture(world), picture(world, "river", "blue")))
    words, shown = world.sent()
    assert f"{world.pictures.url}/bridge.png" in words["formatted_body"]
    assert "A red bridge" in words["body"]
    assert shown["body"] == "A blue river"


@pytest.mark.parametrize("fault", [Status(502), Status(500), Garbage(200), RESET])
async def test_where_nobody_keeps_pictures_any_more_the_words_come_with_links(world: World, fault: Any) -> None:
    world.server.faults.add("upload", fault, count=None)
    for attempts in (0, 1):
        await world.adapter.deliver(delivery(to=world.to, card=with_pictures(picture(world)), attempts=attempts))
    await world.send(card=with_pictures(picture(world)), attempts=2)
    [words] = world.sent()
    assert f"{world.pictures.url}/bridge.png" in words["formatted_body"]


@pytest.mark.parametrize(
    "refusal",
    [
        Refuse(413, "M_TOO_LARGE"),
        Refuse(403, "M_FORBIDDEN", "This message has been rejected as probable spam"),
        Refuse(400, "M_ROPE_OF_AN_UNKNOWN_KIND"),
    ],
)
async def test_a_picture_that_the_room_refuses_becomes_a_link_in_the_words(world: World, refusal: Refuse) -> None:
    card = with_pictures(picture(world), picture(world, "river", "blue"))
    world.server.faults.add("send", refusal, after=1)
    sent = await world.send(card=card)
    words, shown = world.sent()
    assert len(sent.messages) == 2
    assert f"{world.pictures.url}/bridge.png" in words["formatted_body"]
    assert f"{world.pictures.url}/river.png" not in words["formatted_body"]
    assert shown["body"] == "A blue river"
    await world.send(2, action=Action.EDIT, messages=sent.messages, card=card)
    assert f"{world.pictures.url}/bridge.png" in world.sent()[0]["formatted_body"]


async def test_words_that_cannot_be_told_of_a_refused_picture_are_there_all_the_same(world: World) -> None:
    world.server.faults.add("send", Refuse(400, "M_ROPE_OF_AN_UNKNOWN_KIND"), count=2, after=1)
    sent = await world.send(card=with_pictures(picture(world)))
    assert len(sent.messages) == len(world.sent()) == 1


async def test_a_room_that_shuts_us_out_between_words_and_picture_is_paused(world: World) -> None:
    world.server.faults.add("send", Refuse(403, "M_FORBIDDEN", "You don't have permission to post that"), after=1)
    outcome = await world.adapter.deliver(delivery(to=world.to, card=with_pictures(picture(world))))
    assert isinstance(outcome, Gone)


async def test_a_sensitive_picture_is_a_link(world: World) -> None:
    await world.send(card=with_pictures(picture(world), sensitive=True))
    assert len(world.sent()) == 1
    assert not world.server.uploads


async def test_a_thread_goes_on_in_a_thread(world: World) -> None:
    first = await world.send(1, card=in_thread(1, 1))
    await world.send(2, card=in_thread(2, 2), under=first.messages)
    root = readable(first.messages, MatrixMessage.parse)[0].event
    relation = world.server.raw(world.room)[-1]["content"]["m.relates_to"]
    assert (relation["rel_type"], relation["event_id"]) == ("m.thread", root)


async def test_a_thread_whose_beginning_is_gone_goes_on_by_itself(world: World) -> None:
    lost = MessageId(f"text {world.room.id} $gone")
    await world.send(2, card=in_thread(2, 2), under=(lost,))
    assert "m.relates_to" not in world.sent()[0]


async def test_an_edit_changes_the_first_event_however_often(world: World) -> None:
    sent = await world.send()
    for number, text in ((2, "once"), (3, "twice")):
        card = Card(post=post(number), reason=text)
        await world.send(number, action=Action.EDIT, messages=sent.messages, card=card)
    [content] = world.sent()
    assert "Post number 3." in content["body"]
    targets = {event["content"].get("m.relates_to", {}).get("event_id") for event in world.server.raw(world.room)[1:]}
    assert targets == {readable(sent.messages, MatrixMessage.parse)[0].event}


async def test_a_deletion_takes_words_and_pictures(world: World) -> None:
    sent = await world.send(card=with_pictures(picture(world)))
    await world.send(1, action=Action.DELETE, messages=sent.messages, id="test-deletion")
    assert world.sent() == []


# --- once ---


async def test_after_an_answer_was_lost_the_second_try_is_the_same_message(world: World) -> None:
    world.server.faults.add("send", LOST, count=2)  # aiohttp repeats such a call once by itself
    what = delivery(to=world.to)
    assert isinstance(await world.adapter.deliver(what), Unknown)
    assert isinstance(await world.adapter.deliver(what), Sent)
    assert len(world.sent()) == 1


async def test_after_a_crash_between_two_parts_only_the_rest_is_sent(world: World) -> None:
    """The homeserver may have forgotten the transaction meanwhile: the room tells what is there."""
    card = with_pictures(picture(world))
    world.server.faults.add("send", RESET, count=2, after=1)
    assert isinstance(await world.adapter.deliver(delivery(to=world.to, card=card)), Unknown)
    world.server.transactions.clear()
    again = world.again()
    sent = await again.deliver(delivery(to=world.to, card=card, attempts=1, interrupted=True))
    assert isinstance(sent, Sent)
    assert len(sent.messages) == len(world.sent()) == 2
    await again.close()


async def test_a_login_with_a_password_keeps_its_device_and_so_its_transactions(world: World) -> None:
    what = delivery(to=world.to)
    for _ in range(2):
        chosen = settings(world.server, token=None, password=world.server.password)
        adapter = Matrix(chosen, Host(http=world.http, name="Chasqui"))
        assert isinstance(await adapter.deliver(what), Sent)
        await adapter.close()
    assert len(world.sent()) == 1


async def test_a_login_that_lapsed_is_renewed(world: World) -> None:
    chosen = settings(world.server, token=None, password=world.server.password)
    adapter = Matrix(chosen, Host(http=world.http, name="Chasqui"))
    await adapter.deliver(delivery(1, to=world.to))
    world.server.revoke_token()
    assert isinstance(await adapter.deliver(delivery(2, to=world.to)), Sent)
    await adapter.close()


# --- slowly ---


@pytest.mark.parametrize("told", ["both", "header", "body"])
async def test_a_limit_is_kept_and_holds_up_nothing_else(world: World, told: Literal["both", "header", "body"]) -> None:
    world.server.faults.add("send", Limited(5, told))
    outcome = await world.adapter.deliver(delivery(1, to=world.to))
    assert isinstance(outcome, TryLater)
    assert outcome.after == pytest.approx(timedelta(seconds=5), abs=timedelta(seconds=0.5))
    outcome = await world.adapter.deliver(delivery(2, to=world.to))
    assert isinstance(outcome, TryLater)
    assert outcome.paced
    assert len(world.server.asked("send")) == 1
    assert all(check.ok for check in await world.adapter.check())


async def test_a_post_of_several_parts_goes_on_where_the_limit_stopped_it(world: World) -> None:
    card = with_pictures(picture(world), picture(world, "river", "blue"))
    world.server.faults.add("send", Limited(0.2), after=1)
    outcome = await world.adapter.deliver(delivery(to=world.to, card=card))
    assert isinstance(outcome, TryLater)
    sent = await world.adapter.deliver(delivery(to=world.to, card=card, attempts=1))
    assert isinstance(sent, Sent)
    assert [content["msgtype"] for content in world.sent()] == ["m.notice", "m.image", "m.image"]
    assert len(world.server.asked("send")) == 4


# --- not at all ---


async def test_an_encrypted_room_gets_nothing(world: World) -> None:
    world.server.encrypt(world.room)
    outcome = await world.adapter.deliver(delivery(to=world.to))
    assert isinstance(outcome, Gone)
    assert "encrypted" in outcome.reason
    assert world.server.raw(world.room) == []


async def test_a_room_that_shut_us_out_is_paused(world: World) -> None:
    world.server.kick(world.room, world.server.person("sami"), world.server.bot)
    outcome = await world.adapter.deliver(delivery(to=world.to))
    assert isinstance(outcome, Gone)
    assert "Invite me again" in outcome.reason


async def test_a_room_into_which_we_are_invited_is_entered_when_there_is_something_to_say(world: World) -> None:
    """The invitation may not have been read yet: the listener is another loop, perhaps on another machine."""
    room = world.server.add_room(world.server.person("sami"))
    world.server.invite(room, world.server.person("sami"))
    outcome = await world.adapter.deliver(delivery(to=f"matrix:{room.id}"))
    assert isinstance(outcome, Sent)


async def test_whoever_was_shown_out_does_not_come_back_through_an_open_door(world: World) -> None:
    room = world.server.add_room(world.server.person("sami"), members=(world.server.bot,), public=True)
    world.server.kick(room, world.server.person("sami"))
    outcome = await world.adapter.deliver(delivery(to=f"matrix:{room.id}"))
    assert isinstance(outcome, Gone)
    assert world.server.asked("join") == []


async def test_a_room_in_which_we_may_not_speak_is_paused(world: World) -> None:
    room = world.server.add_room(world.server.person("sami"), members=(world.server.bot,), events_default=50)
    outcome = await world.adapter.deliver(delivery(to=f"matrix:{room.id}"))
    assert isinstance(outcome, Gone)
    assert "power level" in outcome.reason


async def test_an_alias_is_a_destination_and_one_that_is_gone_says_so(world: World) -> None:
    alias = world.server.set_alias(world.room, "plaza")
    assert isinstance(await world.adapter.deliver(delivery(to=f"matrix:{alias}")), Sent)
    outcome = await world.adapter.deliver(delivery(2, to="matrix:#nowhere:ayllu.example"))
    assert isinstance(outcome, Gone)


@pytest.mark.parametrize("address", ["", "plaza", "@sami:ayllu.example", "#tag", "!", "https://matrix.to/#/!a"])
async def test_what_is_no_room_is_refused(world: World, address: str) -> None:
    outcome = await world.adapter.deliver(delivery(to=f"matrix:{address}"))
    assert isinstance(outcome, Refused)


async def test_a_room_that_was_upgraded_is_followed(world: World) -> None:
    new = world.server.upgrade(world.room)
    world.server.invite(new, world.server.person("sami"), world.server.bot)
    outcome = await world.adapter.deliver(delivery(to=world.to))
    assert outcome == Moved(delivery(to=f"matrix:{new.id}").destination)


async def test_a_room_that_was_upgraded_without_us_is_paused(world: World) -> None:
    world.server.upgrade(world.room)
    outcome = await world.adapter.deliver(delivery(to=world.to))
    assert isinstance(outcome, Gone)
    assert "replaced" in outcome.reason


async def test_a_refused_token_stops_asking(world: World) -> None:
    world.server.revoke_token()
    for number in (1, 2, 3):
        outcome = await world.adapter.deliver(delivery(number, to=world.to))
        assert isinstance(outcome, TryLater)
        assert outcome.after is not None
        assert outcome.after >= timedelta(minutes=5)


@pytest.mark.parametrize(
    ("fault", "kind"), [(Garbage(200), TryLater), (Garbage(404), TryLater), (Status(502), Unknown), (RESET, Unknown)]
)
async def test_a_proxy_s_answers_lose_nothing(world: World, fault: Any, kind: type[Outcome]) -> None:
    world.server.faults.add("send", fault, count=2 if fault is RESET else 1)
    assert isinstance(await world.adapter.deliver(delivery(to=world.to)), kind)
    assert isinstance(await world.adapter.deliver(delivery(to=world.to, attempts=1)), Sent)
    assert len(world.sent()) == 1


async def test_where_nobody_listens_the_post_waits(world: World) -> None:
    await world.server.stop()
    outcome = await world.adapter.deliver(delivery(to=world.to))
    assert isinstance(outcome, TryLater)
    await world.server.start()
    assert isinstance(await world.adapter.deliver(delivery(to=world.to, attempts=1)), Sent)


async def test_a_full_media_quota_leaves_links(world: World) -> None:
    world.server.quota_full = True
    await world.send(card=with_pictures(picture(world)))
    [words] = world.sent()
    assert "/bridge.png" in words["formatted_body"]


async def test_uploads_that_fail_are_waited_for_and_then_left_out(world: World) -> None:
    world.server.faults.add("upload", Status(502), count=None)
    card = with_pictures(picture(world))
    for attempts in (0, 1):
        outcome = await world.adapter.deliver(delivery(to=world.to, card=card, attempts=attempts))
        assert isinstance(outcome, TryLater)
    assert isinstance(await world.adapter.deliver(delivery(to=world.to, card=card, attempts=2)), Sent)
    assert len(world.sent()) == 1


async def test_an_event_that_is_too_large_is_refused_for_good(world: World) -> None:
    world.server.faults.add("send", Refuse(413, "M_TOO_LARGE", "event too large"))
    assert isinstance(await world.adapter.deliver(delivery(to=world.to)), Refused)


async def test_many_rooms_are_served_beside_each_other(world: World) -> None:
    rooms = [world.server.add_room(world.server.person("sami"), members=(world.server.bot,)) for _ in range(8)]
    whats: list[Delivery] = [delivery(number, to=f"matrix:{room.id}") for number, room in enumerate(rooms)]
    outcomes = await asyncio.gather(*(world.adapter.deliver(one) for one in whats))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)


# --- relay check ---


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda world: world.server.encrypt(world.room), "encrypted"),
        (lambda world: world.server.kick(world.room, world.server.person("sami"), world.server.bot), "invite"),
        (lambda world: world.server.upgrade(world.room), "replaced"),
    ],
    ids=["encrypted", "kicked", "upgraded"],
)
async def test_a_check_says_of_each_room_what_is_in_the_way(world: World, spoil: Any, words: str) -> None:
    where = delivery(to=world.to).destination
    assert all(check.ok for check in await world.adapter.check([where]))
    spoil(world)
    again = world.again()
    own, room = await again.check([where])
    await again.close()
    assert own.ok
    assert not room.ok
    assert words in room.note


async def test_a_check_tells_the_usual_limit_and_how_to_lift_it(world: World) -> None:
    [own] = await world.adapter.check()
    assert "override_ratelimit" in own.note
    assert world.server.bot in own.note


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"token": "wrong"}, "token"),
        ({"token": None, "password": "wrong"}, "password"),
        ({"user": "@somebody:ayllu.example"}, "adapters.matrix.user"),
        ({"homeserver": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"invites": []}, "nobody may invite"),
    ],
)
async def test_a_check_names_what_is_wrong_with_the_settings(world: World, given: dict[str, Any], words: str) -> None:
    adapter = Matrix(settings(world.server, **given), Host(http=world.http, name="Chasqui"))
    own = (await adapter.check())[0]
    await adapter.close()
    assert words in own.note
