"""Posts of every kind, as they are relayed: alone, in threads, as one message for many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from relay.i18n import words
from relay.model import (
    Author,
    Card,
    Digest,
    DigestReason,
    LinkCard,
    Media,
    MediaKind,
    Place,
    Poll,
    PollOption,
    Post,
    Quote,
    QuoteState,
)
from relay.pipeline.digests import digest_card
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import NOON, author, post, text

HOST = "https://ayllu.example"
PAGE = "https://relay.example/t/abc"
REASON = "#Qeswachaka · ayllu.example"


def picture(number: int = 1, alt: str = "A rope bridge over a river") -> Media:
    return Media(url=f"{HOST}/{number}.png", kind=MediaKind.IMAGE, alt=alt)


VIDEO = Media(url=f"{HOST}/1.mp4", kind=MediaKind.VIDEO, alt="They pull the ropes", preview=f"{HOST}/1.jpg")
SOUND = Media(url=f"{HOST}/1.mp3", kind=MediaKind.AUDIO, alt="A song at work")
FILE = Media(url=f"{HOST}/1.pdf", kind=MediaKind.FILE, alt="The plan")
MOVING = Media(url=f"{HOST}/1.gif", kind=MediaKind.ANIMATION, alt="A llama dances")
SAMI = replace(author("Sami"), avatar=f"{HOST}/sami.png")
POLL = Poll(
    options=(PollOption(text="Grass", votes=3), PollOption(text="Rope", votes=1)),
    votes=4,
    closes=NOON + timedelta(days=1),
)
STRUCTURED: Text = (
    Block((Span("How it is done"),), Form.HEADING),
    Block(
        (Span("We weave the "), Span("bridge", marks=(SpanStyle.BOLD,)), Span(" anew, see "), Span("here", f"{HOST}/a"))
    ),
    Block((Span("grass"),), Form.ITEM, depth=1, bullet="•"),
    Block((Span("long grass"),), Form.ITEM, depth=2, bullet="2."),
    Block((Span("Who crosses,\ncrosses."),), quote=1),
    Block((), Form.RULE),
    Block((Span("pull --all\nrest"),), Form.CODE),
)
SPOKEN: Text = (
    Block(
        (
            Span("All of "),
            Span("#Qeswachaka", f"{HOST}/tags/Qeswachaka", role=Role.HASHTAG),
            Span(" with "),
            Span("@sami", f"{HOST}/@sami", role=Role.MENTION),
            Span(" "),
            Span(":llama:", role=Role.EMOJI),
            Span(" in "),
            Span("slanted", marks=(SpanStyle.ITALIC,)),
            Span(", "),
            Span("struck", marks=(SpanStyle.STRIKE,)),
            Span(", "),
            Span("underlined", marks=(SpanStyle.UNDERLINE,)),
            Span(", "),
            Span("code", marks=(SpanStyle.CODE,)),
            Span(" and "),
            Span("hidden", marks=(SpanStyle.SPOILER,)),
            Span(" letters. "),
            Span("ayllu.example/news", f"{HOST}/news"),
        )
    ),
)
HOSTILE = post(
    author=Author(uri="x", name="@everyone ](<https://evil.example>) ||`<@1>", handle="@here", url=f"{HOST}/@x"),
    title="# <@&2> **x** `y` <b>z</b>",
    body=text("<@1> @everyone https://bank.example/a_b_c :smile: <t:1:R>", "# no", "> no", "- no", "1. no", "-# no"),
    warning="||<#3>||",
    link_card=LinkCard(url=f"{HOST}/a", title="https://bank.example", description="@here"),
)
LONG = text(*(f"Paragraph {number}: " + "the bridge of grass is woven anew. " * 12 for number in range(1, 25)))

POSTS: dict[str, Post] = {
    "plain": post(),
    "without words": post(body=()),
    "two paragraphs": post(body=text("The bridge holds.", "Everybody may cross.")),
    "marked text": post(body=SPOKEN, tags=("Qeswachaka",)),
    "structured text": post(body=STRUCTURED),
    "a feed's entry": post(
        title="Market moves to the church steps [and back](no)", author=Author(uri="f", name="The Lantern")
    ),
    "an author with a picture": post(author=SAMI),
    "an author without a name": post(author=replace(author(), name="", handle="", url="")),
    "a bot": post(author=replace(author(), bot=True)),
    "right to left": post(
        author=replace(SAMI, name="سلمى"), body=text("الجسر يحمل القلوب قبل الأقدام."), language="ar"
    ),
    "East Asian": post(body=text("草で編んだ橋を渡る。"), language="ja"),
    "emoji": post(body=text("👩‍🚀🧵 🇨🇱 ❤️")),
    "a warning": post(warning="heights", media=(picture(),)),
    "sensitive pictures": post(sensitive=True, media=(picture(), VIDEO)),
    "a picture": post(media=(picture(),)),
    "a picture without a description": post(media=(picture(alt=""),)),
    "four pictures": post(media=tuple(picture(number) for number in range(1, 5))),
    "twelve pictures": post(media=tuple(picture(number, f"Nr {number}") for number in range(1, 13))),
    "a video": post(media=(VIDEO,)),
    "all kinds of media": post(media=(picture(), VIDEO, MOVING, SOUND, FILE)),
    "a sound": post(media=(SOUND,)),
    "a poll": post(poll=POLL),
    "a poll without votes": post(poll=Poll(options=(PollOption(text="Grass"), PollOption(text="Rope")), multiple=True)),
    "a link card": post(
        link_card=LinkCard(
            url=f"{HOST}/a", title="The Lantern", description="News of the valley", image=f"{HOST}/2.png"
        )
    ),
    "a quote": post(quote=Quote(url=f"{HOST}/@sami/9", author=SAMI, body=text("Bring rope."), media=(picture(9),))),
    "a quote with a warning": post(
        quote=Quote(url=f"{HOST}/@sami/9", author=SAMI, body=text("High up."), warning="heights")
    ),
    "a quote that is gone": post(quote=Quote(url=f"{HOST}/@sami/9")),
    "a quote that waits": post(quote=Quote(url=f"{HOST}/@sami/9", state=QuoteState.PENDING)),
    "edited": post(edited=NOON + timedelta(hours=1)),
    "a long text": post(body=LONG),
    "everything": post(
        title="A title",
        body=STRUCTURED,
        warning="heights",
        sensitive=True,
        tags=("Qeswachaka", "bridge"),
        media=(picture(), VIDEO),
        poll=POLL,
        quote=Quote(url=f"{HOST}/@sami/9", author=SAMI, body=text("Bring rope.")),
        language="es",
    ),
    "without an address": post(url="tag:ayllu.example,2026:1"),
    "hostile": HOSTILE,
}


def _thread(position: int, count: int) -> Card:
    place = Place(root=post(1).uri, position=position, count=count)
    return Card(post=post(position), reason=REASON, thread=place, unroll=PAGE)


def _folded(why: DigestReason) -> Card:
    cards = tuple(Card(post=post(n, author=author(name)), reason=REASON) for n, name in ((1, "Illa"), (2, "Sami")))
    digest = Digest(
        slug="abc", reason=why, topic="#Qeswachaka", tag="qeswachaka", count=7, listed=9, since=NOON, best=cards
    )
    return digest_card(
        digest, name="Chaski Wasi", address=lambda path: f"https://relay.example/{path}", say=words("en")
    )


CARDS: dict[str, Card] = {
    **{name: Card(post=one, reason=REASON) for name, one in POSTS.items()},
    "the first of a thread": _thread(1, 3),
    "the second of a thread": _thread(2, 3),
    "a whole thread": replace(_thread(1, 3), posts=tuple(post(number) for number in (1, 2, 3))),
    **{f"one message for many, {why}": _folded(why) for why in DigestReason},
}


def edited(card: Card) -> Card:
    """After its author changed it."""
    changed = replace(card.post, body=(*card.post.body, *text("One word more.")), edited=NOON + timedelta(hours=2))
    return replace(card, post=changed, posts=(changed, *card.posts[1:]) if card.posts else ())


def grown(card: Card) -> Card:
    """After its thread grew."""
    assert card.thread
    more = replace(card.thread, count=card.thread.count + 2)
    return replace(card, thread=more, posts=(*card.posts, post(4), post(5)) if card.posts else ())
