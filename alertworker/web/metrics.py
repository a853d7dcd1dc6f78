"""A health snapshot as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alertworker.store import HealthSnapshot


class SnapshotCollector(Collector):
    """Collects the metrics of one health snapshot."""

    def __init__(self, snapshot: HealthSnapshot, queued: int | None) -> None:
        self._snapshot = snapshot
        self._queued = queued

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        snapshot = self._snapshot
        yield _by_two("alertworker_alerts", "Stored alerts, by type and state", ("type", "state"), snapshot.alerts)
        yield _by_two(
            "alertworker_notifications",
            "Stored notifications, by status and channel",
            ("status", "channel"),
            snapshot.notifications,
        )
        yield _by_one("alertworker_lane_wait_seconds", "Age of the oldest unsent message", "channel", snapshot.lanes)
        yield _by_one(
            "alertworker_publishers", "Publishers that have not shut down cleanly", "state", snapshot.publishers
        )
        yield GaugeMetricFamily(
            "alertworker_publisher_backlog_events",
            "Events that live publishers have not sent yet",
            value=snapshot.backlog,
        )
        yield _by_one("alertworker_dead_letters", "Dead letters, by kind", "kind", snapshot.dead_letters)
        counted = CounterMetricFamily(
            "alertworker_counted",
            "Dropped, suppressed, merged, parked and clamped, by reason",
            labels=("what", "reason"),
        )
        for labels, value in sorted(snapshot.counters.items()):
            counted.add_metric(labels, value)
        yield counted
        if self._queued is not None:
            yield GaugeMetricFamily("alertworker_queue_messages", "Batches in the broker's queue", value=self._queued)
            if (oldest := snapshot.oldest_seconds(self._queued)) is not None:
                yield GaugeMetricFamily(
                    "alertworker_queue_oldest_seconds",
                    "Upper bound of the age of the oldest batch in the queue",
                    value=oldest,
                )
        if snapshot.canary_seconds is not None:
            yield GaugeMetricFamily(
                "alertworker_canary_age_seconds",
                "Age of the newest canary that returned",
                value=snapshot.canary_seconds,
            )


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
