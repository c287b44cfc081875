"""What several tests share with those of servers matrix rules."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def text(body: str = "hello", html: Any = None, **more: Any) -> Json:
    found: Json = {"msgtype": "m.notice", "body": body, "m.mentions": {}}
    if html is not None:
        found |= {"format": "org.matrix.custom.html", "formatted_body": html}
    return found | more


def related(kind: str, event: str, **more: Any) -> Json:
    return {"m.relates_to": {"rel_type": kind, "event_id": event, **more}}


def thread(root: str) -> Json:
    return related("m.thread", root, **{"m.in_reply_to": {"event_id": root}})


def edit(event: str, body: str = "other") -> Json:
    return text(f"* {body}", **{"m.new_content": text(body)}, **related("m.replace", event))
