"""Asks a server whether a visitor may read hashtags there."""

from __future__ import annotations

from relay.ports import Check, Gone, TryLater
from relay.sources.mastodon.address import tag_feed
from relay.sources.mastodon.answers import Closed, Missing, Odd, Told
from relay.sources.mastodon.api import Api, Listed
from relay.sources.mastodon.parse import SOURCE
from relay.sources.mastodon.shapes import Access, Configuration, Instance, read
from relay.text import clean

_OWN = "shows visitors only the posts of its own users"
_CLOSED = "does not show hashtags to visitors; choose another instance"


async def check(api: Api, instance: str) -> Check:
    """By what the server says of itself (since 4.5), else by trying."""
    answer = await api.get(f"{instance}/api/v2/instance")
    if isinstance(answer, TryLater | Gone):
        return _check(instance, answer.reason, ok=False)
    told = read(answer.body, Instance) if isinstance(answer, Told) else None
    access = _access(told)
    ok, says = _judge(access) if access else await _probe(api, instance)
    version = clean(told.version or "", limit=60) if told else ""
    return _check(instance, " · ".join(part for part in (version, says) if part), ok=ok)


def _check(instance: str, note: str, *, ok: bool) -> Check:
    return Check(name=f"{SOURCE} {instance.partition('://')[2]}", ok=ok, note=note)


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


async def _probe(api: Api, instance: str) -> tuple[bool, str]:
    feed = tag_feed(instance, SOURCE)
    answer = await api.get_list(feed, [("limit", "1")])
    if isinstance(answer, Closed):
        local = await api.get_list(feed, [("limit", "1"), ("local", "true")])
        return (True, _OWN) if isinstance(local, Listed) else (False, _CLOSED)
    match answer:
        case Listed() | Missing(sure=True):
            return True, ""
        case Missing() | Odd():
            return False, "does not speak the language of Mastodon servers"
        case _:
            return False, answer.reason
