"""Refused credentials, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from alertworker.outages.credentials import CredentialState, Refusals
from alertworker.outages.rows import CredentialKey
from alertworker.outages.windows import Calls


class CredentialPort(Protocol):
    """Refused calls by credential, and the state of each credential."""

    def judged_credentials(self) -> dict[CredentialKey, CredentialState]:
        """Return the states of the credentials that the batch may judge.

        It refused calls with them, or lost calls that deployments with a refused credential failed.
        """
        ...

    def refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        """Return the credentials that providers refuse, without a lock."""
        ...

    def refusing(self, deployment_ids: Collection[str], *, start: int) -> dict[CredentialKey, set[str]]:
        """Return the refused credentials of these deployments, each with those that refused it since an epoch second.

        Other refused credentials are not read.
        """
        ...

    def lock_refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        """Return the credentials that providers refuse, locked; those that another worker has locked are left out."""
        ...

    def refused_often(self, keys: Collection[CredentialKey], *, start: int, least: int) -> set[CredentialKey]:
        """Return the credentials of which ``least`` calls were refused from the epoch second ``start`` on."""
        ...

    def keep_credential(self, key: CredentialKey, state: CredentialState) -> None:
        """Store the level and the end of a credential's state."""
        ...

    def refusals(self, starts: Mapping[CredentialKey, int]) -> dict[CredentialKey, list[Refusals]]:
        """Return the refused calls of each credential from its own epoch second on, by deployment."""
        ...

    def last_successes(self, deployment_ids: Collection[str], *, start: int) -> dict[str, int]:
        """Return the deployments' last successes from an epoch second on, in epoch milliseconds."""
        ...

    def calls_failed_by_each(
        self, deployments: Mapping[CredentialKey, Collection[str]], *, starts: Mapping[CredentialKey, int]
    ) -> dict[CredentialKey, dict[str, Calls]]:
        """Return for each deployment of a credential how its failed calls ended, from the credential's second on."""
        ...
