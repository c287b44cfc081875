"""The outbox and the Matrix adapter against a homeserver that keeps Synapse's limit, but two and a half times as fast.

The floor is what the limit allows: ten messages at once, then 0.2 a second for an account in all its rooms (here one in
two seconds). Nobody tells the account its limit: it learns it from refusals, a few of which there must be; each is held
back for half a second, as Synapse does. With ``RELAY_TEST_REAL=1`` a real Synapse follows, with its usual limit and
with one message a second.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.matrix import Matrix, MatrixSettings, build
from adapters.matrix.pace import Attempt
from bench.figures import Figure
from bench.sending import Json, Load, figure, sent
from relay.plugins import Host
from tests.servers.synapse import running
from tests.support.matrix_homes import Real

BURST, SECOND, RATE = 10, 0.4, 0.2
FEW = 8


def _adapter(server: Json, host: Host) -> Matrix:
    told = {"homeserver": server["url"], "user": server["user"], "token": server["token"]}
    return build(MatrixSettings.model_validate(told), host)


def measure() -> list[Figure]:
    rooms, each = 5, 8
    least = (rooms * each - BURST) / RATE * SECOND
    load = Load(platform="matrix", chats=rooms, each=each, least=least, refusals=FEW)
    limits = ["--rate", str(RATE), "--burst", str(BURST), "--second", str(SECOND), "--rooms", str(rooms)]
    figures = [figure(load, limits, _adapter, "rooms")]
    if os.environ.get("RELAY_TEST_REAL") == "1":
        figures += [on_synapse(rooms=5, each=5, rate=0.2), on_synapse(rooms=10, each=8, rate=1.0)]
    return figures


# --- a real Synapse ---


@contextmanager
def _synapse(rooms: int, rate: float) -> Iterator[Json]:
    """One whose account has a full bucket: it has been in its rooms for a while."""
    limit = f"rc_message: {{per_second: {rate}, burst_count: {BURST}}}\n"
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "synapse", "none", more=limit) as synapse:

        async def prepared() -> Json:
            home = Real(synapse)
            token = await home.token()
            made = []
            for _ in range(rooms):
                made.append(await home.room("sami"))
                await home.invite("sami", made[-1])
                await synapse.join("relay", made[-1])
            await asyncio.sleep(rooms / rate if rate >= 1 else 0)  # what they cost leaks away, or is in the burst below
            return {"url": home.url, "user": home.user, "token": token, "rooms": made}

        yield asyncio.run(prepared())


def on_synapse(*, rooms: int, each: int, rate: float) -> Figure:
    """Messages a second of a backlog beside what the limit allows, from the first refusal's bucket on."""
    with _synapse(rooms, rate) as server:
        refused: list[float] = []

        def adapter(server: Json, host: Host) -> Matrix:
            made = _adapter(server, host)
            learn = made.calls.pace.refused

            def counted(attempt: Attempt, after: float, now: float) -> None:
                refused.append(now)
                learn(attempt, after, now)

            made.calls.pace.refused = counted  # type: ignore[method-assign]  # our own, to count what it is told
            return made

        load = Load(platform="matrix", chats=rooms, each=each, least=0.0)
        moments = asyncio.run(sent(load, server, adapter, server["rooms"]))
    messages = rooms * each
    late = moments[BURST:]
    took, allowed = late[-1] - late[0], (len(late) - 1) / rate
    seen = f"{len(refused)} × 429, {len(moments)} of {messages} arrived"
    return Figure(
        name=f"Matrix, Synapse with {rate:g}/s, {rooms} busy rooms ({seen})",
        value=(len(late) - 1) / took,
        unit="messages/s after the burst",
        floor=rate,
        floor_name="messages/s, what the server's limit allows",
        target=f"≥ 0.9 × floor, at most {FEW} × 429",
        met=allowed >= 0.9 * took and len(refused) <= FEW and len(moments) == messages,
    )
