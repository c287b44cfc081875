"""What a homeserver's refusals mean for a delivery and for its room: a table."""

from __future__ import annotations

from datetime import timedelta

from adapters.matrix.api import Failed
from adapters.matrix.calls import REFUSED_FOR
from relay.i18n import Words, later
from relay.model import Action, Delivery
from relay.ports import Gone, Outcome, Refused, TryLater, Unknown

UNRELATED = ("relation to unknown event", "cannot start threads from an event with a relation")
"""What a message was to continue is not there any more, or is no place for a thread: it can stand by itself."""
ENCRYPTED = later(
    "I can't post in encrypted rooms, and this room is encrypted. Invite me to a room without encryption."
)

_OUT = later("I am not in this room. Invite me again, then use {resume}.")
_NO_POWER = later("I can't post here: my power level is too low. Give me a higher one, then use {resume}.")
_NO_ROOM = later("This room no longer exists. Invite me to another one.")
OUT = ("not in room", "not joined", "not in the room")
_CLOSED: tuple[tuple[str, str], ...] = (
    *((words, _OUT) for words in OUT),
    ("has been banned", _OUT),
    ("is banned", _OUT),
    ("don't have permission", _NO_POWER),
    ("do not have permission", _NO_POWER),
    ("power level", _NO_POWER),
)
_ACCOUNT = frozenset({"M_USER_LOCKED", "M_USER_SUSPENDED", "M_USER_DEACTIVATED", "M_RESOURCE_LIMIT_EXCEEDED"})
"""It is the account that is closed, or the whole homeserver; no room is to blame."""
_LATER = timedelta(minutes=1)


def says(failed: object, words: tuple[str, ...]) -> bool:
    """Whether the homeserver refused it with one of these words."""
    if not isinstance(failed, Failed) or not 400 <= failed.status < 500:
        return False
    told = failed.reason.casefold()
    return any(one in told for one in words)


def vanished(failed: object) -> bool:
    """The message that was to be changed is not there any more."""
    return isinstance(failed, Failed) and (failed.code == "M_NOT_FOUND" or says(failed, UNRELATED))


def refuses_picture(failed: object) -> bool:
    """Whether the homeserver, which took the words a moment ago, said no to a picture beside them.

    A refusal that names no reason why the room would be closed is one, whatever its code.
    """
    if not isinstance(failed, Failed) or not failed.code or not 400 <= failed.status < 500:
        return False
    if failed.limited or failed.unauthorized or failed.code in _ACCOUNT | {"M_NOT_FOUND", "M_UNRECOGNIZED"}:
        return False
    return not any(words in failed.reason.casefold() for words, _ in _CLOSED)


def closed(failed: Failed, say: Words, prefix: str) -> str:
    """Why the room is gone or closed to us, in words for people; empty: it is not."""
    if failed.code == "M_NOT_FOUND":
        return say(_NO_ROOM)
    if failed.code != "M_FORBIDDEN":
        return ""
    told = failed.reason.casefold()
    known = next((say(reason) for words, reason in _CLOSED if words in told), "")
    unknown = say("I can't post here: {reason}. Change that, then use {resume}.")
    resume = f"{prefix} resume"
    return known.format(resume=resume) if known else unknown.format(reason=failed.reason, resume=resume)


def outcome_of(failed: Failed | TryLater, delivery: Delivery, say: Words, prefix: str) -> Outcome:
    """The outcome of a failed call."""
    if isinstance(failed, TryLater):
        return failed
    if failed.limited:
        return TryLater(failed.reason, failed.after)
    if failed.unauthorized or failed.code in _ACCOUNT:
        return TryLater(f"the homeserver refuses the account: {failed.reason}", REFUSED_FOR)
    if reason := closed(failed, say, prefix):
        return Gone(reason)
    if not failed.code or failed.code == "M_UNRECOGNIZED" or failed.status >= 500:
        return _in_doubt(failed, delivery)
    return Refused(f"the homeserver refuses it: {failed.reason} ({failed.code})")


def _in_doubt(failed: Failed, delivery: Delivery) -> Outcome:
    """No answer, or none of a homeserver's: a proxy in front of it, perhaps. It comes again under the same id."""
    if failed.maybe and delivery.action is Action.SEND:
        return Unknown(failed.reason)
    return TryLater(failed.reason, _LATER if 300 <= failed.status < 500 else failed.after)
