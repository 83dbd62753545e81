"""What happens by itself in the scenes in which processes are killed, when its time has come."""

from tests.support.crash_plays import YES, decided
from tests.support.crash_stage import Stage


async def _time_comes(stage: Stage) -> None:
    """The deadlines of a step that is shown come now."""
    await stage.until_states("posted")
    await stage.lane.rows(
        "UPDATE pending_replies SET shown_at = now() - interval '2 hours' WHERE process_instance_id = %s",
        stage.instance,
    )
    await stage.lane.rows(
        "UPDATE deadlines SET due_at = now() WHERE pending_reply_id ="
        " (SELECT id FROM pending_replies WHERE process_instance_id = %s)",
        stage.instance,
    )
    await stage.lane.wake("deadlines")


async def reminded(stage: Stage) -> None:
    """Somebody is reminded, and answers by the prompt that they had."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    await _time_comes(stage)
    await stage.sees("still waits")
    # An answer before its sender has noted the reminder would leave a copy that no row knows.
    await stage.lane.until_at_rest()
    await stage.person.tap(YES, message=asked)
    decided(stage)


async def expired(stage: Stage) -> None:
    """Nobody answers in time: the process goes another way."""
    await stage.start()
    await stage.is_asked("Shall we?", buttons=[YES])
    await _time_comes(stage)


async def handed_over(stage: Stage) -> None:
    """Somebody does not answer in time, and their group is asked instead."""
    group = await stage.world.town.group("Club", admins=[stage.person], members=[])
    await stage.start(chat=group)
    await stage.sees("Shall we?", buttons=[YES])
    await _time_comes(stage)
    stage.chat = stage.person.in_chat(group)
    await stage.taps("Shall we?", YES)
    decided(stage)
