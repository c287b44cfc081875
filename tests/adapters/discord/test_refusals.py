"""What Discord refuses, and what the outbox is answered: a table, and the loopback Discord saying so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from adapters.discord.api import DiscordApi, DiscordMaybeSent, DiscordNotSent, DiscordReply, Result
from adapters.discord.channels import Channel as Facts
from adapters.discord.channels import Channels
from adapters.discord.outcomes import is_closed, outcome_of
from adapters.discord.settings import DiscordOptions
from relay.model import Action, Card, LinkCard, Media, MediaKind
from relay.ports import Gone, Moved, Outcome, Refused, Sent, TryLater, Unknown
from relay.testing import author, delivery, in_thread, post, text
from tests.servers.discord import (
    LOST,
    RESET,
    DiscordServer,
    Global,
    Permission,
    Shared,
    Status,
    buttons_of,
    text_of,
)
from tests.support.discord_world import (
    CREATE,
    LOOKS,
    again,
    refusing,
    thread_of,
    to,
    world,
)

# --- refusals ---


async def test_a_channel_that_refuses_twice_is_closed_with_words_for_people() -> None:
    async with world() as (server, adapter):
        server.allow(server.channel, LOOKS)
        first = await adapter.deliver(to(server.channel))
        assert isinstance(first, TryLater)
        assert first.after == timedelta(seconds=30)
        second = await adapter.deliver(to(server.channel, attempts=1))
        assert isinstance(second, Gone)
        assert "#general" in second.reason
        assert "Send Messages" in second.reason
        assert "/resume" in second.reason


@pytest.mark.parametrize("loss", ["channel", "guild", "view"])
async def test_what_is_gone_is_gone_after_the_second_look(loss: str) -> None:
    async with world() as (server, adapter):
        guild = server.add_guild()
        channel = server.add_channel("far", guild=guild)
        if loss == "channel":
            server.remove_channel(channel)
        elif loss == "guild":
            server.remove_guild(guild)
        else:
            server.allow(channel, 0)
        assert isinstance(await adapter.deliver(to(channel)), TryLater)
        outcome = await adapter.deliver(to(channel, attempts=1))
        assert isinstance(outcome, Gone)
        assert outcome.reason


async def test_a_success_between_two_refusals_begins_anew() -> None:
    async with world() as (server, adapter):
        for number in (1, 2):
            server.allow(server.channel, LOOKS)
            assert isinstance(await adapter.deliver(to(server.channel, number)), TryLater)
            server.allow(server.channel, Permission.USUAL)
            assert isinstance(await adapter.deliver(to(server.channel, number)), Sent)


async def test_a_refused_token_holds_every_delivery_and_asks_no_more() -> None:
    async with world() as (server, adapter):
        server.revoke_token()
        with structlog.testing.capture_logs() as lines:
            outcomes = [await adapter.deliver(to(server.channel, number)) for number in (1, 2, 3)]
        assert all(isinstance(one, TryLater) and one.after == timedelta(minutes=5) for one in outcomes)
        assert isinstance(outcomes[-1], TryLater)
        assert "token" in outcomes[-1].reason
        assert [line["log_level"] for line in lines] == ["error"]
        assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Global(9.0), Shared(9.0)])
async def test_a_429_is_tried_when_discord_says(fault: Any) -> None:
    async with world() as (server, adapter):
        server.faults.add(CREATE, fault)
        outcome = await adapter.deliver(to(server.channel))
        assert isinstance(outcome, TryLater)
        assert outcome.after is not None
        assert timedelta(seconds=8) < outcome.after <= timedelta(seconds=10)
        held = await adapter.deliver(to(server.channel, attempts=1))
        assert isinstance(held, TryLater)
        assert server.too_many == 1


async def test_components_that_discord_fails_at_become_an_embed_after_the_third_time() -> None:
    async with world() as (server, adapter):
        server.faults.add(CREATE, Status(500), count=3)
        for attempts in range(3):
            assert isinstance(await adapter.deliver(to(server.channel, attempts=attempts)), Unknown)
        sent = await adapter.deliver(to(server.channel, attempts=3))
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith("embed/")
        assert isinstance(await adapter.deliver(to(server.channel, 2)), Sent)
        assert server.messages(server.channel)[1]["components"][0]["type"] == 17, "the next one is a card again"


async def test_what_discord_made_in_spite_of_its_failures_keeps_its_style() -> None:
    """The fallback's nonce is known: Discord answers with the card of the first try, so it is edited as a card."""
    async with world() as (server, adapter):
        server.faults.add(CREATE, Status(500, committed=True), count=3)
        for attempts in range(3):
            await adapter.deliver(to(server.channel, attempts=attempts))
        sent = await adapter.deliver(to(server.channel, attempts=3))
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith("card/")
        assert isinstance(await adapter.deliver(again(server.channel, sent, Action.EDIT)), Sent)
        assert len(server.messages(server.channel)) == 1


