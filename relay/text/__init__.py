"""Rich text as spans: out of HTML and plain text, to plain text, cut to a limit. Pure.

The values (``Span``, ``Block``, ``Text``) are in :mod:`relay.model`. Everything that comes out of here is scrubbed: no
control characters but ``\\n``, no bidirectional embeddings, overrides or isolates, no lone surrogates. Every link is an
absolute http, https or mailto address, and none hides behind another host's name.
"""

from __future__ import annotations

from relay.text.addresses import honest, safe_url, web_address
from relay.text.characters import clean, directed, graphemes, is_blank, isolate, scrub, short, units
from relay.text.html import Content, from_html, read_html
from relay.text.layout import cut, plain, text_content
from relay.text.limits import brief, opening, within
from relay.text.pictures import with_shown
from relay.text.prose import from_plain, paragraphs

__all__ = [
    "Content",
    "brief",
    "clean",
    "cut",
    "directed",
    "from_html",
    "from_plain",
    "graphemes",
    "honest",
    "is_blank",
    "isolate",
    "opening",
    "paragraphs",
    "plain",
    "read_html",
    "safe_url",
    "scrub",
    "short",
    "text_content",
    "units",
    "web_address",
    "with_shown",
    "within",
]
