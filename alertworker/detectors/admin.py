"""Changes of keys, teams, internal users and models, as notices: who did what, and which fields were given."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import CATALOGUE, COVERED_BY, MAX_MEMBERS, AlertType
from alertworker.detectors.policy import Policy
from alertworker.events import Action, Entity, EntityChanged
from alertworker.folding import Fold
from alertworker.text.format import spell_moment
from alertworker.text.names import short_id, with_id

#: The alert type of each change. Other changes raise no alert.
TYPES: Final[Mapping[tuple[Entity, Action], AlertType]] = {
    (Entity.KEY, Action.CREATED): AlertType.NEW_VIRTUAL_KEY_CREATED,
    (Entity.KEY, Action.UPDATED): AlertType.VIRTUAL_KEY_UPDATED,
    (Entity.KEY, Action.DELETED): AlertType.VIRTUAL_KEY_DELETED,
    (Entity.KEY, Action.REGENERATED): AlertType.VIRTUAL_KEY_REGENERATED,
    (Entity.KEY, Action.BLOCKED): AlertType.VIRTUAL_KEY_BLOCKED,
    (Entity.KEY, Action.UNBLOCKED): AlertType.VIRTUAL_KEY_UNBLOCKED,
    (Entity.TEAM, Action.CREATED): AlertType.NEW_TEAM_CREATED,
    (Entity.TEAM, Action.UPDATED): AlertType.TEAM_UPDATED,
    (Entity.TEAM, Action.DELETED): AlertType.TEAM_DELETED,
    (Entity.TEAM, Action.BLOCKED): AlertType.TEAM_BLOCKED,
    (Entity.TEAM, Action.UNBLOCKED): AlertType.TEAM_UNBLOCKED,
    (Entity.TEAM, Action.MEMBER_ADDED): AlertType.TEAM_MEMBER_ADDED,
    (Entity.TEAM, Action.MEMBER_REMOVED): AlertType.TEAM_MEMBER_REMOVED,
    (Entity.INTERNAL_USER, Action.CREATED): AlertType.NEW_INTERNAL_USER_CREATED,
    (Entity.INTERNAL_USER, Action.UPDATED): AlertType.INTERNAL_USER_UPDATED,
    (Entity.INTERNAL_USER, Action.DELETED): AlertType.INTERNAL_USER_DELETED,
    (Entity.MODEL, Action.CREATED): AlertType.NEW_MODEL_ADDED,
}

_OF_MEMBERS: Final = frozenset({Action.MEMBER_ADDED, Action.MEMBER_REMOVED})
#: The dimension of the ledger that has the names of an entity.
_DIMENSIONS: Final = {Entity.KEY: "key", Entity.TEAM: "team", Entity.INTERNAL_USER: "user"}


def changes(fold: Fold, policy: Policy, *, alert_type: AlertType) -> Iterable[Alert]:
    """Yield one alert for each thing that was changed in one way. The same change published twice counts two."""
    return _alerts((event for event in fold.changed if type_of(event) is alert_type), alert_type, policy)


def relayed(events: Iterable[EntityChanged], covered: Container[AlertType], policy: Policy) -> Iterable[Alert]:
    """Yield the alerts of changes that LiteLLM's own alerting reported.

    A copy of a type in ``covered`` is an alert of its own. It names what covers it, and no receiver gets it. A digest
    is not a copy: it stands for changes that it does not name.
    """
    by_type: dict[AlertType, list[EntityChanged]] = {}
    for event in events:
        alert_type = type_of(event)
        if alert_type is not None:
            by_type.setdefault(alert_type, []).append(event)
    for alert_type, same in by_type.items():
        yield from _alerts(same, alert_type, policy, covered=alert_type in covered)


def entities(events: Iterable[EntityChanged]) -> Iterable[tuple[str, str]]:
    """Yield the teams, keys and users that changes name by id, as dimensions and ids of the ledger."""
    for event in events:
        for dimension, identity in (
            (_DIMENSIONS.get(event.entity), event.entity_id if not event.entity_alias else None),
            ("team", event.team_id),
            ("user", event.actor_id),
        ):
            if dimension and identity:
                yield dimension, identity


def type_of(event: EntityChanged) -> AlertType | None:
    """Return the alert type of a change; ``None`` if it raises no alert."""
    return TYPES.get((event.entity, event.action))


def _alerts(
    events: Iterable[EntityChanged], alert_type: AlertType, policy: Policy, *, covered: bool = False
) -> Iterable[Alert]:
    groups: dict[tuple[str, str, str], list[EntityChanged]] = {}
    for event in events:
        groups.setdefault((_which(event), event.actor_id or "", _digest(event)), []).append(event)
    for (which, actor, digest), same in groups.items():
        first = same[0]
        yield Alert(
            type=alert_type,
            severity=CATALOGUE[alert_type].severity,
            identity={"entity": which, "by": actor}
            | ({} if which else {"event": str(first.event_id)})
            | ({"digest": digest} if digest else {COVERED_BY: "callback"} if covered else {}),
            headline=_headline(first, policy),
            first_at=min(event.occurred_at for event in same),
            last_at=max(event.occurred_at for event in same),
            count=sum(event.count for event in same),
            labels=_labels(first),
            facts=_facts(first, policy),
            members=tuple(_member(event, policy) for event in same[:MAX_MEMBERS]),
        )


def _digest(event: EntityChanged) -> str:
    """Return the time span of a digest of several changes, which is not the alert of the change that it names."""
    if event.digest_from is None or event.digest_until is None or event.count == 1:
        return ""
    return f"{event.digest_from:%Y-%m-%d %H:%M:%S} to {event.digest_until:%Y-%m-%d %H:%M:%S}"


def _which(event: EntityChanged) -> str:
    return event.entity_id or event.entity_alias or ""


def _headline(event: EntityChanged, policy: Policy) -> str:
    entity = event.entity.value.replace("_", " ").capitalize()
    name = _name(event, policy) or short_id(event.entity_id or "") or "(no name)"
    by = f" by {policy.names.get(('user', event.actor_id)) or short_id(event.actor_id)}" if event.actor_id else ""
    by += f", the first of {event.count:,} changes in a digest" if _digest(event) else ""
    return f"{entity} {name}{_said(event.action)}{by}"


def _said(action: Action) -> str:
    said = action.value.replace("_", " ")
    return f": {said}" if action in _OF_MEMBERS else f" was {said}"


def _name(event: EntityChanged, policy: Policy) -> str:
    """Return the name of what was changed, "" if it is not known."""
    known = policy.names.get((_DIMENSIONS.get(event.entity, ""), event.entity_id or ""), "")
    return event.entity_alias or known


def _named(dimension: str, identity: str | None, policy: Policy) -> str:
    return with_id(policy.names.get((dimension, identity or ""), ""), identity or "")


def _labels(event: EntityChanged) -> dict[str, str]:
    labels = {"key": event.entity_alias if event.entity is Entity.KEY else None, "team": _team(event)}
    return {name: value for name, value in labels.items() if value}


def _team(event: EntityChanged) -> str | None:
    return event.entity_alias or event.entity_id if event.entity is Entity.TEAM else event.team_id


def _facts(event: EntityChanged, policy: Policy) -> dict[str, str]:
    team = _named("team", event.team_id, policy)
    facts = {
        "Action Done by": " · ".join(
            part for part in (_named("user", event.actor_id, policy), event.actor_role, event.actor_key_alias) if part
        ),
        event.entity.value.replace("_", " ").capitalize(): with_id(_name(event, policy), event.entity_id or ""),
        "Team": team if event.entity is not Entity.TEAM else None,
        "Fields given": ", ".join(event.changed),
        "Digest": f"{event.count:,} changes, the first is named; {_digest(event)}" if _digest(event) else None,
        **event.details,
    }
    return {name: value for name, value in facts.items() if value}


def _member(event: EntityChanged, policy: Policy) -> str:
    return " · ".join(part for part in (spell_moment(event.occurred_at, policy.zone), event.actor_id) if part)
