"""The seams: what a source, an adapter and the store promise, and what they may answer.

An answer that the outside world may give is a value; an exception is a bug (or the store's :class:`StoreError`).
"""

from relay.ports.adapter import Adapter, Command, Inbox, Limits
from relay.ports.answers import Check, Gone, Outcome, Refused, Sent, TryLater, Unknown
from relay.ports.source import Batch, RecheckingSource, Resolved, Source, StreamingSource, ThreadedSource
from relay.ports.store import (
    Claim,
    Counts,
    DestinationState,
    FeedState,
    Intake,
    Lease,
    Page,
    Settlement,
    State,
    Store,
    StoreError,
    Taken,
    Wanted,
    Wish,
)

__all__ = [
    "Adapter",
    "Batch",
    "Check",
    "Claim",
    "Command",
    "Counts",
    "DestinationState",
    "FeedState",
    "Gone",
    "Inbox",
    "Intake",
    "Lease",
    "Limits",
    "Outcome",
    "Page",
    "RecheckingSource",
    "Refused",
    "Resolved",
    "Sent",
    "Settlement",
    "Source",
    "State",
    "Store",
    "StoreError",
    "StreamingSource",
    "Taken",
    "ThreadedSource",
    "TryLater",
    "Unknown",
    "Wanted",
    "Wish",
]
