"""Says what a topic means: hashtags by their looks, accounts by asking."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category

from relay.hashtag import fold
from relay.ports import Gone, Refused, Resolved, TryLater
from relay.sources.mastodon import address
from relay.sources.mastodon.address import Profile
from relay.sources.mastodon.answers import Closed, Told, Trouble
from relay.sources.mastodon.api import Api
from relay.sources.mastodon.parse import SOURCE
from relay.sources.mastodon.shapes import Account, read

_JOINERS = "_·・\u200c"


async def resolve(api: Api, topic: str) -> Resolved | Refused | TryLater:
    """``#tag`` needs no network; ``@who@host`` and a profile's address are looked up."""
    text = topic.strip()
    if text.startswith(("#", "＃")):
        return _hashtag(text[1:], api.instances)
    parse = address.read_link if "://" in text else address.read_handle
    where = parse(text, api.instances)
    match where:
        case Profile():
            return await _account(api, where)
        case address.Status():
            return Refused(f"following one thread comes later; `relay unroll {text}` shows it now")
        case _:
            return Refused(_explain(text))


def _hashtag(tag: str, instances: Sequence[str]) -> Resolved | Refused:
    folded = fold(tag, SOURCE)  # which leaves out what cannot be in a hashtag
    if not folded or any(category(c)[0] in "PSZC" and c not in _JOINERS for c in tag):
        return Refused(f"#{tag} is no hashtag: it takes letters, digits and _, and at least one letter")
    return Resolved(feeds=tuple(address.tag_feed(instance, tag) for instance in instances), tag=folded, title=f"#{tag}")


async def _account(api: Api, profile: Profile) -> Resolved | Refused | TryLater:
    """Its own server is asked first; the others may know it where that one is closed, or is reached by another name."""
    asks = {profile.base: profile.who}
    asks |= {instance: f"{profile.who}@{profile.home}" for instance in api.instances if instance != profile.base}
    answers: list[Told | Trouble] = []
    for base, name in asks.items():
        answer = await api.get(f"{base}/api/v1/accounts/lookup", [("acct", name)])
        if isinstance(answer, Told) and (identifier := _identifier(api, answer)):
            feed = address.account_feed(address.instance_of(answer.url), identifier)
            return Resolved(feeds=(feed,), title=str(profile))
        answers.append(answer)
    return _verdict(profile, answers)


def _identifier(api: Api, answer: Told) -> str:
    """The account's id; empty where the answer is about none, or about one that the server does not speak for."""
    account, base = read(answer.body, Account), address.instance_of(answer.url)
    own = account and address.host_of(account.uri or account.url or "") == address.host_of(base)
    return str(account.id or "") if account and (own or base in api.instances) else ""


def _verdict(profile: Profile, answers: Sequence[Told | Trouble]) -> Refused | TryLater:
    """Nobody knows the account; where somebody could not say, it may be known later."""
    for answer in answers:
        match answer:
            case TryLater():
                return answer
            case Closed():
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
