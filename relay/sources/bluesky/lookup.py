"""Says what a topic means: hashtags by their looks, accounts by asking."""

from __future__ import annotations

from relay.core.hashtag import fold
from relay.ports import Gone, Refused, Resolved, TryLater
from relay.sources.bluesky.address import Actor, RecordAddress, read_topic, tag_feed
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import SOURCE, read_author
from relay.sources.bluesky.xrpc import XrpcApi
from relay.sources.kit import Missing, Ok, Unexpected
from relay.text import graphemes

_LONGEST_TAG = 64


async def resolve(api: XrpcApi, topic: str) -> Resolved | Refused | TryLater:
    """``#tag`` needs no network; ``@who.bsky.social``, a DID and a profile's address are looked up."""
    text = topic.strip()
    if text.startswith(("#", "＃")):
        return _hashtag(text[1:])
    where = read_topic(text)
    match where:
        case Actor():
            return await _account(api, where)
        case RecordAddress():
            return Refused(f"{text} is the address of a post whose thread cannot be read")
        case None:
            return Refused(_explain(text))


def _hashtag(tag: str) -> Resolved | Refused:
    """After ``TAG_REGEX`` of the reference: no white space in it, and something in it beside digits and punctuation."""
    folded = fold(tag, SOURCE)
    if not folded or tag.split() != [tag] or tag.startswith("#") or len(graphemes(tag)) > _LONGEST_TAG:
        return Refused(f"#{tag} is no hashtag: it takes at least one letter, no spaces, and 64 characters at most")
    return Resolved(feeds=(tag_feed(tag.lower()),), tag=folded, title=f"#{tag}")


async def _account(api: XrpcApi, actor: Actor) -> Resolved | Refused | TryLater:
    """By DID, which stays when the handle changes."""
    answer = await api.ask("app.bsky.actor.getProfile", [("actor", actor.who)])
    match answer:
        case Ok():
            return _told(actor, answer)
        case Missing(host):
            return Refused(f"no such account {actor}: {host} does not know it")
        case Gone(reason):
            return Refused(reason)
        case TryLater():
            return answer
        case _:
            return answer.later()


def _told(actor: Actor, answer: Ok) -> Resolved | Refused | TryLater:
    match read_author(answer.body):
        case Withheld(reason):
            return Refused(f"{actor} cannot be followed from outside: {reason}")
        case None:
            return Unexpected(answer.host).later()
        case author:
            return Resolved(feeds=(author.uri,), title=author.handle or author.uri, account=True)


def _explain(text: str) -> str:
    if text.startswith("@") and "@" in text[1:]:
        return f"{text} is an address in the Fediverse, not on Bluesky"
    if text.startswith("@"):
        return f"{text} is no handle on Bluesky; write it in full, like @who.bsky.social"
    return f"{text} is no account or hashtag on Bluesky; write it like #tag or @who.bsky.social"
