"""The pages: a thread reads as one text, with no script, no cookie and no trace of its reader."""

from relay.web.server import Web

__all__ = ["Web"]
