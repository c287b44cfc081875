"""The gateway: what happens on Discord while the relay listens, by discord.py.

Only commands and losses come this way. Messages go out over REST, whether the gateway is there or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.discord.interactions import Interactions, Waiting
from adapters.discord.permissions import ADMINISTRATOR, MANAGE_THREADS, names, posting
from adapters.discord.requests import DiscordInteraction, destination
from adapters.discord.settings import DiscordSettings
from adapters.discord.tree import same, tree
from relay.i18n import Words, words
from relay.log import Trouble, get_logger
from relay.plugins import Host
from relay.ports import Inbox
from relay.retrying import Retrying

# --- which channels the relay can no longer post in, from what the gateway tells, told to the inbox once ---

Place = discord.abc.GuildChannel | discord.Thread


class KnownChannels(Protocol):
    """What is remembered of channels elsewhere."""

    def forget(self, channel: str, /) -> None: ...


class LostChannels:
    """Remembers where the relay can post, so that it tells of each channel once, when that ends.

    What ended while nobody listened shows when the next message is refused.
    """

    def __init__(self, inbox: Inbox, channels: KnownChannels, say: Words) -> None:
        self._inbox = inbox
        self._channels = channels
        self._say = say
        self._open: dict[int, set[int]] = {}

    def seen(self, guild: discord.Guild) -> None:
        """Look at a guild for the first time, or after it was away."""
        self._open[guild.id] = {place.id for place in _places(guild) if not self._closed(guild, place)}

    async def changed(self, guild: discord.Guild, *places: Place) -> None:
        """Permissions may have changed: in these channels with their threads, or anywhere in the guild."""
        touched = [*places, *(thread for place in places for thread in getattr(place, "threads", ()))]
        for place in touched:
            self._channels.forget(str(place.id))
        known = self._open.setdefault(guild.id, set())
        by_reason: dict[str, list[int]] = {}
        for place in touched or _places(guild):
            reason = self._closed(guild, place)
            if not reason and getattr(place, "archived", False):
                known.discard(place.id)  # threads are many, and an archived one can do without being watched
            elif not reason:
                known.add(place.id)
            elif place.id in known:
                by_reason.setdefault(reason, []).append(place.id)
                known.discard(place.id)
        for reason, ids in by_reason.items():
            await self._lost(ids, reason)

    async def deleted(self, guild: discord.Guild, channel_id: int, *, thread: bool = False) -> None:
        self._open.get(guild.id, set()).discard(channel_id)
        say = self._say
        await self._lost([channel_id], say("the thread was deleted") if thread else say("the channel was deleted"))

    async def left(self, guild: discord.Guild) -> None:
        """The relay was removed from a guild, or the guild was deleted."""
        self._open.pop(guild.id, None)
        say = self._say
        await self._lost([place.id for place in _places(guild)], say("the relay was removed from the server"))

    async def _lost(self, ids: Iterable[int], reason: str) -> None:
        gone = [str(one) for one in ids]
        for one in gone:
            self._channels.forget(one)
        if gone:
            await self._inbox.lost([destination(one) for one in gone], reason)

    def _closed(self, guild: discord.Guild, place: Place) -> str:
        """Why nothing can be posted there, for people; empty: something can."""
        kind = place.type.value
        may = place.permissions_for(guild.me).value
        say = self._say
        if may & ADMINISTRATOR:
            return ""
        if lacking := posting(kind) & ~may:
            needed = ", ".join(say(name) for name in names(lacking))
            return say("the relay can no longer post there; it needs: {names}").format(names=needed)
        if isinstance(place, discord.Thread) and place.locked and not may & MANAGE_THREADS:
            return say("the thread was locked")
        return ""


def _places(guild: discord.Guild) -> list[Place]:
    return [*guild.channels, *guild.threads]


# --- gateway ---

CLOSING = 1.5
"""Seconds for a polite good-bye."""
LONGEST_PAUSE = timedelta(minutes=5)
"""Between two tries to log in: Discord takes a thousand a day and then changes the token."""
STEADY = timedelta(minutes=1)
"""After so long a connection counts as one that worked."""

_TOKEN = 4004
_FATAL = {
    4010: "Discord does not take the shard",
    4012: "Discord speaks this version of the gateway no more; update discord.py",
    4013: "Discord does not know the intents; update discord.py",
    4014: "Discord does not allow the intents: Developer Portal, your application, Bot",
}
_PASSING = (discord.HTTPException, discord.GatewayNotFound, discord.ConnectionClosed, discord.RateLimited,
            aiohttp.ClientError, OSError, asyncio.TimeoutError)  # fmt: skip

log = get_logger(__name__)


class RestAccount(Protocol):
    """The other half of the bot, which asks over REST with the same token."""

    def refuse(self, reason: str) -> None:
        """The token is not good: stop all requests, and say so once."""
        ...

    def counting(self) -> aiohttp.TraceConfig:
        """Counts a client's requests in the budget of both."""
        ...


