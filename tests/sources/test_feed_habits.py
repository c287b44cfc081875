"""What well-known sites put around what people wrote is taken away, and makes no edit."""

from __future__ import annotations

from html import escape

import pytest

from relay.model import Media, MediaKind, Post
from relay.text import plain
from tests.support.feed_samples import URL, atom, items, only, posts, rss


def described(html: str, *more: str) -> Post:
    return only(f"<description>{escape(html)}</description>", *more)


# --- WordPress ---


@pytest.mark.parametrize(
    "tail",
    [
        'The post <a href="https://bell.example/1">Snow</a> appeared first on <a href="https://bell.example">Bell</a>.',
        'La entrada <a href="https://bell.example/1">Nieve</a> se publicó primero en <a href="/">La campana</a>.',
        'Der Beitrag <a href="https://bell.example/1">Schnee</a> erschien zuerst auf <a href="/">Glocke</a>.',
    ],
)
def test_wordpress_signs_no_post(tail: str) -> None:
    post = described(f"<p>It snowed.</p>\n<p>{tail}</p>")
    assert plain(post.body) == "It snowed."


def test_a_post_about_posts_stays_whole() -> None:
    words = "The post stands by the river."
    assert plain(described(f"<p>{words}</p>").body) == words
    assert plain(described(f"<p>One</p><p>{words}</p>").body) == f"One\n\n{words}"


def test_what_is_taken_away_still_counts_for_edits_as_before() -> None:
    """Digests outlive an upgrade: a changed rule must not call every old entry edited."""
    body = "<guid>https://bell.example/?p=1</guid><description>{}</description>"
    tail = "&lt;p&gt;The post &lt;a href='/1'&gt;Snow&lt;/a&gt; appeared first on Bell."
    (whole,) = items(rss(body.format("&lt;p&gt;It snowed.&lt;/p&gt;" + tail)))
    (short,) = items(rss(body.format("&lt;p&gt;It snowed.&lt;/p&gt;")))
    assert whole.post.body == short.post.body
    assert whole.text != short.text


# --- Lemmy, Reddit, Hacker News ---

LEMMY = (
    'submitted by <a href="https://puna.example/u/illa">illa</a> to <a href="https://puna.example/c/ropes">c/ropes</a><br>'
    '{} points | <a href="https://puna.example/post/7">{} comments</a><br>'
)
PAGE = '<a href="https://valle.example/bridge">https://valle.example/bridge</a>'


def lemmy(html: str, link: str = "https://puna.example/post/7") -> str:
    guid = "<guid>https://puna.example/post/7</guid><comments>https://puna.example/post/7</comments>"
    return rss(f"<title>The bridge</title>{guid}<link>{link}</link><description>{escape(html)}</description>")


def test_a_lemmy_post_is_its_text_and_its_link() -> None:
    (post,) = posts(lemmy(LEMMY.format(14, 3) + PAGE + "<p>It holds.</p>", "https://valle.example/bridge"))
    assert plain(post.body) == "It holds."
    assert (post.title, post.url) == ("The bridge", "https://puna.example/post/7")
    assert post.link_card
    assert post.link_card.url == "https://valle.example/bridge"


def test_a_lemmy_post_of_words_alone_has_no_link() -> None:
    (post,) = posts(lemmy(LEMMY.format(1, 1).removesuffix("<br>") + "<p>It holds.</p>"))
    assert (plain(post.body), post.link_card) == ("It holds.", None)


def test_scores_that_move_are_no_edit() -> None:
    one, other = (items(lemmy(LEMMY.format(*counts) + "<p>It holds.</p>"))[0] for counts in ((1, 0), (1400, 33)))
    assert one.text == other.text


REDDIT = (
    '<!-- SC_OFF --><div class="md"><p>It holds.</p>\n</div><!-- SC_ON --> &#32; submitted by &#32; '
    '<a href="https://www.reddit.com/user/illa"> /u/illa </a> <br/> <span><a href="{}">[link]</a></span> &#32; '
    '<span><a href="https://www.reddit.com/r/ropes/comments/7/">[comments]</a></span>'
)


def reddit(link: str) -> Post:
    (post,) = posts(
        atom(
            "<author><name>/u/illa</name></author><category term='ropes' label='r/ropes'/><id>t3_7</id><title>T</title>"
            f"<content type='html'>{escape(REDDIT.format(link))}</content><updated>2026-03-01T09:00:00+00:00</updated>"
            "<link href='https://www.reddit.com/r/ropes/comments/7/'/>"
        )
    )
    return post


def test_a_reddit_post_is_its_text_and_its_link() -> None:
    post = reddit("https://valle.example/bridge")
    assert (plain(post.body), post.tags, post.author.name) == ("It holds.", ("ropes",), "/u/illa")
    assert post.link_card
    assert (post.link_card.url, post.link_card.title) == ("https://valle.example/bridge", "valle.example")


