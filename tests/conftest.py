"""Fixtures for every test, and which of them run."""

import pytest
from hypothesis import HealthCheck, settings

from tests.servers.browser import axe
from tests.servers.epubcheck import epubcheck
from tests.servers.masto import masto
from tests.servers.synapse import synapse, usual_synapse
from tests.support.databases import *  # noqa: F403 - fixtures are found by their names
from tests.support.thorough import THOROUGH, examples

__all__ = ["axe", "epubcheck", "masto", "synapse", "usual_synapse"]

settings.register_profile(
    "ours",
    max_examples=examples(100),
    deadline=None,  # neither this nor that measures more than how busy the machine is
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ours")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if THOROUGH:
        return
    skipped = pytest.mark.skip(reason="a siege: set RELAY_TEST_REAL=1")
    for item in items:
        if item.get_closest_marker("siege"):
            item.add_marker(skipped)
