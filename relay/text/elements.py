"""What the elements of HTML mean to who reads them as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from selectolax.lexbor import LexborNode

from relay.rich import Form, Mark, Role
from relay.text.addresses import safe_url
from relay.text.characters import ELLIPSIS, clean
from relay.text.embedded import EMBEDDED
from relay.text.formulas import FORMULAS
from relay.text.nodes import above, first, words_of
from relay.text.page import DEEPEST, Look
from relay.text.pictures import Given
from relay.text.reader import Enter, Reader

_SILENT = (
    "annotation annotation-xml applet area base canvas col datalist frame frameset head link map meta noembed noframes "
    "optgroup option param rp script select source style svg template textarea title track"
)
_BLOCKS = (
    "address article aside caption center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "header hgroup legend main menu nav p section summary table tbody tfoot thead"
)
_HEADINGS = "h1 h2 h3 h4 h5 h6"
_MARKS = {
    Mark.BOLD: "b strong x-b x-strong",
    Mark.ITALIC: "i em x-i x-em cite dfn var",
    Mark.STRIKE: "s del strike x-s x-strike",
    Mark.UNDERLINE: "u ins x-u",
    Mark.CODE: "code tt x-code x-tt kbd samp",
}
_NUMBER = re.compile(r"-?[0-9]{1,6}")
_SPACE = re.compile(r"white-space:\s*([a-z-]+)")
_UNSEEN = frozenset(("sr-only", "visually-hidden", "screen-reader-text", "screen-reader-only", "katex-html"))
_DECORATION = frozenset(("anchor", "anchorjs-link", "header-anchor", "headerlink", "heading-anchor"))
_QUOTES = {"de": "„“‚‘", "es": "«»“”", "fr": "«»“”", "it": "«»“”", "ja": "「」『』", "pl": "„”«»", "ru": "«»„“"}
_ENGLISH = "“”‘’"
_STATES = {"true": "☑", "checked": "☑", "false": "☐", "unchecked": "☐"}
_BOXES = {"checkbox": ("☐", "☑"), "radio": ("○", "◉")}


# --- what is not seen, and how white space is ---


def is_unseen(given: Given, classes: Sequence[str]) -> bool:
    """Whether nobody sees it: hidden, for screen readers alone, or the sign that a heading can be linked to."""
    if classes and not _UNSEEN.isdisjoint(classes):
        return True
    if "hidden" in given and given["hidden"] != "until-found":
        return True
    if (style := given.get("style")) and "none" in style.lower() and "display:none" in style.lower().replace(" ", ""):
        return True
    return bool(classes) and not _DECORATION.isdisjoint(classes) and (given.get("href") or "").startswith("#")


def keeps_lines(given: Given, classes: Sequence[str]) -> bool | None:
    """Whether line breaks in the source are seen (CSS Text 3, white-space); None: as around it."""
    if (style := given.get("style")) and "white-space" in style.lower() and (match := _SPACE.search(style.lower())):
        return match[1] not in ("normal", "nowrap")
    return True if classes and any(name.startswith("whitespace-pre") for name in classes) else None


# --- blocks ---


def _silent(_reader: Reader, _node: LexborNode, _given: Given, _look: Look) -> None:
    return None


def _block(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.block()
    return look


def _heading(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.block()
    return look._replace(form=Form.HEADING)


def _code(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.block()
    return look._replace(form=Form.CODE)


def _quote(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.block()
    return look._replace(quote=min(look.quote + 1, DEEPEST))


def _rule(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> None:
    reader.page.rule(look)


def _list(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.block()
    reader.lists.append(None)
    return look._replace(depth=min(look.depth + 1, DEEPEST))


def _numbers(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look:
    look = _list(reader, node, given, look)
    step = -1 if "reversed" in given else 1
    first = sum(child.tag == "li" for child in node.iter()) if step < 0 else 1
    reader.lists[-1] = (_number(given.get("start"), first), step)
    return look


def _item(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look:
    reader.page.block()
    reader.page.bullet = "•"
    if reader.lists and (count := reader.lists[-1]):
        here, step = _number(given.get("value"), count[0]), count[1]
        reader.page.bullet = f"{here}."
        reader.lists[-1] = (here + step, step)
    look = look._replace(form=Form.PARAGRAPH, depth=look.depth or 1)
    state = given.get("data-checked") or given.get("data-list") or ""
    if state in _STATES and not any(inner.tag == "input" for inner in first(node)):
        reader.page.begin_mark(_STATES[state], look)
    return look


def _line(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> None:
    reader.page.line(look)


def _row(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.row(look)
    return look


def _cell(reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
    reader.page.cell()
    return look


# --- within a line ---


def _mark(mark: Mark) -> Enter:
    def enter(_reader: Reader, _node: LexborNode, _given: Given, look: Look) -> Look:
        known = mark in look.marks or (mark is Mark.CODE and look.form is Form.CODE)
        return look if known else look._replace(marks=(*look.marks, mark))

    return enter


def _link(reader: Reader, _node: LexborNode, given: Given, look: Look) -> Look:
    target = given.get("href") or ""
    link = safe_url(target, base=reader.own if target.startswith("#") else reader.base)
    if not link:
        return look
    reader.page.begin_link(look)
    reader.link, reader.pictured = link, None
    return look._replace(link=link, role=_role(given.get("class") or ""))


def _span(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look | None:
    if not (names := given.get("class")):
        return look
    classes = names.split()
    if "ellipsis" in classes:
        reader.page.text(node.text() + ELLIPSIS, look)
        return None
    return None if "invisible" in classes else look


def _quotation(reader: Reader, node: LexborNode, _given: Given, look: Look) -> Look:
    """Quotation marks as the language has them, unless the author wrote some."""
    nodes = [node, *above(node)]
    spoken = next((lang for each in nodes if (lang := each.attributes.get("lang"))), "")
    marks = _QUOTES.get(spoken.partition("-")[0].lower(), _ENGLISH)
    inner = 2 * (reader.quotes % 2)
    left, right = marks[inner], marks[inner + 1]
    inside = next((each.text_content or "" for each in first(node) if each.tag == "-text"), "")
    if inside.lstrip()[:1] in set("\"'“”„«»‹›‘‚「『"):
        left = right = ""
    reader.quotes += 1
    reader.page.text(left, look)
    reader.closings.append(right)
    return look


def _short_form(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look:
    """An abbreviation, and at its first place what it stands for."""
    meaning, words = clean(given.get("title") or "", limit=200), words_of(node) or ""
    known = meaning.casefold() in (words.casefold(), "") or meaning[:1].isdigit() or meaning in reader.spelled
    reader.spelled.add(meaning)
    reader.closings.append("" if known else f" ({meaning})")
    return look


def _reading(reader: Reader, node: LexborNode, _given: Given, look: Look) -> None:
    reader.page.text(f"({node.text()})", look)


def _field(reader: Reader, _node: LexborNode, given: Given, look: Look) -> None:
    """A box that is checked or not; other fields are to be written in, not read."""
    if (kind := (given.get("type") or "").lower()) in _BOXES:
        reader.page.begin_mark(_BOXES[kind]["checked" in given], look)


def _role(names: str) -> Role:
    """What a link is by the classes that it bears (microformats, and what the Fediverse made of them)."""
    classes = names.split()
    return Role.HASHTAG if "hashtag" in classes else Role.MENTION if "mention" in classes else Role.TEXT


def _number(value: str | None, default: int) -> int:
    return int(value) if value and _NUMBER.fullmatch(value) else default


ENTER: dict[str, Enter] = {
    **EMBEDDED,
    **FORMULAS,
    **dict.fromkeys(_SILENT.split(), _silent),
    **dict.fromkeys(_BLOCKS.split(), _block),
    **dict.fromkeys(_HEADINGS.split(), _heading),
    **{name: _mark(mark) for mark, names in _MARKS.items() for name in names.split()},
    **dict.fromkeys(("abbr", "acronym"), _short_form),
    "a": _link,
    "blockquote": _quote,
    "br": _line,
    "hr": _rule,
    "input": _field,
    "li": _item,
    "listing": _code,
    "ol": _numbers,
    "pre": _code,
    "q": _quotation,
    "rt": _reading,
    "span": _span,
    "td": _cell,
    "th": _cell,
    "tr": _row,
    "ul": _list,
}
"""By the name of an element: the look of what is in it, or None where that is not to be read."""
LEAVE: dict[str, Callable[[Reader, Look], None]] = {
    **dict.fromkeys(
        [*_BLOCKS.split(), *_HEADINGS.split(), "blockquote", "listing", "pre", "x-iframe"], Reader.leave_block
    ),
    **dict.fromkeys(("abbr", "acronym", "sub", "sup"), Reader.leave_words),
    "a": Reader.leave_link,
    "li": Reader.leave_item,
    "ol": Reader.leave_list,
    "q": Reader.leave_quote,
    "ul": Reader.leave_list,
}
"""By the name of an element that was entered: what its end does."""
