"""Threads that lived: what grew, branched off, was edited and lost its middle is still read in its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.unroll import unroll
from relay.model import Post, Removed
from tests.support.thorough import examples
from tests.support.unroll_cases import BRU, NOON, gone, names, post


@dataclass(frozen=True)
class Life:
    """What became of a thread in the end, and what a reader is to see of it."""

    posts: list[Post | Removed]
    links: Mapping[str, str]
    spine: list[str]
    asides: list[list[str]]
    parent: str


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """It grew under nobody's or somebody's post, was answered, branched off later, was edited, and lost its middle.

    A server that loses a post forgets who answered it, as Mastodon does; who kept the links knows.
    """
    length = draw(st.integers(1, 40))
    under = draw(st.sampled_from(["", "b0"]))
    spine = [f"a{n}" for n in range(1, length + 1)]
    written = [post(name, above) for above, name in pairwise([under, *spine])]
    branched = draw(st.lists(st.integers(1, length - 1), max_size=3, unique=True)) if length > 1 else []
    asides = [[f"a{100 * k + n}" for n in range(draw(st.integers(1, 3)))] for k in range(1, len(branched) + 1)]
    for start, branch in zip(branched, asides, strict=True):
        written += [post(name, above) for above, name in pairwise([f"a{start}", *branch])]
    links: dict[str, str] = {one.uri: one.reply_to for one in written}
    lost = set(draw(st.lists(st.sampled_from(spine[:-1]), max_size=5))) if length > 1 else set()
    left: list[Post | Removed] = [gone(one.uri) for one in written if one.uri in lost]
    for one in written:
        if one.uri not in lost:
            now = replace(one, reply_to="") if one.reply_to in lost else one
            edited = [replace(now, title="edited", edited=NOON + timedelta(days=9))] if draw(st.booleans()) else []
            left += [now, *edited]
    strangers = [post(f"b{n}", draw(st.sampled_from(spine)), by=BRU) for n in range(500, 500 + draw(st.integers(0, 4)))]
    own = [post(f"a{n + 500}", stranger.uri) for n, stranger in enumerate(strangers)]  # to a comment: no part of it
    seen = [f"-{name}" if name in lost else name for name in spine]
    return Life([*left, *strangers, *own, post("b0", by=BRU)], links, seen, asides, under)


@given(lives(), st.data())
@settings(max_examples=examples(200), deadline=None)
def test_what_a_thread_lived_through_is_read_in_its_order(life: Life, data: st.DataObject) -> None:
    anchor = data.draw(st.sampled_from([name for name in life.spine if name[0] != "-"]))
    thread = unroll(data.draw(st.permutations(life.posts)), anchor, links=life.links)
    assert names(thread) == (life.spine, life.asides, life.parent)
    assert thread
    edited = {one.uri for one in life.posts if isinstance(one, Post) and one.edited}
    shown = [one for one in thread.posts if isinstance(one, Post)] + [one for aside in thread.asides for one in aside]
    assert {one.uri for one in shown if one.title == "edited"} == edited
