"""The bytes of a document become UTF-8, by what they are more than by what is said of them. Pure.

Labels are wrong often: a template's declaration, a server's default, a class library that writes UTF-8 and says UTF-16.
What decides is, in this order: zero bytes between the characters (UTF-16, UTF-32); that nearly all is UTF-8, as no
other text is by chance, where what is broken stays one broken character; then a label that fits; then windows-1252.
So it is with where a document begins: what servers, caches and faulty programs wrote before it is left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

_START = 400
"""Bytes by which wide characters are told, and among which the declaration stands."""
_DECLARED = re.compile(rb"<\?xml[^<>]{0,200}?\sencoding\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})")
_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARKS = 9
"""Byte order marks that are left out: each is another copy of the document."""

# What is not allowed in XML, and only breaks a document that can be read without.
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_ASCII = bytes(range(128))
# A character beyond the first 65,536 as Java and old databases write it: each half of the pair by itself (CESU-8).
_HALVES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")

# Encodings of text alone (Python knows others, some of which are costly), and those in which "<" is the byte 3C.
_TEXTUAL = re.compile(r"(?:iso8859|iso2022|cp|koi8|gb|big5|shift_ji|euc_|mac|tis|kz|ptcp|johab|hp-|hz)[\w-]{0,20}")
_SEVEN_BITS = ("iso2022", "hz")
_CP = re.compile(r"(?:x-?)?(?:windows|win|cp|ms|ansi)?[-_]?(125[0-8]|874|866|932|936|949|950)")
# What browsers read by a label, too: the larger set, of which the named one is a part (WHATWG Encoding, 4.2).
_LARGER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_DEFAULT = "cp1252"

_PROLOG = 20_000
"""Bytes among which a document begins."""
ROOT = rb"<(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|channel)[\s/>]"
"""How the element begins that a feed is."""
_BEGIN = re.compile(rb"<!--(?:[^-]|-(?!->))*+|(<\?xml\s|<!doctype\s|" + ROOT + b")", re.IGNORECASE)
_DECLARATION = re.compile(rb"<\?xml\s[^<>]{0,500}>\s*+", re.IGNORECASE)


def document_of(body: bytes, content_type: str) -> bytes:
    """The document alone, in UTF-8, without its declaration: of its prolog, document type and comments are left."""
    body = to_utf8(body, content_type)
    begin = next((found.start() for found in _BEGIN.finditer(body, 0, _PROLOG) if found[1]), 0)
    declaration = _DECLARATION.match(body, begin)
    return body[declaration.end() if declaration else begin :]


def to_utf8(body: bytes, content_type: str) -> bytes:
    """The document in valid UTF-8, without a mark or a control character in it; its declaration may say otherwise."""
    body = _unmarked(body)
    if wide := _wide(body[:_START]):
        return _unmarked(_written(body, wide))
    labels = list(dict.fromkeys(_labels(body, content_type)))
    if seven := next((label for label in labels if label.startswith(_SEVEN_BITS) and body.isascii()), ""):
        return _written(body, seven)
    if b"\xed" in body:
        body = _HALVES.sub(lambda pair: _joined(pair[0]), body)
    return (
        _clean(body) if _is_utf8(body, said=_says_utf8(body, content_type)) else _written(body, _fitting(body, labels))
    )


def _written(body: bytes, encoding: str) -> bytes:
    return _clean(body.decode(encoding, "replace").encode(errors="replace"))


def _clean(body: bytes) -> bytes:
    sound = body.translate(None, _CONTROLS)
    try:
        sound.decode()
    except UnicodeDecodeError:
        return sound.decode(errors="replace").encode()
    return sound


def _unmarked(body: bytes) -> bytes:
    """Without byte order marks: there are documents with two, and with one of another encoding."""
    for _ in range(_MARKS):
        body = body[len(next(filter(body.startswith, _BOMS), b"")) :]
    return body


def _wide(start: bytes) -> str:
    """The encoding of two or four bytes a character that zero bytes tell of, or nothing; all have tags in ASCII."""
    zeros = start.count(0)
    if zeros * 4 < len(start) or not start:
        return ""
    if zeros * 5 > len(start) * 3:
        return "utf-32-le" if start[:1] != b"\0" else "utf-32-be"
    return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"


def _says_utf8(body: bytes, content_type: str) -> bool:
    """Whether all who say something of the encoding say UTF-8."""
    declared, charset = _DECLARED.search(body[:_START]), _CHARSET.search(content_type)
    said = {match[1].lower() for match in (declared, charset) if match}
    return bool(said) and said <= {b"utf-8", b"utf8", "utf-8", "utf8"}


def _is_utf8(body: bytes, *, said: bool) -> bool:
    """Whether it is UTF-8 but for some broken characters; no broken one is needed to say so of ASCII.

    Where it is ``said`` to be, more may be broken: a text in another encoding holds hardly one whole character.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        text = body.decode(errors="replace")
    else:
        return True
    replaced = text.count("\ufffd")
    whole = len(text) - (len(body) - len(body.translate(None, _ASCII))) - replaced
    broken = replaced - body.count("\ufffd".encode())
    return whole > 0 and (whole >= 2 * broken - 1 or (said and whole * 4 >= broken))


def _joined(pair: bytes) -> bytes:
    text = pair.decode("utf-8", "surrogatepass")
    return text.encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _labels(body: bytes, content_type: str) -> Iterator[str]:
    """What is said of the encoding, most credible first: a server's own default only behind the declaration."""
    charset, declared = _CHARSET.search(content_type), _DECLARED.search(body[:_START])
    served = _codec(charset[1]) if charset else ""
    written = _codec(declared[1].decode("ascii", "replace")) if declared else ""
    yield from filter(None, (written, served) if served == _DEFAULT else (served, written))


def _codec(label: str) -> str:
    """Python's name of an encoding by its label; nothing for none, and for those that are told without a label."""
    page = _CP.fullmatch(label.lower())
    try:
        name = codecs.lookup(f"cp{page[1]}" if page else label).name
    except (LookupError, ValueError):
        return ""
    name = _LARGER.get(name, name)
    return name if _TEXTUAL.fullmatch(name) else ""


def _fitting(body: bytes, labels: list[str]) -> str:
    """The first label by which all can be read, else the first one by which it is a document at all."""
    fitting = [label for label in labels if "<" in body[:_START].decode(label, "replace")]
    for label in fitting:
        try:
            body.decode(label)
        except UnicodeDecodeError:
            continue
        return label
    return next(iter(fitting), _DEFAULT)
