"""Posts of a conversation → one author's thread, whatever is missing, foreign, doubled or in a circle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.unroll import events_in_order, in_order, unroll
from relay.model import Deleted, Edited, Event, Post, PostUri, Published, Removed
from tests.support.thorough import examples
from tests.support.unroll_cases import ANA, BRU, NOON, gone, names, post

CHAIN = [post("a1"), post("a2", "a1"), post("a3", "a2")]
FORK = [*CHAIN, post("a4", "a2"), post("a5", "a4"), post("a6", "a4"), post("a7", "a1")]


@pytest.mark.parametrize(
    ("posts", "anchor", "posts_of_thread", "asides", "parent"),
    [
        pytest.param([post("a1")], "a1", ["a1"], [], "", id="alone"),
        pytest.param(CHAIN, "a1", ["a1", "a2", "a3"], [], "", id="from the first"),
        pytest.param(CHAIN, "a3", ["a1", "a2", "a3"], [], "", id="from the last"),
        pytest.param(CHAIN + CHAIN, "a2", ["a1", "a2", "a3"], [], "", id="doubled"),
        pytest.param(CHAIN, "https://ayllu.example/a2", ["a1", "a2", "a3"], [], "", id="by web address"),
        pytest.param(
            [post("a1", aliases=("i:1",)), post("a2", "i:1", aliases=("i:2",)), post("a3", "i:2")],
            "i:2",
            ["a1", "a2", "a3"],
            [],
            "",
            id="by alias",
        ),
        pytest.param(
            [post("a1", at=9), post("a2", "a1", at=5), post("a3", "a2", at=1)],
            "a2",
            ["a1", "a2", "a3"],
            [],
            "",
            id="wrong clocks do not matter in a chain",
        ),
        pytest.param(
            FORK, "a1", ["a1", "a2", "a3"], [["a4", "a5"], ["a6"], ["a7"]], "", id="the oldest answer leads on"
        ),
        pytest.param(
            FORK, "a6", ["a1", "a2", "a4", "a6"], [["a3"], ["a5"], ["a7"]], "", id="but the anchor is on the way"
        ),
        pytest.param(
            [post("a1"), post("a3", "a1", at=5), post("a2", "a1", at=5)],
            "a1",
            ["a1", "a2"],
            [["a3"]],
            "",
            id="of equal age the first by uri",
        ),
        pytest.param(
            [post("b1", by=BRU), post("a2", "b1"), post("a3", "a2")],
            "a3",
            ["a2", "a3"],
            [],
            "b1",
            id="under another's post",
        ),
        pytest.param([post("a2", "x1"), post("a3", "a2")], "a3", ["a2", "a3"], [], "x1", id="under a missing post"),
        pytest.param(
            [*CHAIN, post("b4", "a3", by=BRU), post("a5", "b4"), post("a6", "a5")],
            "a1",
            ["a1", "a2", "a3"],
            [],
            "",
            id="an answer to a comment is no part",
        ),
        pytest.param(
            [*CHAIN, post("b4", "a3", by=BRU), post("a5", "b4"), post("a6", "a5")],
            "a6",
            ["a5", "a6"],
            [],
            "b4",
            id="but a thread of its own",
        ),
        pytest.param([*CHAIN, post("b4", "a3", by=BRU)], "b4", ["b4"], [], "a3", id="the anchor's author counts"),
        pytest.param([post("a1", "a1")], "a1", ["a1"], [], "", id="an answer to itself"),
        pytest.param(
            [post("a1", "a3"), post("a2", "a1"), post("a3", "a2"), post("a4", "a3")],
            "a4",
            ["a1", "a2", "a3", "a4"],
            [],
            "",
            id="a circle begins with its oldest",
        ),
        pytest.param([*CHAIN, gone("a9")], "a1", ["a1", "a2", "a3"], [], "", id="a removed post that nothing needs"),
    ],
)
def test_a_thread_is_what_its_author_answered_to_themselves(
    posts: list[Post | Removed], anchor: str, posts_of_thread: list[str], asides: list[list[str]], parent: str
) -> None:
    assert names(unroll(posts, anchor)) == (posts_of_thread, asides, parent)
    assert names(unroll(reversed(posts), anchor)) == (posts_of_thread, asides, parent)


LINKS = {"a2": "a1", "a3": "a2", "a4": "a3"}


@pytest.mark.parametrize(
    ("posts", "anchor", "links", "answer"),
    [
        pytest.param(
            [post("a1"), gone("a2"), post("a3")],
            "a1",
            LINKS,
            (["a1", "-a2", "a3"], [], ""),
            id="a gap between two posts",
        ),
        pytest.param(
            [post("a1"), gone("a2"), post("a3", "a2")],
            "a3",
            LINKS,
            (["a1", "-a2", "a3"], [], ""),
            id="its answer knows it",
        ),
        pytest.param(
            [post("a1"), gone("a2"), post("a3")], "a3", {}, (["a3"], [], ""), id="without links the thread is split"
        ),
        pytest.param(
            [post("a1"), gone("a2"), gone("a3"), post("a4")],
            "a4",
            LINKS,
            (["a1", "-a2", "-a3", "a4"], [], ""),
            id="two gaps in a row",
        ),
        pytest.param([gone("a1"), post("a2")], "a2", LINKS, (["-a1", "a2"], [], ""), id="the first is gone"),
        pytest.param([gone("a1"), post("a2", "a1")], "a1", {}, (["-a1", "a2"], [], ""), id="entered at the gap"),
        pytest.param(
            [post("a1"), gone("a2"), post("a3")], "a2", LINKS, (["a1", "-a2", "a3"], [], ""), id="in the middle"
        ),
        pytest.param([post("a1"), gone("a2")], "a2", LINKS, (["a1"], [], ""), id="the last is gone"),
        pytest.param([gone("a1")], "a1", {}, (["-a1"], [], ""), id="nothing but a gap"),
        pytest.param([gone("a2"), post("a3")], "a3", LINKS, (["-a2", "a3"], [], "a1"), id="a gap under a missing post"),
        pytest.param(
            [post("b1", by=BRU), gone("a2"), post("a3")],
            "a3",
            {"a2": "b1", "a3": "a2"},
            (["-a2", "a3"], [], "b1"),
            id="a gap under another's post",
        ),
        pytest.param(
            [post("a1"), post("a2", "a1"), gone("a2"), post("a3", "a2")],
            "a1",
            {},
            (["a1", "-a2", "a3"], [], ""),
            id="an older copy of a removed post tells its place and nothing else",
        ),
        pytest.param(
            [post("a1"), gone("a2"), post("a3"), post("a4", "a1", at=2)],
            "a1",
            LINKS,
            (["a1", "a4"], [["a3"]], ""),
            id="a gap is as old as what it holds",
        ),
        pytest.param(
            [post("a1"), gone("a2"), post("a3"), post("a9", "a2"), post("a5", "a1")],
            "a1",
            LINKS,
            (["a1", "-a2", "a3"], [["a5"], ["a9"]], ""),
            id="and as the oldest of that",
        ),
        pytest.param(
            [post("a1"), gone("a2"), post("a3", "a1")],
            "a2",
            LINKS,
            (["a1", "a3"], [], ""),
            id="nothing leads on from a gap at the end",
        ),
        pytest.param(
            [post("a1"), post("a2", "b9"), post("a3", "a2")],
            "a3",
            LINKS,
            (["a2", "a3"], [], "b9"),
            id="a link does not overrule what a post says",
        ),
        pytest.param(
            [gone("a1"), gone("a2"), post("a3")],
            "a3",
            {"a3": "a2", "a2": "a1", "a1": "a2"},
            (["-a1", "-a2", "a3"], [], ""),
            id="a circle of gaps",
        ),
    ],
)
def test_a_removed_post_keeps_its_place_where_a_later_one_needs_it(
    posts: list[Post | Removed], anchor: str, links: Mapping[str, str], answer: tuple[list[str], list[list[str]], str]
) -> None:
    assert names(unroll(posts, anchor, links=links)) == answer
    assert names(unroll(reversed(posts), anchor, links=links)) == answer


def test_who_is_not_there_has_no_thread() -> None:
    assert unroll(CHAIN, "a9") is None
    assert unroll([], "a1") is None
    assert unroll(CHAIN, "") is None


def test_the_latest_version_of_a_post_is_shown() -> None:
    edited = replace(CHAIN[1], title="edited", edited=NOON + timedelta(hours=1))
    for posts in ([*CHAIN, edited], [edited, *CHAIN]):
        thread = unroll(posts, "a1")
        assert thread
        assert thread.posts[1] is edited


def test_two_instances_copies_of_a_post_lend_each_other_their_names() -> None:
    here = [post("a1", aliases=("i:1",)), post("a2", "i:1", aliases=("i:2",))]
    there = [post("a2", aliases=("j:7",)), post("a3", "j:7")]
    assert names(unroll([*here, *there], "a1")) == (["a1", "a2", "a3"], [], "")


def test_nobody_takes_another_posts_place_by_claiming_its_name() -> None:
    thief = post("z9", by=BRU, aliases=("a1", "a2"), url="a2")
    assert names(unroll([thief, *CHAIN], "a2")) == (["a1", "a2", "a3"], [], "")


def test_a_long_thread_is_unrolled_without_recursion() -> None:
    posts = [post(f"a{n}", f"a{n - 1}" if n else "") for n in range(20_000)]
    thread = unroll(reversed(posts), "a10000")
    assert thread
    assert thread.posts == tuple(posts)


def test_a_post_with_many_answers_is_unrolled_in_time() -> None:
    thread = unroll([post("a0"), *(post(f"a{n}", "a0") for n in range(1, 20_000))], "a0")
    assert thread
    assert len(thread.asides) == 19_998


# --- what always holds ---

URIS = [f"p{n}" for n in range(8)]
POSTS = st.builds(
    post,
    st.sampled_from(URIS),
    st.sampled_from(["", *URIS, "i:1", "x"]),
    by=st.sampled_from([ANA, ANA, ANA, BRU]),
    at=st.integers(0, 3),
    aliases=st.sampled_from([(), (), ("i:1",)]),
)
PLAIN_POSTS = POSTS.map(lambda one: replace(one, aliases=()))
STRAIGHT_POSTS = PLAIN_POSTS.map(lambda one: one if one.reply_to < one.uri else replace(one, reply_to=""))
GAPS = st.builds(gone, st.sampled_from(URIS))
BAGS = st.lists(POSTS | GAPS, min_size=1, max_size=12)
SEEN = st.dictionaries(st.sampled_from(URIS), st.sampled_from([*URIS, "x"]))
STRAIGHT_LINKS = SEEN.map(lambda seen: {below: above for below, above in seen.items() if above < below})


@given(BAGS, SEEN, st.data())
@settings(max_examples=examples(200), deadline=None)
def test_the_same_posts_give_the_same_thread_in_any_order_and_its_own_posts_give_it_again(
    posts: list[Post | Removed], links: Mapping[str, str], data: st.DataObject
) -> None:
    anchor = data.draw(st.sampled_from([one.uri for one in posts]))
    thread = unroll(posts, anchor, links=links)
    shuffled = data.draw(st.permutations(posts))
    assert unroll(shuffled, anchor, links=links) == thread
    assert thread
    for one in thread.posts:
        again = unroll(posts, one.uri, links=links)
        assert again
        assert again.root == thread.root or isinstance(one, Removed)


@given(st.lists(STRAIGHT_POSTS | GAPS, min_size=1, unique_by=lambda one: one.uri), STRAIGHT_LINKS)
@settings(max_examples=examples(200), deadline=None)
def test_the_posts_of_a_thread_alone_give_it_again_from_each_of_them(
    posts: list[Post | Removed], links: Mapping[str, str]
) -> None:
    thread = unroll(posts, posts[0].uri, links=links)
    assert thread
    for one in thread.posts:
        again = unroll(thread.posts, one.uri, links=links)
        assert again
        assert again.root == thread.root


@given(BAGS, SEEN, st.data())
@settings(max_examples=examples(200), deadline=None)
def test_a_thread_holds_each_post_once_by_one_author_and_none_of_a_removed_ones_words(
    posts: list[Post | Removed], links: Mapping[str, str], data: st.DataObject
) -> None:
    anchor = data.draw(st.sampled_from([one.uri for one in posts]))
    thread = unroll(posts, anchor, links=links)
    assert thread
    shown = [one for one in thread.posts if isinstance(one, Post)] + [one for aside in thread.asides for one in aside]
    everywhere = [one.uri for one in thread.posts] + [one.uri for aside in thread.asides for one in aside]
    assert len(everywhere) == len(set(everywhere))
    assert len({one.author for one in shown}) <= 1
    assert not {one.uri for one in shown} & {one.uri for one in posts if isinstance(one, Removed)}
    assert isinstance(thread.posts[-1], Post) or len(thread.posts) == 1 or not shown
    assert all(thread.asides)


def _answers(post: Post, other: Post, posts: Mapping[PostUri, Post]) -> bool:
    """Whether ``other`` is somewhere above ``post``: then the two are in a circle."""
    seen: set[str] = set()
    while (above := posts.get(PostUri(post.reply_to))) and above.uri not in seen:
        if above is other:
            return True
        seen.add(above.uri)
        post = above
    return False


@given(st.lists(PLAIN_POSTS, max_size=12, unique_by=(lambda one: one.uri, lambda one: one.published)), st.data())
@settings(max_examples=examples(200), deadline=None)
def test_posts_in_order_come_after_what_they_answer(posts: list[Post], data: st.DataObject) -> None:
    ordered = in_order(posts)
    assert ordered == in_order(data.draw(st.permutations(posts)))
    assert sorted(one.uri for one in ordered) == sorted({one.uri for one in posts})
    by_uri = {one.uri: one for one in ordered}
    seen: set[str] = set()
    for one in ordered:
        seen.add(one.uri)
        above = by_uri.get(PostUri(one.reply_to))
        assert above is None or above.uri in seen or _answers(above, one, by_uri)


def test_a_parent_comes_first_even_where_its_clock_is_late() -> None:
    late = [post("a1", at=9), post("a2", "a1", at=2), post("b3", "a2", by=BRU), post("c4", at=4)]
    assert [one.uri for one in in_order(late)] == ["a1", "a2", "b3", "c4"]
    assert in_order([]) == []


def test_what_is_of_one_time_stays_in_its_order_but_behind_what_it_answers() -> None:
    same = [post("z", at=1), post("m", at=1), post("c2", "c1", at=1), post("c1", at=1), post("a", at=1)]
    assert [one.uri for one in in_order(same)] == ["z", "m", "c1", "c2", "a"]


@given(st.permutations(["a1", "a2", "a3"]))
def test_what_is_told_at_once_is_told_as_the_thread_is(names: list[str]) -> None:
    above = {"a2": "a1", "a3": "a2"}
    told = [("feed", Published(post(name, above.get(name, "")))) for name in names]
    assert [event.post.uri for _, event in events_in_order(told, lambda one: one[1])] == ["a1", "a2", "a3"]


def test_no_publication_is_moved_past_an_edit_or_a_deletion() -> None:
    first, second, third = (Published(post(name)) for name in ("a1", "a2", "a3"))
    told: list[Event] = [third, second, Deleted("a3"), Edited(post("a2")), second, first]
    assert events_in_order(told, lambda one: one) == [second, third, *told[2:4], first, second]


def test_a_post_that_is_told_for_several_feeds_is_told_for_each() -> None:
    told = [(feed, Published(post(name))) for name in ("a2", "a1") for feed in ("x", "y")]
    assert [(feed, event.post.uri) for feed, event in events_in_order(told, lambda one: one[1])] == [
        ("x", "a1"), ("y", "a1"), ("x", "a2"), ("y", "a2")
    ]  # fmt: skip


# --- its cost ---


class Name(str):
    """A uri that counts how often it is looked up."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        Name.looks += 1
        return super().__hash__()

    __eq__ = str.__eq__


