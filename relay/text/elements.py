"""What the elements of HTML mean to who reads them as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from selectolax.lexbor import LexborNode

from relay.model import Media, MediaKind
from relay.rich import Form, Role, SpanStyle
from relay.text import pictures
from relay.text.addresses import safe_url
from relay.text.characters import ELLIPSIS, clean
from relay.text.page import DEEPEST, TextStyle
from relay.text.pictures import Given
from relay.text.players import page_of
from relay.text.reader import Enter, HtmlReader

# --- formulas, raised and lowered text as they are written in a line: 10⁶ and H₂O, never 106 ---

_UP = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ",
        strict=True,
    )
)
_DOWN = dict(zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_SIGNS = {"tm": "™", "sm": "℠", "r": "®", "c": "©"}
_ORDINALS = frozenset(
    (
        *("st", "nd", "rd", "th", "er", "ers", "re", "ère", "ere", "e", "es", "ème", "eme", "me", "nde", "de", "ste"),
        *("ro", "ra", "do", "da", "to", "ta", "mo", "ma", "vo", "va", "no", "na", "te"),
    )
)
_TITLES = frozenset(("lle", "lles", "mme", "me", "gr", "ra", "dr", "dra", "te", "ts", "nt", "bre", "al", "der"))
"""What ends an abbreviated word: M^lle, S^te, n^os."""
_PLAIN = frozenset("*†‡§¶®™℠©ºª°′″")
_LONGEST = 24


def raised(text: str, before: str) -> str:
    """A superscript behind the character ``before``."""
    if not text or all(char in _PLAIN for char in text):
        return text
    if text in ("TM", "SM", "R", "C", "tm") and before.isalpha():
        return _SIGNS[text.lower()]
    if (before.isdigit() or before.isupper()) and text.lower() in _ORDINALS:
        return text
    if before.isalpha() and text in _TITLES:
        return text
    if text in ("o", "a", "os", "as") and before.isalnum():
        return text.replace("o", "º").replace("a", "ª")
    return _moved(text, _UP, "^", before)


def lowered(text: str, before: str) -> str:
    """A subscript behind the character ``before``."""
    return _moved(text, _DOWN, "_", before) if text else ""


def _moved(text: str, letters: dict[str, str], sign: str, before: str) -> str:
    if all(char in letters for char in text):
        return "".join(letters[char] for char in text)
    if not before or before.isspace() or len(text) > _LONGEST:
        return text if not before or before.isspace() else f" {text}"
    if text.startswith(("(", "[")) and text.endswith((")", "]")):
        return text if text.startswith("[") else sign + text
    return f"{sign}({text})"


# --- the elements ---


def _index(moved: Callable[[str, str], str], sign: str) -> Enter:
    def enter(reader: HtmlReader, node: LexborNode, _given: Given, look: TextStyle) -> TextStyle | None:
        if (words := words_of(node)) is not None:
            reader.page.text(moved(words, reader.page.last), look)
            return None
        inside = list(first(node))
        words = "".join(inner.text_content or "" for inner in inside if inner.tag == "-text").lstrip()
        around = ("", "")
        if any(inner.tag == "a" for inner in inside):
            around = ("", "") if words[:1] in ("", "[", "(") else ("[", "]")
        elif any(inner.tag in ("sub", "sup") for inner in inside):
            around = (sign + "(", ")")
        reader.page.text(around[0], look)
        reader.closings.append(around[1])
        return look

    return enter


def _formula(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle | None:
    """As its author wrote it, where that stands beside it."""
    written = given.get("alttext") or ""
    for inner in children(node.first_child) if node.first_child else ():
        if inner.tag == "annotation" and "tex" in (inner.attributes.get("encoding") or ""):
            written = written or inner.text()
    if not written.strip():
        return look
    reader.page.text(written, look)
    return None


def _fraction(reader: HtmlReader, node: LexborNode, _given: Given, look: TextStyle) -> TextStyle | None:
    parts = [words_of(child) for child in children(node) if child.tag != "-text"]
    if len(parts) != 2 or None in parts:
        return look
    reader.page.text("/".join(part if part.isalnum() else f"({part})" for part in parts if part), look)
    return None


def _scripts(moved: Callable[[str, str], str]) -> Enter:
    def enter(reader: HtmlReader, node: LexborNode, _given: Given, look: TextStyle) -> TextStyle | None:
        parts = [words_of(child) for child in children(node) if child.tag != "-text"]
        if len(parts) != 2 or not parts[0] or not parts[1]:
            return look
        reader.page.text(parts[0] + moved(parts[1], parts[0][-1]), look)
        return None

    return enter


FORMULAS: dict[str, Enter] = {
    "math": _formula,
    "mfrac": _fraction,
    "msub": _scripts(lowered),
    "msup": _scripts(raised),
    "sub": _index(lowered, "_"),
    "sup": _index(raised, "^"),
}
"""By the name of the element."""


# --- embedded ---

# What elements of HTML that show something mean: pictures, films, sounds, and the players of other sites.


def _picture(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> None:
    alt, classes = given.get("alt") or "", (given.get("class") or "").split()
    url = pictures.web(given.get("src") or "", reader.base)
    if pictures.is_pixel(given):
        return
    shown = pictures.picture_of(given, _beside(reader, node), reader.base) if reader.media is not None else None
    if pictures.is_emoji(alt, classes, url):
        reader.page.emoji(alt, look)
    elif shown and not pictures.is_symbol(given, shown.url):
        reader.show_picture(given, shown, look)
    elif not pictures.is_counter(url):
        reader.page.picture(alt, look)
        if look.link:
            reader.pictured = clean(alt)


def _beside(reader: HtmlReader, node: LexborNode) -> list[Given]:
    """The sources of a picture: they are its first image's, else each image would cost as much as all of them."""
    parent = node.parent
    if parent is None or parent.tag != "picture" or parent.mem_id in reader.sourced:
        return []
    reader.sourced.add(parent.mem_id)
    return [child.attributes for child in children(parent)]


