"""The commands that change what is relayed to a destination. The store writes down who did what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from relay.chat.answers import BY, done, failed, state
from relay.chat.services import Services, meaningless, networks_in, own, topic_in
from relay.core.commands import BACK, Parsed, command_of, label
from relay.core.option_types import Wrong, parse, text_of
from relay.i18n import Words
from relay.model import CHAT, Subscription, SubscriptionId
from relay.options import FILTERS, NO_FILTERS, USUAL_DELIVERY, DeliveryOptions, Filters, Option, values
from relay.phrases import bold, code, item, line
from relay.pipeline.topics import Answers, meanings, readable, resolve
from relay.ports import Answer, Choice, Command, Refused, Resolved, TryLater
from relay.records import Full, Wanted
from relay.rich import Block

# --- which posts a person wants, and how, as it was typed ---

_NOTHING = BACK | {"*", "none", "all", "any"}

Record = TypeVar("Record", Filters, DeliveryOptions)


def options_in(typed: Mapping[str, str], before: Record, say: Words) -> Record | Answer:
    """The options with what was typed of them, or the first thing that is wrong with that."""
    changes: dict[str, Any] = {}
    for name, option, _ in values(before):
        value = typed.get(name, "").strip()
        if _takes_back(value, option):
            changes[name] = option.default
        elif value:
            answer = parse(option, value)
            if isinstance(answer, Wrong):
                return _wrong(name, answer, say)
            changes[name] = answer
    return replace(before, **changes)


def _takes_back(value: str, option: Option) -> bool:
    return value.casefold() in (_NOTHING if option in FILTERS.values() else BACK)


def _wrong(name: str, wrong: Wrong, say: Words) -> Answer:
    if wrong.sentences:
        return failed(line(say(wrong.text), **{key: code(value) for key, value in wrong.values.items()}))
    return failed(
        line("{name}: {reason}.", name=code(name), reason=say(wrong.text).format(**wrong.values)),
        line(say("Nothing was changed.")),
    )


# --- subscribing ---

LONGEST_LINE = 60
"""Bytes of a line that a button may carry."""

# --- subscribe ---


async def subscribe(services: Services, command: Command, say: Words) -> Answer:
    wanted = _wanted(services, command, say)
    if isinstance(wanted, Answer):
        return wanted
    if command.obstacle:
        return _obstacle(command, say)
    answers = await _understood(services, wanted, command, say)
    if isinstance(answers, Answer):
        return answers
    added = await services.store.add_subscription(wanted, services.quota, services.by(command))
    if isinstance(added, Full):
        return _full(added, say)
    if not added.new:
        return await _there_already(services, command, added.id, say)
    await services.subscriptions.link(added.id, wanted, answers)
    return _subscribed(_as_subscription(wanted, added.id), answers, say)


def _wanted(services: Services, command: Command, say: Words) -> Wanted | Answer:
    """What was asked for, or the first thing that is wrong with it."""
    given = command.arguments
    topic = topic_in(given["topic"], say)
    networks = networks_in(given.get("networks", ""), services.sources, say)
    filters = options_in(given, NO_FILTERS, say)
    delivery_options = options_in(given, USUAL_DELIVERY, say)
    if isinstance(topic, Answer):
        return topic
    if isinstance(networks, Answer):
        return networks
    if isinstance(filters, Answer):
        return filters
    if isinstance(delivery_options, Answer):
        return delivery_options
    return Wanted(
        topic=topic,
        destination=command.destination,
        networks=networks,
        delivery_options=delivery_options,
        filters=filters,
        options=command.options,
        community=command.community,
    )


def _obstacle(command: Command, say: Words) -> Answer:
    return failed(
        line("{reason}", reason=command.obstacle),
        line(say("Nothing was changed. Fix that, then try again.")),
    )


async def _understood(services: Services, wanted: Wanted, command: Command, say: Words) -> Answers | Answer:
    """What each source makes of the topic; an answer for the person where none can bring it, or several could."""
    networks = wanted.networks or tuple(services.sources)
    answers: Answers = await resolve(wanted.topic, networks, services.sources, within=services.patience)
    if all(isinstance(answer, Refused) for answer in answers.values()):
        reasons = {name: answer.reason for name, answer in answers.items() if isinstance(answer, Refused)}
        return meaningless(wanted.topic, reasons, say)
    answers = await readable(answers, services.sources, within=services.patience)
    if not wanted.networks and (several := meanings(wanted.topic, answers)):
        return _which(command, several, say)
    if any(isinstance(answer, Resolved) for answer in answers.values()):
        return answers
    return _unreadable(wanted.topic, answers, say)


def _which(command: Command, several: Mapping[str, Resolved], say: Words) -> Answer:
    """The topic may be several things: what each source takes it for, and how to say which one is meant."""
    topic = command.arguments["topic"].strip()
    everything = ",".join(several)
    chosen = [(name, f"{name}: {answer.title or topic}") for name, answer in several.items()]
    choices = [(label, _again(command, name)) for name, label in (*chosen, (everything, say("All of these")))]
    return Answer(
        text=(
            line(say("{topic} could be several things. Which one do you mean?"), topic=bold(topic)),
            *(item("{option} — {title}", option=code(f"networks={name}"), title=label) for name, label in chosen),
            item(say("{option} — all of these"), option=code(f"networks={everything}")),
            line(say("Nothing was changed. Ask again and add one of these at the end.")),
        ),
        choices=tuple(Choice(*one) for one in choices) if all(again for _, again in choices) else (),
        failed=True,
    )


def _again(command: Command, networks: str) -> str:
    """The line that asks the same again of these networks; empty where no button can carry it."""
    topic, *given = {**command.arguments, "networks": networks}.items()
    text = " ".join([command.name, topic[1], *(f"{name}={_quoted(value)}" for name, value in given)])
    fits = len(text.encode(errors="replace")) <= LONGEST_LINE and not command.options
    return text if fits and command_of(text) == Parsed(command.name, dict([topic, *given])) else ""


def _quoted(value: str) -> str:
    if re.fullmatch(r"[^\s\"“”„«»=]+", value):
        return value
    return f"“{value}”" if '"' in value else f'"{value}"'


def _unreadable(topic: str, answers: Answers, say: Words) -> Answer:
    """Nobody can read it now: a mistyped address is told at once, not tried for ever."""
    late = {name: answer.reason for name, answer in answers.items() if isinstance(answer, TryLater)}
    return failed(
        line(say("I can't read {topic} right now. Nothing was changed."), topic=bold(topic)),
        *(item("{source}: {reason}", source=name, reason=reason) for name, reason in late.items()),
        line(say("If the address is right, try again later.")),
    )


def _full(full: Full, say: Words) -> Answer:
    if full.community:
        text = say("This community has reached its subscription limit ({n}).")
    else:
        text = say("This channel has reached its subscription limit ({n}).")
    return failed(
        line(text, n=full.limit),
        line(say("Nothing was changed. {command} makes room."), command=code("/unsubscribe")),
    )


async def _there_already(services: Services, command: Command, number: SubscriptionId, say: Words) -> Answer:
    here = await services.store.list_subscriptions(command.destination)
    topic = next((one.topic for one in here if one.id == number), "")
    return done(
        line(say("The channel already follows {topic}. Nothing was changed."), topic=bold(topic)),
        *(block for one in here if one.id == number for block in shown(one, say)),
        line(say("{command} changes how its posts arrive."), command=code(f"/settings {number}")),
    )


def _as_subscription(wanted: Wanted, number: SubscriptionId) -> Subscription:
    return Subscription(
        id=number,
        topic=wanted.topic,
        destination=wanted.destination,
        origin=CHAT,
        networks=wanted.networks,
        delivery_options=wanted.delivery_options,
        filters=wanted.filters,
    )


def _subscribed(one: Subscription, answers: Answers, say: Words) -> Answer:
    read = {name: answer for name, answer in answers.items() if isinstance(answer, Resolved)}
    late = {name: answer for name, answer in answers.items() if isinstance(answer, TryLater)}
    blocks = [line(say("Done. New posts on {topic} will appear in the channel."), topic=bold(one.topic))]
    blocks += [item("{source}: {title}", source=name, title=answer.title or one.topic) for name, answer in read.items()]
    blocks += [item("⚠️ {note}", note=answer.note) for answer in read.values() if answer.note]
    blocks += [
        item(
            say("{source} is not answering ({reason}). I'll keep trying."),
            source=name,
            reason=answer.reason,
        )
        for name, answer in late.items()
    ]
    if special := state(one, say):
        blocks.append(item("{state}", state=special))
    blocks.append(line(say("Older posts are not copied.")))
    return done(*blocks, choices=_next(one, say))


def _next(one: Subscription, say: Words) -> tuple[Choice, ...]:
    return Choice(say("Show the latest three"), f"preview {one.id}"), Choice(say("Undo"), f"unsubscribe {one.id}")


# --- unsubscribe ---


async def unsubscribe(services: Services, command: Command, say: Words) -> Answer:
    one = await own(services, command, say)
    if isinstance(one, Answer):
        return one
    if one.origin != CHAT:
        return failed(
            line(
                say("{topic} is set in the relay's configuration. Only the relay's operator can remove it."),
                topic=bold(one.topic),
            ),
            line(say("{command} pauses it."), command=code(f"/pause {one.id}")),
        )
    if not await services.store.delete_subscription(one.id, services.by(command)):
        return _gone(one, say)
    await services.subscriptions.changed()
    return done(line(say("Unfollowed {topic}. Messages already posted stay."), topic=bold(one.topic)))


def _gone(one: Subscription, say: Words) -> Answer:
    return failed(line(say("Somebody else has already removed {topic}."), topic=bold(one.topic)))


# --- pause and resume ---


async def _chosen(services: Services, command: Command, say: Words) -> Sequence[Subscription] | Answer:
    """The subscription that was named, or all of the destination."""
    if command.arguments.get("topic", "").strip():
        one = await own(services, command, say)
        return one if isinstance(one, Answer) else [one]
    return await services.store.list_subscriptions(command.destination)


async def pause(services: Services, command: Command, say: Words) -> Answer:
    chosen = await _chosen(services, command, say)
    if isinstance(chosen, Answer):
        return chosen
    awake = [one for one in chosen if not one.paused]
    if not awake:
        return done(line(say("There is nothing to pause: the channel gets no posts at the moment.")))
    reason = f"{BY}{command.user}"
    await _save(services, command, [replace(one, paused=reason) for one in awake])
    return done(
        line(
            say("Paused: {topics}. Posts written during the pause will not be delivered later."), topics=_topics(awake)
        ),
        line(say("{command} starts deliveries again."), command=code("/resume")),
    )


async def resume(services: Services, command: Command, say: Words) -> Answer:
    chosen = await _chosen(services, command, say)
    if isinstance(chosen, Answer):
        return chosen
    if command.obstacle:
        return _obstacle(command, say)
    here = await services.store.get_destination(command.destination)
    stopped = here is not None and here.paused != ""
    asleep = [one for one in chosen if one.paused]
    await _save(services, command, [replace(one, paused="") for one in asleep])
    blocks: list[Block] = []
    if here is not None and stopped:
        by = services.by(command)
        await services.store.save_destination(command.destination, "", by.now, by)
        services.resumed()
        blocks.append(line(say("I had stopped posting in the channel: {reason}"), reason=here.paused))
        blocks.append(
            line(
                say.many(
                    "I'm posting there again. {n} message is waiting.",
                    "I'm posting there again. {n} messages are waiting.",
                    here.waiting,
                )
            )
        )
    if asleep:
        blocks.append(line(say("Resumed: {topics}."), topics=_topics(asleep)))
    return done(*blocks or [line(say("Nothing was paused."))])


async def _save(services: Services, command: Command, changed: Iterable[Subscription]) -> None:
    by = services.by(command)
    for one in changed:
        await services.store.save_subscription(one, by)
    await services.subscriptions.changed()


def _topics(some: Iterable[Subscription]) -> str:
    return ", ".join(one.topic for one in some)


# --- settings ---


async def settings(services: Services, command: Command, say: Words) -> Answer:
    """Of one topic, of the channel itself (``listed``), or of both."""
    given = {name for name, value in command.arguments.items() if value.strip()}
    if "topic" in given:
        answer = await _topic_settings(services, command, say)
        return (
            answer
            if answer.failed or "listed" not in given
            else await _channel_settings(services, command, say, answer)
        )
    if command.options or given - {"listed"}:
        text = say("Nothing was changed. Which topic do you mean? {command} lists them.")
        return failed(line(text, command=code("/subscriptions")))
    return await _channel_settings(services, command, say)


async def _channel_settings(services: Services, command: Command, say: Words, before: Answer | None = None) -> Answer:
    """Whether others may see what is followed here, after what was answered ``before``."""
    wanted = command.arguments.get("listed", "").strip()
    if wanted:
        await services.store.save_listed(command.destination, services.by(command), listed=wanted == "yes")
    there = await services.store.get_destination(command.destination)
    value = "yes" if there and there.listed else "no"
    shown_value = item(
        "{name}: {value} — {meaning}", name=code("listed"), value=value, meaning=say(label("listed", value))
    )
    if before:
        return replace(before, text=(*before.text, shown_value))
    head = say("Saved. The settings are now:") if wanted else say("Settings of the channel:")
    return done(line(head), shown_value)


async def _topic_settings(services: Services, command: Command, say: Words) -> Answer:
    one = await own(services, command, say)
    if isinstance(one, Answer):
        return one
    changed = _changed(one, command, say)
    if isinstance(changed, Answer):
        return changed
    if changed == one:
        return done(*shown(one, say))
    if one.origin != CHAT:
        text = say("{topic} is set in the relay's configuration. Change its settings there.")
        return failed(line(text, topic=bold(one.topic)))
    if not await services.store.save_subscription(changed, services.by(command)):
        return _gone(one, say)
    await services.subscriptions.changed()
    return done(line(say("Saved. The settings are now:")), *shown(changed, say))


def _changed(one: Subscription, command: Command, say: Words) -> Subscription | Answer:
    given = {name: value.strip() for name, value in command.arguments.items() if value.strip()}
    filters = options_in(given, one.filters, say)
    delivery_options = options_in(given, one.delivery_options, say)
    if isinstance(filters, Answer):
        return filters
    if isinstance(delivery_options, Answer):
        return delivery_options
    return replace(
        one,
        delivery_options=delivery_options,
        filters=filters,
        options=_merged(one.options, command.options),
    )


def _merged(old: str, new: str) -> str:
    """One JSON object of two: what the new one says counts, and its ``null`` takes a word back."""
    if not new:
        return old
    both = {**_options(old), **_options(new)}
    kept = {name: value for name, value in both.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept else ""


def _options(text: str) -> Mapping[str, Any]:
    read = json.loads(text) if text else {}
    return read if isinstance(read, dict) else {}


def shown(one: Subscription, say: Words) -> Iterable[Block]:
    yield line("{number} {topic}", number=code(one.id), topic=bold(one.topic))
    yield from _values(one.delivery_options, say)
    yield item("{name}: {value}", name=code("networks"), value=", ".join(one.networks) or say("everywhere"))
    yield from _values(one.filters, say)
    for name, value in _options(one.options).items():
        yield item("{name}: {value}", name=code(name), value=str(value))
    if special := state(replace(one, networks=(), filters=NO_FILTERS), say):
        yield item("{state}", state=special)


def _values(record: Filters | DeliveryOptions, say: Words) -> Iterable[Block]:
    for name, option, value in values(record):
        if option.shown(value):
            told = say(option.labels[value]) if option.labels else text_of(value)
            yield item("{name}: {value}", name=code(name), value=told)
        elif option.unset:
            yield item("{name}: {value}", name=code(name), value=say(option.unset))
