"""What of a firehose is wanted, message by message."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Feed, FeedId
from relay.pipeline.streams import Watch
from relay.sources.bluesky.firehose import Firehose, PostChange, RecordCommit, Withdrawn
from tests.servers.bluesky.jetstream import Network, did, record, tid

NOW = 1_790_000_000_000_000
ILLA, SAMI = did("illa"), did("sami")


def watching(*wanted: str) -> Watch:
    """Hashtags as ``#tag``, accounts and feeds by their address."""
    watch = Watch()
    feeds = {one: Feed(id=FeedId(n), source="bluesky", address=one) for n, one in enumerate(wanted) if one[0] != "#"}
    watch.become(feeds, frozenset(one[1:] for one in wanted if one[0] == "#"))
    return watch


class Ear:
    """A firehose that hears what happens on a network of its own."""

    def __init__(self, *wanted: str, remembered: int = 100) -> None:
        self.network = Network(NOW)
        self.watch = watching(*wanted)
        self.firehose = Firehose(self.watch, remembered)
        self._heard = 0

    def hear(self) -> list[PostChange]:
        """What is wanted of what happened since."""
        new = self.network.told[self._heard :]
        self._heard = len(self.network.told)
        return [told for message in new for told in self.firehose.read(message.raw)]

    def again(self) -> list[PostChange]:
        """The whole of it once more."""
        self._heard = 0
        return self.hear()


def uris(told: list[PostChange]) -> list[str]:
    return [one.uri for one in told]


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("the bridge of #Qeswachaka", {}),
        ("the bridge of #qeswachaka", {}),
        ("#ropes #QESWACHAKA #grass", {}),
        ("no word of it", {"tags": ["ropes", "Qeswachaka"]}),
        ("and with a broken part #Qeswachaka", {"tags": [7, None, {"a": 1}]}),
        ("and with half a letter \ud83d #Qeswachaka", {}),
    ],
)
def test_a_post_with_a_wanted_hashtag_is_told_whole(text: str, more: dict[str, Any]) -> None:
    ear = Ear("#qeswachaka")
    body = record(text.replace("\ud83d", "?"), NOW, **more)
    uri = ear.network.write("illa", tid(NOW), body)
    (told,) = [one for message in ear.network.told for one in ear.firehose.read(message.raw.replace(b"?", b"\\ud83d"))]
    assert isinstance(told, RecordCommit)
    assert (told.uri, told.did, told.rkey, told.feed, told.edited) == (uri, ILLA, tid(NOW), "", False)
    assert told.cid.startswith("bafyrei")
    assert json.loads(told.record)["facets" if "facets" in body else "tags"]


@pytest.mark.parametrize(
    "body",
    [
        record("nothing", NOW),
        record("another #bridge", NOW),
        record("#Qeswachakas", NOW),
        record("Qeswachaka without its sign", NOW),
        record("", NOW, facets=[{"features": [{"$type": "app.bsky.richtext.facet#link", "tag": "qeswachaka"}]}]),
        record("", NOW, facets=None, tags=None),
        record("", NOW, facets="#qeswachaka", tags={"tag": "qeswachaka"}),
        record("", NOW, tags=["#" * 700 + "qeswachaka"]),
        [],
        "qeswachaka",
        None,
    ],
)
def test_other_posts_are_not_told(body: object) -> None:
    ear = Ear("#qeswachaka")
    ear.network.write("illa", tid(NOW), body)
    assert ear.hear() == []
    assert ear.firehose.malformed == 0


def test_one_facet_in_another_shape_does_not_hide_the_others() -> None:
    ear = Ear("#qeswachaka")
    body = record("on the #Qeswachaka", NOW)
    body["facets"] = [5, {"features": "none"}, {"features": [{"$type": 3, "tag": []}]}, *body["facets"]]
    uri = ear.network.write("illa", tid(NOW), body)
    assert uris(ear.hear()) == [uri]


def test_the_feed_is_the_account_else_the_hashtag_else_none() -> None:
    ear = Ear(ILLA, "#bridge", "tag:bridge", "#grass")
    for name, text in [
        ("illa", "#bridge"),
        ("sami", "#Bridge"),
        ("sami", "#grass"),
        ("illa", "bare"),
        ("sami", "bare"),
    ]:
        ear.network.post(name, text)
    assert [one.feed for one in ear.hear()] == [ILLA, "tag:bridge", "", ILLA]


def test_other_collections_are_nobodys_business() -> None:
    ear = Ear(ILLA)
    ear.network.write("illa", tid(NOW), {"subject": "x"}, collection="app.bsky.feed.like")
    ear.network.identity("illa")
    assert ear.hear() == []


