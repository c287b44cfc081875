"""Asks a Misskey server: its API takes questions by POST and answers in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import unquote

from relay.core.authenticity import counts_unasked
from relay.model import Deleted, Edited, Event, Post
from relay.ports import Batch, Gone, Refused, TryLater
from relay.sources.kit import Denied, Failure, Missing, Ok, Unexpected
from relay.sources.limits import THREAD
from relay.sources.mastodon.address import AccountAddress, Found, StatusAddress, host_of, notes_feed
from relay.sources.mastodon.api import Listed, MastodonApi, as_list
from relay.sources.mastodon.copies import is_news
from relay.sources.mastodon.misskey import notes
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.moved import moved_uri
from relay.sources.mastodon.parse import local_id
from relay.sources.mastodon.shapes import Raw, identified, read
from relay.sources.mastodon.tags import TagQuery
from relay.sources.mastodon.timeline_cursor import PAGE, TimelineCursor, age
from relay.sources.off_loop import off_loop

_CALLS = 20
"""The most requests for each half of a thread."""
_MANY = 100


async def read_tag(
    api: MastodonApi, base: str, wanted: TagQuery, kept: TimelineCursor | None
) -> Listed | Missing | Denied | Unexpected | TryLater | Gone:
    """A page of notes with a hashtag: the newest, or those right above the place where a gap begins."""
    question: dict[str, object] = {"tag": wanted.tag, "limit": PAGE}
    if kept and kept.behind:
        question["sinceId"] = kept.min_id
    return await as_list(await api.post(f"{base}/api/notes/search-by-tag", question))


async def read_account(
    api: MastodonApi, base: str, whose: str, kept: TimelineCursor | None
) -> Listed | Missing | Denied | Unexpected | TryLater | Gone:
    """A page of somebody's notes, those that answer others too, as above."""
    question = _notes(whose, PAGE)
    if kept and kept.behind:
        question["sinceId"] = kept.min_id
    answer = await api.post(f"{base}/api/users/notes", question)
    return Missing(host_of(base), 410, sure=True) if _says(answer, "NO_SUCH_USER") else await as_list(answer)


async def find_account(api: MastodonApi, profile: AccountAddress) -> Found | Failure:
    """The address of the feed of an account at its own server, as it shows itself to visitors."""
    answer = await api.post(f"{profile.base}/api/users/show", {"username": profile.who})
    user = read(answer.body, notes.User) if isinstance(answer, Ok) else None
    if user and user.id and not user.host and (user.username or "").lower() == profile.who.lower():
        note = moved_uri(str(profile), user.moved_to or "", profile.base, f"{profile.base}/users/{user.id}")
        return Found(notes_feed(profile.base, user.id), note)
    return Missing(host_of(profile.base), 404, sure=True) if isinstance(answer, Ok) else answer


def _notes(whose: str, limit: int) -> dict[str, object]:
    return {"userId": whose, "limit": limit, "withReplies": True, "withRenotes": False}


async def show(api: MastodonApi, base: str, identifier: str) -> Ok | Failure:
    """One note."""
    return await api.post(f"{base}/api/notes/show", {"noteId": identifier})


async def recheck(api: MastodonApi, posts: Sequence[Post]) -> Batch | TryLater | Gone:
    """One request for each: notes are shown one at a time."""
    events: list[Event] = []
    for post in posts:
        identifier = next((unquote(found) for name in post.aliases if (found := local_id(name, post.origin))), "")
        if not identifier:
            continue
        answer = await show(api, post.origin, identifier)
        if isinstance(answer, TryLater | Gone):
            return answer
        events += _fate(post, answer)
    return Batch(events=tuple(events))


def _fate(known: Post, answer: Ok | Failure) -> list[Event]:
    if isinstance(answer, Ok):
        post = read_note(answer.body, known.origin)
        return [Edited(post)] if post and is_news(known, post) else []
    return [Deleted(known.uri)] if is_gone(answer) else []


def is_gone(answer: Ok | Failure) -> bool:
    """Whether the server says that there is no such note."""
    return _says(answer, "NO_SUCH_NOTE")


def _says(answer: Ok | Failure, code: str) -> bool:
    """Whether the server refuses in these words; to some questions it does so with 404, to others with 400."""
    body = answer.body if isinstance(answer, Unexpected | Missing) else b""
    refused = read(body, notes.ErrorReply)
    return refused is not None and refused.error.code == code


async def fetch_thread(api: MastodonApi, where: StatusAddress) -> Sequence[Post] | Refused | TryLater | Gone:
    """The note, what it answers up to the first one, and what its author wrote below that."""
    answer = await show(api, where.base, where.id)
    if isinstance(answer, TryLater | Gone):
        return answer
    if is_gone(answer):
        return Gone(f"{host_of(where.base)} has no such post: it was deleted, or is not for everybody to read")
    if not isinstance(answer, Ok):
        return answer.later()
    first, note = read_note(answer.body, where.base), read(answer.body, notes.MisskeyNote)
    if first is None or note is None:
        return Gone(f"{where.base}/notes/{where.id} is not for everybody to read")
    found = {where.id: first}
    if not counts_unasked(first, api.instances):
        return Refused(f"{first.uri} is a copy, and {host_of(where.base)} does not speak for {first.author.uri}")
    await _climb(api, where, found)
    top = min((name for name, post in found.items() if post.author.uri == first.author.uri), key=age)
    await _descend(api, where.base, note.user_id or "", top, found)
    return [first, *(post for name, post in found.items() if name != where.id and counts_unasked(post, api.instances))]


async def _climb(api: MastodonApi, where: StatusAddress, found: dict[str, Post]) -> None:
    """Add what the note answers, what that answers, and so on."""
    for number in range(_CALLS):
        question = {"noteId": where.id, "limit": _MANY, "offset": number * _MANY}
        answer = await api.post(f"{where.base}/api/notes/conversation", question)
        page = await _page(answer)
        found |= await off_loop(_size(page), partial(_posts, page, where.base))
        if len(page) < _MANY or len(found) >= THREAD:
            return


async def _descend(api: MastodonApi, base: str, whose: str, top: str, found: dict[str, Post]) -> None:
    """Add what the author wrote after the first note of the thread, as far as it goes on with what is there.

    The notes of one page are the next ones after a place, oldest first. Behind a page with nothing of the thread no
    more is looked for. One whose parent was deleted is told too: somebody may know where that stood.
    """
    since = top
    for _ in range(_CALLS):
        question = _notes(whose, _MANY) | {"sinceId": since}
        answer = await api.post(f"{base}/api/users/notes", question)
        page = await _page(answer)
        told = await off_loop(_size(page), partial(_posts, page, base))
        for name, post in sorted(told.items(), key=lambda one: age(one[0])):
            if unquote(local_id(post.reply_to, base)) in found or (post.reply_to and not post.reply_to_author):
                found.setdefault(name, post)
        if len(page) < _MANY or len(found) >= THREAD or found.keys().isdisjoint(page):
            return
        since = max(page, key=age)


def _posts(page: Mapping[str, Raw], base: str) -> dict[str, Post]:
    return {name: post for name, raw in page.items() if (post := read_note(raw, base))}


async def _page(answer: Ok | Failure) -> dict[str, Raw]:
    """The notes of an answer by their ids."""
    return await off_loop(len(answer.body), partial(identified, answer.body)) if isinstance(answer, Ok) else {}


def _size(page: Mapping[str, Raw]) -> int:
    return sum(map(len, page.values()))
