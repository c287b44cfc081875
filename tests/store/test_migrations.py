"""Schemas: what the migrations lead to, what an older relay left, and whose tables are let be."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from functools import reduce
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from structlog.testing import capture_logs

from relay.model import Action, FeedId, Subscription, SubscriptionId
from relay.options import NO_FILTERS, DeliveryOptions, Mode
from relay.records import StopKind, StoreError, Wanted
from relay.store import open_store
from relay.store.engine import connect
from relay.store.hashes import keyed_hash
from relay.store.indexes import metadata
from relay.store.migrations import HEAD, VERSION_TABLE, migrate
from relay.testing import NOON, author, post
from tests.support.databases import PostgresServer
from tests.support.store_cases import HALL, ROOM, at, carry, claim, lease, publish, settled
from tests.support.store_migrations_cases import formerly, upgrade_to
from tests.support.store_open_cases import SOON, reopened, run


async def test_the_migrations_lead_to_the_tables_that_the_program_knows(store_url: str) -> None:
    await reopened(store_url)
    database = connect(store_url, SOON)

    def differences(connection: Connection) -> object:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": connection.dialect.name == "postgresql",  # on SQLite it stumbles over ''
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await database.write(differences) == []
    await database.close()


def test_the_migrations_lead_to_the_very_same_statements(sqlite_template: Path) -> None:
    """What the comparison above does not see: partial indexes, counted keys, actions of foreign keys."""

    def statements(connection: sqlite3.Connection) -> set[tuple[str, frozenset[str]]]:
        """Without regard to the order of columns: those that a migration adds come last."""
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'")
        return {parts(re.sub(r"\s+", " ", sql)) for (sql,) in rows if VERSION_TABLE not in sql}

    def parts(sql: str) -> tuple[str, frozenset[str]]:
        head, _, rest = sql.partition("(")
        if not head.startswith("CREATE TABLE"):
            return sql, frozenset()
        inside, _, tail = rest.rpartition(")")
        return head + tail, frozenset(part.strip() for part in re.split(r",(?![^(]*\))", inside))

    with closing(sqlite3.connect(sqlite_template)) as migrated, closing(sqlite3.connect(":memory:")) as wanted:
        engine = create_engine("sqlite://", creator=lambda: wanted)
        metadata.create_all(engine)
        assert statements(migrated) == statements(wanted)
        engine.dispose()


OLD = (
    "INSERT INTO feeds (id, source, address, cursor) VALUES (4, 'fake', '#bridge', '17')",
    """INSERT INTO subscriptions (id, origin, topic, destination, networks)
        VALUES (3, 'config:home', '#bridge', 'fake:room', '["fake"]'),
            (5, 'config:home', '#rope', 'fake:hall', '[]')""",
    "INSERT INTO subscription_tags (subscription, source, tag) VALUES (3, 'fake', 'bridge')",
    "INSERT INTO subscription_feeds (subscription, feed) VALUES (3, 4)",
    """INSERT INTO posts (id, uri, slug, source, origin, author, url, published, data, revision, deleted, listed, seen)
        VALUES (1, 'u', 's', 'fake', 'o', 'a', 'u', 0, '{post}', 1, {no}, {no}, 0)""",
    """INSERT INTO deliveries (destination, post, action, version, state, reason, subscription, created)
        VALUES ('fake:room', 1, 'send', '', 'due', 'why', 3, 0)""",
    "INSERT INTO destinations (name, adapter, due) VALUES ('fake:room', 'fake', 0)",
)


async def test_a_database_of_the_first_release_keeps_its_subscriptions_and_what_waits(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database(migrated=False) as postgres_url:
        for url, no in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0"), (postgres_url, "false")):
            old = [text.replace("{post}", formerly(post())).replace("{no}", no) for text in OLD]
            await upgrade_to(url, "0001", *old)
            store = await open_store(url)
            bridge, rope = await store.list_subscriptions()
            assert bridge == Subscription(
                id=SubscriptionId(3),
                topic="#bridge",
                delivery_options=DeliveryOptions(mode=Mode.POSTS),
                destination=ROOM,
                origin="config:home",
                networks=("fake",),
                tags=(("fake", "bridge"),),
                feeds=(FeedId(4),),
            )
            assert (rope.id, rope.networks, rope.feeds) == (5, (), ())
            [feed] = await store.list_feeds()
            assert feed.feed.cursor == "17"
            [waiting] = await claim(store)
            assert waiting.options == ""
            wanted = [Wanted(topic="#bridge", destination=ROOM), Wanted(topic="#rope", destination=HALL)]
            assert await store.save_subscriptions("config:home", wanted) == [3, 5]
            assert (await store.get_counts()).unknown == 0
            await store.close()


CHAT = (
    "UPDATE subscriptions SET mode = 'threads', options = '{}', community = 'ayllu' WHERE id = 3",
    "INSERT INTO audit (at, who, destination, deed, detail) VALUES (0, 'illa', 'fake:room', 'subscribe', '#bridge')",
    "INSERT INTO leases (name, leased_by, leased_until) VALUES ('adapter:fake', 'two', 9000000000000000)",
)


async def test_a_database_of_the_second_schema_keeps_all_and_can_count(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database(migrated=False) as postgres_url:
        for url, no in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0"), (postgres_url, "false")):
            old = [text.replace("{post}", formerly(post())).replace("{no}", no) for text in OLD]
            await upgrade_to(url, "0002", *old, *CHAT)
            store = await open_store(url)
            bridge, rope = await store.list_subscriptions()
            assert (bridge.delivery_options.mode, bridge.options, bridge.community, bridge.feeds) == (
                "threads",
                "{}",
                "ayllu",
                (4,),
            )
            assert (rope.id, len(await store.list_audit(9))) == (5, 1)
            assert not await store.claim_lease("adapter:fake", lease("one"))
            [waiting] = await claim(store)
            await store.save_settlements([settled(waiting, unknown=True)], lease())
            assert (await store.get_counts()).unknown == 1
            await store.close()


async def test_a_database_of_the_third_schema_keeps_all_and_can_note(postgres: PostgresServer, tmp_path: Path) -> None:
    with postgres.database(migrated=False) as postgres_url:
        for url, no in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0"), (postgres_url, "false")):
            old = [text.replace("{post}", formerly(post())).replace("{no}", no) for text in OLD]
            await upgrade_to(url, "0003", *old, *CHAT, "INSERT INTO counters (name, count) VALUES ('unknown', 7)")
            store = await open_store(url)
            bridge, rope = await store.list_subscriptions()
            assert (bridge.delivery_options.mode, bridge.feeds, rope.id, len(await store.list_audit(9))) == (
                "threads",
                (4,),
                5,
                1,
            )
            assert ((await store.get_counts()).unknown, len(await claim(store))) == (7, 1)
            await store.save_note("adapter:fake", "a", "1", at(5))
            assert await store.get_note("adapter:fake", "a", at(1)) == "1"
            await store.close()


async def test_a_database_of_the_fourth_schema_finds_its_posts_by_their_pages(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """However the address is written; and what came from one network is not brought again from another one."""
    shown = post(url="https://www.ayllu.example/@illa/1/?utm_source=x")
    with postgres.database(migrated=False) as postgres_url:
        for url, no in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0"), (postgres_url, "false")):
            old = [
                text.replace("'u', 's'", f"'{shown.uri}', 's'").replace(
                    "'a', 'u'", f"'{shown.author.uri}', '{shown.url}'"
                )
                for text in OLD
            ]
            old = [text.replace("{post}", formerly(shown)).replace("{no}", no) for text in old]
            note = "INSERT INTO notes (owner, key, value, until) VALUES ('adapter:fake', 'a', '1', 9000000000000000)"
            await upgrade_to(url, "0004", *old, *CHAT, note)
            store = await open_store(url)
            page = await store.get_page_of("http://ayllu.example/@illa/1")
            assert page is not None
            assert page.root == shown.uri
            assert [one.filters for one in await store.list_subscriptions()] == [NO_FILTERS, NO_FILTERS]
            assert await store.get_note("adapter:fake", "a", at(1)) == "1"
            copy = post(uri="sky://1", url="https://sky.example/1", source="sky", origin="x", aliases=(shown.url,))
            await publish(store, copy, to=(ROOM,))
            assert [delivery.uri for delivery in await claim(store)] == [shown.uri]
            await store.close()


async def test_who_was_forgotten_for_good_stays_so_and_names_are_found_for_the_posts_that_are_there(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database(migrated=False) as postgres_url:
        for url, no in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0"), (postgres_url, "false")):
            old = [text.replace("'a', 'u'", f"'{author().uri}', 'u'") for text in OLD]
            old = [text.replace("{post}", formerly(post())).replace("{no}", no) for text in old]
            await upgrade_to(url, "0001", *old)
            gone = author("Sami")
            key = "0" * 64
            marks = [f"('{keyed_hash(key, name)}', 'author abc', 7)" for name in (gone.uri, "@sami@ayllu.example")]
            kept = f"INSERT INTO meta (key, value) VALUES ('forgetting', '{key}')"  # noqa: S608 - a test's own
            forgotten = f"INSERT INTO forgotten (digest, kind, at) VALUES {', '.join(marks)}"  # noqa: S608 - likewise
            await upgrade_to(url, "0007", kept, forgotten)
            store = await open_store(url)
            assert [(one.kind, one.ref, one.erased) for one in await store.list_stops()] == [
                (StopKind.AUTHOR, "", None)
            ]
            await publish(store, post(5, author=gone))
            assert await store.get_page_of(post(5).uri) is None
            assert (await store.save_author_stop("@illa@ayllu.example", at(0), at(1))).posts == 1
            assert await store.delete_stop("@sami@ayllu.example", at(0))
            await publish(store, post(5, author=gone))
            assert await store.get_page_of(post(5).uri)
            await store.close()


UNDER_WAY = (
    "DELETE FROM deliveries",
    """INSERT INTO posts (id, uri, slug, source, origin, author, page, published, data, revision, deleted, listed,
        seen) VALUES (2, '{uri}', 's2', 'fake', 'https://ayllu.example', '{author}', '//ayllu.example/@illa/2', 0,
        '{second}', 1, {no}, {no}, 0)""",
    """INSERT INTO deliveries (destination, post, action, version, state, reason, attempts, messages, subscription,
        created, settled) VALUES ('fake:room', 1, 'send', '', 'sent', 'why', 1, '["m1"]', 3, 0, 1),
            ('fake:room', 1, 'edit', '2', 'sending', 'why', 1, '[]', 3, 0, NULL),
            ('fake:hall', 2, 'send', '', 'due', 'why', 0, '[]', 5, 0, NULL)""",
    "INSERT INTO destinations (name, adapter, due, leased_by, leased_until) VALUES ('fake:hall', 'fake', 0, '', NULL)",
    """INSERT INTO folds (id, slug, destination, subscription, topic, why, opened, due)
        VALUES (1, 'f1', 'fake:room', 3, '#bridge', 'digest', 0, 1)""",
    "INSERT INTO folded (fold, post, own) VALUES (1, 1, {no}), (1, 2, {no})",
    "INSERT INTO tagged (tag, post) VALUES ('bridge', 2)",
    """WITH RECURSIVE names(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM names WHERE n < 2500)
        INSERT INTO aliases (alias, post) SELECT 'name ' || n, 2 FROM names""",
)


async def test_posts_deliveries_and_digests_that_are_under_way_outlive_that_their_tables_are_written_anew(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    second = post(2)
    with postgres.database(migrated=False) as postgres_url:
        for url, no in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0"), (postgres_url, "false")):
            words = {"post": formerly(post()), "second": formerly(second), "uri": second.uri, "no": no}
            words["author"] = second.author.uri
            await upgrade_to(
                url, "0012", *(filled(text.replace(", url,", ", page,"), words) for text in (*OLD, *UNDER_WAY))
            )
            store = await open_store(url)
            for name in ("name 1", "name 2000", "name 2001", "name 2500", second.url):
                found = await store.get_page_of(name)
                assert found is not None
                assert found.posts == (second,)
            assert (await publish(store, second)).posts == 0, "it is known"
            await store.save_due_digests(NOON)
            done = await carry(store)
            assert [(one.action, one.uri, one.messages, one.interrupted) for one in done] == [
                (Action.SEND, second.uri, (), False),
                (Action.EDIT, "u", ("m1",), True),
                (Action.SEND, "fold:f1", (), False),
            ]
            assert done[2].digest is not None
            assert done[2].digest.count == 2
            await store.close()


def filled(text: str, words: Mapping[str, str]) -> str:
    """The statement with these words in it; braces that are JSON's stay."""
    return reduce(lambda said, word: said.replace(f"{{{word}}}", words[word]), words, text)


