"""Speaking as an account of a server with Mastodon's API: who mentions it is heard, and answered below."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.core.bot_words import BotAction, BotWords
from relay.core.urls import page
from relay.ports import Account, Answered, Gone, Mention, MentionedSource, Mentions, Refused
from relay.sources.mastodon import MastodonSettings, MastodonSource
from relay.sources.mastodon.mentions import fitted, others_in, spoken
from relay.sources.mastodon.shapes import Status, read
from relay.text import from_html
from tests.servers.mastodon import Draft, Mastodon, Person
from tests.support.fetching import client

JOINED = datetime(2026, 1, 1, tzinfo=UTC)
CAST = [
    Person(username=name, name=name.title(), note="", joined=JOINED) for name in ("illa", "sami", "kusi", "chasqui")
]


@pytest.fixture
async def stage() -> AsyncIterator[Mastodon]:
    async with Mastodon(CAST) as opened:
        opened.post(Draft(author="illa", name="first", text="A bridge of grass."))
        opened.post(Draft(author="illa", name="second", text="It holds.", reply_to="first"))
        yield opened


@pytest.fixture
async def source(stage: Mastodon) -> AsyncIterator[MastodonSource]:
    settings = MastodonSettings.model_validate(
        {"instances": [stage.url], "mentions": [stage.url], "tokens": {stage.url: stage.speaking.grant("chasqui")}}
    )
    async with client() as http:
        yield MastodonSource(settings, http)


def ask(stage: Mastodon, text: str = "@chasqui unroll", by: str = "sami", **changes: Any) -> str:
    return stage.post(Draft(author=by, text=text, **{"reply_to": "second", **changes}))


async def heard(source: MastodonSource, stage: Mastodon, cursor: str = "0") -> Mentions:
    told = await source.mentions(stage.url, cursor)
    assert isinstance(told, Mentions), told
    return told


async def one(source: MastodonSource, stage: Mastodon) -> Mention:
    [mention] = (await heard(source, stage)).mentions
    return mention


async def answered(source: MastodonSource, stage: Mastodon, text: str = "Here:", **changes: Any) -> Answered:
    mention = await one(source, stage)
    outcome = await source.answer(stage.url, mention, text, **{"key": "k", "again": False, **changes})
    assert isinstance(outcome, Answered), outcome
    return outcome


def posted(stage: Mastodon) -> list[dict[str, Any]]:
    speaking = stage.speaking
    return [speaking.statuses[int(number)] for number in speaking.posted]


# --- who we are ---


async def test_the_account_says_who_it_is_and_is_marked_as_a_bot(source: MastodonSource, stage: Mastodon) -> None:
    assert isinstance(source, MentionedSource)
    assert source.accounts() == (stage.url,)
    us = await source.account(stage.url)
    assert us == Account(uri=f"{stage.url}/users/chasqui", handle=f"@chasqui@{stage.host}", url=f"{stage.url}/@chasqui")
    assert stage.speaking.bots == {"chasqui"}


async def test_without_accounts_nobody_is_heard(stage: Mastodon) -> None:
    async with client() as http:
        assert MastodonSource(MastodonSettings(instances=(stage.url,)), http).accounts() == ()


async def test_a_token_that_is_no_good_is_said_so(source: MastodonSource, stage: Mastodon) -> None:
    stage.speaking._tokens.clear()
    for told in (await source.account(stage.url), await source.mentions(stage.url, "0")):
        assert isinstance(told, Gone)
        assert "write:statuses" in told.reason


async def test_checks_say_whether_mentions_are_answered(source: MastodonSource, stage: Mastodon) -> None:
    _, check = await source.check()
    assert check.ok
    assert check.note.startswith(f"answers who mentions @chasqui@{stage.host}; ")
    assert not stage.speaking.bots, "a check changes nothing"
    stage.speaking.mark("chasqui")
    _, check = await source.check()
    assert (check.ok, check.note) == (True, f"answers who mentions @chasqui@{stage.host}")
    stage.speaking.deaf.add("chasqui")
    _, check = await source.check()
    assert not check.ok


# --- hearing ---


async def test_the_first_reading_only_says_where_it_stands(source: MastodonSource, stage: Mastodon) -> None:
    assert await heard(source, stage, "") == Mentions(cursor="0")
    ask(stage)
    told = await heard(source, stage, "")
    assert (told.mentions, told.cursor, told.more) == ((), "1", False)
    assert await heard(source, stage, "1") == Mentions()


async def test_a_mention_tells_who_asks_what_about_what(source: MastodonSource, stage: Mastodon) -> None:
    number = ask(stage, "@chasqui ¿desenrollar?", language="es")
    mention = await one(source, stage)
    assert mention.uri == f"{stage.url}/users/sami/statuses/{number}"
    assert (mention.asker.uri, mention.asker.handle) == (f"{stage.url}/users/sami", f"@sami@{stage.host}")
    assert (mention.text, mention.language, mention.asker.bot) == ("@chasqui ¿desenrollar?", "es", False)
    posts = await source.fetch_thread(mention.about)
    assert not isinstance(posts, Refused | Gone)
    assert posts[0].uri == stage.uris["second"]  # type: ignore[index]  # not TryLater either


async def test_a_quote_is_what_a_post_asks_about_that_answers_nothing(source: MastodonSource, stage: Mastodon) -> None:
    ask(stage, reply_to="", quote="first")
    mention = await one(source, stage)
    assert mention.about.endswith(str(stage._ids["first"]))
    assert mention.text == "@chasqui unroll"


OURS = '<a href="https://ayllu.example/@chasqui" class="u-url mention">@<span>chasqui</span></a>'
OTHERS = '<a href="https://plaza.example/@chasqui" class="u-url mention">@<span>chasqui</span></a>'


@pytest.mark.parametrize(
    ("html", "deed"),
    [
        (f"<p>{OURS} stop</p>", BotAction.STOP),
        (f"<p>{OURS} <strong>stop</strong> <em>please</em></p>", BotAction.STOP),
        (
            f'<p>{OURS} stop <a href="https://ayllu.example/tags/now" class="mention hashtag">#now</a></p>',
            BotAction.STOP,
        ),
        (f"<p>{OURS} {OTHERS} stop</p>", BotAction.STOP),
        (f"<p>{OTHERS} {OURS} stop</p>", None),
        (f"<p>{OURS} <del>stop</del></p>", None),
        (f"<p>{OURS} <s>stop</s> please</p>", None),
        (f"<p>{OURS} <code>stop</code></p>", None),
        (f"<p>{OURS}</p><pre>stop</pre>", None),
        (f"<p>{OURS}</p><blockquote>stop</blockquote>", None),
        (f'<p>{OURS} <a href="https://news.example/bus">stop</a></p>', None),
        (f'<p>{OURS} stop <a href="https://news.example/bus">this</a></p>', None),
    ],
)
def test_words_are_a_command_only_where_they_are_meant_as_they_stand(html: str, deed: BotAction | None) -> None:
    text = spoken(from_html(html), {page("https://plaza.example/@chasqui"): "chasqui@plaza.example"})
    request = BotWords().read(text, ["@chasqui@ayllu.example"])
    assert (request.action if request else None) is deed


def test_who_else_is_mentioned_is_known_by_their_whole_handle() -> None:
    mentions = [
        {"id": "7", "username": "chasqui", "acct": "chasqui", "url": "https://ayllu.example/@chasqui"},
        {"id": "8", "username": "chasqui", "acct": "chasqui@plaza.example", "url": "https://plaza.example/@chasqui"},
        {"id": "9", "acct": None, "url": None},
        5,
    ]
    status = read(json.dumps({"mentions": mentions}).encode(), Status)
    assert status
    assert others_in(status, "7") == {page("https://plaza.example/@chasqui"): "chasqui@plaza.example"}


async def test_what_is_said_in_private_is_heard_and_answered_in_private(
    source: MastodonSource, stage: Mastodon
) -> None:
    visibilities = "direct", "private", "unlisted", "public", "mutuals_only"
    for visibility in visibilities:
        ask(stage, visibility=visibility)
    for mention in (await heard(source, stage)).mentions:
        await source.answer(stage.url, mention, "Here:", key=mention.uri, again=False)
    told = [one["visibility"] for one in posted(stage)]
    assert told == ["direct", "private", "unlisted", "public", "direct"]


async def test_bots_are_told_as_bots(source: MastodonSource, stage: Mastodon) -> None:
    stage.speaking.mark("sami")
    ask(stage)
    assert (await one(source, stage)).asker.bot


async def test_many_mentions_are_read_in_their_order_and_once(source: MastodonSource, stage: Mastodon) -> None:
    numbers = [ask(stage) for _ in range(90)]
    cursor, found, more = "0", [], True
    while more:
        told = await heard(source, stage, cursor)
        found += [mention.uri.rpartition("/")[2] for mention in told.mentions]
        cursor, more = told.cursor or cursor, told.more
    assert found == numbers
    assert await heard(source, stage, cursor) == Mentions()


async def test_a_mention_that_was_deleted_is_passed_over(source: MastodonSource, stage: Mastodon) -> None:
    stage.delete(ask(stage))
    ask(stage, by="kusi")
    told = await heard(source, stage)
    assert [mention.asker.name for mention in told.mentions] == ["Kusi"]
    assert told.cursor == "2"


# --- answering ---


async def test_an_answer_stands_below_the_mention_and_names_only_who_asked(
    source: MastodonSource, stage: Mastodon
) -> None:
    number = ask(stage)
    outcome = await answered(source, stage, "3 posts: https://relay.example/t/abc")
    [status] = posted(stage)
    assert outcome.uri == status["uri"]
    assert status["in_reply_to_id"] == number
    assert [mention["acct"] for mention in status["mentions"]] == ["sami"]
    assert "https://relay.example/t/abc" in status["content"]


async def test_the_same_answer_again_is_the_same_post(source: MastodonSource, stage: Mastodon) -> None:
    ask(stage)
    first = await answered(source, stage)
    assert await answered(source, stage) == first
    assert await answered(source, stage, again=True) == first
    stage.speaking.forget_keys()
    assert await answered(source, stage, again=True) == first
    assert len(posted(stage)) == 1


async def test_an_earlier_try_that_posted_nothing_is_made_good(source: MastodonSource, stage: Mastodon) -> None:
    ask(stage)
    await answered(source, stage, again=True)
    assert len(posted(stage)) == 1


async def test_a_mention_that_is_gone_is_not_answered(source: MastodonSource, stage: Mastodon) -> None:
    number = ask(stage)
    mention = await one(source, stage)
    stage.delete(number)
    for again in (False, True):
        outcome = await source.answer(stage.url, mention, "Here:", key="k", again=again)
        assert isinstance(outcome, Refused)
    broken = await source.answer(stage.url, replace(mention, reply="{"), "Here:", key="k", again=False)
    assert isinstance(broken, Refused)


@pytest.mark.parametrize(
    ("text", "most", "told"),
    [
        ("Here: https://relay.example/t/a-very-long-name", 29, "Here: https://relay.example/t/a-very-long-name"),
        ("Here you are: https://relay.example/t/a", 30, "Here… https://relay.example/t/a"),
        ("One two three", 9, "One two…"),
        ("One two", 7, "One two"),
    ],
)
def test_the_address_is_never_cut(text: str, most: int, told: str) -> None:
    assert fitted(text, most) == told


def test_mentions_need_a_token() -> None:
    with pytest.raises(ValueError, match="takes an account"):
        MastodonSettings.model_validate({"mentions": ["https://mastodon.social"]})
    settings = MastodonSettings.model_validate(
        {"mentions": ["mastodon.social"], "tokens": {"https://mastodon.social": "abc"}}
    )
    assert settings.mentions == ("https://mastodon.social",)
