"""What a client asks about the server and its own account: login, filters, account data, media."""

from __future__ import annotations

import json
import secrets

from aiohttp import web

from tests.servers.matrix.door import CLIENT, Operations, Request
from tests.servers.matrix.refusal import Json, Refusal, bad, forbidden, missing, too_large
from tests.servers.matrix.things import Upload
from tests.servers.matrix.world import World

operations = Operations()
_MEDIA = "/_matrix/media/v3"
_USER = f"{CLIENT}/user/{{user}}"


@operations("GET", "/_matrix/client/versions", public=True)
def versions(_world: World, _asked: Request) -> Json:
    return {"versions": ["r0.6.1", *(f"v1.{number}" for number in range(1, 13))], "unstable_features": {}}


@operations("GET", "/_matrix/federation/v1/version", public=True)
def server_version(_world: World, _asked: Request) -> Json:
    return {"server": {"name": "Synapse", "version": "1.163.2"}}


@operations("GET", f"{CLIENT}/login", public=True)
def login_flows(_world: World, _asked: Request) -> Json:
    return {"flows": [{"type": "m.login.password"}]}


@operations("POST", f"{CLIENT}/login", public=True)
def login(world: World, asked: Request) -> Json:
    """A token for the device that is named, or for a new one."""
    told = asked.json()
    if told.get("type") != "m.login.password":
        raise bad(f"Unknown login type {told.get('type')}")
    named = told.get("identifier", {})
    if named.get("type") != "m.id.user" or "password" not in told:
        raise bad("Missing identifier or password", "M_MISSING_PARAM")
    name = str(named.get("user"))
    user = name if name.startswith("@") else f"@{name}:{world.name}"
    if user not in world.people or world.people[user].password != told["password"]:
        raise forbidden("Invalid username or password")
    device = str(told.get("device_id") or secrets.token_hex(5).upper())
    return {
        "user_id": user,
        "device_id": device,
        "access_token": world.new_token(user, device),
        "home_server": world.name,
    }


@operations("GET", f"{CLIENT}/account/whoami")
def whoami(_world: World, asked: Request) -> Json:
    return {"user_id": asked.user, "device_id": asked.device, "is_guest": False}


@operations("PUT", f"{CLIENT}/presence/{{user}}/status")
def presence(_world: World, asked: Request) -> Json:
    _own(asked)
    return {}


# --- filters ---


def _own(asked: Request) -> None:
    if asked.params["user"] != asked.user:
        raise forbidden("Cannot do that for other users")


@operations("POST", f"{_USER}/filter")
def add_filter(world: World, asked: Request) -> Json:
    _own(asked)
    world.filters.append(asked.json())
    return {"filter_id": str(len(world.filters) - 1)}


@operations("GET", f"{_USER}/filter/{{filter}}")
def get_filter(world: World, asked: Request) -> Json:
    _own(asked)
    return filter_named(world, asked.params["filter"])


def filter_named(world: World, told: str) -> Json:
    """The filter: written out, or by the id that it was given."""
    if not told or told.startswith("{"):
        try:
            found = json.loads(told or "{}")
        except ValueError:
            raise bad("Invalid filter JSON", "M_NOT_JSON") from None
        return dict(found)
    if not told.isdigit() or int(told) >= len(world.filters):
        raise missing("No such filter")
    return world.filters[int(told)]


# --- account data ---


@operations("GET", f"{_USER}/account_data/{{type}}")
def get_account_data(world: World, asked: Request) -> Json:
    _own(asked)
    found = world.notes.get((asked.user, asked.room, asked.params["type"]))
    if found is None:
        raise missing("Account data not found")
    return found[1]


@operations("PUT", f"{_USER}/account_data/{{type}}")
def put_account_data(world: World, asked: Request) -> Json:
    _own(asked)
    world.place += 1
    world.notes[asked.user, asked.room, asked.params["type"]] = (world.place, asked.json())
    world.changed()
    return {}


@operations("GET", f"{_USER}/rooms/{{room}}/account_data/{{type}}")
def get_room_account_data(world: World, asked: Request) -> Json:
    found: Json = get_account_data(world, asked)
    return found


@operations("PUT", f"{_USER}/rooms/{{room}}/account_data/{{type}}")
def put_room_account_data(world: World, asked: Request) -> Json:
    if not asked.room.startswith("!"):
        raise bad(f"{asked.room} is not a valid room ID", "M_INVALID_PARAM")
    found: Json = put_account_data(world, asked)
    return found


# --- media ---


@operations("POST", f"{_MEDIA}/upload")
def upload(world: World, asked: Request) -> Json:
    if len(asked.raw) > world.upload_limit:
        raise too_large("Upload request body is too large")
    if world.quota_full:
        raise forbidden("Media upload limit exceeded")
    if not asked.raw:
        raise bad("Request must specify a Content-Length")
    url = f"mxc://{world.name}/{secrets.token_urlsafe(18)}"
    kind = asked.headers.get("Content-Type", "application/octet-stream")
    world.uploads[url] = Upload(url, asked.raw, kind, asked.query.get("filename", ""), asked.user)
    return {"content_uri": url}


@operations("GET", "/_matrix/client/v1/media/config", f"{_MEDIA}/config")
def media_config(world: World, _asked: Request) -> Json:
    return {"m.upload.size": world.upload_limit}


@operations("GET", *(f"/_matrix/client/v1/media/download/{{server}}/{{media}}{rest}" for rest in ("", "/{name}")))
def download(world: World, asked: Request) -> web.Response:
    found = world.uploads.get(f"mxc://{asked.params['server']}/{asked.params['media']}")
    if found is None:
        raise missing("Not found")
    return web.Response(body=found.data, headers={"Content-Type": found.type})


@operations("GET", *(f"{_MEDIA}/{what}/{{rest:.*}}" for what in ("download", "thumbnail")), public=True)
def old_download(_world: World, asked: Request) -> Json:
    raise Refusal(404, "M_NOT_FOUND", f"Not found {asked.path!r}")
