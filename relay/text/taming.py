"""Large HTML, made harmless for a parser that follows the HTML Standard.

The Standard's tree construction is quadratic in places: nested elements are searched on every tag, attributes are
compared with all before them, unclosed formatting is repeated in every later block (100,000 ``<div>`` take half a
minute, 25 kB of ``<b>`` half a gigabyte). What is small cannot hurt; what is large is rewritten with only the tags and
attributes that a reader needs.
"""

from __future__ import annotations

import re
from functools import partial

from relay.text.characters import whole
from relay.text.limits import MARKUP, opening

_SMALL, _SMALL_TAGS = 10_000, 500
_MANY_TAGS = 8_000

_TAG = re.compile(
    r"<!--(?:.*?-->|.*)"
    r"|<(?P<close>/?)(?P<name>[a-z][a-z0-9]*+)(?P<rest>(?:=\s*+\"[^\"]*+\"|=\s*+'[^']*+'|[^<>])*+)>"
    r"|<[/!?][^<>]*+>?"
    r"|<",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"\s(class|href|alt|start|value)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)", re.IGNORECASE)
_FORMATTING = frozenset(["b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"])
_FLAT = frozenset(["a", "br", "li", "p", "script", "style"])


def tame(html: str) -> str:
    """Return small HTML as it is; of large HTML what is safe to parse: beyond 8,000 tags only lines and links."""
    html = whole(opening(html, MARKUP))
    tags = html.count("<")
    if len(html) <= _SMALL and tags <= _SMALL_TAGS:
        return html
    return _TAG.sub(partial(_rewrite, flat=tags > _MANY_TAGS), html)


def _rewrite(match: re.Match[str], *, flat: bool) -> str:
    name = (match["name"] or "").lower()
    if not name:
        return "&lt;" if match[0] == "<" else ""
    if flat and name not in _FLAT:
        return " "
    # A name of no meaning to the Standard is never repeated; the reader knows it again.
    name = f"x-{name}" if name in _FORMATTING else name
    if match["close"]:
        return f"</{name}>"
    attributes = {key.lower(): value for key, value in reversed(_ATTRIBUTE.findall(match["rest"]))}
    return f"<{name}{''.join(f' {key}={value}' for key, value in attributes.items())}>"
