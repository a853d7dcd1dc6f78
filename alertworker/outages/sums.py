"""The additions of a batch to the windows: sums of calls on deployments, from which outages are judged.

Pure and additive. The same calls add up to the same rows, in whatever order and batches they arrive. The proxy's own
health checks are left out: they are not clients' calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from alertworker.events import AttemptFailed, EndEvent, FailedOn, RequestFailed, RequestSucceeded
from alertworker.ledger.rows import MAX_PART
from alertworker.outages.rows import (
    BY_GROUP,
    CallKey,
    CallSums,
    CauseKey,
    CauseSums,
    CredentialKey,
    FailingKey,
    KeyFailures,
    ModelCallKey,
    RefusalKey,
    RefusalSums,
    WindowKey,
    WindowSums,
)
from alertworker.outages.windows import (
    FORBIDDEN,
    NO_DEPLOYMENTS,
    REFUSED,
    UNAUTHORIZED,
    bucket_of,
    cause,
    group_of,
    model_of,
    targets_of,
)
from alertworker.text.shorten import shorten_id


@dataclass(slots=True)
class OutageSums:
    """The additions of a batch to the windows."""

    windows: dict[WindowKey, WindowSums] = field(default_factory=dict)
    causes: dict[CauseKey, CauseSums] = field(default_factory=dict)
    calls: dict[CallKey, CallSums] = field(default_factory=dict)
    models: dict[ModelCallKey, CallSums] = field(default_factory=dict)
    failing_keys: dict[FailingKey, KeyFailures] = field(default_factory=dict)
    refusals: dict[RefusalKey, RefusalSums] = field(default_factory=dict)
    #: The last bucket in which a provider accepted a credential.
    accepted: dict[CredentialKey, int] = field(default_factory=dict)
    #: Failed attempts that a deployment is to blame for; each is counted in ``causes``.
    blamed: list[AttemptFailed] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The number of rows that the batch changes, those of credentials aside."""
        tables = (self.windows, self.causes, self.calls, self.models, self.failing_keys)
        return sum(len(table) for table in tables)

    def add_end(self, event: EndEvent, second: float) -> None:
        """Add a call that ended at an epoch second."""
        if event.health_check:
            return
        bucket = bucket_of(second)
        if isinstance(event, RequestSucceeded):
            if event.deployment_id and not event.cache_hit:
                self._succeeded(event, second, bucket)
            if event.failed_on or event.fallbacks:  # of few calls
                self._saved_or_lost(event, bucket)
        elif isinstance(event, RequestFailed):
            self._saved_or_lost(event, bucket)

    def add_attempt(self, event: AttemptFailed, second: float) -> None:
        """Add an attempt that failed at an epoch second, under its cause, if the deployment is to blame."""
        if event.health_check:
            return
        window = _window_key(event, bucket_of(second))
        self._window(event, window)  # causes are read with the row of their bucket
        named = _cause(event)
        if named is None or event.first_on_deployment is False:
            return  # a call that is retried on a deployment counts as one failed call
        key = CauseKey(*window, named)
        sums = self.causes.setdefault(key, CauseSums())
        sums.attempts += 1
        at = int(second * 1_000)
        sums.first_failure = min(sums.first_failure or at, at)
        sums.last_failure = max(sums.last_failure, at)
        self.blamed.append(event)
        self._blame(event, key, at)

    def _succeeded(self, event: RequestSucceeded, second: float, bucket: int) -> None:
        window = self._window(event, _window_key(event, bucket))
        # A call counts once on a deployment. If it failed there before it succeeded, it counts as failed.
        if event.deployment_id not in {failed.deployment_id for failed in event.failed_on}:
            window.succeeded += 1
            if event.key_hash:
                group = BY_GROUP[group_of(event.key_hash)]
                setattr(window, group, getattr(window, group) + 1)
        window.last_success = max(window.last_success, int(second * 1_000))
        if event.credential is not None:
            key = CredentialKey(event.provider or "", event.credential)
            self.accepted[key] = max(self.accepted.get(key, 0), bucket)

    def _saved_or_lost(self, event: RequestSucceeded | RequestFailed, bucket: int) -> None:
        """Count a call's end once for each deployment, region and provider that failed it.

        If its producer names no failed attempts, the deployment counts that the call ended on.
        """
        failed_on = event.failed_on
        if not failed_on and isinstance(event, RequestFailed) and event.deployment_id and _cause(event):
            failed_on = (FailedOn(deployment_id=event.deployment_id, provider=event.provider, region=event.region),)
        model = event.original_model_group or model_of(event)
        unanswered = bool(model and (failed_on or event.fallbacks or _found_no_deployment(event)))
        if not failed_on and not unanswered:
            return
        team = event.attribution.team
        for target in {target for failed in failed_on for target in targets_of(failed)}:
            _add_end(self.calls.setdefault(CallKey(*target, bucket, team), CallSums()), event)
        if unanswered:
            first = failed_on[0].deployment_id if failed_on else ""
            _add_end(self.models.setdefault(ModelCallKey(model, first, bucket, team), CallSums()), event)

    def _blame(self, event: AttemptFailed, where: CauseKey, at: int) -> None:
        """Count a failed call for its caller, and for the credential that the provider refused.

        ``at`` is the time of the failure in epoch milliseconds.
        """
        model = shorten_id(event.attribution.model, MAX_PART)
        failing = self.failing_keys.setdefault(FailingKey(*where[:4], event.key_hash or ""), KeyFailures())
        failing.failed += 1
        failing.model = max(failing.model, model)
        if event.credential is None or where.cause not in REFUSED:
            return
        key = RefusalKey(where.provider, event.credential, where.deployment_id, where.region, where.bucket)
        refused = self.refusals.setdefault(key, RefusalSums())
        refused.unauthorized += where.cause == UNAUTHORIZED
        refused.forbidden += where.cause == FORBIDDEN
        refused.last_refusal = max(refused.last_refusal, at)
        refused.model = max(refused.model, model)

    def _window(self, event: EndEvent | AttemptFailed, key: WindowKey) -> WindowSums:
        window = self.windows.get(key)
        if window is None:
            window = self.windows[key] = WindowSums()
        window.model = max(window.model, model_of(event))
        return window


def _add_end(sums: CallSums, event: EndEvent) -> None:
    if isinstance(event, RequestFailed):
        sums.lost += 1
    elif event.fallbacks:
        sums.by_fallback += 1
    else:
        sums.by_retry += 1


def _found_no_deployment(event: EndEvent) -> bool:
    """Return whether a call failed because all deployments of its model group were cooling down."""
    return isinstance(event, RequestFailed) and event.failure.error_class.startswith(NO_DEPLOYMENTS)


def _cause(event: AttemptFailed | RequestFailed) -> str | None:
    failure = event.failure
    return cause(failure.error_class, failure.status_code, failure.origin) if event.deployment_id else None


def _window_key(event: EndEvent | AttemptFailed, bucket: int) -> WindowKey:
    return WindowKey(event.deployment_id or "", event.provider or "", event.region or "", bucket)
