"""Which part of a conversation to ask for next. Pure.

To visitors a server tells 40 ancestors and 60 descendants, 20 deep, and does not say when there are more
(docs.joinmastodon.org/methods/statuses#context). So the author's own chain is asked for again from both of its ends
until they do not move any more. Below a long chain it is cheaper to read on in what the author wrote after it, 40 at a
time, and where many others answered there is no other way: they fill what is told of an end, and hide how it goes on.
A post that nobody answered, as its server counts, needs no asking.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from relay.sources.mastodon.place import age
from relay.sources.mastodon.shapes import Status

Bag = Mapping[str, Status]
"""Statuses of one server by their ids there."""

FULL = 60
"""So many descendants told: there may be more."""
DEEP = 20
"""So many generations told: there may be more."""
WORTH = 10
"""So many posts of the thread on a page of the author's posts make the next page worth asking for."""


@dataclass(frozen=True, slots=True)
class Around:
    """Ask what stands around a post."""

    id: str


@dataclass(frozen=True, slots=True)
class After:
    """Ask what the author wrote after a post."""

    id: str


@dataclass(slots=True)
class Asked:
    """What was asked for so far, and what is known of the answers."""

    around: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    """Around these posts more stands than was told."""
    fruitful: bool = True
    """No page of the author's posts was a waste yet."""
    end: str = ""
    """All that the author wrote after this post is known; empty: of no post."""


def next_question(bag: Bag, start: str, asked: Asked) -> Around | After | None:
    """What to ask for next; None when the chain of ``start`` is whole."""
    if start not in asked.around:
        return Around(start)
    top = _top(bag, start)
    parent = str(bag[top].in_reply_to_id or "")
    if parent and parent not in bag and top not in asked.around:
        return Around(top)
    return next((question for tip in _tips(bag, top) if (question := _onward(tip, asked))), None)


def _onward(tip: str, asked: Asked) -> Around | After | None:
    if asked.end and age(tip) >= age(asked.end):
        return None
    if tip not in asked.after and (tip in asked.cut or (asked.cut and asked.fruitful)):
        return After(tip)
    return Around(tip) if tip not in asked.around else None


def is_cut(bag: Bag, anchor: str, descendants: Collection[str]) -> bool:
    """Whether what was told below a post is as much as a server tells at most."""
    deepest = max((_depth(bag, anchor, identifier) for identifier in descendants), default=0)
    return len(descendants) >= FULL or deepest >= DEEP


def length(bag: Bag, start: str) -> int:
    """How many posts of the author's chains around ``start`` are known."""
    return len(_chains(bag, _top(bag, start)))


def goes_on(bag: Bag, later: Status) -> bool:
    """Whether a later post of the author's belongs to the conversation.

    It may be one that lost what it answered: a server forgets that with the post (mastodon's schema, ``on_delete``).
    """
    parent, answered = str(later.in_reply_to_id or ""), str(later.in_reply_to_account_id or "")
    return parent in bag if parent else answered != "" and answered == _author(later)


def _depth(bag: Bag, anchor: str, identifier: str) -> int:
    depth = 0
    while identifier in bag and identifier != anchor and depth < DEEP:
        identifier = str(bag[identifier].in_reply_to_id or "")
        depth += 1
    return depth


def _top(bag: Bag, start: str) -> str:
    """The first post of the chain by one author that leads to ``start``, as far as it is known."""
    passed = {start}
    while (parent := str(bag[start].in_reply_to_id or "")) in bag and parent not in passed:
        if _author(bag[parent]) != _author(bag[start]):
            break
        start = parent
        passed.add(start)
    return start


def _tips(bag: Bag, top: str) -> list[str]:
    """The last posts of all chains of self-replies that begin at ``top``, the newest first."""
    chains = _chains(bag, top)
    tips = (i for i, is_last in chains.items() if is_last and bag[i].replies_count != 0)
    return sorted(tips, key=age, reverse=True)


def _chains(bag: Bag, top: str) -> dict[str, bool]:
    """The posts of all chains of self-replies that begin at ``top``, and whether a chain ends there."""
    answers: dict[str, list[str]] = {}
    for identifier, status in bag.items():
        if _author(status) == _author(bag[top]):
            answers.setdefault(str(status.in_reply_to_id or ""), []).append(identifier)
    found, waiting, passed = {}, [top], {top}
    while waiting:
        here = waiting.pop()
        onward = [i for i in answers.get(here, ()) if i not in passed]
        passed.update(onward)
        waiting += onward
        found[here] = not onward
    return found


def _author(status: Status) -> str:
    return str(status.account.id) if status.account else ""
