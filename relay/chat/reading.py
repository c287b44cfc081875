"""The commands that ask the sources and show what they say: the latest posts on a topic, and a whole thread."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import islice

from relay.chat.answers import done, failed
from relay.chat.services import Desk, meaningless, meant, topic_in
from relay.i18n import Words
from relay.model import Card, Post, PostUri, Thread
from relay.phrases import bold, code, item, line
from relay.pipeline.topics import latest
from relay.ports import Answer, Command, Gone, Refused, TryLater
from relay.rich import Block, Span, Text
from relay.text import clean, cut, from_plain

SHOWN = 3
BEGINNING = 400
"""Characters of a thread that are shown before its page is read."""
TRIED = 4
"""Links of one message that are asked for."""


# --- preview ---


async def preview(desk: Desk, command: Command, say: Words) -> Answer:
    typed = command.arguments["topic"].strip()
    one = meant(clean(typed), await desk.store.list_subscriptions(command.destination))
    topic = one.topic if one else topic_in(typed, say)
    if isinstance(topic, Answer):
        return topic
    networks = (one.networks if one else ()) or desk.sources
    now = desk.tenure.clock()
    wanted = one.filters if one else None
    found = await latest(topic, networks, desk.sources, count=SHOWN, within=desk.patience, wanted=wanted, now=now)
    if found.refused:
        return meaningless(topic, found.refused, say)
    blocks = [
        item(say("{source} cannot be read: {reason}"), source=name, reason=why) for name, why in found.unread.items()
    ]
    blocks += [
        item(say("left out by {filter}: {n}"), filter=code(why), n=count) for why, count in found.left_out.items()
    ]
    cards = await _allowed(desk, found.cards)
    if not cards:
        return done(line(say("Nothing to show yet for {topic}."), topic=bold(topic)), *blocks)
    return Answer(text=(line(say("The latest on {topic}:"), topic=bold(topic)), *blocks), cards=cards)


async def _allowed(desk: Desk, cards: Iterable[Card]) -> tuple[Card, ...]:
    """The cards without posts of authors who are taken out; of their words in a quote the address is left."""
    there = [*cards]
    out = await desk.store.list_taken_out([card.post for card in there])
    quoted = [quote for card in there if (quote := _quoted(card.post))]
    silent = await desk.store.list_taken_out(quoted)
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


async def unroll(desk: Desk, command: Command, say: Words) -> Answer:
    found = _links(command.arguments["url"])
    if not found:
        return failed(line(say("There is no link in that. Give me the address of any post of the thread.")))
    reasons: dict[str, str] = {}
    for url in found:
        answer = await _fetched(desk, url)
        if isinstance(answer, Thread):
            return await _unrolled(desk, command, answer, say)
        reasons[url] = _reason(answer, say)
    return failed(
        line(say("No thread could be read there. Nothing is lost; try again, or another link.")),
        *(item("{source}: {reason}", source=Span(clean(url), url), reason=why) for url, why in reasons.items()),
    )


async def _fetched(desk: Desk, url: str) -> Thread | Refused | TryLater | Gone:
    try:
        async with asyncio.timeout(desk.patience.total_seconds()):
            return await desk.threads.fetch(url)
    except TimeoutError:
        return TryLater(f"no answer within {desk.patience.total_seconds():g} s")


def _links(text: str) -> list[str]:
    found = (span.link for block in from_plain(text) for span in block.spans if span.link)
    return list(islice(dict.fromkeys(found), TRIED))


def _reason(answer: Refused | TryLater | Gone, say: Words) -> str:
    if isinstance(answer, TryLater):
        return say("it does not answer just now ({reason})").format(reason=answer.reason)
    return answer.reason


async def _unrolled(desk: Desk, command: Command, thread: Thread, say: Words) -> Answer:
    posts = [post for post in thread.posts if isinstance(post, Post)]
    if not posts:
        return failed(line(say("Its author has taken it back: there is nothing left to read.")))
    first = posts[0]
    page = await desk.threads.keep(thread)
    if page is None:
        return done(
            line(say("{author} asks not to be collected, so I make no page of it."), author=_author(first)),
            line(say("{link} leads to it."), link=Span(say("The original"), first.url)),
        )
    address = desk.page(command.destination, page.slug)
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
        return line(say("{link} leads to it."), link=there)
    return line("{page} · {original}", page=Span(say("Read it as one text"), address), original=there)
