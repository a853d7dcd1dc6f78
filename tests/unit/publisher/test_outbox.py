"""The outbox: batches are sent in order or spooled, and every event is counted once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from alertworker.errors import BatchRefused, BrokerUnavailable
from alertworker.events.batch import SealedBatch
from alertworker.publisher import backoff
from alertworker.publisher import outbox as outbox_module
from alertworker.publisher import spool as spool_module
from alertworker.publisher.outbox import Outbox
from alertworker.publisher.problems import Problems
from alertworker.publisher.spool import Spool

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def sealed(number: int, events: int = 2) -> SealedBatch:
    """Return a batch of so many events."""
    return SealedBatch(f"id-{number}", "producer", NOW, events, b"x" * 150)


class FakeTransport:
    """Accepts batches while ``away`` is false; refuses those with an id in ``refuses``."""

    def __init__(self) -> None:
        self.away = False
        self.refuses: set[str] = set()
        self.accepted: list[str] = []
        self.tries = 0
        self.closed = False

    def send(self, batch: SealedBatch) -> None:
        """Accept a batch or raise."""
        self.tries += 1
        if self.away:
            raise BrokerUnavailable("the broker is away")
        if batch.batch_id in self.refuses:
            raise BatchRefused(f"{batch.batch_id} was refused")
        self.accepted.append(batch.batch_id)

    def close(self) -> None:
        """Record the call."""
        self.closed = True


class Clock:
    """The monotonic clock of the outbox and of its backoff."""

    now = 1_000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that a test moves."""
    replaced = Clock()
    for module in (backoff, outbox_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=replaced.monotonic))
    return replaced


@pytest.fixture
def transport() -> FakeTransport:
    """Return a transport."""
    return FakeTransport()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return a spool in a folder of its own."""
    opened = Spool(tmp_path / "spool", "boot", max_bytes=10_000)
    yield opened
    opened.close()


@pytest.fixture
def outbox(transport: FakeTransport, spool: Spool) -> Outbox:
    """Return an outbox."""
    return Outbox(transport, spool, Problems())


def reconnect(outbox: Outbox, transport: FakeTransport, clock: Clock) -> None:
    """Let the broker come back and the wait after the failure end."""
    transport.away = False
    clock.now += 3
    outbox.drain()


def test_batches_are_sent_in_order_and_counted(outbox: Outbox, transport: FakeTransport) -> None:
    """No batch is spooled while the broker is available."""
    for number in range(3):
        outbox.put(sealed(number))

    assert transport.accepted == ["id-0", "id-1", "id-2"]
    assert (outbox.sent, outbox.spooled, outbox.replayed, len(outbox)) == (6, 0, 0, 0)


def test_spooled_batches_are_sent_before_newer_ones(outbox: Outbox, transport: FakeTransport, clock: Clock) -> None:
    """Each batch is sent once. The counters distinguish spooled and replayed events."""
    transport.away = True
    outbox.put(sealed(0))
    outbox.put(sealed(1))
    assert (outbox.sent, outbox.spooled, len(outbox)) == (0, 4, 4)

    reconnect(outbox, transport, clock)
    outbox.put(sealed(2))

    assert transport.accepted == ["id-0", "id-1", "id-2"]
    assert (outbox.sent, outbox.spooled, outbox.replayed, len(outbox)) == (6, 4, 4, 0)


def test_no_batch_is_tried_before_the_wait_after_a_failure_is_over(outbox: Outbox, transport: FakeTransport) -> None:
    """Else each batch would cost the publisher a connection attempt."""
    transport.away = True
    for number in range(20):
        outbox.put(sealed(number))

    assert not outbox.may_try
    assert transport.tries == 1


def test_a_failed_try_reads_one_spooled_batch_only(
    outbox: Outbox, transport: FakeTransport, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large spool would otherwise be read into memory every few seconds while the broker is away."""
    transport.away = True
    for number in range(20):
        outbox.put(sealed(number))
    read: list[Path] = []
    original = spool_module._read

    def counting(path: Path) -> SealedBatch:
        read.append(path)
        return original(path)

    monkeypatch.setattr(spool_module, "_read", counting)
    clock.now += 3
    outbox.drain()

    assert transport.tries == 2
    assert len(read) == 1


