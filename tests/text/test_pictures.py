"""Pictures, films and players in HTML become media and links; what only counts readers becomes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from relay.model import Media, MediaKind
from relay.rich import Role, Span
from relay.text import from_html, plain, read_html, with_shown
from relay.text.players import page_of

BASE = "https://ayllu.example/one"
WEBP = "<source srcset='/a.webp 900w' type=image/webp>"
FLASH = "<embed src='http://www.youtube.com/v/a'>"
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def urls(html: str) -> list[str]:
    return [media.url.removeprefix("https://ayllu.example") for media in read_html(html, base=BASE).media]


# --- pictures ---


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<img src='/a.png' alt=''>", ["/a.png"]),
        (
            "<p>x</p><img src='b.png'><p>y</p><img src='https://cdn.example/c?id=1'>",
            ["/b.png", "https://cdn.example/c?id=1"],
        ),
        (f"<img src='{DOT}' data-src='/a.png'>", ["/a.png"]),
        (f"<img class=lazy src='{DOT}' data-lazy-src='/a.png'>", ["/a.png"]),
        ("<img src='/blank.gif' data-original='/a.png'>", ["/a.png"]),
        (
            "<img src='/tiny-20x13.jpg' data-src='/a.jpg' data-srcset='/a.jpg 300w, /a-900.jpg 900w'>",
            ["/a-900.jpg"],
        ),
        (f"<img src='{DOT}'><noscript><img src='/a.png'></noscript>", ["/a.png"]),
        ("<img data-src='/a.png'><noscript><img src='/a.png'></noscript>", ["/a.png"]),
        ("<img src='/a.png' data-lazy='true'>", ["/a.png"]),
        ("<img src=/a-300.jpg srcset='/a-300.jpg 300w, /a-1024.jpg 1024w,/a-4096.jpg 4096w'>", ["/a-1024.jpg"]),
        ("<img src=/a.jpg srcset='/a-3000.jpg 3000w, /a-9000.jpg 9000w'>", ["/a-3000.jpg"]),
        ("<img src=/a.png srcset='/a.png 1x, /a@2x.png 2x'>", ["/a@2x.png"]),
        (
            "<img srcset='https://s.example/w_4,c_x/a.jpg 424w, https://s.example/w_8,c_x/a.jpg 848w'>",
            ["https://s.example/w_8,c_x/a.jpg"],
        ),
        ("<img src=/a.png srcset=' , '>", ["/a.png"]),
        (
            f"<picture>{WEBP}<source srcset='/a-9.jpg 900w'><img src=/a.jpg></picture>",
            ["/a-9.jpg"],
        ),
        ("<picture><source srcset='/narrow.jpg' media='(max-width: 500px)'><img src=/a.jpg></picture>", ["/a.jpg"]),
        (f"<picture>{WEBP}<img src='{DOT}'></picture>", ["/a.webp"]),
        ("<amp-img src='/a.png' width=600 height=400></amp-img>", ["/a.png"]),
        ("<a href='/full/a.jpg'><img src='/thumbs/a_s.jpg'></a>", ["/full/a.jpg"]),
        ("<a href='/a.jpg'><img src='/a-1024x768.jpg'></a>", ["/a-1024x768.jpg"]),
        ("<a href='/a.jpg'><img src='/a-150x150.jpg'></a>", ["/a.jpg"]),
        ("<img src='/a-150x150.jpg'><img src='/a.jpg'><img src='/a.jpg?w=2'>", ["/a.jpg"]),
        ("<img src='/picture.php?id=1'><img src='/picture.php?id=2'>", ["/picture.php?id=1", "/picture.php?id=2"]),
        ("<table><tr><td><img src='/a.png'><td>x</table>", ["/a.png"]),
    ],
)
def test_a_picture_in_a_text_is_one_of_its_media(html: str, found: Sequence[str]) -> None:
    assert urls(html) == found


def test_the_sources_of_a_picture_are_read_for_one_image() -> None:
    """Else a text of 20,000 characters could have them read a thousand times."""
    image = "<img src='x:' alt='{}'>"
    content = read_html(f"<picture><source srcset='/a.png'>{image.format('a')}{image.format('b')}</picture>", base=BASE)
    assert ([media.alt for media in content.media], plain(content.text)) == (["a"], "[b]")


@pytest.mark.parametrize(
    "html",
    [
        "<img src='https://feeds.feedburner.com/~r/ayllu/~4/x' height='1' width='1' alt=''>",
        "<img src='https://feeds.feedburner.com/~ff/ayllu?d=yIl2AUoC8zA' border=0>",
        "<img src='https://ad.doubleclick.net/x.gif'>",
        "<img src='https://pixel.wp.com/b.gif?host=x'>",
        "<img src='https://stats.ayllu.example/matomo.php?idsite=1'>",
        "<img src='/t.gif' width=1 height=1 alt='counted'>",
        "<img src='/t.gif' style='width:1px; height: 1px'>",
        "<img src='/t.gif' style='display:none'>",
        "<img src='/blank.gif'>",
        f"<img src='{DOT}'>",
        "<img src='javascript:x'>",
        "<img>",
        "<iframe src='https://www.googletagmanager.example/ns.html' height=0 width=0></iframe>",
        "<noscript>Scripts are wanted.</noscript>",
    ],
)
def test_what_only_counts_readers_is_nothing(html: str) -> None:
    assert read_html(html, base=BASE) == ((), ())


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<img class='wp-smiley' src='/s.png' alt='🙂'>", "🙂"),
        ("<img src='https://s.w.org/images/core/emoji/15/72x72/1f642.png' alt='🙂'>", "🙂"),
        ("<img src='/e.png' alt=':llama:'>", ":llama:"),
        ("<img class='avatar avatar-48' src='/i.jpg' alt='Illa'>", "[Illa]"),
        ("<img src='/i.png' width=16 height=16 alt='PDF'>", "[PDF]"),
        ("<img class='card-icon' src='/f.ico' alt='Puna'>", "[Puna]"),
        ("<a href='https://s.example/'><img src='/icons/share.png' alt='Share'></a>", "[Share] (https://s.example/)"),
        ("<img class='latex' src='/latex.php?x' alt='x^2'>", "[x^2]"),
    ],
)
def test_a_small_picture_within_a_line_is_its_words(html: str, text: str) -> None:
    content = read_html(html, base=BASE)
    assert (plain(content.text), content.media) == (text, ())


def test_what_a_comic_says_under_the_pointer_is_read() -> None:
    content = read_html("<p>New:</p><img src='/c.png' title='Worth the rope.' alt='Knots'><p>Bye</p>", base=BASE)
    assert plain(content.text) == "New:\n\nBye\n\nWorth the rope."
    assert content.media == (Media(url="https://ayllu.example/c.png", kind=MediaKind.IMAGE, alt="Knots"),)


@pytest.mark.parametrize(
    ("attributes", "alt"),
    [
        ("alt='Knots' title='Knots'", "Knots"),
        ("alt='Three knots' title='knots'", "Three knots"),
        ("alt='Knots' title='IMG_2034.jpg'", "Knots"),
        ("title='Worth the rope.'", "Worth the rope."),
    ],
)
def test_a_title_that_says_no_more_is_not_said_again(attributes: str, alt: str) -> None:
    content = read_html(f"<img src='/c.png' {attributes}>", base=BASE)
    assert (plain(content.text), [media.alt for media in content.media]) == ("", [alt])


def test_a_title_that_the_text_says_too_is_said_once() -> None:
    content = read_html("<img src='/c.png' alt=x title='Worth the rope.'><p>Hover: Worth the rope.</p>", base=BASE)
    assert plain(content.text) == "Hover: Worth the rope."


def test_the_page_behind_a_picture_stays_a_link_unless_it_is_the_entrys_own() -> None:
    content = read_html("<a href='https://shop.example/x'><img src='/a.png' alt='Buy'></a>", base=BASE)
    assert content.text[0].spans == (Span("[Buy]", "https://shop.example/x"),)
    bare = read_html("<a href='https://shop.example/x'><img src='/a.png'></a>", base=BASE)
    assert bare.text[0].spans == (Span("https://shop.example/x", "https://shop.example/x"),)
    assert read_html(f"<a href='{BASE}/'><img src='/a.png' alt='Buy'></a>", base=BASE).text == ()
    assert read_html("<a href='/a?id=1'><img src='/a?id=1' alt='Buy'></a>", base=BASE).text == ()


def test_a_picture_too_many_is_a_link() -> None:
    content = read_html("".join(f"<p><img src='/{n}.png' alt='{n}th'></p>" for n in range(22)), base=BASE)
    assert len(content.media) == 20
    assert [span for block in content.text for span in block.spans] == [
        Span("[20th]", "https://ayllu.example/20.png"),
        Span("[21th]", "https://ayllu.example/21.png"),
    ]


def test_where_media_stand_beside_the_text_pictures_are_words_in_it() -> None:
    assert plain(from_html("<p>a <img src='/a.png' alt='Knots' title='Worth it.'></p>", base=BASE)) == "a [Knots]"


# --- films and sounds ---


@pytest.mark.parametrize(
    ("html", "media"),
    [
        ("<video src=/v.mp4 poster=/v.jpg>no film</video>", ("/v.mp4", MediaKind.VIDEO, "/v.jpg")),
        ("<video><source src=/v.webm type=video/webm><source src=/v.mp4></video>", ("/v.mp4", MediaKind.VIDEO, "")),
        ("<video data-src=/v.mp4></video>", ("/v.mp4", MediaKind.VIDEO, "")),
        ("<video autoplay loop muted src=/v.mp4></video>", ("/v.mp4", MediaKind.ANIMATION, "")),
        ("<audio controls><source src=/s.ogg><a href=/s.ogg>get it</a></audio>", ("/s.ogg", MediaKind.AUDIO, "")),
        ("<embed src=/s.mp3 type=audio/mpeg>", ("/s.mp3", MediaKind.AUDIO, "")),
        ("<iframe src=/v.mp4></iframe>", ("/v.mp4", MediaKind.VIDEO, "")),
        ("<object data=/a.png type=image/png></object>", ("/a.png", MediaKind.IMAGE, "")),
    ],
)
def test_a_film_and_a_sound_are_media(html: str, media: tuple[str, MediaKind, str]) -> None:
    content = read_html(html, base="https://ayllu.example/one")
    (one,) = content.media
    host = "https://ayllu.example"
    assert (one.url.removeprefix(host), one.kind, one.preview.removeprefix(host)) == media
    assert content.text == ()
    shown = from_html(html, base="https://ayllu.example/one")
    assert [span.link for block in shown for span in block.spans] == [one.url]


def test_a_list_of_pieces_is_a_link_and_a_film_of_nowhere_what_stands_in_its_place() -> None:
    assert plain(read_html("<video src=/v.m3u8></video>", base=BASE).text) == "https://ayllu.example/v.m3u8"
    assert (
        plain(read_html("<video>See <a href=/v>the film</a></video>", base=BASE).text)
        == "See the film (https://ayllu.example/v)"
    )


# --- players ---


@pytest.mark.parametrize(
    ("player", "page"),
    [
        ("https://www.youtube.com/embed/abc-1_3?rel=0&autoplay=1", "https://www.youtube.com/watch?v=abc-1_3"),
        ("https://www.youtube-nocookie.com/embed/abc?start=30", "https://www.youtube.com/watch?v=abc&t=30"),
        ("http://www.youtube.com/v/abc&hl=en", "https://www.youtube.com/watch?v=abc"),
        ("https://www.youtube.com/embed/videoseries?list=PL1", "https://www.youtube.com/playlist?list=PL1"),
        ("https://player.vimeo.com/video/123?title=0", "https://vimeo.com/123"),
        ("https://player.vimeo.com/video/123?h=4b5", "https://vimeo.com/123/4b5"),
        ("https://www.dailymotion.com/embed/video/x9?ui=1", "https://www.dailymotion.com/video/x9"),
        ("https://geo.dailymotion.com/player.html?video=x9", "https://www.dailymotion.com/video/x9"),
        ("https://archive.org/embed/rope-1936", "https://archive.org/details/rope-1936"),
        ("https://open.spotify.com/embed/episode/3x?utm_source=generator", "https://open.spotify.com/episode/3x"),
        ("https://embed.podcasts.apple.com/us/podcast/x/id1", "https://podcasts.apple.com/us/podcast/x/id1"),
        ("https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/a/b&color=f", "https://soundcloud.com/a/b"),
        ("https://www.mixcloud.com/widget/iframe/?feed=%2Fa%2Fb%2F", "https://www.mixcloud.com/a/b/"),
        ("https://tube.example/videos/embed/9c-1?warning=0", "https://tube.example/videos/watch/9c-1"),
        ("https://social.example/@illa/12/embed", "https://social.example/@illa/12"),
        ("https://embed.bsky.app/embed/did:plc:1/app.bsky.feed.post/3k", "https://bsky.app/profile/did:plc:1/post/3k"),
        ("https://player.twitch.tv/?channel=vale&parent=x", "https://www.twitch.tv/vale"),
        ("https://player.twitch.tv/?video=v12", "https://www.twitch.tv/videos/12"),
        ("https://cdn.embedly.com/widgets/media.html?url=https%3A%2F%2Ffilm.example%2F1", "https://film.example/1"),
        ("https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Ffb.example%2F1", "https://fb.example/1"),
        ("https://w.soundcloud.com/player/?url=javascript:x", "https://w.soundcloud.com/player/?url=javascript:x"),
        ("https://maps.example/embed?x=1", "https://maps.example/embed?x=1"),
    ],
)
def test_a_player_is_the_page_of_what_it_plays(player: str, page: str) -> None:
    assert page_of(player) == page
    html = f"<p>Watch:</p><iframe src='{player.replace('&', '&amp;')}' title='player'></iframe>"
    watched, link = from_html(html)
    assert link.spans == (Span(page, page, Role.TEXT),)
    assert plain((watched,)) == "Watch:"


@pytest.mark.parametrize(
    ("html", "link"),
    [
        ("<iframe src='about:blank' data-src='https://player.vimeo.com/video/1'></iframe>", "https://vimeo.com/1"),
        (
            "<iframe src='https://b.example/player'><a href='https://b.example/album'>X</a></iframe>",
            "https://b.example/album",
        ),
        (
            f"<object><param name=movie value='http://www.youtube.com/v/a'>{FLASH}</object>",
            "https://www.youtube.com/watch?v=a",
        ),
        (f"<object>{FLASH}</object>", "https://www.youtube.com/watch?v=a"),
        ("<lite-youtube videoid='a'></lite-youtube>", "https://www.youtube.com/watch?v=a"),
        ("<noscript><a href='https://poll.example/1'>Take our poll</a></noscript>", "https://poll.example/1"),
        (
            "<iframe src='//player.vimeo.com/video/1'></iframe><iframe src='https://player.vimeo.com/video/1'></iframe>",
            "https://vimeo.com/1",
        ),
    ],
)
def test_a_player_is_one_link_however_it_is_written(html: str, link: str) -> None:
    content = read_html(html, base=BASE)
    assert [span.link for block in content.text for span in block.spans] == [link]
    assert content.media == ()


# --- beside the entry's own files ---


def test_what_a_text_shows_stands_behind_the_files_beside_it_and_each_once() -> None:
    def image(url: str, alt: str = "") -> Media:
        return Media(url=f"https://ayllu.example{url}", kind=MediaKind.IMAGE, alt=alt)

    own = (image("/a.jpg?token=1"), image("/b-150x150.jpg"), image("/c.jpg"))
    shown = (image("/d.jpg"), image("/a.jpg", "A"), image("/b.jpg", "B"))
    assert with_shown(own, shown) == (
        image("/a.jpg?token=1", "A"),
        image("/b.jpg", "B"),
        image("/c.jpg"),
        image("/d.jpg"),
    )
