"""RSS, Atom and JSON feeds: asked politely, parsed apart, compared with what was read before, told of by their hubs."""

from __future__ import annotations

from relay.plugins import Host, Plugin
from relay.sources.rss.source import RssSettings, RssSource


def _build(settings: RssSettings, host: Host) -> RssSource:
    return RssSource(settings, host.http, hooks=host.hooks, notes=host.notes)


plugin = Plugin(RssSettings, _build, colour=0xEE802F)

__all__ = ["RssSettings", "RssSource", "plugin"]
