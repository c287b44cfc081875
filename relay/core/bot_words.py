"""What somebody who mentions the relay wants of it. Pure.

A bot that takes small talk for a command is a nuisance, and one that deletes by mistake does harm. So a command is a
post that addresses the relay's account first and says little else: one of the words below, and besides it nothing but
courtesies, punctuation, emoji, and hashtags at the end. One rule for all commands, in every language of the words. What
is longer, asks, quotes, links, denies, or names somebody else before or after it, is no command.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import Literal

from relay.model import Edited, Post, Published
from relay.records import Intake
from relay.text import text_content

UNROLL: Mapping[str, tuple[str, ...]] = {"en": ("unroll",), "es": ("desenrollar", "desenrolla")}
"""The words that ask for a page, by the language of who uses them."""
STOP = ("stop", "delete", "basta", "borrar", "borra")
"""The words by which an author takes all of theirs out."""
UNDO = ("undo", "deshacer", "deshaz")
"""The words by which an author takes that back; one of ``STOP`` may follow."""
COURTESIES = (
    *("please", "pls", "plz", "thanks", "thank", "thx", "you", "hello", "hi", "hey", "now", "it", "this", "that"),
    *("the", "thread", "all", "everything", "of", "me", "my", "mine", "posts", "for"),
    *("por", "favor", "porfa", "porfavor", "gracias", "muchas", "hola", "ya", "esto", "eso", "este", "ese", "el"),
    *("hilo", "todo", "todos", "todas", "lo", "mi", "mis", "mio", "publicaciones", "mensajes"),
)
"""What may stand beside one of those words and changes nothing."""

LONGEST = 300
"""Characters of a command, with all that is mentioned in it."""
MOST_WORDS = 8

_USER = r"[A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*"
_HOST = r"\w[\w-]*(?:\.[\w-]+)*"
_MENTION = re.compile(rf"@{_USER}(?:@{_HOST}(?::\d+)?)?")
_SHORTCODE = re.compile(r":[A-Za-z0-9_]{2,40}:")
_HASHTAG = re.compile(r"[#＃]\w+")
_PUNCTUATION = frozenset(".,!¡:-–—…·。、،।")
"""What may stand between words. Not among them: question marks of any script, quotation marks, brackets."""
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TELLING = frozenset("❓❔❛❜❝❞❟❠🙶🙷🙸")
"""Pictures that ask or quote."""
_JOINERS = frozenset("'’\u200c\u200d")
"""What may stand between the letters of one word."""


class BotAction(StrEnum):
    UNROLL = "unroll"
    STOP = "stop"
    UNDO = "undo"
    """Take a stop back."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, and in which language the answer is understood; empty: nobody knows."""

    action: BotAction
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class BotWords:
    """The words by which people ask; their case and their accents do not matter."""

    unroll: Mapping[str, Sequence[str]] = field(default_factory=lambda: UNROLL)
    stop: Sequence[str] = STOP
    undo: Sequence[str] = UNDO
    courtesies: Sequence[str] = COURTESIES

    @property
    def undoing(self) -> str:
        """How a stop is taken back, as people are told."""
        return f"{self.undo[0]} {self.stop[0]}"

    def read(self, text: str, handles: Collection[str], language: str = "") -> Request | None:
        """What a post asks of the account with one of these handles (``@who@host``); None: nothing.

        ``language``: as the post says.
        """
        ours = _short_and_long(handles)
        said = _words_to(lambda name: name in ours, text)
        action = self._action(said)
        return Request(action, self._language(said, language)) if action else None

    def is_request(self, post: Post, handles: Collection[str]) -> bool:
        """Whether a post speaks to a bot, and so belongs to no thread: to the relay as ``handles``, or to any other.

        Of what other bots are asked, only the word for a page is known.
        """
        if not any("@" in span.text for block in post.body for span in block.spans):
            return False
        text = text_content(post.body)
        return self.read(text, handles) is not None or self._action(_words_to(_anybody, text)) is BotAction.UNROLL

    def _action(self, said: Sequence[str]) -> BotAction | None:
        kinds = [self._kinds.get(word) for word in said[: MOST_WORDS + 1]]
        deeds = [kind for kind in kinds if kind]
        if None in kinds or len(said) > MOST_WORDS or not deeds:
            return None
        if deeds[0] is BotAction.UNDO and set(deeds) <= {BotAction.UNDO, BotAction.STOP}:
            return BotAction.UNDO
        return deeds[0] if len(set(deeds)) == 1 else None

    @cached_property
    def _kinds(self) -> Mapping[str, BotAction | Literal[""]]:
        """What each word means; empty: it is a courtesy."""
        words: tuple[tuple[Iterable[str], BotAction | Literal[""]], ...] = (
            (self.courtesies, ""),
            (chain.from_iterable(self.unroll.values()), BotAction.UNROLL),
            (self.stop, BotAction.STOP),
            (self.undo, BotAction.UNDO),
        )
        return {_folded(word): kind for known, kind in words for word in known}

    def _language(self, said: Sequence[str], language: str) -> str:
        """That of the word, unless it is the English one, which everybody uses: then that of the post."""
        spoken = (tongue for tongue, known in self.unroll.items() if {*map(_folded, known)}.intersection(said))
        tongue = next(spoken, "")
        return tongue if tongue and not tongue.startswith("en") else language or tongue


