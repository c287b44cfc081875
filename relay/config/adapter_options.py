"""What a subscription chooses for itself at the adapters that it goes to: keys beside its own that only they read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from relay.config.errors import Report
from relay.config.lines import Key
from relay.settings import Settings

Models = Mapping[str, type[Settings] | None]
"""Of each adapter that is in use, what a subscription may choose there; None: nothing."""


def take_options(entries: object, own: Collection[str], models: Models, report: Report) -> list[dict[str, str]]:
    """Take the options out of the ``subscriptions`` as they were read, and give them back as JSON by adapter.

    What is no subscription, and a key that is nobody's, is left for the model to complain of; here more is said of it.
    """
    return [
        _Taking(entry, own, models, ("subscriptions", number), report).take() if isinstance(entry, dict) else {}
        for number, entry in enumerate(entries if isinstance(entries, list) else ())
    ]


@dataclass(frozen=True, slots=True)
class _Taking:
    """One subscription."""

    entry: dict[str, Any]
    own: Collection[str]
    models: Models
    key: Key
    report: Report

    def take(self) -> dict[str, str]:
        adapters = sorted(set(self._adapters()))
        chosen: dict[str, dict[str, Any]] = {}
        for name in [name for name in self.entry if name not in self.own]:
            readers = [adapter for adapter in adapters if name in self._options(adapter)]
            for adapter in readers:
                chosen.setdefault(adapter, {})[name] = self.entry[name]
            if readers or not self._complain(name, adapters):
                del self.entry[name]
        return {adapter: self._read(adapter, values) for adapter, values in chosen.items()}

    def _adapters(self) -> Iterator[str]:
        """Those that it names, as far as that can be read."""
        to = self.entry.get("to")
        for destination in to if isinstance(to, list) else [to]:
            if isinstance(destination, str):
                yield destination.strip().partition(":")[0]

    def _options(self, adapter: str) -> Iterable[str]:
        model = self.models.get(adapter)
        return model.model_fields if model else ()

    def _read(self, adapter: str, values: dict[str, Any]) -> str:
        model = self.models[adapter] or Settings
        try:
            return model.model_validate(values).model_dump_json(exclude_unset=True)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                placed = cast(ErrorDetails, {**detail, "loc": (*self.key, *detail["loc"])})
                self.report.add_invalid(placed, model, {"subscriptions": {self.key[1]: values}})
            return ""

    def _complain(self, name: str, adapters: Collection[str]) -> bool:
        """Say of a key that nobody here knows whose option it is, or is like; False: it may be right."""
        options = {option: owner for owner in (*sorted(self.models), *adapters) for option in self._options(owner)}
        if name in options:
            here = f"is an option of `{options[name]}`, to which this subscription does not go"
            self.report.add((*self.key, name), here)
            return True
        near = next(iter(get_close_matches(name, [*self.own, *options], n=1)), "")
        of = f", an option of `{options[near]}`" if near in options else ""
        if not near and not self.models.keys() >= set(adapters):
            return False  # an adapter that is not there, as is told at ``to``, may be the one that knows it
        self.report.add((*self.key, name), "unknown key", f"did you mean `{near}`{of}?" if near else "")
        return True
