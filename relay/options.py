"""The options of a subscription, each declared once: its filters (which posts), and how and when they come.

A field of :class:`Filters` or :class:`DeliveryOptions` is a whole option: its name, its default, what it takes, what
people are told of it, and, of a filter, which posts pass. The configuration's keys, the commands' parameters and
answers, the JSON in the store and the audit are made of the tables at the end; ``relay.core.option_types`` reads and
writes values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from relay.i18n import later

if TYPE_CHECKING:
    from relay.core.filters import Reading

T = TypeVar("T")


class Kind(StrEnum):
    """What an option, or a parameter of a command, takes; decides how it is read, and what a platform offers."""

    TOPIC = "topic"
    """A hashtag, an account, a thread's or a feed's address."""
    OWN = "own"
    """One of the destination's own subscriptions: its topic, or its number in ``/subscriptions``."""
    PLACE = "place"
    """Another destination; the adapter reads it and never hands it on."""
    NETWORKS = "networks"
    LINK = "link"
    LANGUAGES = "languages"
    CHOICE = "choice"
    WORDS = "words"
    """Words and phrases, with commas between them."""
    PATTERN = "pattern"
    """A regular expression (RE2)."""
    BLOCK = "block"
    """Accounts and servers, with commas or spaces between them."""
    AGE = "age"
    """A span of time, like 30d; a number alone is days."""
    PERIOD = "period"
    """Whole hours up to a day, or whole days."""
    NUMBER = "number"
    TIME = "time"
    """A time of day, with a time zone behind it or without."""
    HOURS = "hours"
    """From one time of day to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """All that is known of one option. Texts are in English: keys for ``relay.language``."""

    default: Any
    kind: Kind
    summary: str
    labels: Mapping[Any, str] = field(default_factory=dict)
    """Of a CHOICE: its values, each with what people read for it."""
    least: int = 0
    most: int = 0
    """Of a NUMBER, where it begins and ends."""
    unset: str = ""
    """What people read where nothing is set; empty: the option is not shown then."""
    short: str = ""
    """Of a filter: what people read where several stand on one line; empty: the label."""
    passes: Callable[[Any, Reading], bool] | None = None
    """Of a filter: whether a post passes, where it is set to this value. None: it is not asked of the post alone."""
    searches: bool = False
    """It searches the text, and is asked after those that do not."""

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        return tuple((value.value, label) for value, label in self.labels.items())

    def shown(self, value: Any) -> bool:
        """Whether there is something to say of it: a choice always, anything else where it is set."""
        return value is not None and (self.kind is Kind.CHOICE or value != self.default)


def _option(default: T, kind: Kind, summary: str, **more: Any) -> T:
    """A field that is an option of its name."""
    return field(default=default, metadata={"option": Option(default=default, kind=kind, summary=summary, **more)})


class Only(StrEnum):
    """Which of a topic's posts are wanted."""

    ALL = "all"
    MEDIA = "media"
    """Posts with a picture, a video or a sound."""
    TEXT = "text"
    """Posts without media of any kind."""
    LINKS = "links"
    """Posts that link to something: in their text, or as the preview that the network made of a link."""
    ORIGINALS = "originals"
    """Posts that answer nobody else: they start a conversation, or go on with the author's own thread."""


