"""The answers of every command, in both languages, and what is written down of who changed what."""

from __future__ import annotations

import pytest

from relay.core.commands import Mistake, parse
from relay.i18n import words
from relay.model import Event, Published
from relay.ports import Answer, Batch, Refused, Resolved, TryLater
from relay.store import open_store
from relay.testing import post
from relay.text import plain
from tests.goldens.golden import Names, as_json, same, sections
from tests.goldens.kinds import POSTS
from tests.support.house import House
from tests.support.subscriptions_cases import Scripted

LINES = (
    "help",
    "status",
    "subscriptions",
    "settings",
    "subscribe #Qeswachaka",
    "subscribe #Qeswachaka",
    'subscribe #bridge language=es,qu only=media words="rope, grass" without=spoiler networks=fake',
    'subscribe #harvest mode=digest every=6h quiet="22:00-07:00 America/Lima" budget=10 burst=2 min_age=30d per_hour=2',
    'subscribe #daily mode=digest at="08:00 America/Lima"',
    'subscribe @illa@ayllu.example mode=posts follow=replies block="@sami@ayllu.example, plaza.example"',
    "subscribe nonsense",
    "subscribe later",
    "subscribe #x pattern=[",
    "subscribe #x at=25:00",
    "subscribe #x budget=many",
    "subscribe",
    "sing",
    "settings 1",
    "settings #bridge",
    "settings #harvest mode=threads quiet=-",
    "settings 1 only=links language=klingon!",
    "settings #bridge language=- only=-",
    "settings 1 only=cats",
    "settings #bridge sensitive=hide",
    "settings #harvest sensitive=only",
    "settings listed=yes",
    "settings 99",
    "pause #bridge",
    "pause",
    "subscriptions",
    "status",
    "resume #bridge",
    "resume",
    "preview #Qeswachaka",
    "preview #nothing",
    "unroll https://ayllu.example/@illa/1",
    "unroll nonsense",
    "unsubscribe #Qeswachaka",
    "unsubscribe #nothing",
    "unsubscribe 2",
    "subscriptions",
)
NOT_MINE = ("subscribe #a", "unsubscribe 1", "pause", "resume", "settings 1", "subscriptions", "status")


def _told(answer: Answer) -> str:
    """All that an adapter gets to show."""
    choices = [f"[{one.label}] → {one.line}" for one in answer.choices]
    cards = [f"card {card.post.uri}: {card.reason}" for card in answer.cards]
    return "\n".join([f"({'failed' if answer.failed else 'done'})", plain(answer.text), *choices, *cards])


def _house(house: House) -> House:
    events: tuple[Event, ...] = tuple(Published(one) for one in (POSTS["plain"], post(2), post(3)))
    house.sources["fake"].answers["#Qeswachaka"] = [Batch(events=events)]
    house.sources["other"] = Scripted(
        "other",
        Resolved(feeds=("o1",), title="Bridges of the Andes"),
        TryLater("ayllu.example does not answer"),
        Refused("other has no such topic"),
    )
    return house


async def _said(house: House, typed: str, language: str, *, may_manage: bool = True) -> str:
    """What a line is answered with: by the table, where it is none of its lines, else by who carries it out."""
    mistake = parse(typed, say=words(language))
    if isinstance(mistake, Mistake):
        return f"(mistake)\n{mistake.text}"
    return _told(await house.ask(typed, language=language, may_manage=may_manage))


@pytest.mark.parametrize("language", ["en", "es"])
async def test_commands_are_answered_as_they_were(sqlite_url: str, language: str) -> None:
    store = await open_store(sqlite_url)
    house = _house(House(store))
    found = [(f"/{line}", await _said(house, line, language)) for line in LINES]
    found += [(f"/{line} of who may not", await _said(house, line, language, may_manage=False)) for line in NOT_MINE]
    audit = [as_json([one.user, one.action, one.detail]) for one in await store.list_audit(100)]
    await store.close()
    names = Names(r"(?<=/t/)[\w-]{19,}")
    same(f"commands/{language}.txt", names.settle(sections([*found, ("audit", "\n".join(audit))])))
