"""What an author says of time: reminders, expiry, escalation."""

from typing import Any

from shared.steps.model import Step
from shared.steps.reading import Reading

NEEDS = {"expires_after": "on_expire", "escalate_after": "escalate_to"}
"""What is to happen after a time, and the key that says how."""


def read_times(reading: Reading) -> dict[str, Any]:
    """The fields of the step; what is wrong with them goes to the reading's problems."""
    to = reading.get("escalate_to")
    return {
        "reminder_after_s": reading.duration_s("reminder_after"),
        "expires_after_s": reading.duration_s("expires_after"),
        "on_expire": reading.get("on_expire") or None,
        "escalate_after_s": reading.duration_s("escalate_after"),
        "escalate_to": reading.chat("escalate_to", to) if to else None,
    }


def check_times(reading: Reading, step: Step) -> None:
    """Complain of a time without its consequence, of a consequence without its time, and of a notice's."""
    for after, how in NEEDS.items():
        if reading.get(after) and not reading.get(how):
            reading.complain(how, f"nothing is given, and {after} needs it", f"give {how}")
        # A time whose expression gives nothing just now is none; one that is not written down is forgotten.
        if reading.get(how) and not reading.is_written(after):
            reading.complain(after, f"nothing is given, and {how} means nothing without it", f"give {after}")
    reading.check_caught("on_expire", step.on_expire)
    if step.asks_nothing and step.is_timed:
        named = [name for name in ("reminder_after", *NEEDS) if reading.get(name)]
        reading.complain(", ".join(named), "the step asks nothing, so it waits for nobody", "leave it out")
