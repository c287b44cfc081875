"""Feeds of every habit, well-formed and not, composed at random: to hold the quick reader against feedparser."""

from __future__ import annotations

from html import escape

from hypothesis import strategies as st

_SPACES = {
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "itunes": "http://www.itunes.com/DTDs/PodCast-1.0.dtd",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "atom": "http://www.w3.org/2005/Atom",
    "thr": "http://purl.org/syndication/thread/1.0",
    "webfeeds": "http://webfeeds.org/rss/1.0",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "yt": "http://www.youtube.com/xml/schemas/2015",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _SPACES.items())

_PIECES = """rope|bridge| |  |\n|año|más|Ã±|“cited”|😀|\x85|&|<|>|&amp;|&lt;b&gt;|&#8217;|&nbsp;|&bogus;|<b>bold</b>|
<p>One</p>|<a href='/map'>map</a>|<made-up>x</made-up>|</b>|]]|submitted by|12 points|https://ayllu.example/?a=1&b=2|#Qeswachaka|\u202e"""
_DATES = (
    "Sun, 01 Mar 2026 09:00:00 +0100|2026-03-01T09:00:00Z|" * 30
    + """Sun, 01 Mar 2026 09:00:00 +0100|1 Mar 2026 09:00:00 GMT|Sun, 1 Mar 2026 09:00:00 EST|2026-03-01T09:00:00Z|
2026-03-01T09:00:00.123+05:30|2026-03-01|2026-03-01 09:00:00|Sun, 01 Mar 26 09:00 CEST|30 Feb 2026|
Tue, 31 Feb 2026 00:00:00 GMT|yesterday||1969-12-31T23:59:59Z|9999-12-31T23:59:59Z|Sun, 01 Mar 2026 24:00:00 GMT|
2026-03-01T09:00:60Z|Sun, 01 Mar 2026 09:00:00 -0030|2026-03-01t09:00:00z"""
)
_LINKS = (
    "https://ayllu.example/1|/relative|tag:ayllu.example,2026:1|2|" * 12
    + """https://ayllu.example/1|https://ayllu.example/?p=12|/relative|2||tag:ayllu.example,2026:1|12|#a|
https://ayllu.example/?a=1&b=2|https:///odd|javascript:alert(1)|https://[bad/|urn:uuid:1-2| a b |https://ayllu.example/&copy;"""
)
_LOCALS = (
    "|" * 60
    + """xml:lang="qu"|xml:lang="en_GB"|xml:base="https://base.example/b/"|xml:base="c/"|xml:lang=\"\"|lang="es"|foo="x\""""
)


def _one_of(pieces: str) -> st.SearchStrategy[str]:
    return st.sampled_from([piece.removeprefix("\n") or piece for piece in pieces.split("|")])


def _written(text: str, how: int) -> str:
    """Character data, in one of the ways to write it; the last leaves in what breaks a document."""
    if how < 40 and "]]>" not in text:
        return f"<![CDATA[{text}]]>"
    return text.replace("<", "&lt;") if how == 99 else escape(text, quote=how < 60)


_WORDS = st.lists(_one_of(_PIECES), max_size=5).map("".join)
_TEXT = st.builds(_written, _WORDS, st.integers(0, 99))
_DATE, _LINK = _one_of(_DATES), _one_of(_LINKS).map(escape)
_TYPE = _one_of("|text|html|" * 20 + "|HTML|xhtml|text/html|plain|x").map(lambda kind: f'type="{kind}"' if kind else "")


def _element(
    name: str, content: st.SearchStrategy[str], attributes: st.SearchStrategy[str] | None = None
) -> st.SearchStrategy[str]:
    given = attributes if attributes is not None else st.just("")
    return st.builds(
        lambda inner, *more: f"<{' '.join((name, *more))}>{inner}</{name}>", content, given, _one_of(_LOCALS)
    )


