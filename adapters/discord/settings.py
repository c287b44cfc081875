"""What an operator sets for Discord, and what one subscription may choose for itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError

from relay.settings import Settings

Style = Literal["card", "embed", "webhook"]
"""Components V2; a classic embed; or Components V2 under the author's own name and picture."""


def _snowflake(value: object) -> object:
    """Discord's ids are numbers that TOML may hold as such."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _digits(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 20):
        raise ValueError("expected an id as Discord's “Copy ID” gives it: a number such as 1234567890123456789")
    return value


def _told(value: SecretStr) -> SecretStr:
    token = value.get_secret_value().strip()
    if not token or any(letter.isspace() for letter in token) or not token.isascii():
        raise ValueError("expected the bot's token: Developer Portal, your application, Bot, Reset Token")
    return SecretStr(token)


Snowflake = Annotated[str, BeforeValidator(_snowflake), AfterValidator(_digits)]


class DiscordSettings(Settings):
    """``[adapters.discord]``."""

    token: Annotated[SecretStr, AfterValidator(_told)]
    """The bot's token."""
    api_url: Annotated[str, Field(pattern=r"^https?://")] = "https://discord.com/api/v10"
    gateway_url: Annotated[str, Field(pattern=r"^wss?://")] = "wss://gateway.discord.gg"
    """As it stands here: the one that the API names, which may be another one at times."""
    guilds: tuple[Snowflake, ...] = ()
    """The only guilds to work in; empty: all that the bot was invited to."""
    style: Style = "card"
    crosspost: bool = False
    """Publish what is posted in announcement channels to those who follow them, ten times an hour at most."""


class DiscordOptions(Settings):
    """What one subscription may choose; None: as configured."""

    style: Style | None = None
    mention_role: Snowflake | None = None
    """The one role that a post of this subscription mentions."""
    crosspost: bool | None = None

    @classmethod
    def read(cls, text: str) -> DiscordOptions:
        """The options of a delivery; what another version wrote and this one cannot read is as if not chosen."""
        try:
            return cls.model_validate_json(text) if text else cls()
        except ValidationError:
            return cls()
