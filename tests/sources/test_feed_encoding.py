"""Bytes become text by what they are: labels, marks, broken characters, and what stands before the document."""

from __future__ import annotations

import codecs
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.feed_encoding import document_of, to_utf8
from relay.sources.rss.reading import is_page
from tests.support.feed_samples import posts, rss

SPANISH = "Qué año: “el puente” — 20 €"
TEXTS = {
    "cp1250": "Wąski most nad rzeką, żółć",
    "cp1251": "Мост через реку",
    "cp1252": SPANISH,
    "cp1253": "Το σχοινένιο γεφύρι",
    "cp1254": "Halat köprü ığdır şöyle",
    "cp1255": "גשר החבלים",
    "cp1256": "جسر الحبال",
    "cp1257": "Virvju tilts pār upi žēl",
    "iso8859-2": "Wąski most nad rzeką",
    "iso8859-15": "Le pont œuvré coûte 20 €",
    "koi8-r": "Мост через реку",
    "mac-roman": "El año del puente",
    "gb18030": "草绳编成的桥横跨河谷,村民每年重建一次",
    "big5": "草繩編成的橋橫跨河谷,村民每年重建一次",
    "shift_jis": "草の縄で編んだ橋は毎年かけかえられる",
    "euc-jp": "草の縄で編んだ橋は毎年かけかえられる",
    "iso-2022-jp": "草の縄で編んだ橋は毎年かけかえられる",
    "euc-kr": "풀로 엮은 다리는 해마다 다시 놓인다",
}


def titled(text: str, label: str = "") -> str:
    """A feed with one entry, whose declaration names the encoding, or none."""
    said = f" encoding={label}" if label[:1] in ("'", '"') else f' encoding="{label}"' if label else ""
    return f'<?xml version="1.0"{said}?>{rss(f"<title>{text}</title>").partition("?>")[2]}'


def title(body: bytes, content_type: str = "") -> str:
    (post,) = posts(body, content_type=content_type)
    return post.title


# --- one broken character ---


@pytest.mark.parametrize(
    "content_type", ["", "text/xml", "application/rss+xml; charset=utf-8", "text/xml; charset=latin1"]
)
@pytest.mark.parametrize("label", ["", "utf-8", "iso-8859-1"])
@pytest.mark.parametrize("cut", [b"\xc3", b"\xe2\x80", b"\xf0\x9f\xa6", b"\xff", b"\xa9"])
def test_one_broken_character_stays_one(cut: bytes, label: str, content_type: str) -> None:
    body = titled(f"{SPANISH} CUT... después 🦙", label).encode().replace(b"CUT", cut)
    assert title(body, content_type) == f"{SPANISH} \ufffd... después 🦙"


def test_a_document_with_a_broken_character_and_one_that_is_whole_is_utf8() -> None:
    assert title(titled("Perú CUT...").encode().replace(b"CUT", b"\xc3")) == "Perú \ufffd..."


@pytest.mark.parametrize(("label", "content_type"), [("utf-8", ""), ("utf-8", "text/xml; charset=UTF-8")])
def test_what_is_said_to_be_utf8_may_have_more_broken_characters_than_whole_ones(label: str, content_type: str) -> None:
    body = titled("Perú QUOTED", label).encode().replace(b"QUOTED", b"\x93ayni\x94 \x96")
    assert title(body, content_type) == "Perú \ufffdayni\ufffd \ufffd"


def test_a_pair_of_halves_is_one_character() -> None:
    body = titled("A llama: HERE!", "utf-8").encode().replace(b"HERE", b"\xed\xa0\xbe\xed\xb6\x99")
    assert title(body) == "A llama: 🦙!"
    assert title(titled("한국", "utf-8").encode()) == "한국"


@pytest.mark.parametrize("control", ["\x00", "\x0b", "\x08", "\x1b"])
def test_a_control_character_breaks_nothing(control: str) -> None:
    assert title(titled(f"one{control} two").encode()) == "one two"


# --- labels ---


@pytest.mark.parametrize("encoding", sorted(TEXTS))
@pytest.mark.parametrize(
    ("declared", "content_type"),
    [
        ("{}", ""),
        ("{}", "text/xml"),
        ("{}", "application/xml; charset=utf-8"),
        ("utf-8", "application/xml; charset={}"),
        ("", 'text/xml; charset="{}"'),
        ("{}", "text/xml; charset=ISO-8859-1"),
        ("no-such-thing", "application/xml; charset={}"),
        ("utf-16", "application/xml; charset={}"),
        ("cp037", "application/xml; charset={}"),
    ],
)
def test_the_label_that_fits_is_believed(encoding: str, declared: str, content_type: str) -> None:
    body = titled(TEXTS[encoding], declared.format(encoding)).encode(encoding)
    assert title(body, content_type.format(encoding)) == TEXTS[encoding]


WRONG = """utf-16 UTF-16LE ucs-2 utf-32 iso-8859-1 windows-1251 us-ascii gb2312 big5 cp037 utf-7 unicode utf8mb4 none
punycode idna zlib hex rot13 unicode_escape undefined"""


@pytest.mark.parametrize("label", [*WRONG.split(), "x" * 40])
@pytest.mark.parametrize("text", ["All is ASCII +ADw- \\\\n", SPANISH, TEXTS["cp1251"], "🦙"])
def test_utf8_is_read_whatever_it_is_called(text: str, label: str) -> None:
    body = titled(text, label).encode()
    assert title(body) == text
    assert title(body, f"text/xml; charset={label}") == text
    assert title(codecs.BOM_UTF8 + body, f"text/xml; charset={label}") == text


