"""A variable of the environment, which may stand in a file instead, as orchestrators hand out secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alertworker.errors import AlertWorkerError


class VariableError(AlertWorkerError):
    """A variable cannot be read; names it, and neither its value nor its file."""


def read_variable(name: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Give a variable, or what is in the file that ``<name>_FILE`` names, and where it was found.

    Blanks and line ends around the value are taken off. A variable that is empty is not set.

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
        raise VariableError(f"{name}_FILE: the file is no text") from None
    if not content:
        raise VariableError(f"{name}_FILE: the file is empty")
    return content, f"file of {name}_FILE"