class Gateway:
    """One bot's gateway, with as many shards as Discord wants."""

    def __init__(
        self,
        settings: DiscordSettings,
        host: Host,
        api: RestAccount,
        channels: KnownChannels,
        *,
        waiting: Waiting | None = None,
        **options: Any,
    ) -> None:
        """``api`` is told when the token is not good: discord.py logs in by itself. ``options`` are discord.py's."""
        self._settings = settings
        self._host = host
        self._waiting = waiting or Waiting()
        self._api = api
        self._channels = channels
        self._options = options
        self._trouble = Trouble(log)
        self._token = settings.token.get_secret_value()

    async def run(self, inbox: Inbox) -> None:
        """Listen until cancelled. Returns where only a person can help: the log says how."""
        _quiet()
        _point(self._settings)
        tries = Retrying(first=timedelta(seconds=1), longest=LONGEST_PAUSE, steady=STEADY)
        while await self._listen(inbox):
            await tries.wait()

    def client(self, inbox: Inbox) -> discord.AutoShardedClient:
        """A client that is not connected yet."""
        settings = self._settings
        interactions = Interactions(self._host, settings.style, settings.guilds, inbox, self._waiting)
        losses = LostChannels(inbox, self._channels, words(self._host.language))
        options = {"http_trace": self._api.counting(), **self._options}
        return _Client(settings, interactions, losses, self._trouble, gap=self._waiting.identify, **options)

    async def _listen(self, inbox: Inbox) -> bool:
        """One connection, to its end. The answer is whether there is any use in another one."""
        client = self.client(inbox)
        heard = _Heard(self._trouble)
        shards = logging.getLogger("discord.shard")
        shards.addFilter(heard)
        try:
            await client.start(self._token)
        except discord.LoginFailure:
            return self._given_up(_TOKEN)
        except discord.PrivilegedIntentsRequired:
            return self._given_up(4014)
        except _PASSING as error:
            if isinstance(error, discord.ConnectionClosed) and error.code in {_TOKEN, *_FATAL}:
                return self._given_up(error.code)
            self._trouble.broke(GATEWAY, f"{type(error).__name__}: {error}")
        finally:
            shards.removeFilter(heard)
            await _close(client)
        return True

    def _given_up(self, code: int) -> bool:
        if code == _TOKEN:
            self._api.refuse("at the gateway")
        else:
            log.error("commands do not work until this is put right and the relay is restarted", reason=_FATAL[code])
        return False


GATEWAY = "the gateway of discord"
_LOST = "the connection is lost, and is being made again; messages go out meanwhile, commands wait"


