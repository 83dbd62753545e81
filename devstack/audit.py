"""The conversation of `community_audit`, as its people have it: for the demo and the acceptance tests."""

from dataclasses import dataclass, field
from functools import cache

from devstack.exports import ExportPlan, export_bytes
from devstack.exports.broken import broken_export
from devstack.people import Person, Shown, words

PROCESS_FILE = "bpmn/community_audit.bpmn"


@cache
def export_of(group: str) -> bytes:
    """Give an export of 120 lively days of a group, as Telegram Desktop writes it."""
    return export_bytes(ExportPlan(size_bytes=2_000_000, people=60, days=120, name=group))


@dataclass
class Audit:
    """One audit of one group by one administrator, who sends `export`; if it is empty, a fitting one."""

    admin: Person
    group: str
    comment: str = "Healthy group, few lurkers"
    export: bytes = field(default=b"", repr=False)
    chart: Shown | None = None

    def __post_init__(self) -> None:
        self.export = self.export or export_of(self.group)

    async def start(self) -> None:
        """From /start to the first step: the group's menu, and its confirmation."""
        admin = self.admin
        await admin.say("/start")
        await admin.sees("Hello")
        await self.open_menu()
        await admin.tap("Start")
        await admin.sees("Community audit", buttons=["Continue", "Cancel"], step="Explain and confirm")

    async def open_menu(self) -> None:
        """From /groups to the question whether to start."""
        admin = self.admin
        await admin.say("/groups")
        await admin.sees("Which group", buttons=[self.group])
        await admin.tap(self.group)
        await admin.tap("Settings")
        await admin.tap("Import history")
        await admin.sees("Import the history", buttons=["Start", "Cancel"], old=True)

    async def upload_after_mistakes(self) -> None:
        """A wrong kind of file, a broken export, a good one; each mistake gets its sentence."""
        admin = self.admin
        await self._go_on()
        await admin.send("holiday.jpg", b"\xff\xd8\xff\xe0 not an export", "image/jpeg")
        await admin.sees("I need a .json file")
        await admin.send("result.json", broken_export("truncated"))
        await admin.sees("is stored")
        await admin.sees("result.json", where=_asks_again, step="Ask for the export, again")
        await admin.send("result.json", self.export)
        await admin.sees("is stored")

    async def upload(self) -> None:
        """Straight to a good export."""
        await self._go_on()
        await self.admin.send("result.json", self.export)
        await self.admin.sees("is stored")

    async def review(self) -> None:
        """The chart, the form with one invalid answer on the way, and the approval."""
        admin = self.admin
        self.chart = await admin.sees(where=_is_picture, step="Review the result", patience_s=60)
        await admin.sees("Comment for the record")
        await admin.say(self.comment)
        await admin.sees("May the result be published", buttons=["Yes", "No"])
        await admin.say("perhaps")
        await admin.sees("answer yes or no")
        await admin.say("yes")
        await admin.sees("Your decision", buttons=["Approve", "Upload another export"])
        await admin.tap("Approve")
        await admin.sees("The audit is finished", step="Thank and tell the decision")

    async def _go_on(self) -> None:
        await self.admin.tap("Continue")
        await self.admin.sees("result.json", step="Ask for the export")


def _asks_again(message: Shown) -> bool:
    return "of the export" in words(message)


def _is_picture(message: Shown) -> bool:
    return bool(message.get("photo"))
