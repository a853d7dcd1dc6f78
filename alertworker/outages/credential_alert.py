"""The alert about a refused credential. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from alertworker.alerts.alert import Alert, Subject, fingerprint_of
from alertworker.alerts.call_description import name_call, newest_metadata
from alertworker.alerts.catalogue import AlertType, OutageScope
from alertworker.events import AttemptFailed
from alertworker.outages.credentials import RefusalReport, Refusals, shared_by, sums_of
from alertworker.outages.facts import MAX_NAMES, spell_calls, titles_of
from alertworker.outages.grade import Grade
from alertworker.outages.rows import CredentialKey
from alertworker.outages.verdict import WindowVerdict
from alertworker.outages.windows import WINDOW_SECONDS
from alertworker.text.format import spell
from alertworker.text.names import short_id

_S = TypeVar("_S", bound=Subject)


def key_of(alert: Subject) -> CredentialKey | None:
    """Return the credential that an alert is about, ``None`` if it is about something else."""
    labels = alert.labels
    if labels.get("scope") != OutageScope.CREDENTIAL:
        return None
    return CredentialKey(labels["provider"], labels["credential"])


def fingerprint(key: CredentialKey) -> str:
    """Return the fingerprint of a credential's condition."""
    return fingerprint_of(AlertType.OUTAGE_ALERTS, _identity(key))


def describe(
    report: RefusalReport,
    verdict: WindowVerdict,
    severity: Grade,
    events: Sequence[AttemptFailed],
    *,
    names: Mapping[str, str],
    members: int,
    is_open: bool,
) -> Alert:
    """Return the alert that opens the condition, raises its grade, or counts refused calls.

    ``events`` are the batch's own refused calls. ``names`` are those of deployments, by id. ``members`` is the
    maximum number of calls to name.
    """
    titles = titles_of(names, events)
    last = max(events, key=lambda event: event.occurred_at, default=None)
    facts = _facts(report, verdict, titles) | {"Error": last.failure.message if last is not None else ""}
    return Alert(
        type=AlertType.OUTAGE_ALERTS,
        severity=severity.severity,
        identity=_identity(report.key),
        headline=_headline(report, titles),
        first_at=datetime.fromtimestamp(verdict.since, UTC),
        last_at=last.occurred_at if last is not None else datetime.fromtimestamp(verdict.until, UTC),
        count=len(events) if is_open else max(verdict.failed, len(events)),
        # Workers of the version before read this label of every outage.
        labels={"deployment": ""},
        facts={label: text for label, text in facts.items() if text},
        members=tuple(_member(event, titles) for event in events[:members]),
        metadata=newest_metadata(events),
        level=1 + severity.is_high,
    )


def total(alert: _S, report: RefusalReport, names: Mapping[str, str], *, is_over: bool = False) -> _S:
    """Return a credential's condition with its current facts. ``report`` covers all the time since it began.

    ``names`` are those of deployments, by id.
    """
    verdict = sums_of(report.rows)
    if not verdict.crossed:  # its rows are deleted
        return alert
    facts = _facts(report, verdict, titles_of(names), is_over=is_over)
    kept = {label: text for label, text in alert.facts.items() if label not in {*facts, "Calls saved"}}
    return replace(alert, count=max(verdict.failed, alert.notified_count), facts=facts | kept)


def _facts(
    report: RefusalReport, verdict: WindowVerdict, titles: Mapping[str, str], *, is_over: bool = False
) -> dict[str, str]:
    key, alone = report.key, report.alone
    models = [f"{model} (no other key serves it)" if model in alone else model for model in _models(report.rows)]
    lasted = spell(timedelta(seconds=verdict.until - verdict.since + WINDOW_SECONDS))
    facts = {
        **spell_calls(report.calls, None if is_over else MAX_NAMES, is_over=is_over),
        "Attempts": f"{verdict.failed:,} of {verdict.failed:,} failed in {lasted}",
        "Causes": ", ".join(f"{name} ×{count:,}" for name, count in sorted(verdict.causes.items())),
        "Models": _names(models),
        "Deployments": _names([titles.get(name) or short_id(name) for name in verdict.failures]),
        "Provider": key.provider,
        "Credential": "many keys"
        if key == shared_by(key.provider)
        else f"{key.credential} (the start of the key's SHA-256)",
    }
    return {label: text for label, text in facts.items() if text}


def _headline(report: RefusalReport, titles: Mapping[str, str]) -> str:
    """Return the headline: it names the models that the key serves, else its deployments, and no digits."""
    deployments = sorted({row.deployment_id for row in report.rows})
    served = _models(report.rows) or [titles.get(name) or short_id(name) for name in deployments]
    on = f" for {_names(served)}" if served else ""
    provider = report.key.provider or "a provider"
    if report.key == shared_by(report.key.provider):
        return f"API keys refused: {provider} rejects every call with many keys{on}"
    return f"API key refused: {provider} rejects every call with one key{on}"


def _identity(key: CredentialKey) -> Mapping[str, str]:
    return {"scope": OutageScope.CREDENTIAL.value, "provider": key.provider, "credential": key.credential}


def _models(rows: Iterable[Refusals]) -> list[str]:
    return sorted({row.model for row in rows if row.model})


def _names(names: Sequence[str]) -> str:
    rest = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _member(event: AttemptFailed, titles: Mapping[str, str]) -> str:
    status = f"{event.failure.error_class} {event.failure.status_code}"
    return name_call(event.call_id, status, titles.get(event.deployment_id or ""), metadata=event.alerting_metadata)
