"""A document is cut into its entries: what is cut, what is not, and that the rest of it is read as if it was whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.feed_document import FeedDocument
from relay.sources.feed_read import DocumentSlices, cut, read
from tests.support.feed_samples import FEEDS, atom, rss

RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><items>'
    '<rdf:Seq><rdf:li resource="/1"/></rdf:Seq></items></channel><item rdf:about="/1"><title>x</title></item></rdf:RDF>'
)


def slices(body: str) -> DocumentSlices:
    found = cut(body.partition("?>")[2].encode() if body.startswith("<?xml") else body.encode())
    assert found
    return found


def of(body: str) -> list[str]:
    """The entries as text."""
    found = slices(body)
    return [found.body[start:stop].decode() for start, stop in found.places]


def titles(document: FeedDocument) -> list[str]:
    return [entry.title.text for entry in document.entries]


def test_entries_are_cut_out_whole() -> None:
    assert of(rss("<title>añ&lt;o</title>", "<b/>")) == ["<item><title>añ&lt;o</title></item>", "<item><b/></item>"]
    assert of(atom("<id>1</id>", "<![CDATA[</entry>]]>")) == [
        "<entry><id>1</id></entry>",
        "<entry><![CDATA[</entry>]]></entry>",
    ]
    assert of(RDF) == ['<item rdf:about="/1"><title>x</title></item>']
    assert of("<a:feed xmlns:a='b'><a:entry c='>'>x</a:entry ></a:feed>") == ["<a:entry c='>'>x</a:entry >"]
    assert of("<rss><item>a<item>b</item></item>c<item >d</item></rss>") == [
        "<item>a<item>b</item></item>",
        "<item >d</item>",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "words",
        "<rss><channel/></rss>",
        "<rss><item>x</item>",
        "<rss><item>x</item></rss>more",
        "<rss><item>&nbsp;</item></rss>",
        pytest.param(rss(*map(str, range(10_001))), id="too many"),
        "<!DOCTYPE rss><rss><item>x</item></rss>",
        "<!DOCTYPE rss [<!ENTITY a 'b'>]><rss><item>&a;</item></rss>",
        "<rss><item>x</item><channel><item>y</item></channel></rss>",
        "<rss><item>1</item><item>2</item><item>1</item></rss>",
        "<rss>" + "<a>" * 200 + "<item>x</item>" + "</a>" * 200 + "</rss>",
    ],
)
def test_what_is_no_plain_list_of_entries_is_not_cut(body: str) -> None:
    assert cut(body.encode()) is None


def test_what_is_left_is_the_document_without_what_is_known() -> None:
    body = "<rss><channel>a<item>1</item>b<item>2</item>c<item>3</item>d</channel></rss>"
    found = slices(body)
    one, two, three = found.digests
    assert found.without(()) == body.encode()
    assert found.without({one, three}) == b"<rss><channel>ab<item>2</item>cd</channel></rss>"
    assert found.left({one, three}) == (two,)
    assert found.without(set(found.digests)) == b"<rss><channel>abcd</channel></rss>"


def test_the_tags_around_the_entries_are_told_and_nothing_else_of_the_head() -> None:
    assert slices("<rss a='1'>\n<channel b='>'><title>x</title><item>y</item></channel></rss>").around == (
        b"<rss a='1'>\n<channel b='>'>"
    )


@pytest.mark.parametrize("name", sorted(path.name for path in FEEDS.iterdir()))
def test_each_entry_is_read_alone_as_it_is_among_the_others(name: str) -> None:
    body = (FEEDS / name).read_bytes()
    whole = read(body, "")
    if whole.slices is None:
        assert b"<!DOCTYPE" in body
        return
    assert read(body, "", whole.around, whole.slices).entries == ()
    for number, entry in enumerate(whole.entries):
        known = {*whole.slices} - {whole.slices[number]}
        part = read(body, "", whole.around, known)
        assert part.entries == (entry,)
        assert (part.found, part.slices, part.around) == (whole.found, whole.slices, whole.around)
        assert (part.title, part.link, part.version) == (whole.title, whole.link, whole.version)


OWN = (
    "<entry xml:lang='qu'><id>1</id><content type='html' xml:base='https://puna.example/1/'>x</content></entry>"
    "<entry><link href='2'/><id>2</id><content type='html'>y</content></entry>"
    "<entry><link href='3'/><id>3</id><content type='xhtml' xml:base='c/'><div><p>z</p></div></content></entry>"
    "<entry><link href='4'/><id>4</id><summary xml:lang='es'>y</summary></entry>"
)


@pytest.mark.parametrize("root", ["", "xml:base='https://ayllu.example/'", "xml:base='/b/' xml:lang='en'"])
def test_what_an_entry_says_of_base_and_language_holds_for_itself_alone(root: str) -> None:
    body = f"<feed xmlns='http://www.w3.org/2005/Atom' {root}><title>x</title>{OWN}</feed>".encode()
    whole = read(body, "")
    assert whole.slices
    for number, entry in enumerate(whole.entries):
        assert read(body, "", whole.around, {*whole.slices} - {whole.slices[number]}).entries == (entry,)
    second = whole.entries[1]
    assert "puna.example" not in second.link + second.base
    assert second.language != "qu"


HEAD = "<title>A</title><link>https://ayllu.example/</link>"


@pytest.mark.parametrize(
    "again",
    [
        rss("<guid>1</guid>", "<guid>2</guid>", channel=HEAD.replace("ayllu", "puna")),
        rss("<guid>1</guid>", "<guid>2</guid>", channel=HEAD).replace("<rss ", "<rss xml:base='/b/' "),
        rss("<guid>1</guid>", "<guid>2</guid>", channel=HEAD).replace("<channel>", "<channel xml:lang='qu'>"),
        rss("<guid>1</guid>", "<guid>2</guid>", channel=HEAD).replace("mrss/", "mrss"),
    ],
)
def test_where_something_changed_that_entries_depend_on_all_are_read(again: str) -> None:
    first = read(rss("<guid>1</guid>", channel=HEAD).encode(), "")
    assert first.slices
    assert len(read(again.encode(), "", first.around, first.slices).entries) == 2


def test_what_a_feed_says_of_itself_alone_makes_no_entry_new() -> None:
    first = read(rss("<guid>1</guid>", channel=HEAD).encode(), "")
    assert first.slices
    head = HEAD.replace("A", "B") + "<lastBuildDate>Sun, 01 Mar 2026 09:00:00 GMT</lastBuildDate><ttl>60</ttl>"
    second = read(rss("<guid>2</guid>", "<guid>1</guid>", channel=head).encode(), "", first.around, first.slices)
    assert [entry.guid for entry in second.entries] == ["2"]
    assert (second.title.text, second.ttl, second.found) == ("B", 60, 2)


@pytest.mark.parametrize(
    "body",
    [
        "<rss><channel><item><title>x</title></item><foo:item>y</foo:item></channel></rss>",
        "<rss xmlns:foo='f'><channel><item><title>x</title></item><foo:item>y</foo:item></channel></rss>",
        "<rss><channel><item><title>x</title><item><title>y</title></item></item></channel></rss>",
    ],
)
def test_where_feedparser_sees_other_entries_nothing_is_known_by_its_bytes(body: str) -> None:
    assert cut(body.encode())
    assert read(body.encode(), "").slices is None


def test_of_too_many_entries_each_keeps_its_own_digest() -> None:
    entry = "<guid>{0}</guid><pubDate>{1} Jan 2026 00:00:00 GMT</pubDate>"
    body = rss(*[entry.format(number, number % 28 + 1) for number in range(1_009)]).encode()
    whole = read(body, "")
    assert whole.slices
    assert len(whole.slices) == whole.found == 1_009
    assert all(whole.slices[int(entry.guid)] == entry.slice for entry in whole.entries)


# --- anything at all ---

_PIECES = "<item>|</item>|<item/>|<item a='>'>|<entry>|</entry>|<rss>|</rss>|<a b='>'/>|é|<![CDATA[<item>]]>|&lt;|x"
PIECES = st.sampled_from(_PIECES.split("|"))


@given(st.lists(PIECES, max_size=12))
def test_whatever_is_cut_the_parts_are_the_document(pieces: Sequence[str]) -> None:
    body = f"<rss>{''.join(pieces)}</rss>".encode()
    found = cut(body)
    if found:
        between = [start for place in found.places for start in place]
        assert between == sorted(between)
        assert all(body[start:stop].startswith((b"<item", b"<entry")) for start, stop in found.places)
        assert all(body[start:stop].endswith((b"</item>", b"</entry>", b"/>")) for start, stop in found.places)
        assert cut(found.without(set(found.digests))) is None
