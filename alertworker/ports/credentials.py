"""Refused credentials, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from alertworker.outages.credentials import CredentialState, Refusals
from alertworker.outages.rows import CredentialKey
from alertworker.outages.windows import Calls


class CredentialPort(Protocol):
    """Refused calls by credential, and the state of each credential."""

    def lock_credentials(self, keys: Iterable[CredentialKey]) -> dict[CredentialKey, CredentialState]:
        """Return the states of credentials that have a row, locked."""
        ...

    def refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        """Return the credentials that providers refuse, without a lock."""
        ...

    def lock_refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        """Return the credentials that providers refuse, locked; those that another worker has locked are left out."""
        ...

    def keep_credential(self, key: CredentialKey, state: CredentialState) -> None:
        """Store the level and the end of a credential's state."""
        ...

    def refusals(self, key: CredentialKey, *, start: int) -> list[Refusals]:
        """Return a credential's refused calls from the epoch second ``start`` on, by deployment."""
        ...

    def refused_with(self, deployment_ids: Collection[str], *, start: int) -> set[CredentialKey]:
        """Return the credentials with which calls of these deployments were refused from an epoch second on."""
        ...

    def last_successes(self, deployment_ids: Collection[str], *, start: int) -> dict[str, int]:
        """Return the deployments' last successes from an epoch second on, in epoch milliseconds."""
        ...

    def calls_failed_by_each(self, deployment_ids: Collection[str], *, start: int) -> dict[str, Calls]:
        """Return how calls ended that each of these deployments failed, from an epoch second on."""
        ...
