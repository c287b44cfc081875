"""Where the links of a text lead, written into it: for whoever gets the words alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from urllib.parse import urlsplit

from relay.rich import Block, Role, Span, SpanStyle, Text
from relay.text.addresses import is_name
from relay.text.characters import ELLIPSIS
from relay.text.limits import MARKUP

_STRUCK = "~~"
_CLOSERS = tuple(" \n.,:;!?…)]}’”»'\"")
"""What may stand right behind an address in brackets and is not taken for a part of it."""


def with_targets(text: Text) -> Text:
    """The text with the address of each link behind its words, and with marks around words that were struck out.

    Words that are the address, or the beginning of it, become the whole address. Names of people and hashtags, and the
    numbers of notes, stay as they are.
    """
    room = [MARKUP]  # characters of addresses: there may be many links, each as long as may be
    return tuple(replace(block, spans=tuple(_struck(_told(block, room)))) for block in text)


def _told(block: Block, room: list[int]) -> Iterator[Span]:
    host = ""
    """What stands behind a link already, where its words look like another address, and is said twice now."""
    parted = True
    for url, group in groupby(block.spans, key=lambda span: span.link):
        run = [span for span in group if span.text]
        if not run:
            continue
        if host:
            run[0] = replace(run[0], text=run[0].text.removeprefix(host))
        if not parted and not run[0].text.startswith(_CLOSERS):
            yield Span(" ")
        written = _linked(url, run, room) if url else run
        yield from written
        is_told = written is not run
        host = f" ({urlsplit(url).hostname})" if is_told else ""
        parted = not is_told or written[-1].text.endswith((" ", "\n"))


def _linked(url: str, run: list[Span], room: list[int]) -> list[Span]:
    words, address = "".join(span.text for span in run), url.removeprefix("mailto:")
    if address in words or _says_enough(words, url, run) or len(address) > room[0]:
        return run
    room[0] -= len(address)
    if is_beginning(words, address):
        return [Span(address, url, marks=run[0].marks)]
    last = run[-1].text.rstrip()
    behind = f" ({address}){run[-1].text[len(last) :]}"
    marks = tuple(mark for mark in run[-1].marks if mark is SpanStyle.SPOILER)
    return [*run[:-1], replace(run[-1], text=last), Span(behind, url, marks=marks)]


def _says_enough(words: str, url: str, run: Iterable[Span]) -> bool:
    if all(span.role in (Role.MENTION, Role.HASHTAG) for span in run) and is_name(words):
        return True
    return is_note(words, url)


def is_note(words: str, url: str) -> bool:
    """Whether a link is the number of a note: it leads to another place of a page."""
    return "#" in url and not any(char.isalpha() for char in words)


def is_beginning(words: str, address: str) -> bool:
    """Whether the words are an address, perhaps without its scheme and shortened."""
    seen = _bare(words.strip().removesuffix(ELLIPSIS).removesuffix("...").rstrip("/"))
    return "." in seen and " " not in seen and _bare(address).startswith(seen)


def _bare(address: str) -> str:
    for start in ("https://", "http://", "www."):
        address = address.removeprefix(start)
    return address


def _struck(spans: Iterable[Span]) -> Iterator[Span]:
    """With marks around words that are struck out; around no address, which would seem to go on into them."""
    for struck, group in groupby(spans, key=lambda span: SpanStyle.STRIKE in span.marks):
        run = [span for span in group if span.text]
        words = "".join(span.text for span in run)
        if not struck or not words.strip() or any(span.link for span in run):
            yield from run
            continue
        inner = words.strip()
        start = words.index(inner)
        yield Span(f"{words[:start]}{_STRUCK}{inner}{_STRUCK}{words[start + len(inner) :]}")
