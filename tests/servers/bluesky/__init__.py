"""Bluesky on loopback: a world of invented people, its XRPC servers and its streams."""
