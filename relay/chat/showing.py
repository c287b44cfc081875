"""The commands that show how things stand at a destination."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from string import Formatter

from relay.chat.answers import ago, done, failed, state
from relay.chat.services import Services, meaningless, meant, topic_in
from relay.core.commands import NOTHING, TABLE, Spec
from relay.core.schedule import is_waiting
from relay.i18n import ENGLISH, Words
from relay.model import Card, Post, PostUri, Subscription, Thread
from relay.options import DELIVERY_OPTIONS, FILTERS
from relay.phrases import bold, code, item, line
from relay.pipeline.topics import latest
from relay.ports import Answer, Command, Gone, Refused, TryLater
from relay.records import DestinationState, FeedState
from relay.rich import Block, Form, Span, SpanStyle, Text
from relay.text import clean, cut, from_plain

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
        Block((Span(say("I post hashtags, accounts and feeds from the open social web in this chat.")),)),
        *(_help_line(one, say, prefix) for one in TABLE),
        Block((Span(say("Commands with a ★ are for people who can manage the channel.")),)),
        _help_filters(say, prefix),
        _help_delivery(say, prefix),
    )


def _help_filters(say: Words, prefix: str) -> Block:
    names = " ".join(f"{name}=" for name in FILTERS)
    shown = {"names": names, "example": f'{prefix}settings 1 words="bridge, rope" without=sale', "nothing": NOTHING}
    text = say("In place of […], say which posts you want: {names}. For example {example}; {nothing} clears an option.")
    return Block(tuple(_with_code(text, shown)))


def _help_delivery(say: Words, prefix: str) -> Block:
    names = " ".join(f"{name}=" for name in DELIVERY_OPTIONS if name != "mode")
    shown = {"names": names, "example": f'{prefix}settings 1 mode=digest at="08:00 America/Lima"'}
    text = say("And how they arrive: {names}. For example {example}.")
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


async def subscriptions(services: Services, command: Command, say: Words) -> Answer:
    here = await services.store.list_subscriptions(command.destination)
    if not here:
        return done(
            line(say("The channel follows nothing yet. Start with {command}."), command=code("/subscribe #hashtag"))
        )
    feeds = await services.store.list_some_feeds([feed for one in here for feed in one.feeds])
    trouble = {state.feed.id: state.stopped or state.note for state in feeds}
    blocks = [line(say.many("The channel follows {n} topic:", "The channel follows {n} topics:", len(here)))]
    for one in sorted(here, key=lambda one: one.id):
        blocks.append(_line(one, say))
        blocks += [_beneath(note) for feed in one.feeds if (note := trouble.get(feed, ""))]
    return done(*blocks)


def _line(one: Subscription, say: Words) -> Block:
    special = state(one, say)
    template = "{number} {topic} — {state}" if special else "{number} {topic}"
    return item(template, number=code(one.id), topic=bold(one.topic), state=special)


async def status(services: Services, command: Command, say: Words) -> Answer:
    here = await services.store.list_subscriptions(command.destination)
    there = await services.store.get_destination(command.destination)
    found = await services.store.list_some_feeds([feed for one in here for feed in one.feeds])
    feeds = {state.feed.id: state for state in found}
    latest = await services.store.get_last_poll()
    head = line("Chasqui {version} · {place}", version=services.version, place=code(str(command.destination)))
    blocks = [head, *_destination(there, say)]
    for one in here:
        blocks.append(_line(one, say))
        blocks += [_feed(feeds[feed], latest, services, say) for feed in one.feeds if feed in feeds]
        if not one.feeds:
            blocks.append(_beneath(say("waiting for its server to answer")))
    if not here:
        blocks.append(line(say("The channel follows nothing yet. Start with {command}."), command=code("/subscribe")))
    return done(*blocks)


def _destination(there: DestinationState | None, say: Words) -> list[Block]:
    waiting = there.waiting if there else 0
    if there and there.paused:
        return [
            line(say("I have stopped posting in the channel: {reason}"), reason=there.paused),
            line(say.many("{n} message is waiting.", "{n} messages are waiting.", waiting)),
            line(say("{command} makes me try again."), command=code("/resume")),
        ]
    if waiting:
        return [line(say.many("{n} message is waiting.", "{n} messages are waiting.", waiting))]
    return [line(say("Everything works. No message is waiting."))]


def _feed(state: FeedState, latest: datetime | None, services: Services, say: Words) -> Block:
    now = services.worker.clock()
    text = say("{address}, last read: {when}").format(address=state.feed.address, when=ago(state.polled, now, say))
    if is_waiting(state, latest):
        waiting = say("was due {when} and is still waiting: its server is slow, or other feeds come first")
        text = f"{text}, {waiting.format(when=ago(state.next_poll, now, say))}"
    trouble = state.stopped or state.note
    return _beneath(f"{text} — {trouble}" if trouble else text)


def _beneath(text: str) -> Block:
    block = item("{text}", text=text)
    return Block(block.spans, form=block.form, depth=2, bullet="◦")


async def show_help(services: Services, command: Command, say: Words) -> Answer:
    del services, command  # the same everywhere
    return Answer(text=help_text(say))


# --- the commands that ask the sources and show what they say: the latest posts on a topic, and a whole thread ---


SHOWN = 3
BEGINNING = 400
"""Characters of a thread that are shown before its page is read."""
TRIED = 4
"""Links of one message that are asked for."""


# --- preview ---


async def preview(services: Services, command: Command, say: Words) -> Answer:
    typed = command.arguments["topic"].strip()
    one = meant(clean(typed), await services.store.list_subscriptions(command.destination))
    topic = one.topic if one else topic_in(typed, say)
    if isinstance(topic, Answer):
        return topic
    networks = (one.networks if one else ()) or services.sources
    now = services.worker.clock()
    wanted = one.filters if one else None
    found = await latest(
        topic, networks, services.sources, count=SHOWN, within=services.patience, wanted=wanted, now=now
    )
    if found.refused:
        return meaningless(topic, found.refused, say)
    blocks = [
        item(say("I can't read {source}: {reason}"), source=name, reason=why) for name, why in found.unread.items()
    ]
    blocks += [
        item(say("filtered out by {filter}: {n}"), filter=code(why), n=count) for why, count in found.left_out.items()
    ]
    cards = await _allowed(services, found.cards)
    if not cards:
        return done(line(say("There are no posts to show on {topic} yet."), topic=bold(topic)), *blocks)
    return Answer(text=(line(say("Latest posts on {topic}:"), topic=bold(topic)), *blocks), cards=cards)


async def _allowed(services: Services, cards: Iterable[Card]) -> tuple[Card, ...]:
    """The cards without posts of authors who are taken out; of their words in a quote the address is left."""
    there = [*cards]
    out = await services.store.list_taken_out([card.post for card in there])
    quoted = [quote for card in there if (quote := _quoted(card.post))]
    silent = await services.store.list_taken_out(quoted)
    return tuple(_without_quote(card, silent) for card in there if card.post.uri not in out)


def _quoted(post: Post) -> Post | None:
    """Enough of the post that is quoted to ask whether its author is taken out."""
    quote = post.quote
    return replace(post, uri=PostUri(quote.url), author=quote.author, aliases=()) if quote and quote.author else None


def _without_quote(card: Card, silent: Collection[str]) -> Card:
    quote = card.post.quote
    if quote is None or quote.url not in silent:
        return card
    return replace(card, post=replace(card.post, quote=quote.silenced()))


# --- unroll ---


async def unroll(services: Services, command: Command, say: Words) -> Answer:
    found = _links(command.arguments["url"])
    if not found:
        return failed(line(say("I found no link there. Send me the address of any post in the thread.")))
    reasons: dict[str, str] = {}
    for url in found:
        answer = await _fetched(services, url)
        if isinstance(answer, Thread):
            return await _unrolled(services, command, answer, say)
        reasons[url] = _reason(answer, say)
    return failed(
        line(say("I could not read a thread there. Try again, or try another link.")),
        *(item("{source}: {reason}", source=Span(clean(url), url), reason=why) for url, why in reasons.items()),
    )


async def _fetched(services: Services, url: str) -> Thread | Refused | TryLater | Gone:
    try:
        async with asyncio.timeout(services.patience.total_seconds()):
            return await services.threads.fetch(url)
    except TimeoutError:
        return TryLater(f"no answer within {services.patience.total_seconds():g} s")


def _links(text: str) -> list[str]:
    found = (span.link for block in from_plain(text) for span in block.spans if span.link)
    return list(islice(dict.fromkeys(found), TRIED))


def _reason(answer: Refused | TryLater | Gone, say: Words) -> str:
    if isinstance(answer, TryLater):
        return say("it is not answering ({reason})").format(reason=answer.reason)
    return answer.reason


async def _unrolled(services: Services, command: Command, thread: Thread, say: Words) -> Answer:
    posts = [post for post in thread.posts if isinstance(post, Post)]
    if not posts:
        return failed(line(say("Its author deleted it. There is nothing left to read.")))
    first = posts[0]
    page = await services.threads.keep(thread)
    if page is None:
        return done(
            line(say("{author} asks not to be archived, so I made no page of it."), author=_author(first)),
            line(say("You can read it here: {link}."), link=Span(say("The original"), first.url)),
        )
    address = services.page(command.destination, page.slug)
    return done(
        line(
            say("{what} by {author}"),
            what=say.many("A single post", "A thread of {n} posts", len(posts)),
            author=_author(first),
        ),
        *_beginning(first, say),
        _read_on(address, first.url, say),
    )


def _author(post: Post) -> Span:
    name = clean(post.author.name)
    return bold(f"{name} ({clean(post.author.handle)})" if post.author.handle else name)


def _beginning(first: Post, say: Words) -> Text:
    if first.warning:
        return (line(say("Content warning: {warning}"), warning=first.warning),)
    title = (line("{title}", title=bold(first.title)),) if first.title else ()
    return (*title, *cut(first.body, BEGINNING))


def _read_on(address: str, original: str, say: Words) -> Block:
    there = Span(say("The original"), original)
    if not address:
        return line(say("You can read it here: {link}."), link=there)
    return line("{page} · {original}", page=Span(say("Read it as one text"), address), original=there)
