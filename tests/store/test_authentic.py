"""Nobody changes, deletes, continues or speaks for somebody else's posts, in whatever order they try it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.core.authenticity import Verdict, of_post
from relay.model import Author, Deleted, Edited, Event, Post, Published
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import alias, read_post
from relay.sources.mastodon.tag_rss import read_item
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from tests.support.store_cases import ROOM, at, lease, said
from tests.support.thorough import examples

HERS = "https://ayllu.example"
EVIL = ["https://evil.example", "https://ayllu.example.evil.example", "https://social.ayllu.example"]
FIRST, SECOND = (
    replace(
        post(number), source="mastodon", aliases=(alias(HERS, str(number)),), author=replace(post().author, bot=False)
    )
    for number in (1, 2)
)
THREAD = [FIRST, replace(SECOND, reply_to=FIRST.aliases[0], reply_to_author=FIRST.author.uri)]

# --- what a stranger's server may answer ---

evil = st.sampled_from(EVIL)


def uris(base: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{base}/notes/1", f"{base}/notes/2", FIRST.uri, f"{HERS}/users/illa/statuses/3"])


def people(base: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{base}/users/x", f"{base}/users/y", FIRST.author.uri, f"{HERS}@evil.example/users/illa"])


def addresses(base: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{base}/@x/1", FIRST.url, FIRST.author.url, ""])


ids = st.sampled_from(["1", "2", "9zq1"])
times = st.sampled_from(["2026-07-01T12:01:00Z", "2099-01-01T00:00:00Z"])


def statuses(base: str, quoted: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Any]:
    quote = st.none() if quoted is None else st.none() | quoted.map(lambda q: {"state": "accepted", "quoted_status": q})
    return st.fixed_dictionaries(
        {
            "id": ids,
            "uri": uris(base),
            "url": addresses(base),
            "created_at": st.just("2026-07-01T12:01:00Z"),
            "edited_at": st.none() | times,
            "visibility": st.just("public"),
            "content": st.just("<p>I confess.</p>"),
            "in_reply_to_id": st.none() | ids,
            "in_reply_to_account_id": st.none() | ids,
            "account": st.fixed_dictionaries(
                {
                    "id": ids,
                    "uri": people(base),
                    "url": addresses(base),
                    "username": st.just("illa"),
                    "acct": st.sampled_from(["illa", "illa@ayllu.example", "x"]),
                    "display_name": st.just("Illa"),
                }
            ),
            "quote": quote,
        }
    )


def notes(base: str) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "id": ids,
            "uri": st.none() | uris(base),
            "url": addresses(base),
            "createdAt": st.just("2026-07-01T12:01:00Z"),
            "updatedAt": st.none() | times,
            "visibility": st.just("public"),
            "text": st.just("I confess."),
            "replyId": st.none() | ids,
            "user": st.fixed_dictionaries(
                {
                    "id": ids,
                    "username": st.just("illa"),
                    "host": st.none() | st.sampled_from(["ayllu.example", "evil.example"]),
                    "uri": st.none() | people(base),
                    "url": addresses(base),
                }
            ),
        }
    )


def items(base: str) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"url": addresses(base), "published": st.just("2026-07-01T12:01:00+00:00"), "content": st.just("I confess.")}
    )


def as_told(read: Any, base: str, raw: Any) -> Post | None:
    found = read(json.dumps(raw).encode(), base)
    assert found is None or isinstance(found, Post)
    return found


posts_told = evil.flatmap(
    lambda base: st.one_of(
        statuses(base, statuses(base)).map(lambda raw: as_told(read_post, base, raw)),
        notes(base).map(lambda raw: as_told(read_note, base, raw)),
        items(base).map(lambda raw: as_told(read_item, base, raw)),
    )
)
spoken = st.builds(lambda kind, told: kind(told), st.sampled_from([Published, Edited]), posts_told.filter(bool))
withdrawn = st.builds(lambda base, number: Deleted(alias(base, number)), evil, ids)


def counts(event: Event) -> bool:
    """As the source decides it, with nobody of them in the settings."""
    return isinstance(event, Deleted) or of_post(event.post) is Verdict.COUNTS


async def shown(store: Store) -> list[object]:
    page = await store.get_page_of(FIRST.uri)
    return [(one.uri, one) for one in page.posts] if page else []


async def tell(store: Store, events: Sequence[Event]) -> None:
    for event in events:
        await store.add_intakes([said(event, to=() if isinstance(event, Deleted) else (ROOM,))], lease())


RUN = settings(
    max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None
)


@RUN
@given(st.lists(spoken | withdrawn, max_size=6), st.lists(spoken | withdrawn, max_size=8))
async def test_what_strangers_tell_before_and_after_changes_nothing_of_hers(
    before: list[Event], after: list[Event]
) -> None:
    store = await open_store("sqlite://")
    try:
        await tell(store, list(filter(counts, before)))
        await tell(store, [Published(one) for one in THREAD])
        await tell(store, list(filter(counts, after)))
        assert await shown(store) == [(one.uri, one) for one in THREAD]
        for event in (*before, *after):
            if not isinstance(event, Deleted) and counts(event):
                assert speaks_for_itself(event.post)
    finally:
        await store.close()


def speaks_for_itself(one: Post) -> bool:
    """Nothing that names her is on what counts of a stranger's, but for links."""
    names = [one.uri, one.url, one.author.uri, one.author.url, one.author.handle]
    if one.quote and one.quote.author:
        names += [one.quote.author.uri, one.quote.author.handle]
    return not any(name.startswith(f"{HERS}/") or name.endswith("@ayllu.example") for name in names)


