"""A feed's entries become posts: which one is which, who says it, what, when. Pure, and total: no document raises."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from urllib.parse import urlsplit

from relay.core.authenticity import has_handle, is_home
from relay.core.urls import host_of
from relay.model import Author, LinkCard, Media, MediaKind, Post, PostUri
from relay.rich import Block, Form, Text
from relay.sources.feed_document import FeedDocument, FeedEntry, TypedText
from relay.sources.feed_media import WIDE
from relay.sources.feed_names import SOURCE, Names, account_hosts, author_uri, entry_names
from relay.sources.feed_parse import MANY
from relay.sources.feed_threads import EntryRelations, in_threads, links
from relay.text import Content, clean, from_html, from_plain, read_html, safe_url, text_content, with_shown
from relay.text.pictures import kind_of, same_picture

# --- feed counters ---

# Numbers that a site counts up beside what somebody wrote, and times that pass: no reader calls it an edit. Pure.
# Left out are whole lines and the ends of titles, where nothing else stands in them: a number in a sentence is news
# (“12 dead”, “14 dead”). A line, or what stands in brackets, is left out where each part of it is one of
# - a number of something that readers do ("3 posts - 2 participants", "1.2k views", "★ 14"), in several languages, -
# when or how long ago it was brought up to date, or how long it takes to read ("updated 5 minutes ago", "Last
# updated:   30 Nov 2026 10:05", "4 min read").

_DONE = (
    (
        "comments? comentarios? comentários? kommentare? commentaires? comment[io] reacties? "
        "repl(?:y|ies) answers? responses? respuestas? respostas? antwort(?:en)? réponses? rispost[ae] "
        "posts? publicaci(?:ón|ones) mensajes? messages? beitr[aä]ge? participants? participantes? teilnehmer "
        "views? vistas? visitas? visualizaciones visualizações aufrufe vues? reads? hits? plays? listens? downloads? "
        "likes? me\\ gusta gefällt\\ mir curtidas? favou?rites? favs? hearts? reactions? claps? upvotes? downvotes? "
        "boosts? reblogs? reposts? retweets? shares? bookmarks? notes? new unread"
    )
    .replace("\\ ", "_")
    .split(" ")
)
_GIVEN = "points? votes? votos? stars? punkte puntos? stimmen score"
_WORDS = "|".join(word.replace("_", " ") for word in (*_DONE, *_GIVEN.split(" ")))
_NUMBER = r"\d[\d.,]{0,12}[kKM]?"
_SYMBOL = "[★☆⭐♥♡❤👍👎👏🔥▲▼⬆⬇⇧↑💬🗨👁👀🔁♻🔄]\ufe0f?"
_SPAN = (
    "seconds? secs? minutes? mins? hours? hrs? days? weeks? months? years? segundos? minutos? horas? días? semanas? "
    "mes(?:es)? años? sekunden? minuten? stunden? tage?n? wochen? monate?n? jahre?n? secondes? heures? jours? "
    "semaines? mois ans? dias? anos?"
).replace(" ", "|")
_UPDATED = r"(?:(?:last )?(?:updated|edited|modified|checked|submitted|posted|published):? )"
_STAMPED = (
    r"(?:(?:last |page )?(?:updated|modified|edited|checked|generated)|stand|(?:zuletzt )?aktualisiert|mis à jour"
    r"|(?:última )?actualizaci[oó]n|actualizado|atualizado):?"
)
_WHEN = (
    r"(?:[\d:/.,+-]{1,25}|(?:jan|ene|feb|mar|mär|apr|abr|may|mai|jun|jul|aug|ago|sep|oct|okt|out|nov|dec|dez|dic|déc)"
    r"[a-zéûôç]{0,7}[.,]?|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}[.,]?|[ap]\.?m\.?|utc|gmt|ce?s?t|[ecmp][sd]t|uhr|h"
    r"|at|on|of|de|del|le|el|la|las|um|am|à|\d{4}-\d\d-\d\dt[\d:.]{1,15}z?)"
)
_AGO = rf"(?:{_NUMBER}|an?|one) (?:{_SPAN}) ago"
_PART = re.compile(
    rf"(?:{_NUMBER} (?:new )?(?:{_WORDS})|(?:{_WORDS}): {_NUMBER}|{_SYMBOL} ?{_NUMBER}|{_NUMBER} ?{_SYMBOL}"
    rf"|{_STAMPED}(?: {_WHEN}){{1,9}}|{_UPDATED}?{_AGO}|(?:hace|vor|il y a|há) {_NUMBER} (?:{_SPAN})"
    rf"|{_NUMBER}[ -]min(?:ute)?s?[ -](?:read|de lectura|de lecture|de leitura|di lettura|lesezeit)"
    r"|(?:estimated )?(?:reading time|read time|lesezeit|tiempo de lectura|temps de lecture):? "
    rf"{_NUMBER} min(?:ut(?:e|o)[sn]?)?s?\.?)",
    re.IGNORECASE,
)
"""One thing that counts up or passes."""
_BETWEEN = re.compile(
    rf"[|·•;/()\[\]{{}}–—#*]|(?<=\s)-(?=\s)|,(?=\s)|(?<=\s)(?:and|y|und|et|e)(?=\s)|(?<=\s)(?={_SYMBOL} ?\d)"
)
_WITHIN = re.compile(rf"(?<!\d)\d{{1,9}} points? \| \d{{1,9}} comments?|(?<!\w){_UPDATED}{_AGO}(?!\w)", re.IGNORECASE)
_HEAD = re.compile(
    rf"(?:[(\[]([^()\[\]]{{1,80}})[)\]]|({_SYMBOL} ?{_NUMBER}|{_NUMBER} (?:new|unread)(?=:)))[ :|·-]{{1,3}}(?=\S)"
)
_BRACKETS = re.compile(r"\s?([(\[{])([^()\[\]{}]{1,80})[)\]}]$")
_BEHIND = re.compile(rf"\s?(?:[|·•]|[-–—]\s|(?={_SYMBOL} ?\d))(?=[^|·•–—]{{1,80}}$)")
_NAKED = re.compile(r"(?!(?:19|20)\d\d)\d{1,6}")
"""In brackets: a number that is no year."""
_DISPUTED = re.compile(r"\d (?:votes?|votos?|stimmen)", re.IGNORECASE)
"""Behind a dash, this may be what the title is about."""
_FURNITURE = frozenset({"read full topic"})
"""What Discourse writes below a topic once it has answers."""
_ENDS = 3
_LONGEST, _DIGIT = 160, re.compile("[0-9]")


def without_counters(lines: Iterable[str]) -> str:
    """The words of these lines, with one space between them."""
    said = " ".join(" ".join([line for line in lines if not _is_furniture(line)]).split())
    return _WITHIN.sub("", said) if " | " in said or " ago" in said else said


def _is_furniture(line: str) -> bool:
    if len(line) > _LONGEST:
        return False
    if _DIGIT.search(line) is None:
        return line.strip().casefold() in _FURNITURE
    return _counts(line)


def _counts(line: str) -> bool:
    """Whether each part of it counts something."""
    if _PART.fullmatch(line.strip()):
        return True
    parts = [part for each in _BETWEEN.split(line) if (part := each.strip())]
    return bool(parts) and all(map(_PART.fullmatch, parts))


def title_without_counters(title: str) -> str:
    """A title without what is counted before and behind it."""
    if _DIGIT.search(title) is None:
        return title
    head = _HEAD.match(title)
    if head and (head[2] or head[1].isdigit() or _counts(head[1])):
        title = title[head.end() :]
    for _ in range(_ENDS):
        start = max(len(title) - _LONGEST, 0)
        shorter = title[:start] + _without_tail(title[start:])
        if shorter == title:
            break
        title = shorter
    return title


def _without_tail(title: str) -> str:
    brackets = _BRACKETS.search(title, 1)
    if brackets:
        inside = brackets[2].strip()
        return title[: brackets.start()] if _counts(inside) or _NAKED.fullmatch(inside) else title
    for behind in _BEHIND.finditer(title, 1):
        tail = title[behind.start() :].strip()
        if _counts(tail.lstrip("-")) and not (tail[0] in "-–—" and _DISPUTED.search(tail)):
            return title[: behind.start()]
    return title


# --- feed posts ---

_SKEW = timedelta(minutes=15)
_FRESH = timedelta(hours=1)
_TRACKING = ("utm_", "fbclid=", "gclid=", "mc_cid=", "mc_eid=")
_BRIDGE_ERROR = "Bridge returned error"  # RSS-Bridge tells of its own trouble as an entry

# Mastodon's feeds name no author; the address of the post does. A content warning is the first paragraph, over a rule.
_TOOT = re.compile(r"(?P<page>https://(?P<host>[^/]+)/@(?P<user>[\w.-]+)(?:@(?P<home>[\w.-]+))?)/\d+")
_WARNING = re.compile(r"\s*<p><strong>[^<]{1,60}</strong>(.{1,2000}?)</p>\s*<hr\s*/?>", re.DOTALL)

_PLAYERS = ("text/html", "application/x-shockwave-flash")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPost:
    """A post, and that by which a later look at the feed knows it again (:mod:`relay.sources.feed_identity`)."""

    post: Post
    raw: Post
    """As it was before what its site adds to every post was taken away."""
    name: str
    """A digest of its mark (:class:`relay.sources.feed_names.Names`)."""
    text: str
    """A digest of what it says: it differs when a reader would call the post edited."""
    link: str = ""
    """The page that it names, without what changes though the page is the same; empty where it names none."""
    date: datetime | None = None
    """The one that it names; that of ``post`` is never missing, nor to come."""
    fresh: bool = False
    """That date is the time at which it was read."""
    answers: str = ""
    """The id of the entry that it answers, as the document has it."""
    links: frozenset[str] = frozenset()
    """The pages of its own site that it links to."""
    slice: str = ""
    """A digest of its bytes, if nothing but these makes it what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Around the entries: where the feed is subscribed at, where it was read, when, and what it says of itself."""

    address: str
    url: str
    now: datetime
    title: str = ""
    page: str = ""
    """The site that the feed belongs to."""

    base: str
    """What relative addresses are relative to, where an entry says nothing of its own."""

    profile: str = ""
    """The site, where the host says so that the feed was read from: of another's page it can say nothing."""
    author: str
    """The uri of who writes where nobody else is named: the feed's own."""
    feed: str
    """All that is subscribed to, where ``address`` is the first of several mirrors."""

    def names(self, name: str) -> Names:
        """What an entry is called that the feed calls ``name``."""
        return entry_names(name, address=self.address, feed=self.feed)

    def page_of(self, entry: FeedEntry) -> str:
        """The page that an entry names, where it names one."""
        return _web(entry.original) or _web(_whole(entry.link), self.base)

    def base_of(self, entry: FeedEntry) -> str:
        return _web(entry.base, self.base) or self.base

    def speaks_for(self, link: str) -> bool:
        """Whether the feed is of the link's host: subscribed to there, and read there."""
        return is_home(self.address, link) and is_home(self.url, link)


