"""Fixtures for every test."""

from tests.databases import *  # noqa: F403 - fixtures are found by their names
from tests.servers.masto import masto

__all__ = ["masto"]
