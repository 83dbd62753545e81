"""The thin frontend: Telegram's updates in, answers to the engine out."""

import shared.telegram  # noqa: F401 - settles python-telegram-bot's options before it is imported
