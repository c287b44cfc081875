"""Each option of a subscription is declared once: what is made of the table has all of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relay.chat.subscribing import options_in
from relay.config.subscriptions import SubscriptionConfig
from relay.core.commands import spec
from relay.core.option_types import changes, parse, text_of
from relay.i18n import words
from relay.model import Destination
from relay.options import DELIVERY_OPTIONS, FILTERS, NO_FILTERS, USUAL_DELIVERY, DeliveryOptions, Filters, Kind, Option
from relay.ports import Answer
from relay.records import Wanted
from relay.store.subscriptions import choices, read_delivery_options, read_filters

TYPED = {
    Kind.LANGUAGES: "es, qu",
    Kind.WORDS: "rope, grass bridge",
    Kind.PATTERN: "rope|bridge",
    Kind.BLOCK: "@sami@ayllu.example, plaza.example",
    Kind.AGE: "30d",
    Kind.PERIOD: "6h",
    Kind.NUMBER: "3",
    Kind.TIME: "08:00 America/Lima",
    Kind.HOURS: "22:00-07:00 America/Lima",
}
ALL = [*FILTERS.items(), *DELIVERY_OPTIONS.items()]
each = pytest.mark.parametrize(("name", "option"), ALL, ids=[name for name, _ in ALL])


def typed(option: Option) -> str:
    """Something else than the default, as it would be typed."""
    others = (value for value, _ in option.choices if value != option.default)
    return next(others) if option.kind is Kind.CHOICE else TYPED[option.kind]


def usual(name: str) -> Filters | DeliveryOptions:
    return NO_FILTERS if name in FILTERS else USUAL_DELIVERY


def changed(name: str, option: Option) -> Any:
    """The record with this one set, as a person in a chat sets it."""
    before: Any = usual(name)
    after = options_in({name: typed(option)}, before, words("en"))
    assert not isinstance(after, Answer)
    return after


@each
def test_what_is_typed_is_read_and_written_as_it_was(name: str, option: Option) -> None:
    assert text_of(parse(option, typed(option))) == typed(option)
    assert changes(usual(name), changed(name, option)) == {name: typed(option)}


@each
def test_both_commands_take_it(name: str, option: Option) -> None:
    for command in ("subscribe", "settings"):
        found = spec(command)
        assert found is not None
        (parameter,) = [one for one in found.parameters if one.name == name]
        assert (parameter.summary, parameter.choices) == (option.summary, option.choices)


@each
def test_a_file_says_the_same(name: str, option: Option) -> None:
    value = int(typed(option)) if option.kind is Kind.NUMBER else typed(option)
    if option.kind in {Kind.LANGUAGES, Kind.WORDS, Kind.BLOCK}:
        value = typed(option).split(", ")  # type: ignore[assignment]  # a list, as in TOML
    one = SubscriptionConfig.model_validate({"topic": "#a", "to": "x", name: value})
    assert (one.filters if name in FILTERS else one.delivery_options) == changed(name, option)


@each
def test_the_store_keeps_it(name: str, option: Option) -> None:
    record = changed(name, option)
    wanted = Wanted(
        topic="#a", destination=Destination("x"), **{"filters" if name in FILTERS else "delivery_options": record}
    )
    row: Any = SimpleNamespace(**choices(wanted))
    assert (read_filters(row) if name in FILTERS else read_delivery_options(row)) == record


@each
def test_people_are_told_of_it_in_their_language(name: str, option: Option) -> None:
    for text in (option.summary, *option.labels.values(), option.short, option.unset):
        assert not text or words("es")(text) != text, text


@each
def test_the_example_explains_it(name: str, option: Option) -> None:
    example = (Path(__file__).parents[1] / "config.example.toml").read_text(encoding="utf-8")
    assert f"\n{name} = " in example or f"\n#{name} = " in example
    assert name in tomllib.loads(example)["subscriptions"][0] or option.default is None


@each
def test_a_filter_is_asked_of_the_post_or_counted(name: str, option: Option) -> None:
    assert (option.passes is not None) == (name in FILTERS and name != "per_hour")
    assert bool(option.short or option.labels) or name not in FILTERS
