"""The database is down: the only alert that cannot use it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.channels import build_channel
from alertworker.channels.budget_webhook import BudgetWebhookConfig
from alertworker.delivery.channel import Channel
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.errors import StoreUnavailable
from alertworker.pipeline import Runtime, StoreWatchdog
from alertworker.ports import Marker
from alertworker.routing.matchers import Matcher
from alertworker.routing.router import Route
from alertworker.store import SqlStore
from alertworker.store.outage_marker import FileOutageMarker
from tests.integration.harness import NOW, Outbox

PATIENCE = timedelta(seconds=60)
NOTE = Marker(NOW, "019a0000-0000-7000-8000-000000000001")


class Switched(SqlStore):
    """A database that is unavailable while ``away`` is true."""

    away = False

    def check_writes(self) -> None:
        """Refuse, or check."""
        if self.away:
            raise StoreUnavailable("the database is unavailable")
        super().check_writes()


class Pager(Outbox):
    """Another channel."""

    name = kind = "pager"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def notified(outbox: Outbox) -> list[tuple[datetime, Step]]:
    """Return the received steps and their times."""
    return [(message.at, message.step) for message in outbox.sent]


def down() -> DeliveryError:
    """Return the error for a receiver's 500."""
    return DeliveryError("500", Reason.SERVER_ERROR)


class Host:
    """A host with a beat that checks every 5 s, and a database that is up or down."""

    def __init__(self, runtime: Runtime, store: SqlStore, mark: Path) -> None:
        self._store = Switched(store.engine)
        retry = replace(runtime.retry, deadline=600.0)
        self._runtime = replace(runtime, store=self._store, retry=retry)
        self._mark = mark
        self.watches = [self.beat()]

    def beat(self) -> StoreWatchdog:
        """Start a beat."""
        return StoreWatchdog(self._runtime, FileOutageMarker(self._mark), patience=PATIENCE)

    def run(self, first: int, until: int, *, away: bool) -> None:
        """Run the checks of all beats, from one second until before another."""
        self._store.away = away
        for seconds in range(first, until, 5):
            for watch in self.watches:
                watch.check(now=after(seconds))


@pytest.fixture
def host(runtime: Runtime, store: SqlStore, tmp_path: Path) -> Host:
    """Return a host with the outbox as its only channel."""
    return Host(runtime, store, tmp_path / "mark")


@pytest.fixture
def pager() -> Pager:
    """Return a second channel."""
    return Pager()


@pytest.fixture
def host_with_pager(runtime: Runtime, store: SqlStore, outbox: Outbox, pager: Pager, tmp_path: Path) -> Host:
    """Return a host with two channels."""
    return Host(_with(runtime, outbox, pager), store, tmp_path / "mark")


def _with(runtime: Runtime, *channels: Channel) -> Runtime:
    named = {channel.name: channel for channel in channels}
    return replace(runtime, channels=named, router=replace(runtime.router, receivers={"all": tuple(named)}))


def test_an_outage_of_the_database_is_notified_once_for_each_host_and_resolves(host: Host, outbox: Outbox) -> None:
    """Two beats on one host, one of them restarted, send it once. A short outage is not notified."""
    host.watches.append(host.beat())
    host.run(0, 60, away=True)
    assert outbox.sent == []
    host.run(60, 300, away=True)
    host.watches.append(host.beat())
    host.run(300, 600, away=True)
    host.run(600, 610, away=False)

    assert [(message.type, message.step) for message in outbox.sent] == [
        (AlertType.STORE_AWAY, Step.FIRING),
        (AlertType.STORE_AWAY, Step.RESOLVED),
    ]
    assert "10 min" in outbox.sent[1].headline


def test_an_outage_and_its_end_are_one_alert_and_each_outage_its_own(host: Host, outbox: Outbox) -> None:
    """A pager's incident is then resolved, also by a beat that was restarted in the meantime."""
    host.run(0, 120, away=True)
    host.watches = [host.beat()]
    host.run(120, 200, away=False)
    host.run(200, 300, away=True)
    host.run(300, 310, away=False)

    first, end, second, second_end = outbox.sent
    assert (first.alert_id, second.alert_id) == (end.alert_id, second_end.alert_id)
    assert first.alert_id != second.alert_id
    assert len(set(outbox.ids)) == 4


def test_a_message_that_no_channel_took_is_tried_again_a_minute_later(host: Host, outbox: Outbox) -> None:
    """Attempts continue until one channel accepts it."""
    outbox.failures = [down()]
    host.run(0, 300, away=True)

    assert notified(outbox) == [(after(120), Step.FIRING)]


def test_an_end_that_no_channel_took_is_tried_again_a_minute_later(host: Host, outbox: Outbox) -> None:
    """This includes a beat that was restarted."""
    host.run(0, 120, away=True)
    outbox.failures = [down()]
    host.run(120, 150, away=False)
    assert [step for _, step in notified(outbox)] == [Step.FIRING]
    host.watches = [host.beat()]
    host.run(150, 300, away=False)

    assert notified(outbox)[1:] == [(after(150), Step.RESOLVED)]
    assert "2 min 30 s" in outbox.sent[1].headline


