"""feedparser's two parsers, with the handlers that get feeds wrong in a form of ours; each says for which case.

They are driven here as ``feedparser.parse`` drives them, without what the relay does elsewhere: fetching, encodings.
"""

from __future__ import annotations

import io
import re
import xml.sax
from typing import Any
from xml.sax import handler
from xml.sax.xmlreader import InputSource

from feedparser.api import LooseFeedParser, StrictFeedParser
from feedparser.mixin import _FeedParserMixin
from feedparser.sanitizer import replace_doctype
from feedparser.util import FeedParserDict

from relay.sources.feed_parse import MEDIA_TEXT

# What is no reference is a character, also before "copy=2" and "lang=en" in an address. Sections of characters stay.
_AMPERSAND = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)"
    rb"|&(?!#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9.-]{0,31};)",
    re.DOTALL,
)
_NO = ("false", "no", "0")
_WEB = ("http://", "https://")


def parsed(body: bytes) -> Any:
    """What ``feedparser.parse`` returns, for a document in UTF-8."""
    body = _AMPERSAND.sub(lambda found: b"&amp;" if found[0] == b"&" else found[0], body)
    version, data, entities = replace_doctype(body)
    parser, bozo = _strict(data), False
    if parser is None:
        parser, bozo = _Loose("", None, "utf-8", entities), True
        parser.sanitize_html = parser.resolve_relative_uris = False
        parser.feed(data.decode("utf-8", "replace"))
    return FeedParserDict(
        bozo=bozo, feed=parser.feeddata, entries=parser.entries, version=version or parser.version or ""
    )


def nothing() -> Any:
    """What a document that is none has."""
    return FeedParserDict(bozo=True, feed=FeedParserDict(), entries=[], version="")


def _strict(data: bytes) -> Any:
    """The parser that has read a well-formed document; None where it is not well-formed."""
    parser = _Strict("", None, "utf-8")
    parser.sanitize_html = parser.resolve_relative_uris = False
    reader = xml.sax.make_parser()  # noqa: S317 - expat without external entities, in a process with limits
    reader.setFeature(handler.feature_namespaces, 1)
    reader.setFeature(handler.feature_external_ges, 0)
    reader.setContentHandler(parser)
    reader.setErrorHandler(parser)
    source = InputSource()
    source.setByteStream(io.BytesIO(data))
    try:
        reader.parse(source)
    except xml.sax.SAXException:
        return None
    return parser


class _Corrections(_FeedParserMixin):  # type: ignore[misc]  # feedparser ships no types
    """Handlers that stand before those of feedparser."""

    _group = 0
    _in_group = False
    _medium: Any = None

    def _start_item(self, attrs: Any) -> None:
        self._in_group, self._medium = False, None
        super()._start_item(attrs)
        self.entries[-1]["base"] = self.baseuri  # of its files, too, where it has no text that would keep it

    _start_entry = _start_item

    def unknown_endtag(self, tag: Any) -> None:
        """A base ends with the element that set it, also where none held before."""
        super().unknown_endtag(tag)
        self.baseuri = self.basestack[-1] if self.basestack else ""

    # --- links ---

    def _start_link(self, attrs: Any) -> None:
        """The text counts, not ``uri`` or ``url`` (Bluesky's at:// beside a page); an empty ``href`` is none."""
        spare = [attrs.pop(name, "") for name in ("uri", "url")]
        if not attrs.get("href", "x").strip():
            del attrs["href"]
        attrs["spare"] = next((address for address in spare if address.lower().startswith(_WEB)), "")
        super()._start_link(attrs)

    def _start_guid(self, attrs: Any) -> None:
        """Some write True, or no."""
        said = attrs.get("ispermalink", "true").strip().lower()
        super()._start_guid(attrs | {"ispermalink": "false" if said in _NO else "true"})

    _start_id = _start_guid

    def _end_guid(self) -> None:
        """A guid is a page where it is an address by itself, not where one can be made of it with a base."""
        text = self._open_text("id")
        super()._end_guid()
        if self.guidislink and text.lower().startswith(_WEB):
            self._get_context()["page_by_guid"] = text

    _end_id = _end_guid

    # --- pictures and files ---

    def _start_image(self, attrs: Any) -> None:
        """RSS has an image for the channel; within an item it is that one's, by an attribute, as text or as ``url``."""
        super()._start_image(attrs)
        self._picture(attrs.get("href") or attrs.get("url") or attrs.get("src"))

    def _end_image(self) -> None:
        self._picture(self._open_text("image"))
        super()._end_image()

    def _end_url(self) -> None:
        if self.inentry and self.inimage:
            self._picture(self.pop("href"))
        else:
            super()._end_url()

    def _start_itunes_image(self, attrs: Any) -> None:
        """The channel's takes no other picture's place."""
        if self.inentry:
            self._picture(attrs.get("href") or attrs.get("url"))
        elif attrs.get("href"):
            self.feeddata["itunes_picture"] = attrs["href"]
        self.push("itunes_image", 0)

    def _end_itunes_image(self) -> None:
        self._picture(self.pop("itunes_image"))

    def _picture(self, address: str | None) -> None:
        if self.inentry and address and address.strip():
            self.entries[-1].setdefault("picture", address.strip())

    def _start_media_group(self, attrs: Any) -> None:
        """What stands in one group is marked as such: it is one thing in several forms."""
        super()._start_media_group(attrs)
        self._group += 1
        self._in_group = True

    def _end_media_group(self) -> None:
        self._in_group = False

    def _start_media_content(self, attrs: Any) -> None:
        super()._start_media_content(attrs)
        attrs["group"] = self._group if self._in_group else 0
        self._medium = attrs

    def _end_media_content(self) -> None:
        self._medium = None

    def _start_media_description(self, attrs: Any) -> None:
        """That of a medium is no text of the entry; any other is, and plain text where nothing else is said."""
        if self._medium is None:
            html = str(attrs.get("type")).lower() in {"html", "text/html"}
            super()._start_media_description(attrs | {"type": "text/html" if html else MEDIA_TEXT})
        else:
            self.push("media_description", 0)

    def _end_media_description(self) -> None:
        if self._medium is None:
            super()._end_media_description()
        else:
            self._medium["description"] = self.pop("media_description") or ""

    def _open_text(self, element: str) -> str:
        """What stands so far in the element that is open."""
        name, _, pieces = self.elementstack[-1] if self.elementstack else ("", 0, ())
        text = "".join(piece.decode() if isinstance(piece, bytes) else piece for piece in pieces)
        return text.strip() if name == element else ""


class _Strict(_Corrections, StrictFeedParser):  # type: ignore[misc]  # feedparser ships no types
    """expat tells of a text in pieces, one for each line and reference: they are handed on as one."""

    def __init__(self, *arguments: Any) -> None:
        self._pieces: list[str] = []
        super().__init__(*arguments)

    def characters(self, text: str) -> None:
        self._pieces.append(text)

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: N802 - SAX calls it so
        self._hand_on()
        super().startElementNS(name, qname, attrs)

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: N802 - SAX calls it so
        self._hand_on()
        super().endElementNS(name, qname)

    def _hand_on(self) -> None:
        if self._pieces:
            super().characters("".join(self._pieces))
            self._pieces.clear()


class _Loose(_Corrections, LooseFeedParser):  # type: ignore[misc]  # feedparser ships no types
    pass
