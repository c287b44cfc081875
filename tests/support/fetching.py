"""What the tests of the fetching rooms share: a client that may reach loopback, and a name service to write oneself."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from relay.http import Forbidden, Http, HttpResponse, HttpSettings, Reply, Unreachable


class Names(AbstractResolver):
    """A name service whose answers a test writes: one list of addresses for each look-up, the last one stays."""

    def __init__(self, **names: list[list[str]]) -> None:
        self.names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.lookups = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.lookups += 1
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown name")
        answers = self.names[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""


def client(*, resolver: AbstractResolver | None = None, trusted: str = "127.0.0.1/32", **changes: object) -> Http:
    values = {"allow_private": [trusted] if trusted else [], "pace": "0s", "timeout": "5s", **changes}
    return Http(HttpSettings.model_validate(values), user_agent="test/1.0 (+https://relay.example)", resolver=resolver)


def answer(reply: Reply) -> HttpResponse:
    assert isinstance(reply, HttpResponse), reply
    return reply


def reason(reply: Reply) -> str:
    assert isinstance(reply, Unreachable | Forbidden), reply
    return reply.reason
