"""The source that reads Mastodon and its kin: as a visitor, and with an account's token where the settings name one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from urllib.parse import unquote

from relay.core.authenticity import Vouching, is_from_home, standing, with_quoted_words
from relay.core.hashtag import fold
from relay.http import Http
from relay.model import Deleted, Edited, Event, Feed, Post
from relay.plugins import PluginStorage
from relay.ports import (
    Account,
    Answered,
    Batch,
    Check,
    Gone,
    Mention,
    Mentions,
    Refused,
    Resolved,
    Streamed,
    TryLater,
    Watched,
)
from relay.sources.kit import Denied, Failure, Missing, Ok, Unexpected
from relay.sources.mastodon import address, tags, thread
from relay.sources.mastodon.about import About
from relay.sources.mastodon.about import instance as asked
from relay.sources.mastodon.address import AccountAddress, Found
from relay.sources.mastodon.api import Listed, MastodonApi
from relay.sources.mastodon.budget import Budgets
from relay.sources.mastodon.copies import is_news
from relay.sources.mastodon.handles import find_actor
from relay.sources.mastodon.home import Fate, Homes, HomeUnknown
from relay.sources.mastodon.kinds import Speech, refusal
from relay.sources.mastodon.live import InstanceListener, LiveTimeouts
from relay.sources.mastodon.mentions import LISTEN, POSTING, TokenAccounts
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.moved import moved
from relay.sources.mastodon.parse import SOURCE, alias, local_id, read_author, read_post
from relay.sources.mastodon.settings import MastodonSettings
from relay.sources.mastodon.shapes import Access, Configuration, Instance, Raw, StatusAccount, read
from relay.sources.mastodon.tag_rss import read_page
from relay.sources.mastodon.tags import InvalidTag, TagQuery
from relay.sources.mastodon.timeline import Timelines
from relay.sources.off_loop import off_loop
from relay.text import clean


class MastodonSource:
    """Hashtags on one or more servers, accounts on any, and threads.

    It holds its settings, and what may be forgotten: what servers are, what they were asked, the last copies of posts.
    """

    def __init__(
        self,
        settings: MastodonSettings,
        http: Http,
        notes: PluginStorage | None = None,
        *,
        patience: LiveTimeouts | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        self.name = SOURCE
        self.interval = settings.interval
        self.sweep = settings.sweep
        self._api = MastodonApi(http, settings.instances, settings.tokens, budgets or Budgets())
        self._about = About(self._api, notes or PluginStorage())
        self._homes = Homes(self._about)
        self._live: set[str] = set()
        self._timelines = Timelines(self._homes, settings.interval, self._live)
        self._patience = patience or LiveTimeouts()
        self.listen, self.posting = min(LISTEN, settings.interval), POSTING
        self._mentions = settings.mentions
        self._voice = TokenAccounts(self._api, self._homes.handles)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return await resolve(self._about, topic)

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await self._timelines.poll(feed)

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        return await recheck(self._homes, posts)

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        found = await thread.fetch_thread(self._about, ref)
        return await self._homes.handles.of_posts(found) if isinstance(found, Sequence) else found

    async def check(self) -> Sequence[Check]:
        instances = (check(self._about, address) for address in self._api.instances)
        return await asyncio.gather(*instances, *map(self._voice.check, self._mentions))

    def streams(self) -> Sequence[str]:
        """The instances. Those that tell visitors nothing are silent; which they are is asked when it matters."""
        return self._api.instances

    async def stream(self, name: str, watched: Watched, cursor: str) -> AsyncGenerator[Streamed]:
        """Hashtags, as they come; accounts have no stream for the public."""
        del cursor  # a stream of this kind cannot be read from a place on
        listener = InstanceListener(
            homes=self._homes,
            base=name,
            watched=watched,
            live=self._live,
            patience=self._patience,
        )
        async with aclosing(listener.listen()) as told:
            async for streamed in told:
                yield streamed

    # --- mentions ---

    def accounts(self) -> Sequence[str]:
        """The instances at which the account behind the token answers."""
        return self._mentions

    async def account(self, name: str) -> Account | TryLater | Gone:
        return await self._voice.account(name)

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        return await self._voice.mentions(name, cursor)

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        return await self._voice.answer(name, mention, text, key=key, again=again)


# --- asks a server whether hashtags may be read there ---


_OWN = "shows visitors only the posts of its own users"
_RSS = "shows visitors hashtags only as RSS"
_CLOSED = "does not show hashtags to visitors; choose another instance, or put a token under [sources.mastodon.tokens]"
_STRANGER = "does not speak the language of Mastodon servers"
_LIVE = "live"


async def check(about: About, base: str) -> Check:
    """By what the server says of itself (since 4.5), else by trying; with a token always by trying."""
    software, token = await about.software(base), about.api.token(base)
    named = str(software) if software else ""
    if software and (reason := refusal(software.kind, base, token=bool(token))):
        return _check(base, reason, ok=False)
    if software and software.kind.speech is Speech.MISSKEY:
        ok, says = _judge_page(await misskey.read_tag(about.api, base, TagQuery(SOURCE), None))
        return _check(base, named, says or _LIVE, ok=ok)
    told = await asked(about.api, base)
    if isinstance(told, TryLater | Gone):
        return _check(base, told.reason, ok=False)
    access = _access(told)
    if token:
        ok, says = _judge_page(await about.api.get_list(tags.address(base, TagQuery(SOURCE)), [("limit", "1")]))
        says = says or (_LIVE if software and software.kind.streams else "")
    else:
        ok, says = _judge(access) if access else await _probe(about.api, base)
    return _check(base, named or _version(told), says, ok=ok)


def _check(base: str, *notes: str, ok: bool) -> Check:
    return Check(name=f"{SOURCE} {base.partition('://')[2]}", ok=ok, note=" · ".join(note for note in notes if note))


def _version(told: Instance | None) -> str:
    return clean(told.version or "", limit=60) if told else ""


def _access(told: Instance | None) -> Access | None:
    configuration = read(told.configuration, Configuration) if told else None
    timelines = configuration.timelines_access if configuration else None
    return timelines.hashtag_feeds if timelines else None


def _judge(access: Access) -> tuple[bool, str]:
    match access.local, access.remote:
        case "public", "public":
            return True, ""
        case "public", _:
            return True, _OWN
        case _:
            return False, _CLOSED


async def _probe(api: MastodonApi, base: str) -> tuple[bool, str]:
    feed = tags.address(base, TagQuery(SOURCE))
    answer = await api.get_list(feed, [("limit", "1")])
    if not isinstance(answer, Denied):
        return _judge_page(answer)
    if isinstance(await api.get_list(feed, [("limit", "1"), ("local", "true")]), Listed):
        return True, _OWN
    return (True, _RSS) if isinstance(await read_page(api, base, SOURCE), Listed) else (False, _CLOSED)


def _judge_page(answer: Listed | Missing | Denied | Unexpected | TryLater | Gone) -> tuple[bool, str]:
    match answer:
        case Listed() | Missing(sure=True):
            return True, ""
        case Missing() | Unexpected():
            return False, _STRANGER
        case Denied():
            return False, answer.later().reason
        case _:
            return False, answer.reason


# --- says what a topic means: hashtags by their looks, accounts by asking ---


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


# --- asks what became of posts: edited, deleted, or nothing at all ---


async def recheck(homes: Homes, posts: Sequence[Post]) -> Batch | TryLater | Gone:
    """Ask where the posts were read. What that server says of other servers' people is asked of their own servers."""
    answer = await _ask(homes.about, posts)
    if not isinstance(answer, Batch):
        return answer
    told: dict[str, Event | None] = {_about(event): event for event in answer.events}
    fates = await homes.ask(post for post in posts if post.uri in told and not is_from_home(post))
    for post in posts:
        if post.uri in fates:
            told[post.uri] = _settled(post, told[post.uri], fates[post.uri], homes.about.api.instances)
    return Batch(events=tuple(await homes.handles.named([event for event in told.values() if event])))


