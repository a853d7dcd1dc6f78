"""Deployments that a proxy stopped using for a while: why, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import ceil

from alertworker.alerts.alert import Alert
from alertworker.alerts.call_description import (
    UNKNOWN_MODEL,
    deployment_facts,
    name_call,
    newest_metadata,
    trace_link,
)
from alertworker.alerts.catalogue import MAX_MEMBERS, AlertType, Severity
from alertworker.detectors.policy import Policy
from alertworker.events import DeploymentCooledDown
from alertworker.folding import Fold
from alertworker.text.format import spell, spell_moment
from alertworker.text.names import deployment_title


def cooled_down(fold: Fold, policy: Policy) -> Iterable[Alert]:
    """Yield one notice for each deployment. It also counts further cooldowns, and those of other proxy processes.

    It is a notice, not a condition: a cooldown ends by itself in seconds, even if the deployment still fails.
    """
    groups: dict[str, list[DeploymentCooledDown]] = {}
    for event in fold.cooled_down:
        groups.setdefault(event.deployment_id, []).append(event)
    for deployment_id, events in groups.items():
        last = max(events, key=lambda event: event.occurred_at)
        failure, model = last.failure, last.model_group or last.model or UNKNOWN_MODEL
        status = f" {failure.status_code}" if failure.status_code else ""
        title = deployment_title(deployment_id, last.model or last.model_group, last.provider, last.region)
        seconds = spell(timedelta(seconds=ceil(last.seconds)))
        labels = {"model": model, "provider": last.provider, "region": last.region, "deployment": deployment_id}
        facts = {
            "Request Model": last.model_group,
            "Until": _until(last, policy),
            **deployment_facts(last),
            **trace_link(last.trace_id, policy.langfuse_host),
            "Error": failure.message,
        }
        yield Alert(
            type=AlertType.COOLDOWN_DEPLOYMENT,
            severity=Severity.LOW,
            identity={"deployment": deployment_id},
            headline=f"Deployment cools down for {seconds}: {title} · {failure.error_class}{status}",
            first_at=min(event.occurred_at for event in events),
            last_at=last.occurred_at,
            count=len(events),
            labels={name: value for name, value in labels.items() if value},
            facts={name: value for name, value in facts.items() if value},
            members=tuple(_member(event, policy) for event in events[:MAX_MEMBERS]),
            metadata=newest_metadata(events),
        )


def _member(event: DeploymentCooledDown, policy: Policy) -> str:
    return name_call(f"until {_until(event, policy)}", event.call_id, metadata=event.alerting_metadata)


def _until(event: DeploymentCooledDown, policy: Policy) -> str:
    return spell_moment(event.occurred_at + timedelta(seconds=event.seconds), policy.zone)
