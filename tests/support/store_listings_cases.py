"""What several tests share with those of store listings."""

from __future__ import annotations

from relay.model import Post
from relay.testing import post
from tests.support.store_cases import uri

CHAIN = tuple(
    post(n, reply_to=uri(n - 1) if n > 1 else "", tags=("Bridge",) if n in {1, 3} else ()) for n in range(1, 4)
)


def tagged(number: int, *tags: str, **said: object) -> Post:
    return post(number, tags=tags or ("bridge",), **said)


def roots(pages: object) -> list[int]:
    return [int(page.root.rsplit("/", 1)[1]) for page in pages.pages]  # type: ignore[attr-defined]  # a Leaf
