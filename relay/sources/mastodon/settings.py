"""``[sources.mastodon]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from relay.settings import Duration, Settings

_Span = Annotated[Duration, Field(gt=timedelta(0))]
_TOKEN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*(?::\d{1,5})?")


class MastodonSettings(Settings):
    """Which servers are asked, and how often."""

    model_config = ConfigDict(hide_input_in_errors=True)  # there are tokens in it

    instances: tuple[str, ...] = Field(default=("https://mastodon.social",), min_length=1)
    """The servers whose hashtags are read; they are also asked for accounts that their own server does not show."""
    interval: _Span = timedelta(seconds=60)
    """How often a hashtag or an account is read. Servers keep their answers for 15 s, so less brings nothing."""
    sweep: _Span = timedelta(minutes=5)
    """How often the newest relayed posts are checked for edits and deletions."""
    tokens: Mapping[str, SecretStr] = Field(default_factory=dict)
    """For an instance, by its address: an account's access token with the scope ``read:statuses``.

    Such an instance tells of posts as they happen, shows what it hides from visitors, and is asked with the token.
    """

    mentions: tuple[str, ...] = ()
    """Instances, by their addresses, at which the account behind the token answers who mentions it.

    Such a token needs the scopes ``read:statuses``, ``read:accounts``, ``read:notifications`` and ``write:statuses``,
    and ``write:accounts`` to mark the account as a bot's, which a person can do as well.
    """

    @field_validator("instances", "mentions")
    @classmethod
    def _normalise(cls, instances: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(instance_address(instance) for instance in instances))

    @field_validator("tokens")
    @classmethod
    def _address(cls, tokens: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        if any(not _TOKEN.fullmatch(token.get_secret_value()) for token in tokens.values()):
            raise ValueError("an access token is letters, digits and marks, with no space in it")
        return {instance_address(instance): token for instance, token in tokens.items()}

    @model_validator(mode="after")
    def _belong(self) -> MastodonSettings:
        stray = ", ".join(instance for instance in self.tokens if instance not in self.instances)
        if stray:
            raise ValueError(f"there is a token for {stray}, which is not among the instances: name it there as well")
        mute = ", ".join(instance for instance in self.mentions if instance not in self.tokens)
        if mute:
            raise ValueError(f"to answer mentions at {mute} takes an account: put its token under tokens")
        return self


def instance_address(text: str) -> str:
    """``https://host``, of what a person wrote to name a server; ``ValueError`` with the reason where it names none."""
    scheme, _, host = text.strip().lower().rpartition("://")
    host = host.rstrip("/")
    if scheme not in {"", "http", "https"} or not _HOST.fullmatch(host):
        raise ValueError(f"{text!r} is no address of a server; write it like https://mastodon.social")
    return f"{scheme or 'https'}://{host}"
