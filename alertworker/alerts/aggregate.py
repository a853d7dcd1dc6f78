"""Messages about several calls: facts of one of them must not be read as facts of all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import RELAYED, TRACE, AlertType
from alertworker.alerts.message import Step

_S = TypeVar("_S", bound=Subject)

#: Alerts whose facts describe one call, the newest or the slowest.
_OF_CALLS: Final = frozenset(
    {
        AlertType.LLM_EXCEPTIONS,
        AlertType.LLM_TOO_SLOW,
        AlertType.LLM_REQUESTS_HANGING,
        AlertType.COOLDOWN_DEPLOYMENT,
    }
)
#: Facts that differ from call to call.
_OF_ONE: Final = frozenset({"Key Name", "Messages", "User", TRACE})
#: Facts that stay as an example, by the label of the fact that marks them.
_EXAMPLES: Final[Mapping[str, str]] = {"Error": "Example error"}


def with_common_facts(subject: _S, step: Step, parts: Mapping[str, int]) -> _S:
    """Return the subject of a message with facts that are true of all calls that the message counts.

    ``parts`` count them by team. The calls stay named as members, with their teams and keys.
    """
    summed = subject.count - subject.notified_count if step in (Step.NOTICE, Step.SUMMARY) else subject.count
    if subject.type not in _OF_CALLS or RELAYED in subject.labels or summed < 2:
        return subject
    differing = _OF_ONE if len(parts) == 1 else _OF_ONE | {"Team"}
    facts = {_EXAMPLES.get(name, name): text for name, text in subject.facts.items() if name not in differing}
    return replace(subject, facts=facts)