def test_what_is_watched_counts_as_it_is_at_the_moment() -> None:
    ear = Ear("#bridge")
    ear.network.post("illa", "#grass")
    assert ear.hear() == []
    ear.watch.become({}, frozenset({"grass"}))
    uri = ear.network.post("illa", "#grass")
    assert uris(ear.hear()) == [uri]


def test_what_is_read_again_is_told_once() -> None:
    ear = Ear("#bridge", SAMI)
    uri = ear.network.post("illa", "#bridge")
    ear.network.edit(uri, "illa", "#bridge, mended")
    ear.network.delete(uri, "illa")
    ear.network.delete(ear.network.post("sami", "hello"), "sami")
    told = ear.hear()
    assert [type(one).__name__ for one in told] == [
        "RecordCommit",
        "RecordCommit",
        "Withdrawn",
        "RecordCommit",
        "Withdrawn",
    ]
    assert ear.again() == []


def test_a_record_that_is_written_anew_after_its_deletion_is_told() -> None:
    ear = Ear("#bridge")
    uri = ear.network.post("illa", "#bridge")
    ear.network.delete(uri, "illa")
    ear.network.write("illa", uri.rpartition("/")[2], record("#bridge", ear.network.now))
    assert [(type(one).__name__, one.uri) for one in ear.hear()] == [
        ("RecordCommit", uri),
        ("Withdrawn", uri),
        ("RecordCommit", uri),
    ]


def test_deletions_are_told_of_what_was_told_and_of_watched_accounts() -> None:
    ear = Ear("#bridge", SAMI)
    wanted, unwanted, theirs = (
        ear.network.post("illa", "#bridge"),
        ear.network.post("illa", "other"),
        f"at://{SAMI}/app.bsky.feed.post/{tid(NOW - 10**12)}",
    )
    ear.hear()
    ear.network.delete(wanted, "illa")
    ear.network.delete(unwanted, "illa")
    ear.network.delete(theirs, "sami")
    assert ear.hear() == [Withdrawn(wanted, ""), Withdrawn(theirs, SAMI)]


def test_a_change_is_told_of_what_was_told_even_without_its_hashtag() -> None:
    ear = Ear("#bridge")
    told, other = ear.network.post("illa", "#bridge"), ear.network.post("illa", "other")
    ear.hear()
    ear.network.edit(told, "illa", "no sign any more")
    ear.network.edit(other, "illa", "still nothing")
    (change,) = ear.hear()
    assert isinstance(change, RecordCommit)
    assert (change.uri, change.edited) == (told, True)


@pytest.mark.parametrize("status", ["deleted", "takendown", "suspended", "deactivated"])
def test_an_account_that_is_gone_takes_its_posts_along(status: str) -> None:
    ear = Ear("#bridge")
    mine = [ear.network.post("illa", "#bridge one"), ear.network.post("illa", "#bridge two")]
    ear.network.post("sami", "#bridge")
    ear.hear()
    ear.network.account("illa", active=False, status=status)
    assert ear.hear() == [Withdrawn(uri, "") for uri in mine]


@pytest.mark.parametrize(("active", "status"), [(True, ""), (True, "deleted"), (False, "throttled"), (False, "")])
def test_an_account_in_another_state_keeps_them(active: bool, status: str) -> None:
    ear = Ear("#bridge")
    ear.network.post("illa", "#bridge")
    ear.hear()
    ear.network.account("illa", active=active, status=status)
    assert ear.hear() == []


def test_the_oldest_are_forgotten_and_the_memory_stays_as_large_as_it_is() -> None:
    ear = Ear("#bridge", remembered=3)
    posts = [ear.network.post("illa", f"#bridge {n}") for n in range(5)]
    ear.hear()
    ear.network.delete(posts[0], "illa")
    assert ear.hear() == []
    ear.network.account("illa", active=False, status="deleted")
    assert uris(ear.hear()) == posts[2:]