def read_items(document: FeedDocument, setting: Setting) -> tuple[EntryPost, ...]:
    """The entries as posts, oldest first, each once. Dates that are missing or to come are ``setting.now``."""
    entries = [entry for entry in document.entries if not entry.title.text.startswith(_BRIDGE_ERROR)]
    links = [_canonical(_web(entry.link, setting.url)) for entry in entries]
    names = _names(entries, links)
    entries = _told_apart(entries, names, _own_names(entries, links))
    return _arranged([_read_item(entry, name, setting) for name, entry in zip(names, entries, strict=True)])


def _arranged(items: Sequence[EntryPost]) -> tuple[EntryPost, ...]:
    """Each once, oldest first, those of one moment in the reverse of the order given; and who answers whom."""
    once: dict[str, EntryPost] = {}
    for item in items:
        once.setdefault(item.name, item)
    newest_last = list(reversed(once.values()))
    newest_last.sort(key=lambda item: item.post.published)
    answering = in_threads([_told(item) for item in newest_last])
    if not answering:
        return tuple(newest_last)
    return tuple(replace(item, post=answering.get(item.post.uri, item.post)) for item in newest_last)


def _told(item: EntryPost) -> EntryRelations:
    return EntryRelations(post=item.post, dated=item.date is not None, answers=item.answers, links=item.links)