OF_THREAD = """
INSERT INTO posts (id, uri, slug, source, origin, author, page, published, data, revision, root, deleted, listed, seen)
    VALUES ({n}, '{n}', 's{n}', 'fake', 'o', 'a', '', 0, 'x', 1, {root}, {gone}, {listed}, 0)
"""


async def test_a_database_of_an_earlier_schema_lists_on_a_hashtag_what_it_listed(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """The latest post of each thread that may be listed, and nothing else."""
    told = [(1, "1", "no", "yes"), (2, "1", "no", "yes"), (3, "3", "no", "yes"), (4, "3", "no", "no")]
    told += [(5, "", "yes", "yes"), (6, "", "no", "yes")]
    with postgres.database(migrated=False) as postgres_url:
        for url, no, yes in ((f"sqlite:///{tmp_path}/relay.sqlite3", "0", "1"), (postgres_url, "false", "true")):
            is_so = {"yes": yes, "no": no}
            rows = [
                OF_THREAD.format(n=n, root=f"'{root}'" if root else "NULL", gone=is_so[gone], listed=is_so[listed])
                for n, root, gone, listed in told
            ]
            await upgrade_to(url, "0015", *rows, "INSERT INTO tagged (tag, post) SELECT 'bridge', id FROM posts")
            store = await open_store(url)
            shown = await store._db.read(
                lambda connection: connection.exec_driver_sql("SELECT post FROM tagged WHERE shown ORDER BY post").all()
            )
            assert [post for (post,) in shown] == [2, 6]
            await store.close()


async def test_a_migration_may_compute_for_longer_than_what_else_holds_locks(postgres: PostgresServer) -> None:
    """Two thousand long posts are packed between two statements, for longer than a relay may stand still."""

    def patience(connection: Connection) -> str:
        return str(connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar())

    def migrated(connection: Connection) -> str:
        migrate(connection, "the database")
        return patience(connection)

    with postgres.database(migrated=False) as url:
        database = connect(url, SOON)
        assert await database.write(migrated) == "10min"
        assert await database.write(patience) == "4s"
        await database.close()


def test_the_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "relay.store:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_store_that_is_up_to_date_opens_without_alembic(sqlite_url: str) -> None:
    code = (
        "import sys, asyncio; from relay.store import open_store\n"
        f"async def main(): await (await open_store({sqlite_url!r})).close()\n"
        "asyncio.run(main()); print('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


async def test_a_database_of_a_newer_relay_is_refused(postgres: PostgresServer, sqlite_url: str) -> None:
    with postgres.database() as postgres_url:
        for url in (sqlite_url, postgres_url):
            await run(url, "UPDATE relay_schema SET version_num = '9999'")
            with pytest.raises(StoreError, match=r"newer relay.*update the program"):
                await open_store(url)


async def test_another_program_s_tables_are_left_alone(postgres: PostgresServer, tmp_path: Path) -> None:
    with postgres.database(migrated=False) as postgres_url:
        for url in (f"sqlite:///{tmp_path}/blog.sqlite3", postgres_url):
            await run(url, "CREATE TABLE posts (title TEXT)", "CREATE TABLE readers (name TEXT)")
            with pytest.raises(StoreError, match=r"another program's tables \(posts\)"):
                await open_store(url)


async def test_a_relay_that_starts_while_another_changes_the_tables_waits_for_it_and_says_so_once(
    postgres: PostgresServer,
) -> None:
    with postgres.database(migrated=False) as url, psycopg.connect(url) as another, capture_logs() as told:
        another.execute("SELECT pg_advisory_xact_lock(4849081)")
        opening = asyncio.create_task(open_store(url, busy_timeout=timedelta(milliseconds=20)))
        async with asyncio.timeout(20):
            while not told and not opening.done():
                await asyncio.wait([opening], timeout=0.05)
        assert not opening.done()
        another.rollback()
        store = await opening
        await publish(store, post())
        await store.close()
    assert [one["event"] for one in told] == [
        "another program changes the database; this relay starts when that is over"
    ]


async def test_many_may_make_a_database_at_once(postgres: PostgresServer, tmp_path: Path) -> None:
    with postgres.database(migrated=False) as postgres_url:
        for url in (f"sqlite:///{tmp_path}/relay.sqlite3", postgres_url):
            stores = await asyncio.gather(*(open_store(url) for _ in range(6)))
            await publish(stores[0], post())
            ids = [delivery.id for store in stores for delivery in await claim(store)]
            assert len(ids) == 1
            await asyncio.gather(*(store.close() for store in stores))
