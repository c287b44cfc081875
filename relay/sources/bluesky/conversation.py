"""Which part of a conversation to ask for next. Pure.

An AppView tells 80 ancestors and 10 generations of answers, whatever is asked for (bluesky-social/atproto#3147). So the
author's own chain is asked for again from both of its ends until they do not move any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    top = _top(bag, start)
    ends = [top] if bag[top].parent and bag[top].parent not in bag else []
    ends += sorted(_tips(bag, top))  # the oldest first: around it stands most of the rest
    return next((end for end in ends if end not in asked), None)


def _top(bag: Bag, start: str) -> str:
    """The first post of the chain by one author that leads to ``start``, as far as it is known."""
    passed = {start}
    while (parent := bag[start].parent) in bag and parent not in passed:
        if bag[parent].author != bag[start].author:
            break
        start = parent
        passed.add(start)
    return start


def _tips(bag: Bag, top: str) -> list[str]:
    """The posts in the author's chains below ``top`` of which not all answers are known."""
    answers: dict[str, list[str]] = {}
    for uri, node in bag.items():
        if node.author == bag[top].author:
            answers.setdefault(node.parent, []).append(uri)
    tips, waiting, passed = [], [top], {top}
    while waiting:
        here = waiting.pop()
        onward = [uri for uri in answers.get(here, ()) if uri not in passed]
        passed.update(onward)
        waiting += onward
        if bag[here].open:
            tips.append(here)
    return tips