async def test_failures_at_other_questions_do_not_change_the_style() -> None:
    async with world() as (server, adapter):
        server.faults.add("GET /channels/*", Status(500), count=3)
        for attempts in range(3):
            assert isinstance(await adapter.deliver(to(server.channel, attempts=attempts)), Unknown)
        sent = await adapter.deliver(to(server.channel, attempts=3))
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith("card/")


async def test_an_edit_that_discord_fails_at_is_given_up_after_the_third_time() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.channel))
        server.faults.add("PATCH /channels/*/messages/*", Status(500), count=None)
        outcomes = [await adapter.deliver(again(server.channel, sent, Action.EDIT)) for _ in range(4)]
        assert [type(one) for one in outcomes] == [Unknown] * 3 + [Refused]


async def test_another_server_than_the_allowed_ones_is_none_of_ours() -> None:
    async with world(guilds=("1",)) as (server, adapter):
        assert isinstance(await adapter.deliver(to(server.channel)), Gone)
        assert server.messages(server.channel) == []


async def test_a_category_is_no_place_to_post_in() -> None:
    async with world() as (server, adapter):
        assert isinstance(await adapter.deliver(to(server.add_channel("box", kind=4))), Gone)


@pytest.mark.parametrize("address", ["discord", "discord:general", "discord:#general", "discord:12x", "discord:١٢"])
async def test_what_is_no_channel_number_is_refused_with_words_for_people(address: str) -> None:
    async with world() as (server, adapter):
        outcome = await adapter.deliver(delivery(to=address))
        assert isinstance(outcome, Refused)
        assert "Copy Channel ID" in outcome.reason
        assert server.requests == []


def said(status: int, code: int = 0, after: float | None = None) -> DiscordReply:
    retry = None if after is None else timedelta(seconds=after)
    return DiscordReply(status=status, code=code, message="Discord's words", retry_after=retry)


@pytest.mark.parametrize(
    ("result", "outcome", "after", "closed"),
    [
        (DiscordNotSent("no route"), TryLater, None, False),
        (DiscordNotSent("the channel's pace", timedelta(seconds=3)), TryLater, 3, False),
        (DiscordMaybeSent("timed out"), Unknown, None, False),
        (said(400, 50035), Refused, None, False),
        (said(400, 50006), Refused, None, False),
        (said(400, 240000), Refused, None, False),
        (said(403, 240000), Refused, None, False),
        (said(400, 200000), Refused, None, False),
        (said(400, 50083), Refused, None, False),
        (said(403, 50005), Refused, None, False),
        (said(413, 40005), Refused, None, False),
        (said(401), TryLater, 300, False),
        (said(401, 50027), TryLater, None, False),
        (said(404, 10015), TryLater, None, False),
        (said(403, 50001), TryLater, 30, True),
        (said(403, 50013), TryLater, 30, True),
        (said(404, 10003), TryLater, 30, True),
        (said(404, 10004), TryLater, 30, True),
        (said(404), TryLater, 30, True),
        (said(403), TryLater, 300, False),
        (said(403, 40333), TryLater, 300, False),
        (said(404, 10008), Refused, None, False),
        (said(429, 0, 2.5), TryLater, 2.5, False),
        (said(429, 0, 0.0), TryLater, 0, False),
        (said(429, 30046), TryLater, 60, False),
        (said(429, 30046, 7), TryLater, 7, False),
        (said(400, 30046), TryLater, 60, False),
        (said(403, 20022), TryLater, 60, False),
        (said(403, 20028), TryLater, 60, False),
        (said(429, 20029, 9), TryLater, 9, False),
        (said(500), Unknown, None, False),
        (said(502), Unknown, None, False),
        (said(504), Unknown, None, False),
        (said(503), TryLater, None, False),
    ],
)
def test_each_failure_has_its_outcome(
    result: Result, outcome: type[Outcome], after: float | None, closed: bool
) -> None:
    found = outcome_of(result)
    assert type(found) is outcome
    if isinstance(found, TryLater):
        assert found.after == (None if after is None else timedelta(seconds=after))
    assert isinstance(found, Sent | Moved) or found.reason
    assert is_closed(result) == closed


# --- what is in a message ---


LOOM = "https://ayllu.example/loom.png"
AVATAR = "https://ayllu.example/face.png"
PREVIEW = "https://ayllu.example/preview.png"


def woven(**changes: Any) -> Card:
    """The card of a thread's post with all that has an address of its own."""
    shown = post(
        1,
        author=replace(author(), avatar=AVATAR),
        media=(Media(url=LOOM, kind=MediaKind.IMAGE, alt="The loom of the village"),),
        link_card=LinkCard(url="https://ayllu.example/page", title="A page", image=PREVIEW),
        **changes,
    )
    return replace(in_thread(1, 4), post=shown)


