"""What the relay says where a platform can neither edit nor delete what was sent there. Pure."""

from __future__ import annotations

from datetime import datetime

from relay.i18n import Words
from relay.model import Action, Author, Card, Delivery, Post, PostUri
from relay.phrases import line
from relay.ports import Limits
from relay.rich import Span


def change_card(
    delivery: Delivery, limits: Limits, *, name: str, say: Words, now: datetime, page: str = ""
) -> Card | None:
    """A short word on an edit or a deletion that cannot be carried out, without the words that it is about.

    ``page``: where all posts of a fold stand. None: it can be carried out, or there is nothing to be said of it: what
    is only counted, or was never there.
    """
    card, fold = delivery.card, delivery.digest
    if not delivery.messages:
        return None
    if delivery.action is Action.EDIT and not limits.edits and fold is not None:
        told = say("A message here that stands for several posts has changed: {address}")
        return _card(told, page or f"fold:{fold.slug}", fold.topic, name=name, say=say, now=now)
    if delivery.action is Action.EDIT and not limits.edits and card is not None:
        return _card(say("This post was edited: {address}"), card.post.url, card.reason, name=name, say=say, now=now)
    if delivery.action is Action.DELETE and not limits.deletions and delivery.url:
        told = say("The author deleted a post that was shared here: {address}")
        return _card(told, delivery.url, "", name=name, say=say, now=now)
    return None


def _card(template: str, url: str, reason: str, *, name: str, say: Words, now: datetime) -> Card:
    post = Post(
        uri=PostUri(f"change:{url}"),
        url=url,
        source="",
        origin="",
        author=Author(uri="", name=name),
        published=now,
        body=(line(template, address=Span(url, url)),),
        language=say.tag,
    )
    return Card(post=post, reason=reason)
