"""The command `stepgram`, as somebody types it."""

import sys

import pytest

from workers import cli


def stepgram(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[str, str | None]:
    """What a command printed, and how it ended: its code or error, None where it returned."""
    monkeypatch.setattr(sys, "argv", ["stepgram", *arguments])
    capsys.readouterr()
    try:
        cli.main()
    except SystemExit as end:
        return capsys.readouterr().out, str(end.code)
    return capsys.readouterr().out, None
