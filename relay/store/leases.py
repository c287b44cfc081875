"""Leases: what only one process may own at a time, and giving back all that a process holds."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, or_, update

from relay.records import Lease
from relay.store.rows import insert_rows
from relay.store.tables import destinations, feeds, leases

_CLAIM = (
    update(leases)
    .where(
        leases.c.name == bindparam("of"),
        or_(
            leases.c.leased_by == bindparam("owner"),
            leases.c.leased_until.is_(None),
            leases.c.leased_until <= bindparam("now", type_=leases.c.leased_until.type),
        ),
    )
    .values(leased_by=bindparam("owner"), leased_until=bindparam("until"))
)


def claim_lease(connection: Connection, name: str, lease: Lease) -> bool:
    """Take or hold on to what only one process may own; False: another one has it until its lease lapses."""
    insert_rows(connection, leases, ("name",), [(name,)])
    wanted = {"of": name, "owner": lease.owner, "now": lease.now, "until": lease.until}
    return connection.execute(_CLAIM, wanted).rowcount == 1


def delete_all_leases(connection: Connection) -> None:
    """Take everything back from whoever has it: for a database that nobody else can have open."""
    for table in (feeds, destinations, leases):
        connection.execute(update(table).where(table.c.leased_by != "").values(leased_by="", leased_until=None))


def delete_leases(connection: Connection, owner: str) -> None:
    """Give back what this owner still holds; deliveries in flight come back as interrupted."""
    for table in (feeds, destinations, leases):
        connection.execute(update(table).where(table.c.leased_by == owner).values(leased_by="", leased_until=None))
