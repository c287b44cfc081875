"""An account that has moved: only its own server says so. Pure."""

from __future__ import annotations

from relay.core.authenticity import AuthorClaim, Verdict, own_handle, verdict
from relay.sources.mastodon.parse import read_author
from relay.sources.mastodon.shapes import StatusAccount, read
from relay.text import clean, safe_url


def moved(account: StatusAccount | None, base: str) -> str:
    """Where to, and what to do, for people; empty where ``base`` does not say that one of its own people has moved."""
    who, there = read_author(account, base), read(account.moved, StatusAccount) if account else None
    if who is None or there is None or verdict(AuthorClaim.MOVE, base, who.uri) is not Verdict.COUNTS:
        return ""
    new = read_author(there, base)
    name = (new.handle or new.uri) if new else own_handle(there.acct or "", "", base) if there.acct else ""
    return advice(who.handle or who.uri, name) if name and (new is None or new.uri != who.uri) else ""


def advice(old: str, new: str) -> str:
    """The same by two names."""
    old, new = (clean(name, limit=200) for name in (old, new))
    return f"{old} has moved to {new}: subscribe to that one, and end this one, for nothing new comes from here"


def moved_uri(old: str, new: str, base: str, uri: str) -> str:
    """The same where the new account is told by its uri alone."""
    is_told = bool(safe_url(new)) and new != uri and verdict(AuthorClaim.MOVE, base, uri) is Verdict.COUNTS
    return advice(old, new) if is_told else ""
