"""What elements of HTML that show something mean: pictures, films, sounds, and the players of other sites."""

from __future__ import annotations

from selectolax.lexbor import LexborNode

from relay.model import Media, MediaKind
from relay.text import pictures
from relay.text.characters import clean
from relay.text.nodes import SEEN, children, first, has_link
from relay.text.page import Look
from relay.text.pictures import Given
from relay.text.players import page_of
from relay.text.reader import Enter, Reader


def _picture(reader: Reader, node: LexborNode, given: Given, look: Look) -> None:
    alt, classes = given.get("alt") or "", (given.get("class") or "").split()
    url = pictures.web(given.get("src") or "", reader.base)
    if pictures.is_pixel(given):
        return
    shown = pictures.picture_of(given, _beside(reader, node), reader.base) if reader.media is not None else None
    if pictures.is_emoji(alt, classes, url):
        reader.page.emoji(alt, look)
    elif shown and not pictures.is_symbol(given, shown.url):
        reader.show_picture(given, shown, look)
    elif not pictures.is_counter(url):
        reader.page.picture(alt, look)
        if look.link:
            reader.pictured = clean(alt)


def _beside(reader: Reader, node: LexborNode) -> list[Given]:
    """The sources of a picture: they are its first image's, else each image would cost as much as all of them."""
    parent = node.parent
    if parent is None or parent.tag != "picture" or parent.mem_id in reader.sourced:
        return []
    reader.sourced.add(parent.mem_id)
    return [child.attributes for child in children(parent)]


def _film(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look | None:
    sources = [child.attributes for child in children(node) if child.tag == "source"]
    url, is_file = pictures.file_of(given, sources, reader.base)
    if not url:
        return look if has_link(node) else None
    kind = MediaKind.AUDIO if "audio" in (node.tag or "") else MediaKind.VIDEO
    if kind is MediaKind.VIDEO and "loop" in given and ("muted" in given or "autoplay" in given):
        kind = MediaKind.ANIMATION
    words = clean(given.get("title") or given.get("aria-label") or "", limit=1500)
    media = Media(url=url, kind=kind, alt=words, preview=pictures.web(given.get("poster") or "", reader.base))
    reader.show(url, kind if is_file else None, look, media)
    return None


def _frame(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look | None:
    """The page of what a frame plays; the link in it, where its author set one and the page is not known."""
    url = pictures.frame_of(given, reader.base)
    if pictures.is_pixel(given) or pictures.is_counter(url):
        return None
    if has_link(node) and (not url or page_of(url) == url):
        reader.page.block()
        return look
    if url:
        reader.show(url, pictures.kind_of(url, given.get("type") or ""), look)
    return None


def _object(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look | None:
    told = {(child.attributes.get("name") or "").lower(): child.attributes for child in children(node)}
    values = [given.get("data"), *(told[name].get("value") for name in ("movie", "src", "url") if name in told)]
    url = next((url for value in values if (url := pictures.web(value or "", reader.base))), "")
    if not url:
        return look
    reader.show(url, pictures.kind_of(url, given.get("type") or ""), look)
    return None


def _film_by_name(reader: Reader, _node: LexborNode, given: Given, look: Look) -> None:
    if name := given.get("videoid") or given.get("data-videoid"):
        reader.link_to(f"https://www.youtube.com/embed/{name}", look)


def _unscripted(_reader: Reader, node: LexborNode, _given: Given, look: Look) -> Look | None:
    """What is seen where no script runs: pictures and links; that scripts are wanted is no news."""
    return look if any(inner.tag in SEEN for inner in first(node)) else None


EMBEDDED: dict[str, Enter] = {
    **dict.fromkeys(("amp-audio", "amp-video", "audio", "video"), _film),
    **dict.fromkeys(("amp-anim", "amp-img", "img"), _picture),
    **dict.fromkeys(("amp-iframe", "embed", "iframe", "x-iframe"), _frame),
    **dict.fromkeys(("amp-youtube", "lite-youtube"), _film_by_name),
    "noscript": _unscripted,
    "object": _object,
}
"""By the name of the element."""
