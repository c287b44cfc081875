"""Bodies of Discord messages: what is in them, and whether Discord would take them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st

from adapters.discord.settings import Style
from adapters.discord.style import DiscordStyle
from relay.i18n import words
from relay.model import Card, LinkCard, Media, MediaKind, Place, Poll, PollOption, Post, PostUri, Quote
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import NOON, author, post, rich_post, text
from tests.support.discord_reader import read

STYLES: tuple[Style, ...] = ("card", "embed", "webhook")
LINK = "https://ayllu.example/a"
PING = re.compile(r"@everyone|@here|<@[!&]?\d+>|<#\d+>", re.IGNORECASE)
_NESTED = ("components", "accessory")
_URLS = ("url", "icon_url", "avatar_url")


def look(
    style: Style = "card", *, age_restricted: bool = False, role: str = "", colour: int | None = 0x6364FF
) -> DiscordStyle:
    return DiscordStyle(
        style=style,
        age_restricted=age_restricted,
        mention_role=role,
        say=words("en"),
        colour=colour,
        relay="Chaski Wasi",
    )


def card(shown: Post, *, thread: tuple[int, int] | None = None, unroll: str = "", reason: str = "") -> Card:
    place = Place(root=PostUri("root"), position=thread[0], count=thread[1]) if thread else None
    return Card(post=shown, reason=reason or "#Qeswachaka · ayllu.example", thread=place, unroll=unroll)


# --- what is in a body ---


def components(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All components, however deep."""
    for one in body.get("components", ()):
        yield one
        yield from components(one)
        if "accessory" in one:
            yield one["accessory"]


def of_type(body: Mapping[str, Any], kind: int) -> list[dict[str, Any]]:
    return [one for one in components(body) if one["type"] == kind]


def markdowns(body: Mapping[str, Any]) -> list[str]:
    """Every text of a body that Discord reads as Markdown."""
    found = [one["content"] for one in of_type(body, 10)]
    for embed in body.get("embeds", ()):
        found += [embed[key] for key in ("title", "description") if key in embed]
        found += [part for each in embed.get("fields", ()) for part in (each["name"], each["value"])]
    return found + ([body["content"]] if body.get("content") else [])


def shown(body: Mapping[str, Any]) -> str:
    """What people read of it."""
    return "\n".join(read(source).text for source in markdowns(body))


def units(value: str) -> int:
    return len(value.encode("utf-16-le")) // 2


# --- what Discord takes ---


def check(body: Mapping[str, Any], *, role: str = "") -> None:
    """Fail where Discord would refuse the message, or it could call somebody."""
    _check_texts(body)
    _check_components(body)
    _check_embeds(body.get("embeds", ()))
    for key, url in _addresses(body):
        assert urlsplit(url).scheme in {"http", "https"}, (key, url)
        assert url.isascii()
        assert len(url) <= 2048
    _check_calls(body, role)


def _check_calls(body: Mapping[str, Any], role: str) -> None:
    wanted: dict[str, list[str]] = {"parse": [], "roles": [role]} if role else {"parse": []}
    assert body["allowed_mentions"] == wanted
    for source in markdowns(body):
        for raw in (source, re.sub(r"\\(?=\W)", "", source)):
            assert not PING.search(raw.replace(f"<@&{role}>", "")), source
        assert not [one for one in read(source).all("mention") if one != f"<@&{role}>"]


def _check_texts(body: Mapping[str, Any]) -> None:
    texts = [one["content"] for one in of_type(body, 10)]
    assert all(1 <= units(one) <= 4000 and one.strip() for one in texts)
    assert sum(map(units, texts)) <= 4000
    assert sum(len(one.encode()) for one in texts) + 12 * len(texts) <= 10_170
    assert units(body.get("content", "")) <= 2000
    assert 1 <= units(body.get("username", "x")) <= 80
    if body.get("flags", 0) & 1 << 15:
        assert not {"content", "embeds"} & set(body)


def _check_components(body: Mapping[str, Any]) -> None:
    found = list(components(body))
    assert len(found) <= 40
    for one in found:
        if one["type"] == 2:
            assert one["style"] == 5
            assert 1 <= units(one["label"]) <= 80
            assert len(one["url"]) <= 512
        if one["type"] == 1:
            assert 1 <= len(one["components"]) <= 5
        if one["type"] == 9:
            assert 1 <= len(one["components"]) <= 3
        for item in one.get("items", [one] if one["type"] == 11 else ()):
            assert 1 <= units(item.get("description", "x")) <= 1024
        assert one["type"] != 12 or 1 <= len(one["items"]) <= 10
    assert "embeds" in body or all(one["type"] != 1 for one in body["components"])


def _check_embeds(embeds: list[Mapping[str, Any]]) -> None:
    total = 0
    assert len(embeds) <= 10
    for embed in embeds:
        fields = embed.get("fields", ())
        parts = [
            (embed.get("title", ""), 256),
            (embed.get("description", ""), 4096),
            (embed.get("author", {}).get("name", ""), 256),
            (embed.get("footer", {}).get("text", ""), 2048),
            *((each["name"], 256) for each in fields),
            *((each["value"], 1024) for each in fields),
        ]
        assert all(units(part) <= most for part, most in parts)
        assert all(each["name"].strip() and each["value"].strip() for each in fields)
        total += sum(units(part) for part, _ in parts)
    assert total <= 6000


