"""From entries to posts: dialects, identity, words, dates, pictures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Media, MediaKind, Post
from relay.sources.feed_names import entry_names
from relay.sources.feed_posts import EntryPost, Setting, read_items, setting_of
from relay.text import plain
from tests.support.feed_samples import FEEDS, NOW, URL, document, items, only, posts, rss

# --- dialects ---


def test_rss_091_is_read() -> None:
    oxen, river = posts((FEEDS / "rss091.xml").read_bytes(), address="http://gazette.example/rss")
    assert (river.title, plain(river.body), river.language) == ("The river rose", "Two feet since Monday.", "en-gb")
    assert river.uri == "rss:gazette.example/rss?://gazette.example/river"
    assert oxen.uri == "rss:gazette.example/rss?://gazette.example/oxen?id=4"
    assert (oxen.title, oxen.body, oxen.published) == ("Oxen for sale", (), NOW)
    assert oxen.author.name == "Ford Gazette"


def test_rss_10_is_read_in_its_own_encoding() -> None:
    (post,) = posts((FEEDS / "rss10.rdf").read_bytes(), address="http://weaver.example/index.rdf")
    assert (post.title, plain(post.body)) == ("Un tapiz & sus años", "El tapiz cumple cien años.")
    assert post.uri == "rss:weaver.example/index.rdf?:http://weaver.example/1"
    assert (post.author.name, post.tags) == ("Illa Quispe", ("tejido",))
    assert post.published == datetime(2026, 2, 3, 9, 5, 6, tzinfo=UTC)


def test_rss_20_is_read() -> None:
    read = document((FEEDS / "rss20.xml").read_bytes())
    assert (read.version, read.ttl, read.truncated) == ("rss20", 30, False)
    rope, snow = posts((FEEDS / "rss20.xml").read_bytes(), address="https://pass.example/feed/")
    assert snow.uri == "rss:pass.example/feed/?:https://pass.example/?p=12"
    assert (snow.title, snow.author.name, snow.tags) == ("Snow – again & again", "Sami", ("Weather", "High places"))
    assert plain(snow.body) == "It snowed.\n\nSee the map (https://pass.example/map)."
    assert [span.link for block in snow.body for span in block.spans if span.link] == ["https://pass.example/map"]
    assert (rope.author.name, rope.author.uri) == ("Sami of the Pass", "https://pass.example/feed/")
    assert rope.author.url == "https://pass.example"
    assert rope.media == (
        Media(url="https://pass.example/audio/7.mp3", kind=MediaKind.AUDIO),
        Media(url="https://pass.example/audio/7.vtt", kind=MediaKind.FILE),
    )


def test_atom_is_read() -> None:
    first, reply = posts((FEEDS / "atom10.xml").read_bytes(), address="https://ayllu.example/blog/feed.atom")
    assert (first.title, plain(first.body)) == ("Bold words", "Plain words,\nnot <em>markup</em>.")
    assert (reply.title, plain(reply.body)) == ("1 < 2 & 3 > 2", "Read this (https://ayllu.example/blog/map).")
    assert [span.link for block in reply.body for span in block.spans if span.link] == [
        "https://ayllu.example/blog/map"
    ]
    assert (first.uri, reply.reply_to) == ("rss:ayllu.example/blog/feed.atom?:tag:ayllu.example,2026:1", first.url)
    assert (reply.author.name, first.author.name) == ("Wayra", "Ayllu & friends")
    assert (reply.language, reply.tags, reply.url) == ("qu", ("puente",), "https://ayllu.example/blog/2")
    assert reply.published == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert reply.edited == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert first.edited is None


def test_a_mastodon_feed_names_authors_by_address_and_folds_warnings() -> None:
    remote, local = posts((FEEDS / "mastodon.rss").read_bytes(), address="https://puna.example/tags/qeswachaka.rss")
    assert (local.title, local.warning, local.sensitive) == ("", "heights & ropes", True)
    assert plain(local.body).startswith("The bridge #qeswachaka")
    assert "heights" not in plain(local.body)
    assert "rope bridge" not in plain(local.body)
    assert [(media.url, media.kind, media.alt) for media in local.media] == [
        ("https://media.puna.example/a.png", MediaKind.IMAGE, "A rope bridge, seen from below"),
        ("https://media.puna.example/b.mp4", MediaKind.VIDEO, "People twist grass"),
    ]
    assert local.tags == ("Qeswachaka",)
    assert (local.author.handle, local.author.url) == ("@illa@puna.example", "https://puna.example/@illa")
    assert (remote.author.handle, remote.author.uri, remote.author.name) == (
        "",  # only valle.example can say that it is Sami's
        "https://puna.example/tags/qeswachaka.rss",
        "#qeswachaka",
    )
    assert (remote.warning, plain(remote.body)) == ("", "On my way.")


def test_the_feed_of_a_mastodon_account_has_the_name_of_its_author() -> None:
    link = "https://puna.example/@illa"
    body = rss(f"<link>{link}/7</link>", channel=f"<title>Illa Q.</title><link>{link}</link>")
    assert posts(body)[0].author.name == "Illa Q."


# --- whose words ---

VICTIM = "https://puna.example/@illa"
TOOT = f"<link>{VICTIM}/7</link><description>words</description>"
TITLED = f"<title>Illa Q.</title><link>{VICTIM}</link>"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://thief.example/feed", "https://thief.example/feed"),
        ("https://thief.example/feed", f"{VICTIM}.rss"),
        ("https://puna.example/out?to=thief.example", "https://thief.example/feed"),
        ("https://files.puna.example/feed", "https://files.puna.example/feed"),
        ("https://puna.example:8443/feed", "https://puna.example:8443/feed"),
        ("https://puna.example@thief.example/feed", "https://puna.example@thief.example/feed"),
        ("https://puna.example.thief.example/", "https://puna.example.thief.example/"),
    ],
)
def test_a_feed_of_another_host_does_not_speak_as_who_its_entries_lead_to(address: str, url: str) -> None:
    (post,) = posts(rss(TOOT, channel=TITLED), address=address, url=url)
    assert (post.author.uri, post.author.handle, post.author.name) == (address, "", "Illa Q.")
    assert post.author.url in ("", VICTIM if url.startswith(VICTIM) else "")
    assert post.url == f"{VICTIM}/7"


def test_nor_does_the_authors_own_server_lead_elsewhere_or_speak_for_who_is_elsewhere() -> None:
    for link in ("https://thief.example/@illa@puna.example/7", "https://puna.example/@sami@valle.example/7"):
        (post,) = posts(rss(f"<link>{link}</link>"), address="https://puna.example/tags/rope.rss")
        assert (post.author.uri, post.author.handle) == ("https://puna.example/tags/rope.rss", "")


@pytest.mark.parametrize(
    ("creator", "name"),
    [
        ("@illa@puna.example", "The Village Bell"),
        ("Illa (@illa@puna.example)", "The Village Bell"),
        ("＠illa＠puna.example", "The Village Bell"),
        ("﹫illa﹫puna.example", "The Village Bell"),
        ("@\u2060illa@puna.example", "The Village Bell"),
        ("-@illa@puna.example", "The Village Bell"),
        ("x@illa@puna.example", "The Village Bell"),
        ("@illa", "The Village Bell"),
        ("@illa@bell.example", "@illa@bell.example"),
        ("@illa@bell.example @sami@puna.example", "The Village Bell"),
        ("Illa", "Illa"),
    ],
)
def test_an_author_is_not_called_by_an_account_elsewhere(creator: str, name: str) -> None:
    assert only("<title>x</title>", f"<dc:creator>{creator}</dc:creator>").author.name == name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Illa (@illa@puna.example)", "bell.example"),
        ("Illa (﹫illa﹫puna.example)", "bell.example"),
        ("Illa (@\u2060illa@puna.example)", "bell.example"),
        ("Illa (@illa@bell.example)", "Illa (@illa@bell.example)"),
        ("Illa / @illa", "Illa / @illa"),
    ],
)
def test_nor_is_a_feed(title: str, name: str) -> None:
    assert posts(rss("<title>x</title>", channel=f"<title>{title}</title>"))[0].author.name == name


# --- which one is which ---

LINK = "<link>https://bell.example/1</link>"


@pytest.mark.parametrize(
    ("item", "uri"),
    [
        ("<guid>https://bell.example/?p=1</guid>" + LINK, "rss:bell.example/feed.xml?:https://bell.example/?p=1"),
        ("<guid isPermaLink='false'>0123456789ab</guid>" + LINK, "rss:bell.example/feed.xml?:0123456789ab"),
        ("<guid>0123456789ab</guid>" + LINK, "rss:bell.example/feed.xml?:0123456789ab"),
        ("<guid>12</guid>" + LINK, "rss:bell.example/feed.xml?:12"),
        ("<guid> tag:x,1:\n 2 </guid>", "rss:bell.example/feed.xml?:tag:x,1:2"),
        (LINK, "rss:bell.example/feed.xml?://bell.example/1"),
        ("<link>http://www.bell.example/1/</link>", "rss:bell.example/feed.xml?://bell.example/1"),
        ("<link>/1?utm_medium=rss&amp;utm_campaign=x</link>", "rss:bell.example/feed.xml?://bell.example/1"),
        ("<link>https://bell.example/1?a=2#part</link>", "rss:bell.example/feed.xml?://bell.example/1?a=2#part"),
    ],
)
def test_an_entry_is_known_by_its_guid_else_its_link(item: str, uri: str) -> None:
    assert only(item).uri == uri


def test_without_guid_and_link_the_words_tell() -> None:
    one, other, again = (only(f"<title>{title}</title>").uri for title in ("a", "b", "a"))
    assert one == again != other


def test_a_site_cannot_claim_the_entries_of_another() -> None:
    body = rss("<guid>https://bell.example/?p=1</guid>")
    assert posts(body)[0].uri != posts(body, address="https://thief.example/feed")[0].uri


@pytest.mark.parametrize(
    "other",
    [
        "https://bell.example/category/feed.xml",
        "https://bell.example/~illa/feed.xml",
        "https://bell.example/feed.xml?raw",
        "https://bell.example:8443/feed.xml",
        "https://mirror.bell.example/feed.xml",
        "https://bell.example/FEED.xml",
        f"{URL} https://thief.example/feed.xml",
        f"https://thief.example/feed.xml {URL}",
    ],
)
@pytest.mark.parametrize("guid", ["https://bell.example/?p=1", "tag:bell.example,2026:1", "12", "x" * 1900])
def test_a_guid_counts_within_its_feed_alone(guid: str, other: str) -> None:
    (mine,) = items(rss(f"<guid>{guid}</guid>"))
    first = other.split(maxsplit=1)[0]
    (theirs,) = read_items(document(body := rss(f"<guid>{guid}</guid>")), setting(body, first, other))
    assert mine.post.uri != theirs.post.uri
    assert mine.post.author.uri != theirs.post.author.uri


ADDRESSES = st.sampled_from([URL, f"{URL}?", f"{URL}?a", f"{URL}?a:b", f"{URL}?a%3Ab", f"{URL}?a%253Ab", f"{URL}?:b"])


@given(ADDRESSES, ADDRESSES, st.text("ab:?%3A|", max_size=8), st.text("ab:?%3A|", max_size=8))
def test_no_feed_can_word_a_guid_so_that_it_is_another_feeds(one: str, other: str, mine: str, theirs: str) -> None:
    uris = {entry_names(name, address=at, feed=at).uri for at, name in ((one, mine), (other, theirs))}
    same = (one.rstrip("?"), mine) == (other.rstrip("?"), theirs)
    assert len(uris) == (1 if same else 2)


def setting(body: str, address: str, feed: str = "") -> Setting:
    return setting_of(document(body), address=address, url=address, now=NOW, feed=feed)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["<guid>same guid here</guid><link>/1</link>", "<guid>same guid here</guid><link>/2</link>"], 2),
        (["<guid>same guid here</guid><title>1</title>", "<guid>same guid here</guid><title>2</title>"], 2),
        (["<guid>same guid here</guid><link>/1</link>"] * 2, 1),
        (["<link>/1</link><title>1</title>", "<link>/1</link><title>2</title>"], 2),
        (["<title>1</title>", "<title>1</title>", "<title>2</title>"], 2),
    ],
)
def test_a_guid_that_entries_share_does_not_swallow_them(given: list[str], found: int) -> None:
    uris = [post.uri for post in posts(rss(*given))]
    assert len(uris) == len(set(uris)) == found
    assert uris == [post.uri for post in posts(rss(*given))]


def test_an_endless_guid_is_shortened() -> None:
    assert len(only(f"<guid>{'x' * 1900}</guid>").uri) < 100


def test_a_post_always_has_a_place_to_be_read() -> None:
    assert only("<guid>https://bell.example/9</guid>").url == "https://bell.example/9"
    assert only("<guid isPermaLink='false'>no address</guid>").url == "https://bell.example/"
    assert posts(rss("<title>x</title>", channel=""))[0].url == URL
    assert only("<link>javascript:alert(1)</link><title>x</title>").url == "https://bell.example/"


# --- words ---


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Plain", "Plain"),
        ("  Two\n lines ", "Two lines"),
        ("Tom &amp;amp; Jerry &amp;#8217;s", "Tom & Jerry ’s"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("<![CDATA[<b>Bold</b> &amp; brave]]>", "Bold & brave"),
        ("A &lt;b> raw", "A <b> raw"),
        ("AT&amp;T > IBM", "AT&T > IBM"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_a_title_reads_as_it_was_meant(written: str, title: str) -> None:
    assert only(f"<title>{written}</title>").title == title


@pytest.mark.parametrize(
    ("item", "body"),
    [
        ("<description>Plain &lt; words</description>", "Plain < words"),
        ("<description>&lt;p&gt;One&lt;/p&gt;&lt;p&gt;Two</description>", "One\n\nTwo"),
        ("<description>a &amp;amp; b</description>", "a & b"),
        ("<description>&lt;poll-widget&gt;Yes&lt;/poll-widget&gt; or no</description>", "Yes or no"),
        ("<description>short</description><content:encoded>&lt;p&gt;long</content:encoded>", "long"),
        ("<content:encoded>&lt;p&gt;long</content:encoded><description>short</description>", "long"),
        ("<description>&lt;script&gt;alert(1)&lt;/script&gt;safe</description>", "safe"),
        ("<title>only a title</title>", ""),
    ],
)
def test_the_body_is_the_fullest_text(item: str, body: str) -> None:
    assert plain(only(item).body) == body


ALT = "<media:content url='/a.png' medium='image'><media:description>What it shows</media:description></media:content>"


@pytest.mark.parametrize(
    ("item", "body"),
    [
        ("<description>The post</description>" + ALT, "The post"),
        (ALT + "<description>The post</description>", "The post"),
        (ALT + "<description>&lt;p&gt;The post</description>", "The post"),
        (ALT, ""),
    ],
)
def test_the_description_of_a_picture_is_not_taken_for_the_text(item: str, body: str) -> None:
    post = only(item)
    assert plain(post.body) == body
    assert [media.alt for media in post.media] == ["What it shows"]


def test_nor_is_it_in_a_feed_that_is_not_well_formed() -> None:
    (post,) = posts(rss("<description>The post&nbsp;</description>" + ALT))
    assert plain(post.body).strip() == "The post"


def test_a_video_feed_keeps_the_description_of_the_video() -> None:
    (post,) = posts(
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/"><entry>'
        "<id>tube:video:1</id><title>Weaving</title><link href='https://tube.example/1'/><media:group>"
        "<media:content url='https://tube.example/v/1' type='application/x-shockwave-flash'/>"
        "<media:thumbnail url='https://tube.example/1.jpg'/><media:description>How to weave.</media:description>"
        "</media:group></entry></feed>"
    )
    assert (post.title, plain(post.body)) == ("Weaving", "How to weave.")
    assert post.media == (Media(url="https://tube.example/1.jpg", kind=MediaKind.IMAGE),)


@pytest.mark.parametrize(
    ("xml", "media"),
    [
        ("<enclosure url='/a.jpg'/>", [("https://bell.example/a.jpg", MediaKind.IMAGE, "")]),
        ("<enclosure url='/a' type='video/mp4'/>", [("https://bell.example/a", MediaKind.VIDEO, "")]),
        ("<enclosure url='/a.pdf' type='application/pdf'/>", [("https://bell.example/a.pdf", MediaKind.FILE, "")]),
        ("<enclosure url='javascript:x' type='image/png'/>", []),
        ("<enclosure url='' type='image/png'/>", []),
        (
            "<enclosure url='/a.jpg'/><media:content url='/a.jpg'/>",
            [("https://bell.example/a.jpg", MediaKind.IMAGE, "")],
        ),
        (
            "<media:content url='/a.mp4' medium='video'/><media:thumbnail url='/t.jpg'/>",
            [("https://bell.example/a.mp4", MediaKind.VIDEO, "https://bell.example/t.jpg")],
        ),
        ("<media:content url='/player' type='text/html'/>", []),
    ],
)
def test_files_of_an_entry_become_media(xml: str, media: list[tuple[str, MediaKind, str]]) -> None:
    assert [(found.url, found.kind, found.preview) for found in only(xml).media] == media


def test_a_picture_keeps_its_size() -> None:
    (picture,) = only("<media:content url='/a.png' width='640' height='many'/>").media
    assert (picture.width, picture.height) == (640, None)


def test_links_are_resolved_against_where_the_feed_was_found_in_the_end() -> None:
    (post,) = posts(rss("<link>1</link>", channel="<title>x</title>"), url="https://moved.example/blog/feed.xml")
    assert post.url == "https://moved.example/blog/1"
    assert post.uri.startswith("rss:bell.example/feed.xml?:")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("<author>sami@pass.example (Sami of the Pass)</author>", "Sami of the Pass"),
        ("<author>sami@pass.com (Sami)</author>", "Sami"),
        ("<author>Sami &lt;sami@pass.example&gt;</author>", "Sami"),
        ("<author>sami@pass.example</author>", "sami@pass.example"),
        ("<dc:creator>Sami (the younger)</dc:creator>", "Sami (the younger)"),
        ("<dc:creator>\u202eimas</dc:creator>", "imas"),
        ("<author></author>", "The Village Bell"),
    ],
)
def test_an_author_has_a_name(written: str, name: str) -> None:
    assert only("<title>x</title>", written).author.name == name


# --- dates ---


def dated(*dates: str) -> Post:
    return only("<title>x</title>", *dates)


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("Sun, 01 Mar 2026 09:00:00 +0100", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T09:00:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 12:10:00 GMT", datetime(2026, 3, 1, 12, 10, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 12:16:00 GMT", NOW),
        ("Fri, 31 Dec 9999 23:59:59 GMT", NOW),
        ("Thu, 01 Jan 0001 00:00:00 GMT", NOW),
        ("Thu, 30 Feb 2026 00:00:00 GMT", None),
        ("yesterday, I think", NOW),
        ("", NOW),
    ],
)
def test_a_date_is_what_it_says_unless_that_cannot_be(date: str, published: datetime | None) -> None:
    found = dated(f"<pubDate>{date}</pubDate>").published
    assert found == (published or found)
    assert found.tzinfo is UTC


def test_the_update_stands_in_for_a_missing_publication() -> None:
    post = dated("<dc:date>2026-02-01T00:00:00Z</dc:date>")
    assert (post.published, post.edited) == (datetime(2026, 2, 1, tzinfo=UTC), None)


def test_posts_come_oldest_first_and_undated_ones_in_the_feeds_own_order() -> None:
    assert [post.title for post in posts(rss(*(f"<title>{n}</title>" for n in (3, 2, 1))))] == ["1", "2", "3"]
    day = "<title>{0}</title><pubDate>{0} Jan 2026 00:00:00 GMT</pubDate>"
    assert [post.title for post in posts(rss(*(day.format(n) for n in (2, 3, 1))))] == ["1", "2", "3"]


# --- what a later look knows again ---


def item(*parts: str) -> EntryPost:
    (found,) = items(rss("".join(parts)))
    return found


SAME = item("<guid>first guid</guid><title>T</title><description>some words</description>", LINK, ALT)


@pytest.mark.parametrize(
    ("parts", "edited"),
    [
        (["<title>T</title><description>&lt;p&gt;some \n words&lt;/p&gt;</description>", LINK, ALT], False),
        (["<title>T</title><description>some words</description>", "<link>/2</link>", ALT], False),
        (["<title>T</title><description>some http://bell.example/ words</description>", LINK, ALT], True),
        (["<title>T</title><description>some words</description>", LINK, ALT.replace("a.png", "a.png?token=2")], False),
        (["<title>T</title><description>other words</description>", LINK, ALT], True),
        (["<title>U</title><description>some words</description>", LINK, ALT], True),
        (["<title>T</title><description>some words</description>", LINK], True),
    ],
)
def test_only_what_a_reader_would_notice_is_an_edit(parts: list[str], edited: bool) -> None:
    again = item("<guid>first guid</guid>", *parts)
    assert again.name == SAME.name
    assert (again.text != SAME.text) is edited


def test_counters_in_the_text_are_no_edit() -> None:
    words = "<guid>first guid</guid><description>submitted by illa {0} points | {1} comments</description>"
    assert item(words.format(1, 0)).text == item(words.format(1400, 33)).text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://bell.example/1/", "https://www.bell.example/1"),
        ("https://bell.example/1?utm_source=rss&amp;a=b", "https://bell.example/1?a=b"),
    ],
)
def test_an_address_is_the_same_whatever_does_not_change_the_page(before: str, after: str) -> None:
    assert item(f"<link>{before}</link>").link == item(f"<link>{after}</link>").link


def test_a_picture_is_the_same_whatever_its_scheme_host_and_token() -> None:
    picture = "<guid>first guid</guid><enclosure url='{0}' type='image/jpeg' length='1'/>"
    urls = ("http://bell.example/i/1.jpg", "https://cdn.bell.example/i/1.jpg?w=2", "https://bell.example/i/2.jpg")
    first, same, other = (item(picture.format(url)).text for url in urls)
    assert first == same != other