@pytest.mark.parametrize("label", ["windows-1251", "Windows-1251", "cp1251", "cp-1251", "win-1251", "x-cp1251", "1251"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_code_page_has_many_names(label: str, quote: str) -> None:
    assert title(titled(TEXTS["cp1251"], f"{quote}{label}{quote}").encode("cp1251")) == TEXTS["cp1251"]


@pytest.mark.parametrize("label", ["", "utf-8", "iso-8859-1", "ascii", "no-such-thing", "utf-16"])
def test_what_fits_no_label_is_what_most_of_it_is(label: str) -> None:
    assert title(titled(SPANISH, label).encode("cp1252")) == SPANISH
    assert title(titled("Qué", label).encode("cp1252"), "text/xml; charset=utf-8") == "Qué"


def test_the_larger_set_is_read_under_the_name_of_its_part() -> None:
    assert title(titled("“x” €", "iso-8859-1").encode("cp1252")) == "“x” €"
    assert title(titled("鎔基的書一二三", "gb2312").encode("gb18030")) == "鎔基的書一二三"


# --- two and four bytes a character ---


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("label", ["", "utf-8", "utf-16", "windows-1252"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "\ufeff\ufeff"])
def test_wide_characters_are_told_by_their_zeros(encoding: str, label: str, mark: str) -> None:
    for text, content_type in product((SPANISH, TEXTS["gb18030"]), ("", "text/xml; charset=utf-8")):
        assert title((mark + titled(text, label)).encode(encoding), content_type) == text


def test_a_mark_that_is_wrong_is_only_left_out() -> None:
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE, codecs.BOM_UTF8 * 2):
        assert title(mark + titled(SPANISH, "utf-16").encode()) == SPANISH
    assert title(codecs.BOM_UTF8 + titled(SPANISH, "iso-8859-1").encode("cp1252")) == SPANISH


def test_half_a_wide_character_at_the_end_is_not_the_end_of_all() -> None:
    assert title(titled(SPANISH).encode("utf-16") + b"\n") == SPANISH


# --- where a document begins ---

XHTML = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
BEFORE = [
    "",
    "\n\n  ",
    "\ufeff \ufeff",
    "ï»¿",
    "<!-- cached at 9 -->\n",
    "<!-- <rss> was made by a template -->",
    "<?xml-stylesheet href='/a.xsl'?>",
    "<!DOCTYPE html>",
    "<!DOCTYPE HTML SYSTEM 'about:legacy-compat'>\n<!-- a -->",
    XHTML,
    "<!DOCTYPE html [<!ENTITY nbsp '&#160;'>]>",
    "<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN' 'http://example.com/rss.dtd'>",
    "<br />\n<b>Warning</b>: Cannot modify header in <b>/srv/feed.php</b> on line <b>3</b><br />\n",
]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("declaration", ["", "<?xml version='1.0' encoding='utf-8'?>\n", "<?xml version='1.1'?>"])
def test_a_feed_is_one_whatever_stands_before_it(before: str, declaration: str) -> None:
    feed = titled(SPANISH).partition("?>")[2]
    for body in (before + declaration + feed, declaration + before + feed):
        assert not is_page(body.encode())
        assert title(body.encode()) == SPANISH
        assert not is_page(body.encode("utf-16"))
        assert title(body.encode("utf-16")) == SPANISH


@pytest.mark.parametrize(
    "root", ["<feed xmlns='http://www.w3.org/2005/Atom'>", "<a:feed>", "<rdf:RDF>", "<RSS>", "<rss\n>"]
)
def test_every_kind_of_feed_may_have_the_document_type_of_a_page(root: str) -> None:
    assert not is_page(f"<?xml version='1.0'?>{XHTML}<!-- x -->{root}".encode())


@pytest.mark.parametrize("before", ["", "\n", "<?xml version='1.0'?>", "<!-- <rss> -->", "\ufeff"])
@pytest.mark.parametrize(
    "page",
    [
        "<html><rss>",
        "<HTML lang='es'>",
        "<!doctype html>",
        f"{XHTML}<html>",
        "<!DOCTYPE html [<!ENTITY a '<rss>'>]><html>",
        "<!DOCTYPE html><title>x",
        "<!DOCTYPE html><rssfeed>",
        "<!DOCTYPE html>just words",
        "<!DOCTYPE html><!-- x --><head><link rel='alternate' href='/feed'>",
    ],
)
def test_a_page_is_one(before: str, page: str) -> None:
    assert is_page(f"{before}{page}<body>".encode())


def test_a_declaration_within_a_text_is_no_beginning() -> None:
    assert title(titled("Begin with &lt;?xml version='1.0'?> and &lt;rss ?").partition("?>")[2].encode()).startswith(
        "Begin"
    )
    inside = rss("<title>x</title><description><![CDATA[<?xml version='1.0'?><rss >]]></description>").partition("?>")[
        2
    ]
    assert title(inside.encode()) == "x"


# --- anything at all ---


@given(
    st.binary(max_size=200), st.sampled_from(["", "text/xml; charset=utf-16", "a;charset=gb2312", "x; charset=\xe9"])
)
def test_any_bytes_become_utf8_without_controls(body: bytes, content_type: str) -> None:
    for read in (
        to_utf8(body, content_type),
        document_of(body, content_type),
        document_of(b"<rss " + body, content_type),
    ):
        assert not set(read.decode()) & set(map(chr, range(9)))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
def test_valid_utf8_stays_as_it_is(text: str) -> None:
    assert to_utf8(f"<rss>{text}".encode(), "text/xml; charset=iso-8859-1").decode() == f"<rss>{text}"
