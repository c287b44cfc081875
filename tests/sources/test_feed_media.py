"""Of an entry's pictures, films and sounds those are shown that the publisher meant, and each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import MediaKind
from relay.sources.feed_media import chosen
from relay.text import plain
from relay.text.pictures import same_picture
from tests.support.feed_samples import posts
from tests.support.feed_values_cases import FILE, in_rss, rss

OWN, COMMON = "https://files.example/own.jpg", "https://files.example/all.jpg"


@pytest.mark.parametrize(
    "picture",
    [
        f"<itunes:image href='{OWN}'/>",
        f"<itunes:image url='{OWN}'/>",
        f"<itunes:image>{OWN}</itunes:image>",
        f"<googleplay:image href='{OWN}'/>",
        f"<webfeeds:featuredImage url='{OWN}'/>",
        f"<image>{OWN}</image>",
        f"<image href='{OWN}'/>",
        f"<image url='{OWN}'></image>",
        f"<image><url>{OWN}</url><title>No</title><link>https://other.example/</link></image>",
        f"<thumbnail url='{OWN}'/>",
        f"<thumbnail>{OWN}</thumbnail>",
        f"<media:thumbnail url='{OWN}' width='75'/>",
        f"<media:thumbnail url='https://files.example/s.jpg' width='75'/><media:thumbnail url='{OWN}' width='640'/>",
        f"<media:thumbnail>{OWN}</media:thumbnail>",
    ],
)
@pytest.mark.parametrize("channel", ["", f"<image><url>{COMMON}</url></image>", f"<itunes:image href='{COMMON}'/>"])
def test_an_entry_shows_the_picture_that_it_names(picture: str, channel: str) -> None:
    (with_file,) = posts(rss(f"<title>One</title><link>/1</link>{picture}{FILE}", channel))
    assert [(one.kind, one.preview) for one in with_file.media] == [(MediaKind.AUDIO, OWN)]
    assert with_file.title == "One"
    (alone,) = posts(rss(f"<title>One</title><link>/1</link>{picture}", channel))
    assert [(one.kind, one.url) for one in alone.media] == [(MediaKind.IMAGE, OWN)]


def test_the_picture_that_all_entries_have_is_a_preview_and_no_news() -> None:
    both = f"<image><url>{COMMON}</url></image><itunes:image href='https://files.example/2.jpg'/>"
    for channel in (both, f"<itunes:image href='{COMMON}'/><image><url>/2.png</url></image>"):
        assert in_rss(f"<title>x</title><itunes:image href='{COMMON}'/>", channel).media == ()
        (sound,) = in_rss(f"<title>x</title><itunes:image href='{COMMON}'/>{FILE}", channel).media
        assert sound.preview == COMMON


def medium(name: str, size: str = "", **attributes: object) -> str:
    width, _, height = size.partition("x")
    given_ = {"width": width, "height": height, **attributes}
    written = " ".join(f"{key}='{value}'" for key, value in given_.items() if value)
    return f"<media:content url='https://files.example/{name}' {written}/>"


MP4, HLS = "video/mp4", "application/x-mpegURL"
SMALL, MIDDLE, LARGE = medium("s.png", "90x51"), medium("m.png", "300x300"), medium("l.png", "1100x619")
THUMBNAIL = "<media:thumbnail url='https://files.example/t.jpg'/>"


@pytest.mark.parametrize(
    ("media", "shown"),
    [
        ([SMALL, LARGE, MIDDLE], "l.png"),
        ([medium("d.png", "90x51", isDefault="true"), LARGE], "d.png"),
        ([medium("wide.png", "12000x9000"), LARGE], "l.png"),
        ([medium("a.png", width="1600px", height="900px"), medium("b.png", "900.0")], "a.png"),
        ([medium("a.png"), medium("b.png")], "a.png"),
        ([medium("a.png", "9x9"), medium("b.png", "9x9"), medium("c.png", "9x9")], "a.png b.png c.png"),
        ([medium("a.mp4", bitrate=300), medium("b.mp4", bitrate=900), medium("c.webm", bitrate=600)], "b.mp4"),
        ([medium("a.mp4", "640x360", bitrate=900), medium("b.mp4", "1280x720", bitrate=300)], "b.mp4"),
        ([medium("a.mp4", fileSize=90_000_000, bitrate=900), medium("b.mp4", fileSize=900_000)], "b.mp4"),
        ([medium("a.mp4", fileSize=90_000_000), medium("b.mp4", fileSize=30_000_000)], "b.mp4"),
        ([medium("a.mp4", fileSize=90_000_000, isDefault="true"), medium("b.mp4", fileSize=9_000)], "b.mp4"),
        ([medium("a.m3u8", type=HLS, medium="video", bitrate=9), medium("b.mp4", type=MP4)], "b.mp4"),
        ([medium("trailer.mp4", expression="sample", bitrate=9), medium("film.mp4", bitrate=5)], "film.mp4"),
        ([medium("a.mp4"), THUMBNAIL], "a.mp4(t.jpg)"),
        ([medium("s.jpg", medium="image"), medium("a.mp4", type=MP4), medium("b.mp4", bitrate=9)], "b.mp4(s.jpg)"),
        ([medium("a.mp4"), medium("a.mp3"), medium("a.pdf", type="application/pdf")], "a.mp4 a.mp3 a.pdf"),
        (["<media:content medium='image' width='9'/>", medium("a.png")], "a.png"),
        ([], ""),
    ],
)
def test_of_one_thing_in_several_forms_the_best_is_shown(media: list[str], shown: str) -> None:
    post = in_rss(f"<title>x</title><media:group>{''.join(media)}</media:group>")
    names = [(one.url.rpartition("/")[2], one.preview.rpartition("/")[2]) for one in post.media]
    assert " ".join(f"{name}({preview})" if preview else name for name, preview in names) == shown


def test_two_groups_are_two_things_and_files_without_a_group_stand_for_themselves() -> None:
    files = medium("a.png", "9x9") + medium("b.png", "90x9")
    groups = f"<media:group>{SMALL}{LARGE}</media:group><media:group>{medium('e.png')}</media:group>"
    post = in_rss(f"<title>x</title>{files}{groups}{medium('f.png')}")
    assert [media.url[-5:] for media in post.media] == ["a.png", "b.png", "l.png", "e.png", "f.png"]


def test_sizes_without_a_group_are_one_picture_where_their_addresses_say_so() -> None:
    sizes = "".join(
        medium(f"a.jpg?width={width}&amp;amp;s=x", width=width, medium="image") for width in (140, 700, 460)
    )
    (picture,) = in_rss(f"<title>x</title>{sizes}").media
    assert (picture.url, picture.width) == ("https://files.example/a.jpg?width=700&s=x", 700)


def test_the_description_of_a_medium_is_its_own_also_in_a_feed_that_is_not_well_formed() -> None:
    described = (
        "<media:content url='/a.png' type='image/png'><media:description>A bridge</media:description></media:content>"
    )
    for end in ("", "<b>"):
        post = in_rss(f"<link>/1</link><description>Words</description>{described}{end}")
        assert (plain(post.body), [one.alt for one in post.media]) == ("Words", ["A bridge"])
        assert plain(in_rss(f"<link>/1</link>{described}{end}").body) == ""


def test_one_picture_is_shown_once() -> None:
    again = "<media:content url='/a-300x200.png?w=1' medium='image'/><enclosure url='/a.png' type='image/png'/>"
    post = in_rss(f"<title>x</title>{again}{FILE}{FILE}")
    assert [one.url.rpartition("/")[2] for one in post.media] == ["a-300x200.png?w=1", "7.mp3"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x-300x200.JPG?w=1", "http://a.example/x.JPG", True),
        ("https://a.example/x.jpg", "https://b.example/x.jpg", False),
        ("https://a.example/picture?id=1", "https://a.example/picture?id=2", False),
        ("https://a.example/x.mp4?a", "https://a.example/x.mp4?b", False),
    ],
)
def test_a_picture_is_the_same_in_another_size(one: str, other: str, same: bool) -> None:
    assert (same_picture(one) == same_picture(other)) is same


VALUES = st.text() | st.sampled_from(["9", "image", MP4, "https://files.example/1.png"])
ATTRIBUTES = st.dictionaries(st.sampled_from(["url", "type", "medium", "width", "filesize", "isdefault"]), VALUES)


@given(st.lists(ATTRIBUTES))
def test_no_group_is_lost_whatever_its_attributes_say(media: list[dict[str, str]]) -> None:
    grouped = [{**one, "group": "1"} for one in media]
    assert bool(list(chosen(grouped))) == any(one.get("url") for one in media)
    assert [one for one, _ in chosen(media)] == media


def test_a_sound_comes_from_where_it_is_and_not_from_a_counting_service() -> None:
    original = "<feedburner:origEnclosureLink>https://files.example/8.mp3</feedburner:origEnclosureLink>"
    (sound,) = in_rss(f"<title>x</title>{FILE}{original}").media
    assert sound.url == "https://files.example/8.mp3"
