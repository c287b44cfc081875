"""What people ask in the chats: subscribing, and every way to get it wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
from structlog.testing import capture_logs

from relay.chat import HANDLERS
from relay.core.commands import TABLE, Parsed, command_of
from relay.model import Destination, Published
from relay.options import Filters, Only
from relay.ports import Batch, Refused, Resolved, TryLater
from relay.records import Quota
from relay.store import Store, open_store
from relay.testing import FakeSource, post
from relay.text import plain
from tests.support.house import HALL, ROOM, Flaky, House, serving
from tests.support.subscriptions_cases import Scripted


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    opened = await open_store(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
def house(store: Store) -> House:
    return House(store)


# --- all commands ---


def test_every_command_of_the_table_is_carried_out() -> None:
    assert list(HANDLERS) == [one.name for one in TABLE]


@pytest.mark.parametrize("line", ["subscribe #a", "unsubscribe 1", "pause", "resume", "settings 1"])
async def test_who_may_not_manage_the_channel_changes_nothing(house: House, line: str) -> None:
    assert "who can manage the channel" in await house.refused(line, may_manage=False)


@pytest.mark.parametrize("line", ["subscriptions", "status", "help", "preview #a"])
async def test_everybody_may_look(house: House, line: str) -> None:
    assert not (await house.ask(line, may_manage=False)).failed


@pytest.mark.parametrize(
    ("name", "arguments", "sign"),
    [
        ("sing", {}, "There is no command “sing”"),
        ("subscribe", {}, "needs one more thing: topic"),
        ("subscribe", {"topic": " "}, "needs one more thing: topic"),
        ("settings", {"topic": "1", "only": "cats"}, "cannot be “cats”"),
    ],
)
async def test_what_does_not_fit_the_table_is_told(
    house: House, name: str, arguments: dict[str, str], sign: str
) -> None:
    assert sign in await house.refused("help", name=name, arguments=arguments)


async def test_answers_are_in_the_language_of_the_person(house: House) -> None:
    assert "Listo. Lo nuevo de #Qeswachaka" in await house.told("subscribe #Qeswachaka", language="es-419")
    assert "El canal sigue 1 tema" in await house.told("subscriptions", language="es-PE")


async def test_a_store_that_is_busy_is_told_and_nothing_raises(house: House) -> None:
    await house.store.close()
    for line in ("subscribe #a", "subscriptions", "status", "pause"):
        answer = await house.ask(line)
        assert answer.failed
        assert "Nothing was changed" in plain(answer.text)


async def test_a_bug_is_told_with_its_traceback_in_the_log(house: House) -> None:
    class Broken(FakeSource):
        async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
            raise ZeroDivisionError(topic)

    house.sources["fake"] = Broken()
    with capture_logs() as logs:
        assert "a bug in the relay" in await house.refused("subscribe #a")
    (told,) = logs
    assert told["log_level"] == "error"
    assert told["exc_info"]


# --- subscribe ---


async def test_subscribing_to_an_account_that_has_moved_says_so(house: House) -> None:
    moved = "@illa@ayllu.example has moved to @illa@plaza.example"
    house.sources["fake"] = Scripted(
        "fake", Resolved(feeds=("f1",), title="@illa@ayllu.example", account=True, note=moved)
    )
    assert moved in plain((await house.ask("subscribe @illa@ayllu.example networks=fake")).text)


async def test_subscribing_says_what_it_understood_and_links_at_once(house: House) -> None:
    house.sources["other"] = Scripted("other", Resolved(feeds=("o1",), title="Bridges of the Andes"))
    answer = await house.ask("subscribe #Qeswachaka language=es,qu only=media")
    told = plain(answer.text)
    one = await house.only()
    assert not answer.failed
    assert "Done. New posts on #Qeswachaka" in told
    assert "fake: #Qeswachaka" in told
    assert "other: Bridges of the Andes" in told
    assert "in es, qu · posts with pictures, video or sound" in told
    assert "Older posts are not copied" in told
    assert (one.topic, one.destination, one.origin, one.community) == ("#Qeswachaka", ROOM, "chat", "guild")
    assert (one.filters.language, one.filters.only) == (("es", "qu"), Only.MEDIA)
    assert one.tags == (("fake", "qeswachaka"),)
    assert len(one.feeds) == 2
    assert house.refreshed == 1
    assert await house.audit() == [("7", "subscribe")]


async def test_the_buttons_show_the_last_three_and_undo(house: House) -> None:
    house.sources["fake"].answers["#bridge"] = [Batch(events=tuple(Published(post(n)) for n in range(5)))]
    answer = await house.ask("subscribe #bridge networks=fake")
    show, undo = answer.choices
    one = await house.only()
    assert show.line == f"preview {one.id}"
    assert command_of(undo.line) == Parsed("unsubscribe", {"topic": str(one.id)})
    assert all(len(choice.line.encode()) <= 60 for choice in answer.choices)
    assert [card.post.uri for card in (await house.ask(show.line)).cards] == [post(n).uri for n in (2, 3, 4)]
    await house.ask(undo.line)
    assert await house.store.list_subscriptions() == []


async def test_options_of_the_adapter_are_kept(house: House) -> None:
    await house.ask("subscribe #bridge", options='{"style": "embed"}')
    assert json.loads((await house.only()).options) == {"style": "embed"}


@pytest.mark.parametrize(
    ("typed", "topic"),
    [
        ("  #bridge ", "#bridge"),
        ("<https://ayllu.example/feed.xml>", "https://ayllu.example/feed.xml"),
        ("#bri\u202edge", "#bridge"),
    ],
)
async def test_a_topic_is_cleaned(house: House, typed: str, topic: str) -> None:
    await house.ask("help", name="subscribe", arguments={"topic": typed, "networks": "fake"})
    assert (await house.only()).topic == topic


@pytest.mark.parametrize(
    ("typed", "sign"),
    [
        (" ".join(f"#tag{n}" for n in range(60)), "One topic at a time"),
        ("#a#b", "One topic at a time"),
        ("two words", "One topic at a time"),
        (" ".join(f"#hashtag{n}" for n in range(500)), "One topic at a time"),
        ("#" + "a" * 2_000, "too long for a topic. It can have 500"),
    ],
)
async def test_what_is_not_one_topic_gets_a_clear_answer(house: House, typed: str, sign: str) -> None:
    assert sign in await house.refused("help", name="subscribe", arguments={"topic": typed})


async def test_a_topic_that_means_nothing_is_told_with_every_reason_and_an_example(house: House) -> None:
    told = await house.refused("subscribe nonsense")
    assert "I don't understand nonsense" in told
    assert "fake: only hashtags and addresses are read here" in told
    assert "other: only hashtags" in told
    assert "#Qeswachaka" in told


async def test_where_the_relay_cannot_post_nothing_is_saved(house: House) -> None:
    told = await house.refused("subscribe #bridge", obstacle="it lacks the right to write")
    assert "it lacks the right to write" in told


async def test_a_network_that_is_not_read_is_told_with_the_nearest(house: House) -> None:
    assert "I can't read fak. Did you mean fake?" in await house.refused("subscribe #bridge networks=fak")
    assert "fake, other" in await house.refused("subscribe #bridge networks=zzzz")


async def test_only_the_named_networks_are_asked(house: House) -> None:
    assert "other:" not in await house.told("subscribe #bridge networks=FAKE")
    assert (await house.only()).networks == ("fake",)


async def test_what_is_no_language_is_told(house: House) -> None:
    assert "klingon! is not a language code" in await house.refused("subscribe #bridge language=es,klingon!")


async def test_languages_are_written_one_way(house: House) -> None:
    await house.ask("subscribe #bridge language='ES; pt-BR, es'".replace("'", '"'))
    assert (await house.only()).filters.language == ("es", "pt-BR")


async def test_filters_are_understood_and_told(house: House) -> None:
    line = (
        'subscribe #bridge words="Rope, rope bridge" without=sale pattern="qeswa|soga" '
        'block="@Sami@Ayllu.example spam.example" min_age=30 per_hour=3'
    )
    told = await house.told(line)
    assert (await house.only()).filters == Filters(
        words=("Rope", "rope bridge"),
        without=("sale",),
        pattern="qeswa|soga",
        block=("@sami@ayllu.example", "spam.example"),
        min_age=timedelta(days=30),
        per_hour=3,
    )
    assert "with Rope, rope bridge · without sale · matching qeswa|soga" in told
    assert "not from @sami@ayllu.example, spam.example" in told
    assert "from accounts at least 30d old · at most 3 an hour by one author" in told


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("pattern=(", "pattern: this pattern cannot be used: missing ): (."),
        ("pattern=(?=a)", "pattern: this pattern cannot be used: invalid perl operator"),
        ("per_hour=many", "per_hour: expected a whole number, at most 1000."),
        ("min_age=old", "min_age: expected a time span such as 30d."),
        ("block=@sami", "block: “@sami” is neither an account nor a server"),
        (f"words={'a' * 101}", "words: too long for a word (at most 100 characters)."),
        (f"without={','.join(f'w{n}' for n in range(51))}", "without: too many words (at most 50)."),
    ],
)
async def test_a_filter_that_cannot_be_is_told_and_nothing_is_changed(house: House, typed: str, told: str) -> None:
    assert told in await house.refused(f"subscribe #bridge {typed}")
    assert not (await house.ask("subscribe #bridge")).failed
    said = await house.refused(f"settings #bridge {typed}")
    assert told in said
    assert "Nothing was changed." in said


# --- what could be several things ---

PROFILE = "https://ayllu.example/@illa"


def two_meanings(house: House) -> House:
    house.sources["fake"] = Scripted("fake", Resolved(feeds=("account",), title="@illa@ayllu.example", account=True))
    house.sources["other"] = Scripted("other", Resolved(feeds=(PROFILE,), title=PROFILE))
    return house


async def test_what_may_be_several_things_is_asked_for(house: House) -> None:
    answer = await two_meanings(house).ask(f"subscribe {PROFILE}")
    told = plain(answer.text)
    assert answer.failed
    assert await house.store.list_subscriptions() == []
    assert "could be several things" in told
    assert "networks=fake — fake: @illa@ayllu.example" in told
    assert f"networks=other — other: {PROFILE}" in told
    assert "networks=fake,other — all of these" in told


@pytest.mark.parametrize(("pressed", "feeds"), [(0, ["account"]), (1, ["@illa"]), (2, ["@illa", "account"])])
async def test_the_answer_can_be_pressed(house: House, pressed: int, feeds: list[str]) -> None:
    for name, address in (("fake", "account"), ("other", "@illa")):
        house.sources[name] = Scripted(name, Resolved(feeds=(address,)))
    choices = (await house.ask("subscribe @illa@ayllu.example only=media")).choices
    assert [choice.label for choice in choices] == [
        "fake: @illa@ayllu.example",
        "other: @illa@ayllu.example",
        "All of these",
    ]
    assert all(len(choice.line.encode()) <= 60 for choice in choices)
    assert not (await house.ask(choices[pressed].line)).failed
    assert (await house.only()).filters.only is Only.MEDIA
    assert sorted(state.feed.address for state in await house.store.list_feeds()) == feeds


async def test_what_fits_no_button_is_to_be_typed(house: House) -> None:
    long = f"{PROFILE}{'a' * 50}"
    assert (await two_meanings(house).ask(f"subscribe {long}")).choices == ()
    with_options = await house.ask("subscribe @illa", options='{"style": "embed"}')
    assert (with_options.failed, with_options.choices) == (True, ()), "a button would lose them"
    assert not (await house.ask(f"subscribe {long} networks=other")).failed


@pytest.mark.parametrize(
    ("typed", "fits"), [("two words", True), ('a "b" c', True), ("a=b", True), ("x", True), ('a "b” c', False)]
)
async def test_a_button_asks_for_just_the_same(house: House, typed: str, fits: bool) -> None:
    for name in house.sources:
        house.sources[name] = Scripted(name, Resolved(feeds=(name,)))
    arguments = {"topic": "@illa", "words": typed}
    choices = (await house.ask("help", name="subscribe", arguments=arguments)).choices
    assert bool(choices) == fits
    for choice, networks in zip(choices, ("fake", "other", "fake,other"), strict=fits):
        assert command_of(choice.line) == Parsed("subscribe", {**arguments, "networks": networks})


async def test_what_only_one_source_can_read_now_needs_no_question(house: House) -> None:
    two_meanings(house).sources["other"].answers[PROFILE] = [TryLater("that is a page")]
    assert "Done" in await house.told(f"subscribe {PROFILE}")


async def test_a_hashtag_is_followed_on_every_network_unless_they_are_named(house: House) -> None:
    house.sources["third"] = Scripted("third", Resolved(feeds=("t1", "t2"), tag="anden", title="#Andén"))
    assert "third: #Andén" in await house.told("subscribe #Andén")
    assert dict((await house.only()).tags) == {"fake": "andén", "other": "andén", "third": "anden"}
    assert len((await house.only()).feeds) == 4
    await house.ask("unsubscribe #Andén")
    await house.ask("subscribe #Andén networks=fake,third")
    assert dict((await house.only()).tags) == {"fake": "andén", "third": "anden"}


async def test_a_second_time_changes_nothing_and_says_so(house: House) -> None:
    await house.ask("subscribe #bridge only=media")
    answer = await house.ask("subscribe #Bridge")
    assert "The channel already follows #bridge" in plain(answer.text)
    assert "only: posts with pictures" in plain(answer.text)
    assert (await house.only()).filters.only is Only.MEDIA
    assert await house.audit() == [("7", "subscribe")]


async def test_a_full_channel_says_how_many_fit(store: Store) -> None:
    house = House(store, quota=Quota(destination=1, community=2))
    await house.ask("subscribe #one")
    assert "This channel has reached its subscription limit (1)" in await house.refused("subscribe #two")
    await house.ask("subscribe #two", destination=HALL)
    told = await house.refused("subscribe #three", destination=Destination("fake", "yard"))
    assert "This community has reached its subscription limit (2)" in told


async def test_a_server_that_does_not_answer_is_read_as_soon_as_it_does(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subscription is there at once; the link follows."""
    monkeypatch.setattr("relay.pipeline.subscriptions.backoff", lambda *_args, **_more: timedelta(0))  # ours: its pace
    house.sources["other"] = Scripted("other", TryLater("busy"), TryLater("busy"), Resolved(feeds=("o1",)))
    told = await house.told("subscribe #bridge")
    assert "other is not answering (busy)" in told
    assert [state.feed.source for state in await house.store.list_feeds()] == ["fake"]
    async with serving(house):
        while len(await house.store.list_feeds()) < 2:
            await asyncio.sleep(0.005)
    assert len((await house.only()).feeds) == 2


