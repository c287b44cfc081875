"""Whether a plugin's answer is one: the types that the seams promise. Pure.

Python checks no annotation at run time; what is wrong here would otherwise fail far from the plugin that answered it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from relay.model import Author, Deleted, Destination, Edited, Post, Published
from relay.ports import (
    Account,
    Adapter,
    Answered,
    Batch,
    Check,
    Gone,
    Limits,
    Mention,
    Mentions,
    Moved,
    Refused,
    Resolved,
    Sent,
    Source,
    TryLater,
    Unknown,
)

_LONGEST = timedelta(days=366)
_LONGEST_GAP = timedelta(days=1)


def _all(values: object, *kinds: type) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kinds) for value in values)


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _span(value: object) -> bool:
    return value is None or (isinstance(value, timedelta) and abs(value) <= _LONGEST)


def _cursor(value: object) -> bool:
    return value is None or isinstance(value, str)


def is_later(value: object) -> bool:
    """``TryLater``, ``Refused`` or ``Gone``, with a reason in words."""
    if isinstance(value, TryLater):
        return _texts(value.reason) and _span(value.after) and _cursor(value.cursor)
    return isinstance(value, Refused | Gone) and _texts(value.reason)


def is_outcome(value: object) -> bool:
    match value:
        case Sent(messages, wait):
            return _all(messages, str) and _span(wait) and bool(isinstance(wait, timedelta))
        case Moved(destination):
            return isinstance(destination, Destination)
        case Unknown(reason):
            return _texts(reason)
        case _:
            return is_later(value)


def is_batch(value: object) -> bool:
    if not isinstance(value, Batch):
        return is_later(value) and not isinstance(value, Refused)
    events = _all(value.events, Published, Edited, Deleted) and _all(value.past, Published, Edited, Deleted)
    return events and _cursor(value.cursor) and _span(value.wait) and _texts(value.note)


def is_resolved(value: object) -> bool:
    if not isinstance(value, Resolved):
        return is_later(value) and not isinstance(value, Gone)
    return _all(value.feeds, str) and _texts(value.tag, value.title, value.note)


def is_thread(value: object) -> bool:
    return is_later(value) if not isinstance(value, Sequence) else _all(tuple(value), Post)


def is_checks(value: object) -> bool:
    if not isinstance(value, Sequence) or not _all(tuple(value), Check):
        return False
    return all(_texts(check.name, check.note) for check in value)


def is_mentions(value: object) -> bool:
    if not isinstance(value, Mentions):
        return is_later(value)
    told = _all(value.mentions, Mention) and all(map(_is_mention, value.mentions))
    return told and _cursor(value.cursor) and _span(value.wait)


def _is_mention(mention: Mention) -> bool:
    if not (_is(mention.at, datetime) and mention.at.tzinfo and _is(mention.asker, Author)):
        return False
    asker, told = mention.asker, (mention.text, mention.about, mention.language, mention.reply)
    return _texts(asker.uri, asker.name, asker.handle, asker.url, mention.uri, *told)


def is_account(value: object) -> bool:
    if not isinstance(value, Account):
        return is_later(value)
    return _texts(value.uri, value.handle, value.url, value.note)


def is_answered(value: object) -> bool:
    return (isinstance(value, Answered) and _texts(value.uri) and _span(value.wait)) or is_later(value)


def misfit(plugin: object, kind: type[Adapter] | type[Source]) -> str:
    """What an object lacks that is to be a source or an adapter; empty: nothing."""
    adapter = kind is Adapter
    methods = ("run", "deliver", "check", "close") if adapter else ("resolve", "poll", "check")
    missing = [name for name in methods if not callable(getattr(plugin, name, None))]
    if missing:
        return f"no {' and no '.join(missing)}"
    return _misfit_adapter(plugin) if adapter else _misfit_source(plugin)


def _misfit_adapter(plugin: object) -> str:
    limits = getattr(plugin, "limits", None)
    if not isinstance(limits, Limits):
        return "limits that are no Limits"
    sizes = all(size is None or (_is(size, int) and size > 0) for size in (limits.text, limits.media))
    flags = (limits.threads, limits.edits, limits.deletions, limits.idempotent)
    gap = _is(limits.gap, timedelta) and timedelta(0) <= limits.gap <= _LONGEST_GAP
    fits = sizes and gap and all(_is(flag, bool) for flag in flags)
    return "" if fits and limits.on_unknown in {None, "resend", "skip"} else f"limits that make no sense ({limits})"


def _misfit_source(plugin: object) -> str:
    spans = {"interval": "an interval", "listen": "a listen", "sweep": "a sweep"}
    for name, told in spans.items():
        span = getattr(plugin, name, None if name == "interval" else _LONGEST)
        if not isinstance(span, timedelta) or not timedelta(0) < span <= _LONGEST:
            return f"{told} that is no time span"
    match getattr(plugin, "posting", (1, _LONGEST)):
        case (int(most), timedelta() as span) if most > 0 and span > timedelta(0):
            return ""
        case _:
            return "a posting that is no number of answers in a time span"
