"""Carries out what people ask in the chats: the inbox of every adapter.

``subscribing`` changes, ``showing`` looks, ``suggesting`` helps to type; ``services`` is what all use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from relay.chat.answers import failed
from relay.chat.services import Services
from relay.chat.showing import preview, show_help, status, subscriptions, unroll
from relay.chat.subscribing import pause, resume, settings, subscribe, unsubscribe
from relay.chat.suggesting import Suggestions
from relay.core.commands import mistake_in, spec
from relay.i18n import Words, words
from relay.log import get_logger
from relay.model import Destination
from relay.phrases import line
from relay.ports import Answer, Command, Question, Suggestion
from relay.records import StoreError

__all__ = ["Handlers", "Services"]

log = get_logger(__name__)

Handler = Callable[[Services, Command, Words], Awaitable[Answer]]

HANDLERS: Mapping[str, Handler] = {
    "subscribe": subscribe,
    "unsubscribe": unsubscribe,
    "subscriptions": subscriptions,
    "pause": pause,
    "resume": resume,
    "preview": preview,
    "unroll": unroll,
    "settings": settings,
    "status": status,
    "help": show_help,
}


class Handlers:
    """Implements :class:`relay.ports.Inbox`: nothing here raises."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._suggestions = Suggestions(services)

    async def answer(self, command: Command) -> Answer:
        say = words(command.language)
        try:
            return await self._carry_out(command, say)
        except StoreError as error:
            log.warning("a command waits for the store", command=command.name, reason=str(error))
            return failed(
                line(say("The relay's database is not answering. Nothing was changed. Please try again in a minute."))
            )
        except Exception:
            log.exception("a command ended in a bug", command=command.name, destination=str(command.destination))
            return failed(
                line(say("That hit a bug in the relay. No posts were lost. The details are in the relay's log."))
            )

    async def _carry_out(self, command: Command, say: Words) -> Answer:
        if mistake := mistake_in(command.name, command.arguments, say):
            return failed(line("{text}", text=mistake.text))
        asked = spec(command.name)
        if asked and asked.manages and not command.may_manage:
            return failed(line(say("Only people who can manage the channel may do that. Please ask one of them.")))
        return await HANDLERS[command.name.casefold()](self._services, command, say)

    async def suggest(self, question: Question) -> Sequence[Suggestion]:
        try:
            return await self._suggestions.get(question)
        except StoreError as error:
            log.warning("a suggestion waits for the store", reason=str(error))
        except Exception:
            log.exception("a suggestion ended in a bug", command=question.command, parameter=question.parameter)
        return ()

    async def lost(self, destinations: Collection[Destination], reason: str) -> None:
        try:
            paused = await self._services.store.save_lost(destinations, reason)
        except StoreError as error:
            log.warning("a loss could not be noted; the next delivery finds it again", reason=str(error))
        except Exception:
            log.exception("a loss could not be noted", reason=reason)
        else:
            if paused:
                log.error("destinations are paused", destinations=", ".join(paused), reason=reason)
