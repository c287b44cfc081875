"""What may be done with an author's words, by what the author said and by who asks. Pure.

To say nothing of lists and of search engines is to say no, as ActivityPub's ``discoverable`` and ``indexable`` have it
(swicg.github.io/miscellany). What a network knows as a wish to be left alone, the sources report as ``Author.refuses``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from relay.model import Author


class Asker(StrEnum):
    """Who wants a page of a thread."""

    AUTHOR = "author"
    READER = "reader"
    NOBODY = "nobody"
    """It was relayed, because somebody follows the hashtag or the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a page may be."""

    page: bool
    """There may be one at all; unguessable, for those who have its address."""
    listed: bool = False
    """It may stand in lists: the front page, the author's, the feeds of these."""
    indexed: bool = False
    """Search engines may find it."""
    expires: timedelta | None = None
    """How long after its last visit it is gone; None: it stays."""


NO = Consent(page=False)


def consent(author: Author, asker: Asker, expire: timedelta) -> Consent:
    """What the author allows. ``expire``: how long pages stay that nobody allowed for good; 0: for good all the same.

    =====================  ==================  ===========================  =======
    the author says        asked by            page                         listed
    =====================  ==================  ===========================  =======
    stay away              the author          yes, for good                no
    stay away              anybody else        no                           no
    nothing, or no         the author          yes, for good                no
    nothing, or no         anybody else        yes, runs out                no
    yes to lists           anybody             yes, for good                yes
    yes to search engines  anybody             yes, for good, and indexed   no
    =====================  ==================  ===========================  =======
    """
    own = asker is Asker.AUTHOR
    if author.refuses:
        return Consent(page=True) if own else NO
    listed, indexed = author.discoverable is True, author.indexable is True
    stays = own or listed or indexed or not expire
    return Consent(page=True, listed=listed, indexed=indexed, expires=None if stays else expire)


def has_run_out(allowed: Consent, last: datetime, now: datetime) -> bool:
    """Whether a page that was ``last`` visited or changed then is gone by now."""
    return allowed.expires is not None and now - last > allowed.expires
