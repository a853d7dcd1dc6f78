"""The bound on distinct names in events over HTTP, for each address: a program may make names up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from alertworker.events import Event
from alertworker.ledger.cardinality import OTHER
from alertworker.web.addresses import network

_E = TypeVar("_E", bound=Event)
#: The fields of a call, its failure and its failed deployments that become labels of alerts and entities of the ledger.
FIELDS: Final = (
    "team_id",
    "team_alias",
    "key_hash",
    "key_alias",
    "user_id",
    "user_email",
    "customer_id",
    "organization_id",
    "organization_alias",
    "model",
    "model_group",
    "provider",
    "region",
    "deployment_id",
    "api_base",
    "error_class",
)
_HOUR: Final = 3_600.0
#: How many values of all addresses are remembered, which bounds the memory at some 100 MB.
_MOST: Final = 1_000_000


@dataclass(slots=True)
class CardinalityBound:
    """Lets each address use ``most`` values of a field in an hour, in this process. 0 bounds nothing.

    A value above the bound becomes "(other)", so no event and no alert is lost. The methods may run in any thread.
    """

    most: int
    #: Hashes of the values, by address and field. They bound the memory, because a URL may be long.
    _seen: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    _count: int = 0
    _replaced: int = 0
    _hour: float = -1.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def bounded(self, events: Sequence[_E], address: str, *, now: float) -> tuple[list[_E], int]:
        """Return the events, and how many values became "(other)". ``now`` is in seconds of a steady clock."""
        if not self.most:
            return list(events), 0
        name, kept = network(address), []
        with self._lock:
            before = self._begin(now)
            for event in events:
                changes = self._changes(event, name)
                kept.append(event.model_copy(update=changes) if changes else event)
            return kept, self._replaced - before

    def bound_json(self, event: dict[str, Any], address: str, *, now: float) -> int:
        """Bound the names of an event that is parsed but not validated, in place. Return how many became "(other)".

        Fields of a newer publisher stay as they are.
        """
        if not self.most:
            return 0
        with self._lock:
            before = self._begin(now)
            self._bound_fields(event, network(address))
            return self._replaced - before

    def _begin(self, now: float) -> int:
        """Forget the names of the last hour, and return how many values were replaced until now."""
        if now // _HOUR != self._hour:
            self._hour, self._count = now // _HOUR, 0
            self._seen.clear()
        return self._replaced

    def _bound_fields(self, fields: dict[str, Any], address: str) -> None:
        for name in FIELDS:
            value = fields.get(name)
            if isinstance(value, str) and value and not self._admits(address, name, value):
                fields[name] = OTHER
        if isinstance(tags := fields.get("tags"), list):
            admitted = [OTHER if isinstance(t, str) and not self._admits(address, "tags", t) else t for t in tags]
            if OTHER in admitted:
                fields["tags"] = [tag for at, tag in enumerate(admitted) if tag != OTHER or at == admitted.index(OTHER)]
        failed_on = fields.get("failed_on")
        for part in (fields.get("failure"), *(failed_on if isinstance(failed_on, list) else ())):
            if isinstance(part, dict):
                self._bound_fields(part, address)

    def _changes(self, event: BaseModel, address: str) -> dict[str, object]:
        changes: dict[str, object] = {}
        for name in FIELDS:
            value = getattr(event, name, None)
            if value and not self._admits(address, name, value):
                changes[name] = OTHER
        tags: tuple[str, ...] = getattr(event, "tags", ())
        kept = tuple(dict.fromkeys(tag if self._admits(address, "tags", tag) else OTHER for tag in tags))
        if OTHER in kept and kept != tags:
            changes["tags"] = kept
        failure, failed_on = getattr(event, "failure", None), getattr(event, "failed_on", ())
        if failure and (changed := self._changes(failure, address)):
            changes["failure"] = failure.model_copy(update=changed)
        deployments = [(one, self._changes(one, address)) for one in failed_on]
        if any(changed for _, changed in deployments):
            changes["failed_on"] = tuple(one.model_copy(update=changed) for one, changed in deployments)
        return changes

    def _admits(self, address: str, name: str, value: str) -> bool:
        """Return whether a value is known or still has room. Count it otherwise."""
        if (seen := self._seen.get((address, name))) is None:
            seen = self._seen[address, name] = set()
        if (hashed := hash(value)) in seen:
            return True
        if len(seen) >= self.most or self._count >= _MOST:
            self._replaced += 1
            return False
        seen.add(hashed)
        self._count += 1
        return True
