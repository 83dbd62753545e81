"""``python -m devstack.exports``: write a generated export to a file or to standard output."""

import argparse
import re
import sys
from pathlib import Path

from devstack.exports import ExportPlan, export_chunks
from devstack.exports.broken import BROKEN_KINDS, broken_export

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def parse_size(text: str) -> int:
    """The bytes that a person means by ``500MB``, ``1.5 GB`` or ``20000``.

    Raises:
        ArgumentTypeError: the text is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it like 500MB")
    return int(float(match[1]) * UNITS[match[2]])


def main(arguments: list[str] | None = None) -> None:
    """Write the export that the command line asks for."""
    options = _parser().parse_args(arguments)
    plan = ExportPlan(
        size_bytes=options.size,
        people=options.people,
        days=options.days,
        seed=options.seed,
        name=options.name,
        control_characters=options.control_characters,
    )
    chunks = [broken_export(options.broken, plan)] if options.broken else export_chunks(plan)
    if options.output == "-":
        sys.stdout.buffer.writelines(chunks)
    else:
        with Path(options.output).open("wb") as file:
            file.writelines(chunks)


def _parser() -> argparse.ArgumentParser:
    default = ExportPlan()
    parser = argparse.ArgumentParser(prog="python -m devstack.exports", description=__doc__)
    parser.add_argument("--size", type=parse_size, default=default.size_bytes, help="like 500MB")
    parser.add_argument("--people", type=int, default=default.people)
    parser.add_argument("--days", type=int, default=default.days)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--name", default=default.name, help="name of the chat")
    parser.add_argument(
        "--control-characters",
        action="store_true",
        help="with invalid escapes, like the real ones",
    )
    parser.add_argument("--broken", choices=BROKEN_KINDS, help="a file that must be refused")
    parser.add_argument("-o", "--output", required=True, help="a file, or - for standard output")
    return parser


if __name__ == "__main__":
    main()
