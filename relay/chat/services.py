"""What the handlers work with, and how they find what a person means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from unicodedata import combining, normalize

from relay.chat.answers import failed
from relay.core.commands import nearest
from relay.i18n import Words
from relay.model import Destination, Subscription
from relay.phrases import bold, code, line
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.threads import ThreadReader
from relay.pipeline.worker import Worker
from relay.ports import Answer, Command, Source
from relay.records import ActingUser, Quota
from relay.store import Store
from relay.text import clean

LONGEST_TOPIC = 500
_EVERY = {"all", "any", "*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The rooms that a command may need. ``page`` is a page's address as the readers there can reach it, or empty."""

    store: Store
    sources: Mapping[str, Source]
    worker: Worker
    subscriptions: Subscriptions
    threads: ThreadReader
    quota: Quota
    page: Callable[[Destination, str], str] = lambda _destination, _slug: ""
    resumed: Callable[[], None] = lambda: None
    """Called when what waited at a destination may be delivered again."""
    version: str = ""
    patience: timedelta = timedelta(seconds=20)
    """How long a person waits for a source."""

    def by(self, command: Command) -> ActingUser:
        return ActingUser(user=command.user, action=command.name, now=self.worker.clock())


def folded(text: str) -> str:
    """The form in which what people type is compared: without case, marks and a leading ``#``."""
    plain = "".join(c for c in normalize("NFKD", text.strip()) if not combining(c))
    return plain.casefold().removeprefix("#")


# --- what was typed ---


def topic_in(typed: str, say: Words) -> str | Answer:
    """The one topic that was typed, or what is wrong with it."""
    topic = clean(typed, limit=LONGEST_TOPIC + 2)
    if topic.startswith("<") and topic.endswith(">"):
        topic = topic[1:-1]
    if " " in topic or (topic.startswith("#") and "#" in topic[1:]):
        return failed(
            line(say("One topic at a time, please: a hashtag is one word. For several, ask several times.")),
            line(say("A topic looks like {tag}, {account} or the address of a feed."), **_EXAMPLES),
        )
    if len(topic) > LONGEST_TOPIC:
        return failed(line(say("That is too long for a topic. It can have {n} characters at most."), n=LONGEST_TOPIC))
    return topic


_EXAMPLES = {"tag": code("#Qeswachaka"), "account": code("@illa@ayllu.example")}


def meaningless(topic: str, reasons: Mapping[str, str], say: Words) -> Answer:
    """No source knows the topic: what one looks like, and what each source says."""
    return failed(
        line(say("I don't understand {topic}. Nothing was changed."), topic=bold(topic)),
        *(line("{source}: {reason}", source=name, reason=reason) for name, reason in reasons.items()),
        line(say("A topic looks like {tag}, {account} or the address of a feed."), **_EXAMPLES),
    )


def networks_in(typed: str, sources: Mapping[str, Source], say: Words) -> tuple[str, ...] | Answer:
    """The configured sources that were named, or which is none."""
    known = {name.casefold(): name for name in sources}
    names = [name.casefold() for name in _listed(typed)]
    for name in names:
        if name not in known and name not in _EVERY:
            near = nearest(name, sources)
            there = code(near) if near else ", ".join(sorted(sources))
            return failed(line(say("I can't read {name}. Did you mean {near}?"), name=bold(name), near=there))
    return tuple(dict.fromkeys(known[name] for name in names if name in known))


def _listed(typed: str) -> list[str]:
    return re.findall(r"[^\s,;]+", typed)


# --- what is there ---


async def own(services: Services, command: Command, say: Words) -> Subscription | Answer:
    """The destination's subscription that the argument ``topic`` means: by its number, or by its topic."""
    here = await services.store.list_subscriptions(command.destination)
    typed = clean(command.arguments.get("topic", ""))
    if found := meant(typed, here):
        return found
    if not here:
        return failed(
            line(say("The channel follows nothing yet. Start with {command}."), command=code("/subscribe #hashtag"))
        )
    if near := nearest(typed, [one.topic for one in here]):
        return failed(
            line(say("The channel does not follow {topic}. Did you mean {near}?"), topic=bold(typed), near=bold(near))
        )
    return failed(
        line(
            say("The channel does not follow {topic}. {command} lists what it follows."),
            topic=bold(typed),
            command=code("/subscriptions"),
        )
    )


def meant(typed: str, among: Sequence[Subscription]) -> Subscription | None:
    by_number = {str(one.id): one for one in among}
    by_topic = {folded(one.topic): one for one in reversed(among)}
    return by_number.get(typed) or next((one for one in among if one.topic == typed), by_topic.get(folded(typed)))
