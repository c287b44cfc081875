"""The commands, as the real program: what they print, and how they exit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay import __version__
from relay.model import Destination
from relay.options import Filters, Only
from relay.records import ActingUser, Added, Quota, Wanted
from relay.store import open_store
from relay.testing import author, post
from tests.servers.mastodon import Mastodon
from tests.support.command_line import relay, with_a_thread
from tests.support.relay_runs import configured, database
from tests.support.store_cases import publish, uri
from tests.support.store_private_cases import traces


@pytest.fixture
async def stage() -> AsyncIterator[Mastodon]:
    async with with_a_thread() as opened:
        yield opened


async def test_version_and_help(tmp_path: Path) -> None:
    assert await relay("--version", folder=tmp_path) == (0, f"relay {__version__}\n", "")
    code, text, _ = await relay("--help", folder=tmp_path)
    assert code == 0
    assert "Examples:" in text
    assert all(command in text for command in ("run", "demo", "check", "preview", "unroll", "subscriptions", "resume"))


async def test_a_wrong_configuration_exits_2_with_every_mistake(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text('[web]\nprot = 1\n[sources.mastodon]\ninterval = "soon"\n')
    code, out, err = await relay("run", folder=tmp_path)
    assert (code, out) == (2, "")
    assert "relay.toml:2" in err
    assert "port" in err
    assert "relay.toml:4" in err
    assert "Traceback" not in err


async def test_check_says_what_works_and_what_does_not(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    code, out, err = await relay("check", folder=tmp_path)
    assert code == 0, out + err
    assert "✓ store" in out
    assert "✗" not in out

    broken = '[[subscriptions]]\ntopic = "nonsense"\nto = "console"\n'
    configured(tmp_path, stage, broken)
    code, out, _ = await relay("check", folder=tmp_path)
    assert code == 1
    assert "✗ nonsense → console" in out


async def test_check_finds_a_store_that_cannot_be_opened(tmp_path: Path, stage: Mastodon) -> None:
    config = configured(tmp_path, stage)
    config.write_text(config.read_text().replace(database(tmp_path), f"sqlite:///{tmp_path}/nowhere/relay.sqlite3"))
    code, out, _ = await relay("check", folder=tmp_path)
    assert code == 1
    assert "✗ store" in out


async def test_preview_shows_the_last_posts_and_sends_nothing(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    code, out, err = await relay("preview", "#bridge", "-n", "2", folder=tmp_path)
    assert code == 0, err
    assert "Post 0" not in out
    assert out.index("Post 1") < out.index("Post 2")
    assert not (tmp_path / "relay.sqlite3").exists()


async def test_preview_of_nothing_says_why(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    code, _, err = await relay("preview", "nonsense", folder=tmp_path)
    assert code == 1
    assert "means nothing" in err


@pytest.mark.parametrize(
    ("file", "sign"),
    [
        ("t.html", "<article"),
        *(
            pytest.param(*case, marks=pytest.mark.siege)
            for case in (("t.md", "Post 2"), ("t.txt", "Post 2"), ("t.json", '"posts"'))
        ),
    ],
)
async def test_unroll_writes_the_whole_thread(tmp_path: Path, stage: Mastodon, file: str, sign: str) -> None:
    configured(tmp_path, stage)
    code, _, err = await relay("unroll", stage.uris["p1"], "-o", file, folder=tmp_path)
    assert code == 0, err
    written = (tmp_path / file).read_text(encoding="utf-8")
    assert sign in written
    assert written.index("Post 0") < written.index("Post 1") < written.index("Post 2")
    assert "3 posts" in err


async def test_unroll_of_what_is_no_thread_says_why(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    code, out, err = await relay("unroll", "https://nowhere.example/x", folder=tmp_path)
    assert (code, out) == (1, "")
    assert "cannot be unrolled" in err
    assert (await relay("unroll", stage.uris["p1"], "-f", "pdf", folder=tmp_path))[0] == 2


async def test_subscriptions_are_listed_with_who_keeps_them_and_who_changed_what(
    tmp_path: Path, stage: Mastodon
) -> None:
    configured(tmp_path, stage)
    room, held = (
        Destination("console", "room"),
        Filters(language=("es", "qu"), only=Only.MEDIA, words=("rope", "river"), per_hour=3),
    )
    by = ActingUser(user="7", action="subscribe", now=datetime(2026, 7, 1, 12, tzinfo=UTC))
    wanted = Wanted(topic="#Qeswachaka", destination=room, filters=held)
    store = await open_store(database(tmp_path))
    await store.save_subscriptions("config:Chasqui", [Wanted(topic="#bridge", destination=Destination("console"))])
    added = await store.add_subscription(wanted, Quota(destination=9, community=9), by)
    assert isinstance(added, Added)
    (one,) = await store.list_subscriptions(room)
    await store.save_subscription(replace(one, paused="by 7"), replace(by, action="pause"))
    await store.close()
    code, out, _ = await relay("subscriptions", folder=tmp_path)
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["1", "#bridge", "→", "console", "config:Chasqui"],
        [
            "2",
            "#Qeswachaka",
            "→",
            "console:room",
            "chat",
            *["language=es,", "qu", "only=media", "words=rope,", "river", "per_hour=3", "paused=by", "7"],
        ],
    ]
    code, out, _ = await relay("subscriptions", "--audit", "-n", "1", folder=tmp_path)
    (line,) = out.splitlines()
    assert line.startswith("2026-07-01 12:00  7  console:room  pause  #Qeswachaka")


async def test_resume_of_an_unknown_destination_names_the_known_ones(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    code, _, err = await relay("resume", "console", folder=tmp_path)
    assert code == 1
    assert "nothing was ever relayed" in err


@pytest.mark.siege
@pytest.mark.timeout(100)
async def test_the_demo_plays_and_everything_arrives(tmp_path: Path) -> None:
    code, out, err = await relay("demo", "--once", "--speed", "3", folder=tmp_path)
    assert code == 0, out + err
    assert "median latency" in out
    assert "\x1b[" not in out
    assert err == ""


async def filled(folder: Path) -> None:
    store = await open_store(database(folder))
    await publish(store, post(1), post(2, reply_to=uri(1)), post(5, author=author("Sami")))
    await store.close()


@pytest.mark.siege
async def test_forgetting_says_what_it_did_and_can_be_undone(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    await filled(tmp_path)
    code, out, _ = await relay("forget", "@illa@ayllu.example", folder=tmp_path)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == (
        "@illa@ayllu.example is an author: all of theirs is taken out, and nothing of theirs is kept or relayed again."
    )
    assert re.fullmatch(r"Hidden: 2 posts, and erased at .* UTC. Until then it can be undone:", lines[1])
    assert lines[2] == "relay forget --undo @illa@ayllu.example"
    code, out, _ = await relay("forget", "--list", folder=tmp_path)
    assert code == 0
    assert out.splitlines()[1].endswith("UTC  author  @illa@ayllu.example")
    code, out, _ = await relay("forget", "--undo", "@illa@ayllu.example", folder=tmp_path)
    assert code == 0
    assert out == (
        "@illa@ayllu.example may be kept and relayed again.\n"
        "2 posts can be read again; messages that were deleted do not come back.\n"
    )
    code, out, _ = await relay("forget", "--undo", "@illa@ayllu.example", folder=tmp_path)
    assert (code, out) == (1, "@illa@ayllu.example was not forgotten.\n")
    assert (await relay("forget", "--list", folder=tmp_path))[:2] == (0, "Nobody is forgotten.\n")


async def test_forgetting_at_once_leaves_no_name_behind(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    await filled(tmp_path)
    code, out, _ = await relay("forget", "--now", post(2).url, folder=tmp_path)
    assert code == 0
    assert out.startswith(f"{post(2).url} is a post: its whole thread is taken out.\nErased: 2 posts.")
    code, out, _ = await relay("forget", "--list", folder=tmp_path)
    assert code == 0
    assert out.endswith("1 × post, erased\n")
    assert "illa" not in out
    assert traces(tmp_path, "Post number 2") == {}


async def test_forgetting_at_once_says_so_where_somebody_reads_and_the_last_bytes_have_to_stay(
    tmp_path: Path, stage: Mastodon
) -> None:
    configured(tmp_path, stage)
    config = tmp_path / "relay.toml"
    config.write_text(config.read_text().replace("[store]", '[store]\nbusy_timeout = "100ms"'))
    await filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "relay.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM posts").fetchone()
        code, out, _ = await relay("forget", "--now", post(2).url, folder=tmp_path)
    assert code == 0
    assert "Its last bytes leave the database's file when `relay run` comes to it." in out


async def test_forgetting_wants_a_name(tmp_path: Path, stage: Mastodon) -> None:
    configured(tmp_path, stage)
    code, _, err = await relay("forget", folder=tmp_path)
    assert code == 2
    assert "--list" in err
    code, _, err = await relay("forget", "--post", "https://nowhere.example/1", folder=tmp_path)
    assert code == 1
    assert err.endswith("relay: no post is known by https://nowhere.example/1\n")
