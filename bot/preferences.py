"""`/settings`: the language, the clock and the quiet hours of a person, or of a group."""

from functools import cache
from importlib.resources import files

from bot import dialogs
from bot.context import Context
from shared import people, texts
from shared.quiet import read_hours
from shared.signing import Tap
from shared.steps.widgets import Button, in_rows

COMMON_HOURS = ("21:00-08:00", "22:00-07:00", "23:00-06:00")
NONE = ""
"""The quiet hours of whoever wants none."""

PAGE = 12


@cache
def zones() -> tuple[str, ...]:
    """The time zones of the inhabited places, by name; as tzdata lists them."""
    table = files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8")
    lines = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return tuple(sorted(line[2] for line in lines))


async def command(context: Context, argument: str) -> None:
    """`/settings`, alone or with what is to be set: a language, a time zone, or hours."""
    if not await _may(context):
        await context.say(texts.say("settings-admins"))
        return
    wish = _wish(argument, is_person=context.is_private)
    if wish is None:
        await context.say(texts.say("settings-unknown"))
        return
    await _choose(context, wish)
    async with people.speaking_to(context.tx, context.chat_id):
        html, rows = await _menu(context)
        await context.say(html, rows)


def _wish(argument: str, *, is_person: bool) -> dict[str, str] | None:
    """What is to be set, nothing for no words at all, None for words that mean nothing here."""
    words = argument.strip()
    for language, name in texts.LANGUAGES.items():
        if words.casefold() in (language, name.casefold()):
            return {"language": language}
    known = {zone.casefold(): zone for zone in (*zones(), "UTC")}
    if words.casefold() in known:
        return {"time_zone": known[words.casefold()]}
    if not words:
        return {}
    try:
        begin, end = read_hours(words)
    except ValueError:
        return None
    return {"quiet_hours": f"{begin:%H:%M}-{end:%H:%M}"} if is_person else None


async def _may(context: Context) -> bool:
    return context.is_private or await dialogs.is_admin(context, context.chat_id, context.user)


async def _choose(context: Context, wish: dict[str, str]) -> None:
    if wish:
        await people.choose(context.tx, context.chat_id, **wish)


async def tapped(context: Context, tap: Tap) -> bool:
    """A button of /settings; False if it is none."""
    if tap.item not in {"wl", "wr", "wp", "wz", "wq", "wh", "wm"}:
        return False
    if not await _may(context):
        context.toast(texts.say("settings-admins"), alert=True)
        return True
    wish = _tapped_wish(context, tap)
    if wish is None:
        context.toast(texts.say("outdated"), alert=True)
        return True
    context.toast()
    await _choose(context, wish)
    async with people.speaking_to(context.tx, context.chat_id):
        await context.menu(*await _page(context, tap))
    return True


def _tapped_wish(context: Context, tap: Tap) -> dict[str, str] | None:
    if tap.item == "wl":
        return {"language": tap.option} if tap.option in texts.LANGUAGES else None
    if tap.item == "wz":
        found = [zone for zone in zones() if _token(zone) == tap.option]
        return {"time_zone": found[0]} if found else None
    if tap.item == "wh" and context.is_private:
        hours = {_token(each): each for each in (*COMMON_HOURS, NONE)}
        return {"quiet_hours": hours[tap.option]} if tap.option in hours else None
    return {} if tap.item in {"wr", "wp", "wq", "wm"} else None


def _token(words: str) -> str:
    """Words as callback data has room for them."""
    return "".join(each for each in words if each.isascii() and each.isalnum())[-20:] or "none"


async def _page(context: Context, tap: Tap) -> tuple[str, list[list[Button]]]:
    """The menu that a tap leads to."""
    if tap.item == "wr":
        regions = dict.fromkeys(zone.partition("/")[0] for zone in zones())
        buttons = [context.button(region, "wp", f"{region}-0") for region in regions]
        return texts.say("settings-region"), [*map(list, in_rows(buttons)), [_back(context, "wm")]]
    if tap.item == "wp":
        region, _, page = tap.option.partition("-")
        return _cities(context, region, int(page) if page.isdigit() else 0)
    if tap.item == "wq":
        choices = [context.button(hours, "wh", _token(hours)) for hours in COMMON_HOURS]
        choices.append(context.button(texts.say("button-no-quiet-hours"), "wh", _token(NONE)))
        return texts.say("settings-quiet-hours"), [*map(list, in_rows(choices)), [_back(context, "wm")]]
    return await _menu(context)


def _cities(context: Context, region: str, page: int) -> tuple[str, list[list[Button]]]:
    there = [zone for zone in zones() if zone.startswith(f"{region}/")]
    last = max(0, (len(there) - 1) // PAGE)
    page = min(page, last)
    shown = [
        context.button(zone.partition("/")[2].replace("_", " "), "wz", _token(zone))
        for zone in there[page * PAGE : (page + 1) * PAGE]
    ]
    turn = [context.button("‹", "wp", f"{region}-{page - 1}")] if page else []
    turn += [context.button("›", "wp", f"{region}-{page + 1}")] if page < last else []
    return texts.say("settings-city"), [*map(list, in_rows(shown)), [*turn, _back(context, "wr")]]


def _back(context: Context, item: str) -> Button:
    return context.button(texts.say("button-back"), item)


async def _menu(context: Context) -> tuple[str, list[list[Button]]]:
    """What is set just now, and what can be."""
    voice = texts.voice()
    lines = [
        texts.say("settings-language", language=texts.LANGUAGES[voice.language]),
        texts.say("settings-zone", zone=str(voice.zone), now=texts.formats.now()),
    ]
    languages = [context.button(name, "wl", language) for language, name in texts.LANGUAGES.items()]
    more = [context.button(texts.say("button-zone"), "wr")]
    if context.is_private:
        hours = await people.quiet_hours(context.tx, context.chat_id)
        hours = context.services.settings.quiet_hours if hours is None else hours
        lines.append(texts.say("settings-quiet", hours=hours) if hours else texts.say("settings-no-quiet"))
        more.append(context.button(texts.say("button-quiet-hours"), "wq"))
    return "<br/>".join([*lines, texts.say("settings-typed")]), [languages, more]