class Sensitive(StrEnum):
    """Which posts are wanted of those that their authors marked as sensitive, or put behind a content warning."""

    ALL = "all"
    HIDE = "hide"
    ONLY = "only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which posts a subscription wants. An empty one lets everything through."""

    language: tuple[str, ...] = _option(
        (),
        Kind.LANGUAGES,
        later("Only posts in these languages, for example: es, qu"),
        unset=later("every language"),
        short=later("in {value}"),
        passes=lambda languages, reading: reading.is_in(languages),
    )
    """Language tags; posts in other languages are not wanted, posts whose language nobody said are. Empty: all."""
    only: Only = _option(
        Only.ALL,
        Kind.CHOICE,
        later("Which kinds of posts"),
        labels={
            Only.ALL: later("all posts"),
            Only.MEDIA: later("posts with pictures, video or sound"),
            Only.TEXT: later("posts without pictures, video or sound"),
            Only.LINKS: later("posts with a link"),
            Only.ORIGINALS: later("no replies to others"),
        },
        passes=lambda only, reading: reading.is_kind(only),
    )
    sensitive: Sensitive = _option(
        Sensitive.ALL,
        Kind.CHOICE,
        later("Sensitive posts and posts with a content warning"),
        labels={
            Sensitive.ALL: later("all posts"),
            Sensitive.HIDE: later("no sensitive posts and no content warnings"),
            Sensitive.ONLY: later("only sensitive posts and posts with a content warning"),
        },
        passes=lambda wanted, reading: (
            bool(reading.post.sensitive or reading.post.warning) is (wanted is Sensitive.ONLY)
        ),
    )
    words: tuple[str, ...] = _option(
        (),
        Kind.WORDS,
        later("Only posts with one of these words or phrases, for example: bridge, rope bridge"),
        short=later("with {value}"),
        passes=lambda words, reading: reading.has_one_of(words),
        searches=True,
    )
    """Words and phrases of which the post must have one, in whatever case and with whatever accents. Empty: any."""
    without: tuple[str, ...] = _option(
        (),
        Kind.WORDS,
        later("No posts with any of these words or phrases"),
        short=later("without {value}"),
        passes=lambda words, reading: not reading.has_one_of(words),
        searches=True,
    )
    """Words and phrases of which it must have none."""
    pattern: str = _option(
        "",
        Kind.PATTERN,
        later("Only posts that match this regular expression"),
        short=later("matching {value}"),
        passes=lambda pattern, reading: reading.matches(pattern),
        searches=True,
    )
    """A regular expression (RE2) that must be found in it."""
    block: tuple[str, ...] = _option(
        (),
        Kind.BLOCK,
        later("No posts by these accounts or servers, for example: @who@ayllu.example, ayllu.example"),
        short=later("not from {value}"),
        passes=lambda names, reading: reading.whose.isdisjoint(names),
    )
    """Whose posts are not wanted: accounts (``@who@host``), and servers (``host``) with all below them."""
    min_age: timedelta = _option(
        timedelta(0),
        Kind.AGE,
        later("Only posts by accounts at least this old, for example: 30d"),
        short=later("from accounts at least {value} old"),
        passes=lambda age, reading: not reading.is_of_account_younger_than(age),
    )
    """How old the author's account must be; one whose age nobody says is old enough."""
    per_hour: int = _option(
        0,
        Kind.NUMBER,
        later("The most posts by one author in an hour"),
        most=1_000,
        short=later("at most {value} an hour by one author"),
    )
    """How many posts of one author are wanted within an hour, those that go on with a thread too; 0: all.

    :class:`relay.core.match.Ration` counts them, after everything else was asked.
    """


NO_FILTERS = Filters()
"""What lets everything through."""


class Mode(StrEnum):
    """What becomes one message."""

    THREADS = "threads"
    """A thread: the first of its posts that is wanted, with a count that grows."""
    POSTS = "posts"
    """Each post."""
    DIGEST = "digest"
    """All that came within a while, the best of it first."""


class Follow(StrEnum):
    """What becomes of a thread's later posts, where a thread is one message."""

    COUNT = "count"
    """They count, and can be read on the page."""
    REPLIES = "replies"
    """They are posted under the first one besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """How and when a subscription's posts come."""

    mode: Mode = _option(
        Mode.THREADS,
        Kind.CHOICE,
        later("How posts are grouped into messages"),
        labels={
            Mode.THREADS: later("one message per thread, with a count of its posts"),
            Mode.POSTS: later("one message per post"),
            Mode.DIGEST: later("one message from time to time with the best posts"),
        },
    )
    follow: Follow | None = _option(
        None,
        Kind.CHOICE,
        later("What happens to a thread's later posts"),
        labels={
            Follow.COUNT: later("they are counted and shown on the thread's page"),
            Follow.REPLIES: later("they are also posted under the first one"),
        },
    )
    """None: they count; where messages cannot be edited, they are posted under the first one."""
    every: timedelta = _option(
        timedelta(days=1), Kind.PERIOD, later("How much time a digest covers, for example: 1h, 6h, 1d")
    )
    """Of digests: how long one gathers; an hour or more."""
    at: str = _option("", Kind.TIME, later("When a daily digest arrives, for example: 08:00 America/Lima"))
    """Of daily digests: the time of day at which one comes, and whose (``08:00 America/Lima``); empty: 08:00 UTC."""
    quiet: str = _option(
        "", Kind.HOURS, later("Quiet hours without new messages, for example: 22:00-07:00 America/Lima")
    )
    """When nothing new is to be brought (``22:00-07:00 America/Lima``): it comes as one message when that is over."""
    budget: int | None = _option(
        None,
        Kind.NUMBER,
        later("The most messages an hour; further posts share one message. 0: no limit"),
        most=10_000,
    )
    """Messages an hour at most, counted for this subscription alone; 0: any number. None: the destination's budget."""
    burst: int | None = _option(None, Kind.NUMBER, later("The most messages at once"), least=1, most=10_000)
    """How many of them may come at once. None: as the outbox says."""


USUAL_DELIVERY = DeliveryOptions()


# --- the tables ---


def _table(record: type[Filters | DeliveryOptions]) -> Mapping[str, Option]:
    return {one.name: one.metadata["option"] for one in fields(record)}


FILTERS = _table(Filters)
DELIVERY_OPTIONS = _table(DeliveryOptions)


def values(record: Filters | DeliveryOptions) -> Iterator[tuple[str, Option, Any]]:
    """Each option with its name and its value in ``record``."""
    table = FILTERS if isinstance(record, Filters) else DELIVERY_OPTIONS
    return ((name, option, getattr(record, name)) for name, option in table.items())
