"""Hashtags as people write them, and the feeds that they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Feed, FeedId
from relay.ports import Refused, Resolved
from relay.sources.mastodon.tags import InvalidTag, TagQuery, address, read_address, read_topic, title
from tests.servers.mastodon.fediverse import asking, run
from tests.support.mastodon_timeline_cases import begun, published

HOME = "https://ayllu.example"


@pytest.mark.parametrize(
    ("topic", "means"),
    [
        ("#puente", (TagQuery("puente"),)),
        ("＃川", (TagQuery("川"),)),
        ("#puente #bridge", (TagQuery("puente"), TagQuery("bridge"))),
        ("#puente any:#bridge,#pont", (TagQuery("puente"), TagQuery("bridge"), TagQuery("pont"))),
        ("#puente,#bridge", (TagQuery("puente"), TagQuery("bridge"))),
        ("#puente #Puente", (TagQuery("puente"),)),
        ("#puente all:#rope", (TagQuery("puente", ("rope",)),)),
        ("#a ANY:#b none:#ad,spam", (TagQuery("a", (), ("ad", "spam")), TagQuery("b", (), ("ad", "spam")))),
        ("#a #2026", InvalidTag("2026")),
        ("#a b", InvalidTag("b")),
        ("#a any:b", InvalidTag("any:b")),
        ("#a,", InvalidTag("")),
        ("#", InvalidTag("")),
        ("all:#a", None),
        ("a #b", None),
        ("", None),
        ("https://a.example/#b", None),
    ],
)
def test_what_a_topic_means(topic: str, means: object) -> None:
    assert read_topic(topic) == means


@pytest.mark.parametrize("topic", ["#puente", "#puente #bridge", "#puente #bridge all:#rope,#river none:#ad"])
def test_a_title_reads_as_it_was_written(topic: str) -> None:
    found = read_topic(topic)
    assert isinstance(found, tuple)
    assert title(found) == topic


TAGS = st.from_regex(r"[a-zé川0-9_]{0,6}[a-zé川]", fullmatch=True)


@given(st.builds(TagQuery, TAGS, st.lists(TAGS, max_size=6).map(tuple), st.lists(TAGS, max_size=6).map(tuple)))
def test_an_address_tells_all_that_is_wanted(tagged: TagQuery) -> None:
    assert read_address(address(HOME, tagged)) == tagged


@given(st.text())
def test_any_address_is_read(text: str) -> None:
    read_address(text)
    read_address(f"{HOME}/api/v1/timelines/tag/{text}")


@given(st.text(max_size=40))
def test_any_topic_is_read(text: str) -> None:
    read_topic(text)
    read_topic(f"#a {text}")


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        (["puente", "rope", "River"], True),
        (["Puente", "ROPE", "ríver"], True),
        (["puente", "rope"], False),
        (["puente", "rope", "river", "Ad"], False),
        ([], False),
    ],
)
def test_what_stands_beside_a_hashtag_decides(tags: list[str], *, wanted: bool) -> None:
    assert TagQuery("puente", ("rope", "river"), ("ad",)).wants(tags) is wanted


def test_a_server_is_told_no_list_that_it_would_cut() -> None:
    tagged = TagQuery("a", tuple("bcdefgh"), tuple("ijklmno"))
    assert [name for name, _ in tagged.params()] == ["all[]"] * 4 + ["none[]"] * 4


async def test_several_hashtags_are_one_topic_and_a_feed_each() -> None:
    async with asking(HOME, "https://lakes.example") as source:
        resolved = await source.resolve("#puente any:#bridge")
        assert isinstance(resolved, Resolved)
        assert (resolved.tag, resolved.title, len(resolved.feeds)) == ("", "#puente #bridge", 4)
        refused = await source.resolve("#puente all:rope")
    assert isinstance(refused, Refused)
    assert "all:rope is no hashtag" in refused.reason


async def test_more_names_than_a_server_takes_are_looked_at_here() -> None:
    async with run() as stage, asking(stage.base) as source:
        resolved = await source.resolve("#a all:#b,#c,#d,#e,#f none:#m,#n,#o,#p,#q")
        assert isinstance(resolved, Resolved)
        (there,) = resolved.feeds
        reader = await begun(source, Feed(id=FeedId(1), source="mastodon", address=there))
        stage.post("1 #a #b #c #d #e")
        stage.post("2 #a #b #c #d #e #f")
        stage.post("3 #a #b #c #d #e #f #q")
        stage.post("4 #a #b #c #d #e #f #m")
        assert published(await reader.poll()) == ["2 #a #b #c #d #e #f"]
