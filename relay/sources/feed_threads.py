"""Entries of one feed that go on with each other: which of them a publisher means as one thread. Pure.

Most entries that link to an earlier one only lean on it, as news do, and a part of a thread has no message of its own
where ``mode = "threads"``: who is wrongly taken for one is missed by readers. So a link alone is no evidence. An entry
goes on with an earlier one where all of this holds, and in doubt it stands for itself:

- both are dated, by the same author (the name counts: all of a feed have one address), at pages of their own in one
  document and on one host, the earlier one published before; a link to what is not in the document tells nothing;
- the entry answers nothing by itself: ``thr:in-reply-to`` is the publisher's own word, and wins;
- it says so: around the link stands that it is a part or a continuation, or its title has the number of a later part;
  or the two name each other, both in running text and not in a list of links;
- it was published within :data:`WITHIN` of the first of them, as long as threads are looked at: what comes later is
  news of its own, and begins another thread;
- it names :data:`MOST` entries of the document at most: one that names more is a list of contents, or looks back;
- linking back is no habit there: where three or more entries of the author do, and those are most, it is navigation or
  a serial, of which each part is awaited.

Of several entries that it goes on with the newest one is the one that it answers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import NamedTuple

from relay.core.urls import page
from relay.model import Post, PostUri
from relay.rich import Block

WITHIN = timedelta(days=3)
MOST = 3
_HABIT = 3
_LINKS = 200
_PROSE = 25
"""Characters around the links of a block that make it more than a list of them."""
_BEFORE, _AFTER = 60, 40

_MANY = r"(?:0?[2-9]|[1-9]\d|ii|iii|iv|vi{1,3})\b"
_SECOND = r"(?:second|third|fourth|fifth|last|final)"
_SEGUNDA = r"(?:segunda|seconda|deuxi[eè]me|seconde|terceira|tercera|terza|troisi[eè]me|quarta|cuarta|quinta|última)"
_ZWEITER = r"(?:zweiter|dritter|vierter|fünfter|letzter)"
_LATER = re.compile(
    rf"\b(?:part|pt\.?|teil|parte|partie|deel|część|часть) ?(?:{_MANY}|(?:two|three|four|five|zwei|drei|vier|dos|tres"
    r"|cuatro|deux|trois|due|tre|dois|três|twee|drie)\b)"
    rf"|\b{_SECOND} part\b|\b{_SEGUNDA} (?:parte|partie)\b|\b{_ZWEITER} teil\b|\bвторая часть\b"
    r"|الجزء (?:الثاني|الثالث|الرابع|[2-9])|(?:パート|その) ?[2-9二三四](?![つ人者0-9])|第[2-9二三四]部分"
    r"|\bcontinu(?:ed|es|ing) from\b|\bcontinuation of\b|\bcontinuaci[oó]n del?\b|\bcontinua(?:ção d[aeo]|zione d)"
    r"|\bfortsetzung (?:von|des|der|zu)\b|\bvervolg (?:op|van)\b|\bпродолжение\b|\bsuite et fin\b|の続き|接上[文篇]",
)
"""What is said of a later part, in languages that we can read; in others only what names each other is a thread."""
_ANY_PART = re.compile(
    r"\W*(?:part|pt\.?|teil|parte|partie|deel|часть|パート) ?(?:\d{1,2}|[ivx]{1,4}|one|eins|uno|una|un)\b"
)
"""How the link to a part is called."""
_BARE = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?()\[\]]")
_SENTENCE = re.compile(r"[.!?…] |[。！？\n]")


class EntryLink(NamedTuple):
    """A link, and what stands around it."""

    before: str
    called: str
    after: str
    prose: bool
    """It stands in running text."""

    def says_so(self) -> bool:
        """Whether the sentence in which the link stands tells that it goes on with what is there."""
        before, after = _SENTENCE.split(self.before)[-1], _SENTENCE.split(self.after)[0]
        called = self.called.casefold()
        return bool(_ANY_PART.match(called) or _LATER.search(f"{before.casefold()}{called}{after.casefold()}"))


def links(post: Post) -> frozenset[str]:
    """The pages on its own host that a post links to, as :func:`relay.core.urls.page` writes them; some hundreds."""
    own = page(post.url)
    home = f"//{own[2:].partition('/')[0]}/"
    found: set[str] = set()
    for block in post.body if own else ():
        for span in block.spans:
            if span.link:
                found.add(page(span.link))
            elif "://" in span.text:
                found.update(map(page, _BARE.findall(span.text)))
        if len(found) > _LINKS:
            break
    return frozenset(there for there in found if there.startswith(home) and there != own)


def _mentions(post: Post) -> Mapping[str, Sequence[EntryLink]]:
    """All that it links to, with what stands around each link."""
    found: defaultdict[str, list[EntryLink]] = defaultdict(list)
    for block in post.body:
        if any(span.link or "://" in span.text for span in block.spans):
            for there, mention in _mentioned(block):
                found[there].append(mention)
    return found


def _mentioned(block: Block) -> Iterator[tuple[str, EntryLink]]:
    """Around a link is what stands between the links beside it, and not far."""
    runs = list(_runs(block))
    text = "".join([span.text for span in block.spans])
    floor, last = 0, len(runs) - 1
    prose = len(text) - sum([end - start for _, start, end in runs]) >= _PROSE
    for number, (link, start, end) in enumerate(runs):
        ceiling = runs[number + 1][1] if number < last else len(text)
        before, after = text[max(floor, start - _BEFORE) : start], text[end : min(ceiling, end + _AFTER)]
        yield page(link), EntryLink(before, text[start : min(end, start + _BEFORE)], after, prose)
        floor = end


def _runs(block: Block) -> Iterator[tuple[str, int, int]]:
    """The links and bare addresses of a block, and where the text of each begins and ends; a link's spans are one."""
    at = 0
    for link, spans in groupby(block.spans, key=lambda span: span.link):
        text = "".join(span.text for span in spans)
        if link:
            yield link, at, at + len(text)
        elif "://" in text:
            yield from ((found[0], at + found.start(), at + found.end()) for found in _BARE.finditer(text))
        at += len(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRelations:
    """An entry of a document, and what it says of others."""

    post: Post
    dated: bool
    answers: str = ""
    """The id of the entry that it answers, in its publisher's own word; ``post.reply_to`` is the uri of that one."""
    links: frozenset[str] = frozenset()


def in_threads(document: Sequence[EntryRelations]) -> dict[PostUri, Post]:
    """The posts that answer others, with what is known of that from the whole document; by their uris."""
    if not any(told.answers or told.links for told in document):
        return {}
    found = dict(_answers(document))
    for told, parent in _continuations(document):
        post = told.post
        found[post.uri] = replace(post, reply_to=parent.uri, reply_to_author=parent.author.uri)
    return found


def _answers(document: Sequence[EntryRelations]) -> Iterator[tuple[PostUri, Post]]:
    """Who answers somebody else, as in feeds of comments, is told apart: their addresses as authors are the feed's."""
    by_uri = {told.post.uri: told.post for told in document}
    several = len({_author(told.post) for told in document}) > 1
    for told in document:
        post = told.post
        parent = by_uri.get(PostUri(post.reply_to)) if told.answers else None
        if parent is not None and _author(parent) == _author(post):
            yield post.uri, replace(post, reply_to_author=post.author.uri)
        elif parent is not None:
            yield post.uri, replace(post, reply_to=parent.url)
        elif told.answers and several:  # nobody knows whose that was
            yield post.uri, replace(post, reply_to=told.answers)


def _author(post: Post) -> tuple[str, str, str]:
    return post.author.uri, post.author.name, post.author.handle


def _continuations(document: Sequence[EntryRelations]) -> Iterator[tuple[EntryRelations, Post]]:
    authors: defaultdict[tuple[str, str, str], dict[str, EntryRelations]] = defaultdict(dict)
    for place, told in _at_home(document).items():
        authors[_author(told.post)][place] = told
    for entries in authors.values():
        yield from _of_one_author(entries)


def _at_home(document: Sequence[EntryRelations]) -> dict[str, EntryRelations]:
    """The dated entries that alone are at their page, which is not the site's first one."""
    pages: defaultdict[str, list[EntryRelations]] = defaultdict(list)
    for told in document:
        pages[page(told.post.url)].append(told)
    fronts = {"", *(page(one) for told in document for one in (told.post.author.url, told.post.origin))}
    return {
        place: told
        for place, [told, *others] in pages.items()
        if told.dated and not others and place not in fronts and "/" in place.removeprefix("//")
    }


def _of_one_author(entries: Mapping[str, EntryRelations]) -> Iterator[tuple[EntryRelations, Post]]:
    named = {place: [entries[one] for one in told.links if one in entries] for place, told in entries.items()}
    older = {place: [one for one in named[place] if _age(one) < _age(told)] for place, told in entries.items()}
    if _is_habit(sum(map(bool, older.values())), len(entries)):
        return
    around = cache(lambda place: _mentions(entries[place].post))
    begun: dict[PostUri, datetime] = {}
    for place, told in sorted(entries.items(), key=lambda entry: _order(entry[1])):
        for above in sorted(older[place], key=_order, reverse=True) if _may_go_on(told, named[place]) else ():
            first, there = begun.get(above.post.uri, _age(above)), page(above.post.url)
            answered = place in above.links and len(named[there]) <= MOST
            back = around(there)[place] if answered else ()
            if _age(told) - first <= WITHIN and _goes_on(told, around(place)[there], back):
                begun[told.post.uri] = first
                yield told, above.post
                break


def _age(told: EntryRelations) -> datetime:
    return told.post.published


def _order(told: EntryRelations) -> tuple[datetime, str]:
    return _age(told), told.post.uri


def _is_habit(looking_back: int, entries: int) -> bool:
    return looking_back >= _HABIT and looking_back * 2 >= entries


def _may_go_on(told: EntryRelations, named: Sequence[EntryRelations]) -> bool:
    return not told.post.reply_to and len(named) <= MOST


def _goes_on(told: EntryRelations, there: Sequence[EntryLink], back: Sequence[EntryLink]) -> bool:
    """Whether it says so, or the two name each other in running text."""
    if any(one.says_so() for one in there) or _LATER.search(told.post.title.casefold()):
        return True
    return any(one.prose for one in there) and any(one.prose for one in back)
