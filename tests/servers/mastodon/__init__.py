"""A Mastodon server on loopback, with a newspaper's feed next door: what a reader, a stream and a bot's token get."""

from tests.servers.mastodon.entities import Draft, Person, Picture
from tests.servers.mastodon.news import Item
from tests.servers.mastodon.server import Mastodon

__all__ = ["Draft", "Item", "Mastodon", "Person", "Picture"]
