"""Log lines have one format, for every process and for the records of every library."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest

from alertworker.host import logs
from alertworker.host.logs import formatter, name_program

SECRET = "canary-argument"
IDS: dict[str, Any] = {"alert_id": "a-1", "batch_id": "b-1", "channel": "ops", "notification_id": "n-1"}


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_program", [])


def line(log_format: str, error: Exception | None = None, **extra: object) -> str:
    """Return the line of one warning."""
    record = logging.makeLogRecord(
        {
            "name": "alertworker.alerts",
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": "not sent: %s",
            "args": ("503",),
            "exc_info": (type(error), error, None) if error else None,
            **extra,
        }
    )
    return formatter(log_format).format(record)


def test_a_line_of_json_has_its_ids_as_fields_and_a_time_with_its_zone() -> None:
    """A log store can then filter by them, and sort the lines of several hosts."""
    read = json.loads(line("json", **IDS))

    assert datetime.fromisoformat(read.pop("time")).utcoffset() == timedelta()
    assert read == {
        "level": "WARNING",
        "logger": "alertworker.alerts",
        "process": "MainProcess",
        "message": "not sent: 503",
        **IDS,
    }


def test_a_line_of_text_ends_with_its_ids_and_begins_with_a_time_with_its_zone() -> None:
    """In the order in which a person reads them."""
    moment, rest = line("text", channel="ops", alert_id="a-1").split(" ", 1)

    assert datetime.fromisoformat(moment).utcoffset() == timedelta()
    assert rest == "WARNING alertworker.alerts MainProcess: not sent: 503 alert_id=a-1 channel=ops"


def test_lines_name_the_program_and_the_process_of_its_pool() -> None:
    """The programs of `alertworker run` write to one stream, and Python calls the first process of each the same."""
    name_program("ingest")

    assert json.loads(line("json"))["process"] == "ingest"
    assert " ingest: " in line("text")
    assert json.loads(line("json", processName="ForkPoolWorker-1"))["process"] == "ingest/ForkPoolWorker-1"


def test_fields_that_a_library_attaches_to_a_record_are_not_written() -> None:
    """Celery attaches the arguments of a task, which can hold anything."""
    for log_format in ("text", "json"):
        assert SECRET not in line(log_format, data={"args": SECRET}, color_message=SECRET)


def test_a_traceback_follows_its_line() -> None:
    """In JSON it is a field of the same object, so that no line is torn."""
    first, *more = line("text", RuntimeError("boom"), channel="ops").splitlines()
    read = json.loads(line("json", RuntimeError("boom")))

    assert first.endswith("not sent: 503 channel=ops")
    assert more[-1] == "RuntimeError: boom"
    assert read["message"] == "not sent: 503"
    assert read["exc_info"].endswith("RuntimeError: boom")


def test_a_process_that_starts_writes_no_line_about_the_plugins_of_alembic() -> None:
    """Alembic writes them when it is imported, after the log is set up."""
    start = "from alertworker.host.logs import set_up_logs; set_up_logs('text', 'INFO'); import alembic.command"
    run = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True, timeout=60)

    assert run.stderr == ""
