"""The headlines of outages, of this version's alerts and of those that the previous version has stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import FLAPPING, AlertType, Severity
from alertworker.alerts.outage_headline import OutageHeadline
from alertworker.alerts.stored import StoredReader
from alertworker.outages.headline import as_flapping, with_grade, with_headline
from alertworker.outages.windows import Target

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
LABELS = {"deployment": "d1", "model": "Minor", "provider": "azure", "region": "eu"}
OLD = Subject(
    id="1",
    type=AlertType.OUTAGE_ALERTS,
    severity=Severity.HIGH,
    headline="Minor Service Outage: Minor",
    labels=LABELS,
    first_at=NOW,
    last_at=NOW,
)
OWN = with_headline(OLD, OutageHeadline(subject="Minor", is_major=False))


@pytest.mark.parametrize(
    ("alert", "headline"),
    [
        (OWN, "Major Service Outage: Minor"),
        (as_flapping(OWN), "Flapping: Major Service Outage: Minor"),
        (OLD, "Major Service Outage: azure/Minor in eu (d1)"),
        (replace(OLD, labels=LABELS | {FLAPPING: "true"}), "Flapping: Major Service Outage: azure/Minor in eu (d1)"),
    ],
)
def test_a_grade_changes_one_part(alert: Subject, headline: str) -> None:
    """The name of what fails is never searched for a word. Labels name what the previous version stored."""
    assert with_grade(alert, Target("d1"), alert.labels, is_major=True).headline == headline


def test_a_region_is_named_by_its_target() -> None:
    region = Target(provider="azure", region="eu")
    assert with_grade(OLD, region, {}, is_major=True).headline == "Major Service Outage: region eu (azure)"


def test_an_alert_flaps_once() -> None:
    """An alert of the previous version has the words only if it has the label."""
    for alert in (OLD, OWN):
        flapping = as_flapping(alert)
        assert flapping.headline == f"Flapping: {alert.headline}"
        assert as_flapping(replace(flapping, labels=LABELS | {FLAPPING: "true"})).headline == flapping.headline


def test_parts_that_make_another_headline_are_out_of_date() -> None:
    """A hash is shortened in both."""
    parts = OutageHeadline(subject="model " + "3f" * 32, is_major=True)
    reader, stored = StoredReader(), parts.model_dump(mode="json")
    assert parts.text == "Major Service Outage: model 3f3f3f3f…"
    assert reader.headline_parts(stored, parts.text) == parts
    assert reader.headline_parts(stored, "Minor Service Outage: model 3f3f3f3f…") is None
    assert reader.headline_parts(None, parts.text) is None
    assert reader.unknown == []
