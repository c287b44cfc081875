"""The two ways in which servers tell of hashtags on a websocket. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from relay.sources.mastodon import frames
from relay.sources.mastodon.frames import Changed, Complaint, New, Removed
from relay.sources.mastodon.listening import Told, Wanted
from relay.sources.mastodon.misskey import channel
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import read_post


@dataclass(frozen=True, slots=True)
class Tongue:
    """What is sent to begin and to end with a hashtag, and what a frame means, by the servers in the settings."""

    subscribe: Callable[[str], str]
    unsubscribe: Callable[[str], str]
    hear: Callable[[str, Wanted, Collection[str]], Sequence[Told] | Complaint]


def _mastodon(text: str, wanted: Wanted, configured: Collection[str]) -> Sequence[Told] | Complaint:
    said = frames.read_frame(text)
    match said:
        case New(tag, status):
            post = read_post(status, wanted.base, configured)
            return wanted.published(tag, post) if post else ()
        case Changed(tag, status):
            post = read_post(status, wanted.base, configured)
            return wanted.edited(tag, post) if post else ()
        case Removed(identifier):
            return wanted.deleted(identifier)
        case Complaint():
            return said
        case None:
            return ()


def _misskey(text: str, wanted: Wanted, configured: Collection[str]) -> Sequence[Told] | Complaint:
    """It tells of new notes only: edits and deletions are found by re-checks."""
    del configured  # of a quote there is the link alone
    if (found := channel.read_frame(text)) is None:
        return ()
    tag, raw = found
    post = read_note(raw, wanted.base)
    return wanted.published(tag, post) if post else ()


MASTODON = Tongue(frames.subscribe, frames.unsubscribe, _mastodon)
MISSKEY = Tongue(channel.connect, channel.disconnect, _misskey)
