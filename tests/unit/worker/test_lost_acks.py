"""The broker is lost just as a task is done: the worker reconnects, unless it has reconnected already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kombu.utils.imports import symbol_by_name

from alertworker.worker import tasks
from alertworker.worker.lost_acks import PATIENCE, BrokerGone, Request, check


def message(*, taken: bool, closed: bool) -> Any:
    """Make a message whose acknowledgement the broker took, or not, on a connection that is there, or not."""
    return SimpleNamespace(acknowledged=taken, channel=SimpleNamespace(closed=closed))


def test_an_acknowledgement_that_was_not_taken_ends_the_connection() -> None:
    """It raises an error on which Celery reconnects."""
    with pytest.raises(BrokerGone) as caught:
        check(message(taken=False, closed=False))
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(("taken", "closed"), [(True, False), (False, True), (True, True)])
def test_all_others_change_nothing(*, taken: bool, closed: bool) -> None:
    """Those that were taken, and those of a connection that has ended already, or that Kombu watches by itself."""
    check(message(taken=taken, closed=closed))
    check(SimpleNamespace(acknowledged=False, channel=object()))


def test_the_acknowledgement_is_checked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is delayed: its loop sends the acknowledgement later. This holds for rejected messages, too."""
    asked: list[Any] = []
    loop = SimpleNamespace(call_soon=lambda *call: asked.append(call), call_later=None)
    monkeypatch.setattr(Request, "loop", loop)
    request: Any = Request.__new__(Request)
    request._message, request._connection_errors = message(taken=False, closed=False), ()
    request._on_ack = request._on_reject = request.send_event = lambda *_, **__: None
    for end in (request.acknowledge, request.reject):
        request.acknowledged = False
        end()

    assert asked == [(loop.call_later, PATIENCE, check, request._message)] * 2


@pytest.mark.parametrize("task", [tasks.ingest, tasks.deliver, tasks.sweep, tasks.report])
def test_every_task_is_looked_after(task: Any) -> None:
    """This holds for every worker."""
    assert symbol_by_name(task.Request) is Request
