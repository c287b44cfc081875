"""Chasqui: carries threads and hashtags from the open social web into the chats where people are."""

__version__ = "0.1.0"
