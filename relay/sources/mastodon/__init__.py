"""Mastodon and the servers that speak its API: hashtags, accounts, threads.

``source`` is the shell; ``shapes``, ``parse``, ``address``, ``place``, ``answers`` and ``conversation`` are pure.
"""

from __future__ import annotations

from relay.plugins import Host, Plugin
from relay.sources.mastodon.settings import MastodonSettings
from relay.sources.mastodon.source import MastodonSource

__all__ = ["MastodonSettings", "MastodonSource", "plugin"]


def _build(settings: MastodonSettings, host: Host) -> MastodonSource:
    return MastodonSource(settings, host.http)


plugin = Plugin(MastodonSettings, _build, colour=0x6364FF)
