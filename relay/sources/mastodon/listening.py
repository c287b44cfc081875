"""Which feeds a stream serves, and what its frames mean for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from relay.core.hashtag import fold
from relay.model import Deleted, Edited, Event, Post, Published
from relay.sources.mastodon import tags
from relay.sources.mastodon.address import instance_of
from relay.sources.mastodon.parse import SOURCE, alias
from relay.sources.mastodon.tags import TagQuery

FeedEvent = tuple[str, Event]
"""A feed's address, or an empty one, and what happened."""


@dataclass(frozen=True, slots=True)
class WantedTags:
    """The hashtag feeds of one server."""

    base: str
    feeds: Mapping[str, TagQuery] = field(default_factory=dict)
    """By address."""
    by_tag: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The addresses, by folded hashtag."""

    @property
    def names(self) -> dict[str, str]:
        """How each hashtag is asked for, by its folded form."""
        return {folded: self.feeds[addresses[0]].tag for folded, addresses in self.by_tag.items()}

    def of_tags(self, folded: Iterable[str]) -> frozenset[str]:
        """The addresses of the feeds of these hashtags."""
        return frozenset(address for tag in folded for address in self.by_tag.get(tag, ()))

    def published(self, tag: str, post: Post) -> tuple[FeedEvent, ...]:
        """For each feed that the post is in."""
        return tuple((address, Published(post)) for address in self._meant(tag, post))

    def edited(self, tag: str, post: Post) -> tuple[FeedEvent, ...]:
        return tuple((address, Edited(post)) for address in self._meant(tag, post))

    def deleted(self, identifier: str) -> tuple[FeedEvent, ...]:
        return (("", Deleted(alias(self.base, identifier))),)

    def _meant(self, tag: str, post: Post) -> Iterator[str]:
        """Where a server says in which stream a post came, it comes once for each: those feeds alone are meant."""
        own = {fold(name, SOURCE) for name in post.tags}
        told = fold(tag, SOURCE)
        for folded in [told] if told in self.by_tag else sorted(own):
            for address in self.by_tag.get(folded, ()):
                if not post.unlisted and self.feeds[address].wants(post.tags):
                    yield address


def wanted_at(base: str, addresses: Iterable[str]) -> WantedTags:
    """Of all feeds, those of hashtags at one server."""
    feeds = {
        address: tagged
        for address in addresses
        if instance_of(address) == base and (tagged := tags.read_address(address)) is not None
    }
    by_tag: dict[str, tuple[str, ...]] = {}
    for address, tagged in feeds.items():
        folded = fold(tagged.tag, SOURCE)
        by_tag[folded] = (*by_tag.get(folded, ()), address)
    return WantedTags(base, feeds, by_tag)
