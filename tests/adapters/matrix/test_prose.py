"""Rich text in Matrix's two forms: it reads as it was written, mentions nobody and hides no link."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from adapters.matrix.limits import URL, address, size
from adapters.matrix.links import safe_text
from adapters.matrix.mentions import leads_to_matrix, parted, places_in_code, quiet, spelled
from adapters.matrix.message_text import MatrixBudget, MatrixText, stacked, within
from adapters.matrix.prose import answer, bounded, fitted, line, written
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import text
from relay.text import is_blank, scrub
from tests.support.discord_bodies import LINK, STRUCTURED, spoken
from tests.support.matrix_bodies import JOINER, TEXTS, WORDS, Read, canonical, check, is_within, letters
from tests.support.thorough import examples

B, E, S, U, C, P = (
    SpanStyle.BOLD,
    SpanStyle.ITALIC,
    SpanStyle.STRIKE,
    SpanStyle.UNDERLINE,
    SpanStyle.CODE,
    SpanStyle.SPOILER,
)
ROOM_ID = "!" + "GIncq0qLOx-" * 3 + "abcdefghij"


def made(*spans: Span) -> MatrixText:
    return written(safe_text((Block(spans),)))


# --- nobody is called ---


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ("@room", "@~room"),
        ("hey @Room!", "hey @~Room!"),
        ("@illa:ayllu.example", "@~illa:ayllu.example"),
        ("x@illa:ayllu.example", "x@~illa:ayllu.example"),
        ("#plaza:ayllu.example", "#~plaza:ayllu.example"),
        ("#長崎:ayllu.example", "#~長崎:ayllu.example"),
        ("!plaza:ayllu.example", "!~plaza:ayllu.example"),
        ("+plaza:ayllu.example", "+~plaza:ayllu.example"),
        (f"in {ROOM_ID}.", f"in !~{ROOM_ID[1:]}."),
        ("matrix:u/illa:ayllu.example", "matrix:~u/illa:ayllu.example"),
        ("matrix.to/#/#plaza:x.example", "matrix.~to/#~/#~plaza:x.example"),
        ("@illa@ayllu.example", "@illa@ayllu.example"),
        ("#Qeswachaka: now!", "#Qeswachaka: now!"),
        ("sami@ayllu.example", "sami@ayllu.example"),
        ("the matrix: a film", "the matrix: a film"),
        ("wow! 12:30", "wow! 12:30"),
    ],
)
def test_foreign_text_is_only_text(said: str, reads: str) -> None:
    assert quiet(said).replace(JOINER, "~") == reads
    shown = made(Span(said))
    assert shown.body.replace(JOINER, "~") == reads
    assert Read(shown.html).text.strip().replace(JOINER, "~") == reads


def test_what_is_parted_by_its_look_is_read_as_one() -> None:
    shown = made(Span("@"), Span("ro", marks=(B,)), Span("om and #"), Span("plaza:x", marks=(E,)))
    assert shown.body == f"@{JOINER}room and #{JOINER}plaza:x"
    assert shown.html == f"<p>@{JOINER}<strong>ro</strong>om and #{JOINER}<em>plaza:x</em></p>"


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ("git clone git@ayllu.example:rope", "git clone git@ayllu.example:rope"),
        ("@media(min-width:9em)", "@media(min-width:9em)"),
        ("@illa:ayllu.example", "@~illa:ayllu.example"),
        ("matrix:#plaza:ayllu.example", "matrix:~#~plaza:ayllu.example"),
        ("@room", "@~room"),
    ],
)
def test_code_is_parted_only_where_it_is_an_id_beyond_doubt(code: str, reads: str) -> None:
    for shown in (made(Span(code, marks=(C,))), written(safe_text((Block((Span(code),), Form.CODE),)))):
        assert shown.body.replace(JOINER, "~") == reads
        assert Read(shown.html).all("code") == [reads.replace("~", JOINER)]


@pytest.mark.parametrize(
    "url",
    [
        "https://matrix.to/#/@illa:ayllu.example",
        "http://MATRIX.to./#/%23plaza:ayllu.example",
        "https://chat.example/#/room/!plaza:ayllu.example",
        "https://chat.example/#/%40illa:ayllu.example",
        "https://chat.example/%23/user/@illa:ayllu.example",
        "https://www.matrix.to/",
    ],
)
def test_links_into_matrix_are_code_and_no_links(url: str) -> None:
    assert leads_to_matrix(url)
    assert address(url) == ""
    hidden = check(made(Span("join "), Span("us", url), Span(" now")))
    assert hidden.links == []
    assert hidden.text.startswith("\njoin us (http")
    for shown in (made(Span(url, url)), made(Span(f"See {url} there"))):
        (code,) = check(shown).all("code")
        assert code.replace(JOINER, "").lower() == url.lower()
        assert code in shown.body


def test_other_pages_are_links() -> None:
    for url in ("https://matrix.example/#/about", "https://matrix.tools/", "https://ayllu.example/#!room"):
        assert address(url) == url


@pytest.mark.parametrize(
    ("url", "reads"),
    [
        ("https://ayllu.example/@illa/1", "https://ayllu.example/@illa/1"),
        ("https://ayllu.example:8443/a", "https://ayllu.example:8443/a"),
        ("https://ayllu.example/@room", "https://ayllu.example/%40room"),
        ("https://ayllu.example/@illa:x#a:b", "https://ayllu.example/@illa%3Ax#a%3Ab"),
    ],
)
def test_an_address_that_reads_like_an_id_is_spelled_otherwise(url: str, reads: str) -> None:
    assert spelled(url) == reads
    shown = made(Span("here", url))
    assert shown.body == f"here ({reads})"
    assert Read(shown.html).links == [("here", url)]


# --- links ---


@pytest.mark.parametrize(
    ("words", "url", "body", "link"),
    [
        ("here", LINK, f"here ({LINK})", "here"),
        (LINK, LINK, LINK, LINK),
        ("ayllu.example/a", LINK, LINK, "ayllu.example/a"),
        ("ayllu.example/…", LINK, LINK, "ayllu.example/…"),
        ("bank.example", LINK, f"bank.example (ayllu.example) ({LINK})", "bank.example (ayllu.example)"),
        (
            "bank.example (ayllu.example)",
            LINK,
            f"bank.example (ayllu.example) ({LINK})",
            "bank.example (ayllu.example)",
        ),
        ("Illa", "mailto:illa@ayllu.example", "Illa (illa@ayllu.example)", "Illa"),
        ("illa@ayllu.example", "mailto:illa@ayllu.example", "illa@ayllu.example", "illa@ayllu.example"),
        ("here", "javascript:alert(1)", "here", None),
        ("here", f"{LINK}/{'x' * URL}", "here", None),
        (" ", LINK, "", None),
        ("é", "https://é.example/x", "é (https://xn--9ca.example/x)", "é"),
    ],
)
def test_a_link_says_where_it_leads(words: str, url: str, body: str, link: str | None) -> None:
    shown = made(Span(words, url))
    assert shown.body == body
    assert [said for said, _ in Read(shown.html).links] == ([link] if link else [])


def test_people_and_hashtags_are_links_without_an_address_behind_them() -> None:
    shown = made(
        Span("@sami@ayllu.example", "https://social.example/@sami", Role.MENTION),
        Span(" "),
        Span("#tag", LINK, Role.HASHTAG),
    )
    assert shown.body == "@sami@ayllu.example #tag"
    assert check(shown).links == [("@sami@ayllu.example", "https://social.example/@sami"), ("#tag", LINK)]


def test_a_bare_address_is_a_link_whatever_it_is_marked_with() -> None:
    shown = made(Span("see (https://ayllu"), Span(".example/a", marks=(B,)), Span("). https://cut.example/… no"))
    assert check(shown).links == [(LINK, LINK)]
    assert shown.body == f"see ({LINK}). https://cut.example/… no"


# --- forms ---


@pytest.mark.parametrize(
    ("block", "html"),
    [
        (Block((Span("a\nb"),)), "<p>a<br>b</p>"),
        (Block((Span("<b>&\"'"),)), "<p>&lt;b&gt;&amp;&#34;&#39;</p>"),
        (Block((Span("x", marks=(S, U)),)), "<p><u><del>x</del></u></p>"),
        (Block((Span("H"),), Form.HEADING), "<h4>H</h4>"),
        (Block((Span("a\n  b"),), Form.CODE), "<pre><code>a\n  b</code></pre>"),
        (Block((), Form.RULE), "<hr>"),
        (Block((Span("q"),), quote=1), "<blockquote><p>q</p></blockquote>"),
        (Block((Span("3rd"),), Form.ITEM, depth=1, bullet="3."), '<ol start="3"><li>3rd</li></ol>'),
        (Block((Span("x", marks=(P,)),)), "<p><span data-mx-spoiler>x</span></p>"),
        (Block((Span("a", LINK, marks=(B,)),)), f'<p><a href="{LINK}"><strong>a</strong></a></p>'),
    ],
)
def test_each_form_of_text_has_its_html(block: Block, html: str) -> None:
    assert written(safe_text((block,))).html == html


def test_lists_tell_their_numbers_and_a_gap_begins_another() -> None:
    numbers = [(1, "1."), (2, "•"), (1, "2."), (1, "7."), (1, "8.")]
    items = tuple(Block((Span(str(n)),), Form.ITEM, depth=d, bullet=b) for n, (d, b) in enumerate(numbers))
    assert written(safe_text(items)).html == (
        '<ol><li>0<ul><li>1</li></ul></li><li>2</li></ol><ol start="7"><li>3</li><li>4</li></ol>'
    )
    assert written(safe_text(items)).body == "1. 0\n  • 1\n2. 2\n7. 3\n8. 4"


def test_structure_is_kept_in_plain() -> None:
    assert written(safe_text(STRUCTURED)).body == (
        "How it is done\n\nWe weave the bridge anew, see here (https://ayllu.example/a)\n\n• grass\n  2. long grass\n\n"
        "> Who crosses,\n> crosses.\n\n———\n\npull --all\nrest"
    )


def test_what_its_author_hid_is_not_in_plain() -> None:
    shown = made(Span("He "), Span("fa", marks=(P,)), Span("lls", LINK, marks=(P, B)), Span("."))
    assert shown.body == "He ▒▒▒."
    assert Read(shown.html).spoilers == ["fa", "lls"]


def test_folded_text_is_behind_one_spoiler_where_it_can_be() -> None:
    value = (*text("one", "two"), Block((Span("if x:\n  y"),), Form.CODE), Block((Span("z"),), Form.HEADING))
    shown = written(safe_text(value), hidden="{0} & {}")
    assert shown == MatrixText(
        "",
        '<p><span data-mx-spoiler="{0} &amp; {}">one<br><br>two<br><br><code>if x:<br>  y</code></span></p>'
        '<h4><span data-mx-spoiler="{0} &amp; {}">z</span></h4>',
    )


def test_what_cannot_be_seen_is_left_out() -> None:
    value = (*text("\u200b ", "\u2800\u3164"), Block((Span("\n"),), Form.CODE), Block((Span("x"),)))
    assert written(safe_text(value)) == MatrixText("x", "<p>x</p>")
    assert line([Span(" "), Span("\u00ad")]) == MatrixText()
    assert is_blank("")


def test_what_turns_or_controls_other_text_is_taken_out() -> None:
    shown = fitted(text("a\u202eb\x00c\u2067d\x85e\ud800"), 1000)
    assert shown == MatrixText("abcd\ne\ufffd", "<p>abcd<br>e\ufffd</p>")


# --- to a limit ---


@pytest.mark.parametrize("limit", [200, 1000, 24_000])
@pytest.mark.parametrize("words", ["bridge of grass ", "@room #a:b ", "草で編んだ橋。", "👩‍🚀", '"\\', "<&>"])
@pytest.mark.parametrize("hidden", [None, "heights"])
def test_a_cut_text_is_as_long_as_it_may_be_and_says_where_it_goes_on(
    words: str, limit: int, hidden: str | None
) -> None:
    shown = fitted(text(words * 5000), limit, more=(Span("more", LINK),), hidden=hidden)
    assert limit * 0.5 < shown.size <= limit
    assert shown.size == canonical(shown.body) + canonical(shown.html)
    assert Read(shown.html).links == [("more", LINK)]
    if hidden is None:
        assert shown.body.endswith("… more (https://ayllu.example/a)")
    else:
        assert shown.body == ""
        assert "more" not in Read(shown.html).spoilers[0]


def test_what_fits_is_not_cut() -> None:
    assert fitted(STRUCTURED, 2000, more=(Span("more"),)) == written(safe_text(STRUCTURED))


@pytest.mark.parametrize("changes", [{"quote": 1}, {"form": Form.CODE}])
def test_a_cut_within_a_quotation_or_code_goes_on_below_it(changes: dict[str, object]) -> None:
    shown = fitted((Block((Span("rope " * 500),), **changes),), 500, more=(Span("more", LINK),))  # type: ignore[arg-type]  # named above
    assert shown.html.endswith(f'<p><a href="{LINK}">more</a></p>')
    assert shown.body.endswith(f"…\n\nmore ({LINK})")


def test_where_nothing_fits_there_is_nothing() -> None:
    assert fitted(text("rope"), 3, more=(Span("more", LINK),)) == MatrixText()
    assert fitted(text("rope " * 99), 85, more=(Span("more", LINK),)).body == f"more ({LINK})"


def test_depth_is_bounded() -> None:
    deep = tuple(Block((Span("x"),), Form.ITEM, quote=1000, depth=1000, bullet="•") for _ in range(3))
    assert check(fitted(deep, 2000)).text.count("x") == 3
    assert {(block.quote, block.depth) for block in bounded(deep, 1000)} == {(5, 5)}


@pytest.mark.parametrize(("said", "bytes_"), [("a", 1), ("é", 2), ("橋", 3), ("👩", 4), ('"', 2), ("\\", 2), ("\n", 2)])
def test_size_is_what_a_server_counts(said: str, bytes_: int) -> None:
    assert size(said) == bytes_ == canonical(said)


def test_room_is_counted_with_the_gaps_and_lines_are_left_out_from_the_last() -> None:
    room = MatrixBudget(100)
    assert room.take(MatrixText("ab", "<p>ab</p>")).size == 11
    assert room.take(MatrixText()) == MatrixText()
    assert room.left == 85
    lines = ["one", "two", "three"]
    for most, kept in ((26, 3), (25, 2), (5, 0)):
        assert within(lines, most, lambda some: MatrixText("\n".join(some), "".join(some))).body == "\n".join(
            lines[:kept]
        )
    assert stacked([MatrixText("a", "b"), MatrixText("", "c"), MatrixText("d")], "|") == MatrixText("a|d", "bc")


# --- answers ---


def test_an_answer_keeps_its_commands_as_they_are_to_be_typed() -> None:
    command = "!relay subscribe #tag matrix:#plaza:ayllu.example"
    (shown,) = answer((Block((Span("Write "), Span(command, marks=(C,)), Span(", @illa:ayllu.example @room."))),))
    assert shown.body == f"Write {command}, @{JOINER}illa:ayllu.example @{JOINER}room."
    assert Read(shown.html).all("code") == [command]


def test_a_long_answer_is_parted_between_its_blocks() -> None:
    items = tuple(Block((Span(f"{n} " + "rope " * 90),), Form.ITEM, depth=1, bullet="•") for n in range(60))
    pages = answer(items)
    assert len(pages) == 3
    assert all(page.body.startswith("• ") and page.html.startswith("<ul><li>") for page in pages)
    assert letters("".join(page.body for page in pages)) == letters("".join(f"• {spoken((item,))}" for item in items))
    assert answer(()) == (MatrixText("…", "<p>…</p>"),)


# --- anything at all ---


@settings(max_examples=examples(100), deadline=None)
@given(TEXTS)
def test_any_text_survives_calls_nobody_and_hides_no_link(value: Text) -> None:
    shown = fitted((*value, *text("end")), 24_000)
    read = check(shown)
    said = letters(scrub(spoken(value))) + "end"
    assert is_within(said, letters(read.text))
    if not any(span.link for block in value for span in block.spans) and "://" not in said:
        assert letters(read.text) == said
    if not any(span.link or P in span.marks for block in value for span in block.spans):
        assert is_within(said, letters(shown.body))


@settings(max_examples=examples(50), deadline=None)
@given(TEXTS, WORDS)
def test_any_text_can_be_folded(value: Text, reason: str) -> None:
    shown = fitted(value, 24_000, hidden=quiet(reason))
    assert shown.body == ""
    read = Read(shown.html)
    assert set(read.reasons) <= {quiet(reason)}
    assert letters("".join(read.spoilers)) == letters(read.text)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_any_text_fits_any_limit(value: Text) -> None:
    for limit in (0, 7, 80, 300):
        shown = fitted(value, limit, more=(Span("x", LINK),))
        assert shown.size <= limit
        Read(shown.html)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_any_answer_is_taken(value: Text) -> None:
    for page in answer(value):
        assert page.body
        Read(page.html)
        assert page.size <= 24_000


@pytest.mark.parametrize("before", [*"İıſ\u212aéñ橋ا👍❤\ufe0f\u0301\u200d\u20e3＠"])
@pytest.mark.parametrize("name", ["@illa:ayllu.example", "#plaza:ayllu.example", "@room"])
def test_whatever_letter_stands_before_a_mention(before: str, name: str) -> None:
    line = f"x {before}{name}"
    assert name not in quiet(line)
    assert name not in parted(line, places_in_code(line))
