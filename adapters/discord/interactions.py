"""Everything that a person does with the relay on Discord gets an answer, in time, for their eyes only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import discord
from discord import app_commands, ui

from adapters.discord.card import in_markdown, message
from adapters.discord.requests import DiscordInteraction, command_in, custom_id, question_in
from adapters.discord.settings import Style
from adapters.discord.style import DiscordStyle
from relay.i18n import Words, words
from relay.kit import answered, shortened
from relay.log import get_logger
from relay.model import Card
from relay.plugins import Host
from relay.ports import Answer, Choice, Inbox, Refused, Suggestion
from relay.rich import Block, Span, Text

# --- what the relay answers, as messages of Discord that the asker alone sees ---

CONTENT = 2000
MOST_PAGES = 5
MOST_CARDS = 5
MOST_CHOICES = 25
MOST_SUGGESTIONS = 25

INSTEAD = "instead"
"""What to show where Discord refuses the body that has this."""

Body = dict[str, Any]


def bodies(answer: Answer, about: str, look: DiscordStyle, colours: Mapping[str, int]) -> list[Body]:
    """The messages of an answer, in order: its text, with the buttons under the last of it, then the cards.

    ``about`` is the channel that was asked about; ``look`` is how posts would be sent there.
    """
    pages: list[Body] = [{"content": content} for content in _pages(answer.text)]
    if rows := _rows(answer.choices[:MOST_CHOICES], about):
        pages[-1]["components"] = rows
    return [*pages, *(_shown(card, look, colours) for card in answer.cards[:MOST_CARDS])]


def said(text: str) -> list[Body]:
    """A sentence of our own, as the messages of an answer."""
    return [{"content": content} for content in _pages((Block((Span(text),)),))]


def choices(suggestions: Iterable[Suggestion]) -> list[tuple[str, str]]:
    """(name, value), as Discord takes them: a name that is too long is cut, a value cannot be."""
    fitting = [one for one in suggestions if 1 <= len(one.value) <= 100]
    return [(shortened(one.label or one.value, 100), one.value) for one in fitting[:MOST_SUGGESTIONS]]


def _pages(text: Text) -> list[str]:
    said = [in_markdown(page)[:CONTENT] for page in _split(text)]
    return [content for content in said if content.strip()][:MOST_PAGES] or ["…"]


def _split(text: Text) -> Iterator[Text]:
    """Between blocks, as late as the limit allows: a list of subscriptions is longer than one message."""
    page: tuple[Block, ...] = ()
    for block in text:
        if page and len(in_markdown((*page, block))) > CONTENT:
            yield page
            page = ()
        page = (*page, block)
    yield page


def _rows(asked: Sequence[Choice], about: str) -> list[Body]:
    buttons = [
        {"type": 2, "style": 2, "label": shortened(one.label, 80), "custom_id": custom_id(about, one.line)[:100]}
        for one in asked
    ]
    return [{"type": 1, "components": buttons[start : start + 5]} for start in range(0, len(buttons), 5)]


def _shown(card: Card, look: DiscordStyle, colours: Mapping[str, int]) -> Body:
    """An answer comes from the relay and cannot bear the author's name and picture: the card says whose post it is."""
    style = "card" if look.style == "webhook" else look.style
    usual = replace(look, style=style, colour=colours.get(card.post.source), mention_role="")
    shown, plain = (message(card, one) for one in (usual, replace(usual, plain=True)))
    return _said(shown) | {INSTEAD: _said(plain)}


def _said(drawn: Body) -> Body:
    return {key: drawn[key] for key in ("content", "embeds", "components", "flags") if key in drawn}


# --- interactions ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """In seconds."""

    patience: float = 1.5
    """Until “thinking…” is said. Discord waits for three, counted from the press of the key and not from here."""
    typing: float = 2.0
    """For suggestions; later ones are no use to anybody who types."""
    life: float = 14 * 60.0
    """Until an answer comes too late: Discord takes it for a quarter of an hour."""
    identify: float = 5.0
    """Between two shards that begin a session: Discord allows one in so long."""


_V2 = 1 << 15
_FAILED = (discord.DiscordException, aiohttp.ClientError, OSError, asyncio.TimeoutError)

log = get_logger(__name__)