def _fan(size: int) -> list[Post | Removed]:
    """A chain of removed posts, and below it as many answers of others."""
    gap = [Removed(PostUri(Name(f"r{n}")), reply_to=Name(f"r{n - 1}") if n else "") for n in range(size)]
    return [*gap, *(post(Name(f"a{n}"), Name(f"r{size - 1}"), at=n) for n in range(size))]


def _chain(size: int) -> list[Post | Removed]:
    """As above, and the answers answer each other."""
    gap = _fan(size)[:size]
    return [*gap, *(post(Name(f"a{n}"), Name(f"a{n - 1}" if n else f"r{size - 1}"), at=n) for n in range(size))]


def _comb(size: int) -> list[Post | Removed]:
    """An answer to each of a chain of removed posts."""
    gap = _fan(size)[:size]
    return [*gap, *(post(Name(f"a{n}"), Name(f"r{n}"), by=(ANA, BRU)[n % 2], at=n) for n in range(size))]


def _circle(size: int) -> list[Post | Removed]:
    """Removed posts in a circle."""
    made = [Removed(PostUri(Name(f"r{n}")), reply_to=Name(f"r{(n - 1) % size}")) for n in range(size)]
    return [*made, *(post(Name(f"a{n}"), Name("r0"), at=n) for n in range(size))]


@pytest.mark.parametrize("shape", [_fan, _chain, _comb, _circle])
@pytest.mark.parametrize("anchor", ["r0", "r9", "a0", "a99"])
def test_the_work_grows_with_the_number_of_posts_and_no_faster(
    shape: Callable[[int], list[Post | Removed]], anchor: str
) -> None:
    work = []
    for size in (200, 400, 800):
        posts = shape(size)
        Name.looks = 0
        assert unroll(posts, anchor)
        in_order(one for one in posts if isinstance(one, Post))
        work.append(Name.looks)
    assert work[1] < 2.3 * work[0]
    assert work[2] < 2.3 * work[1]