async def test_an_address_that_cannot_be_read_now_is_told_at_once(house: House) -> None:
    """Mistyped addresses look just like servers that are down: the person knows better than the relay."""
    del house.sources["other"]
    house.sources["fake"].answers["fake:typo"] = [TryLater("there is no such host")]
    told = await house.refused("subscribe fake:typo")
    assert "I can't read fake:typo right now" in told
    assert "there is no such host" in told


async def test_a_hashtag_that_nobody_has_used_yet_is_subscribed_without_asking(house: House) -> None:
    assert "Done. New posts on #Qeswachaka" in await house.told("subscribe #Qeswachaka")
    assert house.sources["fake"].polls == []


async def test_a_server_that_hangs_keeps_nobody_waiting(house: House) -> None:
    class Hanging(FakeSource):
        async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
            await asyncio.Event().wait()
            raise AssertionError

    house.sources["other"] = Hanging("other")
    async with asyncio.timeout(30):
        assert "other is not answering (no answer within 0.2 s)" in await house.told("subscribe #bridge")


async def test_a_store_that_fails_after_the_subscription_was_made_links_it_later(store: Store) -> None:
    """Half of it is written: to say that nothing was changed would be a lie."""
    house = House(cast(Store, Flaky(store, "save_links")))
    assert "Done. New posts on #bridge" in await house.told("subscribe #bridge")
    assert (await house.only()).feeds == ()
    async with serving(house):
        while not (await house.only()).feeds:
            await asyncio.sleep(0.005)
