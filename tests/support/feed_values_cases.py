"""What several tests share with those of feed values."""

from __future__ import annotations

from relay.model import Post
from tests.support.feed_samples import posts

SPACES = (
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0" '
    'xmlns:pheedo="http://www.pheedo.com/namespace/pheedo" '
    'xmlns:googleplay="http://www.google.com/schemas/play-podcasts/1.0" xmlns:webfeeds="http://webfeeds.org/rss/1.0"'
)


SITE = "https://bell.example/"


FILE = "<enclosure url='https://files.example/7.mp3' type='audio/mpeg' length='1'/>"


def rss(item: str, channel: str = f"<link>{SITE}</link>") -> str:
    return f'<rss version="2.0" {SPACES}><channel><title>x</title>{channel}<item>{item}</item></channel></rss>'


def in_rss(item: str, channel: str = f"<link>{SITE}</link>") -> Post:
    (post,) = posts(rss(item, channel))
    return post
