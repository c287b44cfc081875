"""Telegram: rendering that is pure, a sender at Telegram's pace, and updates for commands, over python-telegram-bot."""

from adapters.telegram.adapter import Telegram, build
from adapters.telegram.settings import TelegramOptions, TelegramSettings
from relay.plugins import Plugin

plugin = Plugin(TelegramSettings, build, options=TelegramOptions)

__all__ = ["Telegram", "TelegramOptions", "TelegramSettings", "build", "plugin"]
