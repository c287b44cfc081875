"""Asks what became of posts: edited, deleted, or nothing at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from urllib.parse import unquote

from relay.core.authenticity import Vouching, is_from_home, standing, with_quoted_words
from relay.model import Deleted, Edited, Event, Post
from relay.ports import Batch, Gone, TryLater
from relay.sources.kit import Denied, Failure, Missing, Ok
from relay.sources.mastodon.about import About
from relay.sources.mastodon.api import Listed
from relay.sources.mastodon.copies import is_news
from relay.sources.mastodon.home import Fate, Homes, HomeUnknown
from relay.sources.mastodon.kinds import Speech
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.parse import alias, local_id, read_post
from relay.sources.mastodon.shapes import Raw
from relay.sources.off_loop import off_loop


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
