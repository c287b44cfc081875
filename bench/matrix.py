"""The outbox and the Matrix adapter against a homeserver that keeps Synapse's limit, but two and a half times as fast.

The floor is what the limit allows: ten messages at once, then 0.2 a second for an account in all its rooms (here one in
two seconds). Nobody tells the account its limit: it learns it from refusals, a few of which there must be.
"""

from __future__ import annotations

from adapters.matrix import Matrix, MatrixSettings, build
from bench.figures import Figure
from bench.sending import Json, Load, figure
from relay.plugins import Host

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
    return [figure(load, limits, _adapter, "rooms")]
