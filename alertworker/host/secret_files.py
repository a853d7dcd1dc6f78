"""Environment variables whose value can be in a file instead, as orchestrators provide secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alertworker.errors import AlertWorkerError


class VariableError(AlertWorkerError):
    """A variable cannot be read. The message has its name, but neither its value nor the path of its file."""


def read_variable(name: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return a variable's value, or the content of the file in ``<name>_FILE``, and the source for display.

    Whitespace around the value is removed. An empty variable counts as not set.

    Raises:
        VariableError: both are set, or the file is empty or cannot be read.
    """
    file, value = environ.get(f"{name}_FILE"), environ.get(name, "").strip() or None
    if not file:
        return value, f"environment {name}"
    if value is not None:
        raise VariableError(f"{name} and {name}_FILE are both set; unset one of them")
    try:
        content = Path(file).read_text().strip()
    except OSError as error:
        raise VariableError(f"{name}_FILE: the file cannot be read ({error.strerror})") from None
    except ValueError:
        raise VariableError(f"{name}_FILE: the file is not valid text") from None
    if not content:
        raise VariableError(f"{name}_FILE: the file is empty")
    return content, f"file of {name}_FILE"
