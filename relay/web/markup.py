"""Rich text as the HTML of our pages. What comes out is safe to put into one, whatever the spans hold."""

from __future__ import annotations

from markupsafe import Markup

from relay.rich import Role, Text
from relay.text import markup
from relay.text.markup import DEEPEST

__all__ = ["DEEPEST", "REL", "html"]

REL = "nofollow noopener noreferrer ugc"

_CLASSES = {Role.HASHTAG: "tag", Role.MENTION: "mention"}


def html(text: Text) -> Markup:
    """The text as HTML: foreign characters escaped, links marked as foreign, each outer block in its own direction."""
    return markup.html(text, _PAGE)


def _linked(link: str, role: Role, words: str, inner: Markup) -> Markup:
    look = Markup(' class="{}"').format(_CLASSES[role]) if role in _CLASSES else Markup()
    if not link:
        return Markup("<span{}>{}</span>").format(look, inner) if look else inner
    return Markup('<a href="{}" rel="{}"{}>{}</a>').format(link, REL, look or _hint(link, words), inner)


def _hint(link: str, words: str) -> Markup:
    """Says to the style sheet that the text is the address, so that paper need not show it twice."""
    text = words.rpartition("://")[2]
    return Markup(' class="bare"') if text.rstrip("/") == link.partition("://")[2].rstrip("/") else Markup()


_PAGE = markup.Dialect(
    linked=_linked,
    spoiler=Markup('<span class="spoiler" tabindex="0">{}</span>'),
    outer=Markup(' dir="auto"'),
    code=Markup('<pre dir="ltr"><code>{}</code></pre>'),
    stray=Markup('<li class="bare">{}</li>'),
)
"""What is inside another element takes its direction; code goes from left to right everywhere."""
