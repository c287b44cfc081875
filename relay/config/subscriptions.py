"""``[[subscriptions]]``: a topic, where its posts go, and which of them are wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, StringConstraints, ValidationInfo

from relay import plugins
from relay.config.errors import nearest
from relay.core.delivery_options import MOST, at_of, every_of, quiet_of
from relay.core.filter_options import MOST_PER_HOUR, OLDEST, Wrong, block_of, pattern_of, words_of
from relay.model import Destination, Only
from relay.options import USUAL, Follow, Manner, Mode, Sieve
from relay.plugins import Kind
from relay.settings import Duration, Settings, duration_text

T = TypeVar("T")


def _language_tag(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError('expected a language tag such as "en" or "pt-BR"')
    return value


LanguageTag = Annotated[str, AfterValidator(_language_tag)]


def not_installed(kind: Kind, name: str) -> str:
    known = sorted(plugins.names(kind))
    return f"no {kind[:-1]} `{name}` is installed; {nearest(name, known, 'there are: ' + ', '.join(known))}"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _mirrors(value: object) -> object:
    """Several addresses of one feed are one topic, with a space between them."""
    if not isinstance(value, list | tuple):
        return value
    if not value or not all(isinstance(one, str) and re.fullmatch(r"\s*[a-z]+://\S+\s*", one) for one in value):
        raise ValueError("a list is for the addresses of one feed, its mirrors; write [[subscriptions]] for each topic")
    return " ".join(dict.fromkeys(one.strip() for one in value))


def _right(read: Callable[[T], T | Wrong]) -> AfterValidator:
    """Take a value as ``read`` does."""

    def check(value: T) -> T:
        answer = read(value)
        if isinstance(answer, Wrong):
            raise ValueError(str(answer))  # noqa: TRY004  # pydantic reports ValueErrors
        return answer

    return AfterValidator(check)


def _every(value: timedelta) -> timedelta | Wrong:
    return every_of(duration_text(value))


def _destination(value: object) -> object:
    if isinstance(value, Destination):
        return value
    if not isinstance(value, str):
        raise ValueError('expected a text such as "console"')  # noqa: TRY004  # pydantic reports ValueErrors
    return Destination.parse(value)


def _served(value: Destination, info: ValidationInfo) -> Destination:
    _known("adapters", value.adapter, info)
    return value


def _read(value: str, info: ValidationInfo) -> str:
    _known("sources", value, info)
    return value


def _known(kind: Kind, name: str, info: ValidationInfo) -> None:
    used: Mapping[Kind, Collection[str]] | None = info.context
    if used is None or name in used[kind]:
        return
    if name in plugins.names(kind):
        raise ValueError(f"{kind[:-1]} `{name}` is not configured; add [{kind}.{name}]")
    raise ValueError(not_installed(kind, name))


class SubscriptionConfig(Settings):
    """One of ``[[subscriptions]]``: a topic, and where its posts go.

    Beside these keys may stand what the adapters in ``to`` let a subscription choose for itself (``Plugin.options``).
    """

    topic: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), BeforeValidator(_mirrors)]
    to: Annotated[
        tuple[Annotated[Destination, BeforeValidator(_destination), AfterValidator(_served)], ...],
        BeforeValidator(_listed),
        Field(min_length=1),
    ]
    networks: Annotated[tuple[Annotated[str, AfterValidator(_read)], ...], BeforeValidator(_listed)] = ()
    """Empty: all sources that are configured."""
    mode: Mode = Mode.THREADS
    follow: Follow | None = None
    every: Annotated[Duration, _right(_every)] = USUAL.every
    at: Annotated[str, _right(at_of)] = ""
    quiet: Annotated[str, _right(quiet_of)] = ""
    budget: Annotated[int, Field(ge=0, le=MOST)] | None = None
    burst: Annotated[int, Field(ge=1, le=MOST)] | None = None
    language: Annotated[tuple[LanguageTag, ...], BeforeValidator(_listed)] = ()
    only: Only = Only.ALL
    words: Annotated[tuple[str, ...], BeforeValidator(_listed), _right(words_of)] = ()
    without: Annotated[tuple[str, ...], BeforeValidator(_listed), _right(words_of)] = ()
    pattern: Annotated[str, _right(pattern_of)] = ""
    block: Annotated[tuple[str, ...], BeforeValidator(_listed), _right(block_of)] = ()
    min_age: Annotated[Duration, Field(ge=timedelta(0), le=OLDEST)] = timedelta(0)
    per_hour: Annotated[int, Field(ge=0, le=MOST_PER_HOUR)] = 0
    _options: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def sieve(self) -> Sieve:
        """What else holds a post back, beside its language and its kind."""
        return Sieve(
            words=self.words,
            without=self.without,
            pattern=self.pattern,
            block=self.block,
            min_age=self.min_age,
            per_hour=self.per_hour,
        )

    @property
    def manner(self) -> Manner:
        """How its posts are brought."""
        return Manner(
            mode=self.mode,
            follow=self.follow,
            every=self.every,
            at=self.at,
            quiet=self.quiet,
            budget=self.budget,
            burst=self.burst,
        )

    def options_for(self, adapter: str) -> str:
        """What it chooses for itself at an adapter, as a JSON object; empty: nothing."""
        return self._options.get(adapter, "")

    def choosing(self, options: Mapping[str, str]) -> SubscriptionConfig:
        """The same, with what it chooses for itself at each adapter."""
        chosen = self.model_copy()
        chosen._options = MappingProxyType(dict(options))  # noqa: SLF001 - a copy of our own
        return chosen
