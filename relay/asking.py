"""What somebody who mentions the relay wants of it. Pure.

A bot that takes small talk for a command is a nuisance, and one that deletes by mistake does harm: so to ask for a page
a post has to hold one of a few words, and to take oneself out it has to begin with a mention and the word, or hold
little else. What denies the word asks for nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from relay.model import Edited, Post, Published
from relay.ports import Intake
from relay.text import plain

UNROLL: Mapping[str, tuple[str, ...]] = {"en": ("unroll",), "es": ("desenrollar", "desenrolla")}
"""The words that ask for a page, by the language of who uses them."""
STOP = ("stop", "delete", "basta", "borrar", "borra")
"""The words by which an author takes all of theirs out."""

FEW = 3
"""Words of a post that says nothing but a command and perhaps a courtesy."""

_NAME = r"\w[\w-]*(?:\.[\w-]+)*"
_MENTION = re.compile(rf"(?<![\w/])@{_NAME}(?:@{_NAME}(?::\d+)?)?")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_DENIAL = frozenset({"not", "no", "never", "without", "nunca", "jamas", "sin"})
_DENYING = ("n't", "n’t")


class Deed(StrEnum):
    UNROLL = "unroll"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, and in which language the answer is understood; empty: nobody knows."""

    deed: Deed
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The words by which people ask; their case and their accents do not matter."""

    unroll: Mapping[str, Sequence[str]]
    stop: Sequence[str]

    def read(self, text: str, language: str = "") -> Request | None:
        """What a post asks in which the relay is mentioned; ``language``: as the post says. None: nothing."""
        said = _words(text)
        denied = any(word in _DENIAL or word.endswith(_DENYING) for word in said)
        stops = set(map(_folded, self.stop))
        commanded = bool(said) and said[0] in stops and _MENTION.match(text.lstrip()) is not None
        if commanded or (len(said) <= FEW and not denied and not stops.isdisjoint(said)):
            return Request(Deed.STOP, self._language(said, language))
        return Request(Deed.UNROLL, self._language(said, language)) if self._asks(said) and not denied else None

    def is_request(self, post: Post, handles: Collection[str]) -> bool:
        """Whether a post speaks to a bot, and so belongs to no thread: to the relay as ``handles``, or to any other.

        Of other bots only posts are known that hold little but a mention and the word.
        """
        if not any("@" in span.text for block in post.body for span in block.spans):
            return False
        text = plain(post.body)
        mentioned = {name.casefold() for name in _MENTION.findall(text)}
        if not mentioned:
            return False
        if mentioned & _short_and_long(handles) and self.read(text):
            return True
        said = _words(text)
        return len(said) <= FEW and self._asks(said)

    def _asks(self, said: Sequence[str]) -> bool:
        return not {_folded(word) for word in chain.from_iterable(self.unroll.values())}.isdisjoint(said)

    def _language(self, said: Sequence[str], language: str) -> str:
        """That of the word, unless it is the English one, which everybody uses: then that of the post."""
        spoken = (tongue for tongue, known in self.unroll.items() if {*map(_folded, known)}.intersection(said))
        tongue = next(spoken, "")
        return tongue if tongue and not tongue.startswith("en") else language or tongue


def _words(text: str) -> list[str]:
    """The words of a post in their order, but for the names in it."""
    return [_folded(word) for word in _WORD.findall(_MENTION.sub(" ", text))]


def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    return unicodedata.normalize("NFC", "".join(one for one in apart if not unicodedata.combining(one)))


def _short_and_long(handles: Iterable[str]) -> set[str]:
    """``@who@host``, and ``@who`` as people of the same host write it."""
    known = [handle.casefold() for handle in handles]
    return {*known, *("@" + handle.strip("@").partition("@")[0] for handle in known)}


# --- posts that ask are no part of a thread ---

Is = Callable[[Post], bool]


def nothing(_post: Post) -> bool:
    """Of no post it is known that it asks for something."""
    return False


def without(posts: Iterable[Post], is_request: Is) -> list[Post]:
    """The posts but for requests. What answers a request answers what that one answered: the thread holds together."""
    told = list(posts)
    above = {name: post.reply_to for post in told if is_request(post) for name in (post.uri, *post.aliases)}
    return [_lifted(post, above) for post in told if post.uri not in above] if above else told


def _lifted(post: Post, above: Mapping[str, str]) -> Post:
    parent, seen = post.reply_to, set[str]()
    while parent in above and parent not in seen:
        seen.add(parent)
        parent = above[parent]
    parent = "" if parent in above else parent  # they answer each other
    return post if parent == post.reply_to else replace(post, reply_to=parent)


def sifted(intake: Intake, is_request: Is) -> Intake:
    """An intake without requests: they are no news, and nobody's text."""
    told = (event.post for event in intake.events if isinstance(event, Published | Edited))
    asked = {post.uri for post in told if is_request(post)}
    if not asked:
        return intake
    events = tuple(e for e in intake.events if not isinstance(e, Published | Edited) or e.post.uri not in asked)
    return replace(intake, events=events, wishes=tuple(wish for wish in intake.wishes if wish.uri not in asked))
