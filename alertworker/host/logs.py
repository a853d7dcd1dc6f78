"""Log lines of our processes: one format for all of them, as text or as JSON.

The time is ISO 8601 in UTC. Ids are fields, which a log call passes by ``extra=``.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

from pythonjsonlogger.json import JsonFormatter

from alertworker.host.library_log import LibraryFilter, ensure_formattable

#: The ids that a log line can have as fields.
IDS: Final = ("alert_id", "batch_id", "channel", "notification_id")
_NAMES: Final = {"levelname": "level", "name": "logger", "processName": "process"}
#: All fields of a JSON line. Libraries attach more to their records: Celery attaches the arguments of a task.
_FIELDS: Final = ("time", *_NAMES.values(), "message", *IDS, "exc_info", "stack_info")


#: The name that Python gives to the first process of every program.
_UNNAMED: Final = "MainProcess"
#: The name of this program in its lines: several programs of `alertworker run` write to one stream.
_program: list[str] = []


def name_program(name: str) -> None:
    """Set the name of this program in its lines, such as "web". Processes that it forks have theirs behind it."""
    _program[:] = [name]


def _process_of(record: logging.LogRecord) -> str:
    own = [] if _program and record.processName == _UNNAMED else [str(record.processName)]
    return "/".join([*_program, *own])


class TextFormatter(logging.Formatter):
    """Formats a record as one line: time, level, logger, process, message and ids."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and after it a traceback if there is one."""
        ensure_formattable(record)
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line without a traceback, which the base class adds."""
        ids = "".join(f" {name}={record.__dict__[name]}" for name in IDS if name in record.__dict__)
        where = f"{record.levelname} {record.name} {_process_of(record)}"
        return f"{_time_of(record)} {where}: {record.message}{ids}"


class _JsonFormatter(JsonFormatter):
    """Formats a record as one JSON object."""

    def __init__(self) -> None:
        super().__init__((*_NAMES, "message"), style=",", rename_fields=_NAMES)

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        ensure_formattable(record)
        return super().format(record)

    def add_fields(
        self, log_data: dict[str, object], record: logging.LogRecord, message_dict: dict[str, object]
    ) -> None:
        """Add the time and the fields that a line may have, and no other."""
        found: dict[str, object] = {}
        super().add_fields(found, record, message_dict)
        found |= {"time": _time_of(record), "process": _process_of(record)}
        log_data |= {name: found[name] for name in _FIELDS if name in found}


def formatter(log_format: str) -> logging.Formatter:
    """Return the formatter for ``log_format``, which is "text" or "json"."""
    return _JsonFormatter() if log_format == "json" else TextFormatter()


def set_up_logs(log_format: str, level: str) -> None:
    """Write this process's log to standard error.

    A level that `logging` does not know counts as INFO. The program reports the error.
    """
    write_log(formatter(log_format), level)


def write_log(shown: logging.Formatter, level: str) -> None:
    """Write this process's log to standard error, in the format of ``shown``."""
    handler = logging.StreamHandler()
    handler.setFormatter(shown)
    handler.addFilter(LibraryFilter())
    known = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    logging.basicConfig(level=known, handlers=[handler], force=True)
    # Alembic writes a line for each of its plugins when it is imported.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _time_of(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
