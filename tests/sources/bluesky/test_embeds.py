"""Every kind of embed, as a view shows it and as a bare record has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import LinkCard, Media, MediaKind, Post, Quote, QuoteState
from relay.sources.bluesky.embeds import UNKNOWN, read_embed
from relay.sources.bluesky.records import read_view
from relay.sources.bluesky.shapes import Raw
from relay.text import plain
from tests.servers.bluesky.jetstream import POSTS, did, record, tid
from tests.servers.bluesky.world import Json, label, profile, view

AT = 1_783_000_000_000_000
ILLA, SAMI = did("illa"), did("sami")
KEY = tid(AT)
HERE = f"https://bsky.app/profile/{ILLA}/post/{KEY}"
CID = "bafkrei" + "a" * 52
CDN, VIDEOS = "https://cdn.bsky.app/img", f"https://video.bsky.app/watch/{ILLA.replace(':', '%3A')}/{CID}"


def embed(kind: str, **more: Any) -> Json:
    return {"$type": f"app.bsky.embed.{kind}", **more}


def blob(cid: str = CID) -> Json:
    return {"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/jpeg", "size": 7}


def post(shown: object, in_record: object = None) -> Post:
    said = record("look", AT) | ({"embed": in_record} if in_record else {})
    made = view(said, profile("illa"), uri=f"at://{ILLA}/{POSTS}/{KEY}", embed=shown)
    read = read_view(json.dumps(made).encode())
    assert isinstance(read, Post), read
    return read


def picture(number: int, **more: Any) -> Json:
    return {
        "thumb": f"https://cdn.example/t/{number}",
        "fullsize": f"https://cdn.example/f/{number}",
        "alt": "A bridge",
    } | more


def image(number: int, **more: Any) -> Media:
    shown = {"url": f"https://cdn.example/f/{number}", "preview": f"https://cdn.example/t/{number}", "alt": "A bridge"}
    return Media(kind=MediaKind.IMAGE, **(shown | more))


# --- files ---


def test_pictures_with_their_sizes_and_descriptions() -> None:
    sized = picture(1, aspectRatio={"width": 1600, "height": 900})
    assert post(embed("images#view", images=[sized, picture(2)])).media == (image(1, width=1600, height=900), image(2))


@pytest.mark.parametrize("field", ["items", "media"])
@pytest.mark.parametrize("thumb", ["thumb", "thumbnail"])
def test_a_gallery_is_pictures_whatever_its_draft_calls_them(field: str, thumb: str) -> None:
    shown = picture(1)
    shown[thumb] = shown.pop("thumb")
    assert post(embed("gallery#view", **{field: [shown]})).media == (image(1),)


def test_a_video_has_a_playlist_and_a_still() -> None:
    shown = embed(
        "video#view", cid=CID, playlist=f"{VIDEOS}/playlist.m3u8", thumbnail=f"{VIDEOS}/thumbnail.jpg", alt="Rain"
    )
    (video,) = post(shown).media
    assert (video.kind, video.url, video.picture, video.link, video.alt) == (
        MediaKind.VIDEO,
        f"{VIDEOS}/playlist.m3u8",
        f"{VIDEOS}/thumbnail.jpg",
        HERE,
        "Rain",
    )
    assert post(shown | {"presentation": "gif"}).media[0].kind is MediaKind.ANIMATION


@pytest.mark.parametrize(
    ("in_record", "url", "preview"),
    [
        (
            embed("images", images=[{"alt": "", "image": blob()}]),
            f"{CDN}/feed_fullsize/plain/{ILLA}/{CID}@jpeg",
            f"{CDN}/feed_thumbnail/plain/{ILLA}/{CID}@jpeg",
        ),
        (
            embed("images", images=[{"alt": "", "image": {"cid": CID, "mimeType": "image/png"}}]),
            f"{CDN}/feed_fullsize/plain/{ILLA}/{CID}@jpeg",
            f"{CDN}/feed_thumbnail/plain/{ILLA}/{CID}@jpeg",
        ),
        (embed("video", video=blob()), f"{VIDEOS}/playlist.m3u8", f"{VIDEOS}/thumbnail.jpg"),
    ],
)
def test_a_bare_record_names_files_that_have_an_address(in_record: Json, url: str, preview: str) -> None:
    (media,) = post(None, in_record).media
    assert (media.url, media.preview) == (url, preview)


def test_the_same_video_has_the_same_address_either_way() -> None:
    shown = embed("video#view", playlist=f"{VIDEOS}/playlist.m3u8", thumbnail=f"{VIDEOS}/thumbnail.jpg")
    assert post(shown).media == post(None, embed("video", video=blob())).media


@pytest.mark.parametrize("cid", ["../../evil", "a b", "", "é"])
def test_a_file_with_an_unsound_name_has_no_address(cid: str) -> None:
    assert post(None, embed("images", images=[{"image": blob(cid)}])).media == ()


# --- links ---


LINK = "https://river.example/news"


def external(**more: Any) -> Json:
    return {"uri": LINK, "title": "High water", "description": "Again."} | more


@pytest.mark.parametrize(
    ("thumb", "picture"),
    [
        ("https://cdn.example/t/9", "https://cdn.example/t/9"),
        (blob(), f"{CDN}/feed_thumbnail/plain/{ILLA}/{CID}@jpeg"),
        (None, ""),
    ],
)
def test_a_link_has_a_card(thumb: object, picture: str) -> None:
    card = LinkCard(url="https://river.example/news", title="High water", description="Again.", image=picture)
    assert post(embed("external#view", external=external(thumb=thumb))).link_card == card


@pytest.mark.parametrize(
    ("url", "sizes"),
    [
        ("https://media.tenor.com/AbCdEfGhAAAAC/llama-dances.gif?hh=280&ww=498", (498, 280)),
        ("https://media1.tenor.com/m/AbCdEfGhAAAAC/llama.gif", (None, None)),
        ("https://static.klipy.com/ii/4e7b/84/ef/1ocFw0eI.gif?hh=200&ww=356&mp4=xYz&webm=aBc", (356, 200)),
        ("https://static2.klipy.com/ii/4e7b/84/ef/1ocFw0eI.webp", (None, None)),
        ("https://k.gifs.bsky.app/ii/4e7b/84/ef/1ocFw0eI.gif?ww=99999&hh=2", (None, None)),
        ("https://t.gifs.bsky.app/AbCdEfGhAAAAC/llama.gif?ww=x&hh=2", (None, None)),
        ("https://media4.giphy.com/media/v1.Y2lk/3oEjI6/giphy.gif", (None, None)),
        ("https://i.giphy.com/3oEjI6.GIF", (None, None)),
    ],
)
@pytest.mark.parametrize(
    ("title", "description", "alt"),
    [
        ("Llama Dances GIF", "ALT: a llama dances on a rope bridge", "a llama dances on a rope bridge"),
        ("Llama Dances GIF", "Alt: A llama.\nIt dances.", "A llama. It dances."),
        ("Llama Dances GIF", "Alt text: a llama", "a llama"),
        ("Llama Dances GIF", "a llama", "a llama"),
        ("Llama Dances GIF", "ALT: ", "Llama Dances GIF"),
        ("Llama Dances GIF", "", "Llama Dances GIF"),
        ("", "", ""),
    ],
)
def test_an_animation_of_the_picker_is_one_with_its_description(
    url: str, sizes: tuple[int | None, int | None], title: str, description: str, alt: str
) -> None:
    told = {"uri": url, "title": title, "description": description, "thumb": "https://cdn.example/t/9"}
    read = post(embed("external#view", external=told))
    width, height = sizes
    still = "https://cdn.example/t/9"
    moving = Media(url=url, kind=MediaKind.ANIMATION, alt=alt, preview=still, width=width, height=height)
    assert (read.media, read.link_card) == ((moving,), None)
    assert moving.picture == moving.link == url


@pytest.mark.parametrize(
    "url",
    [
        "https://tenor.com/view/llama-dances-gif-123",
        "https://media.tenor.com/AbC/llama.html",
        "https://tenor.com.evil.example/a.gif",
        "https://eviltenor.com/a.gif",
        "https://blog.example/pictures/llama.gif",
    ],
)
def test_other_addresses_stay_links(url: str) -> None:
    read = post(embed("external#view", external=external(uri=url)))
    assert read.media == ()
    assert read.link_card
    assert read.link_card.url == url


def test_a_link_without_a_title_is_called_by_its_address() -> None:
    card = post(embed("external#view", external=external(title=""))).link_card
    assert card
    assert card.title == "https://river.example/news"


# --- quotes ---


def quoted(text: str = "Bring rope.", *, by: Json | None = None, **more: Any) -> Json:
    """A quoted post as a view shows it."""
    said = record(text, AT - 5)
    who = by or profile("sami")
    uri = f"at://{who['did']}/{POSTS}/{tid(AT - 5)}"
    shown = {"$type": "app.bsky.embed.record#viewRecord", "uri": uri, "cid": CID, "author": who, "value": said}
    return shown | {"indexedAt": said["createdAt"], "labels": []} | more


QUOTED_BY_IT = f"https://bsky.app/profile/{ILLA}/post/{tid(AT - 5)}"
THERE = f"https://bsky.app/profile/{SAMI}/post/{tid(AT - 5)}"


def test_a_quote_shows_who_wrote_what_with_the_pictures_in_it() -> None:
    inner = [embed("images#view", images=[picture(1)])]
    quote = post(embed("record#view", record=quoted(embeds=inner))).quote
    assert quote
    assert quote.author
    assert (quote.url, quote.author.name, plain(quote.body)) == (THERE, "Sami", "Bring rope.")
    assert (quote.media, quote.warning) == ((image(1),), "")


GIF = "https://media.tenor.com/AbCdEfGhAAAAC/llama-dances.gif?hh=280&ww=498"


@pytest.mark.parametrize(
    ("inner", "media", "card"),
    [
        (
            embed("external#view", external={"uri": GIF, "title": "Llama Dances GIF", "description": "Alt: a llama"}),
            (Media(url=GIF, kind=MediaKind.ANIMATION, alt="a llama", width=498, height=280),),
            None,
        ),
        (
            embed("external#view", external={"uri": LINK, "title": "High water", "description": "Again."}),
            (),
            LinkCard(url=LINK, title="High water", description="Again."),
        ),
        (embed("images#view", images=[picture(1)]), (image(1),), None),
        (
            embed("video#view", playlist=f"{VIDEOS}/playlist.m3u8", thumbnail=f"{VIDEOS}/thumbnail.jpg", alt="Rain"),
            (
                Media(
                    url=f"{VIDEOS}/playlist.m3u8",
                    kind=MediaKind.VIDEO,
                    alt="Rain",
                    preview=f"{VIDEOS}/thumbnail.jpg",
                    page=THERE,
                ),
            ),
            None,
        ),
        (
            embed("record#view", record=quoted(by=profile("illa"))),
            (),
            LinkCard(url=QUOTED_BY_IT, title=QUOTED_BY_IT),
        ),
        (embed("hologram#view"), (), LinkCard(url=THERE, title=UNKNOWN)),
    ],
)
@pytest.mark.parametrize("words", ["", "Bring rope."])
def test_a_quoted_post_keeps_whatever_it_holds(
    words: str, inner: Json, media: tuple[Media, ...], card: LinkCard | None
) -> None:
    quote = post(embed("record#view", record=quoted(words, embeds=[inner]))).quote
    assert quote
    assert quote.author
    assert (plain(quote.body), quote.media, quote.link_card) == (words, media, card)


def test_a_quoted_post_whose_view_shows_nothing_keeps_what_its_record_holds() -> None:
    shown = quoted("")
    shown["value"]["embed"] = embed("external", external={"uri": GIF, "title": "", "description": "ALT: a llama"})
    quote = post(embed("record#view", record=shown)).quote
    assert quote
    assert [(one.kind, one.alt) for one in quote.media] == [(MediaKind.ANIMATION, "a llama")]


def test_a_quote_is_folded_behind_its_own_labels() -> None:
    quote = post(embed("record#view", record=quoted(labels=[label("nudity")]))).quote
    assert quote
    assert quote.warning == "Nudity"


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        (
            {"$type": "app.bsky.embed.record#viewNotFound", "uri": quoted()["uri"], "notFound": True},
            QuoteState.DELETED,
        ),
        (
            {
                "$type": "app.bsky.embed.record#viewBlocked",
                "uri": quoted()["uri"],
                "blocked": True,
                "author": {"did": SAMI},
            },
            QuoteState.HIDDEN,
        ),
        (
            {"$type": "app.bsky.embed.record#viewDetached", "uri": quoted()["uri"], "detached": True},
            QuoteState.WITHDRAWN,
        ),
        (quoted(by=profile("sami", labels=[label("!no-unauthenticated")])), QuoteState.HIDDEN),
        (quoted(by=profile("sami", description="#nobot")), QuoteState.HIDDEN),
        (quoted(labels=[label("!hide")]), QuoteState.HIDDEN),
        (quoted(value=5), QuoteState.HIDDEN),
        (quoted(author={"did": "x"}), QuoteState.HIDDEN),
        ({"$type": "app.bsky.embed.record#viewNew", "uri": quoted()["uri"]}, QuoteState.ACCEPTED),
    ],
)
@pytest.mark.parametrize("media", [None, picture(1)])
def test_of_a_quote_that_is_not_to_be_seen_there_is_the_link_and_why(
    shown: Json, state: QuoteState, media: Json | None
) -> None:
    beside = embed("recordWithMedia#view", record={"record": shown}, media=embed("images#view", images=[media]))
    read = post(beside if media else embed("record#view", record=shown))
    assert (read.quote, read.link_card) == (Quote(url=THERE, state=state), None)
    assert read.media == ((image(1),) if media else ())


def test_a_bare_record_quotes_by_link() -> None:
    assert post(None, embed("record", record={"uri": quoted()["uri"], "cid": CID})).quote == Quote(url=THERE)


@pytest.mark.parametrize(
    ("collection", "shown", "url", "title"),
    [
        ("feed.generator", {"displayName": "Rivers"}, f"https://bsky.app/profile/{SAMI}/feed/x", "Rivers"),
        ("graph.list", {"name": "Guards"}, f"https://bsky.app/profile/{SAMI}/lists/x", "Guards"),
        ("graph.starterpack", {"record": {"name": "Start"}}, f"https://bsky.app/starter-pack/{SAMI}/x", "Start"),
        ("graph.starterpack", {}, f"https://bsky.app/starter-pack/{SAMI}/x", "Starter pack"),
        ("labeler.service", {}, f"https://bsky.app/profile/{SAMI}", "Labeler"),
        ("feed.later", {"name": "Later"}, HERE, UNKNOWN),
    ],
)
def test_feeds_lists_and_their_kin_are_links(collection: str, shown: Json, url: str, title: str) -> None:
    card = post(
        embed("record#view", record={"$type": "x", "uri": f"at://{SAMI}/app.bsky.{collection}/x"} | shown)
    ).link_card
    assert card
    assert (card.url, card.title) == (url, title)


@pytest.mark.parametrize(
    ("beside", "media", "card"),
    [
        (embed("images#view", images=[picture(1)]), (image(1),), False),
        (embed("external#view", external=external()), (), True),
        (embed("later#view"), (), True),
    ],
)
def test_a_quote_beside_something_else_is_both(beside: Json, media: tuple[Media, ...], *, card: bool) -> None:
    read = post(embed("recordWithMedia#view", record={"record": quoted()}, media=beside))
    assert read.quote
    assert (read.quote.url, read.media, read.link_card is not None) == (THERE, media, card)


# --- the unknown ---


@pytest.mark.parametrize(
    "shown",
    [
        embed("poll#view", options=["a", "b"]),
        {"$type": "org.example.hologram"},
        {"images": [picture(1)]},
        embed("images#view", images=[]),
        embed("images#view", images=[5, {}, {"fullsize": "javascript:x"}]),
        embed("video#view", playlist="ftp://x"),
        embed("external#view", external={"uri": "javascript:alert(1)"}),
        embed("record#view", record={"uri": "https://x.example"}),
        embed("record#view", record=5),
        embed("recordWithMedia#view"),
    ],
)
def test_what_we_do_not_know_is_a_link_to_where_it_can_be_seen(shown: Json) -> None:
    read = post(shown)
    assert (read.media, read.quote, read.link_card) == ((), None, LinkCard(url=HERE, title=UNKNOWN))


def test_what_the_appview_does_not_show_is_told_by_the_record() -> None:
    assert post(None, embed("hologram")).link_card == LinkCard(url=HERE, title=UNKNOWN)
    assert post(None).link_card is None


_LEAF = st.none() | st.integers() | st.text(max_size=6) | st.sampled_from([quoted(), picture(1), external(), blob()])
_PARTS = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["record", "media", "uri", "$type", "images", "external"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["images", "gallery", "video", "external", "record", "recordWithMedia", "x"]),
    st.dictionaries(st.sampled_from(["images", "items", "media", "external", "record", "video", "playlist"]), _PARTS),
)
def test_no_embed_raises(kind: str, parts: Json) -> None:
    read_embed(Raw(json.dumps(embed(kind, **parts)).encode()), ILLA, HERE, lambda _: None)
    post(embed(f"{kind}#view", **parts))


def test_an_embed_of_endless_depth_is_no_exception() -> None:
    deep = b'{"$type":"app.bsky.embed.recordWithMedia","media":' * 5_000 + b"5" + b"}" * 5_000
    assert read_embed(Raw(deep), ILLA, HERE, lambda _: None).card
