"""What a reader sees of a thread, and what a link preview may show of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from selectolax.lexbor import LexborNode

from relay.model import Author, LinkCard, MediaKind, Post, Quote, Removed
from relay.testing import author, post, rich_post, text
from tests.support.reader import PICTURE, SLUG, content, one, page, served


async def test_a_thread_reads_as_one_article_in_its_order() -> None:
    async with served(page(post(1), rich_post(2), Removed(post(3).uri), post(4))) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    article = one(tree, "main article")
    told = [node.text(strip=True) for node in article.css("section.post > p[dir], .removed, .fold > p[dir]")]
    assert told == ["Post number 1.", "The bridge holds.", "read more", "[post removed]", "Post number 4."]
    assert one(article, "h1").text(strip=True) == "Illa"
    assert [a.attributes["href"] for a in article.css(".when a")] == [
        f"https://ayllu.example/@illa/{number}" for number in (1, 2, 4)
    ]
    assert article.css(".when time")[0].attributes["datetime"] == "2026-07-01T12:01:00Z"
    assert "3 posts" in one(article, ".facts").text()


async def test_the_page_says_whose_it_is_and_where_the_original_stands() -> None:
    async with served(page(looked=datetime(2026, 7, 1, 14, 30, tzinfo=UTC))) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    assert one(tree, "a.original").attributes["href"] == "https://ayllu.example/@illa/1"
    assert one(tree, "link[rel=canonical]").attributes["href"] == "https://ayllu.example/@illa/1"
    assert one(tree, ".author .handle a").attributes["href"] == "https://ayllu.example/@illa"
    foot = one(tree, "footer").text()
    assert "2 posts, read at ayllu.example, last checked 1 July 2026, 14:30 UTC" in foot


async def test_what_an_author_folded_stays_folded() -> None:
    sensitive = post(3, sensitive=True, media=(PICTURE,), body=text("Careful."))
    async with served(page(post(1), rich_post(2), sensitive)) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    warned, folded = tree.css("details.fold")
    summaries = [node.text(strip=True) for node in tree.css("details.fold > summary")]
    assert summaries == ["Content warningheights", "Sensitive media1 item"]
    assert "The bridge holds." in warned.text()
    assert "Careful." not in folded.text()
    assert not [img for img in tree.css("figure img") if not _inside(img, "details")]
    assert not tree.css("details[open]")


def _inside(node: LexborNode, tag: str) -> bool:
    parent = node.parent
    while parent is not None and parent.tag != tag:
        parent = parent.parent
    return parent is not None


async def test_sensitive_pictures_of_a_quoted_post_and_of_linked_pages_are_not_shown_at_once() -> None:
    linked = LinkCard(url="https://ayllu.example/a", title="A page", image="https://ayllu.example/a.png")
    quote = Quote(
        url="https://ayllu.example/@sami/9", author=author("Sami"), sensitive=True, media=(PICTURE,), link_card=linked
    )
    async with served(page(post(1, quote=quote), post(2, sensitive=True, link_card=linked))) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    (folded,) = tree.css("details.sensitive")
    assert [img for img in folded.css("img") if img.attributes["src"] == PICTURE.url]
    assert not [img for img in tree.css(".quote figure img") if not _inside(img, "details")]
    assert len(tree.css("a.card")) == 2
    assert not tree.css("a.card img")


async def test_pictures_are_described_lazy_and_know_no_referrer() -> None:
    async with served(page(post(1, media=(PICTURE, replace(PICTURE, alt=""))))) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    first, second = tree.css("figure img")
    assert first.attributes == {
        "src": PICTURE.url,
        "alt": "A bridge",
        "width": "1600",
        "height": "900",
        "loading": "lazy",
        "decoding": "async",
        "referrerpolicy": "no-referrer",
    }
    assert second.attributes["alt"] == "Picture without a description"
    assert "A bridge" in one(tree, "figcaption details").text()


@pytest.mark.parametrize(
    ("kind", "tag"), [(MediaKind.VIDEO, "video"), (MediaKind.ANIMATION, "video"), (MediaKind.AUDIO, "audio")]
)
async def test_players_load_nothing_until_they_are_asked(kind: MediaKind, tag: str) -> None:
    async with served(page(post(1, media=(replace(PICTURE, kind=kind),)))) as get:
        player = one((await get(f"/t/{SLUG}")).tree, tag)
    assert player.attributes["preload"] == "none"
    assert "controls" in player.attributes
    assert "autoplay" not in player.attributes
    assert player.attributes["aria-label"] == "A bridge"


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (post(1), None),
        (post(1, reply_to="https://ayllu.example/@sami/9"), "https://ayllu.example/@sami/9"),
        (post(1, reply_to="javascript:alert(1)"), ""),
        (Removed(post(1).uri), None),
    ],
)
async def test_a_thread_under_somebody_elses_post_says_so(first: Post | Removed, said: str | None) -> None:
    async with served(page(first, post(2, reply_to="https://ayllu.example/1"))) as get:
        line = (await get(f"/t/{SLUG}")).tree.css_first(".answers")
    assert (line is None) == (said is None)
    if line:
        assert [a.attributes["href"] for a in line.css("a")] == [said] * bool(said)


async def test_each_post_is_marked_with_its_language_where_it_is_another() -> None:
    posts = [post(1, language="es"), post(2, language="es"), post(3, language="ar"), post(4)]
    async with served(page(*posts)) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    assert one(tree, "main article").attributes["lang"] == "es"
    assert [node.attributes.get("lang") for node in tree.css(".post")] == [None, None, "ar", None]
    assert one(tree, "html").attributes["lang"] == "en"


async def test_a_post_of_no_stated_language_is_taken_for_one_in_the_relays_language() -> None:
    async with served(page()) as get:
        assert one((await get(f"/t/{SLUG}")).tree, "main article").attributes["lang"] == "qu"


async def test_link_previews_get_the_author_the_beginning_and_the_first_picture() -> None:
    posts = [post(1, body=text("word " * 100)), post(2, media=(PICTURE,))]
    async with served(page(*posts), public_url="https://chaski.example/") as get:
        tree = (await get(f"/t/{SLUG}")).tree
    assert content(tree, "og:type") == "article"
    assert content(tree, "og:title") == "Illa (@illa@ayllu.example)"
    assert content(tree, "og:url") == f"https://chaski.example/t/{SLUG}"
    assert content(tree, "og:image") == PICTURE.url
    assert content(tree, "article:published_time") == "2026-07-01T12:01:00Z"
    assert content(tree, "robots") == "noindex, noarchive"
    description = content(tree, "og:description") or ""
    assert description.startswith("word word")
    assert len(description) <= 200


async def test_link_previews_show_the_warning_and_no_picture_behind_it() -> None:
    folded = post(2, sensitive=True, media=(PICTURE,)), post(3, warning="heights", media=(PICTURE,))
    async with served(page(rich_post(1), *folded)) as get:
        response = await get(f"/t/{SLUG}")
        tree = response.tree
    assert content(tree, "og:description") == "Content warning: heights"
    assert content(tree, "og:image") is None


@pytest.mark.parametrize("prefix", ["", "/relay"])
async def test_links_within_the_site_work_below_any_prefix(prefix: str) -> None:
    async with served(page(), public_url=f"https://chaski.example{prefix}") as get:
        tree = (await get(f"/t/{SLUG}")).tree
    assert (one(tree, "link[rel=stylesheet]").attributes["href"] or "").startswith("../style.css?v=")
    assert [a.attributes["href"] for a in tree.css(".formats a")] == [
        f"{SLUG}.{form}" for form in ("epub", "md", "txt", "json")
    ]


async def test_three_hundred_posts_stay_a_small_page() -> None:
    words = "The road goes on, and so does the thread: as long as what people write when they mean to say more. " * 3
    async with served(page(*(post(number, body=text(words[:280])) for number in range(300)))) as get:
        assert len((await get(f"/t/{SLUG}")).body) < 200_000


# --- the front page ---


async def test_the_front_page_lists_the_latest_threads() -> None:
    arabic = Author(
        uri="u", name="نور", url="https://muhit.example/@noor", handle="@noor@muhit.example", discoverable=True
    )
    other = page(post(7, author=arabic, body=text("قبل البريد"), language="ar"), slug="other")
    async with served(
        page(), page(rich_post(3), slug="warned"), other, page(Removed(post(9).uri), slug="empty")
    ) as get:
        tree = (await get("/")).tree
    assert one(tree, "h1").text() == "Chaski Wasi"
    assert [(a.attributes["href"], a.text()) for a in tree.css(".threads h3 a")] == [
        (f"./t/{SLUG}", "Post number 1."),
        ("./t/warned", "Content warning: heights"),
        ("./t/other", "قبل البريد"),
    ]
    assert [node.text() for node in tree.css(".threads bdi")] == ["Illa", "Illa", "نور"]


async def test_an_empty_front_page_says_what_will_be_here() -> None:
    async with served() as get:
        assert "There are no threads yet" in (await get("/")).text
