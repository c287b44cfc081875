"""Statuses to posts. Pure, and total: what cannot be read, or is not for everybody's eyes, is None.

The base address of the server that was asked is part of the answer: ids mean something on that server only, and what
it says of other servers' people counts only as :mod:`relay.core.authenticity` allows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote as percent

from relay.core.authenticity import AuthorClaim, Verdict, is_home, own_address, own_handle, verdict
from relay.model import Author, LinkCard, Media, MediaKind, Poll, PollOption, Post, PostUri, Quote, QuoteState
from relay.rich import Text
from relay.sources.limits import FIELDS, MEDIA, MENTIONS, NAME, NOTE, OPTIONS, RECORD, STATUS, TAGS
from relay.sources.mastodon import shapes
from relay.sources.mastodon.shapes import Attachment, Id, Raw, Status, StatusAccount, read, read_all
from relay.text import clean, from_html, opening, safe_url

SOURCE = "mastodon"

_KINDS = {
    "image": MediaKind.IMAGE,
    "gifv": MediaKind.ANIMATION,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
}
_HANDLE = re.compile(r"[\w.-]+(?:@[\w.-]+(?::\d+)?)?")
_REFUSAL = re.compile(r"[#＃](?:nobots?|noindex|noarchive)(?!\w)", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>")
_URI_LIMIT = 2000  # a database's index takes no more


def read_post(raw: bytes | Raw, instance: str, configured: Collection[str] = ()) -> Post | None:
    """The post in a status; None where it is no status, is a boost, or is neither public nor unlisted.

    An unlisted post is marked as such: it may be shown to who asks for its thread, not be spread. ``configured`` are
    the servers in the settings. Whether the post counts is not decided here (:func:`relay.core.authenticity.of_post`).
    """
    status = read(raw, Status) if len(raw) <= RECORD else None
    return _post(status, instance, configured) if status else None


def alias(instance: str, identifier: Id) -> str:
    """What a post is called by its id at one server: the address at which that server's API tells of it."""
    return f"{instance}/api/v1/statuses/{percent(str(identifier), safe='')}"


def local_id(ref: str, instance: str) -> str:
    """The id in such an alias, still quoted for a path; empty where it is another server's, or no alias."""
    start = alias(instance, "")
    return ref.removeprefix(start) if ref.startswith(start) else ""


def read_time(text: str | None) -> datetime | None:
    """An ISO 8601 time in UTC; without a zone it is taken for UTC."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _post(status: Status, instance: str, configured: Collection[str]) -> Post | None:
    uri = _identity(status.uri) or _identity(status.url)
    published, author = read_time(status.created_at), read_author(status.account, instance)
    url = _shown_at(status) or (alias(instance, status.id) if status.id else "")
    if not (uri and url) or published is None or author is None or not _is_open(status):
        return None
    body, quote = _text_and_quote(status, instance, configured)
    return Post(
        uri=PostUri(uri),
        url=url,
        source=SOURCE,
        origin=instance,
        author=author,
        published=published,
        body=body,
        warning=clean(status.spoiler_text or ""),
        sensitive=bool(status.sensitive),
        language=clean(status.language or "", limit=35),
        tags=_tags(status),
        media=_media(status),
        poll=_poll(status.poll),
        quote=quote,
        link_card=_link_card(status.card),
        edited=read_time(status.edited_at),
        aliases=(alias(instance, status.id),) if status.id else (),
        reply_to=alias(instance, status.in_reply_to_id) if status.in_reply_to_id else "",
        reply_to_author=_answered(status, author, instance),
        unlisted=status.visibility == "unlisted",
    )


def _is_open(status: Status) -> bool:
    """Other servers know other visibilities; what is not known to be for everybody is not.

    With a token a server also shows us what stays among its own people.
    """
    open_to_all = status.visibility in {"public", "unlisted"} and not status.local_only
    return open_to_all and read(status.reblog, Status) is None


def _shown_at(status: Status) -> str:
    """Where a person reads it: at its own server, whatever is told."""
    uri = _identity(status.uri) or _identity(status.url)
    return safe_url(own_address(safe_url(status.url or ""), uri))


def _identity(text: str | None) -> str:
    name = (text or "").strip()
    return name if name.isprintable() and len(name) <= _URI_LIMIT else ""


def read_author(account: StatusAccount | None, instance: str) -> Author | None:
    """Whose account that is, as the server ``instance`` calls them; None where it does not say."""
    if account is None or not (uri := _identity(account.uri) or _identity(account.url)):
        return None
    handle = _handle(account.acct or "", uri) or _handle(account.username or "", uri)
    name = clean(account.display_name or "", limit=100) or clean(account.username or "", limit=100)
    return Author(
        uri=uri,
        name=name if handle else clean(uri, limit=100),  # with no handle beside it a name may be anybody's
        url=safe_url(own_address(safe_url(account.url or ""), uri)),
        handle=handle,
        claim=_claim(account.acct or "", handle),
        avatar=safe_url(account.avatar_static or account.avatar or "", base=instance),
        bot=bool(account.bot),
        created=read_time(account.created_at),
        indexable=account.indexable,
        discoverable=account.discoverable,
        refuses=_refuses(account),
    )


def _handle(acct: str, uri: str) -> str:
    """The name is as it is told, the host is the author's."""
    name, _, host = acct.partition("@")
    return own_handle(name, host, uri) if len(acct) <= NAME and _HANDLE.fullmatch(acct) else ""


