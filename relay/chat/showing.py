"""The commands that show how things stand at a destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from string import Formatter

from relay.chat.answers import ago, done, state
from relay.chat.services import Desk
from relay.core.commands import NOTHING, TABLE, Spec
from relay.core.schedule import is_waiting
from relay.i18n import ENGLISH, Words
from relay.model import Subscription
from relay.options import DELIVERY_OPTIONS, FILTERS
from relay.phrases import bold, code, item, line
from relay.ports import Answer, Command
from relay.records import DestinationState, FeedState
from relay.rich import Block, Form, Span, SpanStyle, Text

# --- what the relay says of itself and of its commands ---


def usage(one: Spec, prefix: str = "/") -> str:
    """How the command is written: ``/subscribe topic [mode] [filters]``."""
    plain = [each for each in one.parameters if not each.brief]
    names = [each.name if each.required else f"[{each.name}]" for each in plain]
    more = ["[…]"] if len(plain) < len(one.parameters) else []
    return " ".join([prefix + one.name, *names, *more])


def help_text(say: Words = ENGLISH, *, prefix: str = "/") -> Text:
    """What the relay does, and every command of the table."""
    return (
        Block(
            (Span(say("I bring what people write on the open social web into this chat: hashtags, accounts, feeds.")),)
        ),
        *(_help_line(one, say, prefix) for one in TABLE),
        Block((Span(say("The commands with a ★ are for people who may manage the channel.")),)),
        _help_filters(say, prefix),
        _help_delivery(say, prefix),
    )


def _help_filters(say: Words, prefix: str) -> Block:
    names = " ".join(f"{name}=" for name in FILTERS)
    shown = {"names": names, "example": f'{prefix}settings 1 words="bridge, rope" without=sale', "nothing": NOTHING}
    text = say("Where […] stands, say which posts you want: {names}. Like {example}; {nothing} takes one back.")
    return Block(tuple(_with_code(text, shown)))


def _help_delivery(say: Words, prefix: str) -> Block:
    names = " ".join(f"{name}=" for name in DELIVERY_OPTIONS if name != "mode")
    shown = {"names": names, "example": f'{prefix}settings 1 mode=digest at="08:00 America/Lima"'}
    text = say("And how they come: {names}. Like {example}.")
    return Block(tuple(_with_code(text, shown)))


def _with_code(text: str, shown: Mapping[str, str]) -> Iterator[Span]:
    for said, name, _, _ in Formatter().parse(text):
        if said:
            yield Span(said)
        if name:
            yield Span(shown[name], marks=(SpanStyle.CODE,))


def _help_line(one: Spec, say: Words, prefix: str) -> Block:
    star = " ★" if one.manages else ""
    spans = (Span(usage(one, prefix), marks=(SpanStyle.CODE,)), Span(f"{star} — {say(one.summary)}"))
    return Block(spans, form=Form.ITEM, depth=1, bullet="•")


# --- showing ---


async def subscriptions(desk: Desk, command: Command, say: Words) -> Answer:
    here = await desk.store.list_subscriptions(command.destination)
    if not here:
        return done(
            line(say("Nothing is brought there yet. {command} changes that."), command=code("/subscribe #hashtag"))
        )
    feeds = await desk.store.list_some_feeds([feed for one in here for feed in one.feeds])
    trouble = {state.feed.id: state.stopped or state.note for state in feeds}
    blocks = [line(say.many("{n} topic is brought there:", "{n} topics are brought there:", len(here)))]
    for one in sorted(here, key=lambda one: one.id):
        blocks.append(_line(one, say))
        blocks += [_beneath(note) for feed in one.feeds if (note := trouble.get(feed, ""))]
    return done(*blocks)


def _line(one: Subscription, say: Words) -> Block:
    special = state(one, say)
    template = "{number} {topic} — {state}" if special else "{number} {topic}"
    return item(template, number=code(one.id), topic=bold(one.topic), state=special)


async def status(desk: Desk, command: Command, say: Words) -> Answer:
    here = await desk.store.list_subscriptions(command.destination)
    there = await desk.store.get_destination(command.destination)
    found = await desk.store.list_some_feeds([feed for one in here for feed in one.feeds])
    feeds = {state.feed.id: state for state in found}
    latest = await desk.store.get_last_poll()
    head = line("Chasqui {version} · {place}", version=desk.version, place=code(str(command.destination)))
    blocks = [head, *_destination(there, say)]
    for one in here:
        blocks.append(_line(one, say))
        blocks += [_feed(feeds[feed], latest, desk, say) for feed in one.feeds if feed in feeds]
        if not one.feeds:
            blocks.append(_beneath(say("waits for its server to answer")))
    if not here:
        blocks.append(line(say("Nothing is brought there yet. {command} changes that."), command=code("/subscribe")))
    return done(*blocks)


def _destination(there: DestinationState | None, say: Words) -> list[Block]:
    waiting = there.waiting if there else 0
    if there and there.paused:
        return [
            line(say("The channel is given up: {reason}"), reason=there.paused),
            line(say.many("{n} message waits.", "{n} messages wait.", waiting)),
            line(say("{command} tries again."), command=code("/resume")),
        ]
    if waiting:
        return [line(say.many("{n} message waits.", "{n} messages wait.", waiting))]
    return [line(say("All is well: nothing waits."))]


def _feed(state: FeedState, latest: datetime | None, desk: Desk, say: Words) -> Block:
    now = desk.tenure.clock()
    text = say("{address}, read {when}").format(address=state.feed.address, when=ago(state.polled, now, say))
    if is_waiting(state, latest):
        waiting = say("due {when} and still waiting: its server does not answer, or others wait there")
        text = f"{text}, {waiting.format(when=ago(state.next_poll, now, say))}"
    trouble = state.stopped or state.note
    return _beneath(f"{text} — {trouble}" if trouble else text)


def _beneath(text: str) -> Block:
    block = item("{text}", text=text)
    return Block(block.spans, form=block.form, depth=2, bullet="◦")


async def show_help(desk: Desk, command: Command, say: Words) -> Answer:
    del desk, command  # the same everywhere
    return Answer(text=help_text(say))
