"""Statuses become posts; whatever else comes becomes nothing, and nothing raises."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.model import LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.rich import Role
from relay.sources.mastodon.parse import alias, local_id, read_post, read_time
from relay.text import plain
from tests.servers.mastodon.fediverse import FIRST_ID, Fediverse, Json

HERE = "https://social.example"
ABSENT = object()


def status(text: str = "Low water #Rivers", by: str = "ana", **changes: Any) -> Json:
    return Fediverse(HERE).post(text, by, **changes)


def parse(raw: object) -> Post | None:
    return read_post(json.dumps(raw).encode(), HERE)


def post(text: str = "Low water #Rivers", by: str = "ana", **changes: Any) -> Post:
    read = parse(status(text, by, **changes))
    assert read
    return read


# --- what a post says ---


def test_a_status_becomes_a_post() -> None:
    made = status("Low water #Rivers", spoiler_text="mud", sensitive=True, language="de")
    read = parse(made)
    assert read
    assert (read.uri, read.url) == (made["uri"], made["url"])
    assert (read.source, read.origin) == ("mastodon", HERE)
    assert plain(read.body) == "Low water #Rivers"
    assert (read.warning, read.sensitive, read.language, read.tags) == ("mud", True, "de", ("Rivers",))
    assert read.published.tzinfo is UTC
    assert (read.edited, read.reply_to, read.reply_to_author, read.unlisted) == (None, "", "", False)
    assert read.aliases == (f"{HERE}/api/v1/statuses/{made['id']}",)


def test_a_plain_post_is_read_without_an_error_on_the_way() -> None:
    """A field that is not there is most fields: an error and its handling would cost more than all the rest."""
    raised: list[object] = []
    text = json.dumps(status()).encode()
    sys.setprofile(lambda _frame, event, of: raised.append(of) if event == "c_exception" else None)
    try:
        assert read_post(text, HERE)
    finally:
        sys.setprofile(None)
    assert raised == []


def test_hashtags_are_known_as_such() -> None:
    assert [span.text for block in post().body for span in block.spans if span.role is Role.HASHTAG] == ["#Rivers"]


@pytest.mark.parametrize(
    ("by", "handle", "home"),
    [("ana", "@ana@social.example", HERE), ("kofi@lakes.example", "@kofi@lakes.example", "https://lakes.example")],
)
def test_an_author_is_named_in_full(by: str, handle: str, home: str) -> None:
    author = post(by=by).author
    assert (author.handle, author.url, author.uri) == (
        handle,
        f"{home}/@{by[:4].strip('@')}",
        f"{home}/users/{by[:4].strip('@')}",
    )
    assert author.avatar.endswith(".png")
    assert (author.bot, author.indexable, author.discoverable, author.refuses) == (False, False, True, False)


def with_account(**changes: Any) -> Post:
    made = status()
    made["account"] |= changes
    read = parse(made)
    assert read
    return read


@pytest.mark.parametrize(
    ("changes", "refuses"),
    [
        ({"note": '<p>Hello <a href="x" class="mention hashtag">#<span>NoBot</span></a></p>'}, True),
        ({"note": "<p>#nobots please</p>"}, True),
        ({"note": "rivers<br>＃noindex"}, True),
        ({"fields": [{"name": "Archives", "value": "#NoArchive"}]}, True),
        ({"fields": [{"name": "#nobot", "value": ""}]}, True),
        ({"noindex": True}, True),
        ({"note": "I build robots #nobother, nobot"}, False),
        ({"note": None, "fields": "none", "noindex": None}, False),
    ],
)
def test_an_author_who_wants_no_bots_is_marked(changes: Json, *, refuses: bool) -> None:
    assert with_account(**changes).author.refuses is refuses


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"display_name": "Ana \u202eevil\u202c :drop:"}, "Ana evil :drop:"),
        ({"display_name": "\u202e\n"}, "ana"),
        ({"display_name": None}, "ana"),
    ],
)
def test_names_hold_no_direction_tricks_and_keep_their_emoji_codes(changes: Json, name: str) -> None:
    assert with_account(**changes).author.name == name


def test_an_account_name_with_markup_in_it_is_no_handle() -> None:
    assert with_account(acct="ana <b>@everyone").author.handle == "@ana@social.example"


def test_a_name_with_no_handle_beside_it_is_not_shown() -> None:
    author = with_account(acct="<b>", username="a b", display_name="@illa@victim.example").author
    assert (author.handle, author.name) == ("", f"{HERE}/users/ana")


@pytest.mark.parametrize("visibility", ["private", "direct", "list", "local", "mutuals_only", "", None, 7])
def test_only_what_everybody_may_read_becomes_a_post(visibility: object) -> None:
    assert parse(status(visibility=visibility)) is None


def test_unlisted_posts_say_so() -> None:
    assert post(visibility="unlisted").unlisted


def test_boosts_are_no_posts() -> None:
    assert parse(status(reblog=status("somebody else's"))) is None


@pytest.mark.parametrize(
    ("uri", "url", "expected"),
    [
        ("https://a.example/1", "https://a.example/@a/1", ("https://a.example/1", "https://a.example/@a/1")),
        ("https://a.example/1", None, ("https://a.example/1", "https://a.example/1")),
        (None, "https://a.example/@a/1", ("https://a.example/@a/1", "https://a.example/@a/1")),
        ("https://a.example/1", "javascript:alert(1)", ("https://a.example/1", "https://a.example/1")),
        ("tag:a.example,2016:1", None, ("tag:a.example,2016:1", f"{HERE}/api/v1/statuses/{FIRST_ID + 65536}")),
        (None, None, None),
        ("", "", None),
        ("https://a.example/\u202e1", None, None),
        ("https://a.example/" + "1" * 2000, None, None),
    ],
)
def test_a_post_has_an_identity_and_an_address_or_is_left_out(
    uri: str | None, url: str | None, expected: tuple[str, str] | None
) -> None:
    read = parse(status(uri=uri, url=url))
    assert (read and (read.uri, read.url)) == expected


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-01T12:00:00.250Z", datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)),
        ("2026-03-01T14:00:00+02:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+12:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_utc_or_nothing(text: str | None, time: datetime | None) -> None:
    assert read_time(text) == time


def test_an_edit_is_dated() -> None:
    assert post(edited_at="2026-03-02T00:00:00Z").edited == datetime(2026, 3, 2, tzinfo=UTC)


# --- answers ---


def test_a_reply_names_its_parent_as_the_parent_is_called_here() -> None:
    stage = Fediverse(HERE)
    first = stage.post("one")
    second = parse(stage.post("two", reply_to=first))
    assert second
    assert second.reply_to in post_of(first).aliases
    assert second.reply_to_author == second.author.uri


def post_of(raw: Json) -> Post:
    read = parse(raw)
    assert read
    return read


def test_a_reply_to_somebody_who_is_mentioned_hints_at_them() -> None:
    mentions = [{"id": "5", "url": "https://b.example/@b"}, {"id": "9", "url": "https://c.example/@c"}]
    read = post(in_reply_to_id="7", in_reply_to_account_id="9", mentions=mentions)
    assert read.reply_to_author == "https://c.example/@c"


@pytest.mark.parametrize(
    ("account", "hint"), [("9", f"{HERE}/api/v1/accounts/9"), (None, ""), ("a/b", f"{HERE}/api/v1/accounts/a%2Fb")]
)
def test_a_reply_hints_at_an_account_by_its_id_where_no_more_is_known(account: str | None, hint: str) -> None:
    assert post(in_reply_to_id="7", in_reply_to_account_id=account).reply_to_author == hint


def test_the_orphan_of_a_deleted_post_keeps_the_hint() -> None:
    made = status()
    made["in_reply_to_account_id"] = made["account"]["id"]
    read = post_of(made)
    assert (read.reply_to, read.reply_to_author) == ("", read.author.uri)


@pytest.mark.parametrize("identifier", ["116000000000065536", "01HXYZ", "a/b?c"])
def test_an_alias_gives_the_id_back_at_its_own_server_only(identifier: str) -> None:
    name = alias(HERE, identifier)
    assert alias(HERE, "") + local_id(name, HERE) == name
    assert local_id(name, "https://other.example") == ""


# --- what hangs on a post ---

PICTURE = {
    "type": "image",
    "url": "https://files.example/1.png",
    "preview_url": "https://files.example/small/1.png",
    "description": "A heron\non a stone",
    "meta": {"original": {"width": 1600, "height": 900}},
}


@pytest.mark.parametrize(
    ("attachment", "media"),
    [
        (
            PICTURE,
            Media(
                url="https://files.example/1.png",
                kind=MediaKind.IMAGE,
                alt="A heron on a stone",
                preview="https://files.example/small/1.png",
                width=1600,
                height=900,
            ),
        ),
        ({"type": "gifv", "url": "https://f.example/a"}, Media(url="https://f.example/a", kind=MediaKind.ANIMATION)),
        ({"type": "video", "url": "https://f.example/a"}, Media(url="https://f.example/a", kind=MediaKind.VIDEO)),
        ({"type": "audio", "url": "https://f.example/a"}, Media(url="https://f.example/a", kind=MediaKind.AUDIO)),
        (
            {"type": "unknown", "url": None, "remote_url": "https://far.example/a"},
            Media(url="https://far.example/a", kind=MediaKind.FILE),
        ),
        (
            {"type": "video", "url": None, "preview_url": "https://f.example/p"},
            Media(url="https://f.example/p", kind=MediaKind.IMAGE, preview="https://f.example/p"),
        ),
        (
            PICTURE | {"meta": {"original": {"width": "wide"}}, "description": None, "preview_url": None},
            Media(url="https://files.example/1.png", kind=MediaKind.IMAGE),
        ),
        ({"type": "image", "url": None}, None),
        ({"type": "image", "url": "javascript:alert(1)"}, None),
        ("a picture", None),
    ],
)
def test_attachments(attachment: object, media: Media | None) -> None:
    assert post(media_attachments=[attachment]).media == ((media,) if media else ())


def test_a_poll() -> None:
    poll = {
        "expires_at": "2026-03-02T00:00:00Z",
        "multiple": True,
        "votes_count": 3,
        "options": [{"title": "yes", "votes_count": 3}, {"title": "no", "votes_count": None}],
    }
    assert post(poll=poll).poll == Poll(
        options=(PollOption(text="yes", votes=3), PollOption(text="no")),
        votes=3,
        multiple=True,
        closes=datetime(2026, 3, 2, tzinfo=UTC),
    )


def test_a_link_card() -> None:
    card = {"url": "https://news.example/1", "title": "Drought", "description": "It is dry", "image": None}
    assert post(card=card).link_card == LinkCard(url="https://news.example/1", title="Drought", description="It is dry")


@pytest.mark.parametrize(
    "card", [{"url": "https://a.example", "title": ""}, {"title": "a"}, {"url": "data:x", "title": "a"}, 3]
)
def test_a_card_without_title_or_address_is_none(card: object) -> None:
    assert post(card=card).link_card is None


RE = '<p class="quote-inline">RE: <a href="https://q.example/1"><span class="invisible">https://</span>q.example/1</a></p>'


def quoting(quote: object) -> Post:
    return post(content=f"{RE}<p>So true</p>", quote=quote)


def test_an_accepted_quote_is_shown_apart_and_its_link_is_taken_out() -> None:
    quoted = status("The source", by="kofi@lakes.example", spoiler_text="long", media_attachments=[PICTURE])
    raw = status(content=f"{RE}<p>So true</p>", quote={"state": "accepted", "quoted_status": quoted})
    read = read_post(json.dumps(raw).encode(), HERE, [HERE])
    assert read
    assert plain(read.body) == "So true"
    assert read.quote
    assert read.quote.author
    assert (read.quote.url, read.quote.author.handle) == (quoted["url"], "@kofi@lakes.example")
    assert (plain(read.quote.body), read.quote.warning, len(read.quote.media)) == ("The source", "long", 1)


def test_a_quoted_post_says_whether_its_media_are_sensitive() -> None:
    quoted = status("The source", by="killa", sensitive=True, media_attachments=[PICTURE])
    read = quoting({"state": "accepted", "quoted_status": quoted})
    assert read.quote
    assert read.quote.sensitive


def test_a_quote_of_its_own_people_is_any_server_s_to_show() -> None:
    read = quoting({"state": "accepted", "quoted_status": status("The source", by="killa")})
    assert read.quote
    assert plain(read.quote.body) == "The source"


FORGED = {
    "of somebody else": ([], {}),
    "of another configured server's people": ([HERE, "https://lakes.example"], {}),
    "under a name of a third server": ([HERE], {"uri": "https://seas.example/users/kofi/statuses/1"}),
}


@pytest.mark.parametrize(("configured", "changes"), FORGED.values(), ids=FORGED)
def test_a_quote_that_a_server_cannot_vouch_for_is_a_link(configured: list[str], changes: Json) -> None:
    quoted = status("I confess", by="kofi@lakes.example", **changes)
    raw = status(content=f"{RE}<p>So true</p>", quote={"state": "accepted", "quoted_status": quoted})
    read = read_post(json.dumps(raw).encode(), HERE, configured)
    assert read
    assert read.quote == Quote(url=str(changes.get("uri", quoted["url"])))


CLAIMS = [
    ({"acct": "illa@victim.example"}, "@illa@social.example", f"{HERE}/@ana"),
    ({"acct": "ana@www.social.example"}, "@ana@www.social.example", f"{HERE}/@ana"),
    ({"url": "https://victim.example/@illa"}, "@ana@social.example", f"{HERE}/users/ana"),
    ({"url": "https://social.example@victim.example/@illa"}, "@ana@social.example", f"{HERE}/users/ana"),
    ({"url": "https://social.example.victim.example/"}, "@ana@social.example", f"{HERE}/users/ana"),
    ({"url": "https://victim.example\\@social.example/"}, "@ana@social.example", f"{HERE}/users/ana"),
    ({"uri": "https://home.example/users/ana"}, "@ana@home.example", "https://home.example/users/ana"),
]


@pytest.mark.parametrize(("changes", "handle", "url"), CLAIMS)
def test_a_handle_and_a_profile_are_of_the_host_of_the_author_s_uri(changes: Json, handle: str, url: str) -> None:
    author = with_account(**changes).author
    assert (author.handle, author.url) == (handle, url)


def test_a_post_is_shown_at_its_own_server() -> None:
    read = post(url="https://victim.example/@illa/1")
    assert read.url == read.uri


def test_of_a_quoted_author_who_refuses_only_the_link_is_kept() -> None:
    quoted = status("The source", by="kofi")
    quoted["account"] = quoted["account"] | {"note": "#nobot"}
    read = quoting({"state": "accepted", "quoted_status": quoted})
    assert read.quote
    assert (read.quote.url, read.quote.author, read.quote.body) == (quoted["url"], None, ())


def test_quotes_are_one_level_deep() -> None:
    inner = {"state": "accepted", "quoted_status": status("innermost")}
    outer = status("middle", quote=inner)
    read = quoting({"state": "accepted", "quoted_status": outer})
    assert read.quote
    assert plain(read.quote.body) == "middle"


def test_the_line_stays_in_a_quoted_post_that_quotes_another_one() -> None:
    inner = status(content=f"{RE}<p>middle</p>", quote={"state": "accepted", "quoted_status_id": "5"})
    read = quoting({"state": "accepted", "quoted_status": inner})
    assert read.quote
    assert plain(read.quote.body).startswith("RE: ")
