"""A health snapshot as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alertworker.store import HealthSnapshot


class ReadingsCollector(Collector):
    """Collects the metrics of one health snapshot."""

    def __init__(self, readings: HealthSnapshot, queued: int | None) -> None:
        self._readings = readings
        self._queued = queued

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        readings = self._readings
        yield _by_two("alertworker_alerts", "Stored alerts, by type and state", ("type", "state"), readings.alerts)
        yield _by_two(
            "alertworker_notifications",
            "Stored notifications, by status and channel",
            ("status", "channel"),
            readings.notifications,
        )
        yield _by_one("alertworker_lane_wait_seconds", "Age of the oldest unsent message", "channel", readings.lanes)
        yield _by_one(
            "alertworker_publishers", "Publishers that have not shut down cleanly", "state", readings.publishers
        )
        yield GaugeMetricFamily(
            "alertworker_publisher_backlog_events",
            "Events that live publishers have not sent yet",
            value=readings.backlog,
        )
        yield _by_one("alertworker_dead_letters", "Dead letters, by kind", "kind", readings.dead_letters)
        counted = CounterMetricFamily(
            "alertworker_counted",
            "Dropped, suppressed, merged, parked and clamped, by reason",
            labels=("what", "reason"),
        )
        for labels, value in sorted(readings.counters.items()):
            counted.add_metric(labels, value)
        yield counted
        if self._queued is not None:
            yield GaugeMetricFamily("alertworker_queue_messages", "Batches in the broker's queue", value=self._queued)
            if (oldest := readings.oldest_seconds(self._queued)) is not None:
                yield GaugeMetricFamily(
                    "alertworker_queue_oldest_seconds",
                    "Upper bound of the age of the oldest batch in the queue",
                    value=oldest,
                )
        if readings.canary_seconds is not None:
            yield GaugeMetricFamily(
                "alertworker_canary_age_seconds",
                "Age of the newest canary that returned",
                value=readings.canary_seconds,
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
