"""What several tests share with those of unroll."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from relay.model import Author, Post, PostUri, Removed, Thread

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


ANA = Author(uri="https://ayllu.example/ana", name="Ana")


BRU = Author(uri="https://ayllu.example/bru", name="Bru")


def post(
    name: str, to: str = "", *, by: Author = ANA, at: int | None = None, aliases: tuple[str, ...] = (), url: str = ""
) -> Post:
    """A post whose name is its uri; it is as old as its name says (``a3`` is of minute 3), unless ``at`` says else."""
    minute = int("".join(c for c in name if c.isdigit()) or 0) if at is None else at
    return Post(
        uri=PostUri(name),
        url=url or f"https://ayllu.example/{name}",
        source="fake",
        origin="https://ayllu.example",
        author=by,
        published=NOON + timedelta(minutes=minute),
        aliases=aliases,
        reply_to=to,
    )


def gone(name: str) -> Removed:
    return Removed(PostUri(name))


def names(thread: Thread | None) -> tuple[list[str], list[list[str]], str] | None:
    """A thread in short: a removed post has a minus before its name."""
    if thread is None:
        return None
    posts = [f"-{one.uri}" if isinstance(one, Removed) else str(one.uri) for one in thread.posts]
    return posts, [[str(one.uri) for one in aside] for aside in thread.asides], thread.parent
