"""Web addresses: which may become a link, and which hide where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize
from urllib.parse import quote, urljoin, urlsplit

from relay.text.characters import whole
from relay.text.limits import ADDRESS, HOST

# The everyday address: nothing in it needs a second look.
_PLAIN = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?", re.ASCII
)
_HOST = re.compile(r"(?:\w(?:[\w.-]*[\w.])?|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_KEPT = "%/:=&?~#+!$,;'@()*[]"

# East Asian letters and punctuation end a bare address: those scripts set no space behind it.
_BARE = re.compile(
    "(?<![A-Za-z0-9])https?://"
    '[^\\s\\x00-\\x1f<>"`{}|\\\\^…\u202a-\u202e\u2066-\u2069\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]+',
    re.IGNORECASE,
)
_TAIL = ".,:;!?'*_~"

_SHOWN = re.compile(
    r"(?:^|(?<=[\s(\[{<>|\"'“”„‘’«»:;,]))"
    r"(?:[a-z][a-z0-9+-]{0,20}:/{1,3})?"
    r"(?:[^\s/?#@]{0,64}@)?"
    r"((?:[\w-]{1,63}\.)+[^\W\d_]{2,}|\d{1,3}(?:\.\d{1,3}){3})"
    r"(?=$|[^\w@-])",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f]")
_NAME = re.compile(r"[@＠#＃][^\s/]*")
_DOTS = str.maketrans({"…": " ", "。": ".", "｡": "."})


def safe_url(url: str, *, base: str = "") -> str:
    """Resolve against ``base`` to an absolute http, https or mailto address, or "" where that is not to be had.

    An address with a user name or password in it is refused: it reads like another host's. So is one that is too long.
    """
    if len(url) > ADDRESS:
        return ""
    if _PLAIN.fullmatch(url):
        return url
    try:
        parts = urlsplit(whole(urljoin(base, url.strip())))
    except ValueError:
        return ""
    tail = quote(parts.path, _KEPT)
    for mark, part in (("?", parts.query), ("#", parts.fragment)):
        tail += mark + quote(part, _KEPT) if part else ""
    if parts.scheme == "mailto":
        return f"mailto:{tail}" if "@" in parts.path and not parts.netloc else ""
    if parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}{tail}"
    return ""


def web_address(url: str) -> str:
    """The http(s) address with its host in ASCII, as programs take it; "" where there is none."""
    safe = safe_url(url)
    if not safe.startswith(("http://", "https://")):
        return ""
    host = urlsplit(safe).netloc
    if host.isascii():
        return safe
    if len(host) > HOST:
        return ""
    try:
        return safe.replace(host, host.encode("idna").decode(), 1)
    except UnicodeError:
        return ""


def bare(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Where http(s) addresses stand in running text, as (start, end); punctuation behind them is not theirs."""
    for match in _BARE.finditer(text, start):
        end = match.start() + _inner(match[0])
        if safe_url(text[match.start() : end]):
            yield match.start(), end


def _inner(address: str) -> int:
    surplus = address.count(")") - address.count("(")
    end = len(address)
    while address[end - 1] in _TAIL or (address[end - 1] == ")" and surplus > 0):
        surplus -= address[end - 1] == ")"
        end -= 1
    return end


def shows_address(text: str) -> bool:
    """Whether a reader would take something in this text for a web or mail address."""
    return any(_shown(text))


def honest(text: str, url: str) -> str:
    """The text of a link, with the real host behind it where the text looks like another one's (a masked link).

    ``url`` is an answer of :func:`safe_url`.
    """
    seen = text.removeprefix("https://").removeprefix("http://").rstrip("…")
    if "/" in seen and url.partition("//")[2].startswith(seen):
        return text
    shown = list(_shown(text))
    if not shown or all(_leads_to(one, _host(url)) for one in shown):
        return text
    return f"{text} ({_host(url)})"


def is_name(text: str) -> bool:
    """Whether it reads as a mention or a hashtag: its host is where the account lives, not where the page is."""
    return _NAME.fullmatch(text) is not None


def _shown(text: str) -> Iterator[str]:
    if not text.isascii():
        text = normalize("NFKC", _INVISIBLE.sub("", text.translate(_DOTS)))
    if "." not in text:
        return
    for match in _SHOWN.finditer(text):
        yield match[1].lower()


def _leads_to(shown: str, real: str) -> bool:
    shown, real = _ascii(shown), _ascii(real)
    return real == shown or real.endswith("." + shown) or shown == "www." + real


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() or len(host) > HOST else host.encode("idna").decode()
    except UnicodeError:
        return host


def _host(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path.rpartition("@")[2] if parts.scheme == "mailto" else parts.hostname or "").rstrip(".").lower()
