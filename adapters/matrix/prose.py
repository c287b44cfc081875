"""Rich text in both forms that Matrix carries, whole or cut to what is left of a message. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice

from markupsafe import Markup

from adapters.matrix.limits import TEXT
from adapters.matrix.links import quieted, safe_text, shows
from adapters.matrix.mentions import spelled
from adapters.matrix.message_text import MatrixText, stacked
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import cut, scrub, text_content
from relay.text.markup import Dialect, html, inline

PARAGRAPH = Markup("<p>{}</p>")
_DEEPEST = 5
_MOST_SPANS = 2500
_HIDDEN = Span("▒▒▒")
"""Stands in plain for words that their author hid."""
_WORDS = frozenset({Role.TEXT, Role.EMOJI})
"""What links of these roles say is not where they lead."""


def _linked(link: str, _role: Role, _words: str, inner: Markup) -> Markup:
    return Markup('<a href="{}">{}</a>').format(link, inner) if link else inner


_DIALECT = Dialect(
    linked=_linked,
    spoiler=Markup("<span data-mx-spoiler>{}</span>"),
    heading="h4",
    starts=True,
    marks={
        SpanStyle.BOLD: Markup("<strong>{}</strong>"),
        SpanStyle.ITALIC: Markup("<em>{}</em>"),
        SpanStyle.STRIKE: Markup("<del>{}</del>"),
        SpanStyle.UNDERLINE: Markup("<u>{}</u>"),
        SpanStyle.CODE: Markup("<code>{}</code>"),
    },
)


# --- in both forms ---


def written(text: Text, *, hidden: str | None = None, own: bool = False) -> MatrixText:
    """A text that was :func:`safe_text`; in plain, what its links hide stands behind their words.

    ``hidden`` is why all of it is behind spoilers, one in each block; the plain form then holds nothing of it.
    """
    if hidden is None:
        return MatrixText(_plain(text, own=own), str(html(text, _DIALECT)))
    return MatrixText("", str(html(_folded(text), replace(_DIALECT, inside=_spoiler(hidden)))))


def line(
    spans: Iterable[Span], element: Markup = PARAGRAPH, *, hidden: str | None = None, addresses: bool = False
) -> MatrixText:
    """Foreign words as one element; nothing where there is nothing to see."""
    text = safe_text((Block(tuple(spans)),))
    if not text:
        return MatrixText()
    inner = inline(text[0].spans, _DIALECT)
    if hidden is not None:
        return MatrixText("", str(element.format(_spoiler(hidden).format(inner))))
    return MatrixText(_plain(text, addresses=addresses), str(element.format(inner)))


def _spoiler(reason: str) -> Markup:
    whole = reason.replace("{", "{{").replace("}", "}}")  # it becomes a template once more
    return Markup('<span data-mx-spoiler="{}">{}</span>').format(whole, Markup("{}"))


def _folded(text: Text) -> Text:
    """As it may stand behind spoilers: paragraphs in a row open at once, and no program colours its code there."""
    whole: list[Block] = []
    for block in text:
        look = (SpanStyle.CODE,) if block.form is Form.CODE else ()
        spans = tuple(
            replace(span, marks=look or tuple(mark for mark in span.marks if mark is not SpanStyle.SPOILER))
            for span in block.spans
        )
        form = Form.PARAGRAPH if block.form is Form.CODE else block.form
        near = replace(block, spans=spans, form=form)
        if whole and form is Form.PARAGRAPH and replace(whole[-1], spans=()) == replace(near, spans=()):
            near = replace(near, spans=(*whole.pop().spans, Span("\n\n"), *spans))
        whole.append(near)
    return tuple(whole)


def _plain(text: Text, *, addresses: bool = True, own: bool = False) -> str:
    spans = (_for_plain(block, addresses=addresses, own=own) for block in text)
    return text_content(tuple(replace(block, spans=some) for block, some in zip(text, spans, strict=True))).strip("\n")


def _for_plain(block: Block, *, addresses: bool, own: bool) -> tuple[Span, ...]:
    spans: Iterable[Span] = block.spans
    if block.form is not Form.CODE:
        spans = _covered(_with_addresses(spans) if addresses else spans)
    return quieted(spans, own=own)  # what stands side by side now may read as one


def _with_addresses(spans: Iterable[Span]) -> Iterator[Span]:
    """Behind the words of links the addresses that they hide; names of people and hashtags say enough."""
    for url, group in groupby(spans, key=lambda span: span.link):
        run = list(group)
        words = "".join(span.text for span in run)
        shown = url.removeprefix("mailto:") if url.startswith("mailto:") else spelled(url)
        if not url or shown in words or not all(span.role in _WORDS for span in run):
            yield from run
        elif shows(words, url):
            yield Span(shown, url, marks=run[0].marks)
        else:
            yield from run
            yield Span(f" ({shown})", url, marks=run[-1].marks)


def _covered(spans: Iterable[Span]) -> Iterator[Span]:
    for is_hidden, group in groupby(spans, key=lambda span: SpanStyle.SPOILER in span.marks):
        yield from (_HIDDEN,) if is_hidden else group


# --- to a limit ---


def bounded(text: Text, most: int) -> Text:
    """The beginning of a foreign text, of at most so many characters, its quotes and lists not too deep."""
    return cut(tuple(_bounded(block) for block in text), most)


def _bounded(block: Block) -> Block:
    spans = tuple(replace(span, text=scrub(span.text)) for span in block.spans if span.text)
    return replace(block, spans=spans, quote=min(block.quote, _DEEPEST), depth=min(block.depth, _DEEPEST))


def fitted(
    text: Text, limit: int, *, more: Sequence[Span] = (), hidden: str | None = None, own: bool = False
) -> MatrixText:
    """A foreign text that takes ``limit`` at most; where it had to be cut, ``more`` stands at its end."""
    most = max(0, limit // (2 if hidden is None else 1))  # a character is a byte in each form at least
    clean = bounded(text, 10 * most)
    near = cut(clean, min(most, _readable(clean)))
    whole = written(safe_text(near, own=own), hidden=hidden, own=own)
    if near is clean and whole.size <= limit:
        return whole
    found, length = whole, min(most, len(text_content(near)))
    while (length := min(length - 1, length * limit // (found.size + 64))) > 0:
        found = _going_on(safe_text(cut(near, length), own=own), more, hidden, own=own)
        if found.size <= limit:
            return found
    alone = line(more, addresses=True)
    return alone if alone.size <= limit else MatrixText()


def _readable(text: Text) -> int:
    """The characters in as many changes of look as a message could hold at most: each costs an element or two."""
    lengths = [len(span.text) for span in islice((span for block in text for span in block.spans), _MOST_SPANS + 1)]
    return sum(lengths[:_MOST_SPANS]) if len(lengths) > _MOST_SPANS else sys.maxsize


def _going_on(text: Text, more: Sequence[Span], hidden: str | None, *, own: bool) -> MatrixText:
    if not more:
        return written(text, hidden=hidden, own=own)
    last = text[-1] if text else None
    if hidden is None and last and not last.quote and last.form in {Form.PARAGRAPH, Form.ITEM}:
        return written((*text[:-1], replace(last, spans=(*last.spans, Span(" "), *more))))
    below = line(more, addresses=True)
    return stacked([written(text, hidden=hidden), below if hidden is None else replace(below, body="")])


def answer(text: Text) -> tuple[MatrixText, ...]:
    """A text of our own as messages, parted between blocks; what is code in it stays as it is to be typed."""
    pages = (fitted(page, TEXT, own=True) for page in _pages(text))
    return tuple(page for page in pages if page) or (MatrixText("…", "<p>…</p>"),)


def _pages(text: Text) -> Iterator[Text]:
    page: tuple[Block, ...] = ()
    for block in text:
        if page and written(safe_text((*page, block), own=True), own=True).size > TEXT:
            yield page
            page = ()
        page = (*page, block)
    yield page
