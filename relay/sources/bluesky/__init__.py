"""Bluesky: hashtags by its firehose or by search, accounts, threads, and who mentions us.

``source`` is the shell. ``shapes``, ``facets``, ``embeds``, ``labels`` and ``records`` (JSON to posts), ``address``,
``answers``, ``place``, ``reply``, ``conversation`` and, of the streams, ``firehose`` and ``jetstream_place`` are pure.
"""

from __future__ import annotations

from relay.plugins import Plugin
from relay.sources.bluesky.settings import BlueskySettings
from relay.sources.bluesky.source import BlueskySource

__all__ = ["BlueskySettings", "BlueskySource", "plugin"]

plugin = Plugin(BlueskySettings, BlueskySource, colour=0x1185FE)
