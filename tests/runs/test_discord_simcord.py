"""simcord, which knows Discord's rules, judges the bot: rights, three seconds, one answer, for one pair of eyes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import discord
import pytest
import simcord
from pydantic import SecretStr

from adapters.discord.api import DiscordApi
from adapters.discord.gateway import Gateway
from adapters.discord.interactions import Waiting
from adapters.discord.settings import DiscordSettings
from relay.model import Card, Destination
from relay.plugins import Host
from relay.ports import Answer, Choice, Command, Question, Suggestion
from relay.testing import FakeInbox, post, text

HOST = Host(http=cast("Any", None), name="Chasqui", colours={"fake": 0x6364FF})
Overwrites = dict[Any, discord.PermissionOverwrite]
MANAGER = discord.Permissions(manage_channels=True)


@dataclass
class Forgotten:
    """Stands for the channels that are remembered elsewhere."""

    ids: list[str] = field(default_factory=list)

    def forget(self, channel: str, /) -> None:
        self.ids.append(channel)


@dataclass
class SlowInbox(FakeInbox):
    """Thinks for some seconds of simcord's clock."""

    seconds: float = 5.0

    async def answer(self, command: Command) -> Answer:
        self.commands.put_nowait(command)
        await asyncio.sleep(self.seconds)
        return self.reply


class BrokenInbox(FakeInbox):
    async def answer(self, command: Command) -> Answer:
        raise RuntimeError(f"a bug of ours, with {command.name}")

    async def suggest(self, question: Question) -> Sequence[Suggestion]:
        raise RuntimeError(f"a bug of ours, with {question.typed}")


@dataclass
class Stage:
    """A guild, its channel, somebody who may manage channels and somebody who may not."""

    env: simcord.Env
    inbox: FakeInbox
    channels: Forgotten
    guild: simcord.GuildHandle
    channel: simcord.ChannelHandle
    sami: simcord.MemberActor
    illa: simcord.MemberActor

    def command(self) -> Command:
        return self.inbox.commands.get_nowait()


def client(
    inbox: FakeInbox, channels: Forgotten | None = None, waiting: Waiting | None = None, **settings: Any
) -> discord.AutoShardedClient:
    given = DiscordSettings(token=SecretStr("made-up"), **settings)
    api = DiscordApi(given.token, given.api_url)
    return Gateway(given, HOST, api, channels or Forgotten(), waiting=waiting).client(inbox)


@asynccontextmanager
async def staged(inbox: FakeInbox | None = None, **settings: Any) -> AsyncIterator[Stage]:
    """simcord holds its clock in the context of one task: a fixture of pytest would end it in another."""
    heard = inbox or FakeInbox()
    channels = Forgotten()
    async with simcord.run(client(heard, channels, **settings), shard_count=1) as env:
        yield _stage(env, heard, channels)


def _stage(env: simcord.Env, inbox: FakeInbox, channels: Forgotten) -> Stage:
    guild = env.create_guild("Qeswachaka")
    channel = guild.create_text_channel("general")
    role = guild.create_role("Managers", permissions=MANAGER)
    return Stage(
        env=env,
        inbox=inbox,
        channels=channels,
        guild=guild,
        channel=channel,
        sami=guild.add_member(env.create_user("sami"), roles=[role]),
        illa=guild.add_member(env.create_user("illa")),
    )


async def test_a_command_arrives_with_all_that_only_discord_knows() -> None:
    async with staged() as stage:
        result = await stage.sami.slash(stage.channel, "subscribe", topic="#Qeswachaka", only="media")
        assert stage.command() == Command(
            name="subscribe",
            arguments={"topic": "#Qeswachaka", "only": "media"},
            destination=Destination("discord", str(stage.channel.id)),
            community=str(stage.guild.id),
            user=f"discord:{stage.sami.id}",
            language="en-US",
            may_manage=True,
        )
        assert result.response is not None
        assert result.ephemeral
        assert not result.deferred
        assert result.response.content == "Understood."


