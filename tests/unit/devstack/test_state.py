import json
import os
import socket
import stat
from pathlib import Path

import pytest

from devstack import ports
from devstack.errors import StackBusyError, StateError
from devstack.state import ProcessRecord, State

RECORD = ProcessRecord("s3", 4, 5.5, "/state/s3", 15, {"a": 1}, {"R2_BUCKET_NAME": "b"}, ["postgres"])


def test_a_port_is_remembered_by_the_folder(tmp_path: Path) -> None:
    port = State(tmp_path).claim_port("engine")
    assert State(tmp_path).claim_port("engine") == port == State(tmp_path).port("engine")


def test_parts_have_different_ports(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert len({state.claim_port(f"part{number}") for number in range(20)}) == 20


def test_a_port_that_somebody_else_took_is_given_up_for_a_new_one(tmp_path: Path) -> None:
    port = State(tmp_path).claim_port("engine")
    with socket.create_server((ports.HOST, port)):
        other = State(tmp_path).claim_port("engine")
    assert other != port
    assert State(tmp_path).port("engine") == other


def test_ports_are_not_among_those_of_outgoing_connections() -> None:
    assert all(20_000 <= ports.choose() < 30_000 for _ in range(20))


def test_a_secret_stays_and_is_nobody_elses(tmp_path: Path) -> None:
    secret = State(tmp_path).secret("s3")
    assert State(tmp_path).secret("s3") == secret != State(tmp_path / "other").secret("s3")
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_a_recorded_process_is_known_to_the_next_run_until_it_is_forgotten(tmp_path: Path) -> None:
    State(tmp_path).record(RECORD)
    assert State(tmp_path).processes == {"s3": RECORD}
    State(tmp_path).forget("s3")
    assert State(tmp_path).processes == {}


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"processes": [{"pid": 1}]})])
def test_a_state_that_cannot_be_understood_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(StateError, match=r"state\.json"):
        State(tmp_path)


def test_a_second_one_is_kept_out_and_told_who_is_in(tmp_path: Path) -> None:
    busy = pytest.raises(StackBusyError, match=str(os.getpid()))
    with State(tmp_path).lock(), busy, State(tmp_path).lock():
        pass
    with State(tmp_path).lock():
        pass


def test_whoever_gets_the_lock_sees_what_the_last_holder_left(tmp_path: Path) -> None:
    early = State(tmp_path)
    with State(tmp_path).lock():
        State(tmp_path).record(RECORD)
    with early.lock():
        assert early.processes == {"s3": RECORD}


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot write"), State(tmp_path / "file" / "state").lock():
        pass