def _claim(acct: str, handle: str) -> str:
    """The handle as it is told, where its domain is not the author's host."""
    is_other = "@" in acct and len(acct) <= NAME and _HANDLE.fullmatch(acct) and f"@{acct}".lower() != handle.lower()
    return f"@{acct}" if handle and is_other else ""


def _refuses(account: StatusAccount) -> bool:
    """The tags of a profile are linked: ``#<span>nobot</span>``."""
    lines = read_all(account.fields, shapes.Field, FIELDS)
    told = [account.note or "", *(part or "" for line in lines for part in (line.name, line.value))]
    said = "\n".join(part[:NOTE] for part in told)
    return bool(account.noindex) or bool(_REFUSAL.search(_MARKUP.sub("", said)))


def _answered(status: Status, author: Author, instance: str) -> str:
    """Whose post it answers. In a chain under somebody else's post the server names that somebody all the way down."""
    answered = status.in_reply_to_account_id
    if not answered:
        return ""
    if status.account and answered == status.account.id:
        return author.uri
    mentioned = (
        mention.url for mention in read_all(status.mentions, shapes.StatusMention, MENTIONS) if mention.id == answered
    )
    return _identity(next(mentioned, "")) or f"{instance}/api/v1/accounts/{percent(str(answered), safe='')}"


def body_of(status: Status, instance: str, *, drop: tuple[str, ...] = ()) -> Text:
    """The text of a status, whoever may read it."""
    return from_html(opening(status.content or "", STATUS), base=instance, drop=drop)


# --- quotes ---

# the "RE: …" line is for programs that know no quotes (docs.joinmastodon.org/client/quotes)
QUOTE_LINE = ("quote-inline",)
_STATES = {
    "accepted": QuoteState.ACCEPTED,
    "pending": QuoteState.PENDING,
    "rejected": QuoteState.WITHDRAWN,
    "revoked": QuoteState.WITHDRAWN,
    "deleted": QuoteState.DELETED,
}
_UNTOLD = {QuoteState.WITHDRAWN, QuoteState.DELETED}
"""Where it stands is not told either: the quoted author wants it so."""


def _text_and_quote(status: Status, instance: str, configured: Collection[str]) -> tuple[Text, Quote | None]:
    """The "RE: …" line is taken out where the quote stands in its place, and is where a quote is that nobody names."""
    whole = body_of(status, instance)
    quote = _quote(status, instance, configured)
    if quote is None:
        return whole, None
    text = body_of(status, instance, drop=QUOTE_LINE)
    if quote.url or quote.state in _UNTOLD:
        return text, quote
    cut = Counter(_links(whole)) - Counter(_links(text))
    return text, replace(quote, url=next(iter(cut), "") or _by_id(status, instance))


def _links(text: Text) -> Iterator[str]:
    return (span.link for block in text for span in block.spans if span.link)


def _by_id(status: Status, instance: str) -> str:
    """Where a server shows a post by its id alone."""
    told = read(status.quote, shapes.StatusQuote)
    named = told.quoted_status_id if told else None
    return safe_url(f"{instance}/statuses/{percent(str(named), safe='')}") if named else ""


