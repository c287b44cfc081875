"""What is settled is counted when it is settled, and posts when they come and go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")

_TALLY = (
    "INSERT INTO tallies VALUES (0, {row}.action, {row}.state, {one}) ON CONFLICT DO UPDATE SET count = count + {one}"
)
_LESS, _MORE = _TALLY.format(row="old", one=-1), _TALLY.format(row="new", one=1)
TRIGGERS = {
    "sqlite": (
        f"""CREATE TRIGGER tally_settled AFTER UPDATE OF settled ON deliveries
            WHEN new.settled IS NOT NULL AND (old.settled IS NULL OR old.state <> new.state) BEGIN {_MORE}; END""",
        f"""CREATE TRIGGER tally_released AFTER UPDATE OF settled ON deliveries
            WHEN old.settled IS NOT NULL AND (new.settled IS NULL OR old.state <> new.state) BEGIN {_LESS}; END""",
        f"""CREATE TRIGGER tally_inserted AFTER INSERT ON deliveries
            WHEN new.settled IS NOT NULL BEGIN {_MORE}; END""",
        f"""CREATE TRIGGER tally_deleted AFTER DELETE ON deliveries
            WHEN old.settled IS NOT NULL BEGIN {_LESS}; END""",
    ),
    "postgresql": (
        """CREATE FUNCTION relay_tally() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' AND OLD.settled IS NOT NULL THEN
                INSERT INTO tallies AS kept VALUES (pg_backend_pid(), OLD.action, OLD.state, -1)
                ON CONFLICT (worker, action, state) DO UPDATE SET count = kept.count - 1;
            END IF;
            IF TG_OP <> 'DELETE' AND NEW.settled IS NOT NULL THEN
                INSERT INTO tallies AS kept VALUES (pg_backend_pid(), NEW.action, NEW.state, 1)
                ON CONFLICT (worker, action, state) DO UPDATE SET count = kept.count + 1;
            END IF;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER tally_updated AFTER UPDATE ON deliveries FOR EACH ROW
            WHEN ((OLD.settled IS NULL) <> (NEW.settled IS NULL)
                OR (OLD.settled IS NOT NULL AND OLD.state <> NEW.state)) EXECUTE FUNCTION relay_tally()""",
        """CREATE TRIGGER tally_inserted AFTER INSERT ON deliveries FOR EACH ROW
            WHEN (NEW.settled IS NOT NULL) EXECUTE FUNCTION relay_tally()""",
        """CREATE TRIGGER tally_deleted AFTER DELETE ON deliveries FOR EACH ROW
            WHEN (OLD.settled IS NOT NULL) EXECUTE FUNCTION relay_tally()""",
    ),
}


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("worker", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker", "action", "state", name="pk_tallies"),
        sqlite_with_rowid=False,
    )
    op.execute(
        """INSERT INTO tallies (worker, action, state, count)
        SELECT 0, action, state, count(*) FROM deliveries WHERE settled IS NOT NULL GROUP BY action, state"""
    )
    op.execute("INSERT INTO counters (name, count) SELECT 'posts', count(*) FROM posts")
    for trigger in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(trigger)
