"""What people asked of the relay by mentioning it: each is answered once, whatever happens in between.

Who asked, where, and about which thread is kept as keyed hashes; what they wrote, only until it is settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from relay.model import PostUri
from relay.ports import Mention
from relay.records import STREAMS, Effect, Heard, PendingMention, RequestState, Share
from relay.store.hashes import get_key, keyed_hash
from relay.store.plugin_storage import save_note
from relay.store.rows import Record, insert_rows, serialize
from relay.store.tables import micros, notes, requests

_KEPT = timedelta(days=3650)
"""The cursor; a source says itself when that is too old for it."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mention).decode

_COLUMNS = ("source", "uri", "account", "asker", "said", "state", "at", "due", "host", "urgent")
_theirs = (requests.c.source == bindparam("source"), requests.c.account == bindparam("account"))
_one = (requests.c.source == bindparam("by"), requests.c.uri == bindparam("mention"))
_asked = (requests.c.said, requests.c.state, requests.c.tries, requests.c.effect)
_now = bindparam("now", type_=requests.c.due.type)
_limit = bindparam("limit", type_=BigInteger)
_to_do = and_(requests.c.urgent, requests.c.effect == "")
_URGENT = (
    select(*_asked)
    .where(*_theirs, requests.c.due <= _now, _to_do)
    .order_by(requests.c.due, requests.c.uri)
    .limit(_limit)
)


def _rank(*columns: ColumnElement[Any]) -> ColumnElement[int]:
    return func.row_number().over(partition_by=columns, order_by=(requests.c.tries, requests.c.due, requests.c.uri))


_ranked = (
    select(
        *_asked,
        requests.c.host,
        requests.c.due,
        requests.c.uri,
        _rank(requests.c.urgent, requests.c.asker).label("of_asker"),
        _rank(requests.c.urgent, requests.c.host).label("of_host"),
    )
    .where(*_theirs, requests.c.due <= _now, ~_to_do)
    .subquery()
)
_DUE = (
    select(_ranked.c.said, _ranked.c.state, _ranked.c.tries, _ranked.c.effect)
    .where(
        or_(
            _ranked.c.effect != "",
            and_(
                _ranked.c.of_asker <= bindparam("per_asker", type_=BigInteger),
                or_(_ranked.c.host == "", _ranked.c.of_host <= bindparam("per_host", type_=BigInteger)),
            ),
        )
    )
    .order_by(case((_ranked.c.effect != "", 0), else_=1), _ranked.c.tries, _ranked.c.due, _ranked.c.uri)
    .limit(_limit)
)
_NEXT = select(func.min(requests.c.due)).where(*_theirs, requests.c.due > _now)
_ASKER = select(requests.c.asker).where(*_one)
_begun = requests.c.state.in_([RequestState.ANSWERING, RequestState.ANSWERED])
_TWIN = (
    select(requests.c.uri)
    .where(
        requests.c.root == bindparam("root"),
        requests.c.asker == bindparam("asker"),
        _begun,
        ~((requests.c.source == bindparam("by")) & (requests.c.uri == bindparam("mention"))),
    )
    .limit(1)
)
_BEGIN = update(requests).where(*_one).values(state=RequestState.ANSWERING, root=bindparam("of"), at=bindparam("now"))
_SETTLE = update(requests).where(*_one).values(state=bindparam("as"), answer=bindparam("answered"), said="", due=None)
_CARRIED_OUT = update(requests).where(*_one).values(effect=bindparam("what"))
_POSTPONE = update(requests).where(*_one).values(due=bindparam("then"), tries=requests.c.tries + 1)
_LATELY = (
    select(requests.c.at)
    .where(*_theirs, _begun, requests.c.at > bindparam("since", type_=requests.c.at.type))
    .order_by(requests.c.at)
)


