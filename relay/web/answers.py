"""Answers of the pages: dressed alike, sent again only where they changed, and packed once for all who take gzip."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import ETag, web

BRIEFLY = "max-age=60"
"""Short, so that what an author takes back is gone soon."""
FOREVER = "public, max-age=31536000, immutable"
_WORTH_PACKING = 500
_LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is answered, in both forms in which it goes out."""

    plain: bytes
    packed: bytes = b""
    """The same in gzip; empty where that is not worth it."""
    tag: str
    kind: str
    """The media type, with the character set."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    until: datetime | None = None
    """From when on it is to be made anew; None: while what it shows is the same."""
    keep: bool = True
    """It may be kept for others."""

    @property
    def size(self) -> int:
        return len(self.plain) + len(self.packed)


def body(
    content: str | bytes,
    kind: str,
    *,
    status: int = 200,
    spoken: bool = True,
    until: datetime | None = None,
    keep: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Body:
    """Text is packed, bytes are packed already. ``spoken``: it is in a reader's language."""
    plain = content.encode() if isinstance(content, str) else content
    packed = _pack(plain) if isinstance(content, str) and len(plain) > _WORTH_PACKING else b""
    told = {"Cache-Control": BRIEFLY, "Vary": f"Accept-Encoding{', Accept-Language' if spoken else ''}"}
    return Body(
        plain=plain,
        packed=packed if len(packed) < len(plain) else b"",
        tag=hashlib.sha256(plain).hexdigest()[:20],
        kind=f"{kind}; charset=utf-8" if isinstance(content, str) else kind,
        status=status,
        headers=tuple((told | dict(headers or {})).items()),
        until=until,
        keep=keep,
    )


NOTHING = body("", "text/plain", status=404, keep=False)
"""There turned out to be none."""


def _pack(plain: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=31)  # with the head and tail of a gzip file (RFC 1952)
    return packer.compress(plain) + packer.flush()


def send(request: web.Request, found: Body) -> web.Response:
    """The body, packed where the reader takes that, or 304 where they have it already (RFC 9110, 13.1.2)."""
    headers = dict(found.headers)
    if found.status == 200:
        headers["ETag"] = f'W/"{found.tag}"'  # weak: it is sent packed or not
        if "If-None-Match" in request.headers and _is_known(request.if_none_match or (), found.tag):
            return web.Response(status=304, headers=headers)
    headers["Content-Type"] = found.kind
    if found.packed and takes_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return web.Response(status=found.status, body=found.packed, headers=headers)
    return web.Response(status=found.status, body=found.plain, headers=headers)


def _is_known(tags: tuple[ETag, ...], tag: str) -> bool:
    return any(each.value in ("*", tag) for each in tags)


def takes_gzip(accepted: str) -> bool:
    """Whether a reader takes gzip by this ``Accept-Encoding`` (RFC 9110, 12.5.3)."""
    weights: dict[str, bool] = {}
    for part in accepted[:1_000].lower().split(","):
        name, _, rest = part.partition(";")
        weight = rest.strip().removeprefix("q=").strip()
        weights[name.strip()] = not weight or weight.strip("0.") != ""
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def root_of(request: web.Request) -> str:
    """The relative address of the site's top, so that the pages work below any prefix of a proxy."""
    return "../" * (request.path.count("/") - 1) or "./"


def figures(values: Mapping[str, object], *, status: int = 200) -> web.Response:
    text = json.dumps(values) + "\n"
    return web.Response(
        status=status, text=text, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
