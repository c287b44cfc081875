"""``[sources.mastodon]``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator

from relay.plugins import Duration, Settings

_Span = Annotated[Duration, Field(gt=timedelta(0))]
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*(?::\d{1,5})?")


class MastodonSettings(Settings):
    """Which servers are asked, and how often."""

    instances: tuple[str, ...] = Field(default=("https://mastodon.social",), min_length=1)
    """The servers whose hashtags are read; they are also asked for accounts that their own server does not show."""
    interval: _Span = timedelta(seconds=60)
    """How often a hashtag or an account is read. Servers keep their answers for 15 s, so less brings nothing."""
    sweep: _Span = timedelta(minutes=5)
    """How often the newest relayed posts are checked for edits and deletions."""

    @field_validator("instances")
    @classmethod
    def _normalise(cls, instances: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(instance_address(instance) for instance in instances))


def instance_address(text: str) -> str:
    """``https://host``, of what a person wrote to name a server; ``ValueError`` with the reason where it names none."""
    scheme, _, host = text.strip().lower().rpartition("://")
    host = host.rstrip("/")
    if scheme not in {"", "http", "https"} or not _HOST.fullmatch(host):
        raise ValueError(f"{text!r} is no address of a server; write it like https://mastodon.social")
    return f"{scheme or 'https'}://{host}"
