"""The shared bot: the client, the rate budget of the fleet, the sender of the outbox."""

import os

# Without it, python-telegram-bot answers a 429 with a deprecation warning instead of a timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "1")