def test_a_refused_batch_is_dropped_and_counted_and_does_not_block_the_next(
    outbox: Outbox, transport: FakeTransport, clock: Clock
) -> None:
    """From memory and from the spool."""
    transport.refuses = {"id-0", "id-1"}
    transport.away = True
    outbox.put(sealed(0))
    reconnect(outbox, transport, clock)
    outbox.put(sealed(1, events=3))
    outbox.put(sealed(2))

    assert transport.accepted == ["id-2"]
    assert outbox.dropped == {"refused": 5}
    assert (outbox.sent, outbox.replayed, len(outbox)) == (2, 0, 0)


def test_a_full_spool_drops_the_oldest_and_counts_it(tmp_path: Path, transport: FakeTransport, clock: Clock) -> None:
    """The remaining batches are sent in order."""
    spool = Spool(tmp_path / "spool", "boot", max_bytes=1_000)
    outbox = Outbox(transport, spool, Problems())
    transport.away = True
    for number in range(10):
        outbox.put(sealed(number))
    kept = len(outbox) // 2
    reconnect(outbox, transport, clock)
    spool.close()

    assert outbox.dropped == {"spool_full": (10 - kept) * 2}
    assert transport.accepted == [f"id-{number}" for number in range(10 - kept, 10)]


def test_a_disk_that_accepts_nothing_leaves_a_bound_in_memory(
    tmp_path: Path, transport: FakeTransport, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest batches stay."""
    monkeypatch.setattr(outbox_module, "_MAX_HELD", 10)
    (tmp_path / "file").write_text("in the way")
    outbox = Outbox(transport, Spool(tmp_path / "file" / "spool", "boot", max_bytes=1_000), Problems())
    transport.away = True
    for number in range(8):
        outbox.put(sealed(number))
    assert outbox.dropped == {"spool_unwritable": 6}
    assert (outbox.spooled, len(outbox)) == (0, 10)

    reconnect(outbox, transport, clock)
    assert transport.accepted == ["id-3", "id-4", "id-5", "id-6", "id-7"]


def test_the_spool_of_a_process_that_died_is_sent(tmp_path: Path, outbox: Outbox, transport: FakeTransport) -> None:
    """Its folder is adopted while this process has nothing to send."""
    other = Spool(tmp_path / "spool", "other", max_bytes=10_000)
    other.add(sealed(7))
    other.close()

    outbox.drain()

    assert transport.accepted == ["id-7"]
    assert outbox.replayed == 2


def test_a_batch_may_go_first_and_is_then_neither_counted_nor_spooled(outbox: Outbox, transport: FakeTransport) -> None:
    """A heartbeat that comes late has no use. A failure starts the wait for all batches."""
    transport.refuses = {"id-1"}
    assert outbox.send_first(sealed(0))
    assert outbox.send_first(sealed(1))
    transport.away = True
    assert not outbox.send_first(sealed(2))

    assert not outbox.may_try
    assert (outbox.sent, outbox.dropped, len(outbox)) == (0, {}, 0)


def test_a_kept_batch_is_spooled_without_a_try(outbox: Outbox, transport: FakeTransport, tmp_path: Path) -> None:
    """Another process sends the last event of a process that ends."""
    outbox.keep(sealed(1))
    outbox.close()

    assert (transport.tries, transport.closed, outbox.spooled) == (0, True, 2)
    assert len(list(tmp_path.rglob("*.batch"))) == 1


def test_a_problem_is_logged_once_until_publishing_works_again(
    outbox: Outbox, transport: FakeTransport, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A publisher without a broker must not fill the host's log."""
    with caplog.at_level(logging.WARNING, "alertworker.publisher"):
        for _ in range(2):
            transport.away = True
            for number in range(3):
                outbox.send_first(sealed(number))
            reconnect(outbox, transport, clock)

    assert [record.message for record in caplog.records] == [
        "alertworker: the broker is away; see the publisher's counters"
    ] * 2


def test_an_unexpected_error_spools_the_batches_in_memory(
    outbox: Outbox, transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must outlive the process, for every exception."""

    def fail(_: SealedBatch) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(transport, "send", fail)
    with pytest.raises(RuntimeError):
        outbox.put(sealed(0))

    assert outbox.spooled == 2


def test_a_deleted_spool_file_is_counted_and_the_next_is_sent(
    outbox: Outbox, transport: FakeTransport, clock: Clock, tmp_path: Path
) -> None:
    """It must not hold up the batches behind it until the host starts again."""
    transport.away = True
    for number in range(3):
        outbox.put(sealed(number))
    next(iter(sorted(tmp_path.rglob("*.batch")))).unlink()
    reconnect(outbox, transport, clock)

    assert transport.accepted == ["id-1", "id-2"]
    assert outbox.dropped == {"spool_lost": 2}
    assert len(outbox) == 0