class _Client(discord.AutoShardedClient):
    """discord.py's client with the intent ``guilds``, which is enough for commands and for all that may be lost."""

    def __init__(
        self,
        settings: DiscordSettings,
        interactions: Interactions,
        losses: LostChannels,
        trouble: Trouble,
        *,
        gap: float,
        **options: Any,
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            max_ratelimit_timeout=60.0,
            **options,
        )
        self._relay = settings
        self._trouble = trouble
        self._interactions = interactions
        self._losses = losses
        self._gap = gap
        self._strange: set[int] = set()

    async def setup_hook(self) -> None:
        """Between the login and the gateway: what is asked from the first moment on must be known to Discord."""
        if (self._relay.api_url, self._relay.gateway_url) != (_API, _GATEWAY):
            self.shard_count, named, _ = await self.http.get_bot_gateway()
            # Where the number of shards is known, discord.py takes this one, which it has for the whole process.
            address = named if self._relay.gateway_url == _GATEWAY else self._relay.gateway_url
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
        try:
            await self._sync()
        except (discord.HTTPException, discord.RateLimited) as error:
            log.error("the commands could not be given to discord", reason=str(error))  # noqa: TRY400 - no bug of ours

    async def _sync(self) -> None:
        application = self.application_id
        path = "/applications/{application_id}/commands"
        # discord.py's own call does not ask for the localisations, without which nothing can be compared.
        asked = Route("GET", path, application_id=application)
        ours, theirs = tree(), await self.http.request(asked, params={"with_localizations": "true"})
        if same(ours, theirs):
            return
        await self.http.request(Route("PUT", path, application_id=application), json=ours)
        log.info("commands given to discord", count=len(ours))

    async def close(self) -> None:
        await self._interactions.close()
        await super().close()

    # --- the connection ---

    async def before_identify_hook(self, _shard_id: int | None, *, initial: bool = False) -> None:
        if not initial:
            await asyncio.sleep(self._gap)

    async def on_shard_connect(self, shard_id: int) -> None:
        self._trouble.works(GATEWAY, shard=shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        self._trouble.works(GATEWAY, shard=shard_id)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        if not self.is_closed():
            self._trouble.broke(GATEWAY, _LOST, shard=shard_id)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        del args, kwargs  # they may hold an interaction's token
        # discord.py calls this while it handles the exception.
        log.error("an event of discord was not understood", event_name=event_method, exc_info=True)  # noqa: LOG014 - above

    # --- people ---

    async def on_interaction(self, interaction: DiscordInteraction) -> None:
        await self._interactions.handle(interaction)

    # --- places ---

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self._losses.seen(guild)
        if not self._interactions.serves(guild.id) and guild.id not in self._strange:
            self._strange.add(guild.id)
            log.warning("not one of our guilds: nothing is done there", guild=str(guild.id), guild_name=guild.name)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self.on_guild_available(guild)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self._losses.left(guild)

    async def on_guild_update(self, _before: discord.Guild, after: discord.Guild) -> None:
        await self._losses.changed(after)

    async def on_guild_channel_create(self, channel: discord.abc.GuildChannel) -> None:
        await self._losses.changed(channel.guild, channel)

    async def on_guild_channel_update(self, _before: object, after: discord.abc.GuildChannel) -> None:
        await self._losses.changed(after.guild, after)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self._losses.deleted(channel.guild, channel.id)

    async def on_thread_create(self, thread: discord.Thread) -> None:
        await self._losses.changed(thread.guild, thread)

    async def on_thread_update(self, _before: object, after: discord.Thread) -> None:
        await self._losses.changed(after.guild, after)

    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        guild = self.get_guild(event.guild_id)
        if guild is not None:
            await self._losses.deleted(guild, event.thread_id, thread=True)

    async def on_guild_role_update(self, _before: discord.Role, after: discord.Role) -> None:
        await self._losses.changed(after.guild)

    async def on_guild_role_delete(self, role: discord.Role) -> None:
        await self._losses.changed(role.guild)

    async def on_member_update(self, _before: discord.Member, after: discord.Member) -> None:
        """Discord tells of ourselves without the intent for members: a role was given or taken."""
        if after == after.guild.me:
            await self._losses.changed(after.guild)


# --- discord.py as we want it ---

_API: str = DiscordSettings.model_fields["api_url"].default
_GATEWAY: str = DiscordSettings.model_fields["gateway_url"].default


def _point(settings: DiscordSettings) -> None:
    """Set the API's address, where it is not Discord's: discord.py has it for the whole process."""
    if settings.api_url != _API:
        Route.BASE = settings.api_url


def _quiet() -> None:
    """At DEBUG discord.py writes addresses that are passwords: those of webhooks and of interactions."""
    logging.getLogger("discord").setLevel(logging.WARNING)
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody wants to speak here


class _Heard(logging.Filter):
    """discord.py tells of each try to connect, with a traceback; we say once that it broke, and once that it works."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self._trouble = trouble

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            self._trouble.broke(GATEWAY, _LOST)
        return record.levelno < logging.ERROR


async def _close(client: discord.AutoShardedClient, within: float = CLOSING) -> None:
    """Say good-bye, but not for ever: a server that does not answer holds a closing socket for ten seconds."""
    with suppress(*_PASSING):
        async with asyncio.timeout(within):  # ``wait_for`` swallows a cancellation that comes as the client is closed
            await client.close()
    await client.http.close()
