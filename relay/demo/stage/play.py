"""Performs the script on a stage, and says what a relay must have made of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from relay.demo.stage.encore import RELAY
from relay.demo.stage.entities import fold, hashtags
from relay.demo.stage.pages import Item
from relay.demo.stage.script import AUTHOR, CAST, HASHTAG, NEWSPAPER, SCENE, SCRIPT, Correct, Print, Say, Step, Withdraw
from relay.demo.stage.server import Stage

GRACE = timedelta(seconds=4)
"""The least time between a post and its edit or deletion: a relay that polls more often than this has relayed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a relay of the script's hashtag and of the newspaper must have done, by uri (a feed item's guid).

    What was edited or deleted stands in ``sent`` too, for it stood there for :data:`GRACE`. A relay slower than that
    may rightly send the edited text at once, and nothing of what was deleted.
    """

    sent: frozenset[str]
    edited: frozenset[str]
    deleted: frozenset[str]
    unwanted: frozenset[str]
    """What must not have arrived: it stood there before, or it carries no hashtag."""
    root: str
    """The first post of the author's thread."""
    thread: tuple[str, ...]
    """The author's thread from its root, as it reads in the end."""


@asynccontextmanager
async def open_stage(*, port: int = 0) -> AsyncIterator[Stage]:
    """A stage on loopback with the scene set, for as long as the block lasts."""
    async with Stage(port=port) as stage:
        set_scene(stage)
        yield stage


def set_scene(stage: Stage) -> None:
    """Let the cast in and post what was there before; to be done before the relay reads for the first time."""
    stage.newspaper = NEWSPAPER
    for person in (*CAST, RELAY):
        stage.admit(person)
    for thing in SCENE:
        if isinstance(thing, Item):
            stage.publish_item(thing)
        else:
            stage.post(thing)


async def perform(stage: Stage, *, speed: float = 1.0, on_step: Callable[[Step], None] | None = None) -> None:
    """Play the script on a stage whose scene is set, ``speed`` times as fast as written.

    ``on_step`` hears of each step once it is visible.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    for step in SCRIPT:
        await asyncio.sleep(began + step.at / speed - clock())
        _play(stage, step)
        if on_step:
            on_step(step)


def _play(stage: Stage, step: Step) -> None:
    match step:
        case Say():
            stage.post(step)
        case Print():
            stage.publish_item(step)
        case Correct(name=name, text=text):
            stage.edit(name, text)
        case Withdraw(name=name):
            stage.delete(name)


def expected(stage: Stage) -> Expected:
    """What must have arrived of all that was played so far. ``IndexError`` before the first step."""
    played = [step for step in SCRIPT if isinstance(step, Say | Print) and step.name in stage.uris]
    sent = frozenset(stage.uris[step.name] for step in played if _wanted(step))
    own = [stage.uris[step.name] for step in played if isinstance(step, Say) and step.author == AUTHOR]
    return Expected(
        sent=sent,
        edited=frozenset(stage.edited),
        deleted=frozenset(stage.deleted),
        unwanted=frozenset(stage.posted) - sent,
        root=own[0],
        thread=tuple(uri for uri in own if uri not in stage.deleted),
    )


def _wanted(step: Say | Print) -> bool:
    return isinstance(step, Print) or fold(HASHTAG) in map(fold, hashtags(step.text))
