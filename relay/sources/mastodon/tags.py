"""What is asked of hashtags: one or several, with others that must or must not stand beside them. Pure.

Written ``#bridge``, ``#bridge #puente``, ``#bridge any:#puente,#pont all:#rope none:#ad``. Each hashtag that a post may
have is a feed of its own, so a server's way to cut a list of more than four names (``any[]``, ``all[]``, ``none[]``)
cuts nothing of ours: the others narrow what it answers, and are looked at again here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from relay.core.hashtag import fold
from relay.sources.mastodon.parse import SOURCE

MOST = 4
"""Names that a server takes in one list; it leaves out the others and does not say so."""

_JOINERS = "_·・\u200c"
_WORD = re.compile(r"(?:(any|all|none):)?([#＃]\S*)", re.IGNORECASE)
_PATH = "/api/v1/timelines/tag/"


@dataclass(frozen=True, slots=True)
class TagQuery:
    """Posts with the hashtag ``tag`` that have ``all`` of those too and ``none`` of these."""

    tag: str
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    def wants(self, tags: Iterable[str]) -> bool:
        """Whether a post with these hashtags is meant, for all that a server may not have looked at."""
        folded = {fold(tag, SOURCE) for tag in tags}
        must, must_not = ({fold(tag, SOURCE) for tag in some} for some in (self.all, self.none))
        return must <= folded and not must_not & folded

    def params(self) -> list[tuple[str, str]]:
        """What a server is told of the others: as much as it takes."""
        told = [("all[]", tag) for tag in self.all[:MOST]]
        return told + [("none[]", tag) for tag in self.none[:MOST]]


@dataclass(frozen=True, slots=True)
class InvalidTag:
    """A word that is no hashtag."""

    word: str


def read_topic(text: str) -> tuple[TagQuery, ...] | InvalidTag | None:
    """What a topic of hashtags means, each of the posts' possible hashtags apart; None where it is about none."""
    words = [_WORD.fullmatch(word) for word in text.split()]
    if not words or not words[0] or words[0][1]:
        return None
    lists: dict[str, list[str]] = {"any": [], "all": [], "none": []}
    for word, found in zip(text.split(), words, strict=True):
        if found is None:
            return InvalidTag(word)
        for name in found[2].split(","):
            tag = name.lstrip("#＃")
            if not _is_tag(tag):
                return InvalidTag(tag)
            lists[(found[1] or "any").lower()].append(tag)
    return tuple(TagQuery(tag, *(_once(lists[name]) for name in ("all", "none"))) for tag in _once(lists["any"]))


def address(instance: str, tagged: TagQuery) -> str:
    """The feed's address; the same for every way to write a hashtag in capitals."""
    lists = [(name, tag.lower()) for name in ("all", "none") for tag in getattr(tagged, name)]
    return f"{instance}{_PATH}{quote(tagged.tag.lower(), safe='')}{'?' if lists else ''}{urlencode(lists)}"


def read_address(feed: str) -> TagQuery | None:
    """What such an address asks for; None where it is another one."""
    if _PATH not in feed:
        return None
    parts = urlsplit(feed)
    lists = parse_qsl(parts.query)
    all_, none = (tuple(tag for name, tag in lists if name == wanted) for wanted in ("all", "none"))
    return TagQuery(unquote(parts.path.partition(_PATH)[2]), all_, none)


def title(tags: Sequence[TagQuery]) -> str:
    """How it reads for people: as it was written."""
    return " ".join(_titles(tags))


def _titles(tags: Sequence[TagQuery]) -> Iterator[str]:
    yield from (f"#{tagged.tag}" for tagged in tags)
    for name in ("all", "none"):
        if others := getattr(tags[0], name):
            yield f"{name}:{','.join(f'#{tag}' for tag in others)}"


def _once(tags: Iterable[str]) -> tuple[str, ...]:
    """Each hashtag once, as it was written first."""
    return tuple({fold(tag, SOURCE): tag for tag in reversed([*tags])}.values())[::-1]


def _is_tag(tag: str) -> bool:
    """Folding leaves out what cannot be in a hashtag; here it is a mistake."""
    return bool(fold(tag, SOURCE)) and not any(category(c)[0] in "PSZC" and c not in _JOINERS for c in tag)
