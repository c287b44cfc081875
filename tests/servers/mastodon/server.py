"""A small server on loopback that a reader cannot tell from a Mastodon server with one newspaper next door.

It serves what an anonymous reader of timelines, accounts and threads asks for, with the real paging, order and errors
(docs.joinmastodon.org/methods, version 4.6). It knows no accounts of other servers, boosts or polls;
what it tells an account with a token is in ``speaking`` and ``streaming``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Self

from aiohttp import web

from tests.servers.mastodon import entities, news
from tests.servers.mastodon.entities import PAGE, Draft, Json, Person, Status, cut_page, to_number
from tests.servers.mastodon.news import Item, Printed
from tests.servers.mastodon.speaking import Speaking
from tests.servers.mastodon.streams import Streams

TITLE = "The loopback"
NEWSPAPER = "Loopback Gazette"
READABLE = frozenset({"public", "unlisted"})
"""The visibilities that an anonymous reader sees; timelines of hashtags show the first only."""
ANCESTORS, DESCENDANTS, DEPTH = 40, 60, 20
"""What an anonymous reader gets of a conversation."""

_json = partial(web.json_response, dumps=partial(json.dumps, ensure_ascii=False))


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
        self._statuses: dict[int, Status] = {}
        self._ids: dict[str, int] = {}
        self._last_id = 0
        self._news: list[Printed] = []
        self.speaking = Speaking(self._people, self._statuses, self.post, self._entity, self._account)
        """What programs do that have an account here."""
        self._streaming = Streams()
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
        app = web.Application()
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

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

    def post(self, draft: Draft) -> str:
        """Post it; the id. ``KeyError`` where the author, the answered or the quoted post is unknown."""
        now = datetime.now(UTC)
        author, created = self._people[draft.author], now - draft.ago
        parent = self._found(draft.reply_to) if draft.reply_to else None
        self._last_id = max(self._last_id + 1, entities.snowflake(created))
        status = Status(
            id=self._last_id,
            author=author,
            draft=draft,
            created=created,
            parent=parent.id if parent else None,
            answered=_answered(author, parent) if parent else None,
            quoted=self._found(draft.quote).id if draft.quote else None,
        )
        self._statuses[status.id] = status
        self._note(draft.name, entities.uri(status, self.url), now)
        if draft.name:
            self._ids[draft.name] = status.id
        self.speaking.hear(status)
        self._tell("update", status)
        return str(status.id)

    def edit(self, ref: str, text: str) -> None:
        """Change the text of a post, given by its id or name. ``KeyError`` where there is none."""
        status, now = self._found(ref), datetime.now(UTC)
        self._statuses[status.id] = replace(status, draft=replace(status.draft, text=text), edited=now)
        self.edited[entities.uri(status, self.url)] = now
        self._tell("status.update", self._statuses[status.id])

    def delete(self, ref: str) -> None:
        """Delete a post, given by its id or name. Its answers lose their ``in_reply_to_id``, as in a real database."""
        status = self._found(ref)
        del self._statuses[status.id]
        for child in self._children(status):
            self._statuses[child.id] = replace(child, parent=None)
        self.deleted[entities.uri(status, self.url)] = datetime.now(UTC)
        self._streaming.tell("delete", self._entity(status))

    def _tell(self, event: str, status: Status) -> None:
        self._streaming.tell(event, self._entity(status))

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

    def _found(self, ref: str) -> Status:
        number = self._ids.get(ref, to_number(ref))
        if number not in self._statuses:
            raise KeyError(f"there is no post {ref!r}")
        return self._statuses[number]

    # --- what is there ---

    def _public(self) -> list[Status]:
        return [status for status in self._statuses.values() if status.draft.visibility == "public"]

    def _visible(self, number: str) -> Status:
        """The post that an anonymous reader may see; a private one is as absent as a deleted one."""
        status = self._statuses.get(to_number(number))
        if status is None or status.draft.visibility not in READABLE:
            raise _not_found()
        return status

    def _children(self, status: Status) -> list[Status]:
        return [child for child in self._statuses.values() if child.parent == status.id]

    def _ancestors(self, status: Status) -> list[Status]:
        chain: list[Status] = []
        while status.parent and len(chain) < ANCESTORS:
            status = self._statuses[status.parent]
            chain.insert(0, status)
        return chain

    def _descendants(self, status: Status, depth: int = DEPTH) -> list[Status]:
        """Depth first, the oldest answer first."""
        if not depth:
            return []
        return [one for child in self._children(status) for one in (child, *self._descendants(child, depth - 1))]

    def _account(self, person: Person) -> Json:
        posts = sum(status.author == person for status in self._statuses.values())
        return entities.account(person, self.url, posts=posts, bot=person.username in self.speaking.bots)

    def _entity(self, status: Status, *, nested: bool = False) -> Json:
        """A quoted post is shown whole, its own quote is not."""
        quote = None
        if status.quoted and not nested:
            quoted = self._statuses.get(status.quoted)
            quote = entities.quotation(self._entity(quoted, nested=True) if quoted else None)
        return entities.status(
            status,
            self.url,
            by=self._account(status.author),
            people=self._people,
            quote=quote,
            replies=len(self._children(status)),
        )

    # --- the API ---

    def _routes(self) -> list[web.RouteDef]:
        return [
            *self.speaking.routes(),
            web.get("/api/v1/streaming", self._stream),
            web.get("/api/v2/instance", self._get_instance),
            web.get("/api/v1/timelines/tag/{tag}", self._get_tag_timeline),
            web.get("/api/v1/accounts/lookup", self._get_lookup),
            web.get("/api/v1/accounts/{id}", self._get_account),
            web.get("/api/v1/accounts/{id}/statuses", self._get_account_statuses),
            web.get("/api/v1/statuses", self._get_statuses),
            web.get("/api/v1/statuses/{id}", self._get_status),
            web.get("/api/v1/statuses/{id}/context", self._get_context),
            web.get("/feed.xml", self._get_feed),
        ]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Since 4.2 only with a token."""
        return await self._streaming.connect(request, self.speaking.tokens)

    async def _get_instance(self, _: web.Request) -> web.Response:
        return _answer(entities.instance(self.host, TITLE))

    async def _get_tag_timeline(self, request: web.Request) -> web.Response:
        query = request.query
        wanted = {entities.fold(tag) for tag in (request.match_info["tag"], *query.getall("any[]", ()))}
        needed = {entities.fold(tag) for tag in query.getall("all[]", ())}
        barred = {entities.fold(tag) for tag in query.getall("none[]", ())}
        found = [
            status
            for status in self._public()
            for tags in [status.folded_tags]
            if tags & wanted and tags >= needed and not tags & barred
        ]
        if _asked(query, "remote"):  # nobody here is from elsewhere
            found = []
        return self._paged(request, found, keep=("local", "limit", "only_media"))

    async def _get_lookup(self, request: web.Request) -> web.Response:
        name, _, host = request.query.get("acct", "").removeprefix("@").partition("@")
        if name not in self._people or host not in {"", self.host}:
            raise _not_found()
        return _answer(self._account(self._people[name]))

    def _person(self, request: web.Request) -> Person:
        for person in self._people.values():
            if str(person.id) == request.match_info["id"]:
                return person
        raise _not_found()

    async def _get_account(self, request: web.Request) -> web.Response:
        return _answer(self._account(self._person(request)))

    async def _get_account_statuses(self, request: web.Request) -> web.Response:
        """``exclude_replies`` keeps answers to oneself; ``exclude_reblogs`` is obeyed by having none."""
        person, query = self._person(request), request.query
        found = [
            status
            for status in self._statuses.values()
            if status.author == person and status.draft.visibility in READABLE
            if not (_asked(query, "exclude_replies") and status.answered not in {None, person.id})
            if not _asked(query, "tagged") or entities.fold(query["tagged"]) in status.folded_tags
            if not _asked(query, "pinned")
        ]
        return self._paged(request, found, keep=("limit", "tagged", "only_media", "exclude_replies", "exclude_reblogs"))

    async def _get_statuses(self, request: web.Request) -> web.Response:
        """Ids that are gone are simply absent; more than 20 are an error."""
        ids = [to_number(text) for text in request.query.getall("id[]", ())]
        if len(ids) > PAGE:
            return _answer({"error": f"Only {PAGE} statuses may be requested at once"}, status=422)
        found = [status for status in self._statuses.values() if status.id in ids]
        return _answer([self._entity(one) for one in found if one.draft.visibility in READABLE])

    async def _get_status(self, request: web.Request) -> web.Response:
        return _answer(self._entity(self._visible(request.match_info["id"])))

    async def _get_context(self, request: web.Request) -> web.Response:
        """Answers to oneself come first among the descendants: their order is not the thread's order.

        With a token private posts are told as well: whose they are is not asked here.
        """
        known = bool(self.speaking.who(request))
        there = self._statuses.get(to_number(request.match_info["id"])) if known else None
        status = there or self._visible(request.match_info["id"])
        below = sorted(self._descendants(status)[:DESCENDANTS], key=lambda one: one.answered != one.author.id)
        above, below = ([one for one in some if known or _is_open(one)] for some in (self._ancestors(status), below))
        return _answer({"ancestors": [*map(self._entity, above)], "descendants": [*map(self._entity, below)]})

    def _paged(self, request: web.Request, statuses: Sequence[Status], *, keep: Sequence[str]) -> web.Response:
        """One page and the ``Link`` to its neighbours, which repeats only some of the query; no link without posts."""
        if _asked(request.query, "only_media"):
            statuses = [status for status in statuses if status.draft.picture]
        there = {status.id: status for status in statuses}
        page = [there[number] for number in cut_page(there, request.query)]
        if not page:
            return _answer([])
        here = request.url.with_query({key: request.query[key] for key in keep if key in request.query})
        older, newer = here.update_query(max_id=page[-1].id), here.update_query(min_id=page[0].id)
        return _answer([*map(self._entity, page)], link=f'<{older}>; rel="next", <{newer}>; rel="prev"')

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


def _is_open(status: Status) -> bool:
    return status.draft.visibility in READABLE


def _answered(author: Person, parent: Status) -> int:
    """Whose post it answers, as the server says: a chain of one's own under somebody's post keeps that somebody."""
    if parent.author == author and parent.answered is not None:
        return parent.answered
    return parent.author.id


def _asked(query: Mapping[str, str], key: str) -> bool:
    return query.get(key, "").lower() not in {"", "0", "f", "false", "off", "no"}


def _answer(body: object, *, status: int = 200, link: str = "") -> web.Response:
    """No cache may keep it: a real server allows 15 s, and here a second is long."""
    headers = {"Cache-Control": "private, no-store"} | ({"Link": link} if link else {})
    return _json(body, status=status, headers=headers)


def _not_found() -> web.HTTPNotFound:
    return web.HTTPNotFound(text=json.dumps({"error": "Record not found"}), content_type="application/json")
