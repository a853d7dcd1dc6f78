"""The headlines of outages' alerts, which are made of parts. Each part can be changed alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from alertworker.alerts.alert import Alert, Subject
from alertworker.alerts.catalogue import FLAPPING
from alertworker.alerts.outage_headline import OutageHeadline
from alertworker.outages.windows import Target
from alertworker.text.names import deployment_title

_A = TypeVar("_A", bound=Alert | Subject)


def with_headline(alert: _A, parts: OutageHeadline) -> _A:
    """Return an alert with a headline."""
    return replace(alert, headline=parts.text, headline_parts=parts)


def with_grade(alert: _A, target: Target, labels: Mapping[str, str], *, is_major: bool) -> _A:
    """Return an outage of a deployment, region or provider with its grade in the headline.

    The ``labels`` name the target of an alert that the previous version wrote.
    """
    parts = alert.headline_parts
    if parts is None:
        subject = spell_target(target, labels.get("model"), labels.get("provider"), labels.get("region"))
        return with_headline(alert, OutageHeadline(subject=subject, is_major=is_major, is_flapping=FLAPPING in labels))
    return with_headline(alert, parts.model_copy(update={"is_major": is_major}))


def as_flapping(alert: _A) -> _A:
    """Return the alert of a flapping target, which says so at the beginning of its headline."""
    if alert.headline_parts is not None:
        return with_headline(alert, alert.headline_parts.model_copy(update={"is_flapping": True}))
    return alert if FLAPPING in alert.labels else replace(alert, headline=f"Flapping: {alert.headline}")


def spell_target(target: Target, model: str | None, provider: str | None, region: str | None) -> str:
    """Return the name of a deployment, a region or a provider for a headline."""
    if target.is_provider:
        return f"provider {target.provider}"
    if not target.deployment_id:
        return f"region {target.region} ({target.provider})"
    return deployment_title(target.deployment_id, model, provider, region)
