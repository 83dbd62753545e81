import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from devstack.__main__ import main
from devstack.state import ProcessRecord, State


def me(part: str, **env: str) -> ProcessRecord:
    """This very process as the process of a part."""
    process = psutil.Process()
    return ProcessRecord(
        part, os.getpid(), process.create_time(), Path(sys.executable).name, signal.SIGTERM, env=env
    )


def run(state_dir: Path, *arguments: str) -> int:
    return main(["--state-dir", str(state_dir), *arguments])


def test_env_prints_the_settings_of_running_parts_one_per_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    state.record(me("postgres", DATABASE_URL="postgresql://u:p@127.0.0.1:1/stepgram"))
    state.record(me("engine", ENGINE_URL="http://127.0.0.1:2/engine-rest", ENGINE_USERNAME="demo"))
    state.record(ProcessRecord("s3", 999_999_999, 0, "/gone", signal.SIGTERM, env={"R2_BUCKET_NAME": "b"}))
    assert run(tmp_path, "env") == 0
    assert capsys.readouterr().out == (
        "ENGINE_URL=http://127.0.0.1:2/engine-rest\n"
        "ENGINE_USERNAME=demo\n"
        "DATABASE_URL=postgresql://u:p@127.0.0.1:1/stepgram\n"
    )


def test_env_of_nothing_prints_nothing_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "env") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nothing runs" in captured.err


def test_status_tells_running_from_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = State(tmp_path)
    state.claim_port("engine")
    state.record(me("engine"))
    state.record(ProcessRecord("s3", 999_999_999, 0, "/gone", signal.SIGTERM))
    assert run(tmp_path, "status") == 0
    words = {line.split()[0]: " ".join(line.split()[1:4]) for line in capsys.readouterr().out.splitlines()}
    assert words["engine"].startswith("runs")
    assert words["s3"] == "ended by itself"
    assert words["telegram"].startswith("stopped")


def test_status_of_nothing_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "status") == 1


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert run(tmp_path, "down") == 0


def test_an_unknown_part_is_refused_with_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path, "up", "--only", "engine,kafka")
    assert "no such part: kafka (there are engine, postgres, s3, telegram)" in capsys.readouterr().err


def test_an_unknown_engine_is_refused_with_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE", "flowable")
    assert run(tmp_path, "up") == 1
    assert "camunda or operaton" in capsys.readouterr().err


def test_a_second_up_is_told_who_works_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with State(tmp_path).lock():
        assert run(tmp_path, "up") == 1
    assert str(os.getpid()) in capsys.readouterr().err


def test_logs_show_the_end_of_each_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = State(tmp_path)
    state.log_file("engine").write_text("one\ntwo\nthree\n")
    state.log_file("s3").write_text("four\n")
    assert run(tmp_path, "logs", "-n", "2") == 0
    assert capsys.readouterr().out == "==> engine <==\ntwo\nthree\n==> s3 <==\nfour\n"
    assert run(tmp_path, "logs", "s3") == 0
    assert capsys.readouterr().out == "four\n"
    assert run(tmp_path, "logs", "telegram") == 1