def _read_item(entry: FeedEntry, name: str, setting: Setting) -> EntryPost:
    return _item(entry, setting.page_of(entry), setting.names(name), setting)


def setting_of(document: FeedDocument, *, address: str, url: str, now: datetime, feed: str = "") -> Setting:
    """``feed`` is all that is subscribed to, where ``address`` is the first of several mirrors."""
    title, page = _line(document.title), _web(_whole(document.link), url)
    profile = page if is_home(url, page) else ""
    feed = feed or address
    author = author_uri(address=address, feed=feed)
    by_site = page and not (document.version.startswith("atom") and is_home(url, page))  # RFC 4287, 4.2.7
    setting = Setting(
        address=address,
        url=url,
        now=now,
        title=title,
        page=page,
        base=page if by_site else url,
        profile=profile,
        author=author,
        feed=feed,
    )
    known = title and all(map(setting.speaks_for, account_hosts(title)))
    return setting if known else replace(setting, title=urlsplit(address).hostname or address)


def note(document: FeedDocument) -> str:
    """What the operator should know of the document though it could be read."""
    for entry in document.entries:
        if entry.title.text.startswith(_BRIDGE_ERROR):
            return f"the bridge behind this feed has trouble: {clean(entry.title.text, limit=200)}"
    if document.found > MANY:
        return f"the feed has {document.found} entries; the newest {MANY} are read, the first where they have no dates"
    return "the feed broke off in the middle; the next poll may bring the rest" if document.truncated else ""


