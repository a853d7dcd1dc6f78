"""The refused credentials, as one transaction sees them, and what they explain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from alertworker.outages.credentials import RefusalReport
from alertworker.outages.model import JudgedModel, is_outage_without
from alertworker.outages.policy import Limits
from alertworker.outages.rows import CredentialKey
from alertworker.outages.sparse import judge_any
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict, is_dead
from alertworker.outages.windows import REFUSED, Bucket, Target, without_refusals
from alertworker.pipeline.credential_reports import condition_labels, read_reports
from alertworker.ports import Transaction


class RefusedCredentials:
    """The refused credentials of one transaction. Only those that may explain something are read."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def explaining(
        self, target: Target, verdict: WindowVerdict, buckets: Sequence[Bucket], limits: Limits
    ) -> str | None:
        """Return the refused credential that explains a target's outage, ``None`` if there is none.

        It explains the outage if the other failures alone are not an outage. A region's outage may be that of
        its deployments that use the credential.
        """
        if not REFUSED & verdict.causes.keys():
            return None
        rest = [without_refusals(row) for row in buckets]
        if judge_any(rest, limits).crossed or is_dead(rest, limits) is not None:
            return None
        named = {target.deployment_id} if target.deployment_id else set(verdict.failures)
        found = self._tx.credentials.refusing(named, start=verdict.since - DEAD_REACH)
        return self._label(min(found)) if found else None

    def explaining_model(self, judged: JudgedModel, limits: Limits) -> str | None:
        """Return the refused credential that explains a model's outage, ``None`` if there is none.

        Several refused credentials may explain it together. They do if, by the other failures and lost calls alone,
        neither the model nor one of its deployments has an outage.
        """
        if not any(REFUSED & row.causes.keys() for row in judged.buckets):
            return None
        failing = {row.deployment_id for row in judged.buckets if row.failed}
        deployments = {row.deployment_id for row in judged.buckets} | {row.deployment_id for row in judged.ended}
        found = self._tx.credentials.refusing(deployments, start=judged.verdict.since - DEAD_REACH)
        named = min((key for key, own in found.items() if own & failing), default=None)
        users = set[str]().union(*found.values())
        return self._label(named) if named is not None and not is_outage_without(judged, users, limits) else None

    def _label(self, key: CredentialKey) -> str:
        return condition_labels(self._tx, [key])[key]

    def reports(self, at: datetime, deployment_ids: Collection[str] | None = None) -> list[RefusalReport]:
        """Return the report on each refused credential, or on those that these deployments refused."""
        states = self._tx.credentials.refused_credentials()
        if deployment_ids is not None:
            states = {key: states[key] for key in self._tx.credentials.refusing(deployment_ids, start=0)}
        found = read_reports(self._tx, states, dict.fromkeys(states, at)) if states else {}
        return [found[key] for key in sorted(found)]
