"""Asks a Misskey server: its API takes questions by POST and answers in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from relay.model import Deleted, Edited, Event, Post
from relay.ports import Batch, Gone, Refused, TryLater
from relay.sources.mastodon.address import Status, host_of
from relay.sources.mastodon.answers import Closed, Missing, Odd, Told, Trouble
from relay.sources.mastodon.api import Api, Listed, as_list
from relay.sources.mastodon.misskey import shapes
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import local_id
from relay.sources.mastodon.place import PAGE, Place
from relay.sources.mastodon.shapes import identified, read
from relay.sources.mastodon.tags import Tagged

_CALLS = 30
"""The most requests for one thread."""
_ANSWERS = 100


async def read_tag(
    api: Api, base: str, wanted: Tagged, kept: Place | None
) -> Listed | Missing | Closed | Odd | TryLater | Gone:
    """A page of notes with a hashtag: the newest, or those right above the place where a gap begins."""
    question: dict[str, object] = {"tag": wanted.tag, "limit": PAGE}
    if kept and kept.behind:
        question["sinceId"] = kept.min_id
    return as_list(await api.post(f"{base}/api/notes/search-by-tag", question))


async def recheck(api: Api, posts: Sequence[Post]) -> Batch | TryLater | Gone:
    """One request for each: notes are shown one at a time."""
    events: list[Event] = []
    for post in posts:
        identifier = next((unquote(found) for name in post.aliases if (found := local_id(name, post.origin))), "")
        if not identifier:
            continue
        answer = await api.post(f"{post.origin}/api/notes/show", {"noteId": identifier})
        if isinstance(answer, TryLater | Gone):
            return answer
        events += _fate(post, answer)
    return Batch(events=tuple(events))


def _fate(known: Post, answer: Told | Trouble) -> list[Event]:
    if isinstance(answer, Told):
        post = read_note(answer.body, known.origin)
        newer = post and post.uri == known.uri and post.edited and (not known.edited or post.edited > known.edited)
        return [Edited(post)] if post and newer else []
    return [Deleted(known.uri)] if is_gone(answer) else []


def is_gone(answer: Told | Trouble) -> bool:
    """Whether the server says that there is no such note."""
    refused = read(answer.body, shapes.Refused) if isinstance(answer, Odd) else None
    return refused is not None and refused.error.code == "NO_SUCH_NOTE"


async def fetch_thread(api: Api, where: Status) -> Sequence[Post] | Refused | TryLater | Gone:
    """The note, what it answers up to the first one, and its author's own answers below, as far as they go."""
    answer = await api.post(f"{where.base}/api/notes/show", {"noteId": where.id})
    if isinstance(answer, TryLater | Gone):
        return answer
    if is_gone(answer):
        return Gone(f"{host_of(where.base)} has no such post: it was deleted, or is not for everybody to read")
    if not isinstance(answer, Told):
        return answer.later()
    first = read_note(answer.body, where.base)
    if first is None:
        return Gone(f"{where.base}/notes/{where.id} is not for everybody to read")
    found = {where.id: first}
    _add(found, await api.post(f"{where.base}/api/notes/conversation", _about(where.id)), where.base)
    await _descend(api, where.base, first, found)
    return [first, *(post for name, post in found.items() if name != where.id and api.believes(post))]


def _about(identifier: str) -> dict[str, object]:
    return {"noteId": identifier, "limit": _ANSWERS}


def _add(found: dict[str, Post], answer: Told | Trouble, base: str) -> list[str]:
    """Keep what is new; the ids of it."""
    items = identified(answer.body) if isinstance(answer, Told) else {}
    posts = {name: post for name, raw in items.items() if name not in found and (post := read_note(raw, base))}
    found |= posts
    return list(posts)


async def _descend(api: Api, base: str, first: Post, found: dict[str, Post]) -> None:
    """Ask for the answers to each post of the author, the ones found first."""
    waiting = [name for name, post in found.items() if post.author.uri == first.author.uri]
    for _ in range(_CALLS):
        if not waiting:
            return
        new = _add(found, await api.post(f"{base}/api/notes/children", _about(waiting.pop(0))), base)
        waiting += [name for name in new if found[name].author.uri == first.author.uri]
