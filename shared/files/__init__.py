"""What a person sends as a file: its name made safe, its kind, size and content checked against the step.

``names`` and ``kinds`` look at what is declared and at the first bytes, before and while a file comes.
"""

from shared.files.kinds import HEAD_BYTES, FileRefused, FileType, check_declared, check_file, extension_of
from shared.files.names import NAME_BYTES, sanitise_name

__all__ = [
    "HEAD_BYTES",
    "NAME_BYTES",
    "FileRefused",
    "FileType",
    "check_declared",
    "check_file",
    "extension_of",
    "sanitise_name",
]
