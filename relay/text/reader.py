"""Where the reading of one HTML text is: what has been written, what is open, what was found beside the words."""

from __future__ import annotations

from collections.abc import Callable

from selectolax.lexbor import LexborNode

from relay.model import Media, MediaKind
from relay.rich import Role
from relay.text import pictures
from relay.text.addresses import safe_url
from relay.text.page import TextStyle, TextWriter
from relay.text.pictures import Given
from relay.text.players import page_of


class HtmlReader:
    """Where the reading of one text is: the page that it is written on, and what is open."""

    def __init__(self, base: str, own: str, media: dict[str, Media] | None) -> None:
        self.page = TextWriter()
        self.lists: list[tuple[int, int] | None] = []
        """The lists around: (next number, step), None where nothing is counted."""
        self.base = base
        self.own = own
        """What addresses are relative to, and the page of the text."""
        self.media = media
        """By what the addresses of one picture have in common; None: media are to be words and links."""
        self.closings: list[str] = []
        """What stands behind the open elements that have words of their own."""
        self.quotes = 0
        """Quotations within a line that are open."""
        self.spelled: set[str] = set()
        """Abbreviations whose meaning has been said."""
        self.link = ""
        self.pictured: str | None = None
        """The present link, and the description of a picture in it, which may be all that it holds."""
        self.sourced: set[int] = set()
        """The pictures whose sources an image has taken."""
        self._titles: list[str] = []
        self._players: set[str] = set()

    def finish(self) -> None:
        """What the pictures say when a pointer rests on them, where the text does not say it anyhow."""
        self.page.block()
        said = " ".join(span.text for block in self.page.blocks for span in block.spans) if self._titles else ""
        for title in dict.fromkeys(self._titles):
            if title not in said:
                self.page.text(title, TextStyle())
                self.page.block()

    # --- leaving ---

    def leave_block(self, _: TextStyle) -> None:
        self.page.block()

    def leave_words(self, look: TextStyle) -> None:
        self.page.text(self.closings.pop(), look)

    def leave_quote(self, look: TextStyle) -> None:
        self.quotes -= 1
        self.leave_words(look)

    def leave_link(self, look: TextStyle) -> None:
        if self.pictured is not None and self.page.link_is_empty():
            inner = look._replace(link=self.link)
            self.page.text(f"[{self.pictured}]" if self.pictured else self.link, inner)
        self.pictured, self.link = None, look.link
        self.page.end_link()
        if look.link:  # a link in a table cell in a link: the outer one goes on
            self.page.begin_link(look)

    def leave_item(self, look: TextStyle) -> None:
        self.page.end_mark(look)
        self.page.block()
        self.page.bullet = ""

    def leave_list(self, _: TextStyle) -> None:
        self.page.block()
        self.lists.pop()

    # --- pictures, films, players ---

    def link_to(self, url: str, look: TextStyle) -> None:
        """A paragraph that is an address: the page of what a player plays, or a film that is no file. Each once."""
        page = safe_url(page_of(url))
        if not page or page in self._players:
            return
        self._players.add(page)
        self.page.block()
        self._write_link(page, page, look)
        self.page.block()

    def _write_link(self, words: str, url: str, look: TextStyle) -> None:
        inner = look._replace(link=url, role=Role.TEXT)
        self.page.begin_link(look)
        self.page.text(words, inner)
        self.page.end_link()
        if look.link:
            self.page.begin_link(look)

    def show(self, url: str, kind: MediaKind | None, look: TextStyle, media: Media | None = None) -> None:
        """A file as one of the media; what is none, or one too many, as a link."""
        if kind is None or not self._take(media or Media(url=url, kind=kind)):
            self.link_to(url, look)

    def show_picture(self, given: Given, shown: pictures.PictureSource, look: TextStyle) -> None:
        """A picture that is large enough to be seen for itself."""
        alt, title = pictures.words_of(given)
        url = pictures.full_size(shown, look.link) or shown.url
        width, height = (shown.width, shown.height) if shown.width and shown.height else (None, None)
        preview = shown.url if url != shown.url else ""
        media = Media(url=url, kind=MediaKind.IMAGE, alt=alt, preview=preview, width=width, height=height)
        if self._take(media):
            if title:
                self._titles.append(title)
            if look.link and not self._leads_back(look.link, shown.url):
                self.pictured = alt
        elif look.link:
            self.pictured = alt
        else:
            self._write_link(f"[{alt or url.rpartition('/')[2]}]", url, look)

    def _take(self, media: Media) -> bool:
        """Whether it is one of the media; of one that comes again the better address and words are kept."""
        if self.media is None:
            return False
        key = pictures.same_picture(media.url)
        if known := self.media.get(key):
            self.media[key] = pictures.better(known, media)
        elif len(self.media) >= pictures.MOST:
            return False
        else:
            self.media[key] = media
        return True

    def _leads_back(self, link: str, shown: str) -> bool:
        """Whether a picture leads to nothing new: to itself, larger perhaps, or to the text's own page."""
        if pictures.kind_of(link) is MediaKind.IMAGE or pictures.same_picture(link) == pictures.same_picture(shown):
            return True
        return link.partition("//")[2].rstrip("/") == self.own.partition("//")[2].rstrip("/")


Enter = Callable[[HtmlReader, LexborNode, Given, TextStyle], TextStyle | None]
"""What an element means: the look of what is in it, or None where that is not to be read."""
