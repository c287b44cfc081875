"""A loopback Matrix homeserver on 127.0.0.1, strict where the specification (v1.19) and Synapse are.

    async with MatrixServer() as server:  # rate=0.2, burst=10: Synapse's limiter; None: none
        sami = server.person("sami")  # .id, .token, .password; wherever somebody is meant, an id will do as well
        room = server.add_room(sami, name="Plaza", members=(server.bot,))  # .id, .events
        await server.say(room, sami, "!relay help")
        await server.wait_until(lambda: server.sent(room))

What a client needs: ``server.url``, ``name``, ``bot`` (its user id), ``token``, ``password``, ``device``.
People's deeds: ``invite``, ``join``, ``kick``, ``ban``, ``leave``, ``redact``, ``set_power``, ``set_state``,
``encrypt``, ``upgrade``, ``set_alias``, ``delete_alias``, ``remove_room``, ``revoke_token`` are plain calls;
``say``, ``edit``, ``next_sent``, ``polled``, ``heard`` and ``wait_until`` are awaited.
What the bot did: ``sent(room)`` as a member sees it now, ``bodies(room)`` its texts, ``raw(room)`` its events,
``uploads``, ``faulty`` (problems of what it sent: most tests should end with none), ``refused`` (what it should
not have asked), ``requests``, ``asked("send")``, ``too_many`` (refusals of the limiter).

``faults.add("send", LOST)`` takes an operation's name or a pattern. The operations: versions, login_flows, login,
whoami, sync, add_filter, get_filter, join, leave, forget, alias, joined_rooms, joined_members, members, send, redact,
event, messages, relations, all_state, get_state, put_state, upload, media_config, download, get_account_data,
put_account_data, get_room_account_data, put_room_account_data, server_version, presence, typing, receipt.
"""

from tests.servers.matrix.content import problems
from tests.servers.matrix.door import Request
from tests.servers.matrix.faults import LOST, RESET, Garbage, Limited, Refuse, Slow, Status
from tests.servers.matrix.markup import text_of
from tests.servers.matrix.server import MatrixServer
from tests.servers.matrix.things import Person, Room, Upload

__all__ = [
    "LOST",
    "RESET",
    "Garbage",
    "Limited",
    "MatrixServer",
    "Person",
    "Refuse",
    "Request",
    "Room",
    "Slow",
    "Status",
    "Upload",
    "problems",
    "text_of",
]