async def test_who_may_not_manage_channels_does_not_even_see_what_changes_something() -> None:
    async with staged() as stage:
        assert {"help", "status", "preview", "unroll", "subscriptions"} == set(
            stage.illa.available_commands(stage.channel)
        )
        with pytest.raises(simcord.SetupError, match="default-member-permissions"):
            await stage.illa.slash(stage.channel, "subscribe", topic="#Qeswachaka")
        await stage.illa.slash(stage.channel, "help")
        assert not stage.command().may_manage


async def test_rights_are_those_in_the_channel_that_is_meant() -> None:
    """Who manages one channel does not manage another."""
    async with staged() as stage:
        denied: Overwrites = {stage.sami: discord.PermissionOverwrite(manage_channels=False)}
        other = stage.guild.create_text_channel("elsewhere", overwrites=denied)
        await stage.sami.slash(stage.channel, "subscriptions", channel=other)
        command = stage.command()
        assert command.destination.address == str(other.id)
        assert not command.may_manage
        assert command.arguments == {}


async def test_where_the_relay_may_not_post_the_obstacle_is_told() -> None:
    async with staged() as stage:
        denied: Overwrites = {stage.guild.default_role: discord.PermissionOverwrite(send_messages=False)}
        silent = stage.guild.create_text_channel("silent", overwrites=denied)
        for here, meant in ((silent, {}), (stage.channel, {"channel": silent})):
            await stage.sami.slash(here, "subscribe", topic="#Qeswachaka", **meant)
            assert "Send Messages" in stage.command().obstacle


async def test_an_answer_that_takes_its_time_is_promised_and_comes() -> None:
    async with staged(SlowInbox(reply=Answer(text=text("At last.")))) as stage:
        result = await stage.sami.slash(stage.channel, "unroll", url="https://ayllu.example/@illa/1")
        assert result.deferred
        await stage.env.advance_time(6)
        assert result.ephemeral
        assert result.response is not None
        assert result.response.content == "At last."


async def test_an_answer_that_never_comes_is_given_up_before_discord_does() -> None:
    assert Waiting().life < 15 * 60
    async with staged(SlowInbox(seconds=3600), waiting=Waiting(patience=0.01)) as stage:
        result = await stage.sami.slash(stage.channel, "unroll", url="https://ayllu.example/@illa/1")
        await stage.env.advance_time(14 * 60 + 5)
        assert result.response is not None
        assert "took too long" in result.response.content


async def test_a_bug_of_ours_is_answered_too() -> None:
    async with staged(BrokenInbox()) as stage:
        result = await stage.sami.slash(stage.channel, "help")
        assert result.response is not None
        assert "Something went wrong" in result.response.content
        assert await stage.sami.autocomplete(stage.channel, "subscribe", "topic", "#Q") == []


async def test_while_a_person_types_suggestions_come_as_discord_takes_them() -> None:
    offered = [
        Suggestion("#Qeswachaka", "#Qeswachaka"),
        Suggestion("long" * 50, "short"),
        Suggestion("too long to be a value", "x" * 101),
        *(Suggestion(str(number), str(number)) for number in range(30)),
    ]
    async with staged(FakeInbox(suggestions=offered)) as stage:
        told = await stage.sami.autocomplete(stage.channel, "unsubscribe", "topic", "#Q")
        assert len(told) == 25
        assert told[0] == {"name": "#Qeswachaka", "value": "#Qeswachaka"}
        assert told[1]["value"] == "short"
        assert len(told[1]["name"]) == 100
        assert stage.inbox.questions == [
            Question(
                command="unsubscribe",
                parameter="topic",
                typed="#Q",
                destination=Destination("discord", str(stage.channel.id)),
                community=str(stage.guild.id),
                language="en-US",
            )
        ]


async def test_suggestions_are_for_the_channel_that_is_named() -> None:
    async with staged() as stage:
        other = stage.guild.create_text_channel("other")
        await stage.sami.autocomplete(stage.channel, "unsubscribe", "topic", "#", channel=other)
        assert stage.inbox.questions[0].destination.address == str(other.id)


