"""What an operator sets for Telegram, and what one subscription may choose for itself."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError

from relay.settings import Settings

_TOKEN = re.compile(r"\d+:[\w-]{30,}", re.ASCII)


def _told(value: SecretStr) -> SecretStr:
    token = value.get_secret_value().strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError("expected the bot's token as @BotFather gives it: a number, a colon and 35 letters or so")
    return SecretStr(token)


class TelegramSettings(Settings):
    """``[adapters.telegram]``."""

    token: Annotated[SecretStr, AfterValidator(_told)]
    """The bot's token."""
    api_url: Annotated[str, Field(pattern=r"^https?://[^\s{}]+$")] = "https://api.telegram.org"
    """Where the Bot API is; also that of a server of one's own."""
    webhook: bool = False
    """Telegram calls the relay at its public address, instead of being asked all the time."""
    owners: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """The only people who may use the relay in private chats, by their user ids; empty: everybody."""
    on_unknown: Literal["resend", "skip"] | None = None
    """What to do when nobody knows whether a message arrived; None: as ``[outbox]`` says."""


class TelegramOptions(Settings):
    """What one subscription may choose; None: no."""

    rich: bool | None = None
    """As one rich message, where Telegram has them: some clients cannot show those yet."""
    comments: bool | None = None
    """A thread goes on in the comments below its first post, where the channel has a discussion group."""
    silent: bool | None = None
    """Nobody's telephone rings."""

    @classmethod
    def read(cls, text: str) -> TelegramOptions:
        """The options of a delivery; what another version wrote and this one cannot read is as if not chosen."""
        try:
            return cls.model_validate_json(text) if text else cls()
        except ValidationError:
            return cls()
