"""Asks a server whether hashtags may be read there."""

from __future__ import annotations

from relay.ports import Check, Gone, TryLater
from relay.sources.kit import Denied, Missing, Unexpected
from relay.sources.mastodon import tags
from relay.sources.mastodon.about import About
from relay.sources.mastodon.about import instance as asked
from relay.sources.mastodon.api import Listed, MastodonApi
from relay.sources.mastodon.kinds import Speech, refusal
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.parse import SOURCE
from relay.sources.mastodon.shapes import Access, Configuration, Instance, read
from relay.sources.mastodon.tag_rss import read_page
from relay.sources.mastodon.tags import TagQuery
from relay.text import clean

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
