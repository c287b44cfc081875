"""``[sources.bluesky]``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator

from relay.settings import Duration, Settings

_Span = Annotated[Duration, Field(gt=timedelta(0))]
_HOST = r"[\w-]+(?:\.[\w-]+)*(?::\d{1,5})?"
_HANDLE = re.compile(r"@?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|did:[a-z]+:[A-Za-z0-9._:%-]+|[^@\s]+@[^@\s]+")

JETSTREAMS = tuple(
    f"wss://jetstream{number}.us-{coast}.bsky.network" for coast in ("east", "west") for number in (1, 2)
)
"""The public ones; each tells the whole network, so any of them will do."""


class BlueskySettings(Settings):
    """Whom to ask, and how often. Without an account everything works but the search for hashtags."""

    jetstream: tuple[str, ...] = JETSTREAMS
    """Where to listen for hashtags: one is listened to, the next one takes over when it fails. Empty: nowhere."""
    api_url: str = "https://public.api.bsky.app"
    """The AppView that tells visitors of posts and people."""
    directory_url: str = "https://plc.directory"
    """Where it is said on which server an account lives: long threads are read there besides."""
    pds_url: str = "https://bsky.social"
    """Where the account below signs in: its own server, or the entrance that leads there."""
    handle: str = ""
    """An account of your own, to search for hashtags with; empty: no account."""
    app_password: SecretStr = SecretStr("")
    """An app password of that account (Settings, Privacy and security, App passwords), never its real one."""
    keep_session: str = ""
    """A file in which the account's session outlives a restart; empty: none, and a restart signs in anew."""
    mentions: bool = False
    """Whether that account answers who mentions it below a thread: with the thread's page."""
    interval: _Span = timedelta(seconds=60)
    """How often an account or a hashtag is read."""
    sweep: _Span = timedelta(minutes=5)
    """How often the newest relayed posts are checked for changes and deletions."""

    @field_validator("jetstream")
    @classmethod
    def _listen(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_address(one, {"wss", "ws"}) for one in addresses))

    @field_validator("api_url", "directory_url", "pds_url")
    @classmethod
    def _ask(cls, address: str) -> str:
        return _address(address, {"https", "http"})

    @field_validator("handle")
    @classmethod
    def _name(cls, handle: str) -> str:
        text = handle.strip()
        if text and not _HANDLE.fullmatch(text):
            raise ValueError(f"{handle!r} is no handle; write it like relay.bsky.social")
        return text.removeprefix("@")

    @model_validator(mode="after")
    def _is_whole(self) -> BlueskySettings:
        if bool(self.handle) != bool(self.app_password.get_secret_value()):
            raise ValueError("handle and app_password belong together: give both, or neither")
        if self.mentions and not self.handle:
            raise ValueError("mentions are answered by an account: give its handle and app_password")
        return self


def _address(text: str, schemes: set[str]) -> str:
    """``scheme://host`` with the path left as it is; ``ValueError`` with the reason where it is none."""
    scheme, _, rest = text.strip().rstrip("/").partition("://")
    host = rest.partition("/")[0]
    if scheme.lower() not in schemes or not re.fullmatch(_HOST, host):
        raise ValueError(f"{text!r} is no address of a server; write it like {min(schemes, key=len)}s://host.example")
    return f"{scheme.lower()}://{host.lower()}{rest[len(host) :]}"
