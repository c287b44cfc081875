"""Foreign text in Telegram's entities: it reads as it was written, calls nobody and hides no link."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from adapters.telegram.entities import JOINER, Entity, EntityDraft, Kind, finished, joined
from adapters.telegram.limits import address
from adapters.telegram.prose import answer, drafted, fitted, foreign, linked
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import text
from relay.text import honest, plain, safe_url, short
from tests.support.discord_bodies import LINK, STRUCTURED, spoken
from tests.support.telegram_bodies import TEXTS, WORDS, all_of, check_words, letters, links, units
from tests.support.thorough import examples

B, E, S, U, C, P = (
    SpanStyle.BOLD,
    SpanStyle.ITALIC,
    SpanStyle.STRIKE,
    SpanStyle.UNDERLINE,
    SpanStyle.CODE,
    SpanStyle.SPOILER,
)


def line(*spans: Span) -> Text:
    return (Block(spans),)


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("@durov", "@~durov"),
        ("(@durov)", "(@~durov)"),
        ("é@durov", "é@~durov"),
        ("@illa@ayllu.example", "@~illa@~ayllu.example"),
        ("sami@ayllu.example", "sami@ayllu.example"),
        ("/start", "/~start"),
        ("do /start@bot", "do /~start@bot"),
        ("and/or 1/2 km/h // </b>", "and/or 1/2 km/h // </b>"),
        ("costs $USD, $5", "costs $~USD, $5"),
        ("t.me/durov", "t.~me/durov"),
        ("durov.T.me", "durov.T.~me"),
        ("start.me", "start.me"),
        ("telegram.me/x", "telegram.~me/x"),
        ("https://t.me/x", "https://t.~me/x"),
        ("tg://resolve?domain=x", "tg:~//resolve?domain=x"),
        ("ton://x", "ton:~//x"),
        ("#tag@durov", "#tag@~durov"),
        ("#tag", "#tag"),
        ("https://ayllu.example/@illa/-/7", "https://ayllu.example/@illa/-/7"),
        ("https://localhost/@durov", "https://localhost/@~durov"),
    ],
)
def test_foreign_text_is_only_text(written: str, reads: str) -> None:
    for draft in (foreign(written), drafted(text(written)), foreign(f"x {written} x")):
        words = finished(draft)
        assert words.text.removeprefix("x ").removesuffix(" x").replace(JOINER, "~") == reads
        check_words(words, 4096)


@pytest.mark.parametrize("before", [*"İıſ\u212aéñ橋ا👍❤\ufe0f\u0301\u200d\u20e3＠."])
@pytest.mark.parametrize(("name", "reads"), [("@durov", "@~durov"), ("t.me/x", "t.~me/x"), ("/start", "/~start")])
def test_whatever_letter_stands_before_it(before: str, name: str, reads: str) -> None:
    assert finished(foreign(f"x {before}{name}")).text.replace(JOINER, "~") == f"x {before}{reads}"


def test_what_is_parted_by_its_look_is_read_as_one() -> None:
    words = finished(drafted(line(Span("@"), Span("durov", marks=(B,)), Span(" /"), Span("start", marks=(E,)))))
    assert words.text == f"@{JOINER}durov /{JOINER}start"
    assert all_of(words, "bold", "italic") == ["durov", "start"]


def test_code_stays_as_it_is() -> None:
    value = (*line(Span("@durov /x", marks=(C,))), Block((Span("/start @durov"),), Form.CODE))
    assert finished(drafted(value)).text == "@durov /x\n/start @durov"


def test_offsets_count_utf_16_units() -> None:
    words = finished(drafted(line(Span("👩‍🚀橋 @x "), Span("🧵b", marks=(B,)), Span(" "), Span("c", marks=(E,)))))
    assert words.entities == (Entity("bold", 11, 3), Entity("italic", 15, 1))
    assert words.to_dicts()[0] == {"type": "bold", "offset": 11, "length": 3}


@pytest.mark.parametrize(
    ("spans", "kinds"),
    [
        ([Span("a", marks=(B,)), Span("b", marks=(B, E))], [("bold", "ab"), ("italic", "b")]),
        ([Span("a", marks=(E,)), Span("b", marks=(B, E))], [("italic", "a"), ("bold", "b"), ("italic", "b")]),
        ([Span(" a ", marks=(U,)), Span(" ", marks=(S,))], [("underline", "a")]),
        ([Span("a", marks=(C, B))], [("code", "a")]),
        ([Span("a", marks=(C, P))], [("spoiler", "a")]),
        ([Span("a", LINK, marks=(C, B))], [("text_link", "a"), ("bold", "a")]),
        ([Span("a", LINK), Span("b", LINK, marks=(P,))], [("text_link", "ab"), ("spoiler", "b")]),
        ([Span("a\nb", marks=(S,))], [("strikethrough", "a"), ("strikethrough", "b")]),
    ],
)
def test_looks_become_entities_that_nest(spans: list[Span], kinds: list[tuple[str, str]]) -> None:
    words = finished(drafted(line(*spans)))
    assert sorted((one.kind, *all_of(words, one.kind)) for one in words.entities) == sorted(
        (kind, *all_of(words, kind)) for kind, _ in kinds
    )
    assert sorted((kind, found) for kind in {k for k, _ in kinds} for found in all_of(words, kind)) == sorted(kinds)


@pytest.mark.parametrize(
    ("shown", "url", "reads", "linked_to"),
    [
        ("here", LINK, "here", [("here", LINK)]),
        ("bank.example", LINK, "bank.example (ayllu.example)", [("bank.example", LINK)]),
        (
            "bank.example (ayllu.example)",
            LINK,
            "bank.example (ayllu.example)",
            [("bank.example (ayllu.example)", LINK)],
        ),
        ("Illa", "mailto:illa@ayllu.example", "Illa (illa@ayllu.example)", []),
        ("here", "javascript:alert(1)", "here", []),
        ("here", "http://localhost/x", "here", []),
        ("here", "https://éa.example/x", "here", [("here", "https://xn--a-9fa.example/x")]),
        ("@durov", "", f"@{JOINER}durov", []),
    ],
)
def test_a_link_says_where_it_leads(shown: str, url: str, reads: str, linked_to: list[tuple[str, str]]) -> None:
    words = finished(linked(shown, url))
    assert words.text == reads
    assert links(words) == linked_to


def test_a_foreign_name_is_a_link_to_its_own_network() -> None:
    words = finished(drafted(line(Span("@sami@ayllu.example", "https://social.example/@sami", Role.MENTION))))
    assert words.text == "@sami@ayllu.example"
    assert links(words) == [("@sami@ayllu.example", "https://social.example/@sami")]


@pytest.mark.parametrize(
    ("tag", "native"),
    [("#Qeswachaka", True), ("#橋_2026", True), ("#नमस्ते", False), ("#2026", False), ("#a-b", False), ("#a.b", False)],
)
def test_a_hashtag_is_telegrams_where_it_makes_one(tag: str, native: bool) -> None:
    words = finished(drafted(line(Span("x "), Span(tag, LINK, Role.HASHTAG), Span(" x"))))
    assert words.text == f"x {tag} x"
    assert links(words) == ([] if native else [(tag, LINK)])


@pytest.mark.parametrize(("before", "after"), [("a", ""), ("", "a"), ("", "#b"), ("", "@b"), ("_", "")])
def test_a_hashtag_that_touches_others_is_a_link(before: str, after: str) -> None:
    words = finished(drafted(line(Span(before), Span("#tag", LINK, Role.HASHTAG), Span(after))))
    assert links(words) == [("#tag", LINK)]


def test_structure_is_kept() -> None:
    words = finished(drafted(STRUCTURED))
    assert words.text == (
        "How it is done\nWe weave the bridge anew, see here\n\n• grass\n  2. long grass\n"
        "Who crosses,\ncrosses.\n———\npull --all\nrest"
    )
    assert [(one.kind, *all_of(words, one.kind)[:2]) for one in words.entities] == [
        ("bold", "How it is done", "bridge"),
        ("bold", "How it is done", "bridge"),
        ("text_link", "here"),
        ("blockquote", "Who crosses,\ncrosses."),
        ("pre", "pull --all\nrest"),
    ]


@pytest.mark.parametrize(
    ("quoted", "kind"),
    [("a\nb\nc\nd", "blockquote"), ("a\nb\nc\nd\ne", "expandable_blockquote"), ("a" * 301, "expandable_blockquote")],
)
def test_a_long_quotation_can_be_unfolded(quoted: str, kind: Kind) -> None:
    words = finished(drafted((Block((Span(quoted),), quote=1), Block((Span("after"),)))))
    assert all_of(words, kind) == [quoted]
    assert words.text == f"{quoted}\nafter"


def test_quotations_do_not_nest() -> None:
    quoted = (Block((Span("one"),), quote=1), Block((Span("two"),), quote=2))
    assert [one.kind for one in finished(drafted(quoted)).entities] == ["blockquote"]
    assert not finished(drafted(quoted, quoted=True)).entities


def test_links_and_spoilers_are_kept_before_looks_and_what_is_no_link_calls_nobody() -> None:
    spans = [
        *(Span("b ", marks=(B,)) if n % 2 else Span("i ", marks=(E,)) for n in range(90)),
        *(Span("@x ", f"{LINK}/{n}") for n in range(98)),
        *(Span("@y ", f"{LINK}/{n}") for n in range(5)),
        Span("s", marks=(P,)),
    ]
    words = finished(drafted(line(*spans)))
    kinds = [one.kind for one in words.entities]
    assert (len(kinds), kinds.count("spoiler"), kinds.count("text_link")) == (100, 1, 99)
    assert words.text.endswith(f"@y @{JOINER}y @{JOINER}y @{JOINER}y @{JOINER}y s")
    check_words(words, 4096)


def test_an_empty_text_is_empty() -> None:
    for value in ((), text("\u200b "), (Block((Span("\n"),), Form.CODE),)):
        assert not drafted(value)
        assert finished(drafted(value)).entities == ()
    assert joined([EntityDraft(), EntityDraft(" ")], "\n") == EntityDraft()


# --- to a limit ---


@pytest.mark.parametrize("limit", [60, 100, 1000])
@pytest.mark.parametrize("words", ["bridge of grass ", "@durov /x ", "草で編んだ橋。", "👩‍🚀"])
def test_a_cut_text_is_as_long_as_it_may_be_and_says_where_it_goes_on(words: str, limit: int) -> None:
    draft = fitted(text(words * 300), limit, more=linked("more", LINK))
    written = finished(draft)
    assert limit * 0.5 - 4 < units(written.text) <= draft.size <= limit
    assert written.text.endswith("… more")
    assert links(written) == [("more", LINK)]


def test_what_fits_is_not_cut() -> None:
    assert fitted(STRUCTURED, 4000, more=EntityDraft("more")) == drafted(STRUCTURED)


def test_a_cut_within_a_quotation_goes_on_behind_it() -> None:
    words = finished(fitted((Block((Span("rope " * 500),), quote=1),), 500, more=EntityDraft("more")))
    assert words.text.endswith("…\nmore")
    assert not all_of(words, "expandable_blockquote")[0].endswith("more")


@pytest.mark.parametrize("url", ["", "mailto:a@b.example", "https://[::1]/", f"{LINK}/{'x' * 2000}", "https://a..é/"])
def test_only_addresses_that_are_taken_are_sent(url: str) -> None:
    assert address(url) == ""


# --- answers ---


def test_an_answer_keeps_its_commands_and_calls_nobody() -> None:
    (words,) = answer(text("Write /help to me, @illa@ayllu.example."))
    assert words.text == f"Write /help to me, @{JOINER}illa@{JOINER}ayllu.example."


def test_a_long_answer_is_parted_between_its_blocks() -> None:
    items = tuple(Block((Span(f"{n} " + "rope " * 50),), Form.ITEM, depth=1, bullet="•") for n in range(40))
    pages = answer(items)
    assert len(pages) == 3
    assert all(page.text.startswith("• ") for page in pages)
    assert letters("".join(page.text for page in pages)) == letters(plain(items))
    assert [page.text for page in answer(())] == ["…"]


# --- anything at all ---


@settings(max_examples=examples(50), deadline=None)
@given(TEXTS)
def test_any_text_survives_calls_nobody_and_hides_no_link(value: Text) -> None:
    words = finished(drafted(value))
    check_words(words, 1_000_000)
    for shown, url in links(words):
        judged = honest(" ".join(shown.split()), safe_url(url)).removeprefix(" ".join(shown.split()))
        assert words.text.replace(JOINER, "").count(judged.replace(JOINER, "")) or shown[0] in "@#"
    if not any(span.link for block in value for span in block.spans):
        assert _letters(spoken(value)) == _letters(words.text.replace("———", "")) or any(b.bullet for b in value)
    assert _is_within(_letters(spoken(value)), _letters(words.text))


@settings(max_examples=15, deadline=None)
@given(TEXTS)
def test_any_text_fits_any_limit(value: Text) -> None:
    for limit in (0, 7, 80, 300):
        words = finished(fitted(value, limit, more=linked("x", LINK)))
        assert units(words.text) <= limit
        check_words(words, limit)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_any_answer_is_taken(value: Text) -> None:
    for page in answer(value):
        assert page.text
        check_words(page, 4096, commands=True)


@settings(max_examples=25, deadline=None)
@given(WORDS)
def test_a_short_line_is_short(words: str) -> None:
    for limit in (1, 9, 40):
        assert units(short(words, limit)) <= limit


def _letters(value: str) -> str:
    return letters(value).replace("———", "").replace("\u200b", "")


def _is_within(some: str, every: str) -> bool:
    """Whether the letters of one stand in the other, in this order."""
    rest = iter(every)
    return all(letter in rest for letter in some)