def _film(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle | None:
    sources = [child.attributes for child in children(node) if child.tag == "source"]
    url, is_file = pictures.file_of(given, sources, reader.base)
    if not url:
        return look if has_link(node) else None
    kind = MediaKind.AUDIO if "audio" in (node.tag or "") else MediaKind.VIDEO
    if kind is MediaKind.VIDEO and "loop" in given and ("muted" in given or "autoplay" in given):
        kind = MediaKind.ANIMATION
    words = clean(given.get("title") or given.get("aria-label") or "", limit=1500)
    media = Media(url=url, kind=kind, alt=words, preview=pictures.web(given.get("poster") or "", reader.base))
    reader.show(url, kind if is_file else None, look, media)
    return None


def _frame(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle | None:
    """The page of what a frame plays; the link in it, where its author set one and the page is not known."""
    url = pictures.frame_of(given, reader.base)
    if pictures.is_pixel(given) or pictures.is_counter(url):
        return None
    if has_link(node) and (not url or page_of(url) == url):
        reader.page.block()
        return look
    if url:
        reader.show(url, pictures.kind_of(url, given.get("type") or ""), look)
    return None


def _object(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle | None:
    told = {(child.attributes.get("name") or "").lower(): child.attributes for child in children(node)}
    values = [given.get("data"), *(told[name].get("value") for name in ("movie", "src", "url") if name in told)]
    url = next((url for value in values if (url := pictures.web(value or "", reader.base))), "")
    if not url:
        return look
    reader.show(url, pictures.kind_of(url, given.get("type") or ""), look)
    return None


def _film_by_name(reader: HtmlReader, _node: LexborNode, given: Given, look: TextStyle) -> None:
    if name := given.get("videoid") or given.get("data-videoid"):
        reader.link_to(f"https://www.youtube.com/embed/{name}", look)


def _unscripted(_reader: HtmlReader, node: LexborNode, _given: Given, look: TextStyle) -> TextStyle | None:
    """What is seen where no script runs: pictures and links; that scripts are wanted is no news."""
    return look if any(inner.tag in SEEN for inner in first(node)) else None


EMBEDDED: dict[str, Enter] = {
    **dict.fromkeys(("amp-audio", "amp-video", "audio", "video"), _film),
    **dict.fromkeys(("amp-anim", "amp-img", "img"), _picture),
    **dict.fromkeys(("amp-iframe", "embed", "iframe", "x-iframe"), _frame),
    **dict.fromkeys(("amp-youtube", "lite-youtube"), _film_by_name),
    "noscript": _unscripted,
    "object": _object,
}
"""By the name of the element."""


# --- elements ---

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
    SpanStyle.BOLD: "b strong x-b x-strong",
    SpanStyle.ITALIC: "i em x-i x-em cite dfn var",
    SpanStyle.STRIKE: "s del strike x-s x-strike",
    SpanStyle.UNDERLINE: "u ins x-u",
    SpanStyle.CODE: "code tt x-code x-tt kbd samp",
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


def _silent(_reader: HtmlReader, _node: LexborNode, _given: Given, _look: TextStyle) -> None:
    return None


def _block(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.block()
    return look


def _heading(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.block()
    return look._replace(form=Form.HEADING)


def _code(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.block()
    return look._replace(form=Form.CODE)


def _quote(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.block()
    return look._replace(quote=min(look.quote + 1, DEEPEST))


def _rule(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> None:
    reader.page.rule(look)


def _list(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.block()
    reader.lists.append(None)
    return look._replace(depth=min(look.depth + 1, DEEPEST))


def _numbers(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle:
    look = _list(reader, node, given, look)
    step = -1 if "reversed" in given else 1
    first = sum(child.tag == "li" for child in node.iter()) if step < 0 else 1
    reader.lists[-1] = (_number(given.get("start"), first), step)
    return look


def _item(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle:
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


def _line(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> None:
    reader.page.line(look)


def _row(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.row(look)
    return look


def _cell(reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
    reader.page.cell()
    return look


# --- within a line ---


def _mark(mark: SpanStyle) -> Enter:
    def enter(_reader: HtmlReader, _node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
        known = mark in look.marks or (mark is SpanStyle.CODE and look.form is Form.CODE)
        return look if known else look._replace(marks=(*look.marks, mark))

    return enter


def _link(reader: HtmlReader, _node: LexborNode, given: Given, look: TextStyle) -> TextStyle:
    target = given.get("href") or ""
    link = safe_url(target, base=reader.own if target.startswith("#") else reader.base)
    if not link:
        return look
    reader.page.begin_link(look)
    reader.link, reader.pictured = link, None
    return look._replace(link=link, role=_role(given.get("class") or ""))


def _span(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle | None:
    if not (names := given.get("class")):
        return look
    classes = names.split()
    if "ellipsis" in classes:
        reader.page.text(node.text() + ELLIPSIS, look)
        return None
    return None if "invisible" in classes else look


def _quotation(reader: HtmlReader, node: LexborNode, _given: Given, look: TextStyle) -> TextStyle:
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


def _short_form(reader: HtmlReader, node: LexborNode, given: Given, look: TextStyle) -> TextStyle:
    """An abbreviation, and at its first place what it stands for."""
    meaning, words = clean(given.get("title") or "", limit=200), words_of(node) or ""
    known = meaning.casefold() in (words.casefold(), "") or meaning[:1].isdigit() or meaning in reader.spelled
    reader.spelled.add(meaning)
    reader.closings.append("" if known else f" ({meaning})")
    return look


def _reading(reader: HtmlReader, node: LexborNode, _given: Given, look: TextStyle) -> None:
    reader.page.text(f"({node.text()})", look)


def _field(reader: HtmlReader, _node: LexborNode, given: Given, look: TextStyle) -> None:
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
LEAVE: dict[str, Callable[[HtmlReader, TextStyle], None]] = {
    **dict.fromkeys(
        [*_BLOCKS.split(), *_HEADINGS.split(), "blockquote", "listing", "pre", "x-iframe"], HtmlReader.leave_block
    ),
    **dict.fromkeys(("abbr", "acronym", "sub", "sup"), HtmlReader.leave_words),
    "a": HtmlReader.leave_link,
    "li": HtmlReader.leave_item,
    "ol": HtmlReader.leave_list,
    "q": HtmlReader.leave_quote,
    "ul": HtmlReader.leave_list,
}
"""By the name of an element that was entered: what its end does."""


# Looking around in a tree, never further than a few nodes: elements may be nested, and then each step is a square.


SEEN = frozenset(("a", "amp-img", "audio", "embed", "iframe", "img", "object", "video", "x-iframe"))
"""Elements that are more than the words in them."""
NEAR = 12
"""Nodes that are looked at."""
_PARTED = ("br", "sub", "sup")
_FEW = 40


def first(node: LexborNode) -> Iterator[LexborNode]:
    """The first nodes within an element; never all of a large one, for elements may be nested."""
    outer: list[LexborNode] = []
    inner = node.first_child
    for _ in range(NEAR):
        if inner is None:
            return
        yield inner
        if inner.first_child is not None:
            outer.append(inner)
            inner = inner.first_child
            continue
        while inner.next is None and outer:
            inner = outer.pop()
        inner = inner.next


def above(node: LexborNode) -> Iterator[LexborNode]:
    for _ in range(NEAR):
        if (parent := node.parent) is None:
            return
        yield parent
        node = parent


def children(node: LexborNode | None) -> Iterator[LexborNode]:
    child = node.first_child if node is not None else None
    for _ in range(NEAR):
        if child is None:
            return
        yield child
        child = child.next


def words_of(node: LexborNode) -> str | None:
    """The few words in an element; None where there are many, or more than words."""
    inside = list(first(node))
    if len(inside) == NEAR or any(inner.tag in SEEN or inner.tag in _PARTED for inner in inside):
        return None
    words = " ".join("".join(inner.text_content or "" for inner in inside if inner.tag == "-text").split())
    return words if len(words) <= _FEW else None


def has_link(node: LexborNode) -> bool:
    return any(inner.tag == "a" for inner in first(node))
