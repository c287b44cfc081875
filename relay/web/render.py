"""A thread in each format that it can be taken away in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from relay.card import Section, SectionKind
from relay.i18n import Words
from relay.model import LinkCard, Media, Poll, Post, Quote, Removed
from relay.text import plain, text_content
from relay.web.labels import day, moment, post_sections, posts
from relay.web.markdown import markdown
from relay.web.markup import html
from relay.web.pages import page_html
from relay.web.thread_view import ThreadReading, byline

__all__ = ["Format", "ThreadReading", "as_json", "html", "markdown", "page_html", "plain_text", "render_thread"]


class Format(StrEnum):
    """The endings of the files that a thread can be taken away in."""

    HTML = "html"
    MD = "md"
    TXT = "txt"
    JSON = "json"


def render_thread(reading: ThreadReading, form: Format) -> str:
    """The thread as a file of its own, ending in a line break."""
    return _RENDERERS[form](reading).rstrip("\n") + "\n"


# --- plain text ---


def plain_text(reading: ThreadReading) -> str:
    """The thread as plain text: paragraphs apart by an empty line, posts by a line that says when and where."""
    say = reading.say
    head = [
        reading.title,
        f"{posts(say, len(reading.written))}, {day(say, reading.first.published)}",
        reading.first.url,
    ]
    parts = ["\n".join(head)]
    for post in reading.posts:
        parts += _post_text(post, say)
    for chain in reading.asides:
        parts.append("* * *")
        parts += [part for post in chain for part in _post_text(post, say)]
    return "\n\n".join(part for part in parts if part)


def _post_text(post: Post | Removed, say: Words) -> Iterator[str]:
    if isinstance(post, Removed):
        yield f"[{say('post removed')}]"
        return
    for section in post_sections(post, say):
        yield _section_text(section)
    yield f"({moment(say, post.published)}, {post.url})"


def _section_text(section: Section) -> str:
    if section.kind is SectionKind.HEADLINE:
        return text_content(section.text)
    if section.kind is not SectionKind.QUOTE:
        return plain(section.text)
    text = "\n\n".join(map(_section_text, section.inner)) or plain(section.text)
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


# --- JSON ---


def as_json(reading: ThreadReading) -> dict[str, object]:
    """The thread as JSON values; a post has the names that it has wherever the relay writes JSON."""
    return {
        "uri": reading.posts[0].uri,
        "url": reading.first.url,
        "author": _author(reading.first),
        "title": reading.title,
        "published": _time(reading.first.published),
        "updated": _time(reading.updated),
        "looked": _time(reading.looked),
        "count": len(reading.written),
        "minutes": reading.minutes,
        "answers": reading.answers,
        "unroll": reading.address,
        "posts": [_post_json(post) for post in reading.posts],
        "asides": [[_post_json(post) for post in chain] for chain in reading.asides],
    }


def _post_json(post: Post | Removed) -> dict[str, object]:
    if isinstance(post, Removed):
        return {"uri": post.uri, "removed": True}
    return {
        "uri": post.uri,
        "url": post.url,
        "author": _author(post),
        "title": post.title,
        "text": plain(post.body),
        "warning": post.warning,
        "sensitive": post.sensitive,
        "media": _media_json(post.media),
        "published": _time(post.published),
        "edited": _time(post.edited),
        "language": post.language,
        "other_languages": list(post.other_languages),
        "tags": list(post.tags),
        "poll": _poll_json(post.poll),
        "quote": _quote_json(post.quote) if post.quote else None,
        "link": _link_json(post.link_card),
    }


def _author(post: Post) -> Mapping[str, str]:
    return {"name": post.author.name, "handle": post.author.handle, "url": post.author.url}


def _media_json(media: Sequence[Media]) -> list[dict[str, str]]:
    return [{"kind": each.kind.value, "alt": each.alt, **each.addresses()} for each in media]


def _link_json(card: LinkCard | None) -> dict[str, str] | None:
    return {"url": card.url, "title": card.title} if card else None


def _poll_json(poll: Poll | None) -> dict[str, object] | None:
    if poll is None:
        return None
    options = [{"text": option.text, "votes": option.votes} for option in poll.options]
    count = {"votes": poll.votes, "voters": poll.voters}
    return {"options": options, **count, "multiple": poll.multiple, "closes": _time(poll.closes)}


def _quote_json(quote: Quote) -> dict[str, object]:
    return {
        "url": quote.url,
        "author": byline(quote.author) if quote.author else None,
        "text": plain(quote.body),
        "warning": quote.warning,
        "sensitive": quote.sensitive,
        "media": _media_json(quote.media),
        "poll": _poll_json(quote.poll),
        "link": _link_json(quote.link_card),
        "state": quote.state.value,
    }


def _time(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _json_text(reading: ThreadReading) -> str:
    return json.dumps(as_json(reading), ensure_ascii=False, indent=2)


_RENDERERS: Mapping[Format, Callable[[ThreadReading], str]] = {
    Format.HTML: page_html,
    Format.MD: markdown,
    Format.TXT: plain_text,
    Format.JSON: _json_text,
}
