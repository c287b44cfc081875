"""Mastodon and the servers that speak its API, and Misskey with its kin: hashtags, accounts, threads.

``source`` is the shell, with ``api``, ``about``, ``lookup``, ``timeline``, ``thread``, ``recheck``, ``instance``,
``line`` and ``live``; everything else is pure. One source for all of them: a hashtag is one thing over all servers of
the fediverse, and what runs on a server is found by asking it (NodeInfo), not by configuring it.
"""

from __future__ import annotations

from relay.plugins import Host, Plugin
from relay.sources.mastodon.budget import Budgets
from relay.sources.mastodon.settings import MastodonSettings
from relay.sources.mastodon.source import MastodonSource

__all__ = ["MastodonSettings", "MastodonSource", "plugin"]


def _build(settings: MastodonSettings, host: Host) -> MastodonSource:
    return MastodonSource(settings, host.http, host.notes, budgets=Budgets(here=1_000))


plugin = Plugin(MastodonSettings, _build, colour=0x6364FF)