# --- which one is which ---


def _names(entries: Sequence[FeedEntry], links: Sequence[str]) -> list[str]:
    """What tells the entries apart: the guid, else the link, else the words.

    A name that entries share tells nothing (there are sites that give all of them one guid): link and words are added.
    """
    names = _own_names(entries, links)
    additions: tuple[Callable[[int], str], ...] = (links.__getitem__, lambda index: _words(entries[index]))
    for addition in additions:
        count = Counter(names)
        if len(count) < len(names):
            names = [f"{name}|{addition(index)}" if count[name] > 1 else name for index, name in enumerate(names)]
    return names


def _own_names(entries: Sequence[FeedEntry], links: Sequence[str]) -> list[str]:
    return [_own_name(entry) or link or _words(entry) for entry, link in zip(entries, links, strict=True)]


def _told_apart(entries: Sequence[FeedEntry], names: Sequence[str], own: Sequence[str]) -> list[FeedEntry]:
    """What others make an entry to be is not told by its bytes."""
    named = zip(entries, names, own, strict=True)
    return [entry if name == alone else replace(entry, slice="") for entry, name, alone in named]


def _own_name(entry: FeedEntry) -> str:
    """The guid; of a post on X its number, which is the guid of some instances and the same on all."""
    if "/status/" in entry.link and (status := STATUS.fullmatch(entry.link)):
        guid = entry.guid.removesuffix("#m")
        return status["id"] if not guid or guid.endswith(status["id"]) else entry.guid
    return entry.guid


def _words(entry: FeedEntry) -> str:
    return _digest(entry.title.text, entry.body.text)


def _canonical(link: str) -> str:
    """A link without what changes though the page is the same: scheme, www, tracking, a slash at the end."""
    if not link:
        return ""
    parts = urlsplit(link)
    query = "&".join(part for part in parts.query.split("&") if not part.lower().startswith(_TRACKING))
    host = parts.netloc.lower().removeprefix("www.")
    return (
        f"//{host}{parts.path.rstrip('/')}"
        + (f"?{query}" if query else "")
        + (f"#{parts.fragment}" if parts.fragment else "")
    )


def _item(entry: FeedEntry, place: str, names: Names, setting: Setting) -> EntryPost:
    raw = _post(entry, place, names.uri, setting)
    said = without_counters(_lines(raw.body)).replace("http://", "https://")  # a site that moves says nothing new
    if "/status/" in place:  # the instances of Nitter name themselves in the text
        said = said.replace(urlsplit(setting.url).netloc, "")
    dated = entry.published or entry.updated
    post = as_meant(raw, creator=entry.author, own=setting.speaks_for)
    return EntryPost(
        post=post,
        raw=raw,
        name=_digest(names.mark),
        text=_digest(title_without_counters(raw.title), raw.warning, said, *_media_told(raw, entry, setting)),
        link=_canonical(place),
        date=dated,
        fresh=dated is not None and abs(setting.now - dated) <= _FRESH,
        answers=entry.reply_to,
        links=links(post),
        slice=entry.slice,
    )


