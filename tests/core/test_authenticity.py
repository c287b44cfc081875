"""Whose words count: who says it, about whom, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.authenticity import (
    AuthorClaim,
    Verdict,
    Vouching,
    counts_unasked,
    is_home,
    may_replace,
    of_post,
    own_address,
    own_handle,
    standing,
    verdict,
)
from relay.model import Author, Post, PostUri
from relay.testing import NOON, post

HERS = "https://ayllu.example/users/illa"
HOME, TRUSTED, PEER, STRANGER = (
    "https://ayllu.example",
    "https://lakes.example",
    "https://seas.example",
    "https://evil.example",
)
CONFIGURED = {
    HOME: (),
    TRUSTED: (TRUSTED,),
    PEER: (PEER, HOME),
    STRANGER: (TRUSTED,),
}

COUNTS, ASK, LINK, NO = Verdict.COUNTS, Verdict.ASK_HOME, Verdict.LINK, Verdict.REFUSED
TABLE = {
    HOME: [COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS],
    TRUSTED: [COUNTS, ASK, ASK, COUNTS, NO, ASK, NO],
    PEER: [ASK, ASK, ASK, LINK, NO, ASK, NO],
    STRANGER: [ASK, ASK, NO, LINK, NO, NO, NO],
}


@pytest.mark.parametrize("speaker", TABLE)
@pytest.mark.parametrize("said", AuthorClaim)
def test_what_becomes_of_what_somebody_says_of_an_author(speaker: str, said: AuthorClaim) -> None:
    expected = TABLE[speaker][list(AuthorClaim).index(said)]
    assert verdict(said, speaker, HERS, CONFIGURED[speaker]) is expected


@pytest.mark.parametrize("said", AuthorClaim)
def test_an_author_s_own_host_counts_whatever_is_configured(said: AuthorClaim) -> None:
    for configured in ((), (HOME,), (TRUSTED,), (TRUSTED, HOME)):
        assert verdict(said, HOME, HERS, configured) is COUNTS


SAME = [
    ("https://ayllu.example", "https://ayllu.example/users/illa"),
    ("https://ayllu.example", "http://AYLLU.example:443/@illa"),
    ("https://www.ayllu.example/feed", "https://ayllu.example."),
    ("https://ayllu.example:8443/a", "https://ayllu.example:8443/b"),
    ("https://[::1]:8443/a", "https://[::1]:8443/b"),
    ("https://b\u00fccher.example", "https://xn--bcher-kva.example/x"),
    ("did:plc:illa2345", "at://did:plc:illa2345/app.bsky.feed.post/3k"),
    ("did:web:ayllu.example", "at://did:web:ayllu.example/a/b"),
    ("tag:ayllu.example,2016-11-22:objectId=1", "https://ayllu.example/users/illa"),
]
OTHER = [
    ("https://evil.example", HERS),
    ("https://social.ayllu.example", HERS),
    ("https://ayllu.example.evil.example", HERS),
    ("https://ayllu.example:8443", HERS),
    ("https://ayllu.example@evil.example/users/illa", HERS),
    ("https://ayllu.example@evil.example/users/illa", "https://ayllu.example@evil.example/users/illa"),
    ("https://evil.example\\@ayllu.example/", HERS),
    ("https://ayllu.example%2eevil.example/", HERS),
    ("https://ayllu.example\n.evil.example/", HERS),
    ("https:ayllu.example/users/illa", HERS),
    ("acct:illa@ayllu.example", HERS),
    ("did:web:ayllu.example", HERS),
    ("did:plc:sami2345", "at://did:plc:illa2345/app.bsky.feed.post/3k"),
    ("at://illa.ayllu.example/app.bsky.feed.post/3k", "did:plc:illa2345"),
    ("tag:ayllu.example.evil.example,2016:1", HERS),
    ("", ""),
    ("illa", "illa"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_these_speak_for_each_other(one: str, other: str) -> None:
    assert is_home(one, other)
    assert is_home(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_these_do_not(one: str, other: str) -> None:
    assert not is_home(one, other)
    assert not is_home(other, one)


# --- posts ---


def hers(origin: str, **changes: object) -> Post:
    return post(1, origin=origin, **changes)


def test_a_post_is_judged_by_where_it_was_read_and_an_edited_one_is_an_edit() -> None:
    later = NOON + timedelta(hours=1)
    for speaker, (new, edit, *_) in TABLE.items():
        assert of_post(hers(speaker), CONFIGURED[speaker]) is new
        assert of_post(hers(speaker, edited=later), CONFIGURED[speaker]) is edit


def test_nobody_occupies_a_name_of_another_host() -> None:
    """Whoever says it: a uri is of the author's host."""
    for speaker in TABLE:
        for uri in ("https://evil.example/users/illa/statuses/1", "https://ayllu.example@evil.example/1", "urn:uuid:1"):
            assert of_post(replace(hers(speaker), uri=PostUri(uri)), CONFIGURED[speaker]) is NO
        claimed = Author(uri="https://evil.example/users/x", name="x")
        assert of_post(replace(hers(speaker), author=claimed), CONFIGURED[speaker]) is NO


