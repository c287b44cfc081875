"""A card as sections: what they are, in which order, and what of them is hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.card import Canvas, Section, SectionKind, moment, sections, time_of, ways
from relay.i18n import words
from relay.model import Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.rich import Role, Span, SpanStyle
from relay.testing import author, in_thread, post, text
from relay.text import text_content

HOST = "https://ayllu.example"
PICTURE = Media(url=f"{HOST}/1.png", kind=MediaKind.IMAGE, alt="A bridge")
POLL = Poll(options=tuple(PollOption(text=word, votes=1) for word in ("Grass", "Rope", "Steel")))
QUOTE = Quote(url=f"{HOST}/@sami/9", author=author("Sami"), body=text("Bring rope."), media=(PICTURE,), poll=POLL)
WHOLE = post(
    title="Three days",
    warning="heights",
    media=(PICTURE,),
    poll=POLL,
    quote=QUOTE,
    link_card=LinkCard(url=f"{HOST}/a", title="The Lantern", description="News", image=PICTURE.url),
)
ENGLISH = Canvas(say=words("en"))


def found(shown: Post, canvas: Canvas = ENGLISH, *, more: int = 0) -> dict[SectionKind, Section]:
    made = sections(Card(post=shown, reason="#Qeswachaka"), canvas, more=more)
    assert not any(one.is_empty for one in made)
    return {one.kind: one for one in made}


def test_the_sections_come_in_the_order_of_reading() -> None:
    assert [*found(WHOLE)] == [*SectionKind]
    below = [kind for kind in found(WHOLE, replace(ENGLISH, media_last=True)) if kind is not SectionKind.FOOT]
    assert below[-1] is SectionKind.MEDIA


def test_a_post_of_words_alone_has_no_section_without_words() -> None:
    assert [*found(post())] == [SectionKind.BYLINE, SectionKind.BODY, SectionKind.FOOT]
    assert [*found(post(body=()))] == [SectionKind.BYLINE, SectionKind.FOOT]


@pytest.mark.parametrize("kind", [SectionKind.MEDIA, SectionKind.POLL, SectionKind.LINK])
def test_what_stands_below_a_warning_is_hidden_and_its_signs_are_not(kind: SectionKind) -> None:
    section = found(WHOLE)[kind]
    assert section.folded
    for block in section.text:
        assert any(SpanStyle.SPOILER in span.marks for span in block.spans)
        assert block.bullet or kind is SectionKind.LINK


def test_a_quoted_post_with_a_warning_is_hidden_alone() -> None:
    shown = found(replace(WHOLE, warning="", quote=replace(QUOTE, warning="rope")))
    assert not any(section.folded for kind, section in shown.items() if kind is not SectionKind.QUOTE)
    hidden = {one.kind for one in shown[SectionKind.QUOTE].inner if one.folded}
    assert hidden == {SectionKind.BODY, SectionKind.MEDIA, SectionKind.POLL}


def test_sensitive_media_of_a_quoted_post_are_hidden_alone() -> None:
    shown = found(replace(WHOLE, warning="", quote=replace(QUOTE, sensitive=True)))
    assert not any(section.folded for section in shown.values())
    assert [one.kind for one in shown[SectionKind.QUOTE].inner if one.folded] == [SectionKind.MEDIA]


def test_sensitive_media_are_hidden_alone() -> None:
    shown = found(replace(WHOLE, warning="", sensitive=True))
    assert [kind for kind, section in shown.items() if section.folded] == [SectionKind.MEDIA]


def test_what_there_is_no_room_for_is_counted() -> None:
    few = replace(ENGLISH, lines=2, options=2)
    shown = found(replace(WHOLE, media=(PICTURE,) * 5), few, more=4)
    assert text_content(shown[SectionKind.MEDIA].text[-1:]) == "🖼️ 7 more"
    assert text_content(shown[SectionKind.POLL].text[-1:]) == "• …"


def test_a_link_that_the_place_previews_and_the_text_has_is_not_told_again() -> None:
    linked = replace(WHOLE, body=text(f"See {HOST}/a."))
    assert SectionKind.LINK in found(linked)
    assert SectionKind.LINK not in found(linked, replace(ENGLISH, previews=True))


def test_the_ways_out_are_those_that_the_place_can_link_to() -> None:
    card = in_thread(1, 3)
    assert [way.text for way in ways(card, ENGLISH)] == ["Unroll (3)", "Original"]
    assert ways(card, replace(ENGLISH, address=lambda _: "")) == ()


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis adds the zone
def test_a_time_can_be_read_back_to_the_minute(when: datetime) -> None:
    assert time_of(moment(when)) == when.replace(second=0, microsecond=0)


@given(st.text())
def test_words_are_no_time(shown: str) -> None:
    assert time_of(Span(shown)) is time_of(Span(f"x{shown}", role=Role.TIME)) is None
