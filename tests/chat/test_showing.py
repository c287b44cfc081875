"""What people ask in the chats of what is there: changing it, pausing it, looking at it, reading threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from relay import inspect
from relay.core.consent import UNDO_FOR
from relay.model import Destination, Post, Published, Quote
from relay.options import NO_FILTERS, USUAL_DELIVERY, Filters, Only
from relay.ports import Batch, Gone, Question, Refused, Suggestion, TryLater
from relay.records import DestinationState, FeedState, Intake, Quota, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, FakeSource, author, post, text
from relay.text import plain
from tests.support.house import HALL, ROOM, House
from tests.support.outbox_cases import want, worker


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    opened = await open_store(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
def house(store: Store) -> House:
    return House(store)


async def configured(house: House, topic: str = "#bridge") -> int:
    (number,) = await house.store.save_subscriptions("config:t", [Wanted(topic=topic, destination=ROOM)])
    return number


async def seed(house: House, *lines: str) -> None:
    for line in lines:
        assert not (await house.ask(line)).failed


# --- unsubscribe ---


@pytest.mark.parametrize("named", ["#Qeswachaka", "#qeswachaka", "Qeswachaka", "{id}"])
async def test_a_subscription_goes_by_its_topic_or_its_number(house: House, named: str) -> None:
    await seed(house, "subscribe #Qeswachaka")
    number = (await house.only()).id
    assert "Unfollowed #Qeswachaka" in await house.told(f"unsubscribe {named.format(id=number)}")
    assert await house.store.list_subscriptions() == []
    assert await house.audit() == [("7", "unsubscribe"), ("7", "subscribe")]
    assert house.refreshed == 2


async def test_what_is_not_there_is_told_with_the_nearest(house: House) -> None:
    assert "The channel follows nothing yet" in await house.refused("unsubscribe #bridge")
    await seed(house, "subscribe #Qeswachaka")
    assert "Did you mean #Qeswachaka?" in await house.refused("unsubscribe #Qeswachak")
    assert "/subscriptions" in await house.refused("unsubscribe 999")


async def test_the_subscriptions_of_another_channel_are_out_of_reach(house: House) -> None:
    await seed(house, "subscribe #bridge")
    number = (await house.only()).id
    for action in ("unsubscribe", "settings", "pause"):
        await house.refused(f"{action} {number}", destination=HALL)


async def test_what_the_configuration_keeps_can_be_paused_but_not_removed_or_changed(house: House) -> None:
    number = await configured(house)
    told = await house.refused(f"unsubscribe {number}")
    assert "Only the relay's operator" in told
    assert f"/pause {number}" in told
    assert "Change its settings there" in await house.refused(f"settings {number} only=media")
    assert "Paused: #bridge" in await house.told(f"pause {number}")
    assert (await house.only()).paused == "by 7"


# --- pause and resume ---


async def test_pausing_all_and_resuming_one(house: House) -> None:
    await seed(house, "subscribe #one", "subscribe #two")
    await house.ask("subscribe #elsewhere", destination=HALL)
    assert "Paused: #one, #two." in await house.told("pause")
    assert {one.topic: one.paused for one in await house.store.list_subscriptions()} == {
        "#one": "by 7",
        "#two": "by 7",
        "#elsewhere": "",
    }
    assert "#one — paused by 7" in await house.told("subscriptions")
    assert "Resumed: #one." in await house.told("resume #one")
    assert [one.topic for one in await house.store.list_subscriptions(ROOM) if one.paused] == ["#two"]
    assert [action for _, action in await house.audit()] == ["resume", "pause", "pause", *["subscribe"] * 3]


async def test_pausing_nothing_and_resuming_nothing_is_told(house: House) -> None:
    assert "nothing to pause" in await house.told("pause")
    assert "Nothing was paused" in await house.told("resume")


async def test_resuming_serves_a_channel_again_that_was_given_up(house: House) -> None:
    await seed(house, "subscribe #bridge")
    await want(house.store, range(3), str(ROOM))
    await house.handlers.lost([ROOM], "the channel was deleted")
    told = await house.told("resume")
    assert "stopped posting in the channel: the channel was deleted" in told
    assert "3 messages are waiting" in told
    assert [one.paused for one in await house.store.list_destinations()] == [""]


async def test_resuming_where_the_relay_still_cannot_post_changes_nothing(house: House) -> None:
    await want(house.store, range(1), str(ROOM))
    await house.handlers.lost([ROOM], "closed")
    assert "no right" in await house.refused("resume", obstacle="no right")
    assert [one.paused for one in await house.store.list_destinations()] == ["closed"]


# --- settings ---


async def test_settings_show_without_changing(house: House) -> None:
    await seed(house, "subscribe #bridge language=es only=media")
    told = await house.told("settings #bridge")
    assert "mode: one message per thread, with a count of its posts" in told
    assert "networks: everywhere" in told
    assert "language: es" in told
    assert "only: posts with pictures" in told
    assert [action for _, action in await house.audit()] == ["subscribe"]


async def test_settings_change_what_is_named_and_leave_the_rest(house: House) -> None:
    await house.ask("subscribe #bridge language=es only=media", options='{"style": "embed", "crosspost": true}')
    answer = await house.ask("settings #bridge language=all", options='{"style": "card", "crosspost": null}')
    one = await house.only()
    assert (one.filters.language, one.filters.only, json.loads(one.options)) == ((), Only.MEDIA, {"style": "card"})
    assert "Saved." in plain(answer.text)
    assert "style: card" in plain(answer.text)
    assert house.refreshed == 2
    assert (await house.audit())[0] == ("7", "settings")


async def test_settings_that_cannot_be_are_told(house: House) -> None:
    await seed(house, "subscribe #bridge")
    assert "is not a language code" in await house.refused("settings #bridge language=!!")


async def test_a_filter_is_changed_and_taken_back(house: House) -> None:
    await seed(house, "subscribe #bridge words=rope per_hour=3 min_age=30d")
    told = await house.told("settings #bridge words=“rope, river” per_hour=-")
    assert "words: rope, river" in told
    assert "min_age: 30d" in told
    assert "per_hour" not in told
    assert (await house.only()).filters == Filters(words=("rope", "river"), min_age=timedelta(days=30))
    for nothing in ("words=-", "min_age=none", "block=all", "pattern=*"):
        assert not (await house.ask(f"settings #bridge {nothing}")).failed
    assert (await house.only()).filters == NO_FILTERS
    last = (await house.store.list_audit(1))[0]
    assert last.detail == "#bridge · min_age: —"


@pytest.mark.parametrize("dash", ["-", "–", "—"])
@pytest.mark.parametrize("given", ["language=es", "only=media", "mode=posts", "follow=replies", "quiet=22:00-07:00"])
async def test_a_dash_takes_any_option_back(house: House, given: str, dash: str) -> None:
    await seed(house, f"subscribe #bridge {given}")
    name = given.partition("=")[0]
    assert not (await house.ask(f"settings #bridge {name}={dash}")).failed
    one = await house.only()
    assert (one.filters, one.delivery_options) == (NO_FILTERS, USUAL_DELIVERY)


# --- subscriptions, status, help ---


async def test_the_list_shows_numbers_and_what_is_special(house: House) -> None:
    number = await configured(house, "#harvest")
    await seed(house, "subscribe #bridge networks=fake language=es,qu only=originals")
    told = await house.told("subscriptions")
    assert "The channel follows 2 topics" in told
    assert f"• {number} #harvest — set in the relay's configuration" in told
    assert "#bridge — from fake · in es, qu · no replies to others" in told


async def test_the_list_and_the_status_read_the_feeds_of_their_own_topics_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def all_of_them() -> Sequence[FeedState]:
        raise AssertionError("there may be a hundred thousand")

    await seed(house, "subscribe #bridge networks=fake")
    monkeypatch.setattr(house.store, "list_feeds", all_of_them)
    assert "The channel follows 1 topic" in await house.told("subscriptions")
    assert "◦ #bridge, last read: never" in await house.told("status")


async def test_how_a_channel_stands_is_read_without_the_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_of_them() -> Sequence[DestinationState]:
        raise AssertionError("there may be a hundred thousand")

    await seed(house, "subscribe #bridge")
    await want(house.store, range(3), str(ROOM))
    await house.handlers.lost([ROOM], "closed")
    monkeypatch.setattr(house.store, "list_destinations", all_of_them)
    assert "stopped posting in the channel: closed" in await house.told("status")
    assert "stopped posting in the channel: closed" in await house.told("resume")
    assert "listed: yes" in await house.told("settings listed=yes")


async def test_status_says_how_the_channel_and_each_feed_are(house: House) -> None:
    await seed(house, "subscribe #bridge networks=fake")
    told = await house.told("status")
    assert "Chasqui 9.9" in told
    assert "Everything works. No message is waiting." in told
    assert "◦ #bridge, last read: never" in told
    await want(house.store, range(2), str(ROOM), str(HALL))
    assert "2 messages are waiting." in await house.told("status")
    await house.handlers.lost([ROOM], "no right to write")
    told = await house.told("status")
    assert "stopped posting in the channel: no right to write" in told
    assert "2 posts" not in told, "what other communities are brought is not told"


async def test_the_list_and_the_status_say_what_is_wrong_with_a_feed(house: House) -> None:
    await seed(house, "subscribe #bridge networks=fake")
    lease = worker().leased()
    [feed] = await house.store.claim_feeds(["fake"], lease, 1)
    moved = "@illa@ayllu.example has moved to @illa@plaza.example"
    await house.store.add_intakes([Intake(feed=feed.id, note=moved)], lease)
    for line in ("subscriptions", "status"):
        assert moved in await house.told(line)


async def test_the_status_says_which_feed_waits_while_others_are_read(house: House) -> None:
    await seed(house, "subscribe #bridge networks=fake")
    await seed(house, "subscribe #harvest networks=fake")
    lease = worker().leased()
    first, _ = await house.store.claim_feeds(["fake"], lease, 2)
    later = replace(lease, now=lease.now + timedelta(seconds=11))
    await house.store.add_intakes([Intake(feed=first.id, next_poll=later.now + timedelta(hours=1))], later)
    waits = "still waiting: its server is slow"
    assert (await house.told("status")).count(waits) == 1
    assert [waits in check.note for check in await inspect._check_feeds(house.store)] == [True]  # as `relay check` does


async def test_a_key_in_an_address_is_shown_to_nobody(house: House) -> None:
    """The list and the status are for everybody in the channel."""
    await configured(house, "https://ayllu.example/feed?token=verysecret")
    await house.subscriptions.run([Wanted(topic="https://ayllu.example/feed?token=verysecret", destination=ROOM)])
    for line in ("subscriptions", "status", "preview 1", "settings 1"):
        told = await house.told(line)
        assert "ayllu.example/feed?token=…" in told
        assert "verysecret" not in told


async def test_help_comes_from_the_table(house: House) -> None:
    assert "/subscribe topic" in await house.told("help")
    assert "Seguir un hashtag" in await house.told("help", language="es")


# --- preview ---


async def test_a_preview_shows_the_latest_and_says_what_could_not_be_read(house: House) -> None:
    house.sources["fake"].answers["#bridge"] = [
        Batch(events=(*(Published(post(n)) for n in (3, 1, 5, 4)), Published(post(9, unlisted=True))))
    ]
    house.sources["other"].answers["#bridge"] = [TryLater("busy")]
    answer = await house.ask("preview #bridge")
    assert [card.post.uri for card in answer.cards] == [post(n).uri for n in (3, 4, 5)]
    assert answer.cards[0].reason == "#bridge · ayllu.example"
    assert "I can't read other #bridge: busy" in plain(answer.text)
    assert await house.store.list_feeds() == []


async def test_a_preview_of_nothing_says_so(house: House) -> None:
    assert "There are no posts to show on #bridge" in await house.told("preview #bridge")
    assert "I don't understand" in await house.refused("preview nonsense")
    assert "One topic at a time" in await house.refused("preview #a #b")


async def test_a_number_shows_the_topic_of_that_subscription_of_the_channel(house: House) -> None:
    await seed(house, "subscribe #bridge networks=fake")
    number = (await house.only()).id
    assert "#bridge" in await house.told(f"preview {number}", may_manage=False)
    assert not house.sources["other"].polls, "only its own networks are read"
    assert "I don't understand" in await house.refused(f"preview {number}", destination=HALL)


async def test_a_preview_shows_what_the_channel_s_own_filters_let_through(house: House) -> None:
    bodies = {1: "A rope.", 2: "A sale of rope.", 3: "Nothing.", 4: "More rope.", 5: "Nothing."}
    events = tuple(Published(post(n, body=text(said))) for n, said in bodies.items())
    house.sources["fake"].answers["#Bridge"] = [Batch(events=events) for _ in range(3)]
    await seed(house, "subscribe #Bridge networks=fake words=rope without=sale")
    for named in ("#bridge", str((await house.only()).id)):
        answer = await house.ask(f"preview {named}")
        assert [card.post.uri for card in answer.cards] == [post(n).uri for n in (1, 4)]
        assert "filtered out by words: 2" in plain(answer.text)
        assert "filtered out by without: 1" in plain(answer.text)
    answer = await house.ask("preview #Bridge", destination=HALL)
    assert [card.post.uri for card in answer.cards] == [post(n).uri for n in (3, 4, 5)]


async def test_a_preview_of_which_nothing_is_left_says_why(house: House) -> None:
    house.sources["fake"].answers["#bridge"] = [Batch(events=(Published(post(1)),))]
    await seed(house, "subscribe #bridge networks=fake only=links")
    told = await house.told("preview #bridge")
    assert "There are no posts to show" in told
    assert "filtered out by only: 1" in told


# --- unroll ---

ROOT = post(1, body=text("A bridge of grass."))
LINK = "https://ayllu.example/@illa/2"
CHAIN = (post(2, reply_to=ROOT.uri), ROOT, post(3, reply_to=post(2).uri))


def with_thread(house: House, *posts: Post) -> House:
    house.sources["other"].threads = {LINK: posts}
    return house


async def test_a_thread_is_read_kept_and_linked(house: House) -> None:
    answer = await with_thread(house, *CHAIN).ask("help", name="unroll", arguments={"url": f"look: {LINK}!"})
    told = plain(answer.text)
    page = await house.store.get_page_of(ROOT.uri)
    assert page
    assert [one.uri for one in page.posts] == [post(n).uri for n in (1, 2, 3)]
    assert "A thread of 3 posts by Illa (@illa@ayllu.example)" in told
    assert "A bridge of grass." in told
    links = [span.link for block in answer.text for span in block.spans if span.link]
    assert links == [f"https://relay.example/t/{page.slug}", ROOT.url]
    assert not (await house.store.get_counts()).deliveries


async def test_without_pages_the_original_is_linked(store: Store) -> None:
    house = with_thread(House(store, base=""), *CHAIN)
    answer = await house.ask(f"unroll {LINK}")
    assert [span.link for block in answer.text for span in block.spans if span.link] == [ROOT.url]


async def test_an_author_who_refuses_is_only_linked_and_nothing_is_kept(house: House) -> None:
    shy = replace(author(), refuses=True)
    answer = await with_thread(house, *(replace(one, author=shy) for one in CHAIN)).ask(f"unroll {LINK}")
    assert "asks not to be archived" in plain(answer.text)
    assert "A bridge of grass" not in plain(answer.text)
    assert [span.link for block in answer.text for span in block.spans if span.link] == [ROOT.url]
    assert await house.store.get_page_of(ROOT.uri) is None


async def test_an_author_who_was_taken_out_is_neither_previewed_nor_unrolled(house: House) -> None:
    await with_thread(house, *CHAIN).ask(f"unroll {LINK}")
    await house.store.save_author_stop(author().uri, NOON, NOON + UNDO_FOR)
    told = plain((await house.ask(f"unroll {LINK}")).text)
    assert "asks not to be archived" in told
    assert "A bridge of grass" not in told
    sami = post(5, author=author("Sami"))
    quote = Quote(url=ROOT.url, author=author(), body=ROOT.body)
    quoting = replace(sami, quote=quote)
    house.sources["fake"].answers["#bridge"] = [Batch(events=(Published(post(1)), Published(quoting)))]
    answer = await house.ask("preview #bridge")
    assert [card.post for card in answer.cards] == [replace(sami, quote=quote.silenced())]


async def test_a_warning_stands_for_what_it_folds(house: House) -> None:
    told = plain((await with_thread(house, replace(ROOT, warning="heights")).ask(f"unroll {LINK}")).text)
    assert "A single post by Illa" in told
    assert "Content warning: heights" in told
    assert "A bridge of grass" not in told


async def test_the_first_link_that_is_a_thread_is_read(house: House) -> None:
    both = {"url": f"https://nowhere.example/ and {LINK}"}
    assert not (await with_thread(house, *CHAIN).ask("help", name="unroll", arguments=both)).failed


async def test_what_is_no_thread_is_told_with_the_reason(house: House) -> None:
    assert "I found no link there" in await house.refused("unroll nothing")
    told = await house.refused("unroll https://nowhere.example/x")
    assert "https://nowhere.example/x: fake: no such post; other: no such post" in told


async def test_a_source_that_hangs_keeps_nobody_waiting(house: House) -> None:
    class Hanging(FakeSource):
        async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
            await asyncio.Event().wait()
            raise AssertionError

    house.sources["fake"] = Hanging()
    async with asyncio.timeout(30):
        assert "it is not answering" in await house.refused(f"unroll {LINK}")


# --- suggestions ---


async def suggest(house: House, parameter: str, typed: str, command: str = "subscribe") -> list[str]:
    found = await house.handlers.suggest(
        Question(command=command, parameter=parameter, typed=typed, destination=ROOM, community="guild", language="es")
    )
    assert len(found) <= 25
    assert all(0 < len(one.label) <= 100 and 0 < len(one.value) <= 100 for one in found)
    return [one.value for one in found]


async def test_hashtags_that_start_so_come_before_those_that_contain_it(house: House) -> None:
    await seed(house, "subscribe #Ayllu", "subscribe #Mayllu", "subscribe #Qeswachaka", "subscribe #áyllus")
    found = await suggest(house, "topic", "#AYL")
    assert set(found[:2]) == {"#Ayllu", "#áyllus"}
    assert found[2:] == ["#Mayllu"]
    assert set(await suggest(house, "topic", "")) == {"#Ayllu", "#Mayllu", "#Qeswachaka", "#áyllus"}
    assert await suggest(house, "topic", "https://") == []


async def test_what_other_communities_follow_is_not_suggested(house: House) -> None:
    await seed(house, "subscribe #ours")
    away = Destination("fake", "away")
    await house.ask("subscribe #theirs", destination=away, community="another")
    assert await suggest(house, "topic", "") == ["#ours"]
    there = Question(command="subscribe", parameter="topic", typed="", destination=away, community="another")
    assert [one.value for one in await house.handlers.suggest(there)] == ["#theirs"]


async def test_at_most_25_are_suggested(store: Store) -> None:
    house = House(store, quota=Quota(destination=60, community=60))
    await seed(house, *(f"subscribe #bridge{n}" for n in range(40)))
    assert len(await suggest(house, "topic", "bri")) == 25
    assert len(await suggest(house, "topic", "", command="unsubscribe")) == 25


async def test_hashtags_are_read_once_in_a_few_seconds(house: House) -> None:
    await seed(house, "subscribe #one")
    assert await suggest(house, "topic", "") == ["#one"]
    await seed(house, "subscribe #two")
    assert await suggest(house, "topic", "") == ["#one"]


async def test_own_subscriptions_are_suggested_by_number_with_their_state(house: House) -> None:
    await seed(house, "subscribe #Qeswachaka", "subscribe #bridge", "pause #bridge")
    await house.ask("subscribe #elsewhere", destination=HALL)
    by_topic = {one.topic: str(one.id) for one in await house.store.list_subscriptions()}
    question = Question(command="resume", parameter="topic", typed="BRI", destination=ROOM, language="es")
    assert list(await house.handlers.suggest(question)) == [
        Suggestion("#bridge — en pausa, por 7", by_topic["#bridge"]),
    ]
    assert await suggest(house, "topic", "", command="settings") == [by_topic["#Qeswachaka"], by_topic["#bridge"]]


async def test_networks_complete_the_last_of_a_list(house: House) -> None:
    assert await suggest(house, "networks", "") == ["fake", "other"]
    assert await suggest(house, "networks", "fake, o") == ["fake,other"]


async def test_choices_are_suggested_in_the_language_of_the_person(house: House) -> None:
    assert await suggest(house, "only", "") == ["all", "media", "text", "links", "originals"]


async def test_what_nobody_asks_and_a_store_that_fails_suggest_nothing(house: House) -> None:
    assert await suggest(house, "topic", "", command="sing") == []
    assert await suggest(house, "colour", "") == []
    assert await suggest(house, "url", "x", command="unroll") == []
    await house.store.close()
    assert await suggest(house, "topic", "") == []


# --- losses ---


async def test_a_lost_destination_is_paused_with_the_reason_and_told_once(house: House) -> None:
    await seed(house, "subscribe #bridge")
    await want(house.store, range(1), str(ROOM))
    with capture_logs() as logs:
        await house.handlers.lost([ROOM, HALL], "the channel was deleted")
        await house.handlers.lost([ROOM, HALL], "the channel was deleted")
    (told,) = logs
    assert (told["log_level"], told["destinations"], told["reason"]) == ("error", str(ROOM), "the channel was deleted")
    assert [(one.destination, one.paused) for one in await house.store.list_destinations()] == [
        (ROOM, "the channel was deleted")
    ]


async def test_a_loss_that_cannot_be_noted_stops_nothing(house: House) -> None:
    await house.store.close()
    with capture_logs() as logs:
        await house.handlers.lost([ROOM], "gone")
    assert [one["log_level"] for one in logs] == ["warning"]