def test_where_the_author_s_host_cannot_be_asked_a_trusted_one_is_enough() -> None:
    later = NOON + timedelta(hours=1)
    for speaker in TABLE:
        enough = speaker in {HOME, TRUSTED}
        assert counts_unasked(hers(speaker), CONFIGURED[speaker]) is enough
        assert counts_unasked(hers(speaker, edited=later), CONFIGURED[speaker]) is enough
    assert not counts_unasked(hers(TRUSTED, uri=PostUri("https://evil.example/1")), (TRUSTED,))


ORIGINS = st.sampled_from(list(TABLE))


@given(st.lists(ORIGINS, max_size=6), ORIGINS)
def test_once_the_author_s_own_host_has_told_it_no_other_replaces_it(speakers: list[str], last: str) -> None:
    kept = hers(HOME)
    for speaker in [*speakers, last]:
        kept = hers(speaker) if may_replace(kept, hers(speaker)) else kept
    assert kept.origin == HOME


@pytest.mark.parametrize("speaker", TABLE)
def test_a_post_changes_hands_only_where_one_host_speaks_for_both(speaker: str) -> None:
    sami = Author(uri="https://ayllu.example/users/sami", name="Sami")
    evil = Author(uri="https://evil.example/users/illa", name="Illa")
    assert may_replace(hers(speaker), hers(speaker, author=sami)) is (speaker == HOME)
    assert not may_replace(hers(speaker), hers(speaker, author=evil))
    assert may_replace(hers(speaker, author=evil), hers(HOME)) is (speaker != STRANGER)


def test_the_host_of_a_uri_takes_it_back_from_who_claimed_it_for_somebody_else() -> None:
    sami = Author(uri="https://ayllu.example/users/sami", name="Sami")
    claimed = hers(TRUSTED, author=sami)
    assert may_replace(claimed, hers(HOME))
    assert not may_replace(claimed, hers(PEER))
    assert not may_replace(claimed, hers(STRANGER, author=Author(uri=f"{STRANGER}/users/x", name="x")))


HANDLES = [
    ("ayllu.example", HERS, "@illa@ayllu.example"),
    ("", HERS, "@illa@ayllu.example"),
    ("victim.example", HERS, "@illa@ayllu.example"),
    ("www.ayllu.example", HERS, "@illa@www.ayllu.example"),
    ("victim.example", "http://127.0.0.1:8080/users/illa", "@illa@127.0.0.1:8080"),
    ("victim.example", "https://victim.example@evil.example/users/illa", ""),
    ("victim.example", "urn:uuid:1", ""),
]


@pytest.mark.parametrize(("host", "uri", "handle"), HANDLES)
def test_a_handle_is_of_the_host_of_the_uri(host: str, uri: str, handle: str) -> None:
    assert own_handle("illa", host, uri) == handle


def test_an_address_is_of_the_host_of_the_uri() -> None:
    assert own_address("https://ayllu.example/@illa", HERS) == "https://ayllu.example/@illa"
    assert own_address("https://victim.example/@illa", HERS) == HERS
    assert own_address("", HERS) == HERS
    assert own_address("https://victim.example/@illa", "urn:uuid:1") == ""


@given(st.sampled_from(list(TABLE)), st.sampled_from(list(TABLE)), st.frozensets(st.sampled_from(list(TABLE))))
def test_only_the_configuration_and_the_host_decide(speaker: str, author: str, configured: frozenset[str]) -> None:
    found = standing(speaker, f"{author}/users/x", configured)
    if speaker == author:
        assert found is Vouching.HOME
    elif speaker not in configured:
        assert found is Vouching.STRANGER
    else:
        assert found is (Vouching.PEER if author in configured else Vouching.TRUSTED)
