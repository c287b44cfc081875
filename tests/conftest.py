"""Fixtures for every test."""

from tests.databases import *  # noqa: F403 - fixtures are found by their names
from tests.servers.browser import axe
from tests.servers.masto import masto
from tests.servers.synapse import synapse, usual_synapse

__all__ = ["axe", "masto", "synapse", "usual_synapse"]