def _media_told(raw: Post, entry: FeedEntry, setting: Setting) -> Iterator[str]:
    """What of the media makes an entry another one: its files, and of the pictures in its text the words and number."""
    own = tuple(_media(entry, setting.base_of(entry), shown=raw.media))
    yield from map(_path, own)
    if within := raw.media[len(own) :]:
        yield from (str(len(within)), *(media.alt for media in within))


def _path(media: Media) -> str:
    """What stays of a file's address where its host, its scheme or a token changes."""
    return urlsplit(media.url).path


def _lines(body: Text) -> Iterator[str]:
    for block in body:
        spans = block.spans
        yield from (spans[0].text if len(spans) == 1 else "".join([span.text for span in spans])).split("\n")


def _digest(*parts: str) -> str:
    """Twelve characters: enough for the some thousand entries of one feed."""
    return blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


# --- the post ---


def _post(entry: FeedEntry, place: str, uri: PostUri, setting: Setting) -> Post:
    published = _past(entry.published or entry.updated, setting.now)
    updated = _past(entry.updated, setting.now) if entry.updated else published
    toot = None if entry.author else _TOOT.fullmatch(place)
    warning, body = _unfold(entry.body) if toot else ("", entry.body)
    base = setting.base_of(entry)
    content = read_html(body.text, base=base, page=place) if body.html else Content(from_plain(body.text), ())
    media = with_shown(tuple(_media(entry, base, shown=content.media)), content.media)
    return Post(
        uri=uri,
        url=place or _file(media) or setting.page or setting.address,
        source=SOURCE,
        origin=setting.address,
        author=_tooter(toot, setting) if toot and _is_own(toot, setting) else _author(entry, setting),
        published=published,
        edited=updated if updated > published else None,
        title=_line(entry.title),
        body=content.text,
        warning=warning,
        sensitive=entry.adult,
        language=clean(entry.language, limit=35),
        tags=tuple(_tags(entry.tags)),
        media=media,
        reply_to=setting.names(entry.reply_to).uri if entry.reply_to else "",
    )


def _past(date: datetime | None, now: datetime) -> datetime:
    return date if date and date <= now + _SKEW else now


def _author(entry: FeedEntry, setting: Setting) -> Author:
    """The feed, under the name that the entry gives; no name is the account of somebody it does not speak for."""
    name = _name(entry.author)
    if has_handle(name):
        hosts = account_hosts(name)
        name = name if hosts and all(map(setting.speaks_for, hosts)) else ""
    return Author(uri=setting.author, name=name or setting.title, url=setting.profile)


def _name(author: str) -> str:
    """The name in ``a@b.example (Name)`` and ``Name <a@b.example>``."""
    line = clean(author, limit=200)
    address, _, name = line.partition(" (")
    if "@" in address and " " not in address and name.endswith(")"):
        return name[:-1]
    name, _, address = line.partition(" <")
    return name if "@" in address else line


def _is_own(toot: re.Match[str], setting: Setting) -> bool:
    """Whether the feed is of the author's own server, and leads there."""
    return setting.speaks_for(toot["page"]) and (not toot["home"] or setting.speaks_for(f"https://{toot['home']}/"))


def _tooter(toot: re.Match[str], setting: Setting) -> Author:
    handle = f"@{toot['user']}@{toot['home'] or toot['host']}"
    own = toot["page"] == setting.page  # an account's own feed has the account's name for its title
    return Author(uri=toot["page"], name=setting.title if own else handle, url=toot["page"], handle=handle)


def _unfold(body: TypedText) -> tuple[str, TypedText]:
    match = _WARNING.match(body.text)
    return (
        (_line(TypedText(match[1], html=True)), replace(body, text=body.text[match.end() :])) if match else ("", body)
    )


def _tags(tags: Iterable[str]) -> Iterator[str]:
    seen = set()
    for tag in tags:
        name = clean(tag, limit=100).removeprefix("#")
        if name and name.casefold() not in seen:
            seen.add(name.casefold())
            yield name


