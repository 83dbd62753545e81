import io
import json

from rich.console import Console

from devstack.demo.__main__ import complaints
from devstack.demo.engine import worded
from devstack.demo.objects import counts_of
from devstack.demo.scene import Checks
from devstack.demo.times import show_times
from devstack.exports import ExportPlan, export_bytes
from devstack.people import Wait


def a_log() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=100, highlight=False), file


def test_what_holds_is_one_line_and_what_does_not_shows_both_sides() -> None:
    console, log = a_log()
    checks = Checks(console)
    checks.equal("rows: [all] handled", [("handled",)], [("handled",)])
    checks.equal("engine: it ended", "audit_done", None)
    assert (checks.done, checks.failed) == (2, 1)
    assert log.getvalue().splitlines() == [
        "  ✓ rows: [all] handled",
        "  ✗ engine: it ended",
        "      expected 'audit_done'",
        "      found    None",
    ]


def test_a_long_side_of_a_comparison_is_cut() -> None:
    console, log = a_log()
    Checks(console).equal("big", "x" * 10_000, "y" * 10_000)
    assert all(len(line) < 400 for line in log.getvalue().splitlines())


def test_an_export_is_counted_by_its_messages() -> None:
    def entry(kind: str, date: str, sender: str) -> dict[str, str]:
        return {"type": kind, "date": date, "from_id": sender}

    messages = [
        entry("message", "2024-01-01T09:00:00", "user1"),
        entry("message", "2024-01-01T09:59:59", "user2"),
        entry("message", "2024-01-02T23:00:00", "channel3"),
        entry("service", "2024-01-02T23:00:00", "user4"),
    ]
    counts = counts_of(json.dumps({"messages": messages}).encode())
    assert counts["messages"] == 3
    assert counts["service_messages"] == 1
    assert counts["writers"] == 2
    assert counts["messages_by_day"] == {"2024-01-01": 2, "2024-01-02": 1}
    assert counts["messages_by_hour"] == [0] * 9 + [2] + [0] * 13 + [1]


def test_every_message_of_a_generated_export_has_a_day_and_an_hour() -> None:
    counts = counts_of(export_bytes(ExportPlan(size_bytes=60_000, people=9, days=20)))
    assert (
        counts["messages"] == sum(counts["messages_by_day"].values()) == sum(counts["messages_by_hour"]) > 50
    )


def activity(kind: str, name: str | None, parent: str = "instance") -> dict[str, str | None]:
    return {
        "activityType": kind,
        "activityName": name,
        "activityId": "the_id",
        "parentActivityInstanceId": parent,
        "processInstanceId": "instance",
    }


def test_the_engine_is_told_by_where_it_waits_what_it_catches_and_how_it_ends() -> None:
    assert worded(activity("startEvent", "Asked")) == "starts"
    assert worded(activity("startEvent", "Opened", parent="subprocess")) == ""
    assert (
        worded(activity("serviceTask", "Explain and confirm", parent="subprocess"))
        == "waits at Explain and confirm"
    )
    assert worded(activity("serviceTask", None)) == "waits at the_id"
    assert worded(activity("boundaryError", "Bad export")) == "catches Bad export"
    assert worded(activity("noneEndEvent", "Done", parent="subprocess")) == "reaches Done"
    assert worded(activity("noneEndEvent", "Audit closed")) == "ends: Audit closed"
    assert worded(activity("exclusiveGateway", "Go on?")) == ""


def test_complaints_are_warnings_and_errors_with_what_belongs_to_them() -> None:
    log = [
        "2026-11-23T15:42:10Z [info     ] started",
        "2026-11-23T15:42:11Z [warning  ] cannot fetch",
        "2026-11-23T15:42:12Z [info     ] parked",
        "2026-11-23T15:42:13Z [error    ] left to the lock's end",
        "Traceback (most recent call last):",
        "ValueError: no",
        "2026-11-23T15:42:14Z [info     ] stopped",
    ]
    assert complaints(log) == [log[1], *log[3:6]]


def test_the_table_of_times_has_a_row_for_each_step_and_one_summary_of_other_answers() -> None:
    console, log = a_log()
    waits = [
        Wait("Ada", "", 0.1),
        Wait("Ada", "Confirm", 2.0),
        Wait("Ben", "Approve", 3.0),
        Wait("Ada", "", 0.5),
    ]
    show_times(console, {"engine": 5.8}, waits, {"all of it": 23.2})
    rows = [line.split() for line in log.getvalue().splitlines()[:6]]
    assert rows == [
        ["start", "of", "engine", "5.8", "s"],
        ["Ada", "waited", "for", "Confirm", "2.0", "s"],
        ["Ben", "waited", "for", "Approve", "3.0", "s"],
        ["any", "other", "answer", "median", "0.3", "s"],
        ["longest", "0.5", "s"],
        ["altogether", "all", "of", "it", "23.2", "s"],
    ]
