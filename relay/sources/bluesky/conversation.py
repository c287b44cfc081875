"""Which part of a conversation to ask for next. Pure.

An AppView tells 80 ancestors and 10 generations of answers, whatever is asked for (bluesky-social/atproto#3147). So the
author's own chain is asked for again from both of its ends until they do not move any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """What a post's place in the conversation is; ``open``: there are answers that were not told with it."""

    author: str
    parent: str
    open: bool


Bag = Mapping[str, Node]
"""Posts by uri."""


def next_anchor(bag: Bag, start: str, asked: Collection[str]) -> str | None:
    """The post whose surroundings are to be asked for next, None when the chain of ``start`` is whole."""
    top = top_of(bag, start)
    ends = [top] if bag[top].parent and bag[top].parent not in bag else []
    ends += sorted(uri for uri in _chains(bag, top) if bag[uri].open)  # the oldest first: around it stands most
    return next((end for end in ends if end not in asked), None)


def top_of(bag: Bag, start: str) -> str:
    """The first post of the chain by one author that leads to ``start``, as far as it is known."""
    passed = {start}
    while (parent := bag[start].parent) in bag and parent not in passed:
        if bag[parent].author != bag[start].author:
            break
        start = parent
        passed.add(start)
    return start


def is_alone(bag: Bag, start: str) -> bool:
    """Whether it is no part of a thread for all that is known: no post of the author's above it, and none below."""
    node = bag[start]
    goes_on = node.parent.startswith(f"at://{node.author}/")
    return not (goes_on or node.open or any(uri != start for uri in _chains(bag, start)))


def _chains(bag: Bag, top: str) -> Iterator[str]:
    """All posts in the chains of self-replies that begin at ``top``."""
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for uri, node in bag.items():
        if node.author == bag[top].author:
            answers[node.parent].append(uri)
    waiting, passed = [top], {top}
    while waiting:
        here = waiting.pop()
        yield here
        onward = [uri for uri in answers[here] if uri not in passed]
        passed.update(onward)
        waiting += onward
