"""What several tests share with those of mastodon home."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from relay.model import Post
from relay.sources.mastodon.about import About
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.home import Homes
from relay.sources.mastodon.parse import read_post
from tests.servers.mastodon.fediverse import Fediverse, Json
from tests.support.fetching import client


@asynccontextmanager
async def asking_homes(stage: Fediverse, patience: float = 5.0) -> AsyncIterator[Homes]:
    async with client() as http:
        yield Homes(About(MastodonApi(http, (stage.base,))), patience=timedelta(seconds=patience))


def read(stage: Fediverse, status: Json) -> Post:
    post = read_post(json.dumps(status).encode(), stage.base)
    assert post
    return post
