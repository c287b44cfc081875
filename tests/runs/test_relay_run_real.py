"""The real `relay run` against somebody else's server: mastodon-mock, and a feed, with three subscriptions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.servers.feeds import FeedServer
from tests.servers.masto import Masto
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import CONFIG, actions, database


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_every_public_post_arrives_once_in_order_and_edits_and_deletions_follow(
    tmp_path: Path, masto: Masto
) -> None:
    config = tmp_path / "relay.toml"
    async with FeedServer() as feeds:
        text = CONFIG.format(store=database(tmp_path), stage=masto.base)
        config.write_text(text.replace(f"{masto.base}/feed.xml", feeds.feed))
        old = [await masto.post("From before #bridge"), await masto.post("From before #harvest", user="bob")]
        old_item = feeds.add_item("Old news")
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 3)
            bridge = [await masto.post(f"Post {number} of the #bridge") for number in range(12)]
            harvest = [await masto.post(f"Potatoes, sack {number} #harvest", user="bob") for number in range(5)]
            both = await masto.post("On the #bridge with the #harvest")
            hidden = [
                await masto.post("For followers #bridge", visibility="private"),
                await masto.post("Off the lists #bridge", visibility="unlisted"),
                await masto.post("For one person #bridge", visibility="direct"),
            ]
            news = [feeds.add_item(f"News {number}") for number in range(4)]
            await relay.wait_until(lambda lines: len(actions(lines, "send")) >= 22)
            await masto.edit(bridge[3], "Post 3 of the #bridge, corrected")
            await masto.delete(bridge[4])
            feeds.edit_item(news[1], title="News 1, corrected")
            await relay.wait_until(
                lambda lines: len(actions(lines, "edit")) >= 2 and len(actions(lines, "delete")) >= 1
            )
            await asyncio.sleep(1)  # nothing more may come, and nothing tells when nothing comes
            assert await relay.stop() == 0
    sent = actions(relay.lines, "send")
    assert len(sent) == len(set(sent)) == 22
    assert [uri for uri in sent if uri in {post["uri"] for post in bridge}] == [post["uri"] for post in bridge]
    assert [uri for uri in sent if uri in {post["uri"] for post in harvest}] == [post["uri"] for post in harvest]
    assert [uri.split("urn:")[1] for uri in sent if uri.startswith("rss:")] == [guid.split("urn:")[1] for guid in news]
    assert both["uri"] in sent
    assert not {post["uri"] for post in old + hidden} & set(sent)
    assert not any(uri.endswith(old_item) for uri in sent)
    edits = [line for line in relay.lines if line["action"] == "edit"]
    assert {line["title"] or line["text"] for line in edits} == {
        "News 1, corrected",
        "Post 3 of the #bridge, corrected",
    }
    assert actions(relay.lines, "delete") == [bridge[4]["uri"]]
