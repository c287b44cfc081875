"""``[[subscriptions]]``: a topic, where its posts go, and which of them are wanted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    create_model,
)

from relay import plugins
from relay.config.errors import nearest
from relay.core.option_types import OLDEST, Wrong, check
from relay.model import Destination
from relay.options import DELIVERY_OPTIONS, FILTERS, DeliveryOptions, Filters, Option
from relay.options import Kind as OptionKind
from relay.plugins import Kind
from relay.settings import Duration, Settings


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


def _annotation(option: Option) -> Any:
    """What pydantic is to make of an option's key."""

    def kept(value: Any) -> Any:
        answer = check(option, value)
        if isinstance(answer, Wrong):
            raise ValueError(str(answer))  # noqa: TRY004  # pydantic reports ValueErrors
        return answer

    by_kind: Mapping[OptionKind, Any] = {
        OptionKind.CHOICE: type(next(iter(option.labels), None)),
        OptionKind.LANGUAGES: Annotated[tuple[LanguageTag, ...], BeforeValidator(_listed)],
        OptionKind.WORDS: Annotated[tuple[str, ...], BeforeValidator(_listed)],
        OptionKind.BLOCK: Annotated[tuple[str, ...], BeforeValidator(_listed)],
        OptionKind.AGE: Annotated[Duration, Field(ge=timedelta(0), le=OLDEST)],
        OptionKind.PERIOD: Duration,
        OptionKind.NUMBER: Annotated[int, Field(ge=option.least, le=option.most)],
    }
    plain = by_kind.get(option.kind, str)
    return Annotated[plain | None if option.default is None else plain, AfterValidator(kept)]


if TYPE_CHECKING:
    _Options = Settings
else:
    _Options = create_model(
        "_Options",
        __base__=Settings,
        **{name: (_annotation(one), one.default) for name, one in (DELIVERY_OPTIONS | FILTERS).items()},
    )


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


class SubscriptionConfig(_Options):
    """One of ``[[subscriptions]]``: a topic, where its posts go, and the options of :mod:`relay.options`.

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
    _options: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def filters(self) -> Filters:
        """Which posts it wants."""
        return Filters(**{name: getattr(self, name) for name in FILTERS})

    @property
    def delivery_options(self) -> DeliveryOptions:
        """How its posts are brought."""
        return DeliveryOptions(**{name: getattr(self, name) for name in DELIVERY_OPTIONS})

    def options_for(self, adapter: str) -> str:
        """What it chooses for itself at an adapter, as a JSON object; empty: nothing."""
        return self._options.get(adapter, "")

    def choosing(self, options: Mapping[str, str]) -> SubscriptionConfig:
        """The same, with what it chooses for itself at each adapter."""
        chosen = self.model_copy()
        chosen._options = MappingProxyType(dict(options))  # noqa: SLF001 - a copy of our own
        return chosen
