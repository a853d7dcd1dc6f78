"""The refused credentials, as one transaction sees them, and what they explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from alertworker.outages.credentials import CredentialState, Refusals, Report
from alertworker.outages.model import JudgedModel, is_outage_without
from alertworker.outages.rows import CredentialKey
from alertworker.outages.sparse import judge_any
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict, is_dead
from alertworker.outages.windows import REFUSED, Bucket, Limits, Target, without_refusals
from alertworker.pipeline.credential_reports import read_reports
from alertworker.ports import Transaction


class RefusedCredentials:
    """The refused credentials and their refusals. Each is read once, however many there are and explain something."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._known: Mapping[CredentialKey, CredentialState] | None = None
        self._rows: Mapping[CredentialKey, Sequence[Refusals]] = {}
        self._start: int | None = None

    def explaining(
        self, target: Target, verdict: WindowVerdict, buckets: Sequence[Bucket], limits: Limits
    ) -> str | None:
        """Return the refused credential that explains a target's outage, ``None`` if there is none.

        It explains the outage if the other failures alone are not an outage. A region's outage may be that of
        its deployments that use the credential.
        """
        if not REFUSED & verdict.causes.keys() or not self.known():
            return None
        rest = [without_refusals(row) for row in buckets]
        if judge_any(rest, limits).crossed or is_dead(rest, limits) is not None:
            return None
        named = {target.deployment_id} if target.deployment_id else set(verdict.failures)
        for key in sorted(self.known()):
            users = self._users(key, verdict.since - DEAD_REACH)
            if named & users and (not target.deployment_id or named <= users):
                return key.credential
        return None

    def explaining_model(self, judged: JudgedModel, limits: Limits) -> str | None:
        """Return the refused credential that explains a model's outage, ``None`` if there is none.

        Several refused credentials may explain it together. They explain it if the failures and lost calls that they
        leave are no outage by themselves, neither of the model nor of one of its deployments.
        """
        if not any(REFUSED & row.causes.keys() for row in judged.buckets):
            return None
        failing = {row.deployment_id for row in judged.buckets if row.failed}
        users, named = set[str](), None
        for key in sorted(self.known()):
            own = self._users(key, judged.verdict.since - DEAD_REACH)
            named = named or (key.credential if own & failing else None)
            users |= own
        return named if named is not None and not is_outage_without(judged, users, limits) else None

    def known(self) -> Mapping[CredentialKey, CredentialState]:
        """Return the refused credentials."""
        if self._known is None:
            self._known = self._tx.credentials.refused_credentials()
        return self._known

    def reports(self, at: datetime) -> list[Report]:
        """Return what is known of each refused credential."""
        found = read_reports(self._tx, self.known(), dict.fromkeys(self.known(), at))
        return [found[key] for key in sorted(found)]

    def forget(self) -> None:
        """Read again: the transaction has changed the state of a credential."""
        self._known, self._start = None, None

    def _users(self, key: CredentialKey, start: int) -> set[str]:
        """Return the deployments with which a call was refused from an epoch second on."""
        if self._start is None or start < self._start:
            self._start = start - DEAD_REACH  # most other targets begin later than that
            self._rows = self._tx.credentials.refusals(dict.fromkeys(self.known(), self._start))
        return {row.deployment_id for row in self._rows[key] if row.until >= start}
