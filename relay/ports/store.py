"""The seam to what is kept: the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from relay.model import Delivery, Destination, Feed, FeedId, Post, PostUri, Subscription, SubscriptionId
from relay.ports.kept import (
    Added,
    Audit,
    By,
    Changes,
    Claim,
    Counts,
    DestinationState,
    FeedState,
    Forgotten,
    Full,
    Intake,
    Lease,
    Linking,
    Page,
    Quota,
    Settlement,
    Stop,
    StopKind,
    Taken,
    Undone,
    Unlinked,
    Wanted,
)
from relay.ports.lists import Leaf, ListPart, ListVersion, PageVersion
from relay.ports.mentions import Asked, Heard, Mention, RequestState, Share
from relay.ports.source import Resolved


class Store(Protocol):
    """One method = one transaction; verbs: add get list claim save delete. All of them raise :class:`StoreError`."""

    @property
    def is_writing(self) -> bool:
        """Whether something is being written by this process, or waits for that."""
        ...

    async def add_intakes(self, intakes: Sequence[Intake], lease: Lease, claim: Claim | None = None) -> Taken:
        """Write posts, deliveries and cursors together, and claim of the destinations that they touch.

        An intake whose feed is no longer leased to ``lease.owner`` is left out whole and named in ``Taken.stale``.
        """
        ...

    async def claim_feeds(self, sources: Sequence[str], lease: Lease, limit: int) -> Sequence[Feed]:
        """Lease feeds that are due, longest overdue first."""
        ...

    async def get_next_poll(self, sources: Sequence[str]) -> datetime | None:
        """When the next feed is due or its lease lapses."""
        ...

    async def get_last_poll(self) -> datetime | None:
        """When a feed was read last, by the clock of that moment."""
        ...

    async def save_jump(self, jump: timedelta, lease: Lease, longest: timedelta) -> None:
        """Bring what waits in line with a clock that jumped and says ``lease.now`` from then on.

        After a step back everything is due so much earlier. Leases of ``lease.owner`` last until ``lease.until``, and
        nobody's longer. What is due later than ``longest`` from now is due now; a jump of nothing does that alone.
        """
        ...

    async def save_due(self, due: Sequence[FeedId], now: datetime) -> Sequence[FeedId]:
        """Have feeds polled now; those that are being polled already, which are answered, stay as they are."""
        ...

    async def save_feed_leases(self, held: Sequence[FeedId], lease: Lease) -> None:
        """Hold on to feeds whose poll is still under way."""
        ...

    async def claim_rechecks(self, source: str, lease: Lease, limit: int) -> Sequence[Post]:
        """Posts of one origin that are due to be re-checked; they are due again when the lease lapses."""
        ...

    async def claim_looks(self, sources: Sequence[str], lease: Lease, limit: int) -> Sequence[Page]:
        """Threads of which it is to be asked whether they grew; they are due again when the lease lapses."""
        ...

    async def get_next_look(self, sources: Sequence[str]) -> datetime | None:
        """When the next thread is to be looked at."""
        ...

    async def save_look(self, root: PostUri, then: datetime | None) -> None:
        """Look at a thread again then; None: no more."""
        ...

    async def save_due_folds(self, now: datetime) -> datetime | None:
        """Have the folds sent that are due: they are deliveries from then on. When the next one is due."""
        ...

    async def claim_deliveries(self, claim: Claim, lease: Lease) -> Sequence[Delivery]:
        """The head of the queue of each due, unpaused, unleased destination; at most one delivery per destination."""
        ...

    async def save_settlements(
        self, settlements: Sequence[Settlement], lease: Lease, claim: Claim | None = None
    ) -> Sequence[Delivery]:
        """Write outcomes, free the destinations, claim what comes next. A lost lease's settlement changes nothing."""
        ...

    async def get_next_due(self, adapters: Sequence[str]) -> datetime | None:
        """When the next destination may be served or its lease lapses."""
        ...

    async def delete_leases(self, owner: str) -> None:
        """Give back what this owner still holds; deliveries in flight come back as interrupted."""
        ...

    async def save_subscriptions(self, origin: str, wanted: Sequence[Wanted]) -> Sequence[SubscriptionId]:
        """Make the subscriptions of this origin be exactly these; ids in the order of ``wanted``."""
        ...

    async def save_resolved(
        self, subscription: SubscriptionId, resolved: Mapping[str, Resolved], now: datetime
    ) -> None:
        """Link one subscription to its feeds and hashtags, as :meth:`save_links` does; more is to be asked for it."""
        ...

    async def save_links(self, linked: Sequence[Linking], mark: str, now: datetime) -> None:
        """Replace the links to the sources that answered; feeds are due at once where they are new or were stopped.

        Those to the other sources stay as they are, and a subscription that is gone is left alone. Where it is
        complete, ``mark`` says so: the settings of the sources by which that is true.
        """
        ...

    async def list_unlinked(
        self, origin: str, mark: str, after: SubscriptionId, limit: int
    ) -> tuple[SubscriptionId | None, Sequence[Unlinked]]:
        """Which of the next ``limit`` subscriptions are not linked by ``mark``, of those of the origin and the chats.

        And the last of the ``limit``, from which to read on; None: there are no more.
        """
        ...

    async def save_unlinked(self, sources: Sequence[str]) -> None:
        """Have those linked anew that are served by feeds of these sources that were stopped."""
        ...

    async def list_existing(self, subscribed: Sequence[SubscriptionId]) -> Sequence[SubscriptionId]:
        """Those that are not deleted."""
        ...

    async def get_subscriptions_version(self) -> int:
        """The number of the latest change to subscriptions; it grows with each."""
        ...

    async def list_subscriptions_page(self, after: SubscriptionId, limit: int) -> Sequence[Subscription]:
        """The next subscriptions in the order of their ids."""
        ...

    async def list_changes(self, since: int, limit: int) -> Changes | None:
        """At most ``limit`` of the changes to subscriptions after that number, also those of other processes.

        None: too many to be remembered; read all subscriptions anew.
        """
        ...

    async def wait_for_changes(self, within: timedelta) -> None:
        """Return when another process changed subscriptions, as far as that is told; ``within`` this time anyway."""
        ...

    async def add_subscription(self, wanted: Wanted, quota: Quota, by: By) -> Added | Full:
        """Add a subscription of origin ``chat``, with its audit row.

        ``Added.new`` is False where the destination has the same topic already, from whichever origin.
        """
        ...

    async def save_subscription(self, subscription: Subscription, by: By) -> bool:
        """Write its manner, languages, only, sieve, options and pause, with an audit row; False where it is gone."""
        ...

    async def delete_subscription(self, subscription: SubscriptionId, by: By) -> bool:
        """Delete one, and its feeds where nobody else reads them; False where it is gone.

        With the destination's last subscription goes what waits there and was not begun; while another is left, what
        waits may be its own, and is sent.
        """
        ...

    async def list_subscriptions(self, destination: Destination | None = None) -> Sequence[Subscription]: ...

    async def list_tags(self, destination: Destination, community: str, limit: int) -> Sequence[str]:
        """Hashtags as they were written, the most recent first: of the subscriptions that people at this destination
        may know of (those of its community and all public ones), and of the latest posts that were relayed for these.
        """
        ...

    async def list_audit(self, limit: int, destination: Destination | None = None) -> Sequence[Audit]:
        """The latest changes, newest first."""
        ...

    async def claim_lease(self, name: str, lease: Lease) -> bool:
        """Take or hold on to what only one process may own; False: another one has it until its lease lapses."""
        ...

    async def list_some_feeds(self, ids: Sequence[FeedId]) -> Sequence[FeedState]: ...  # those that are there

    async def list_feeds(self) -> Sequence[FeedState]: ...

    async def list_destinations(self) -> Sequence[DestinationState]: ...

    async def get_destination(self, destination: Destination) -> DestinationState | None: ...

    async def save_destination(
        self, destination: Destination, paused: str, now: datetime, by: By | None = None
    ) -> None:
        """Pause with a reason, or resume with an empty one; with an audit row where a person in a chat did it."""
        ...

    async def save_listed(self, destination: Destination, by: By, *, listed: bool) -> None:
        """Whether others may see which hashtags a destination follows; with an audit row."""
        ...

    async def save_lost(self, destinations: Collection[Destination], reason: str, now: datetime) -> Sequence[str]:
        """Pause those to which something is or was relayed, but for those that are paused already; which they are."""
        ...

    async def get_page(self, slug: str) -> Page | None: ...

    async def get_page_versions(self, slugs: Collection[str]) -> Mapping[str, PageVersion]:
        """What these pages are by now, in one cheap look; one that is not there is left out.

        Equal versions promise equal pages, whichever process changed what: edits, deletions, stops, opt-outs, growth.
        """
        ...

    async def get_list_versions(self, parts: Collection[ListPart]) -> Mapping[ListPart, ListVersion]:
        """The same of parts of lists, at the cost of one look at each thread in them."""
        ...

    async def get_page_of(self, ref: str) -> Page | None:
        """The page of the thread in which ``ref`` (uri, alias or web address) stands.

        Who only says that their post is at an address of somebody else's host is not found by it.
        """
        ...

    async def list_pages(self, limit: int) -> Sequence[Page]:
        """The latest threads of two posts or more whose authors allow lists, newest growth first."""
        ...

    async def list_tagged(self, tag: str, limit: int, after: str = "") -> Leaf:
        """The threads that may be listed and of which something was relayed on a folded hashtag, the latest first.

        None of a hashtag that no public subscription follows: whether others follow it is nobody's business.
        """
        ...

    async def list_by_author(self, slug: str, limit: int, after: str = "") -> Leaf:
        """The threads of two posts or more that may be listed, by the author of this page, newest growth first."""
        ...

    async def list_folded(self, slug: str, limit: int, after: str = "") -> Leaf | None:
        """The threads whose posts share the message of a fold, the latest first; None where there is no such fold.

        Whether they may be listed makes no difference here: :func:`relay.consent.showing` says what is shown of each.
        """
        ...

    async def list_followed(self) -> Sequence[str]:
        """The hashtags that public subscriptions in force follow, folded, each once: those of the configuration, and
        of the destinations that are listed."""
        ...

    async def save_own_stop(self, source: str, mention: Mention, now: datetime, until: datetime) -> Forgotten:
        """Hide all that the asker of a mention wrote, as they ask, and keep nothing of it again; erase it at ``until``.

        That it was carried out is noted at the mention. Messages are deleted as if the author had deleted the posts.
        """
        ...

    async def delete_own_stop(self, source: str, mention: Mention, now: datetime) -> Undone | None:
        """Undo what the asker asked for, and note that at the mention; None where there is nothing to undo."""
        ...

    async def save_author_stop(self, ref: str, now: datetime, until: datetime) -> Forgotten:
        """Hide all of the author whom ``ref`` names (uri, handle or profile), by the operator's decision."""
        ...

    async def save_post_stop(self, ref: str, now: datetime, until: datetime) -> Forgotten | None:
        """Hide the thread of the post that ``ref`` names; None where none is known by it."""
        ...

    async def get_stop_kind(self, ref: str) -> StopKind:
        """What ``ref`` names: an author, or else a post that is known; an author where it may be either."""
        ...

    async def delete_stop(self, ref: str, now: datetime) -> Undone | None:
        """Undo every stop of the author or the post that ``ref`` names; None where there is none."""
        ...

    async def list_stops(self) -> Sequence[Stop]:
        """All that stand, the latest first."""
        ...

    async def save_erased(self, now: datetime) -> int:
        """Erase what is hidden by stops whose time has passed; how many posts."""
        ...

    async def save_compact(self) -> bool:
        """Where something was erased since the last time, leave none of its bytes in the file; whether that was done.

        It takes some seconds for each gigabyte.
        """
        ...

    async def list_taken_out(self, posts: Sequence[Post]) -> Collection[PostUri]:
        """Which of these posts are not to be shown, by whichever stop."""
        ...

    async def save_visit(self, slug: str, now: datetime, *, asked: bool = False) -> None:
        """Note that a page is read or asked for; ``asked``: by the author, for good."""
        ...

    async def get_mentions_cursor(self, source: str, account: str) -> str:
        """How far the mentions of an account were read; empty: never."""
        ...

    async def add_mentions(
        self, source: str, account: str, mentions: Sequence[Heard], cursor: str | None, now: datetime
    ) -> None:
        """Keep what was said to an account, and how far it was read; what is known already stays as it is."""
        ...

    async def list_urgent(self, source: str, account: str, now: datetime, limit: int) -> Sequence[Asked]:
        """The stops, and their undoings, that are to be carried out, in the order in which they were asked for."""
        ...

    async def list_requests(self, source: str, account: str, now: datetime, share: Share) -> Sequence[Asked]:
        """The other mentions that may be looked at at once: stops that were carried out first, then the least tried."""
        ...

    async def get_next_request(self, source: str, account: str, now: datetime) -> datetime | None:
        """When the next mention is to be looked at that is not due by now."""
        ...

    async def claim_answer(self, source: str, uri: str, root: PostUri, now: datetime) -> bool:
        """Note that a mention begins to be answered; False: the same person has an answer about that thread."""
        ...

    async def save_request(
        self, source: str, uri: str, state: RequestState, *, answer: str = "", again: datetime | None = None
    ) -> None:
        """Settle a mention, and forget what it said; ``again``: look at it then, in the state that it has."""
        ...

    async def list_answers(self, source: str, account: str, since: datetime) -> Sequence[datetime]:
        """When the account answered lately, oldest first."""
        ...

    async def get_counts(self) -> Counts:
        """How many there are of each. It takes a millisecond, and some more where thousands wait."""
        ...

    async def get_trouble(self) -> str:
        """Why the last transaction that wanted to write could not: a full disk still lets everybody read.

        The rest of a sentence that begins with the database; empty where it could. Raises where nothing can be read.
        """
        ...

    async def get_note(self, owner: str, key: str, now: datetime) -> str | None:
        """What ``owner`` noted under ``key``; None of nothing, and of what was over by ``now``."""
        ...

    async def save_note(self, owner: str, key: str, value: str, until: datetime) -> None:
        """Note ``value`` until then, in the place of what stood there."""
        ...

    async def delete_old(self, before: datetime) -> int:
        """Forget posts from before with their settled deliveries, what people changed then, notes that were over then.

        How many posts.
        """
        ...

    async def save_checkpoint(self, *, compact: bool = False) -> bool:
        """Leave nothing of what was deleted in the database's log; False where that has to be tried again later.

        ``compact``, for after words were erased: leave nothing of it in unused parts of the file either. That takes
        some seconds for each gigabyte.
        """
        ...

    async def close(self, within: timedelta = timedelta(seconds=5)) -> None:
        """Let go of the database. What is under way has so long to end, then it is undone and raises."""
        ...
