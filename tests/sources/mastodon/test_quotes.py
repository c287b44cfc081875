"""Each state of a quote shows something true, and what becomes of it later is followed without a date of an edit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.card import quoted as label
from relay.i18n import words
from relay.model import Edited, LinkCard, MediaKind, Post, Quote, QuoteState
from relay.ports import Batch
from relay.sources.mastodon.copies import Copies
from relay.sources.mastodon.parse import read_post
from relay.sources.mastodon.tag_rss import read_item
from relay.store.content import PostChange, change
from relay.testing import NOON
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.support.authentic_run_cases import configured, text_of
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import database

HERE, ELSEWHERE = "https://social.example", "https://lakes.example"
LINK = "https://lakes.example/@kofi/31"
LINE = f'<p class="quote-inline">RE: <a href="{LINK}">lakes.example/@kofi/31</a></p><p>So true</p>'
WITHIN = f'<p>So true<span class="quote-inline"><br><br>RE: <a href="{LINK}">lakes.example/@kofi/31</a></span></p>'


def theirs(**changes: Any) -> Json:
    return Fediverse(HERE).post("The well is dry.", "kofi@lakes.example", **changes)


def told(quote: object, content: str = LINE, **changes: Any) -> Post:
    made = Fediverse(HERE).post("", "ana", content=content, quote=quote, **changes)
    read = read_post(json.dumps(made).encode(), HERE, [HERE])
    assert read
    return read


def accepted(**changes: Any) -> Json:
    return {"state": "accepted", "quoted_status": theirs(**changes)}


STATES = {
    "pending": (QuoteState.PENDING, True),
    "rejected": (QuoteState.WITHDRAWN, False),
    "revoked": (QuoteState.WITHDRAWN, False),
    "deleted": (QuoteState.DELETED, False),
    "unauthorized": (QuoteState.HIDDEN, True),
    "blocked_account": (QuoteState.HIDDEN, True),
    "blocked_domain": (QuoteState.HIDDEN, True),
    "muted_account": (QuoteState.HIDDEN, True),
    "made_up_tomorrow": (QuoteState.HIDDEN, True),
}


@pytest.mark.parametrize("content", [LINE, WITHIN])
@pytest.mark.parametrize("status", [None, theirs()])
@pytest.mark.parametrize("state", STATES)
def test_without_consent_a_word_stands_for_a_quote_and_a_link_unless_its_author_minds(
    state: str, status: Json | None, content: str
) -> None:
    read = told({"state": state, "quoted_status": status}, content)
    expected, is_linked = STATES[state]
    link = status["url"] if status else LINK
    assert plain(read.body) == "So true"
    assert read.quote == Quote(url=link if is_linked else "", state=expected)
    for language in ("en", "es"):
        assert label(read.quote, words(language)) != label(Quote(url=LINK), words(language))


@pytest.mark.parametrize("state", STATES)
def test_without_the_line_a_word_tells_that_something_is_quoted(state: str) -> None:
    read = told({"state": state, "quoted_status": None}, "<p>So true</p>")
    assert read.quote == Quote(state=STATES[state][0])


def test_the_line_s_link_is_the_quote_s_whatever_the_author_links_to_besides() -> None:
    twice = f'{LINE}<p><a href="https://wells.example/">wells</a> <a href="{LINK}">again</a></p>'
    assert told({"state": "pending"}, twice).quote == Quote(url=LINK, state=QuoteState.PENDING)


@pytest.mark.parametrize(("content", "link"), [(LINE, LINK), ("<p>So true</p>", f"{HERE}/statuses/31")])
def test_of_a_shallow_quote_the_link_is_shown(content: str, link: str) -> None:
    assert told({"state": "accepted", "quoted_status_id": "31"}, content).quote == Quote(url=link)


UNREADABLE: dict[str, Json | None] = {
    "not for everybody": theirs(visibility="private"),
    "by nobody": theirs() | {"account": None},
    "null": None,
    "another shape": {"id": {}},
}


@pytest.mark.parametrize("status", UNREADABLE.values(), ids=UNREADABLE)
def test_an_accepted_quote_that_cannot_be_read_is_a_link(status: Json | None) -> None:
    link = (status or {}).get("url") or LINK
    assert told({"state": "accepted", "quoted_status": status}).quote == Quote(url=link, state=QuoteState.HIDDEN)


KIN = {
    "a status in its place": ({"quote": theirs()}, True),
    "what Pleroma tells beside the rest": ({"pleroma": {"quote": theirs(), "quote_url": LINK}}, True),
    "its address alone": ({"pleroma": {"quote": None, "quote_url": LINK}}, True),
    "one that is not for everybody": ({"quote": theirs(visibility="private")}, False),
    "null": ({"quote": None}, False),
    "nothing known": ({"quote": {"id": "5"}}, False),
    "another shape": ({"quote": ["5"], "pleroma": 7}, False),
}


@pytest.mark.parametrize(("changes", "is_told"), KIN.values(), ids=KIN)
def test_servers_that_ask_nobody_for_consent_have_a_link_and_where_nothing_is_told_the_line_stays(
    changes: Json, *, is_told: bool
) -> None:
    read = told(**{"quote": None, **changes})
    assert ("RE: " in plain(read.body)) is not is_told
    assert (read.quote is not None) is is_told
    if read.quote:
        assert (read.quote.author, read.quote.body) == (None, ())
        assert read.quote.url.startswith(ELSEWHERE)


def test_a_quoted_post_keeps_what_it_has_beside_its_words() -> None:
    gif = {"type": "gifv", "url": f"{HERE}/1.mp4", "preview_url": f"{HERE}/1.png", "description": "A bucket falls"}
    poll = {"options": [{"title": "dig", "votes_count": 3}], "votes_count": 3, "voters_count": 2}
    card = {"url": "https://wells.example/1", "title": "Wells"}
    quote = told(accepted(media_attachments=[gif], poll=poll, card=card)).quote
    assert quote
    [media] = quote.media
    assert (media.kind, media.alt) == (MediaKind.ANIMATION, "A bucket falls")
    assert quote.poll
    assert (quote.poll.options[0].text, quote.poll.voters) == ("dig", 2)
    assert quote.link_card == LinkCard(url=card["url"], title="Wells")


def test_a_hashtag_s_rss_knows_no_quotes_and_keeps_the_line() -> None:
    item = {"url": f"{HERE}/@ana/31", "published": "2026-07-01T12:00:00Z", "content": LINE}
    read = read_item(json.dumps(item).encode(), HERE)
    assert read
    assert plain(read.body).startswith("RE: ")


# --- what becomes of it ---

FINE = "accepted"
REVOKED = {"state": "revoked", "quoted_status": None}
PENDING = {"state": "pending", "quoted_status": None}


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        yield server


def as_read(stage: Fediverse, status: Json) -> Post:
    read = read_post(json.dumps(status).encode(), stage.base, [stage.base])
    assert read
    return read


@pytest.mark.parametrize(
    ("before", "after"), [(PENDING, FINE), (FINE, REVOKED), (FINE, {"state": "deleted"}), (PENDING, REVOKED)]
)
async def test_a_recheck_tells_what_became_of_a_quote(stage: Fediverse, before: object, after: object) -> None:
    fine = {"state": "accepted", "quoted_status": stage.post("The well is dry.", "kofi")}
    before, after = (fine if state == FINE else state for state in (before, after))
    made = stage.post("#rivers", quote=before)
    known = as_read(stage, made)
    async with asking(stage.base) as source:
        assert await source.recheck([known]) == Batch()
        made["quote"] = after
        answer = await source.recheck([known])
    assert isinstance(answer, Batch)
    [event] = answer.events
    assert isinstance(event, Edited)
    assert change(known, event.post) is PostChange.EDIT


async def test_accepted_later_it_is_shown_in_the_words_that_a_trusted_server_vouches_for(stage: Fediverse) -> None:
    async with run() as home, run() as third, asking(stage.base) as source:
        true = home.post("#rivers", quote=PENDING)
        copy = stage.carry(true)
        known = as_read(stage, copy)
        quoted = third.post("The well is dry.", "kofi")
        true["quote"], copy["quote"] = (
            {"state": "accepted", "quoted_status": server.carry(quoted)} for server in (home, stage)
        )
        answer = await source.recheck([known])
        assert isinstance(answer, Batch)
        [event] = answer.events
        assert isinstance(event, Edited)
        assert event.post.quote
        assert plain(event.post.quote.body) == "The well is dry."
        assert await source.recheck([event.post]) == Batch()  # their own server tells a link, which is no news


def test_of_several_servers_one_that_knows_that_it_was_taken_back_is_enough() -> None:
    copies = Copies()
    first = replace(told(accepted()), origin="https://one.example")
    second = replace(first, origin="https://two.example", quote=Quote(state=QuoteState.WITHDRAWN))
    assert first.quote
    assert copies.best(first, NOON).quote == first.quote
    assert copies.best(second, NOON).quote == second.quote
    assert copies.best(first, NOON).quote == second.quote


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_revoked_words_leave_the_message_and_the_page(tmp_path: Path) -> None:
    async with run() as home, RelayProcess(configured(tmp_path, "#rivers", home.base)) as relay:
        await seeded(database(tmp_path), 1)
        first = home.post(
            "#rivers", quote={"state": "accepted", "quoted_status": home.post("The well is dry.", "kofi")}
        )
        await relay.wait_until(bool)
        assert relay.lines[0]["quote"]["text"] == "The well is dry."
        home.post("#rivers more", reply_to=first)
        await relay.wait_until(lambda lines: any((line["thread"] or {}).get("count") == 2 for line in lines))
        page = relay.lines[-1]["thread"]["unroll"]
        assert "The well is dry." in await text_of(page)
        first["quote"] = REVOKED
        await relay.wait_until(lambda lines: any(line["action"] == "edit" for line in lines))
        shown = await text_of(page)
        await relay.stop()
    edited = next(line for line in relay.lines if line["action"] == "edit")
    told = edited["quote"]
    assert (told["url"], told["author"], told["text"], told["state"]) == ("", None, "", "withdrawn")
    assert "The well is dry." not in shown
    assert "its author did not allow the quote" in shown
