"""What happens after the play: its readers have their turn. Pure data, as the script is.

The author goes on without the hashtag; somebody asks for the thread's page; many greet at once; and one of the cast
would rather not be kept.
"""

from __future__ import annotations

from datetime import UTC, datetime

from relay.demo.stage.entities import Person
from relay.demo.stage.script import AUTHOR, Say

RELAY = Person(
    username="chasqui",
    name="Chasqui",
    note="Carries threads from plaza to plaza. A character in a play.",
    joined=datetime(2024, 5, 3, tzinfo=UTC),
)
GREETINGS = "SaludosAlPuente"

POSTSCRIPT = Say(
    at=0.0,
    author=AUTHOR,
    name="postscript",
    reply_to="crossing",
    text="P.S. Somebody asks whether it will hold. It will hold for a year. That is what it is for.",
)
REQUEST = Say(
    at=0.0,
    author="haruka",
    name="request",
    reply_to="postscript",
    text="@chasqui unroll",
)
FAREWELL = Say(at=0.0, author="tomas", name="farewell", visibility="direct", text="@chasqui stop")

_WHENCE = (
    *("Nagasaki", "Amman", "Arequipa", "Lyon", "Nairobi", "Cork", "Hanoi", "Puno", "Québec", "Tbilisi", "Malmö"),
    *("Oaxaca", "Dakar", "Perth"),
)
GREETED: tuple[Say, ...] = tuple(
    Say(
        at=0.0,
        author="salma" if number % 2 else "haruka",
        name=f"greeting-{number}",
        text=f"{place} greets the bridge! #{GREETINGS}",
    )
    for number, place in enumerate(_WHENCE)
)
