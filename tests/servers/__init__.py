"""Servers of our own that run on loopback, for any test."""
