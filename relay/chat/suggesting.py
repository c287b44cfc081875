"""What an argument could become while a person types it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.chat.answers import state
from relay.chat.services import Services, folded
from relay.core.commands import Parameter, spec
from relay.i18n import words
from relay.model import Destination
from relay.options import Kind
from relay.ports import Question, Suggestion
from relay.text import clean

MOST = 25
LONGEST = 100
"""Characters of a label and of a value that every platform takes."""
KNOWN = 2_000
"""Hashtags among which is looked."""
FRESH = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Hashtags that were read from the store, and when."""

    tags: Sequence[tuple[str, str]] = ()
    read: datetime | None = None


class Suggestions:
    """Answers from what the store knows; hashtags are read at most every few seconds, however fast people type."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tags: dict[tuple[str, Destination], _Known] = {}

    async def get(self, question: Question) -> Sequence[Suggestion]:
        found = spec(question.command)
        parameter = next((one for one in found.parameters if one.name == question.parameter), None) if found else None
        if parameter is None:
            return ()
        some = await self._some(parameter, question)
        return [one for one in some if one.value and len(one.value) <= LONGEST][:MOST]

    async def _some(self, parameter: Parameter, question: Question) -> Iterable[Suggestion]:
        match parameter.kind:
            case Kind.TOPIC:
                return await self._topics(question)
            case Kind.OWN:
                return await self._own(question)
            case Kind.NETWORKS:
                return self._networks(question.typed)
            case Kind.CHOICE:
                say = words(question.language)
                return [Suggestion(say(label), value) for value, label in parameter.choices]
            case _:
                return ()

    async def _topics(self, question: Question) -> Iterable[Suggestion]:
        part = folded(question.typed)
        tags = await self._known(question)
        starting = [tag for key, tag in tags if key.startswith(part)]
        within = [tag for key, tag in tags if part in key and not key.startswith(part)]
        return [Suggestion(clean(tag, limit=LONGEST), tag) for tag in (*starting, *within)[: 2 * MOST]]

    async def _known(self, question: Question) -> Sequence[tuple[str, str]]:
        """Each hashtag that people there may know of once, in its latest spelling, by the form that is compared."""
        now, where = self._services.worker.clock(), (question.community, question.destination)
        known = self._tags.get(where, _Known())
        if known.read is None or now - known.read > FRESH:
            self._tags = {key: one for key, one in self._tags.items() if one.read and now - one.read <= FRESH}
            self._tags[where] = replace(known, read=now)  # before the reading: who types meanwhile gets what was known
            found: dict[str, str] = {}
            for tag in await self._services.store.list_tags(question.destination, question.community, KNOWN):
                found.setdefault(folded(tag), f"#{tag.removeprefix('#')}")
            known = self._tags[where] = _Known(tags=tuple(found.items()), read=now)
        return known.tags

    async def _own(self, question: Question) -> Iterable[Suggestion]:
        say = words(question.language)
        part = folded(question.typed)
        found = []
        for one in await self._services.store.list_subscriptions(question.destination):
            if part in folded(one.topic) or str(one.id).startswith(part):
                special = state(one, say)
                label = f"{one.topic} — {special}" if special else one.topic
                found.append(Suggestion(clean(label, limit=LONGEST), str(one.id)))
        return found

    def _networks(self, typed: str) -> Iterable[Suggestion]:
        """The last of the names is being typed, those before it stay."""
        *before, part = typed.replace(" ", "").split(",")
        names = [
            name for name in sorted(self._services.sources) if name not in before and part.casefold() in name.casefold()
        ]
        return [Suggestion(",".join([*before, name]), ",".join([*before, name])) for name in names]
