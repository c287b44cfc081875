"""Which part of a conversation to ask for next. Pure.

To visitors a server tells 40 ancestors and 60 descendants, 20 deep, and does not say when there are more
(docs.joinmastodon.org/methods/statuses#context). So the author's own chain is asked for again from both of its ends
until they do not move any more. A post that nobody answered, as its server counts, needs no asking.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from relay.sources.mastodon.shapes import Status

Bag = Mapping[str, Status]
"""Statuses of one server by their ids there."""


def next_anchor(bag: Bag, start: str, asked: Collection[str]) -> str | None:
    """The id of the post whose context is to be asked for next, None when the chain of ``start`` is whole."""
    top = _top(bag, start)
    parent = str(bag[top].in_reply_to_id or "")
    ends = [top] if parent and parent not in bag else []
    ends += sorted(_tips(bag, top), key=lambda i: (len(i), i), reverse=True)
    return next((end for end in ends if end not in asked), None)


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
    """The last posts of all chains of self-replies that begin at ``top``."""
    answers: dict[str, list[str]] = {}
    for identifier, status in bag.items():
        if _author(status) == _author(bag[top]):
            answers.setdefault(str(status.in_reply_to_id or ""), []).append(identifier)
    tips, waiting, passed = [], [top], {top}
    while waiting:
        here = waiting.pop()
        onward = [i for i in answers.get(here, ()) if i not in passed]
        passed.update(onward)
        waiting += onward
        if not onward and bag[here].replies_count != 0:
            tips.append(here)
    return tips


def _author(status: Status) -> str:
    return str(status.account.id) if status.account else ""
