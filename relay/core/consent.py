"""What may be done with an author's words, by what the author said and by who asks, and who may see them where. Pure.

To say nothing of lists and of search engines is to say no, as ActivityPub's ``discoverable`` and ``indexable`` have it
(swicg.github.io/miscellany). What a network knows as a wish to be left alone, the sources report as ``Author.refuses``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from relay.model import Author, Post
from relay.records import Page

UNDO_FOR = timedelta(hours=72)
"""How long what an author took back is hidden before it is erased: until then it can be undone."""


class PageReader(StrEnum):
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


def consent(author: Author, asker: PageReader, expire: timedelta) -> Consent:
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
    own = asker is PageReader.AUTHOR
    if author.refuses:
        return Consent(page=True) if own else NO
    listed, indexed = author.discoverable is True, author.indexable is True
    stays = own or listed or indexed or not expire
    return Consent(page=True, listed=listed, indexed=indexed, expires=None if stays else expire)


def page_consent(page: Page, expire: timedelta) -> Consent:
    """What the author of a thread allows with its page; nothing where all of it was deleted."""
    author = next((post.author for post in page.posts if isinstance(post, Post)), None)
    return consent(author, PageReader.AUTHOR if page.asked else PageReader.NOBODY, expire) if author else NO


def page_has_run_out(page: Page, expire: timedelta, now: datetime) -> bool:
    """Whether a page is gone by now because nobody read it: no reader, its author or a source was heard of since."""
    until = page_runs_out(page, expire)
    return until is not None and now > until


def page_runs_out(page: Page, expire: timedelta) -> datetime | None:
    """Until when a page stays that nobody reads from now on; None: for good."""
    return runs_out(page_consent(page, expire), max(filter(None, (page.visited, page.updated, page.seen))))


def runs_out(allowed: Consent, last: datetime) -> datetime | None:
    """Until when a page stays that was ``last`` visited or changed then; None: for good."""
    return None if allowed.expires is None else last + allowed.expires


# --- lists ---


class Audience(StrEnum):
    """For whom a list of threads is made."""

    EVERYBODY = "everybody"
    """The front page, hashtags, authors, and all feeds: anybody can open them, or guess their addresses."""
    RECIPIENTS = "recipients"
    """The page of a digest. Its address cannot be guessed and was sent to one chat, in the place of a message for
    each post, so its readers must be able to reach every post. But the address may be passed on, so the page hands on
    neither words nor addresses of pages that were not meant for lists; the headline of a feed's entry is its name."""


class Showing(StrEnum):
    """How much of a thread a list shows."""

    THREAD = "thread"
    """Its beginning, its author, and the address of its page."""
    HEADLINE = "headline"
    """The headline that its publisher gave it, with the address of the original: nobody said anything of lists."""
    LINK = "link"
    """The author's name and the address of the original, where the author decides who may read it."""
    COUNTED = "counted"
    """Only that there is one more."""
    NOTHING = "nothing"


def allows_lists(post: Post) -> bool:
    """Whether a post lets its thread be listed: its author allows lists, and it does not begin an unlisted thread.

    The later posts of a thread are often unlisted, so that they do not fill timelines; that says nothing of the thread.
    """
    author = post.author
    goes_on = bool(post.reply_to) and post.reply_to_author == author.uri
    return author.discoverable is True and not author.refuses and (goes_on or not post.unlisted)


def forbids_lists(post: Post) -> bool:
    """Whether its author says no to lists, which counts for all that was kept of them. To say nothing is no such word:
    some sources do not tell what an author wishes.
    """
    return post.author.discoverable is False or post.author.refuses


def showing(page: Page, audience: Audience, expire: timedelta, now: datetime) -> Showing:
    """How much of a thread a list for this audience shows: the one rule for all lists, feeds and counts.

    ===============================================  =========  ==========
    the thread                                       everybody  recipients
    ===============================================  =========  ==========
    deleted or forgotten, all of it                  nothing    nothing
    its author wants to be left alone                nothing    counted
    a post of it allows no lists, or it has run out  nothing    link
    nothing is said of lists, and it has a headline  nothing    headline
    every post of it allows lists                    thread     thread
    ===============================================  =========  ==========
    """
    posts = [post for post in page.posts if isinstance(post, Post)]
    posts += [post for chain in page.asides for post in chain]
    if not posts:
        return Showing.NOTHING
    if page.listed and all(map(allows_lists, posts)) and not page_has_run_out(page, expire, now):
        return Showing.THREAD
    if audience is Audience.EVERYBODY:
        return Showing.NOTHING
    if any(post.author.refuses for post in posts):
        return Showing.COUNTED
    named = posts[0].title and all(post.author.discoverable is None and not post.unlisted for post in posts)
    return Showing.HEADLINE if named and not page_has_run_out(page, expire, now) else Showing.LINK