# --- events that no source should have told ---

claims = st.sampled_from(
    [
        FIRST.author,
        Author(uri="https://evil.example/users/x", name="x"),
        Author(uri=f"{HERS}/users/sami", name="Sami", handle="@sami@ayllu.example"),
    ]
)
forged = st.builds(
    lambda which, base, author, edited, own: replace(
        THREAD[which],
        origin=base,
        author=author,
        body=text("I confess."),
        edited=edited,
        reply_to="",
        url="https://evil.example/1",
        aliases=(alias(base, str(which)), *own),
    ),
    st.sampled_from([0, 1]),
    evil,
    claims,
    st.none() | st.just(at(60)) | st.just(NOON + timedelta(days=9999)),
    st.sampled_from([(), (FIRST.uri,), (SECOND.aliases[0],)]),
)
slipped = st.builds(lambda kind, one: kind(one), st.sampled_from([Published, Edited]), forged)


@RUN
@given(st.lists(slipped | withdrawn | st.builds(Deleted, evil.map(lambda base: f"{base}/x")), max_size=8))
async def test_what_her_own_server_told_is_changed_by_no_other_whatever_a_source_lets_through(
    events: list[Event],
) -> None:
    store = await open_store("sqlite://")
    try:
        await tell(store, [Published(one) for one in THREAD])
        await tell(store, events)
        assert await shown(store) == [(one.uri, one) for one in THREAD]
    finally:
        await store.close()


async def test_a_deletion_under_another_host_s_name_for_the_post_makes_its_source_look_at_once() -> None:
    store = await open_store("sqlite://")
    try:
        elsewhere = replace(FIRST, origin="https://lakes.example", aliases=(alias("https://lakes.example", "7"),))
        await tell(store, [Published(elsewhere)])
        assert await store.claim_rechecks("mastodon", lease(), 20) == []
        await tell(store, [Deleted(alias("https://lakes.example", "7"))])
        assert [one.uri for one in await store.claim_rechecks("mastodon", lease(), 20)] == [FIRST.uri]
        assert await shown(store) == [(FIRST.uri, elsewhere)]
        await tell(store, [Deleted(FIRST.uri)])
        assert await shown(store) != [(FIRST.uri, elsewhere)]
    finally:
        await store.close()


async def test_a_deletion_under_a_name_of_the_author_s_own_host_counts() -> None:
    store = await open_store("sqlite://")
    try:
        await tell(store, [Published(FIRST), Deleted(FIRST.aliases[0])])
        assert await shown(store) != [(FIRST.uri, FIRST)]
    finally:
        await store.close()


async def test_a_uri_that_was_claimed_for_somebody_else_is_its_host_s_again() -> None:
    """A configured instance says that her post is by another person of her server."""
    store = await open_store("sqlite://")
    try:
        claimed = replace(FIRST, origin="https://lakes.example", author=author("Sami"), aliases=())
        await tell(store, [Published(claimed), Published(FIRST)])
        assert await shown(store) == [(FIRST.uri, FIRST)]
        await tell(store, [Published(claimed), Edited(replace(claimed, edited=at(60)))])
        assert await shown(store) == [(FIRST.uri, FIRST)]
    finally:
        await store.close()
