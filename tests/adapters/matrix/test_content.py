"""Contents of Matrix events: complete, silent, and edited without losing what they were."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mautrix.types import (
    Format,
    MediaMessageEventContent,
    MessageEvent,
    MessageType,
    RelationType,
    TextMessageEventContent,
)

from adapters.matrix.card import MatrixText
from adapters.matrix.content import DELIVERY, Uploaded, edited, in_thread, picture_content, text_content
from relay.i18n import words
from tests.support.matrix_bodies import JOINER, WORDS, canonical, mentions
from tests.support.thorough import examples

SAY = words("en")
WRITTEN = MatrixText("Illa\nhangs", "<p>Illa<br>hangs</p>")
PICTURE = Uploaded("mxc://ayllu.example/abc", "image/png", 1234, 640, 480, "bridge.png")
ROOT, EVENT = "$root", "$event"


def test_a_message_is_a_notice_with_both_forms_and_no_previews() -> None:
    assert text_content(WRITTEN, notify=False) == {
        "msgtype": "m.notice",
        "body": "Illa\nhangs",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p>Illa<br>hangs</p>",
        "m.mentions": {},
        "uk.half-shot.unstable.show_url_previews": False,
        "com.beeper.linkpreviews": [],
    }


def test_a_message_that_is_to_ring_is_a_text_and_names_its_delivery() -> None:
    content = text_content(WRITTEN, notify=True, delivery="d1")
    assert (content["msgtype"], content[DELIVERY]) == ("m.text", "d1")


def test_a_picture_has_its_description_as_its_caption() -> None:
    assert picture_content(PICTURE, " A rope\nbridge ", SAY, delivery="d2") == {
        "msgtype": "m.image",
        "body": "A rope bridge",
        "filename": "bridge.png",
        "url": "mxc://ayllu.example/abc",
        "info": {"mimetype": "image/png", "size": 1234, "w": 640, "h": 480},
        "m.mentions": {},
        DELIVERY: "d2",
    }


@pytest.mark.parametrize(
    ("alt", "body"),
    [("", "Picture without a description"), ("\u200b", "Picture without a description"), ("@room", f"@{JOINER}room")],
)
def test_a_picture_always_says_something_and_calls_nobody(alt: str, body: str) -> None:
    assert picture_content(PICTURE, alt, SAY)["body"] == body


def test_an_edit_is_of_the_first_event_and_carries_the_whole_content_twice() -> None:
    content = text_content(WRITTEN, notify=False, delivery="d3")
    edit = edited(in_thread(content, ROOT), EVENT)
    assert edit == content | {
        "body": "* Illa\nhangs",
        "formatted_body": "* <p>Illa<br>hangs</p>",
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": EVENT},
    }


def test_a_message_in_a_thread_answers_its_root_for_those_who_know_no_threads() -> None:
    content = in_thread(text_content(WRITTEN, notify=False), ROOT)
    assert content["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": ROOT,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": ROOT},
    }
    assert content["body"] == "Illa\nhangs"


@settings(max_examples=examples(50), deadline=None)
@given(WORDS, WORDS, st.text(max_size=4000))
def test_any_picture_is_taken_and_mentions_nobody_wherever_it_says_so(alt: str, name: str, more: str) -> None:
    picture = Uploaded(PICTURE.url, PICTURE.mime, 1, 1, 1, name)
    content = picture_content(picture, alt + more, SAY)
    assert content["body"].strip()
    assert content["filename"]
    for made in (content, in_thread(content, ROOT), edited(content, EVENT)):
        assert set(map(str, mentions(made))) == {"{}"}
        assert canonical(made) < 30_000


def test_mautrix_reads_them_as_they_are_meant() -> None:
    shown = MessageEvent.deserialize_content(in_thread(text_content(WRITTEN, notify=False), ROOT))
    assert isinstance(shown, TextMessageEventContent)
    assert (shown.msgtype, shown.format) == (MessageType.NOTICE, Format.HTML)
    assert shown.get_thread_parent() == ROOT
    picture = MessageEvent.deserialize_content(picture_content(PICTURE, "A bridge", SAY))
    assert isinstance(picture, MediaMessageEventContent)
    assert (picture.body, picture.filename, picture.info.width) == ("A bridge", "bridge.png", 640)  # type: ignore[union-attr]  # it is read as a picture's
    edit = MessageEvent.deserialize_content(edited(text_content(WRITTEN, notify=False), EVENT))
    assert (edit.get_edit(), edit.relates_to.rel_type, edit.body) == (EVENT, RelationType.REPLACE, WRITTEN.body)