def _anybody(_name: str) -> bool:
    return True


def _words_to(is_meant: Callable[[str], bool], text: str) -> list[str]:
    """The words of a post that addresses first who is meant; none where it does not, or holds more than words.

    Replies begin with everybody in the conversation: others may be named behind who is meant, before the first word.
    """
    if len(text) > LONGEST:
        return []
    text = "".join(map(_visible, unicodedata.normalize("NFKC", text)))
    at = next((at for at, sign in enumerate(text) if not (sign.isspace() or sign == "¡" or _is_picture(sign))), 0)
    first = _MENTION.match(text, at)
    if first is None or not is_meant(first[0].casefold()):
        return []
    there: re.Match[str] | None = first
    while there is not None:
        rest = text[there.end() :]
        text = rest.lstrip(", \t\n\r")
        there = _MENTION.match(text) if text[:1] == "@" else None
    return _words(rest)


def _words(text: str) -> list[str]:
    """The folded words of a text; none where it holds anything else but punctuation, emoji, and hashtags at its end."""
    found: list[str] = []
    tagged, at = False, 0
    while at < len(text):
        sign = text[at]
        if other := _SHORTCODE.match(text, at) or _HASHTAG.match(text, at):
            tagged = tagged or sign != ":"
            at = other.end()
        elif unicodedata.category(sign)[0] == "L":
            end = _end_of_word(text, at)
            found.append(_folded(text[at:end]))
            at = end
            if tagged:
                return []
        elif sign.isspace() or (sign in _PUNCTUATION and not _is_in_address(text, at)) or _is_picture(sign):
            at += 1
        else:
            return []
    return found


def _is_in_address(text: str, at: int) -> bool:
    """``stop.example`` is somebody's address, not a word and its full stop."""
    return text[at] in ".:" and text[at - 1 : at].isalpha() and text[at + 1 : at + 2].isalpha()


def _end_of_word(text: str, at: int) -> int:
    while at < len(text) and (
        unicodedata.category(text[at])[0] in "LM" or (text[at] in _JOINERS and text[at + 1 : at + 2].isalpha())
    ):
        at += 1
    return at


def _visible(sign: str) -> str:
    """A space instead of what cannot be seen: a word that is torn apart by it was not meant as the word."""
    return " " if unicodedata.category(sign) == "Cf" and sign not in _JOINERS else sign


def _is_picture(sign: str) -> bool:
    """An emoji or a part of one."""
    kind = unicodedata.category(sign)
    return (kind in {"So", "Mn", "Me", "Cf"} and sign not in _TELLING) or ord(sign) in _SKIN_TONES


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


def without_bot_requests(intake: Intake, is_request: Is) -> Intake:
    """An intake without requests: they are no news, and nobody's text."""
    told = (event.post for event in intake.events if isinstance(event, Published | Edited))
    asked = {post.uri for post in told if is_request(post)}
    if not asked:
        return intake
    events = tuple(e for e in intake.events if not isinstance(e, Published | Edited) or e.post.uri not in asked)
    return replace(
        intake,
        events=events,
        planned_sends=tuple(planned for planned in intake.planned_sends if planned.uri not in asked),
    )
