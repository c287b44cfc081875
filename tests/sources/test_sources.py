"""Every source keeps the promises of the seam."""

from __future__ import annotations

from relay.http import Http, HttpSettings
from relay.plugins import Host, load
from relay.ports import Source
from relay.testing import FakeSource, SourceContract


def built(name: str) -> Source:
    plugin = load("sources", name)
    source: Source = plugin.build(plugin.settings(), Host(http=Http(HttpSettings(), user_agent="test"), name="test"))
    return source


class TestRss(SourceContract):
    def make(self) -> Source:
        return built("rss")


class TestMastodon(SourceContract):
    def make(self) -> Source:
        return built("mastodon")


class TestFake(SourceContract):
    def make(self) -> Source:
        return FakeSource()