def test_an_archive_that_is_brought_along_is_not_told() -> None:
    ear = Ear(ILLA, "#bridge")
    week = timedelta(days=7) // timedelta(microseconds=1)
    ear.network.write("illa", tid(NOW - 2 * week), record("years ago #bridge", NOW - 2 * week))
    ear.network.write("sami", tid(NOW - 2 * week), record("years ago #bridge", NOW - 2 * week))
    late = ear.network.write("illa", tid(NOW - week // 2), record("written on the train", NOW - week // 2))
    odd = ear.network.write("illa", tid(NOW), record("", NOW, createdAt="once upon a time"))
    assert uris(ear.hear()) == [late, odd]


JUNK = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b'"text"',
    b'{"kind":"commit"}',
    b'{"did":5,"time_us":1790000000000000,"kind":"commit"}',
    b'{"did":"did:plc:x","time_us":"soon","kind":"commit"}',
    b'{"did":"did:plc:x","time_us":12,"kind":"commit"}',
    b'{"did":"did:plc:x","time_us":9e99,"kind":"commit"}',
    b'{"did":"did:plc:x","time_us":99999999999999999999,"kind":"commit"}',
    b"[" * 100_000,
    b'{"did":"did:plc:x","time_us":1790000000000000,"commit":' + b'{"record":' * 50_000,
]


@pytest.mark.parametrize("raw", JUNK, ids=range(len(JUNK)))
def test_what_is_no_event_is_counted_and_has_no_time(raw: bytes) -> None:
    ear = Ear("#bridge", "did:plc:x")
    assert ear.firehose.read(raw) == ()
    assert (ear.firehose.malformed, ear.firehose.time) == (1, 0)


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "sync"},
        {"kind": "commit"},
        {"kind": "commit", "commit": 5},
        {"kind": "commit", "commit": {"operation": "create"}},
        {"kind": "commit", "commit": {"operation": "fly", "collection": "app.bsky.feed.post", "rkey": "x"}},
        {"kind": "account", "account": []},
        {"kind": "account", "account": {"active": "no", "status": "deleted"}},
        {"kind": 5},
    ],
)
def test_an_event_of_another_kind_says_nothing_but_its_time(event: dict[str, object]) -> None:
    ear = Ear(ILLA)
    raw = json.dumps({"did": ILLA, "time_us": NOW, **event}).encode()
    assert ear.firehose.read(raw) == ()
    assert ear.firehose.time in {NOW, 0}


@pytest.mark.parametrize("rkey", ["", "a/b", "a b", "x" * 600, "\n"])
def test_a_key_that_no_uri_can_hold_is_left_out(rkey: str) -> None:
    ear = Ear(ILLA)
    ear.network.write("illa", rkey, record("hello", NOW))
    ear.network.write("illa", rkey, None, "delete")
    assert ear.hear() == []


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([ILLA, "bridge", "commit"])
_JSON = st.recursive(
    _LEAVES, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=6), some), max_leaves=8
)
_BODY = _JSON | st.fixed_dictionaries({"facets": _JSON, "tags": _JSON, "text": _JSON})


@given(_BODY)
def test_whatever_a_watched_account_writes_is_told(body: object) -> None:
    ear = Ear(ILLA, "#bridge")
    uri = ear.network.write("illa", "3abc", body)
    assert uris(ear.hear()) == [uri]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("kind", "commit", "account", "did", "time_us"), _JSON)), _JSON)
def test_events_with_parts_in_any_shape_are_read_without_a_word(parts: dict[str, object], part: object) -> None:
    firehose = Firehose(watching(ILLA, "#bridge"))
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": part, "rev": part, "record": part}
    for kind, inner in (("commit", commit), ("account", {"active": part, "status": part})):
        event = {"did": ILLA, "time_us": NOW, "kind": kind, kind: inner} | parts
        firehose.read(json.dumps(event).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_word(raw: bytes) -> None:
    assert Firehose(watching(ILLA)).read(raw) == ()


# --- threads ---


def below(parent: str) -> dict[str, Any]:
    return {"reply": {"root": {"uri": parent, "cid": "x"}, "parent": {"uri": parent, "cid": "x"}}}


def test_how_an_author_goes_on_is_told_though_the_hashtag_is_not_there_any_more() -> None:
    ear = Ear("#qeswachaka")
    first = ear.network.write("illa", tid(NOW), record("the bridge of #qeswachaka", NOW))
    second = ear.network.write("illa", tid(NOW + 1), record("and its ropes", NOW, **below(first)))
    third = ear.network.write("illa", tid(NOW + 2), record("and its grass", NOW, **below(second)))
    told = ear.hear()
    assert uris(told) == [first, second, third]
    assert [one.feed for one in told] == ["", "", ""]


def test_what_others_answer_is_not_told_nor_what_goes_on_with_what_nobody_was_told_of() -> None:
    ear = Ear("#qeswachaka")
    first = ear.network.write("illa", tid(NOW), record("the bridge of #qeswachaka", NOW))
    ear.network.write("sami", tid(NOW + 1), record("how fine", NOW, **below(first)))
    other = ear.network.write("illa", tid(NOW + 2), record("of something else", NOW))
    ear.network.write("illa", tid(NOW + 3), record("and more of it", NOW, **below(other)))
    assert uris(ear.hear()) == [first]


@pytest.mark.parametrize("reply", [7, {}, {"parent": 7}, {"parent": {"uri": 7}}, None, []])
def test_an_answer_that_is_none_costs_the_post_nothing(reply: object) -> None:
    ear = Ear("#qeswachaka")
    first = ear.network.write("illa", tid(NOW), record("the bridge of #qeswachaka", NOW))
    again = ear.network.write("illa", tid(NOW + 1), record("again #qeswachaka", NOW, reply=reply))
    assert uris(ear.hear()) == [first, again]