def _attributes(**values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries({}, optional={key.rstrip("_"): value for key, value in values.items()}).map(
        lambda given: " ".join(f'{key}="{value}"' for key, value in given.items())
    )


def _within(name: str, parts: st.SearchStrategy[str], attributes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return _element(name, st.lists(parts, max_size=4).map("".join), attributes)


_NOTHING = st.just("")
_FILE = _attributes(
    url=_LINK,
    type=_one_of("image/png|video/mp4|Image/PNG|text/html"),
    medium=_one_of("image|video"),
    width=_one_of("640|x"),
)
_ABOUT_FILE = st.one_of(
    _element("media:description", _TEXT, _TYPE),
    _element("media:title", _TEXT),
    _element("media:rating", _one_of("adult|nonadult|")),
    _element("media:thumbnail", _NOTHING, _attributes(url=_LINK)),
    _element("media:credit", _TEXT),
)
_MEDIA = st.one_of(
    _within("media:content", _ABOUT_FILE, _FILE),
    _within("media:group", st.one_of(_ABOUT_FILE, _within("media:content", _ABOUT_FILE, _FILE)), _NOTHING),
    _ABOUT_FILE,
)
_MORE = st.one_of(
    _element("slash:comments", _one_of("3")),
    _element("yt:videoId", _one_of("abc")),
    _element("podcast:person", _TEXT, _attributes(role=_one_of("host"))),
    _element("dc:rights", _TEXT),
    _element("thr:in-reply-to", _NOTHING, _attributes(ref=_LINK, href=_LINK)),
    _element("thr:total", _one_of("2")),
    st.just("<!-- a comment --><?what ever?>"),
    st.just("\n  "),
)
_RSS = [
    _element("title", _TEXT),
    _element("link", _LINK),
    _element("guid", _LINK, _attributes(isPermaLink=_one_of("true|false|TRUE"))),
    _element("pubDate", _DATE),
    _element("description", _TEXT),
    _element("content:encoded", _TEXT),
    _element("author", _TEXT),
    _element("dc:creator", _TEXT),
    _element("dc:date", _DATE),
    _element("category", _TEXT, _attributes(domain=_LINK)),
    _element("enclosure", _NOTHING, _attributes(url=_LINK, type=_one_of("audio/mpeg"), length=_one_of("1"))),
    _element("comments", _LINK),
]
_RARE_RSS = [
    _element("itunes:author", _TEXT),
    _element("itunes:summary", _TEXT),
    _element("itunes:subtitle", _TEXT),
    _element("itunes:keywords", _one_of("a, b|a|")),
    _element("source", _TEXT, _attributes(url=_LINK)),
    _element("atom:link", _NOTHING, _attributes(rel=_one_of("self|alternate|replies"), href=_LINK)),
    _element("atom:updated", _DATE),
    _element("dc:subject", _TEXT),
    _element("dc:title", _TEXT),
    _element("webfeeds:accentColor", _TEXT),
    _element("unknown", _TEXT),
    _element("Title", _TEXT),
]
_XHTML = _element(
    "content", st.just("<div xmlns='http://www.w3.org/1999/xhtml'><p>Read <br/>on</p></div>"), st.just("type='xhtml'")
)
_ATOM = [
    _element("title", _TEXT, _TYPE),
    _element("id", _LINK),
    _element(
        "link",
        _NOTHING,
        _attributes(
            rel=_one_of("alternate|self|enclosure|hub|Alternate|replies"),
            href=_LINK,
            type=_one_of("text/html|image/png|html|application/atom+xml"),
        ),
    ),
    _element("published", _DATE),
    _element("updated", _DATE),
    _element("summary", _TEXT, _TYPE),
    _element("content", _TEXT, _TYPE),
    _element(
        "content", st.just("<div xmlns='http://www.w3.org/1999/xhtml'><p>Read</p></div>"), st.just("type='xhtml'")
    ),
    _element("author", st.builds("<name>{}</name><email>{}</email>".format, _TEXT, _TEXT)),
    _element("category", _NOTHING, _attributes(term=_one_of("bridge|rope"), label=_TEXT.map(escape), scheme=_LINK)),
    _element("rights", _TEXT),
]
_RARE_ATOM = [
    _element("source", _element("title", _TEXT)),
    _within("author", st.one_of(_element("name", _TEXT), _element("uri", _LINK)), _NOTHING),
    _XHTML,
]
_CHANNEL = [
    _element("title", _TEXT, _TYPE),
    _element("link", _LINK),
    _element("atom:link", _NOTHING, _attributes(rel=_one_of("self|hub|alternate"), href=_LINK)),
    _element("language", _one_of("qu|en-gb")),
    _element("ttl", _one_of("30|x|")),
    _element("description", _TEXT),
    _element("image", st.just("<url>/i.png</url><title>an image</title><link>/i</link>")),
    st.just("<skipHours><hour>3</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>"),
    _element("itunes:owner", st.just("<itunes:name>Illa</itunes:name><itunes:email>illa@ayllu.example</itunes:email>")),
    _element("itunes:category", _NOTHING, _attributes(text=_one_of("Arts"))),
    _element("sy:updatePeriod", _one_of("hourly")),
    _element("webfeeds:icon", _LINK),
    _element("dc:language", _one_of("es")),
]


def _chosen(elements: list[st.SearchStrategy[str]], rare: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Each element once or not at all, in any order, and now and then one that makes it hard."""
    once = st.permutations(elements).flatmap(lambda order: st.tuples(*(st.one_of(st.just(""), one) for one in order)))
    return st.builds(lambda parts, more: "".join((*parts, *more)), once, st.lists(rare, max_size=1))


_ITEM = _chosen(_RSS, st.one_of(_MEDIA, _MORE, *_RARE_RSS))
_ENTRY = _chosen(_ATOM, st.one_of(_MEDIA, _MORE, *_RARE_ATOM))
_HEAD = _one_of(
    "<?xml version='1.0' encoding='utf-8'?>|" * 10
    + "<?xml version='1.0'?>||\ufeff|<!-- x -->|<!DOCTYPE rss>|<?xml encoding='latin-1'?>"
)
_ROOT = _one_of("||||xml:lang='qu'|xml:base='https://root.example/r/'|lang='es'")


def _rss(head: str, root: str, version: str, channel: str, items: list[str]) -> str:
    inner = channel + "".join(f"<item>{item}</item>" for item in items)
    return f"{head}<rss version='{version}' {_DECLARED} {root}><channel>{inner}</channel></rss>"


def _atom(head: str, root: str, feed: str, entries: list[str]) -> str:
    inner = feed + "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f"{head}<feed xmlns='http://www.w3.org/2005/Atom' {_DECLARED} {root}>{inner}</feed>"


RSS = st.builds(
    _rss,
    _HEAD,
    _ROOT,
    _one_of("2.0|2.0|0.91|0.92|1.0|"),
    _chosen(_CHANNEL, st.just("")),
    st.lists(_ITEM, max_size=3),
)
ATOM = st.builds(
    _atom, _HEAD, _ROOT, _chosen([*_ATOM[:6]], st.just("<link rel='hub' href='/h'/>")), st.lists(_ENTRY, max_size=3)
)
