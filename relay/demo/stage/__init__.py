"""A stage for the demo: a server on loopback that plays a fediverse server and a newspaper, and a play for it."""

from relay.demo.stage.encore import FAREWELL, GREETED, GREETINGS, POSTSCRIPT, RELAY, REQUEST
from relay.demo.stage.entities import Draft, Person, Picture
from relay.demo.stage.pages import Item
from relay.demo.stage.play import GRACE, Expected, expected, open_stage, perform, set_scene
from relay.demo.stage.script import AUTHOR, HASHTAG, LENGTH, SCRIPT, Step
from relay.demo.stage.server import Stage

__all__ = [
    "AUTHOR",
    "FAREWELL",
    "GRACE",
    "GREETED",
    "GREETINGS",
    "HASHTAG",
    "LENGTH",
    "POSTSCRIPT",
    "RELAY",
    "REQUEST",
    "SCRIPT",
    "Draft",
    "Expected",
    "Item",
    "Person",
    "Picture",
    "Stage",
    "Step",
    "expected",
    "open_stage",
    "perform",
    "set_scene",
]