def test_a_reddit_picture_is_a_picture() -> None:
    post = reddit("https://i.redd.it/bridge.jpg")
    assert post.media == (Media(url="https://i.redd.it/bridge.jpg", kind=MediaKind.IMAGE),)
    assert post.link_card is None
    assert reddit("https://www.reddit.com/r/ropes/comments/7/").link_card is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("<p>Rope</p><p>Points: 7</p><p># Comments: 2</p>", "<p>Rope</p><p>Points: 91</p><p># Comments: 33</p>", True),
        ("<p>Rope</p><p>12 likes · 3 reposts</p>", "<p>Rope</p><p>1,234 likes · 5 reposts</p>", True),
        ("<p>Rope</p><p>[3 comments]</p>", "<p>Rope</p><p>[4 comments]</p>", True),
        ("<p>I counted 12 views of it</p>", "<p>I counted 13 views of it</p>", False),
        ("<p>12 llamas</p>", "<p>13 llamas</p>", False),
        ("<p>Points: many</p>", "<p>Points: few</p>", False),
    ],
)
def test_only_lines_of_counters_may_move(one: str, other: str, same: bool) -> None:
    texts = [
        items(rss(f"<guid>number 1</guid><description>{escape(html)}</description>"))[0].text for html in (one, other)
    ]
    assert (texts[0] == texts[1]) is same


# --- Nitter ---

WORDS = "Snow on the pass, and the bridge holds as it has held for five hundred years"


def status(host: str, guid: str, title: str = WORDS, who: str = "illa", html: str = WORDS) -> str:
    return rss(
        f"<title>{title}</title><dc:creator>@{who}</dc:creator><description>{escape(f'<p>{html}</p>')}</description>"
        f"<pubDate>Sun, 01 Mar 2026 09:00:00 GMT</pubDate><guid isPermaLink='false'>{guid}</guid>"
        f"<link>https://{host}/illa/status/1234567890123456789#m</link>"
    )


def test_a_post_on_x_has_one_name_on_all_mirrors() -> None:
    address = "https://nitter.example/illa/rss"
    read = [
        items(
            status(host, guid, html=f'{WORDS} <a href="https://{host}/sami">{host}/sami</a>'), address=address, url=url
        )
        for host, guid, url in (
            ("nitter.example", "https://nitter.example/illa/status/1234567890123456789#m", address),
            ("nitter.example", "1234567890123456789", address),
            ("mirror.example", "1234567890123456789", "https://mirror.example/illa/rss"),
        )
    ]
    assert {item.post.uri for found in read for item in found} == {"rss:nitter.example/illa/rss?:1234567890123456789"}
    assert len({item.text for found in read for item in found}) == 1


@pytest.mark.parametrize(
    ("title", "who", "shown", "answers"),
    [
        (WORDS, "illa", "", ""),
        ("Pinned: " + WORDS, "illa", "", ""),
        ("R to @sami: " + WORDS, "illa", "", "https://{}/sami"),
        ("R to @Illa: " + WORDS, "illa", "", ""),
        ("RT by @illa: " + WORDS, "sami", "RT @sami", ""),
    ],
)
def test_nitters_prefixes_are_read_and_its_words_are_the_feeds(title: str, who: str, shown: str, answers: str) -> None:
    """Anybody can run a mirror: it does not speak as the account on X."""
    for host in ("bell.example", "nitter.example"):
        (post,) = posts(status(host, "1234567890123456789", title, who))
        assert (post.title, plain(post.body)) == (shown, WORDS)
        assert (post.author.name, post.author.uri, post.author.handle) == ("The Village Bell", URL, "")
        assert post.author.url == "https://bell.example/"
        assert post.reply_to == post.reply_to_author == answers.format(host)


@pytest.mark.parametrize("host", ["x.com", "twitter.com"])
def test_on_x_itself_a_post_is_its_authors(host: str) -> None:
    body = status(host, "1234567890123456789", "RT by @illa: " + WORDS, "Sami")
    (post,) = posts(body, address=f"https://{host}/illa/rss")
    assert (post.title, post.author.name, post.author.uri) == ("", "@Sami", "https://x.com/sami")
    (post,) = posts(body, address=f"https://{host}/illa/rss", url="https://mirror.example/illa/rss")
    assert (post.author.name, post.author.uri) == ("The Village Bell", f"https://{host}/illa/rss")


# --- titles ---


@pytest.mark.parametrize(
    ("title", "body", "kept"),
    [
        (WORDS, f"<p>{WORDS}</p>", False),
        (WORDS[:30] + "…", f"<p>{WORDS}</p>", False),
        (WORDS[:50], f"<p>{WORDS}</p>", False),
        ("Snow", f"<p>{WORDS}</p>", True),
        ("Snow on the pass", "<p>It snowed.</p>", True),
        ("…", f"<p>{WORDS}</p>", True),
        ("Snow", "", True),
    ],
)
def test_a_title_that_repeats_the_text_is_left_out(title: str, body: str, kept: bool) -> None:
    assert described(body, f"<title>{title}</title>").title == (title if kept else "")


# --- YouTube ---


def test_what_is_told_of_a_video_keeps_its_lines() -> None:
    (post,) = posts(
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/"'
        ' xmlns:yt="http://www.youtube.com/xml/schemas/2015"><entry><id>yt:video:1</id><yt:videoId>1</yt:videoId>'
        "<title>Weaving</title><link href='https://tube.example/1'/><media:group><media:description>One: "
        "https://ayllu.example\nTwo</media:description></media:group></entry></feed>"
    )
    assert plain(post.body) == "One: https://ayllu.example\nTwo"
    assert [span.link for span in post.body[0].spans if span.link] == ["https://ayllu.example"]
