"""Markup whose meaning is more than a look: it stays in the words."""

from __future__ import annotations

import pytest

from relay.rich import Role
from relay.text import from_html, plain


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("over 10<sup>6</sup> people", "over 10⁶ people"),
        ("10<sup>−3</sup> m<sup>2</sup>", "10⁻³ m²"),
        ("10<sup> <i>12</i> </sup>", "10¹²"),
        ("2<sup>n+1</sup> and e<sup>ix</sup>", "2ⁿ⁺¹ and eⁱˣ"),
        ("10<sup>2.5</sup>", "10^(2.5)"),
        ("2<sup>(a/b)</sup>", "2^(a/b)"),
        ("10<sup>6<sup>2</sup></sup>", "10^(6²)"),
        ("H<sub>2</sub>O, CO<sub>2</sub>", "H₂O, CO₂"),
        ("x<sub>max</sub> y<sub>Ω</sub>", "xₘₐₓ y_(Ω)"),
        ("the 1<sup>st</sup>, 2<SUP>nd</SUP>, 1<sup>er</sup>, XX<sup>e</sup>", "the 1st, 2nd, 1er, XXe"),
        ("n<sup>o</sup> 3, M<sup>lle</sup> Illa", "nº 3, Mlle Illa"),
        ("Ayllu<sup>TM</sup> Puna<sup>®</sup> rope<sup>*</sup>", "Ayllu™ Puna® rope*"),
        ("<p><sup>1</sup> the note</p>", "¹ the note"),
        ("<p><sup>All prices in soles.</sup></p>", "All prices in soles."),
        ("price<sup>see the conditions that are told below</sup>", "price see the conditions that are told below"),
        ("rope<sup><a href='#n1'>1</a></sup> and", "rope[1] and"),
        ("rope<sup><a href='#n1'>[1]</a></sup>", "rope[1]"),
        ("rope<sup class='reference'><a href='#n1'><span>[</span>1<span>]</span></a></sup>", "rope[1]"),
    ],
)
def test_a_number_that_is_raised_or_lowered_is_not_the_number_before_it(html: str, text: str) -> None:
    assert plain(from_html(html)) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("She said <q>no</q>.", "She said “no”."),
        ("<q>a <q>b <q>c</q></q></q>", "“a ‘b “c”’”"),
        ("<q>a</q> <q>b</q>", "“a” “b”"),
        ("<div lang='es-PE'><p>Dijo <q>no</q></p></div>", "Dijo «no»"),
        ("<q lang='de'>nein</q>", "„nein“"),
        ("<q>“no”</q> <q><b>«no»</b></q>", "“no” «no»"),
        ("<q></q>", "“”"),
    ],
)
def test_a_quotation_in_a_line_has_its_marks(html: str, text: str) -> None:
    assert plain(from_html(html)) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<ul><li><input type=checkbox checked disabled> rope</li><li><input type='checkbox'> planks</li></ul>",
            "• ☑ rope\n• ☐ planks",
        ),
        ("<ul><li><p><input type=checkbox checked=''> rope</p></li></ul>", "• ☑ rope"),
        (
            "<ul><li data-checked='true'><label><input type=checkbox checked></label><div><p>rope</p></div></li></ul>",
            "• ☑ rope",
        ),
        ("<ul><li data-list='unchecked'>rope</li><li data-checked='true'>planks</li></ul>", "• ☐ rope\n• ☑ planks"),
        ("<ul><li>rope <input type=checkbox checked></li><li>planks</li></ul>", "• rope ☑\n• planks"),
        ("<ul><li><input type=checkbox></li><li>planks</li></ul>", "• ☐\n• planks"),
        ("<ol><li><input type=radio checked>a<li><input type=radio>b</ol>", "1. ◉ a\n2. ○ b"),
        ("<input type=hidden value=x><input>rope", "rope"),
    ],
)
def test_a_task_tells_whether_it_is_done(html: str, text: str) -> None:
    assert plain(from_html(html)) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p style='white-space: pre-wrap'>one\ntwo\n\nthree</p>four\nfive", "one\ntwo\n\nthree\n\nfour five"),
        ("<p style='color:red;WHITE-SPACE:pre'>one\r\n  two</p>", "one\ntwo"),
        ("<div style='white-space:pre-line'>one\n<b>two\nthree</b></div>", "one\ntwo\nthree"),
        ("<div class='a whitespace-pre-wrap'>one\ntwo</div>", "one\ntwo"),
        ("<div style='white-space:pre-wrap'><p style='white-space:normal'>one\ntwo</p></div>", "one two"),
        ("<p style='white-space:nowrap'>one\ntwo</p>", "one two"),
        ("<pre style='white-space:pre-wrap'>a  b\n c</pre>", "a  b\n c"),
        ("<xmp>a <b> c\nd</xmp>e", "a <b> c\nd\n\ne"),
    ],
)
def test_lines_that_a_style_keeps_are_kept(html: str, text: str) -> None:
    assert plain(from_html(html)) == text


TEX = "<annotation encoding='application/x-tex'>q^2</annotation>"
KATEX = f"<math><semantics><mrow><mi>q</mi></mrow>{TEX}</semantics></math>"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<math alttext='x^2'><msup><mi>x</mi><mn>2</mn></msup></math>", "x^2"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><msub><mi>a</mi><mn>1</mn></msub></math>", "x²+a₁"),
        ("<math><mfrac><mn>1</mn><mi>n</mi></mfrac></math>", "1/n"),
        ("<math><mfrac><mrow><mn>1</mn><mo>+</mo><mi>k</mi></mrow><mi>n</mi></mfrac></math>", "(1+k)/n"),
        (f"<span class=katex>{KATEX}</span><span class='katex-html' aria-hidden='true'>q2</span>", "q^2"),
    ],
)
def test_a_formula_keeps_its_meaning(html: str, text: str) -> None:
    assert plain(from_html(html)) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<abbr title='World Rope Union'>WRU</abbr>, <abbr title='World Rope Union'>WRU</abbr>",
            "WRU (World Rope Union), WRU",
        ),
        ("<abbr title='2026-03-01'>today</abbr> <abbr title='Etc'>etc</abbr> <abbr>x</abbr>", "today etc x"),
        ("a<span hidden>b</span><i style='display: none'>c</i><i class='sr-only'>d</i>", "a"),
        ("<h2>Ropes <a class='anchor' href='#ropes'>#</a></h2>", "Ropes"),
        ("<span aria-hidden='true'>seen</span>", "seen"),
        ("<details><summary>more</summary>inside</details>", "more\n\ninside"),
        ("<figure>a<figcaption>b</figcaption></figure>", "a\n\nb"),
    ],
)
def test_what_is_seen_is_read_and_what_is_not_is_not(html: str, text: str) -> None:
    assert plain(from_html(html)) == text


def test_the_number_of_a_note_leads_to_the_note() -> None:
    (block,) = from_html("rope<sup><a href='#n1'>1</a></sup>", base="https://ayllu.example/one")
    assert [(span.text, span.link, span.role) for span in block.spans] == [
        ("rope[", "", Role.TEXT),
        ("1", "https://ayllu.example/one#n1", Role.TEXT),
        ("]", "", Role.TEXT),
    ]
