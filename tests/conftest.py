"""Fixtures for every test."""

from tests.databases import *  # noqa: F403 - fixtures are found by their names
from tests.servers.browser import axe
from tests.servers.epubcheck import epubcheck
from tests.servers.masto import masto
from tests.servers.synapse import synapse, usual_synapse

__all__ = ["axe", "epubcheck", "masto", "synapse", "usual_synapse"]