def _quote(status: Status, instance: str, configured: Collection[str]) -> Quote | None:
    """What is quoted; without a word of it, or an address, as far as these are not known or not to be shown."""
    told = read(status.quote, shapes.StatusQuote)
    if told is None or not told.state:
        return _unasked(status)
    state = _STATES.get(told.state, QuoteState.HIDDEN)
    quoted = read(told.quoted_status, Status)
    if state in _UNTOLD:
        return Quote(state=state)
    if quoted is not None:
        return _quoted(quoted, state, instance, configured)
    is_told = state is not QuoteState.ACCEPTED or told.quoted_status_id
    return Quote(state=state if is_told else QuoteState.HIDDEN)


def _quoted(quoted: Status, state: QuoteState, instance: str, configured: Collection[str]) -> Quote:
    author, url = read_author(quoted.account, instance), _shown_at(quoted)
    if author is None or author.refuses or not _is_open(quoted):
        return Quote(url=url).silenced()
    if state is not QuoteState.ACCEPTED or not _may_tell(quoted, author, instance, configured):
        return Quote(url=url, state=state)
    return Quote(
        url=url or alias(instance, quoted.id),
        author=author,
        body=body_of(quoted, instance),
        warning=clean(quoted.spoiler_text or ""),
        sensitive=bool(quoted.sensitive),
        media=_media(quoted),
        poll=_poll(quoted.poll),
        link_card=_link_card(quoted.card),
    )


def _unasked(status: Status) -> Quote | None:
    """Servers that ask nobody whether they want to be quoted: the link tells where it is, and no more."""
    pleroma = read(status.pleroma, shapes.Pleroma) or shapes.Pleroma()
    quoted = read(status.quote, Status) or read(pleroma.quote, Status)
    is_open = quoted is not None and _is_open(quoted)
    url = (_shown_at(quoted) if quoted and is_open else "") or safe_url(pleroma.quote_url or "")
    return Quote(url=url) if url else None


def _may_tell(quoted: Status, author: Author, instance: str, configured: Collection[str]) -> bool:
    """Whether the server's word is enough for what somebody else says; otherwise only the link is shown."""
    is_theirs = is_home(_identity(quoted.uri) or _identity(quoted.url), author.uri)
    return is_theirs and verdict(AuthorClaim.QUOTE, instance, author.uri, configured) is Verdict.COUNTS


def _tags(status: Status) -> tuple[str, ...]:
    """As the server tells them; hashtags are never taken out of the text."""
    names = (clean(tag.name or "", limit=200).lstrip("#＃") for tag in read_all(status.tags, shapes.Tag, TAGS))
    return tuple(dict.fromkeys(name for name in names if name))


def _media(status: Status) -> tuple[Media, ...]:
    return tuple(_attachments(read_all(status.media_attachments, Attachment, MEDIA)))


def _attachments(attachments: list[Attachment]) -> Iterator[Media]:
    for attachment in attachments:
        preview = safe_url(attachment.preview_url or "")
        url = safe_url(attachment.url or "") or safe_url(attachment.remote_url or "")
        if not (url or preview):
            continue  # the server has not fetched it and does not say where it is
        meta = read(attachment.meta, shapes.Meta)
        size = (meta.original if meta else None) or shapes.AttachmentSize()
        yield Media(
            url=url or preview,
            kind=_KINDS.get(attachment.type or "", MediaKind.FILE) if url else MediaKind.IMAGE,
            alt=clean(attachment.description or "", limit=1500),
            preview=preview,
            width=_positive(size.width),
            height=_positive(size.height),
        )


def _positive(number: int | None) -> int | None:
    return number if number and number > 0 else None


def _poll(raw: Raw) -> Poll | None:
    poll = read(raw, shapes.StatusPoll)
    options = read_all(poll.options, shapes.StatusPollOption, OPTIONS) if poll else []
    if poll is None or not options:
        return None
    return Poll(
        options=tuple(PollOption(text=clean(o.title or "", limit=200), votes=o.votes_count) for o in options),
        votes=poll.votes_count,
        voters=poll.voters_count,
        multiple=bool(poll.multiple),
        closes=read_time(poll.expires_at),
    )


def _link_card(raw: Raw) -> LinkCard | None:
    card = read(raw, shapes.PreviewCard)
    url, title = (safe_url(card.url or ""), clean(card.title or "")) if card else ("", "")
    if card is None or not (url and title):
        return None
    return LinkCard(url=url, title=title, description=clean(card.description or ""), image=safe_url(card.image or ""))
