"""The account that people mention, where the operator lets it answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relay.ports import Account, Answered, Gone, Mention, Mentions, Refused, TryLater
from relay.sources.bluesky import answering, notices, ourselves
from relay.sources.bluesky.ourselves import Us
from relay.sources.bluesky.session import Session


@dataclass(slots=True)
class AccountVoice:
    """Speaks for the account of a session; without one for nobody. It remembers who that is."""

    session: Session | None
    us: Us | None = None

    def names(self) -> Sequence[str]:
        return (self.session.handle,) if self.session else ()

    async def introduce(self) -> Account | TryLater | Gone:
        """Who the account is; its profile says that it is a bot's, or the note why not."""
        known = await self._known()
        if not isinstance(known, tuple):
            return known
        note = await ourselves.mark(*known)
        return replace(known[1].account, note=note) if isinstance(note, str) else note

    async def hear(self, cursor: str) -> Mentions | TryLater | Gone:
        known = await self._known()
        if not isinstance(known, tuple):
            return known
        session, us = known
        return await notices.read_on(session, us.did, cursor)

    async def answer(
        self, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        known = await self._known()
        if not isinstance(known, tuple):
            return known
        session, us = known
        return await answering.answer(session, us.did, mention, text, key=key, again=again)

    async def _known(self) -> tuple[Session, Us] | TryLater | Gone:
        if self.session is None:
            return Gone("no account of Bluesky's is to answer (sources.bluesky.mentions)")
        if self.us is None:
            told = await ourselves.who(self.session)
            if not isinstance(told, Us):
                return told
            self.us = told
        return self.session, self.us
