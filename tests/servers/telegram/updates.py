"""What bots hear: a queue that is polled (getUpdates) or delivered to a webhook."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.servers.telegram.refusal import Json, Refusal

_NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_SLOWEST = 0.5
"""Telegram waits longer and longer after a webhook failed; we at most so many seconds."""


class Updates:
    """The updates that nobody confirmed yet."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.pending: list[Json] = []
        self.allowed: list[str] | None = None
        self.webhook: Json | None = None
        self.deliver_to: str | None = None
        self.polling = 0
        self.polls = 0
        self.failed: Json = {}
        self._changed = changed
        self._next = 100_000_000
        self._turn = 0
        self._woken = asyncio.Event()
        self._closing = False

    def add(self, kind: str, told: Json) -> None:
        """An update, where the bot wants its kind."""
        wanted = kind in self.allowed if self.allowed else kind not in _NOT_BY_DEFAULT
        if wanted:
            self._next += 1
            self.pending.append({"update_id": self._next, kind: told})
        self.wake()

    def wake(self) -> None:
        """Look again, whoever waits."""
        self._woken.set()
        self._woken = asyncio.Event()
        self._changed()

    def close(self) -> None:
        self._closing = True
        self.wake()

    def open(self) -> None:
        self._closing = False

    # --- polling ---

    async def poll(self, params: Json) -> list[Json]:
        """getUpdates: what was not confirmed, as soon as there is something."""
        self._refuse_with_webhook()
        if "allowed_updates" in params:
            self.allowed = params["allowed_updates"] or None
        self._confirm(params.get("offset", 0))
        self._turn += 1
        self.polls += 1
        self.polling += 1
        self.wake()
        try:
            return await self._wait(self._turn, params)
        finally:
            self.polling -= 1

    async def _wait(self, turn: int, params: Json) -> list[Json]:
        limit = min(max(params.get("limit", 100), 1), 100)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(params.get("timeout", 0)):
                while not self.pending and not self._closing:
                    await self._woken.wait()
                    self._refuse_other(turn)
        self._refuse_other(turn)
        return self.pending[:limit]

    def _refuse_other(self, turn: int) -> None:
        self._refuse_with_webhook()
        if turn != self._turn:
            told = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise Refusal(409, f"Conflict: {told}")

    def _refuse_with_webhook(self) -> None:
        if self.webhook:
            told = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise Refusal(409, f"Conflict: {told}")

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            self.pending = self.pending[offset:]
        else:
            self.pending = [one for one in self.pending if one["update_id"] >= offset]

    # --- delivering ---

    def hook(self, webhook: Json | None) -> None:
        """Deliver there from now on; None: nowhere."""
        self.webhook, self.failed = webhook, {}
        if webhook and webhook.get("allowed_updates") is not None:
            self.allowed = webhook["allowed_updates"] or None
        self.wake()

    async def deliver(self) -> None:
        """Carry updates to the webhook, one after the other, until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
            failures = 0
            while True:
                while not self.webhook or not self.pending:
                    await self._woken.wait()
                if await self._deliver(session, self.webhook, self.pending[0]):
                    failures = 0
                else:
                    failures += 1
                    await self._pause(min(0.02 * 2**failures, _SLOWEST))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()

    async def _deliver(self, session: aiohttp.ClientSession, webhook: Json, update: Json) -> bool:
        # a library that is strict about it wants the type without a charset
        headers = {"Content-Type": "application/json"}
        if webhook.get("secret_token"):
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook["secret_token"]
        try:
            async with session.post(self._target(webhook), data=json.dumps(update), headers=headers) as answer:
                await answer.read()
                if answer.status < 300:
                    self._took(update)
                    return True
                self._fail(f"Wrong response from the webhook: {answer.status} {answer.reason}")
        except (aiohttp.ClientError, TimeoutError) as error:
            self._fail(f"Connection failed: {type(error).__name__}")
        return False

    def _target(self, webhook: Json) -> str:
        told = urlsplit(webhook["url"])
        query = f"?{told.query}" if told.query else ""
        return f"{self.deliver_to}{told.path}{query}" if self.deliver_to else str(webhook["url"])

    def _took(self, update: Json) -> None:
        self.pending = [one for one in self.pending if one is not update]
        self._changed()

    def _fail(self, reason: str) -> None:
        self.failed = {"last_error_date": int(time.time()), "last_error_message": reason}
        self._changed()

    @property
    def info(self) -> Json:
        """getWebhookInfo."""
        told: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self.pending)}
        if self.webhook:
            shown: dict[str, Any] = {key: value for key, value in self.webhook.items() if key != "secret_token"}
            told |= {"max_connections": 40, **shown, **self.failed}
        return told
