"""The log of libraries is limited. The rest of the log is not."""

from __future__ import annotations

import io
import logging
import sqlite3
import sys
from typing import Any

import pytest
from billiard.exceptions import RestartFreqExceeded
from kombu.exceptions import OperationalError
from redis.exceptions import ResponseError

from alertworker.host.library_log import LibraryFilter
from alertworker.host.logs import formatter

CONSUMER = "celery.worker.consumer.consumer"


@pytest.fixture
def moments() -> list[float]:
    """Return the present, in seconds."""
    return [100.0]


@pytest.fixture
def limit(moments: list[float]) -> LibraryFilter:
    """Return a filter whose time is that of the test."""
    return LibraryFilter(lambda: moments[0])


def record(name: str, text: Any, *arguments: object, error: Exception | None = None) -> logging.LogRecord:
    """Return what a logger makes of an error."""
    exc_info = None
    if error is not None:
        try:
            raise error
        except type(error):
            exc_info = sys.exc_info()
    return logging.LogRecord(name, logging.ERROR, "", 1, text, arguments, exc_info)


def test_each_kind_of_line_comes_once_a_minute_on_one_line(limit: LibraryFilter, moments: list[float]) -> None:
    """The template is the text before its arguments, so a longer wait is not a new message."""
    first = record(CONSUMER, "Cannot connect to %s.\nTrying again in %s\n", "redis", 2)
    assert limit.filter(first)
    assert first.getMessage() == "Cannot connect to redis. Trying again in 2"
    assert not limit.filter(record(CONSUMER, "Cannot connect to %s.\nTrying again in %s\n", "redis", 4))
    assert limit.filter(record(CONSUMER, "Connected to %s", "redis"))
    moments[0] += 60
    assert limit.filter(record(CONSUMER, "Cannot connect to %s.\nTrying again in %s\n", "redis", 32))


class Textless:
    """An object that has no text."""

    def __str__(self) -> str:
        """Raise."""
        raise ValueError("secret")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [("%d of %s", ("x",)), ("%s", (1, 2)), ("%(name)s", ("x",)), ("%", (1,)), ("%s", (Textless(),)), (Textless(), ())],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("name", [CONSUMER, "urllib3", "py.warnings"])
def test_a_line_with_arguments_that_do_not_fit_is_logged(
    text: Any, arguments: tuple[object, ...], log_format: str, name: str
) -> None:
    """Otherwise the call of the library raises, or `logging` prints a traceback with the arguments."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(log_format))
    handler.addFilter(LibraryFilter())
    handler.handleError = pytest.fail  # type: ignore[method-assign,assignment]
    handler.handle(record(name, text, *arguments))

    (line,) = stream.getvalue().splitlines()
    assert "its arguments cannot be formatted" in line
    assert name in line
    assert "secret" not in line


def test_failures_of_two_tasks_are_two_kinds(limit: LibraryFilter) -> None:
    """Celery has one text for all tasks, so a task that fails each second must not hide the failure of another task."""
    text = "Task %(name)s raised: %(exc)s"
    for name, error, logged in (
        ("alertworker.sweep", KeyError(), True),
        ("alertworker.report", ValueError(), True),
        ("alertworker.sweep", KeyError(), False),
        ("alertworker.sweep", TypeError(), True),
    ):
        line = record("celery.app.trace", text, {"name": name, "exc": error}, error=error)
        assert limit.filter(line) is logged


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), OperationalError("gone"), ResponseError("OOM"), RestartFreqExceeded("5 in 1s")]
)
def test_an_error_of_the_broker_has_no_traceback(limit: LibraryFilter, error: Exception) -> None:
    """An error that was raised from it has none either."""
    outer = ValueError("cannot send")
    outer.__context__ = error
    for number, raised in enumerate((error, outer)):
        line = record(CONSUMER, f"failed {number}", error=raised)
        assert limit.filter(line)
        assert line.exc_info is None


def test_a_lost_connection_of_a_database_has_no_traceback(limit: LibraryFilter) -> None:
    """The pool logs it when it throws the connection away. The transaction itself fails with an error of its own."""
    line = record("sqlalchemy.pool.impl.QueuePool", "Exception during reset", error=sqlite3.OperationalError("gone"))
    assert limit.filter(line)
    assert line.exc_info is None
    assert line.getMessage() == "Exception during reset (OperationalError)"


def test_malformed_requests_are_logged_once_a_minute(limit: LibraryFilter, moments: list[float]) -> None:
    """Anybody can send them."""
    logged = [limit.filter(record("uvicorn.error", "Invalid HTTP request received.")) for _ in range(3)]
    assert logged == [True, False, False]
    moments[0] += 60
    assert limit.filter(record("uvicorn.error", "Invalid HTTP request received."))


def test_other_errors_keep_theirs(limit: LibraryFilter) -> None:
    """They are faults of the program."""
    line = record(CONSUMER, "failed", error=ValueError("bug"))
    assert limit.filter(line)
    assert line.exc_info is not None


def test_our_own_lines_are_left_alone(limit: LibraryFilter) -> None:
    """So are the lines of libraries that do not use the broker."""
    for name in ("alertworker.worker.tasks", "celery_exporter", "root"):
        for _ in range(2):
            line = record(name, "failed\n%s", "x", error=ConnectionRefusedError())
            assert limit.filter(line)
            assert line.exc_info is not None
            assert line.getMessage() == "failed\nx"


def test_celery_s_warning_about_a_setting_that_is_set_is_left_out(limit: LibraryFilter) -> None:
    """It came with each connection that was lost, on eight lines."""
    warned = record("py.warnings", "%s", "consumer.py:427: CPendingDeprecationWarning: In Celery 5.1 we")
    assert not limit.filter(warned)
    assert limit.filter(record("py.warnings", "%s", "x.py:1: UserWarning: other"))
