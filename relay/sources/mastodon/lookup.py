"""Says what a topic means: hashtags by their looks, accounts by asking."""

from __future__ import annotations

from collections.abc import Sequence

from relay.core.authenticity import Vouching, standing
from relay.core.hashtag import fold
from relay.ports import Gone, Refused, Resolved, TryLater
from relay.sources.kit import Denied, Failure, Ok
from relay.sources.mastodon import address, tags
from relay.sources.mastodon.about import About
from relay.sources.mastodon.address import AccountAddress, Found
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.handles import find_actor
from relay.sources.mastodon.kinds import Speech
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.moved import moved
from relay.sources.mastodon.parse import SOURCE, read_author
from relay.sources.mastodon.shapes import StatusAccount, read
from relay.sources.mastodon.tags import InvalidTag, TagQuery


async def resolve(about: About, topic: str) -> Resolved | Refused | TryLater:
    """``#tag`` needs no network; ``@who@host`` and a profile's address are looked up."""
    text, instances = topic.strip(), about.api.instances
    if (wanted := tags.read_topic(text)) is not None:
        return _hashtags(wanted, instances)
    if community := address.read_community(text):
        return Refused(f"communities of Lemmy are read by their feeds; this one is {community}")
    parse = address.read_link if "://" in text else address.read_handle
    where = parse(text, instances)
    match where:
        case AccountAddress():
            return await _account(about, where)
        case address.StatusAddress():
            return Refused(f"{text} is the address of a post whose thread cannot be read")
        case _:
            return Refused(_explain(text))


def _hashtags(wanted: Sequence[TagQuery] | InvalidTag, instances: Sequence[str]) -> Resolved | Refused:
    """Of several hashtags the feeds decide what is wanted; of one alone each post that has it is."""
    if isinstance(wanted, InvalidTag):
        return Refused(f"#{wanted.word} is no hashtag: it takes letters, digits and _, and at least one letter")
    feeds = tuple(tags.address(instance, tagged) for tagged in wanted for instance in instances)
    alone = len(wanted) == 1 and not (wanted[0].all or wanted[0].none)
    return Resolved(feeds=feeds, tag=fold(wanted[0].tag, SOURCE) if alone else "", title=tags.title(wanted))


async def _account(about: About, profile: AccountAddress) -> Resolved | Refused | TryLater:
    """Its own server is asked first; the others may know it where that one is closed, or is reached by another name."""
    api = about.api
    asks = {profile.base: profile.who}
    asks |= {instance: f"{profile.who}@{profile.home}" for instance in api.instances if instance != profile.base}
    answers: list[Ok | Failure] = []
    for base, name in asks.items():
        found = await _find(api, base, name)
        if not isinstance(found, Found) and base == profile.base:
            found = await _find_elsewhere(about, profile, found)
        if isinstance(found, Found):
            return Resolved(feeds=(found.feed,), title=str(profile), account=True, note=found.note)
        answers.append(found)
    verdict = _verdict(profile, answers)
    return await _pointed(about, profile, verdict) if isinstance(verdict, Refused) else verdict


async def _find_elsewhere(about: About, profile: AccountAddress, found: Ok | Failure) -> Found | Ok | Failure:
    """By Misskey's API; or at the server that the domain's WebFinger names, which may have another address."""
    if (await about.kind(profile.base)).speech is Speech.MISSKEY:
        return await misskey.find_account(about.api, profile)
    scheme = profile.base.partition("://")[0]
    uri = await find_actor(about.api, scheme, profile.who, profile.home) or ""
    host = address.host_of(uri)
    base = f"{uri.partition('://')[0]}://{host}"
    if not host or base == profile.base:
        return found
    if (await about.kind(base)).speech is Speech.MISSKEY:
        return await misskey.find_account(about.api, AccountAddress(profile.who, host, base))
    return await _find(about.api, base, f"{profile.who}@{profile.home}", uri=uri)


async def _find(api: MastodonApi, base: str, name: str, *, uri: str = "") -> Found | Ok | Failure:
    """The address of the account's feed, or why there is none; ``uri``: it has to be this account."""
    answer = await api.get(f"{base}/api/v1/accounts/lookup", [("acct", name)])
    account = read(answer.body, StatusAccount) if isinstance(answer, Ok) else None
    if account is None or not isinstance(answer, Ok):
        return answer
    there = address.instance_of(answer.url)
    if not account.id or not _is_believed(api, account, there, uri):
        return answer
    return Found(address.account_feed(there, str(account.id)), moved(account, there))


async def _pointed(about: About, profile: AccountAddress, refused: Refused) -> Refused:
    """Where the account is at home on something that is not read here, its own feed may be."""
    software = await about.software(profile.base)
    if software is None or not software.kind.feed:
        return refused
    feed = profile.base + software.kind.feed.format(who=profile.who)
    return Refused(f"{refused.reason}; {profile.home} runs {software.kind.label}: perhaps its feed helps, {feed}")


def _is_believed(api: MastodonApi, account: StatusAccount, base: str, uri: str) -> bool:
    """Whether the account is the one that is looked for, and one that the server may speak for."""
    who = read_author(account, base)
    if who is None or standing(base, who.uri, api.instances) is Vouching.STRANGER:
        return False
    return not uri or who.uri == uri


def _verdict(profile: AccountAddress, answers: Sequence[Ok | Failure]) -> Refused | TryLater:
    """Nobody knows the account; where somebody could not say, it may be known later."""
    for answer in answers:
        match answer:
            case TryLater():
                return answer
            case Denied():
                return answer.later()
            case _:
                continue
    forbidden = next((answer.reason for answer in answers if isinstance(answer, Gone)), "")
    asked = f"neither {profile.home} nor the configured instances know it"
    return Refused(f"no such account {profile}: {forbidden or asked}")


def _explain(text: str) -> str:
    if text.startswith("@"):
        return f"{text} names no server; write it like @who@mastodon.social"
    return f"{text} is no account or hashtag on a Mastodon server; write it like #tag or @who@mastodon.social"
