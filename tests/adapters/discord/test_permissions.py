"""Discord's permissions: computed as Discord documents them, told by name, asked for in the invitation."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import permissions
from adapters.discord.permissions import (
    ADMINISTRATOR,
    ALL,
    CREATE_THREADS,
    EMBED,
    HISTORY,
    MANAGE_CHANNELS,
    MANAGE_WEBHOOKS,
    MENTION_EVERYONE,
    SEND,
    SEND_IN_THREADS,
    VIEW,
    Holder,
    Overwrite,
    held,
    invite,
    missing,
    names,
    obstacle,
    posting,
    wanting,
)
from relay.i18n import words

TEXT, NEWS, THREAD, FORUM = 0, 5, 11, 15
TALK = VIEW | SEND


def member(everyone: int = TALK, *, owner: bool = False, timed_out: bool = False, **roles: int) -> Holder:
    return Holder(id="me", guild="guild", everyone=everyone, roles=roles, owner=owner, timed_out=timed_out)


@pytest.mark.parametrize(
    ("holder", "overwrites", "kind", "may"),
    [
        pytest.param(member(), [], TEXT, TALK, id="everyone's"),
        pytest.param(member(a=EMBED, b=HISTORY), [], TEXT, TALK | EMBED | HISTORY, id="roles add up"),
        pytest.param(member(0, owner=True), [], TEXT, ALL, id="the owner may all"),
        pytest.param(
            member(0, a=ADMINISTRATOR), [Overwrite("me", 0, ALL)], TEXT, ALL, id="an administrator, whatever denies"
        ),
        pytest.param(member(), [Overwrite("guild", 0, SEND)], TEXT, VIEW, id="denied to everyone"),
        pytest.param(
            member(a=0), [Overwrite("guild", 0, SEND), Overwrite("a", SEND, 0)], TEXT, TALK, id="a role is nearer"
        ),
        pytest.param(
            member(a=0, b=0),
            [Overwrite("a", SEND, 0), Overwrite("b", 0, SEND)],
            TEXT,
            TALK,
            id="among roles, what one allows is allowed",
        ),
        pytest.param(
            member(a=0), [Overwrite("a", SEND, 0), Overwrite("me", 0, SEND)], TEXT, VIEW, id="the member is nearest"
        ),
        pytest.param(member(), [Overwrite("another", 0, ALL)], TEXT, TALK, id="another's overwrite"),
        pytest.param(member(), [Overwrite("guild", 0, VIEW)], TEXT, 0, id="unseen: nothing"),
        pytest.param(
            member(TALK | EMBED | MENTION_EVERYONE),
            [Overwrite("guild", 0, SEND)],
            TEXT,
            VIEW,
            id="who may not write may not embed or mention",
        ),
        pytest.param(
            member(VIEW | SEND_IN_THREADS | EMBED),
            [],
            THREAD,
            VIEW | SEND_IN_THREADS | EMBED,
            id="in a thread, its own",
        ),
        pytest.param(member(TALK | EMBED), [], THREAD, TALK, id="in a thread, not the channel's"),
        pytest.param(member(TALK | HISTORY, timed_out=True), [], TEXT, VIEW | HISTORY, id="timed out: to read"),
    ],
)
def test_what_a_member_may_do(holder: Holder, overwrites: list[Overwrite], kind: int, may: int) -> None:
    assert held(holder, overwrites, kind) == may


ANY = st.sampled_from([VIEW, SEND, EMBED, HISTORY, MENTION_EVERYONE, MANAGE_CHANNELS, SEND_IN_THREADS, CREATE_THREADS])
BITS = st.lists(ANY, max_size=6).map(lambda bits: sum(set(bits)))


@given(
    everyone=BITS, roles=st.dictionaries(st.sampled_from("ab"), BITS), said=st.lists(st.tuples(BITS, BITS), max_size=4)
)
def test_denying_takes_away_only_what_nothing_nearer_allows(
    everyone: int, roles: dict[str, int], said: list[tuple[int, int]]
) -> None:
    """Bit by bit: the member's word, then any role's allowing, its denying, then everyone's word, then the base."""
    overwrites = [Overwrite(who, *one) for who, one in zip(("guild", "a", "b", "me"), said, strict=False)]
    may = held(Holder(id="me", guild="guild", everyone=everyone, roles=roles), overwrites, TEXT)
    if not may & VIEW:
        assert may == 0
        return
    for bit in (HISTORY, MANAGE_CHANNELS, CREATE_THREADS):  # none of those that another one implies
        assert bool(may & bit) is _expected(bit, everyone, roles, {one.id: one for one in overwrites})


