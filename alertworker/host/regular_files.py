"""Files that people name in the configuration: regular ones of bounded size, so that reading one always ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class FileError(Exception):
    """A file cannot be used. The message says why, without the file's path and content."""


def read_text(path: Path, *, limit: int) -> str:
    """Return the text of a regular file of at most ``limit`` bytes.

    A device such as ``/dev/zero`` has no end, and a pipe may have no writer. ``/dev/null`` is an empty file.

    Raises:
        FileError: the file cannot be read, is not a regular file, is too large, or is not UTF-8.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            opened = os.fstat(file.fileno())
            if not stat.S_ISREG(opened.st_mode) and not os.path.samestat(opened, Path(os.devnull).stat()):
                raise FileError("it is not a regular file")
            content = file.read(limit + 1)
    except OSError as error:
        raise FileError(f"the file cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL in the path
        raise FileError("the path is not valid") from None
    if len(content) > limit:
        raise FileError(f"the file is larger than {_size(limit)}")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise FileError("the file is not UTF-8 text") from None


def _size(limit: int) -> str:
    return f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
