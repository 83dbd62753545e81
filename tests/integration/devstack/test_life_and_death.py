"""A stack of its own per test: whatever happens to its owner, nothing stays."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from devstack.parts.s3 import s3_client
from devstack.processes import find
from devstack.stack import running_stack
from devstack.state import ProcessRecord, State
from tests.fakes.waiting import until

CHECKOUT = Path(__file__).parents[3]
OWNER = """
import asyncio, signal, sys
from pathlib import Path
from devstack.stack import running_stack

async def main():
    async with running_stack(Path(sys.argv[1]), parts=["postgres"]):
        print("up", flush=True)
        await asyncio.sleep(600)

# A shell starts what is in the background deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


def family(records: list[ProcessRecord]) -> list[psutil.Process]:
    parents = [process for record in records if (process := find(record))]
    return parents + [child for parent in parents for child in parent.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def devstack(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "devstack", "--state-dir", str(state_dir), *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )


async def test_a_whole_stack_in_an_awkward_folder_comes_and_goes(tmp_path: Path) -> None:
    state_dir = tmp_path / "mein ordner, größer 🙂 100%"
    async with running_stack(state_dir, parts=["engine", "s3"]) as stack:
        assert set(stack.env) >= {"ENGINE_URL", "DATABASE_URL", "R2_ENDPOINT_URL"}
        ours = family(list(stack.state.processes.values()))
        assert len(ours) > 3  # Postgres has children
    assert alive(ours) == []
    assert State(state_dir).processes == {}


async def test_stacks_run_side_by_side(tmp_path: Path) -> None:
    async with (
        running_stack(tmp_path / "a", parts=["postgres"]) as one,
        running_stack(tmp_path / "b", parts=["postgres"]) as other,
    ):
        assert one.env["DATABASE_URL"] != other.env["DATABASE_URL"]


async def test_an_object_whose_bytes_were_arriving_at_a_kill_is_not_there(tmp_path: Path) -> None:
    """As with any S3; s3proxy left what had come under a name of its own, to be listed for ever."""
    async with running_stack(tmp_path, parts=["s3"]) as stack:
        bucket = stack.env["R2_BUCKET_NAME"]
        with s3_client(stack.env) as s3:
            s3.put_object(Bucket=bucket, Key="folder/whole", Body=b"whole")
            url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "folder/cut"})
        parts = urlsplit(url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", "Content-Length: 200000"]
        writer.write("\r\n".join([*head, "", ""]).encode() + b"x" * 100_000)
        await until(lambda: any(tmp_path.glob("s3/buckets/*/folder/cut*")), "bytes on the disk")
        await stack.stop_part("s3", kill=True)
        writer.close()
        await stack.start_part("s3")
        with s3_client(stack.env) as s3:
            listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
        assert [each["Key"] for each in listed] == ["folder/whole"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_death_of_its_owner_ends_a_stack(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "up\n"
        ours = family(list(State(tmp_path).processes.values()))
        owner.send_signal(number)
    deadline = time.monotonic() + 30
    while alive(ours) or State(tmp_path).processes:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_up_outlives_its_shell_and_down_leaves_nothing(tmp_path: Path) -> None:
    up = devstack(tmp_path, "up", "--only", "postgres,s3")
    assert up.returncode == 0, up.stderr
    ours = family(list(State(tmp_path).processes.values()))
    again = devstack(tmp_path, "up", "--only", "postgres,s3")
    assert again.stderr.count("runs already") == 2
    names = [line.split("=")[0] for line in devstack(tmp_path, "env").stdout.splitlines()]
    assert names == [
        "DATABASE_URL",
        "R2_ACCESS_KEY_ID",
        "R2_SECRET_ACCESS_KEY",
        "R2_ENDPOINT_URL",
        "R2_BUCKET_NAME",
    ]
    assert all(map(find, State(tmp_path).processes.values()))
    assert devstack(tmp_path, "down").returncode == 0
    assert alive(ours) == []
    assert devstack(tmp_path, "env").returncode == 1


def test_up_after_a_crash_ends_what_was_left_and_starts_anew(tmp_path: Path) -> None:
    assert devstack(tmp_path, "up", "--only", "postgres").returncode == 0
    record = State(tmp_path).processes["postgres"]
    os.kill(record.pid, signal.SIGKILL)  # leaves postmaster.pid behind
    up = devstack(tmp_path, "up", "--only", "postgres")
    assert up.returncode == 0, up.stderr
    assert State(tmp_path).processes["postgres"].pid != record.pid
    assert devstack(tmp_path, "down").returncode == 0


def test_up_that_is_interrupted_ends_what_it_started(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "devstack", "--state-dir", str(tmp_path), "up", "--only", "engine,s3"],
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
    ) as up:
        deadline = time.monotonic() + 60
        while "postgres" not in (processes := State(tmp_path).processes):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ours = family(list(processes.values()))
        up.send_signal(signal.SIGTERM)
        assert up.wait(30) == 130
    assert alive(ours) == []
    assert State(tmp_path).processes == {}


def test_up_that_fails_names_the_part_and_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("12\n")
    up = devstack(tmp_path, "up", "--only", "postgres,s3")
    assert up.returncode == 1
    assert "postgres: ended at its start" in up.stderr
    assert "could not access the server configuration file" in up.stderr
    assert State(tmp_path).processes == {}
