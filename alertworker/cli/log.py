"""The log of commands that do one thing and end. It has the format of every other process."""

from __future__ import annotations

import logging

from typing_extensions import override

from alertworker.errors import AlertWorkerError
from alertworker.host.logs import formatter


class ConfiguredFormatter(logging.Formatter):
    """Formats records as ``log_format`` says. It reads the configuration only if a record is written: few commands do.

    With an invalid configuration the format is text. The command prints the error.
    """

    def __init__(self) -> None:
        super().__init__()
        self._read: logging.Formatter | None = None

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if self._read is None:
            self._read = formatter("text")  # of what is logged while the configuration is read
            self._read = formatter(_configured())
        return self._read.format(record)


def _configured() -> str:
    from alertworker.settings import load_settings

    try:
        return load_settings().log_format
    except AlertWorkerError:
        return "text"
