"""What an operator sets for Matrix, and what one subscription may choose for itself."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator

from relay.settings import Settings

User = Annotated[str, Field(pattern=r"^@[^\s:]+:\S+$")]
Inviter = Annotated[str, Field(pattern=r"^(\*|@[^\s:]+:\S+|[^\s@/:]+(:\d+)?)$")]


def _or_none(value: object) -> object:
    """An empty one is none."""
    return None if value == "" else value


Key = Annotated[SecretStr | None, BeforeValidator(_or_none)]


class MatrixSettings(Settings):
    """``[adapters.matrix]``."""

    homeserver: Annotated[str, Field(pattern=r"^https?://[^\s{}]+$")]
    """Where its client API is: ``https://matrix.example``."""
    user: User
    """Who the bot is there: ``@relay:example.org``."""
    token: Key = None
    """Its access token, of the device below."""
    password: Key = None
    """Or its password: it is logged in at each start, always as the same device."""
    device_id: Annotated[str, Field(pattern=r"^[\w.+/=-]{1,128}$")] = "CHASQUI"
    """The device for life: what was sent once from a device is not sent twice from it."""
    invites: tuple[Inviter, ...] = ()
    """Who may invite the bot into rooms: users, servers, or ``*`` for everybody; owners always may."""
    owners: tuple[User, ...] = ()
    """The only people who may use the relay in direct rooms; empty: all who may invite it."""
    prefix: Annotated[str, Field(pattern=r"^\S{1,32}$")] = "!relay"
    """What a command begins with."""
    power: Annotated[int, Field(ge=0)] = 50
    """The power level in a room from which on people may manage what comes into it."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.token is None) == (self.password is None):
            raise ValueError("expected either token (or token_file) or password (or password_file)")
        return self


class MatrixOptions(Settings):
    """What one subscription may choose; None: no."""

    notify: bool | None = None
    """Its posts ring, as what people write does."""

    @classmethod
    def read(cls, text: str) -> MatrixOptions:
        """The options of a delivery; what another version wrote and this one cannot read is as if not chosen."""
        try:
            return cls.model_validate_json(text) if text else cls()
        except ValidationError:
            return cls()


def may_invite(settings: MatrixSettings, user: str) -> bool:
    """Whether somebody may bring the relay into a room: an owner, one who is named, anybody of a server that is."""
    by_server = server_of(user).casefold() in {one.casefold() for one in settings.invites}
    return user in settings.owners or user in settings.invites or by_server or "*" in settings.invites


def server_of(user: str) -> str:
    """Everything behind the first colon: a port belongs to it."""
    return user.partition(":")[2]
