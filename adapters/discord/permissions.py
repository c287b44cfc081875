"""Discord's permissions: what the relay needs, what a member may do in a channel, and the link that invites. Pure.

It knows neither discord.py nor the network; numbers are Discord's bit sets, ids are strings.
https://docs.discord.com/developers/topics/permissions
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from relay.i18n import Words, later

ADMINISTRATOR = 1 << 3
MANAGE_CHANNELS = 1 << 4
VIEW = 1 << 10
SEND = 1 << 11
EMBED = 1 << 14
ATTACH = 1 << 15
HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
MANAGE_WEBHOOKS = 1 << 29
MANAGE_THREADS = 1 << 34
CREATE_THREADS = 1 << 35
SEND_IN_THREADS = 1 << 38
ALL = (1 << 54) - 1

_NAMES: Mapping[int, str] = {
    VIEW: later("View Channel"),
    SEND: later("Send Messages"),
    SEND_IN_THREADS: later("Send Messages in Threads"),
    CREATE_THREADS: later("Create Public Threads"),
    EMBED: later("Embed Links"),
    HISTORY: later("Read Message History"),
    MANAGE_WEBHOOKS: later("Manage Webhooks"),
    MENTION_EVERYONE: later("Mention @everyone, @here, and All Roles"),
}
"""As Discord's own settings call them, in the order in which they are told."""

TEXT, ANNOUNCEMENT, FORUM = 0, 5, 15
THREADS = frozenset({10, 11, 12})
FORUMS = frozenset({FORUM, 16})
"""Every message stands in a post: there is no talking in the channel itself."""

_TIMED_OUT = VIEW | HISTORY
_NEEDS_SEND = MENTION_EVERYONE | ATTACH | EMBED | 1 << 12  # the last one reads a message out aloud
_INVITED = VIEW | SEND | SEND_IN_THREADS | CREATE_THREADS | EMBED | HISTORY


def posting(kind: int) -> int:
    """Without these nothing can be posted at all in a channel of this kind."""
    if kind in THREADS:
        return VIEW | SEND_IN_THREADS
    return VIEW | SEND | SEND_IN_THREADS if kind in FORUMS else VIEW | SEND


def missing(have: int, kind: int, *, webhooks: bool = False) -> tuple[str, ...]:
    """What the relay needs in such a channel and does not have, by name; ``webhooks``: for the author's own name."""
    return _lacking(have, posting(kind) | EMBED | (MANAGE_WEBHOOKS if webhooks else 0))


def wanting(have: int, kind: int) -> tuple[str, ...]:
    """What the relay can do without, less well: threads stay in the channel, a doubtful message is not looked for."""
    return _lacking(have, HISTORY if kind in THREADS | FORUMS else HISTORY | CREATE_THREADS | SEND_IN_THREADS)


def obstacle(have: int, kind: int, say: Words, *, webhooks: bool = False) -> str:
    """Why the relay cannot post there, for people; empty: it can."""
    lacking = ", ".join(say(name) for name in missing(have, kind, webhooks=webhooks))
    if not lacking:
        return ""
    return say("I can't post there. Give me these permissions in that channel: {names}").format(names=lacking)


def names(bits: int) -> tuple[str, ...]:
    """What these permissions are called, in English: keys for ``relay.language``."""
    return tuple(name for bit, name in _NAMES.items() if bits & bit)


def _lacking(have: int, needed: int) -> tuple[str, ...]:
    return () if have & ADMINISTRATOR else names(needed & ~have)


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What a channel allows and denies to a role, or to one member; ``id`` is whose."""

    id: str
    allow: int
    deny: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A member of a guild; ``roles`` are the permissions of each role that they have, @everyone's not among them."""

    id: str
    guild: str
    everyone: int
    roles: Mapping[str, int] = field(default_factory=dict)
    owner: bool = False
    timed_out: bool = False


def held(holder: Holder, overwrites: Collection[Overwrite], kind: int = TEXT) -> int:
    """What a member may do in a channel; of a thread, ``overwrites`` are its parent's."""
    base = holder.everyone
    for role in holder.roles.values():
        base |= role
    if holder.owner or base & ADMINISTRATOR:
        return ALL
    may = _implied(_overwritten(holder, base, {one.id: one for one in overwrites}), kind)
    return may & _TIMED_OUT if holder.timed_out else may


def _overwritten(holder: Holder, base: int, found: Mapping[str, Overwrite]) -> int:
    """@everyone first, then all roles at once, then the member: each may take back what the one before it said."""
    for ids in ((holder.guild,), tuple(holder.roles), (holder.id,)):
        allow = deny = 0
        for one in (found[who] for who in ids if who in found):
            allow, deny = allow | one.allow, deny | one.deny
        base = base & ~deny | allow
    return base


def _implied(may: int, kind: int) -> int:
    """Who does not see a channel may do nothing there; who may not write there may not do it in a special way."""
    if not may & VIEW:
        return 0
    return may if may & (SEND_IN_THREADS if kind in THREADS else SEND) else may & ~_NEEDS_SEND


def invite(application_id: str, *, webhooks: bool = False) -> str:
    """The address at which an administrator adds the relay to a server, with exactly the permissions that it needs."""
    wanted = _INVITED | (MANAGE_WEBHOOKS if webhooks else 0)
    query = {"client_id": application_id, "scope": "bot applications.commands", "permissions": str(wanted)}
    return f"https://discord.com/oauth2/authorize?{urlencode(query)}"