def _expected(bit: int, everyone: int, roles: dict[str, int], said: dict[str, Overwrite]) -> bool:
    for group in (["me"], list(roles), ["guild"]):
        here = [said[who] for who in group if who in said]
        if any(one.allow & bit for one in here):
            return True
        if any(one.deny & bit for one in here):
            return False
    return any(have & bit for have in (everyone, *roles.values()))


@pytest.mark.parametrize(
    ("have", "kind", "lacking"),
    [
        (0, TEXT, ("View Channel", "Send Messages", "Embed Links")),
        (VIEW | SEND | EMBED, TEXT, ()),
        (VIEW | SEND | EMBED, NEWS, ()),
        (VIEW | SEND | EMBED, THREAD, ("Send Messages in Threads",)),
        (VIEW | SEND_IN_THREADS | EMBED, THREAD, ()),
        (VIEW | SEND | EMBED, FORUM, ("Send Messages in Threads",)),
        (VIEW | SEND | SEND_IN_THREADS, FORUM, ("Embed Links",)),
        (ADMINISTRATOR, TEXT, ()),
    ],
)
def test_what_the_relay_lacks_in_a_channel(have: int, kind: int, lacking: tuple[str, ...]) -> None:
    assert missing(have, kind) == lacking


def test_the_authors_name_and_picture_need_webhooks() -> None:
    assert missing(posting(TEXT) | EMBED, TEXT, webhooks=True) == ("Manage Webhooks",)
    assert missing(posting(TEXT) | EMBED | MANAGE_WEBHOOKS, TEXT, webhooks=True) == ()


def test_what_can_be_done_without_is_told_apart() -> None:
    assert wanting(posting(TEXT), TEXT) == ("Send Messages in Threads", "Create Public Threads", "Read Message History")
    assert wanting(posting(THREAD), THREAD) == ("Read Message History",)
    assert wanting(ADMINISTRATOR, TEXT) == ()


def test_an_obstacle_says_what_to_do() -> None:
    assert obstacle(VIEW | SEND | EMBED, TEXT, words("en")) == ""
    said = obstacle(VIEW, TEXT, words("en"))
    assert said.endswith("Give me these permissions in that channel: Send Messages, Embed Links")


def test_the_invitation_asks_for_what_is_needed_and_no_more() -> None:
    address = urlsplit(invite("4242"))
    query = {key: value[0] for key, value in parse_qs(address.query).items()}
    assert (address.scheme, address.netloc, address.path) == ("https", "discord.com", "/oauth2/authorize")
    assert query["client_id"] == "4242"
    assert query["scope"].split() == ["bot", "applications.commands"]
    asked = int(query["permissions"])
    assert all(not missing(asked, kind) and not wanting(asked, kind) for kind in (TEXT, NEWS, THREAD, FORUM))
    assert asked.bit_count() == 6
    assert not asked & (ADMINISTRATOR | MANAGE_WEBHOOKS | MENTION_EVERYONE | MANAGE_CHANNELS)


def test_the_invitation_of_a_relay_with_webhooks_asks_for_them() -> None:
    asked = int(parse_qs(urlsplit(invite("4242", webhooks=True)).query)["permissions"][0])
    assert not missing(asked, TEXT, webhooks=True)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("ADMINISTRATOR", "administrator"),
        ("ATTACH", "attach_files"),
        ("CREATE_THREADS", "create_public_threads"),
        ("EMBED", "embed_links"),
        ("HISTORY", "read_message_history"),
        ("MANAGE_CHANNELS", "manage_channels"),
        ("MANAGE_THREADS", "manage_threads"),
        ("MANAGE_WEBHOOKS", "manage_webhooks"),
        ("MENTION_EVERYONE", "mention_everyone"),
        ("SEND", "send_messages"),
        ("SEND_IN_THREADS", "send_messages_in_threads"),
        ("VIEW", "view_channel"),
    ],
)
def test_the_bits_are_discords(ours: str, theirs: str) -> None:
    assert getattr(permissions, ours) == discord.Permissions(**{theirs: True}).value


def test_every_bit_that_may_be_missing_has_a_name() -> None:
    needed = [posting(kind) | EMBED for kind in (TEXT, NEWS, THREAD, FORUM)]
    assert all(len(names(bits)) == bits.bit_count() for bits in needed)
