"""What people write behind ``telegram:``: ``@channel``, ``-1001234567890``, ``-1001234567890/77``, ``12345``."""

from __future__ import annotations

import re
from dataclasses import dataclass

NO_CHAT = (
    "expected @name, or a chat's number such as -1001234567890, with /TOPIC behind it for one topic of a forum; "
    "/status in a chat tells its number"
)
_WRITTEN = re.compile(r"(-?[1-9]\d{0,15}|@[A-Za-z]\w{3,31})(?:/([1-9]\d{0,9}))?", re.ASCII)
_GENERAL = 1


@dataclass(frozen=True, slots=True)
class TelegramAddress:
    """A chat, by its number or its public ``@name``, and maybe one topic in it."""

    chat: int | str
    topic: int | None = None

    @classmethod
    def parse(cls, address: str) -> TelegramAddress | None:
        """None: no address of Telegram's."""
        found = _WRITTEN.fullmatch(address.strip())
        if found is None:
            return None
        # Telegram tells no capitals from small letters there: two ways to write it are one place.
        chat = found[1].lower() if found[1].startswith("@") else int(found[1])
        return cls(chat, int(found[2]) if found[2] else None)

    def __str__(self) -> str:
        return f"{self.chat}/{self.topic}" if self.topic is not None else str(self.chat)

    @property
    def thread(self) -> int | None:
        """The topic as Telegram wants it named: the general one has no number there."""
        return None if self.topic == _GENERAL else self.topic

    def moved(self, chat: int) -> TelegramAddress:
        """The same in a group that has become another chat."""
        return TelegramAddress(chat, self.topic)


def is_private(chat: int | str) -> bool:
    """Whether a chat is one person's: groups and channels have negative numbers, and names."""
    return isinstance(chat, int) and chat > 0
