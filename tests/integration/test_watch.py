"""The database is away: the one alert that cannot go through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from alertworker.alerts import AlertType
from alertworker.app import FileMark
from alertworker.delivery import DeliveryError, Reason
from alertworker.errors import StoreUnavailable
from alertworker.messages import Step
from alertworker.pipeline import Runtime, StoreWatch
from alertworker.store import SqlStore
from tests.integration.line import NOW, Outbox

PATIENCE = timedelta(seconds=60)


class Away(SqlStore):
    """A database that cannot be asked."""

    def run(self, work: Callable[[Any], Any]) -> NoReturn:
        """Refuse."""
        del work
        raise StoreUnavailable("the database cannot be asked now")


def after(seconds: float) -> datetime:
    """Give a later moment."""
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def away(runtime: Runtime, store: SqlStore) -> Runtime:
    """Give a runtime whose database is away."""
    return replace(runtime, store=Away(store.engine))


def test_an_outage_of_the_database_is_told_once_by_a_host_and_its_end(
    runtime: Runtime, away: Runtime, outbox: Outbox, tmp_path: Path
) -> None:
    """Two beats on one host, and one that is restarted, tell it once; a short one is nobody's business."""
    first, second = (StoreWatch(away, FileMark(tmp_path / "mark"), patience=PATIENCE) for _ in range(2))
    for seconds in range(0, 300, 5):
        first.look(now=after(seconds))
        second.look(now=after(seconds))
        if seconds < 60:
            assert outbox.sent == []
    restarted = StoreWatch(away, FileMark(tmp_path / "mark"), patience=PATIENCE)
    for seconds in range(300, 600, 5):
        restarted.look(now=after(seconds))
    for _ in range(2):
        StoreWatch(runtime, FileMark(tmp_path / "mark"), patience=PATIENCE).look(now=after(600))

    assert [(message.type, message.step) for message in outbox.sent] == [
        (AlertType.STORE_AWAY, Step.FIRING),
        (AlertType.STORE_AWAY, Step.RESOLVED),
    ]
    assert "10 min" in outbox.sent[1].headline


def test_a_message_that_no_channel_took_is_tried_again_a_minute_later(
    away: Runtime, outbox: Outbox, tmp_path: Path
) -> None:
    """Until one has it."""
    outbox.failures = [DeliveryError("down", Reason.UNREACHABLE)]
    watch = StoreWatch(away, FileMark(tmp_path / "mark"), patience=PATIENCE)
    for seconds in range(0, 300, 5):
        watch.look(now=after(seconds))

    assert [message.at for message in outbox.sent] == [after(120)]
