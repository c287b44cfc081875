"""A Mastodon server on loopback as people use it: they post, edit and delete, and programs speak for some of them.

What visitors are told, in which order and pages, is ``fediverse``; a newspaper's feed is next door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from aiohttp import web

from tests.servers.mastodon import entities, news
from tests.servers.mastodon.entities import Draft, Json, Person, to_number
from tests.servers.mastodon.fediverse import Fediverse
from tests.servers.mastodon.news import Item, Printed
from tests.servers.mastodon.speaking import Speaking
from tests.servers.mastodon.things import carried_over

TITLE = "The loopback"
NEWSPAPER = "Loopback Gazette"


class Mastodon:
    """The server, and the pen of everybody on it. ``async with Mastodon() as server`` serves until the block is left.

    ``posted``, ``edited`` and ``deleted`` say when each became visible, by the uri of the post or the guid of the item;
    ``uris`` finds that by the name that the test gave it.
    """

    def __init__(self, people: Iterable[Person] = (), *, newspaper: str = NEWSPAPER, port: int = 0) -> None:
        self.url = ""
        """The server's address without a slash at its end (``http://127.0.0.1:40123``); empty until started."""
        self.newspaper = newspaper
        self.uris: dict[str, str] = {}
        self.posted: dict[str, datetime] = {}
        self.edited: dict[str, datetime] = {}
        self.deleted: dict[str, datetime] = {}
        self._port = port
        self._people = {person.username: person for person in people}
        self._drafts: dict[str, Draft] = {}
        """By the ids of the posts."""
        self._ids: dict[str, int] = {}
        self._last_id = 0
        self._news: list[Printed] = []
        self.server = Fediverse(software="")
        """What visitors are told."""
        self.posts = self.server.posts
        self.speaking = Speaking(self._people, self.server.accounts, self.posts, self.server.tokens, self.post)
        """What programs do that have an account here."""
        self._runner: web.AppRunner | None = None

    @property
    def host(self) -> str:
        """What stands behind the second ``@`` of a full account name."""
        return self.url.removeprefix("http://")

    @property
    def feed_url(self) -> str:
        """The newspaper's RSS feed."""
        return f"{self.url}/feed.xml"

    # --- life ---

    async def start(self) -> None:
        """Open a port on loopback. ``OSError`` where the port asked for is taken."""
        app = self.server.app()
        app.add_routes([*self.speaking.routes(), web.get("/feed.xml", self._get_feed)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = self.server.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.server.streaming = f"ws://{self.host}"
        for person in self._people.values():
            self.admit(person)

    async def stop(self) -> None:
        """Close the port and every connection; stopping twice is fine."""
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- what people do; each is visible at once. It must be started: addresses hold its port ---

    def admit(self, person: Person) -> None:
        """Open an account."""
        self._people[person.username] = person
        self.server.accounts[person.username] = entities.account(person, self.url)

    def post(self, draft: Draft) -> str:
        """Post it; the id. ``KeyError`` where the author, the answered or the quoted post is unknown."""
        now = datetime.now(UTC)
        by, created = self.server.accounts[draft.author], now - draft.ago
        parent = self._found(draft.reply_to) if draft.reply_to else None
        quoted = self._found(draft.quote) if draft.quote else None
        self._last_id = max(self._last_id + 1, entities.snowflake(created))
        status = entities.status(draft, self._last_id, created, self.url, by=by, people=self._people)
        if quoted:
            status |= self._written(draft.text, entities.quotation(quoted))
        if parent:
            parent["replies_count"] += 1
            status |= {"in_reply_to_id": parent["id"], "in_reply_to_account_id": carried_over(parent, by)}
        by["statuses_count"] += 1
        self.posts[self._last_id], self._drafts[status["id"]] = status, draft
        self._note(draft.name, status["uri"], now)
        if draft.name:
            self._ids[draft.name] = self._last_id
        self.speaking.hear(status, draft.text)
        self.server.streams.tell("update", status)
        return str(status["id"])

    def _written(self, text: str, quote: Json | None) -> Json:
        return entities.written(text, quote, self.url, self._people)

    def edit(self, ref: str, text: str) -> None:
        """Change the text of a post, given by its id or name. ``KeyError`` where there is none."""
        status, now = self._found(ref), datetime.now(UTC)
        self._drafts[status["id"]] = replace(self._drafts[status["id"]], text=text)
        status |= {**self._written(text, status["quote"]), "edited_at": entities.stamp(now)}
        self.edited[status["uri"]] = now
        self._quote_anew(status, status)
        self.server.streams.tell("status.update", status)

    def delete(self, ref: str) -> None:
        """Delete a post, given by its id or name. Its answers lose their ``in_reply_to_id``, as in a real database."""
        status = self._found(ref)
        self.server.delete(status)
        self._quote_anew(status, None)
        self.deleted[status["uri"]] = datetime.now(UTC)

    def _quote_anew(self, status: Json, now: Json | None) -> None:
        for other in self.posts.values():
            if other["quote"] and (other["quote"]["quoted_status"] or {}).get("id") == status["id"]:
                other.update(self._written(self._drafts[other["id"]].text, entities.quotation(now)))

    def publish_item(self, item: Item) -> str:
        """Put an item into the feed; its guid."""
        now = datetime.now(UTC)
        printed = Printed(item, f"{self.url}/news/{item.name}", now - item.ago)
        self._news.insert(0, printed)
        self._note(item.name, printed.url, now)
        return printed.url

    def _note(self, name: str, uri: str, now: datetime) -> None:
        self.posted[uri] = now
        if name:
            self.uris[name] = uri

    def _found(self, ref: str) -> Json:
        number = self._ids.get(ref, to_number(ref))
        if number not in self.posts:
            raise KeyError(f"there is no post {ref!r}")
        return self.posts[number]

    # --- the feed ---

    async def _get_feed(self, request: web.Request) -> web.Response:
        """Answers 304 to a reader that shows the validator of what it has (RFC 9110, 13.1.2)."""
        text = news.rss(self.newspaper, self.url, self.feed_url, self._news)
        etag = hashlib.sha256(text.encode()).hexdigest()[:16]
        if any(known.value in {etag, "*"} for known in request.if_none_match or ()):
            response = web.Response(status=304)
        else:
            response = web.Response(text=text, content_type="application/rss+xml")
        response.etag = etag
        return response