def _settled(known: Post, told: Event | None, fate: Fate, configured: Collection[str]) -> Event | None:
    """What the author's own server says; where it cannot say, what a trusted server told."""
    match fate:
        case Post():  # the store knows whether anything changed
            return Edited(with_quoted_words(fate, told.post) if isinstance(told, Edited) else fate)
        case Missing():
            return Deleted(known.uri)
        case HomeUnknown.SILENT if standing(known.origin, known.author.uri, configured) is Vouching.TRUSTED:
            return told
        case _:
            return None


def _about(event: Event) -> str:
    return event.ref if isinstance(event, Deleted) else event.post.uri


async def _ask(about: About, posts: Sequence[Post]) -> Batch | TryLater | Gone:
    """One request for all (Mastodon 4.3), and one for each that is not in its answer.

    To be absent means nothing yet: servers before 4.3 and others do not know the question. A post is deleted when the
    API says of this one post that there is none; then it may also be hidden from us, which comes to the same.
    """
    api, instance = about.api, posts[0].origin
    kind = await about.kind(instance)
    if kind.speech is Speech.MISSKEY:
        return await misskey.recheck(api, posts)
    known = {identifier: post for post in posts for identifier in _ids(post, instance)}
    if not known:
        return Batch()
    params = [(kind.many, identifier) for identifier in known]
    listed = await api.get_list(f"{instance}/api/v1/statuses", params) if kind.many else Listed({})
    if isinstance(listed, TryLater | Gone):
        return listed
    if isinstance(listed, Denied):
        return listed.later()
    found = listed.items if isinstance(listed, Listed) else {}
    events = await off_loop(sum(map(len, found.values())), lambda: _edits(known, found, api.instances))
    for identifier in (i for i in known if i not in found):
        answer = await api.get(alias(instance, identifier))
        if isinstance(answer, TryLater | Gone):
            return answer
        size = len(answer.body) if isinstance(answer, Ok) else 0
        events += await off_loop(size, partial(_fate, known[identifier], answer, api.instances))
    return Batch(events=tuple(events))


def _ids(post: Post, instance: str) -> list[str]:
    names = (unquote(local_id(name, instance)) for name in post.aliases)
    return [name for name in names if name][:1]


def _edits(known: Mapping[str, Post], found: Mapping[str, Raw], configured: Collection[str]) -> list[Event]:
    return [event for i, post in known.items() if i in found for event in _edit(post, found[i], configured)]


def _edit(known: Post, raw: bytes | Raw, configured: Collection[str]) -> list[Event]:
    post = read_post(raw, known.origin, configured)
    return [Edited(post)] if post and is_news(known, post) else []


def _fate(known: Post, answer: Ok | Failure, configured: Collection[str]) -> list[Event]:
    match answer:
        case Ok(body):
            return _edit(known, body, configured)
        case Missing(sure=True):
            return [Deleted(known.uri)]
        case _:  # closed, or something odd in front of it: that says nothing about the post
            return []