@pytest.mark.parametrize("style", ["card", "embed", "webhook"])
@pytest.mark.parametrize("address", [LOOM, AVATAR, PREVIEW, in_thread(1, 4).unroll])
async def test_whatever_is_refused_in_a_message_its_words_come_once_with_links(style: str, address: str) -> None:
    async with world(style=style) as (server, adapter):
        server.bad_urls.add(address)
        sent = await adapter.deliver(to(server.channel, card=woven()))
        assert isinstance(sent, Sent)
        (message,) = server.messages(server.channel)
        told = text_of(message)
        assert "The loom of the village" in told
        if len(buttons_of(message)) == 0:
            assert all(f"(<{url}>)" in told for url in (LOOM, post(1).url, in_thread(1, 4).unroll))
        changed = woven(body=text("Changed."))
        assert isinstance(await adapter.deliver(again(server.channel, sent, Action.EDIT, card=changed)), Sent)
        (message,) = server.messages(server.channel)
        assert "Changed." in text_of(message)
        assert "The loom of the village" in str(message)


async def test_where_an_author_s_name_is_refused_the_post_comes_under_the_relay_s_own() -> None:
    async with world(style="webhook") as (server, adapter):
        server.bad_urls.add("Illa · via Chasqui")
        sent = await adapter.deliver(to(server.channel, card=woven()))
        assert isinstance(sent, Sent)
        (message,) = server.messages(server.channel)
        assert message["author"]["id"] == server.bot_id
        assert "Illa" in text_of(message)
        assert "The loom of the village" in text_of(message)
        changed = woven(body=text("Changed."))
        assert isinstance(await adapter.deliver(again(server.channel, sent, Action.EDIT, card=changed)), Sent)
        assert "Changed." in text_of(server.messages(server.channel)[0])


async def test_a_message_without_what_was_refused_is_found_again_and_not_sent_twice() -> None:
    async with world() as (server, adapter):
        server.bad_urls.add(LOOM)
        card = woven(url="https://ayllu.example/a_(rope)_bridge")
        first = await adapter.deliver(to(server.channel, card=card))
        again_ = await adapter.deliver(to(server.channel, card=card, interrupted=True))
        assert isinstance(first, Sent)
        assert isinstance(again_, Sent)
        assert first.messages == again_.messages
        assert len(server.messages(server.channel)) == 1


@pytest.mark.parametrize("fault", [Status(500), Status(403), Status(404), LOST, RESET, Global(9.0)])
async def test_a_message_is_sent_without_its_pictures_only_where_an_answer_refuses_it(fault: Any) -> None:
    async with world() as (server, adapter):
        server.faults.add(CREATE, fault)
        assert not isinstance(await adapter.deliver(to(server.channel, card=woven())), Sent)
        assert len(server.asked(CREATE)) == 1


async def test_what_is_refused_without_pictures_too_is_refused() -> None:
    async with refusing("/messages", 400, 240000) as (server, adapter):
        assert isinstance(await adapter.deliver(to(server.channel)), Refused)


# --- what the loopback Discord does not refuse by itself ---


async def test_too_many_threads_in_a_server_means_to_go_on_in_the_channel() -> None:
    async with refusing("/threads", 400, 160006) as (server, adapter):
        await thread_of(adapter, server.channel, 3)
        assert len(server.messages(server.channel)) == 3


async def test_too_many_webhooks_in_a_channel_means_a_card() -> None:
    async with refusing("/webhooks", 400, 30007, style="webhook") as (server, adapter):
        sent = await adapter.deliver(to(server.channel))
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith("card/")


async def test_what_was_published_before_is_published() -> None:
    async with refusing("/crosspost", 400, 40033, crosspost=True) as (server, adapter):
        news = server.add_channel("news", kind=5)
        with structlog.testing.capture_logs() as lines:
            assert isinstance(await adapter.deliver(to(news)), Sent)
        assert lines == []


async def test_a_channel_is_asked_for_once_in_ten_minutes_or_after_a_change() -> None:
    async with DiscordServer() as server:
        now = 1000.0
        api = DiscordApi(SecretStr(server.token), server.api_url)
        channels = Channels(api, clock=lambda: now)
        for _ in range(3):
            facts = await channels.get(server.channel.id)
        assert isinstance(facts, Facts)
        assert (facts.kind, facts.name, facts.guild) == (0, "general", server.guild.id)
        asked = [len(server.asked("GET /channels/*"))]
        now += 601
        await channels.get(server.channel.id)
        asked.append(len(server.asked("GET /channels/*")))
        channels.forget(server.channel.id)
        channels.forget("never heard of")
        await channels.get(server.channel.id)
        asked.append(len(server.asked("GET /channels/*")))
        await api.close()
    assert asked == [1, 2, 3]


def test_options_are_read_as_they_were_given() -> None:
    assert DiscordOptions.read("") == DiscordOptions()
    read = DiscordOptions.read('{"style": "embed", "mention_role": 123, "crosspost": true}')
    assert read == DiscordOptions(style="embed", mention_role="123", crosspost=True)