class Interactions:
    """Answers all interactions of one connection. ``style`` is how posts look where nobody chose otherwise."""

    def __init__(self, host: Host, style: Style, guilds: Sequence[str], inbox: Inbox, waiting: Waiting) -> None:
        self._host = host
        self._waiting = waiting
        self._style = style
        self._guilds = frozenset(guilds)
        self._inbox = inbox
        self._running: set[asyncio.Task[Any]] = set()

    def serves(self, guild_id: object) -> bool:
        return not self._guilds or str(guild_id) in self._guilds

    async def handle(self, interaction: DiscordInteraction) -> None:
        """Answer one. Raises nothing: an answer that Discord does not take is told to the log."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has one
        self._running.add(task)
        try:
            await self._handle(interaction)
        except _FAILED as error:
            # Another error's text may hold the address, and with it the token of the interaction.
            reason = str(error) if isinstance(error, discord.DiscordException) else type(error).__name__
            log.warning("an answer was not taken", kind=interaction.type.name, reason=reason)
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """Give up on what is still being answered."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _handle(self, interaction: DiscordInteraction) -> None:
        if interaction.type is discord.InteractionType.autocomplete:
            await self._suggest(interaction)
        elif interaction.type in {discord.InteractionType.application_command, discord.InteractionType.component}:
            await self._answer(interaction)

    async def _suggest(self, interaction: DiscordInteraction) -> None:
        question = question_in(interaction) if self.serves(interaction.guild_id) else None
        suggestions: list[tuple[str, str]] = []
        if question is not None:
            try:
                suggestions = choices(await asyncio.wait_for(self._inbox.suggest(question), self._waiting.typing))
            except Exception as error:  # noqa: BLE001 - whatever it was, the person goes on typing without
                log.warning("no suggestions", command=question.command, reason=f"{type(error).__name__}: {error}")
        await interaction.response.autocomplete(
            [app_commands.Choice(name=name, value=value) for name, value in suggestions]
        )

    async def _answer(self, interaction: DiscordInteraction) -> None:
        say = words(interaction.locale.value)
        working = asyncio.ensure_future(self._answered(interaction, say))
        try:
            await asyncio.wait({working}, timeout=self._waiting.patience)
            if not working.done():
                await interaction.response.defer(ephemeral=True, thinking=True)
            shown = await working
        finally:
            working.cancel()
        await _send(interaction, shown)

    async def _answered(self, interaction: DiscordInteraction, say: Words) -> list[Body]:
        """The messages to show, whatever happens meanwhile."""
        shown = await answered(self._worked_out(interaction, say), say, within=self._waiting.life)
        return said(shown.reason) if isinstance(shown, Refused) else shown

    async def _worked_out(self, interaction: DiscordInteraction, say: Words) -> list[Body]:
        if not interaction.guild_id:
            return said(say("I only work in servers, not in direct messages."))
        if not self.serves(interaction.guild_id):
            return said(say("This relay is not set up for this server."))
        command = command_in(interaction, say, self._style)
        if isinstance(command, Refused):
            return said(command.reason)
        answer: Answer = await self._inbox.answer(command)
        return bodies(answer, command.destination.address, self._look(interaction, say), self._host.colours)

    def _look(self, interaction: DiscordInteraction, say: Words) -> DiscordStyle:
        nsfw = getattr(interaction.channel, "is_nsfw", None)
        return DiscordStyle(
            style=self._style,
            age_restricted=bool(nsfw and nsfw()),
            say=say,
            colour=None,
            relay=self._host.name,
        )


async def _send(interaction: DiscordInteraction, shown: Sequence[Body]) -> None:
    """The first is the answer, whether “thinking…” stands there or not yet; the others follow it."""
    first, *others = shown
    if interaction.response.is_done():
        await interaction.edit_original_response(**_arguments(first))
    else:
        await interaction.response.send_message(ephemeral=True, **_arguments(first))
    for body in others:
        try:
            await interaction.followup.send(ephemeral=True, **_arguments(body))
        except discord.HTTPException as refused:
            if refused.status not in {400, 413} or INSTEAD not in body:
                raise
            await interaction.followup.send(ephemeral=True, **_arguments(body[INSTEAD]))


def _arguments(body: Body) -> dict[str, Any]:
    """What discord.py's calls take for a message that is written already."""
    given: dict[str, Any] = {"allowed_mentions": discord.AllowedMentions.none()}
    if "content" in body:
        given["content"] = body["content"]
    if "embeds" in body:
        given["embeds"] = [discord.Embed.from_dict(embed) for embed in body["embeds"]]
    if "components" in body:
        given["view"] = _Drawn(body["components"], v2=bool(body.get("flags", 0) & _V2))
    return given


class _Drawn(ui.LayoutView):
    """Components that our own renderer drew; presses come to :class:`Interactions`, so discord.py keeps nothing."""

    def __init__(self, components: list[dict[str, Any]], *, v2: bool) -> None:
        super().__init__(timeout=None)
        self._drawn = components
        self._v2 = v2
        self.stop()  # else each answer is held, with a task of its own, for a quarter of an hour

    def to_components(self) -> list[dict[str, Any]]:
        return self._drawn

    def has_components_v2(self) -> bool:
        return self._v2
