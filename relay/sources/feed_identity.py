"""Which entry of a feed is which: the one place for the rule. Pure, and linear in the entries.

An entry is the one that has its name: its guid, without one its link, without either its words. Whatever else changes
is an edit, and a date alone not even that. An entry with a name that was never seen is one that was there before if it
has the same words, and the table says so; in all other cases it is news. ``same page`` means the same link, whatever
its scheme, ``www.``, tracking, slash at the end or host, or no link of its own.

=========== ======== ================= ==================== ===========
page        date     old one still     old one left the     old one
                     in the document   document just now    left before
=========== ======== ================= ==================== ===========
same        same     the old one       the old one          the old one
same        changed  news              remade               news
same        none     news              the old one          news
other       same     news              the old one          news
other       changed  news              news                 news
other       none     news              remade               news
=========== ======== ================= ==================== ===========

``remade``: it is the old one where the publisher makes new names for what is old. Either the whole document was made
anew: at least half of what stood there, and two entries of different words, came back so. Or each answer is: the old
one was read once only, and what is dated has, then and now, the date of its reading. A status page that says the same
words again hours later is neither.

One old entry comes back as one entry, unless page, date and words are all the same: then a reader could not tell two of
them apart. Of two documents that are served in turn (two caches, two mirrors) the names of both are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from relay.sources.feed_posts import EntryPost

VERSION = "2"
"""Of the digests: words under another one are not compared."""
_CANDIDATES = 5
"""Of the old entries with the same words so many are considered for a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDigests:
    """What is remembered of an entry, in digests."""

    words: str
    page: str = ""
    path: str = ""
    """Of the page, on whatever host."""
    date: str = ""
    fresh: bool = False
    """Its date was that of its reading."""
    held: bool = False
    """It was read under its name more than once."""
    gone: bool = False
    """It left the document before it was last read."""

    @classmethod
    def load(cls, text: str) -> EntryDigests | None:
        """What :meth:`dump` wrote; None for what an older version did."""
        version, *fields = text.split(".")
        if version != VERSION or len(fields) != 5:
            return None
        words, page, path, date, flags = fields
        return cls(
            words=words, page=page, path=path, date=date, fresh="f" in flags, held="h" in flags, gone="g" in flags
        )

    def dump(self) -> str:
        flags = "f" * self.fresh + "h" * self.held + "g" * self.gone
        return f"{VERSION}.{self.words}.{self.page}.{self.path}.{self.date}.{flags}"

    def same_page(self, other: EntryDigests) -> bool:
        if not self.page or not other.page:
            return True
        return self.page == other.page or self.path == other.path

    def twin(self) -> tuple[str, str, str]:
        return self.words, self.page, self.date


def mark(item: EntryPost, *, held: bool = False) -> EntryDigests:
    host, slash, path = item.link.removeprefix("//").partition("/")
    return EntryDigests(
        words=item.text,
        page=_digest(host, path) if item.link else "",
        path=_digest(slash + path) if item.link else "",
        date=f"{int(item.date.timestamp()):x}" if item.date else "",
        fresh=item.fresh,
        held=held,
    )


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()


def old_ones(new: Mapping[str, EntryDigests], known: Mapping[str, EntryDigests], present: Collection[str]) -> set[str]:
    """The names in ``new`` that are other names of entries in ``known``; ``present`` names all in the document."""
    found: set[str] = set()
    twins = {one.twin() for one in known.values() if one.date}
    for name, one in new.items():
        if one.date and one.twin() in twins:
            found.add(name)
        twins.add(one.twin())
    left = [one for name, one in known.items() if not one.gone and name not in present]
    rest = {name: one for name, one in new.items() if name not in found}
    if not left or not rest:
        return found
    stayed = sum(name in present for name in known)
    return found | _Left(left, made_anew=_is_made_anew(new.values(), left, stayed)).find(rest)


def _is_made_anew(new: Iterable[EntryDigests], left: Sequence[EntryDigests], stayed: int) -> bool:
    """Whether what left came back under other names: half of the document, and two entries of different words."""
    there = {one.words for one in left}
    back = {one.words for one in new if one.words in there}
    return len(back) > 1 and sum(one.words in back for one in left) * 2 >= len(left) + stayed


class _Left:
    """The entries that left the document just now; each comes back once."""

    def __init__(self, left: Sequence[EntryDigests], *, made_anew: bool) -> None:
        self._made_anew = made_anew
        self._taken: set[int] = set()
        self._left = left
        self._by: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, one in enumerate(left):
            for key in _keys(one):
                self._by[key].append(number)

    def find(self, new: Mapping[str, EntryDigests]) -> set[str]:
        """The closest first: what is at the same page before what has only the same words."""
        found: set[str] = set()
        for rank in range(len(_keys(EntryDigests(words="")))):
            for name, one in new.items():
                if name not in found and self._take(_keys(one)[rank], one):
                    found.add(name)
        return found

    def _take(self, key: tuple[str, ...], one: EntryDigests) -> bool:
        there = self._by.get(key, [])
        while there and there[-1] in self._taken:
            there.pop()
        for number in there[-_CANDIDATES:]:
            if number not in self._taken and self._is_old(one, self._left[number]):
                self._taken.add(number)
                return True
        return False

    def _is_old(self, one: EntryDigests, old: EntryDigests) -> bool:
        undated = not one.date or not old.date
        if one.date == old.date and not undated:
            return True
        if one.same_page(old):
            return undated or self._made_anew or (one.fresh and old.fresh and not old.held)
        return undated and (self._made_anew or not old.held)


def _keys(one: EntryDigests) -> tuple[tuple[str, ...], ...]:
    return (
        ("page", one.words, one.page, one.date),
        ("path", one.words, one.path, one.date),
        ("page", one.words, one.page),
        ("path", one.words, one.path),
        ("date", one.words, one.date),
        ("words", one.words),
    )
