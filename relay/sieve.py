"""The value that says which of a topic's posts are held back; how that is decided is in ``wanting``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """What else holds a post back, beside its language and its kind. An empty one lets everything through."""

    words: tuple[str, ...] = ()
    """Words and phrases of which the post must have one, in whatever case and with whatever accents. Empty: any."""
    without: tuple[str, ...] = ()
    """Words and phrases of which it must have none."""
    pattern: str = ""
    """A regular expression (RE2) that must be found in it."""
    block: tuple[str, ...] = ()
    """Whose posts are not wanted: accounts (``@who@host``), and servers (``host``) with all below them."""
    min_age: timedelta = timedelta(0)
    """How old the author's account must be; one whose age nobody says is old enough."""
    per_hour: int = 0
    """How many posts of one author are wanted within an hour, those that go on with a thread too; 0: all."""


OPEN = Sieve()
"""The sieve that lets everything through."""
