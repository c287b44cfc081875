"""The page of what a player plays: frames and plug-ins show a film or a sound that has an address for people."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

_PAGES = (
    (
        re.compile(r"(?:(?:www|m)\.)?youtube(?:-nocookie)?\.com/(?:embed|v|shorts|live)/([\w-]+)"),
        "https://www.youtube.com/watch?v={1}",
    ),
    (re.compile(r"player\.vimeo\.com/video/(\d+)"), "https://vimeo.com/{1}"),
    (re.compile(r"(?:www\.)?dailymotion\.com/embed/video/(\w+)"), "https://www.dailymotion.com/video/{1}"),
    (re.compile(r"(?:www\.)?archive\.org/embed/([^/?#]+)"), "https://archive.org/details/{1}"),
    (
        re.compile(r"open\.spotify\.com/embed(?:-podcast)?/(\w+)/(\w+)"),
        "https://open.spotify.com/{1}/{2}",
    ),
    (re.compile(r"embed\.((?:music|podcasts|tv)\.apple\.com)/(.+)"), "https://{1}/{2}"),
    (re.compile(r"widget\.deezer\.com/widget/\w+/(\w+)/(\w+)"), "https://www.deezer.com/{1}/{2}"),
    (re.compile(r"embed\.ted\.com/talks/(.+)"), "https://www.ted.com/talks/{1}"),
    (re.compile(r"(?:www\.)?streamable\.com/[eos]/(\w+)"), "https://streamable.com/{1}"),
    (re.compile(r"(?:www\.)?giphy\.com/embed/(\w+)"), "https://giphy.com/gifs/{1}"),
    (re.compile(r"(?:www\.)?codepen\.io/([\w-]+)/embed/(?:preview/)?(\w+)"), "https://codepen.io/{1}/pen/{2}"),
    (re.compile(r"odysee\.com/(?:\$|%24)/embed/(.+)"), "https://odysee.com/{1}"),
    (re.compile(r"(?:www\.)?instagram\.com/(p|reel|tv)/([\w-]+)/embed"), "https://www.instagram.com/{1}/{2}/"),
    (re.compile(r"(?:www\.)?tiktok\.com/(?:embed(?:/v\d)?|player/v1)/(\d+)"), "https://www.tiktok.com/@/video/{1}"),
    (re.compile(r"embed\.reddit\.com/(.+)"), "https://www.reddit.com/{1}"),
    (re.compile(r"(?:www\.)?redditmedia\.com/(.+)"), "https://www.reddit.com/{1}"),
    (
        re.compile(r"embed\.bsky\.app/embed/([^/]+)/app\.bsky\.feed\.post/(\w+)"),
        "https://bsky.app/profile/{1}/post/{2}",
    ),
)
"""Where a player stands, and the page of what it plays."""
_SAME_HOST = (
    (re.compile(r"/videos/embed/([\w-]+)"), "/videos/watch/{1}"),
    (re.compile(r"/video-playlists/embed/([\w-]+)"), "/w/p/{1}"),
    (re.compile(r"(/@[\w.@-]+/\d+)/embed"), "{1}"),
)
"""The same of software that runs on many hosts, by the forms of its addresses."""
_NAMED = {
    "www.youtube.com": ("list", "https://www.youtube.com/playlist?list={}"),
    "www.youtube-nocookie.com": ("list", "https://www.youtube.com/playlist?list={}"),
    "geo.dailymotion.com": ("video", "https://www.dailymotion.com/video/{}"),
    "clips.twitch.tv": ("clip", "https://clips.twitch.tv/{}"),
    "player.bilibili.com": ("bvid", "https://www.bilibili.com/video/{}"),
    "platform.twitter.com": ("id", "https://x.com/i/status/{}"),
}
"""Hosts whose players are told by one parameter what to play."""
_TOLD = {
    "w.soundcloud.com": "url",
    "cdn.embedly.com": "url",
    "cdn.iframe.ly": "url",
    "www.facebook.com": "href",
}
"""Hosts whose players are told the page itself."""
_NAME = re.compile(r"[\w-]{1,80}")


def page_of(url: str) -> str:
    """The address of the page, or ``url`` itself where no other is known; ``url`` is an absolute http(s) address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    asked = parse_qs(parts.query, max_num_fields=50) if len(parts.query) < 2_000 and parts.query.count("&") < 50 else {}
    if host == "player.twitch.tv":
        return _twitch(asked) or url
    if (parameter := _TOLD.get(host)) and (page := asked.get(parameter, [""])[0]).startswith(("https://", "http://")):
        return url if "//api.soundcloud.com/" in page else page
    if host == "www.mixcloud.com" and (show := asked.get("feed", [""])[0]).startswith("/"):
        return f"https://www.mixcloud.com{show}"
    if page := _of_path(parts.scheme, host, parts.netloc, parts.path):
        return page + _place_in(host, asked)
    name, page = _NAMED.get(host, ("", ""))
    if name and _NAME.fullmatch(found := asked.get(name, [""])[0]):
        return page.format(found)
    return url


def _place_in(host: str, asked: dict[str, list[str]]) -> str:
    """Where in a film on YouTube, and by which word one on Vimeo that is not listed is to be seen."""
    if "youtube" in host and (start := asked.get("start", [""])[0]).isdecimal() and start != "0":
        return f"&t={start}"
    if host == "player.vimeo.com" and _NAME.fullmatch(word := asked.get("h", [""])[0]):
        return f"/{word}"
    return ""


def _of_path(scheme: str, host: str, netloc: str, path: str) -> str:
    if path.endswith(("/videoseries", "/live_stream")):
        return ""
    for pattern, page in _PAGES:
        if match := pattern.match(f"{host}{path}"):
            return page.format(match[0], *match.groups())
    for pattern, page in _SAME_HOST:
        if match := pattern.fullmatch(path):
            return f"{scheme}://{netloc}{page.format(match[0], *match.groups())}"
    return ""


def _twitch(asked: dict[str, list[str]]) -> str:
    for name, page in (("video", "https://www.twitch.tv/videos/{}"), ("channel", "https://www.twitch.tv/{}")):
        if _NAME.fullmatch(found := asked.get(name, [""])[0]):
            return page.format(found.removeprefix("v") if name == "video" else found)
    return ""
