"""A health snapshot as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.store import HealthSnapshot


class SnapshotCollector(Collector):
    """Collects the metrics of one health snapshot. The label ``channel`` is the one that people see."""

    def __init__(self, snapshot: HealthSnapshot, queued: int | None, channels: ChannelLabels) -> None:
        self._snapshot = replace(
            snapshot,
            notifications={(status, channels.of(name)): n for (status, name), n in snapshot.notifications.items()},
            lanes={channels.of(name): seconds for name, seconds in snapshot.lanes.items()},
            broken={channels.of(name): seconds for name, seconds in snapshot.broken.items()},
        )
        self._queued = queued

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        snapshot = self._snapshot
        yield _by_two("alertworker_alerts", "Stored alerts, by type and state", ("type", "state"), snapshot.alerts)
        status = "Stored notifications, by status and channel"
        yield _by_two("alertworker_notifications", status, ("status", "channel"), snapshot.notifications)
        yield _by_one("alertworker_lane_wait_seconds", "Age of the oldest unsent message", "channel", snapshot.lanes)
        broken = "Time since a channel was found to accept no messages"
        yield _by_one("alertworker_channel_broken_seconds", broken, "channel", snapshot.broken)
        unclean = "Publishers that have not shut down cleanly"
        yield _by_one("alertworker_publishers", unclean, "state", snapshot.publishers)
        backlog = "Events that live publishers have not sent yet"
        yield _one("alertworker_publisher_backlog_events", backlog, snapshot.backlog)
        yield _by_one("alertworker_dead_letters", "Dead letters, by kind", "kind", snapshot.dead_letters)
        yield _counted(snapshot.counters)
        if self._queued is not None:
            yield _one("alertworker_queue_messages", "Batches in the broker's queue", self._queued)
            if (oldest := snapshot.oldest_seconds(self._queued)) is not None:
                bound = "Upper bound of the age of the oldest batch in the queue"
                yield _one("alertworker_queue_oldest_seconds", bound, oldest)
        if snapshot.canary_seconds is not None:
            newest = "Age of the newest canary that returned"
            yield _one("alertworker_canary_age_seconds", newest, snapshot.canary_seconds)


def _counted(counters: Mapping[tuple[str, str], int]) -> Metric:
    text = "Dropped, suppressed, merged, parked and clamped, by reason"
    family = CounterMetricFamily("alertworker_counted", text, labels=("what", "reason"))
    for labels, value in sorted(counters.items()):
        family.add_metric(labels, value)
    return family


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by_one(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in sorted(values.items()):
        family.add_metric((key,), value)
    return family


def _by_two(name: str, text: str, labels: tuple[str, str], values: Mapping[tuple[str, str], int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for keys, value in sorted(values.items()):
        family.add_metric(keys, value)
    return family