def add_mentions(
    connection: Connection, source: str, account: str, mentions: Sequence[Heard], cursor: str | None, now: datetime
) -> None:
    """Keep what was said to an account, and how far it was read; what is known already stays as it is."""
    key, at = get_key(connection), micros(now)
    rows = [
        (
            source,
            keyed_hash(key, one.mention.uri),
            account,
            keyed_hash(key, one.mention.asker.uri),
            _encode(one.mention).decode(),
            RequestState.NEW,
            at,
            due,
            keyed_hash(key, one.host) if one.host else "",
            one.urgent,
        )
        for due, one in enumerate(mentions, at - len(mentions))  # in their order
    ]
    insert_rows(connection, requests, _COLUMNS, rows)
    if cursor is not None:
        save_note(connection, STREAMS, _cursor(source, account), cursor, now + _KEPT)


def get_mentions_cursor(connection: Connection, source: str, account: str) -> str:
    """How far the mentions of an account were read; empty: never."""
    query = select(notes.c.value).where(notes.c.owner == STREAMS, notes.c.key == _cursor(source, account))
    return connection.scalar(query) or ""


def _cursor(source: str, account: str) -> str:
    return f"mentions {source}/{account}"


def list_urgent(connection: Connection, source: str, account: str, now: datetime, limit: int) -> list[PendingMention]:
    """The stops, and their undoings, that are to be carried out, in the order in which they were asked for."""
    rows = connection.execute(_URGENT, {"source": source, "account": account, "now": now, "limit": limit})
    return list(map(_read, rows))


def list_requests(
    connection: Connection, source: str, account: str, now: datetime, share: Share
) -> list[PendingMention]:
    """The other mentions that may be looked at at once: stops that were carried out first, then the least tried."""
    wanted = {"limit": share.total, "per_host": share.host, "per_asker": share.asker}
    rows = connection.execute(_DUE, {"source": source, "account": account, "now": now, **wanted})
    return list(map(_read, rows))


def _read(row: Record) -> PendingMention:
    effect = Effect(row.effect) if row.effect else None
    return PendingMention(mention=_decode(row.said), state=RequestState(row.state), tries=row.tries, effect=effect)


def get_next_request(connection: Connection, source: str, account: str, now: datetime) -> datetime | None:
    """When the next mention is to be looked at that is not due by now."""
    due: datetime | None = connection.scalar(_NEXT, {"source": source, "account": account, "now": now})
    return due


def save_effect(connection: Connection, source: str, uri: str, effect: Effect) -> None:
    """Note that a stop, or its undoing, was carried out."""
    connection.execute(_CARRIED_OUT, {**_named(connection, source, uri), "what": effect.value})


def claim_answer(connection: Connection, source: str, uri: str, root: PostUri, now: datetime) -> bool:
    """Note that a mention begins to be answered; False: the same person has an answer about that thread."""
    serialize(connection)
    one, about = _named(connection, source, uri), keyed_hash(get_key(connection), root)
    asker = connection.scalar(_ASKER, one)
    if connection.scalar(_TWIN, {**one, "root": about, "asker": asker}) is not None:
        return False
    connection.execute(_BEGIN, {**one, "of": about, "now": now})
    return True


def save_request(
    connection: Connection,
    source: str,
    uri: str,
    state: RequestState,
    *,
    answer: str = "",
    again: datetime | None = None,
) -> None:
    """Settle a mention, and forget what it said; ``again``: look at it then, in the state that it has."""
    one = _named(connection, source, uri)
    if again is None:
        connection.execute(_SETTLE, {**one, "as": state, "answered": answer})
    else:
        connection.execute(_POSTPONE, {**one, "then": again})


def _named(connection: Connection, source: str, uri: str) -> dict[str, object]:
    return {"by": source, "mention": keyed_hash(get_key(connection), uri)}


def list_answers(connection: Connection, source: str, account: str, since: datetime) -> list[datetime]:
    """When the account answered lately, oldest first."""
    return list(connection.execute(_LATELY, {"source": source, "account": account, "since": since}).scalars())


def delete_requests(connection: Connection, before: datetime) -> None:
    connection.execute(delete(requests).where(requests.c.due.is_(None), requests.c.at < before))
