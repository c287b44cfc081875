"""Looking around in a tree, never further than a few nodes: elements may be nested, and then each step is a square."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

SEEN = frozenset(("a", "amp-img", "audio", "embed", "iframe", "img", "object", "video", "x-iframe"))
"""Elements that are more than the words in them."""
NEAR = 12
"""Nodes that are looked at."""
_PARTED = ("br", "sub", "sup")
_FEW = 40


def first(node: LexborNode) -> Iterator[LexborNode]:
    """The first nodes within an element; never all of a large one, for elements may be nested."""
    outer: list[LexborNode] = []
    inner = node.first_child
    for _ in range(NEAR):
        if inner is None:
            return
        yield inner
        if inner.first_child is not None:
            outer.append(inner)
            inner = inner.first_child
            continue
        while inner.next is None and outer:
            inner = outer.pop()
        inner = inner.next


def above(node: LexborNode) -> Iterator[LexborNode]:
    for _ in range(NEAR):
        if (parent := node.parent) is None:
            return
        yield parent
        node = parent


def children(node: LexborNode | None) -> Iterator[LexborNode]:
    child = node.first_child if node is not None else None
    for _ in range(NEAR):
        if child is None:
            return
        yield child
        child = child.next


def words_of(node: LexborNode) -> str | None:
    """The few words in an element; None where there are many, or more than words."""
    inside = list(first(node))
    if len(inside) == NEAR or any(inner.tag in SEEN or inner.tag in _PARTED for inner in inside):
        return None
    words = " ".join("".join(inner.text_content or "" for inner in inside if inner.tag == "-text").split())
    return words if len(words) <= _FEW else None


def has_link(node: LexborNode) -> bool:
    return any(inner.tag == "a" for inner in first(node))
