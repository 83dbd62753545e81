"""What a state folder remembers between runs: ports, secrets, running processes; and its lock.

It holds `state.json` (readable by its owner only), `lock`, `logs/PART.log`, and a folder per part with that
part's configuration and data.
"""

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from devstack import ports
from devstack.errors import StackBusyError, StateError


@dataclass(frozen=True)
class ProcessRecord:
    """One started process: enough to recognise, describe and end it, also after a crash of its starter.

    `marker` is an argument of its command line that no other program has: a path in the state folder.
    `created` is its start time as seconds since the epoch. `settings` are those it was started with,
    `env` the product's settings that lead to it, `needs` the parts that must outlive it.
    """

    part: str
    pid: int
    created: float
    marker: str
    stop_signal: int
    settings: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)


class State:
    """The state folder of one stack. Whoever changes it holds `lock`; reading needs no lock."""

    def __init__(self, folder: Path) -> None:
        """Read `folder`, which need not exist yet. Raises StateError when its state cannot be understood."""
        self.folder = folder.resolve()
        self.processes: dict[str, ProcessRecord] = {}
        self._ports: dict[str, int] = {}
        self._secrets: dict[str, str] = {}
        self._file = self.folder / "state.json"
        self._saving = threading.Lock()
        self._load()

    def part_folder(self, part: str) -> Path:
        """Give the folder of a part's own files, made if it is missing."""
        folder = self.folder / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log_file(self, part: str) -> Path:
        """Give the place of a part's log; its folder exists."""
        return self.part_folder("logs") / f"{part}.log"

    def port(self, part: str) -> int:
        """Give the port that is remembered for a part. Raises KeyError when none was claimed."""
        return self._ports[part]

    def known_port(self, part: str) -> int | None:
        """Give the port that is remembered for a part, or None: not every process listens."""
        return self._ports.get(part)

    def claim_port(self, part: str) -> int:
        """Give the remembered port if it is still free, else remember a new one."""
        port = self._ports.get(part)
        if port is None or not ports.is_free(port):
            taken = set(self._ports.values())
            self._ports[part] = port = ports.choose(taken)
            self._save()
        return port

    def secret(self, name: str) -> str:
        """Give the secret of that name, made at random when it is asked for first."""
        if name not in self._secrets:
            self._secrets[name] = secrets.token_hex(16)
            self._save()
        return self._secrets[name]

    def record(self, record: ProcessRecord) -> None:
        """Remember a process that was just started."""
        self.processes[record.part] = record
        self._save()

    def forget(self, part: str) -> None:
        """Remember no process for that part any more."""
        if self.processes.pop(part, None):
            self._save()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from changing this stack. Raises StackBusyError that names the holder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("a+")
        except OSError as error:
            raise StateError(f"cannot write to {self.folder}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise StackBusyError(f"process {holder} works on {self.folder} right now") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._load()  # what the last holder left
            yield

    def _load(self) -> None:
        try:
            content = json.loads(self._file.read_text()) if self._file.exists() else {}
            self._ports = content.get("ports", {})
            self._secrets = content.get("secrets", {})
            records = [ProcessRecord(**record) for record in content.get("processes", [])]
        except OSError as error:
            raise StateError(f"cannot read {self._file}: {error.strerror}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise StateError(
                f"cannot understand {self._file} ({error}); if no stack runs there, delete the folder"
            ) from error
        self.processes = {record.part: record for record in records}

    def _save(self) -> None:
        content = {
            "ports": self._ports,
            "secrets": self._secrets,
            "processes": [asdict(record) for record in self.processes.values()],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._saving:  # parts prepare in threads, and a secret may be made in each
            self._write(json.dumps(content, indent=1))

    def _write(self, text: str) -> None:
        draft = self._file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.replace(self._file)