def _addresses(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _URLS:
                yield key, inner
            yield from _addresses(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _addresses(inner)


# --- posts of every kind ---

PICTURE = Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A rope bridge over a river")
VIDEO = Media(url="https://ayllu.example/1.mp4", kind=MediaKind.VIDEO, alt="They pull", preview=PICTURE.url)
POLL = Poll(
    options=(PollOption(text="Grass", votes=3), PollOption(text="Rope", votes=1)), votes=4, closes=NOON + timedelta(1)
)
STRUCTURED: Text = (
    Block((Span("How it is done"),), Form.HEADING),
    Block((Span("We weave the "), Span("bridge", marks=(SpanStyle.BOLD,)), Span(" anew, see "), Span("here", LINK))),
    Block((Span("grass"),), Form.ITEM, depth=1, bullet="•"),
    Block((Span("long grass"),), Form.ITEM, depth=2, bullet="2."),
    Block((Span("Who crosses,\ncrosses."),), quote=1),
    Block((), Form.RULE),
    Block((Span("pull --all\nrest"),), Form.CODE),
)
_AVATAR = replace(author("Sami"), avatar="https://ayllu.example/sami.png")
POSTS: dict[str, Post] = {
    "plain": post(),
    "empty": post(body=()),
    "everything": rich_post(),
    "structured": post(body=STRUCTURED),
    "avatar": post(author=_AVATAR),
    "nameless": post(author=replace(author(), name="", handle="", url="")),
    "right to left": post(author=replace(_AVATAR, name="سلمى"), body=text("الجسر يحمل القلوب قبل الأقدام.")),
    "title": post(title="Market moves to the church steps [and back](no)"),
    "warning": post(warning="heights", media=(PICTURE,)),
    "sensitive": post(sensitive=True, media=(PICTURE, VIDEO)),
    "pictures": post(media=tuple(replace(PICTURE, url=f"https://ayllu.example/{n}.png") for n in range(12))),
    "no description": post(media=(replace(PICTURE, alt=""),)),
    "kinds of media": post(media=tuple(Media(url=f"{LINK}/{kind}", kind=kind, alt=kind) for kind in MediaKind)),
    "video with a preview": post(media=(VIDEO,)),
    "poll": post(poll=POLL),
    "poll without votes": post(poll=Poll(options=(PollOption(text="Grass"), PollOption(text="Rope")), multiple=True)),
    "link card": post(link_card=LinkCard(url=LINK, title="The Lantern", description="News", image=PICTURE.url)),
    "quote": post(quote=Quote(url=LINK, author=author("Sami"), body=STRUCTURED, media=(PICTURE,))),
    "quote with a warning": post(quote=Quote(url=LINK, author=author("Sami"), body=text("High."), warning="heights")),
    "quote that is gone": post(quote=Quote(url=LINK)),
    "edited": post(edited=NOON + timedelta(hours=1)),
    "endless": post(body=text(*("bridge *of* grass_ " * 40 for _ in range(30)))),
    "endless, East Asian": post(body=text("草で編んだ橋" * 900)),
    "endless, emoji": post(body=text("👩‍🚀🧵" * 2000)),
    "without an address": post(url="tag:ayllu.example,2026:1"),
    "with a long address": post(url=f"https://ayllu.example/{'x' * 600}"),
    "hostile": post(
        author=replace(author(), name="@everyone ](<https://evil.example>) ||`<@1>", handle="@here"),
        title="# <@&2> **x** `y`",
        body=text(
            "<@1> @everyone https://bank.example/a_b_c :smile: <t:1:R>", "# no", "> no", "- no", "1. no", "-# no"
        ),
        warning="||<#3>||",
        link_card=LinkCard(url=LINK, title="https://bank.example", description="@here"),
        poll=Poll(options=(PollOption(text="||@everyone||", votes=10**9),), votes=1),
    ),
}

# --- anything at all ---

NASTY = st.sampled_from(
    (
        *(
            "*",
            "**",
            "_",
            "__",
            "`",
            "```",
            "~~",
            "||",
            "[",
            "](",
            ")",
            "<",
            ">",
            "\\",
            "# ",
            "-# ",
            "> ",
            ">>> ",
            "- ",
        ),
        *(
            "1. ",
            "\n",
            "\n\n",
            "@everyone",
            "@here",
            "<@1>",
            "<@&1>",
            "<#1>",
            "<t:1:R>",
            "<:a:1>",
            "</a:1>",
            "<id:home>",
        ),
        *("@", ":smile:", "https://", LINK, "https://bank.example/a_b", "bank.example", "(", "://", "!", "#tag", "a_b"),
        *("سلام", "न", "👩‍🚀", "☀️", "é", "橋", "a", "B", "7", ".", " ", "\u200b", "…"),
    )
)
WORDS = st.lists(
    NASTY | st.text(st.characters(exclude_categories=["Cc", "Cs"], max_codepoint=0x2FFFF), max_size=4), max_size=6
).map("".join)
LINKS = (
    "",
    LINK,
    "https://evil.example/*_~[x](y)",
    "https://ayllu.example/@everyone/a__b",
    "mailto:illa@ayllu.example",
)
SPANS = st.builds(
    Span,
    WORDS,
    link=st.sampled_from(LINKS),
    role=st.sampled_from([role for role in Role if role is not Role.TIME]),  # times are ours alone
    marks=st.lists(st.sampled_from(SpanStyle), unique=True, max_size=3).map(tuple),
)
BLOCKS = st.builds(
    Block,
    st.lists(SPANS, max_size=4).map(tuple),
    form=st.sampled_from([form for form in Form if form is not Form.NOTE]),  # and so is small print
    quote=st.integers(0, 2),
    depth=st.integers(0, 3) | st.just(1000),
    bullet=st.sampled_from(["•", "1.", "42.", "123456789.", "x"]),
)
TEXTS = st.lists(BLOCKS, max_size=5).map(tuple)


def spoken(value: Text) -> str:
    """What the spans say."""
    return "".join(span.text for block in value if block.form is not Form.RULE for span in block.spans)