def _file(media: Sequence[Media]) -> str:
    """What an entry without a page leads to: the first thing to hear or see, but no picture."""
    return next((one.url for one in media if one.kind is not MediaKind.IMAGE), "")


def _media(entry: FeedEntry, base: str, *, shown: Sequence[Media]) -> Iterator[Media]:
    """The files of an entry; its thumbnail stands for what it has no better picture of, also ``shown`` in its text."""
    preview = _web(entry.thumbnail, base)
    media = dict[str, Media]()
    for enclosure in entry.enclosures:
        url = _web(enclosure.url, base)
        kind = kind_of(url, enclosure.type) or MediaKind.FILE
        if not url or (kind is MediaKind.FILE and enclosure.type in _PLAYERS):
            continue
        one = Media(
            url=url,
            kind=kind,
            alt=clean(enclosure.alt, limit=1500),
            preview="" if kind is MediaKind.IMAGE else _web(enclosure.preview, base) or preview,
            width=enclosure.width or None,
            height=enclosure.height or None,
        )
        key = same_picture(url)
        media[key] = _wider(media[key], one) if key in media else one
    yield from media.values()
    if preview and not media and not shown:
        yield Media(url=preview, kind=MediaKind.IMAGE)


def _wider(known: Media, other: Media) -> Media:
    """One of two that are the same picture in two sizes: many feeds name all sizes, and no group."""
    wider = (known.width or 0) < (other.width or 0) <= WIDE
    first, second = (other, known) if wider else (known, other)
    return replace(first, alt=first.alt or second.alt)


def _line(words: TypedText) -> str:
    return clean(text_content(from_html(words.text)) if words.html else words.text)


def _whole(link: str) -> str:
    """With the scheme that people leave out of ``www.bell.example/1``, which is no path."""
    return f"https://{link}" if link[:4].lower() == "www." else link


def _web(link: str, base: str = "") -> str:
    """An absolute http(s) address, or nothing."""
    url = safe_url(link, base=base) if link else ""
    return url if url.startswith("http") else ""


# --- what well-known sites put around what people wrote, taken away again. Pure ---
# A post comes here when it has been told apart and compared (:mod:`relay.sources.feed_posts`): what is done here never
# makes an edit. Known are the tails of WordPress and Discourse, the heads and tails of Lemmy and Reddit, the prefixes
# of Nitter, and titles that only repeat the text.


STATUS = re.compile(r"https?://[^/?#]+/(?P<who>\w{1,30})/status/(?P<id>\d{8,22})(?:#m)?")
"""A post on X, wherever it is mirrored: the number is the same on every instance."""

_TAIL = re.compile(
    r"(?:The post|La entrada|El cargo|Der Beitrag|L[’']article|L[’']articolo|O post|Het bericht) .{1,400} "
    r"(?:appeared first on|first appeared on|se publicó primero en|apareció primero en|erschien zuerst auf"
    r"|est apparu en premier sur|proviene da|apareceu primeiro em|verscheen eerst op) .{1,200}",
    re.DOTALL,
)
_REDDIT = re.compile(
    r"(?:\[[^\]]{0,200}\] \| )?submitted by\s{1,9}/?u/\S{1,100}.{0,200}\[link\]\s{0,9}\[comments\]", re.DOTALL
)
_LEMMY = re.compile(r"submitted by \S.{0,200} to \S.{0,200}\n\d{1,9} points? \| \d{1,9} comments?(?:\n\S{1,2000})?")
_DISCOURSE = re.compile(r"\d{1,6} posts? - \d{1,6} participants?")
_PREFIX = re.compile(r"(?:Pinned: )?(?:(?P<kind>RT by|R to) @(?P<who>\w{1,30}): )?")
_CREATOR = re.compile(r"@(\w{1,30})")
_CUT = re.compile(r"(?:…|\.\.\.|\[…\])$")
_X = ("x.com", "twitter.com", "mobile.twitter.com")
_PICTURES = ("i.redd.it", "preview.redd.it", "i.imgur.com")
_LONG = 40
"""Characters of a title that stand at the start of the text by no accident."""


