"""A thread as an EPUB 3 book of one chapter (w3.org/TR/epub-33). Pictures stay where they are: their words are told."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from html import escape, unescape
from urllib.parse import urlsplit

from relay.text import clean
from relay.web.pages import article_html
from relay.web.thread_view import ThreadReading

_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="{language}" xml:lang="{language}">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>{body}</body>
</html>
"""
_STYLE = """body { margin: 0 5%; line-height: 1.5 } h1 { font-size: 1.4em }
.when, .facts { font-size: 0.75em; color: #555 }
blockquote { margin-left: 1em; padding-left: 0.8em; border-left: 2px solid #999 } .removed { color: #555 }
"""
_NAV = """<nav epub:type="toc"><h1>{title}</h1><ol><li><a href="thread.xhtml">{title}</a></li></ol></nav>"""
_TAG = re.compile(
    r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|\d{3}))?(?:-(?:[A-Za-z0-9]{5,8}|\d[A-Za-z0-9]{3}))*"
)
_LINK = re.compile(r'<a href="([^"]*)" rel="[^"]*"')
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})|[\[\]]")
"""What browsers put up with in an address, and the standard does not allow behind the host."""
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""When its files were made: never mind, so that the same thread is the same book."""


def epub(reading: ThreadReading) -> bytes:
    """The book as the bytes of its file."""
    language = _language(reading.first.language, reading.language)
    title = clean(reading.title, limit=200) or reading.first.url
    files = {
        "META-INF/container.xml": _CONTAINER,
        "book.opf": _package(reading, title, language),
        "nav.xhtml": _page(title, language, _NAV.format(title=escape(title))),
        "thread.xhtml": _page(title, language, _xhtml(article_html(reading))),
        "style.css": _STYLE,
    }
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as archive:
        # first, and not compressed, so that its type can be read off its first bytes (EPUB 3.3, 4.2.6.2)
        archive.writestr(zipfile.ZipInfo("mimetype", _MOMENT), "application/epub+zip", zipfile.ZIP_STORED)
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), _NO_XML.sub("", text), zipfile.ZIP_DEFLATED)
    return book.getvalue()


def _page(title: str, language: str, body: str) -> str:
    return _PAGE.format(title=escape(title), language=escape(language, quote=True), body=body)


def _package(reading: ThreadReading, title: str, language: str) -> str:
    changed = (reading.updated or reading.first.published).astimezone(UTC)
    told = {
        "id": reading.first.uri,
        "title": title,
        "creator": clean(reading.byline, limit=200),
        "source": reading.first.url,
    }
    words = {name: escape(value) for name, value in told.items()}
    creator = f"<dc:creator>{words['creator']}</dc:creator>\n" if words["creator"] else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{escape(language)}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{words["id"]}</dc:identifier>
<dc:title>{words["title"]}</dc:title>
<dc:language>{escape(language)}</dc:language>
{creator}<dc:source>{words["source"]}</dc:source>
<dc:date>{_time(reading.first.published)}</dc:date>
<meta property="dcterms:modified">{_time(changed)}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="thread" href="thread.xhtml" media-type="application/xhtml+xml"/>
<item id="style" href="style.css" media-type="text/css"/>
</manifest>
<spine><itemref idref="thread"/></spine>
</package>
"""


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _language(*tags: str) -> str:
    """The first that is a language tag (RFC 5646); of one that is odd, the language alone."""
    for tag in tags:
        known = _TAG.fullmatch(tag) or re.fullmatch(r"([A-Za-z]{2,3})-.+", tag)
        if known:
            return known[1] if known.lastindex else tag
    return "und"


def _xhtml(fragment: str) -> str:
    """HTML of our own as XML: all is escaped and closed but for these two; readers are stricter with addresses."""
    return _LINK.sub(_linked, fragment.replace("<br>", "<br/>").replace("<hr>", "<hr/>"))


def _linked(link: re.Match[str]) -> str:
    address = _address(unescape(link[1]))
    return link[0].replace(link[1], escape(address, quote=True), 1) if address else "<a"


def _address(link: str) -> str:
    """The address as the standard writes it; "" where no host can have that name."""
    parts = urlsplit(link)
    if parts.scheme != "mailto" and not _is_place(parts.netloc):
        return ""
    at = link.index(parts.netloc) + len(parts.netloc)
    before, mark, fragment = link[at:].partition("#")
    tail = before + mark + fragment.replace("#", "%23")
    return link[:at] + _STRAY.sub(lambda one: f"%{ord(one[0]):02X}", tail)


def _is_place(netloc: str) -> bool:
    """Whether it may be a host's name with a port."""
    host, _, port = netloc.rpartition(":") if re.search(r":\d*$", netloc) else (netloc, "", "")
    try:
        if not host.startswith("["):
            host.encode("idna")
        for label in host.lower().split("."):
            if label.startswith("xn--") and not label[4:].encode("ascii").decode("punycode"):
                return False
    except UnicodeError:
        return False
    return int(port or 0) < 65536
