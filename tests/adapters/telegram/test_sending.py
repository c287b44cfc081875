"""Posts become messages in the loopback Bot API, are changed and taken back, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.telegram.changing import shortened
from adapters.telegram.entities import Entity, EntityText
from relay.model import Action, Card, Destination, Media, MediaKind, MessageId
from relay.ports import Gone, Moved, Refused, Sent, TryLater, Unknown
from relay.testing import in_thread, post, text
from tests.servers.telegram import LOST, RESET, Chat, Flood, Refuse, Slow, Status, buttons_of, text_of
from tests.support.telegram_world import adapter_for, again, chosen, numbers, pictures, to, world

UNFETCHED = "failed to get HTTP URL content"
LONG = Card(post=post(1, body=text("bridge " * 300), media=pictures(2).post.media), reason="#Qeswachaka")


# --- sending ---


async def test_a_post_becomes_a_message_with_its_buttons() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=in_thread(1, 2)))
        (message,) = server.sent(server.group)
        assert isinstance(sent, Sent)
        assert sent.messages == (MessageId(f"text/{server.group.id}/{message['message_id']}"),)
        assert "Post number 1." in text_of(message)
        assert len(buttons_of(message)) == 2


async def test_a_channel_is_named_by_its_name_and_a_person_by_number() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(f"@{server.channel.username}"))
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith(f"text/{server.channel.id}/")
        assert isinstance(await adapter.deliver(to(server.private(server.add_person()))), Sent)


async def test_a_topic_takes_the_post_and_the_general_one_is_not_named() -> None:
    async with world() as (server, adapter):
        forum = server.add_group("Forum", forum=True)
        topic = server.add_topic(forum)
        assert isinstance(await adapter.deliver(to(f"{forum.id}/{topic.id}")), Sent)
        assert len(server.sent(forum, topic)) == 1
        assert isinstance(await adapter.deliver(to(f"{forum.id}/1", 2)), Sent)


async def test_one_picture_has_buttons_and_an_album_has_a_message_each() -> None:
    async with world() as (server, adapter):
        one = await adapter.deliver(to(server.group, card=pictures(1)))
        album = await adapter.deliver(to(server.group, 2, card=pictures(3)))
        assert isinstance(one, Sent)
        assert isinstance(album, Sent)
        assert [name.split("/")[0] for name in (*one.messages, *album.messages)] == ["caption", *["album"] * 3]
        assert buttons_of(server.sent(server.group)[0])


@pytest.mark.parametrize("kind", MediaKind)
async def test_a_medium_that_is_refused_in_whatever_words_is_a_link(kind: MediaKind) -> None:
    media = (Media(url="https://ayllu.example/loom.pdf", kind=kind, alt="The loom of the village"),)
    async with world() as (server, adapter):
        server.bad_url(media[0].url, "SOMETHING_NOBODY_EVER_READ")
        sent = await adapter.deliver(to(server.group, card=Card(post=post(1, media=media), reason="#Qeswachaka")))
        (message,) = server.sent(server.group)
        assert numbers(sent) == [message["message_id"]]
        assert "The loom of the village" in message["text"]
        assert media[0].url in str(message["entities"])
        assert [one.status for one in server.requests] == [400, 200]


async def test_of_an_album_only_the_item_is_a_link_that_telegram_names() -> None:
    async with world() as (server, adapter):
        server.bad_url("https://ayllu.example/2.png", "PHOTO_SAVE_FILE_INVALID")
        sent = await adapter.deliver(to(server.group, card=pictures(3)))
        first, second = server.sent(server.group)
        assert numbers(sent) == [first["message_id"], second["message_id"]]
        assert ["1.png" in str(first["photo"]), "3.png" in str(second["photo"])] == [True, True]
        assert "ayllu.example/2.png" in str(first["caption_entities"])
        await adapter.deliver(again(server.group, sent, Action.EDIT, card=pictures(3, body=text("Changed."))))
        assert "ayllu.example/2.png" in str(server.sent(server.group)[0]["caption_entities"])


async def test_where_many_are_refused_all_of_an_album_are_links() -> None:
    async with world() as (server, adapter):
        for number in range(1, 11):
            server.bad_url(f"https://ayllu.example/{number}.png", "PHOTO_SAVE_FILE_INVALID")
        await adapter.deliver(to(server.group, card=pictures(10)))
        (message,) = server.sent(server.group)
        assert all(f"ayllu.example/{number}.png" in str(message["entities"]) for number in range(1, 11))
        assert len(server.asked("sendMediaGroup")) == 4


@pytest.mark.parametrize(
    "refusal",
    [
        Refuse(400, "Bad Request: group send failed"),
        Refuse(400, "Bad Request: not enough rights to send photos to the chat"),
        Refuse(403, "Forbidden: CHAT_SEND_PHOTOS_FORBIDDEN"),
        Refuse(413, "Request Entity Too Large"),
    ],
)
async def test_where_an_album_is_refused_as_a_whole_all_of_it_are_links(refusal: Refuse) -> None:
    async with world() as (server, adapter):
        server.faults.add("sendMediaGroup", refusal)
        assert isinstance(await adapter.deliver(to(server.group, card=pictures(3))), Sent)
        (message,) = server.sent(server.group)
        assert all(f"ayllu.example/{number}.png" in str(message["entities"]) for number in (1, 2, 3))


async def test_a_group_that_takes_no_pictures_gets_the_words() -> None:
    async with world() as (server, adapter):
        server.group.permissions["can_send_photos"] = False
        assert isinstance(await adapter.deliver(to(server.group, card=pictures(2))), Sent)
        assert "ayllu.example/2.png" in str(server.sent(server.group)[0]["entities"])


@pytest.mark.parametrize("fault", [LOST, RESET, Status(500), Flood(7)])
async def test_media_are_left_out_only_where_an_answer_refuses_them(fault: Any) -> None:
    async with world() as (server, adapter):
        server.faults.add("sendPhoto", fault)
        assert isinstance(await adapter.deliver(to(server.group, card=pictures(1))), Unknown | TryLater)
        assert len(server.requests) == 1


async def test_a_closed_chat_is_not_asked_again_for_the_words() -> None:
    async with world() as (server, adapter):
        server.kick_bot(server.group)
        assert isinstance(await adapter.deliver(to(server.group, card=pictures(3))), Gone)
        assert len(server.requests) == 1


async def test_a_text_too_long_for_a_caption_goes_first_and_its_media_answer_it() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=LONG))
        first, *media = server.sent(server.group)
        assert numbers(sent) == [first["message_id"], *(one["message_id"] for one in media)]
        assert media[0]["reply_to_message"]["message_id"] == first["message_id"]


async def test_a_part_that_failed_is_tried_again_without_those_before_it() -> None:
    async with world() as (server, adapter):
        server.faults.add("sendMediaGroup", RESET)
        assert isinstance(await adapter.deliver(to(server.group, card=LONG)), Unknown)
        sent = await adapter.deliver(to(server.group, card=LONG, attempts=1))
        assert len(numbers(sent)) == 3
        assert len(server.sent(server.group)) == 3


async def test_where_media_fail_after_their_text_the_text_links_to_them() -> None:
    async with world() as (server, adapter):
        server.bad_url("https://ayllu.example/1.png", UNFETCHED)
        assert len(numbers(await adapter.deliver(to(server.group, card=LONG)))) == 1
        (message,) = server.sent(server.group)
        assert "ayllu.example/1.png" in str(message)


async def test_a_text_that_cannot_be_told_of_its_media_is_there_all_the_same() -> None:
    async with world() as (server, adapter):
        server.bad_url("https://ayllu.example/1.png", UNFETCHED)
        server.faults.add("editMessageText", Refuse(400, "Bad Request: message can't be edited"))
        sent = await adapter.deliver(to(server.group, card=LONG))
        assert numbers(sent) == [one["message_id"] for one in server.sent(server.group)]


async def test_an_edit_of_a_text_whose_media_were_refused_keeps_their_links() -> None:
    async with world() as (server, adapter):
        server.bad_url("https://ayllu.example/1.png", UNFETCHED)
        sent = await adapter.deliver(to(server.group, card=LONG))
        changed = Card(post=post(1, body=text("rope " * 300), media=LONG.post.media), reason="#Qeswachaka")
        await adapter.deliver(again(server.group, sent, Action.EDIT, card=changed))
        (message,) = server.sent(server.group)
        assert "ayllu.example/1.png" in str(message["entities"])


@pytest.mark.parametrize("fault", [LOST, RESET, Status(500), Status(502, committed=True)])
async def test_a_lost_answer_is_unknown(fault: Any) -> None:
    async with world() as (server, adapter):
        server.faults.add("sendMessage", fault)
        assert isinstance(await adapter.deliver(to(server.group)), Unknown)


async def test_without_a_connection_it_is_surely_not_sent() -> None:
    async with world() as (server, _):
        away = adapter_for(server, api_url="http://127.0.0.1:9")
        assert isinstance(await away.deliver(to(server.group)), TryLater)
        await away.close()


async def test_nobody_is_woken_by_a_silent_post() -> None:
    async with world() as (server, adapter):
        await adapter.deliver(to(server.group, options=chosen(silent=True)))
        await adapter.deliver(to(server.group, 2, options='{"sparkle": 1}'))
        silent, usual = server.asked("sendMessage")
        assert silent.params["disable_notification"] is True
        assert "disable_notification" not in usual.params


# --- places that changed ---


async def test_a_flood_wait_of_one_chat_delays_no_other() -> None:
    async with world() as (server, adapter):
        other = server.add_group("Other")
        server.faults.add("sendMessage", Flood(43_200), count=None, chat=server.group)
        for number in (1, 2):
            held = await adapter.deliver(to(server.group, number))
            assert isinstance(held, TryLater)
            assert held.after is not None
            assert held.after > timedelta(hours=11)
        async with asyncio.timeout(1):
            assert isinstance(await adapter.deliver(to(other)), Sent)
        assert len(server.asked("sendMessage")) == 2


async def test_a_group_that_became_a_supergroup_tells_its_new_address() -> None:
    async with world() as (server, adapter):
        group = server.add_group("Small", kind="group")
        new = server.migrate(group)
        assert await adapter.deliver(to(group)) == Moved(Destination("telegram", str(new.id)))


async def test_closed_places_are_gone() -> None:
    async with world() as (server, adapter):
        forum = server.add_group("Forum", forum=True)
        shut, removed, person = server.add_topic(forum), server.add_topic(forum), server.add_person()
        server.close_topic(forum, shut)
        server.delete_topic(forum, removed)
        server.block_bot(person)
        server.kick_bot(server.group)
        places: list[Chat | str] = [
            server.group,
            f"{forum.id}/{shut.id}",
            f"{forum.id}/{removed.id}",
            server.private(person),
            "-100999",
        ]
        for number, place in enumerate(places):
            assert isinstance(await adapter.deliver(to(place, number)), Gone), place


async def test_a_refused_token_is_not_asked_again_for_a_while() -> None:
    async with world() as (server, adapter):
        server.revoke_token()
        for number in (1, 2):
            outcome = await adapter.deliver(to(server.group, number))
            assert isinstance(outcome, TryLater)
            assert outcome.after == timedelta(minutes=5)
        assert len(server.requests) == 1


# --- threads ---


async def test_a_thread_goes_on_as_replies_even_below_what_was_removed() -> None:
    async with world() as (server, adapter):
        first = await adapter.deliver(to(server.group, card=in_thread(1, 1)))
        assert isinstance(first, Sent)
        await adapter.deliver(to(server.group, 2, card=in_thread(2, 2), under=first.messages))
        assert server.sent(server.group)[1]["reply_to_message"]["message_id"] == numbers(first)[0]
        server.delete_message(server.group, numbers(first)[0])
        third = await adapter.deliver(to(server.group, 3, card=in_thread(3, 3), under=first.messages))
        assert isinstance(third, Sent)


async def test_a_thread_goes_on_in_the_comments_where_that_is_wanted() -> None:
    async with world() as (server, adapter):
        talk = server.add_group("Talk")
        channel = server.add_channel("News", linked=talk)
        first = await adapter.deliver(to(channel, card=in_thread(1, 1)))
        (copy,) = server.messages(talk)
        adapter.comments.forwarded(channel.id, numbers(first)[0], talk.id, copy["message_id"])
        assert isinstance(first, Sent)
        options = chosen(comments=True)
        second = await adapter.deliver(to(channel, 2, card=in_thread(2, 2), under=first.messages, options=options))
        (comment,) = server.sent(talk)
        assert comment["reply_to_message"]["message_id"] == copy["message_id"]
        assert isinstance(await adapter.deliver(again(channel, second, Action.DELETE, 2)), Sent)
        assert server.sent(talk) == []


async def test_where_nobody_may_comment_it_goes_on_in_the_channel() -> None:
    async with world() as (server, adapter):
        talk = server.add_group("Talk")
        channel = server.add_channel("News", linked=talk)
        first = await adapter.deliver(to(channel, card=in_thread(1, 1)))
        assert isinstance(first, Sent)
        (copy,) = server.messages(talk)
        adapter.comments.forwarded(channel.id, numbers(first)[0], talk.id, copy["message_id"])
        server.kick_bot(talk)
        options = chosen(comments=True)
        for number in (2, 3):
            await adapter.deliver(to(channel, number, card=in_thread(number, 3), under=first.messages, options=options))
        assert [one["reply_to_message"]["message_id"] for one in server.sent(channel)[1:]] == numbers(first) * 2
        assert sum(one.status == 403 for one in server.requests) == 1


# --- rich messages ---


async def test_a_rich_post_is_one_rich_message_that_can_be_changed_and_counted() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=in_thread(1, 1), options=chosen(rich=True)))
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith("rich/")
        edited = Card(post=post(1, body=text("Changed.")), reason="#Qeswachaka")
        assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=edited)), Sent)
        grown = again(server.group, sent, Action.COUNT, card=in_thread(1, 4))
        assert isinstance(await adapter.deliver(grown), Sent)
        (message,) = server.sent(server.group)
        assert "Changed." in text_of(message)
        assert "4" in buttons_of(message)[0]["text"]


def told(count: int) -> Card:
    """The card of a thread that shows all its posts."""
    return replace(in_thread(1, count), posts=tuple(post(number) for number in range(1, count + 1)))


async def test_a_whole_thread_is_one_rich_message_that_grows_with_it() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=told(3), options=chosen(rich=True)))
        await adapter.deliver(again(server.group, sent, Action.EDIT, card=told(4), options=chosen(rich=True)))
        await adapter.deliver(again(server.group, sent, Action.COUNT, card=told(5), options=chosen(rich=True)))
        [message] = server.sent(server.group)
        assert [f"Post number {number}." in text_of(message) for number in range(1, 7)] == [True] * 5 + [False]


async def test_a_thread_too_long_for_one_rich_message_begins_as_others_do() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=told(200), options=chosen(rich=True)))
        assert isinstance(sent, Sent)
        [message] = server.sent(server.group)
        assert "Post number 1." in text_of(message)
        assert "Post number 2." not in text_of(message)


async def test_an_api_without_rich_messages_is_asked_once() -> None:
    async with world() as (server, adapter):
        server.rich = False
        for number in (1, 2):
            sent = await adapter.deliver(to(server.group, number, options=chosen(rich=True)))
            assert isinstance(sent, Sent)
            assert sent.messages[0].startswith("text/")
        assert len(server.asked("sendRichMessage")) == 1


async def test_a_rich_message_that_is_refused_is_sent_as_others_are() -> None:
    async with world() as (server, adapter):
        server.faults.add("sendRichMessage", Refuse(400, "Bad Request: RICH_MESSAGE_INVALID"))
        for number in (1, 2):
            assert isinstance(await adapter.deliver(to(server.group, number, options=chosen(rich=True))), Sent)
        assert len(server.asked("sendRichMessage")) == 2
        assert len(server.asked("sendMessage")) == 1


async def test_an_edit_that_makes_a_rich_message_refused_changes_the_words() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=in_thread(1, 1), options=chosen(rich=True)))
        server.bad_url("https://ayllu.example/1.png", "RICH_MESSAGE_PHOTO_INVALID")
        changed = pictures(1, body=text("Changed."))
        assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=changed)), Sent)
        (message,) = server.sent(server.group)
        assert "Changed." in text_of(message)
        assert "ayllu.example/1.png" in str(message)


# --- buttons ---


@pytest.mark.parametrize("refusal", ["BUTTON_URL_INVALID", "inline keyboard button URL is invalid", "nobody knows why"])
@pytest.mark.parametrize("card", [in_thread(1, 3), pictures(1), LONG])
async def test_a_message_whose_buttons_are_refused_comes_once_with_links(card: Card, refusal: str) -> None:
    async with world() as (server, adapter):
        server.faults.add("send*", Refuse(400, f"Bad Request: {refusal}"), count=2 if card == pictures(1) else 1)
        sent = await adapter.deliver(to(server.group, card=card))
        first = server.sent(server.group)[0]
        assert numbers(sent)[0] == first["message_id"]
        assert buttons_of(first) == []
        assert card.post.url in str(first["entities"])
        server.faults.add("editMessageText", Refuse(400, f"Bad Request: {refusal}"))
        changed = replace(card, post=replace(card.post, body=text("Changed.")))
        assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=changed)), Sent)
        assert "Changed." in text_of(server.sent(server.group)[0])


async def test_what_is_refused_without_buttons_too_is_refused() -> None:
    async with world() as (server, adapter):
        server.faults.add("sendMessage", Refuse(400, "Bad Request: nobody knows why"), count=2)
        assert isinstance(await adapter.deliver(to(server.group)), Refused)
        assert len(server.requests) == 2


# --- changing ---


@pytest.mark.parametrize("card", [in_thread(1, 1), pictures(1), pictures(3)])
async def test_an_edit_changes_the_words_twice_over(card: Card) -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=card))
        media = card.post.media
        changed = Card(post=post(1, body=text("Changed."), media=media), reason="#Qeswachaka", thread=card.thread)
        for _ in range(2):
            assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=changed)), Sent)
        assert "Changed." in text_of(server.sent(server.group)[0])


@pytest.mark.parametrize(
    ("before", "after"), [(pictures(1), LONG), (LONG, pictures(1)), (in_thread(1, 1), pictures(2))]
)
async def test_an_edit_that_would_change_the_form_changes_the_words_alone(before: Card, after: Card) -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=before))
        count = len(server.sent(server.group))
        assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=after)), Sent)
        assert len(server.sent(server.group)) == count


def test_words_are_shortened_between_letters_and_their_entities_with_them() -> None:
    words = EntityText("🧵🧵🧵 bridge", (Entity("bold", 0, 6), Entity("italic", 7, 6)))
    assert shortened(words, 6) == EntityText("🧵🧵…", (Entity("bold", 0, 4),))
    assert shortened(words, 13) == words


async def test_a_new_count_changes_the_button_and_an_album_has_none() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=in_thread(1, 1)))
        grown = again(server.group, sent, Action.COUNT, card=in_thread(1, 5))
        assert isinstance(await adapter.deliver(grown), Sent)
        assert "5" in buttons_of(server.sent(server.group)[0])[0]["text"]
        album = await adapter.deliver(to(server.group, 2, card=pictures(2)))
        asked = len(server.requests)
        assert isinstance(await adapter.deliver(again(server.group, album, Action.COUNT, card=pictures(2))), Sent)
        assert len(server.requests) == asked


@pytest.mark.parametrize("card", [in_thread(1, 1), pictures(3), LONG])
async def test_a_deletion_deletes_all_of_it_and_again_is_done(card: Card) -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=card))
        for _ in range(2):
            assert isinstance(await adapter.deliver(again(server.group, sent, Action.DELETE)), Sent)
        assert server.sent(server.group) == []


@pytest.mark.parametrize("card", [in_thread(1, 1), pictures(1), pictures(3)])
async def test_what_is_too_old_to_be_deleted_says_that_it_was(card: Card) -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group, card=card))
        for message in server.sent(server.group):
            server.age(message, hours=50)
        for _ in range(2):
            assert isinstance(await adapter.deliver(again(server.group, sent, Action.DELETE)), Sent)
        message = server.sent(server.group)[0]
        assert text_of(message) == "The author deleted this post."
        assert buttons_of(message) == []
        assert "web-" not in json.dumps(server.sent(server.group)), "a picture is still to be seen"


async def test_what_somebody_removed_needs_no_edit() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group))
        server.delete_message(server.group, numbers(sent)[0])
        for action in (Action.EDIT, Action.DELETE):
            assert isinstance(await adapter.deliver(again(server.group, sent, action)), Sent)


@pytest.mark.parametrize("action", [Action.EDIT, Action.COUNT, Action.DELETE])
async def test_messages_of_others_are_left_alone(action: Action) -> None:
    async with world() as (server, adapter):
        foreign = to(server.group, action=action, messages=(MessageId("card/1/2"),), card=in_thread(1, 1))
        assert isinstance(await adapter.deliver(foreign), Refused)
        assert server.requests == []


async def test_a_lost_answer_to_an_edit_is_tried_again() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.group))
        server.faults.add("editMessageText", LOST)
        changed = Card(post=post(1, body=text("Changed.")), reason="#Qeswachaka")
        assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=changed)), TryLater)
        assert isinstance(await adapter.deliver(again(server.group, sent, Action.EDIT, card=changed)), Sent)


# --- the pace ---


async def test_at_full_pace_telegram_never_says_429() -> None:
    """Three chats in a Telegram whose second is a fiftieth, each after the wait that was asked for."""
    async with world(second=0.02) as (server, adapter):
        chats = [server.private(server.add_person()) for _ in range(3)]

        async def keep_on(place: Any) -> None:
            for number in range(8):
                sent = await adapter.deliver(to(place, number))
                assert isinstance(sent, Sent)
                await asyncio.sleep(sent.wait.total_seconds())

        await asyncio.gather(*(keep_on(chat) for chat in chats))
        assert server.too_many == 0


async def test_a_full_minute_is_waited_for_in_the_outbox() -> None:
    async with world(second=0.04) as (server, adapter):
        sent = [await adapter.deliver(to(server.group, number, card=pictures(10))) for number in (1, 2)]
        last = sent[-1]
        assert isinstance(last, Sent)
        assert last.wait > timedelta(seconds=1)
        held = await adapter.deliver(to(server.group, 3))
        assert isinstance(held, TryLater)
        assert server.too_many == 0


async def test_slow_media_do_not_hold_up_texts() -> None:
    async with world() as (server, adapter):
        server.faults.add("sendPhoto", Slow(0.15), count=None)
        people = [server.private(server.add_person()) for _ in range(9)]
        slow = [asyncio.create_task(adapter.deliver(to(one, n, card=pictures(1)))) for n, one in enumerate(people)]
        await server.wait_until(lambda: len(server.asked("sendPhoto")) >= 5)
        assert isinstance(await adapter.deliver(to(server.group, 99)), Sent)
        assert not all(one.done() for one in slow)
        assert all(isinstance(one, Sent) for one in await asyncio.gather(*slow))
