"""What Telegram's messages are called in the store: ``text/CHAT/MESSAGE``; of an album each message has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from relay.kit import MessageIds
from relay.model import MessageId

Kind = Literal["text", "caption", "album", "rich"]
"""What an edit must know: how the words are held. An album has no buttons."""
_IDS = MessageIds("{kind}/{chat}/{message}", kind="|".join(get_args(Kind)), chat=r"-?\d{1,16}", message=r"\d{1,10}")


@dataclass(frozen=True, slots=True)
class TelegramMessage:
    """A message of ours."""

    kind: Kind
    chat: int
    message: int

    @classmethod
    def parse(cls, text: MessageId) -> TelegramMessage | None:
        """None: no message of ours."""
        if (found := _IDS.read(text)) is None:
            return None
        kind: Kind = found["kind"]  # type: ignore[assignment]  # the pattern has the kinds only
        return cls(kind, int(found["chat"]), int(found["message"]))

    @property
    def id(self) -> MessageId:
        return _IDS.write(kind=self.kind, chat=self.chat, message=self.message)
