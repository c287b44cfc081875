"""Speaks as an account: reads who mentions it, and answers below.

See docs.joinmastodon.org/methods/notifications and /statuses.

Mentions are polled: no stream has a memory, and what somebody asks for may take some seconds. Private ones are read
too, and are answered as privately.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from relay.core.urls import page
from relay.model import Author
from relay.ports import Account, Answered, Check, Gone, Mention, Mentions, Refused, TryLater
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.sources.kit import Denied, Failure, Missing, Ok, Unexpected
from relay.sources.limits import MENTIONS
from relay.sources.mastodon import shapes
from relay.sources.mastodon.address import host_of
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.handles import Handles
from relay.sources.mastodon.parse import QUOTE_LINE, alias, body_of, read_author, read_time
from relay.sources.mastodon.shapes import Context, Raw, Status, identified, read
from relay.sources.mastodon.timeline_cursor import ordered
from relay.sources.off_loop import off_loop
from relay.text import clean, text_content

LISTEN = timedelta(seconds=8)
"""Servers allow 300 requests for pages in 15 minutes; these are 113 of them. Whoever says “stop” is heard within it."""
POSTING = 250, timedelta(hours=3)
"""Servers allow 300; the rest is for who has the account."""
PAGE = 40
MOST = 500
"""Characters of a post."""
_ADDRESS = 23
"""What a server counts for an address, however long it is."""
_BEGINNING = "0"
_FINAL = frozenset({400, 413, 422})
"""Of these the same answer comes again, whenever it is asked."""
_VISIBILITIES = frozenset({"public", "unlisted", "private", "direct"})
_SCOPES = (
    "its token under [sources.mastodon.tokens] needs the scopes read:statuses, read:accounts, read:notifications"
    " and write:statuses"
)
_NO_BOT = (
    "the account is not marked as a bot: do that in its preferences (Public profile, “automated account”),"
    " or give its token the scope write:accounts"
)


class _Reply(msgspec.Struct):
    """What it takes to answer a mention."""

    id: str
    visibility: str
    acct: str


@dataclass(slots=True)
class TokenAccounts:
    """The accounts behind the tokens of some instances."""

    api: MastodonApi
    handles: Handles
    _own: dict[str, str] = field(default_factory=dict)
    """The id of the account at an instance, once it was asked."""

    async def account(self, base: str) -> Account | TryLater | Gone:
        """Who we are there, marked as a bot where that is possible."""
        author = await self._who(base)
        if not isinstance(author, Author):
            return author
        author = await self.handles.of_author(author, base)
        marked = author.bot or await self._mark(base)
        return Account(uri=author.uri, handle=author.handle, url=author.url, note="" if marked else _NO_BOT)

    async def _who(self, base: str) -> Author | TryLater | Gone:
        answer = await self.api.get(f"{base}/api/v1/accounts/verify_credentials")
        if not isinstance(answer, Ok):
            return _closed(answer, base)
        told = read(answer.body, shapes.StatusAccount)
        author = read_author(told, base)
        if told is None or author is None or not told.id:
            return _closed(Unexpected(host_of(base), "something that is no account"), base)
        self._own[base] = str(told.id)
        return author

    async def _mark(self, base: str) -> bool:
        """Say of the account that it is a bot's; False where the token may not."""
        url = f"{base}/api/v1/accounts/update_credentials"
        answer = await self.api.write("PATCH", url, {"bot": True})
        told = read(answer.body, shapes.StatusAccount) if isinstance(answer, Ok) else None
        return bool(told and told.bot)

    async def mentions(self, base: str, cursor: str) -> Mentions | TryLater | Gone:
        own = await self._own_id(base)
        if not isinstance(own, str):
            return own
        bounds = [("min_id", cursor), ("limit", str(PAGE))] if cursor else [("limit", "1")]
        params = [("types[]", "mention"), ("include_filtered", "true"), *bounds]
        answer = await self.api.get(f"{base}/api/v1/notifications", params)
        if not isinstance(answer, Ok):
            return _closed(answer, base)
        page = await off_loop(len(answer.body), lambda: identified(answer.body))
        if not page and await off_loop(len(answer.body), lambda: read(answer.body, list[Raw])) != []:
            return _closed(Unexpected(host_of(base), "something that is no list of notifications"), base)
        newest = ordered(page)[-1] if page else cursor or _BEGINNING
        told = (_mention(page[one], base, own) for one in ordered(page)) if cursor else ()
        return Mentions(
            mentions=tuple(one for one in told if one),
            cursor=newest if newest != cursor else None,
            more=bool(cursor) and len(page) >= PAGE,
            wait=answer.wait,
        )

    async def _own_id(self, base: str) -> str | TryLater | Gone:
        if base not in self._own:
            author = await self._who(base)
            if not isinstance(author, Author):
                return author
        return self._own[base]

    async def answer(
        self, base: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        reply = read(mention.reply.encode(), _Reply)
        if reply is None:
            return Refused("what it takes to answer was written by another version of this program")
        if again and (there := await self._answered(base, reply)):
            return there
        said = {
            "status": fitted(f"@{reply.acct} {text}", MOST),
            "in_reply_to_id": reply.id,
            "visibility": reply.visibility,
            "language": mention.language,
        }
        posted = await self.api.write("POST", f"{base}/api/v1/statuses", said, {"idempotency-key": key})
        return _outcome(posted, base)

    async def _answered(self, base: str, reply: _Reply) -> Answered | TryLater | Gone | None:
        """The answer of an earlier try; the server remembers its key for an hour only."""
        own = await self._own_id(base)
        if not isinstance(own, str):
            return own
        answer = await self.api.get(f"{alias(base, reply.id)}/context")
        if isinstance(answer, Missing):
            return None
        if not isinstance(answer, Ok):
            return _closed(answer, base)
        context = read(answer.body, Context) or Context()
        for status in shapes.read_all(context.descendants, Status):
            if str(status.in_reply_to_id) == reply.id and status.account and str(status.account.id) == own:
                return Answered(status.uri or alias(base, status.id))
        return None

    async def check(self, base: str) -> Check:
        """Whether the account may be asked. A check changes nothing: it marks no bot, and posts nothing."""
        name = f"{host_of(base)} mentions"
        author = await self._who(base)
        if not isinstance(author, Author):
            return Check(name=name, ok=False, note=author.reason)
        told = await self.mentions(base, "")
        if not isinstance(told, Mentions):
            return Check(name=name, ok=False, note=told.reason)
        mark = "" if author.bot else "; at its start the relay marks it as a bot’s, where the token may"
        return Check(name=name, ok=True, note=f"answers who mentions {author.handle}{mark}")


def _outcome(posted: Ok | Failure, base: str) -> Answered | TryLater | Refused | Gone:
    match posted:
        case Ok(body=body):
            status = read(body, Status)
            if status and (uri := status.uri or status.url):
                return Answered(uri)
            return Unexpected(host_of(base), "something that is no post").later()
        case Missing(host, sure=True):
            return Refused(f"the post is not there any more, says {host}")
        case Unexpected(host, what, status) if status in _FINAL:
            return Refused(f"{host} does not take the answer: {what}")
        case _:
            return _closed(posted, base)


def _closed(trouble: Failure, base: str) -> TryLater | Gone:
    match trouble:
        case Denied() | Missing():
            return Gone(f"{host_of(base)} does not let the account speak: {_SCOPES}")
        case Unexpected():
            return trouble.later()
        case TryLater(reason) if reason.endswith("(HTTP 403)"):
            return Gone(f"{reason}: {_SCOPES}")
        case _:
            return trouble


def _mention(raw: Raw, base: str, own: str) -> Mention | None:
    notification = read(raw, shapes.Notification)
    status = read(notification.status, Status) if notification and notification.type == "mention" else None
    author, at = (read_author(status.account, base), read_time(status.created_at)) if status else (None, None)
    if status is None or author is None or at is None or not status.id or _is(status, own):
        return None
    return Mention(
        uri=status.uri or alias(base, status.id),
        asker=replace(author, claim=""),
        text=spoken(body_of(status, base, drop=QUOTE_LINE), others_in(status, own)),
        at=min(at, datetime.now(UTC)),
        about=_about(status, base),
        language=clean(status.language or "", limit=35),
        reply=msgspec.json.encode(_reply(status, author)).decode(),
    )


def others_in(status: Status, own: str) -> dict[str, str]:
    """The accounts that a post mentions besides our own, by their pages."""
    mentions = shapes.read_all(status.mentions, shapes.StatusMention, MENTIONS)
    return {page(one.url): one.acct for one in mentions if one.url and one.acct and str(one.id) != own}


def spoken(body: Text, named: Mapping[str, str]) -> str:
    """The words of a post, with what tells that some of them are not meant as they stand.

    What is struck out or code is marked as such, a link tells where it leads, and accounts that are ``named`` have
    their whole handle: a server shows only its first half, which may be like ours.
    """
    return text_content(tuple(replace(block, spans=tuple(_spoken(block, named))) for block in body))


def _spoken(block: Block, named: Mapping[str, str]) -> Iterator[Span]:
    for span in block.spans:
        text = span.text
        if span.role is Role.MENTION and (acct := named.get(page(span.link))):
            text = f"@{acct}"
        elif span.role is Role.TEXT and span.link and span.link not in text:
            text = f"{text} ({span.link})"
        if text.strip() and (block.form is Form.CODE or not {SpanStyle.STRIKE, SpanStyle.CODE}.isdisjoint(span.marks)):
            text = f"`{text}`"
        yield replace(span, text=text)


def _is(status: Status, own: str) -> bool:
    return status.account is not None and str(status.account.id) == own


def _about(status: Status, base: str) -> str:
    """What it answers, or else quotes."""
    if status.in_reply_to_id:
        return alias(base, status.in_reply_to_id)
    quote = read(status.quote, shapes.StatusQuote)
    quoted = read(quote.quoted_status, Status) if quote else None
    identifier = (quoted.id if quoted else None) or (quote.quoted_status_id if quote else None)
    return alias(base, identifier) if identifier else ""


def _reply(status: Status, author: Author) -> _Reply:
    """Nobody is to read the answer who could not read the question: what is not known is for one person's eyes."""
    visibility = status.visibility or ""
    if visibility not in _VISIBILITIES or status.local_only:
        visibility = "direct"
    acct = clean((status.account.acct if status.account else "") or "", limit=300)
    return _Reply(id=str(status.id), visibility=visibility, acct=acct or author.handle.lstrip("@"))


def fitted(text: str, most: int) -> str:
    """The text within what a server takes; an address at its end is never cut, and counts as one always does."""
    body, space, address = text.rpartition(" ")
    if not re.match(r"https?://", address):
        body, space, address = text, "", ""
    room = most - (_ADDRESS + 1 if address else 0)
    return f"{body if len(body) <= room else f'{body[: room - 1].rstrip()}…'}{space}{address}"