def test_the_resolved_message_has_the_time_when_the_database_was_back(host: Host, outbox: Outbox) -> None:
    """The time is not that of the delivery."""
    host.run(0, 120, away=True)
    outbox.failures = [down()]
    host.run(120, 300, away=False)

    assert notified(outbox)[1:] == [(after(120), Step.RESOLVED)]
    assert outbox.sent[1].headline == "The database is back after 2 min"


def test_an_end_that_no_channel_accepts_is_given_up_at_the_deadline(host: Host, outbox: Outbox) -> None:
    """The limit is ``retry.deadline``, 10 minutes here."""
    host.run(0, 120, away=True)
    outbox.failures = [down() for _ in range(100)]
    host.run(120, 1200, away=False)

    assert 100 - len(outbox.failures) == 11


def test_a_channel_that_was_down_is_notified_later(host_with_pager: Host, outbox: Outbox, pager: Pager) -> None:
    """It gets both messages under the ids of the first attempts, and the others get them only once."""
    pager.failures = [down(), down()]
    host_with_pager.run(0, 300, away=True)
    assert notified(outbox) == notified(pager) == [(after(60), Step.FIRING)]
    pager.failures = [down()]
    host_with_pager.run(300, 600, away=False)

    assert notified(outbox) == notified(pager) == [(after(60), Step.FIRING), (after(300), Step.RESOLVED)]
    assert {message.alert_id for message in pager.sent} == {message.alert_id for message in outbox.sent}


def test_a_channel_that_missed_the_firing_message_gets_only_the_resolved_one(
    host_with_pager: Host, pager: Pager
) -> None:
    """A channel that missed the firing message gets the resolving one alone."""
    pager.failures = [down()]
    host_with_pager.run(0, 100, away=True)
    host_with_pager.run(100, 600, away=False)

    assert notified(pager) == [(after(100), Step.RESOLVED)]


def test_a_budget_webhook_gets_no_message(
    runtime: Runtime, store: SqlStore, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver is a program, and this is not a budget event."""
    budgets = build_channel(BudgetWebhookConfig(name="budgets", url=SecretStr("https://receiver.example/x")))
    posted: list[str] = []
    monkeypatch.setattr(budgets, "send", lambda body, **_: posted.append(body))
    host = Host(_with(runtime, budgets, outbox), store, tmp_path / "mark")
    host.run(0, 120, away=True)
    host.run(120, 130, away=False)

    assert posted == []
    assert len(outbox.sent) == 2


def test_routes_by_severity_take_it(
    runtime: Runtime, store: SqlStore, outbox: Outbox, pager: Pager, tmp_path: Path
) -> None:
    """Its severity is High, which pages by default."""
    both = _with(runtime, outbox, pager)
    high = Route(matchers=(Matcher("severity", "=", "High"),), receiver="pager")
    router = replace(
        both.router, root=Route(receiver="all", routes=(high,)), receivers={"all": ("outbox",), "pager": ("pager",)}
    )
    Host(replace(both, router=router), store, tmp_path / "mark").run(0, 120, away=True)

    assert (len(pager.sent), len(outbox.sent)) == (1, 0)


def test_an_outage_marker_is_put_once_and_taken_once(tmp_path: Path) -> None:
    """Its folder is created with it."""
    first, second = (FileOutageMarker(tmp_path / "data" / "mark") for _ in range(2))

    assert (first.put(NOTE), second.put(NOTE), first.put(NOTE)) == (True, False, False)
    assert (second.take(), first.take()) == (NOTE, None)
    assert second.put(NOTE)


def test_a_mark_that_cannot_be_written_is_kept_by_the_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each process then sends it once, and the log has the reason."""
    (tmp_path / "file").touch()
    first, second = (FileOutageMarker(tmp_path / "file" / "mark") for _ in range(2))

    assert (first.put(NOTE), first.put(NOTE), second.put(NOTE)) == (True, False, True)
    assert (first.take(), first.take()) == (NOTE, None)
    assert "cannot be written (Not a directory)" in caplog.text


def test_a_full_disk_leaves_no_empty_outage_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next outage would count as notified."""
    mark = FileOutageMarker(tmp_path / "mark")
    opened = Path.open

    def full(path: Path, *_: Any) -> Any:
        opened(path, "x").close()
        return opened(Path("/dev/full"), "w")

    monkeypatch.setattr(Path, "open", full)
    assert mark.put(NOTE)
    assert mark.take() == NOTE
    assert list(tmp_path.iterdir()) == []


def test_no_channel_is_notified_of_the_end_while_the_marker_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise every check would send it. It is sent once the file can be removed."""
    mark = FileOutageMarker(tmp_path / "mark")
    mark.put(NOTE)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda _path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        assert (mark.take(), mark.take()) == (None, None)

    assert mark.take() == NOTE
    assert caplog.text.count("cannot be read and removed (Permission denied)") == 1
