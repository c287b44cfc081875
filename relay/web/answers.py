"""Answers of the pages: dressed alike, and sent again only where they changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from aiohttp import ETag, web

BRIEFLY = "max-age=60"
"""Short, so that what an author takes back is gone soon."""
FOREVER = "public, max-age=31536000, immutable"


def root_of(request: web.Request) -> str:
    """The relative address of the site's top, so that the pages work below any prefix of a proxy."""
    return "../" * (request.path.count("/") - 1) or "./"


def figures(values: Mapping[str, object], *, status: int = 200) -> web.Response:
    text = json.dumps(values) + "\n"
    return web.Response(
        status=status, text=text, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def answer(
    request: web.Request, body: str | bytes, kind: str, *, cache: str = BRIEFLY, robots: str = "", spoken: bool = True
) -> web.Response:
    """The body, or 304 where the reader has it already (RFC 9110, 13.1.2). ``spoken``: it is in a reader's language."""
    data = body.encode() if isinstance(body, str) else body
    tag = ETag(hashlib.sha256(data).hexdigest()[:20], is_weak=True)  # weak: it is sent compressed or not
    known = any(each.value in ("*", tag.value) for each in request.if_none_match or ())
    charset = "utf-8" if isinstance(body, str) else None
    response = web.Response(status=304) if known else web.Response(body=data, content_type=kind, charset=charset)
    response.etag = tag
    response.headers.update({"Cache-Control": cache, "Vary": f"Accept-Encoding{', Accept-Language' if spoken else ''}"})
    if robots:
        response.headers["X-Robots-Tag"] = robots
    if not known and isinstance(body, str):
        response.enable_compression()
    return response
