"""REST about webhooks: those of channels, and those by which interactions are followed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.discord import messages
from tests.servers.discord.channels import post_in_forum
from tests.servers.discord.refusal import Refusal, check_length, check_url
from tests.servers.discord.rest import Answer, Ask, Routes
from tests.servers.discord.rules import check_edit, check_message, check_webhook_name
from tests.servers.discord.things import FORUM, THREADS, Channel, Json, Permission, Webhook
from tests.servers.discord.world import World

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer

routes = Routes()


@routes("POST", "/channels/*/webhooks")
def create_webhook(world: World, ask: Ask) -> Answer:
    channel = world.allowed(ask.ids[0], Permission.MANAGE_WEBHOOKS)
    if channel.kind in THREADS:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    check_webhook_name(ask.fields.get("name"))
    if len(world.webhooks(channel)) >= 15:
        raise Refusal(400, 30007, "Maximum number of webhooks reached (15)")
    return 200, world.add_webhook(channel, name=ask.fields["name"], ours=True).json


@routes("GET", "/channels/*/webhooks")
def list_webhooks(world: World, ask: Ask) -> Answer:
    channel = world.allowed(ask.ids[0], Permission.MANAGE_WEBHOOKS)
    return 200, [hook.json for hook in world.webhooks(channel)]


@routes("GET", "/webhooks/*")
def get_by_id(world: World, ask: Ask) -> Answer:
    hook = world.hooks.get(ask.ids[0])
    if hook is None:
        raise Refusal(404, 10015, "Unknown Webhook")
    world.allowed(hook.channel_id, Permission.MANAGE_WEBHOOKS)
    return 200, hook.json


@routes("DELETE", "/webhooks/*")
def delete_by_id(world: World, ask: Ask) -> Answer:
    get_by_id(world, ask)
    world.remove_webhook(ask.ids[0])
    return 204, None


def _hook(world: World, ask: Ask) -> Webhook:
    hook = world.hooks.get(ask.ids[0])
    if hook is None or hook.channel.gone:
        raise Refusal(404, 10015, "Unknown Webhook")
    if hook.token != ask.ids[1]:
        raise Refusal(401, 50027, "Invalid Webhook Token")
    return hook


@routes("GET", "/webhooks/*/*", bot=False)
def get_webhook(world: World, ask: Ask) -> Answer:
    hook = _hook(world, ask)
    return 200, {key: value for key, value in hook.json.items() if key != "user"}


@routes("DELETE", "/webhooks/*/*", bot=False)
def delete_webhook(world: World, ask: Ask) -> Answer:
    world.remove_webhook(_hook(world, ask))
    return 204, None


@routes("POST", "/webhooks/*/*", bucket="webhook", bot=False)
def execute(server: DiscordServer, ask: Ask) -> Answer:
    """Wait or not: the answer is 200 with the message, or 204."""
    if ask.ids[0] == server.application_id:
        return 200, server.interaction(ask.ids[1]).follow_up(ask.fields)
    made = _execute(server, _hook(server, ask), ask)
    return (200, made) if ask.query.get("wait", "").lower() in ("true", "1") else (204, None)


def _execute(world: World, hook: Webhook, ask: Ask) -> Json:
    body = dict(ask.fields)
    if hook.application_id is None and ask.query.get("with_components", "").lower() not in ("true", "1"):
        body.pop("components", None)  # Discord ignores them then
    _check_look(body)
    check_message(body, links_only=hook.application_id is None)
    where = _where(world, hook, ask)
    more = {"webhook_id": hook.id, "application_id": hook.application_id}
    if where.kind == FORUM:
        check_length(body.get("thread_name"), "thread_name", 1, 100)
        made: Json = post_in_forum(world, where, body, body, _author(hook, body), **more)["message"]
        return made
    body.pop("nonce", None)  # it means nothing here
    return messages.add(world, where, messages.make(world, where, _author(hook, body), body, **more))


def _check_look(body: Json) -> None:
    if body.get("username") is not None:
        check_webhook_name(body["username"], "username")
    if body.get("avatar_url"):
        check_url(body["avatar_url"], "avatar_url")


def _where(world: World, hook: Webhook, ask: Ask) -> Channel:
    """The channel or the thread that is meant; a forum needs the one or the other, nothing else takes a name."""
    named, thread_id = ask.fields.get("thread_name"), ask.query.get("thread_id")
    if thread_id is None:
        if hook.channel.kind == FORUM and not named:
            raise Refusal(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
        if hook.channel.kind != FORUM and named:
            raise Refusal(400, 220003, "Webhooks can only create threads in forum channels")
        return hook.channel
    if named:
        raise Refusal(400, 220002, "Webhooks posted to forum channels cannot have both a thread_name and thread_id")
    thread = world.channels.get(thread_id)
    if thread is None or thread.gone or thread.parent is not hook.channel:
        raise Refusal(404, 10003, "Unknown Channel")
    if thread.locked:
        raise Refusal(400, 50083, "Thread is archived")
    return thread


def _author(hook: Webhook, body: Json) -> Json:
    name = body.get("username") or hook.name
    author = {"id": hook.id, "username": name, "global_name": None, "bot": True, "discriminator": "0000"}
    return {**author, "avatar": "0" * 32 if body.get("avatar_url") else None, "public_flags": 0}


def _message(world: World, hook: Webhook, ask: Ask) -> tuple[Channel, Json]:
    where = world.channels.get(ask.query["thread_id"]) if "thread_id" in ask.query else hook.channel
    if where is None or where.gone or where.home is not hook.channel:
        raise Refusal(404, 10003, "Unknown Channel")
    message = messages.find(where, ask.ids[2])
    if message.get("webhook_id") != hook.id:
        raise Refusal(404, 10008, "Unknown Message")
    return where, message


@routes("GET", "/webhooks/*/*/messages/*", bot=False)
def get_message(server: DiscordServer, ask: Ask) -> Answer:
    if ask.ids[0] == server.application_id:
        return 200, server.interaction(ask.ids[1]).shown(ask.ids[2])
    return 200, _message(server, _hook(server, ask), ask)[1]


@routes("PATCH", "/webhooks/*/*/messages/*", bucket="webhook edit", bot=False)
def edit_message(server: DiscordServer, ask: Ask) -> Answer:
    if ask.ids[0] == server.application_id:
        return 200, server.interaction(ask.ids[1]).edit(ask.ids[2], ask.fields)
    hook = _hook(server, ask)
    where, message = _message(server, hook, ask)
    body = dict(ask.fields)
    if hook.application_id is None and ask.query.get("with_components", "").lower() not in ("true", "1"):
        body.pop("components", None)
    if where.archived:
        raise Refusal(400, 50083, "Thread is archived")
    check_edit(message, body)
    return 200, messages.edit(server, where, message, body)


@routes("DELETE", "/webhooks/*/*/messages/*", bucket="webhook edit", bot=False)
def delete_message(server: DiscordServer, ask: Ask) -> Answer:
    if ask.ids[0] == server.application_id:
        server.interaction(ask.ids[1]).remove(ask.ids[2])
        return 204, None
    where, message = _message(server, _hook(server, ask), ask)
    messages.remove(server, where, message["id"])
    return 204, None