async def test_the_menu_of_a_message_unrolls_its_first_link() -> None:
    async with staged() as stage:
        said = await stage.illa.send(
            stage.channel, "look, (https://ayllu.example/@illa/1). And https://ayllu.example/2"
        )
        await stage.illa.context_menu(stage.channel, "Unroll thread", said)
        command = stage.command()
        assert (command.name, command.arguments) == ("unroll", {"url": "https://ayllu.example/@illa/1"})


async def test_the_menu_of_a_message_without_a_link_says_so() -> None:
    async with staged() as stage:
        said = await stage.illa.send(stage.channel, "a rope bridge")
        result = await stage.illa.context_menu(stage.channel, "Unroll thread", said)
        assert result.response is not None
        assert "That message has no link" in result.response.content
        assert stage.inbox.commands.empty()


async def test_a_button_asks_for_what_it_says_about_the_channel_that_was_asked_about() -> None:
    reply = Answer(text=text("Done."), choices=(Choice("Show the latest three", "preview #Qeswachaka"),))
    async with staged(FakeInbox(reply=reply)) as stage:
        denied: Overwrites = {stage.sami: discord.PermissionOverwrite(manage_channels=False)}
        other = stage.guild.create_text_channel("elsewhere", overwrites=denied)
        shown = await stage.sami.slash(stage.channel, "status", channel=other)
        assert shown.response is not None
        stage.command()
        pressed = await stage.sami.click(shown.response, label="Show the latest three")
        command = stage.command()
        assert (command.name, command.arguments) == ("preview", {"topic": "#Qeswachaka"})
        assert command.destination.address == str(other.id)
        assert not command.may_manage
        assert pressed.ephemeral
        kept = [task for task in asyncio.all_tasks() if "timeout" in repr(task.get_coro())]
        assert not kept, "discord.py would hold each answer for a quarter of an hour"


async def test_posts_in_an_answer_are_shown_as_they_would_be_sent_for_one_pair_of_eyes() -> None:
    reply = Answer(text=text("The last ones:"), cards=tuple(Card(post=post(n), reason="#x") for n in range(7)))
    async with staged(FakeInbox(reply=reply)) as stage:
        result = await stage.illa.slash(stage.channel, "preview", topic="#Qeswachaka")
        assert len(result.followups) == 5
        assert all(shown.ephemeral and shown.flags.components_v2 for shown in result.followups)
        assert "Post number 3." in json.dumps(result.followups[3].components)


async def test_who_may_not_mention_a_role_cannot_have_the_relay_do_it() -> None:
    async with staged() as stage:
        role = stage.guild.create_role("Weavers")
        result = await stage.sami.slash(stage.channel, "subscribe", topic="#x", mention_role=role)
        assert result.response is not None
        assert "You are not allowed to mention this role" in result.response.content
        assert stage.inbox.commands.empty()
        everyone = await stage.sami.slash(stage.channel, "subscribe", topic="#x", mention_role=stage.guild.default_role)
        assert everyone.response is not None
        assert "I can mention one role" in everyone.response.content


async def test_discords_own_options_travel_as_options() -> None:
    async with staged() as stage:
        await stage.sami.slash(
            stage.channel, "settings", topic="1", style="embed", crosspost=False, mention_nobody=True
        )
        command = stage.command()
        assert command.arguments == {"topic": "1"}
        assert json.loads(command.options) == {"style": "embed", "crosspost": False, "mention_role": None}


async def test_a_guild_that_is_not_ours_is_told_so() -> None:
    async with staged(guilds=("1",)) as stage:
        result = await stage.sami.slash(stage.channel, "subscribe", topic="#x")
        assert result.response is not None
        assert result.response.content == "This relay is not set up for this server."
        assert await stage.sami.autocomplete(stage.channel, "subscribe", "topic", "#Q") == []
        assert stage.inbox.commands.empty()
        assert not stage.inbox.questions


async def test_the_commands_are_given_to_discord_only_when_they_changed() -> None:
    async with staged() as stage:
        await stage.env.restart_bot(client(stage.inbox))
        asked = [one.method for one in stage.env.http_requests if one.path.endswith("/commands")]
        assert asked == ["GET", "PUT", "GET"]