def as_meant(post: Post, *, creator: str = "", own: Callable[[str], bool] = lambda _: False) -> Post:
    """The post without what its site adds to every one.

    ``creator`` is whom the entry itself names as its author; ``own`` tells whether the feed is of an address's host.
    """
    if match := STATUS.fullmatch(post.url):
        post = _status(post, match, creator, own)
    elif post.body and "submitted by" in _text_of(post.body[0]) + _text_of(post.body[-1]):
        post = _submitted(post)
    elif len(post.body) > 1 and _TAIL.fullmatch(_text_of(post.body[-1])):
        post = replace(post, body=post.body[:-1])
    elif (
        len(post.body) > 2
        and _text_of(post.body[-1]) == "Read full topic"
        and _DISCOURSE.fullmatch(_text_of(post.body[-2]))
    ):
        post = replace(post, body=post.body[:-2])
    return replace(post, title="") if post.title and _is_repeated(post.title, post.body) else post


def _text_of(block: Block) -> str:
    spans = block.spans
    return spans[0].text if len(spans) == 1 else "".join([span.text for span in spans])


def _is_repeated(title: str, body: Text) -> bool:
    """Whether the title is the text itself or its beginning, as in feeds of short messages."""
    if not body or body[0].form is not Form.PARAGRAPH:
        return False
    start = title.rstrip(" .…")[:_LONG]
    if start and start[:20] != _text_of(body[0])[: len(start[:20])]:
        return False
    text = " ".join(" ".join(_text_of(block) for block in body).split())
    stem = _CUT.sub("", title).rstrip()
    telling = len(stem) >= _LONG or (bool(stem) and stem != title)
    return text == title or (telling and text.startswith(stem))


# --- Nitter ---


def _status(post: Post, status: re.Match[str], creator: str, own: Callable[[str], bool]) -> Post:
    """On X itself it is the author's, on a mirror the feed's: anybody can run one."""
    match = _PREFIX.match(post.title)
    kind, other = (match["kind"], match["who"]) if match else (None, None)
    who = named[1] if (named := _CREATOR.fullmatch(creator.strip())) else status["who"]
    there = post.url.partition("/status/")[0].rpartition("/")[0]
    post = replace(post, title=post.title[match.end() :] if match else post.title)
    if own(post.url) and host_of(post.url) in _X:
        post = replace(post, author=Author(uri=f"https://x.com/{who.lower()}", name=f"@{who}", url=f"{there}/{who}"))
    elif kind == "RT by":
        post = replace(post, title=f"RT @{who}")  # else these words would be the feed's own
    if kind == "R to" and other and other.lower() != who.lower():
        return replace(post, reply_to=f"{there}/{other}", reply_to_author=f"{there}/{other}")
    return post


# --- Reddit and Lemmy ---


def _submitted(post: Post) -> Post:
    first, last = post.body[0], post.body[-1]
    if _LEMMY.fullmatch(_text_of(first)):
        discussion, link = _links(first, "comment"), first.spans[-1].link if _text_of(first).count("\n") > 1 else ""
        return _with_link(replace(post, body=post.body[1:], url=discussion or post.url), link)
    if _REDDIT.fullmatch(_text_of(last).strip()):
        return _with_link(replace(post, body=post.body[:-1]), _links(last, "[link]"))
    return post


def _links(block: Block, text: str) -> str:
    """Where the span leads that has this text."""
    return next((span.link for span in block.spans if text in span.text and span.link), "")


def _with_link(post: Post, link: str) -> Post:
    """The post shows this page or picture, unless that is the post itself."""
    if not link or link == post.url or any(media.url == link for media in post.media):
        return post
    host = (urlsplit(link).hostname or "").removeprefix("www.")
    if host in _PICTURES:
        others = tuple(media for media in post.media if not _is_thumbnail(media))
        return replace(post, media=(Media(url=link, kind=MediaKind.IMAGE), *others))
    if host.endswith("reddit.com"):
        return post
    return replace(post, link_card=post.link_card or LinkCard(url=link, title=host))


def _is_thumbnail(media: Media) -> bool:
    return (urlsplit(media.url).hostname or "").endswith(("redd.it", "redditmedia.com"))
