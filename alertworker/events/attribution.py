"""The owner of a call and its deployment. The labels and ledger entities of a call are defined here only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

#: The name shown for calls without a team and without a named key.
NO_TEAM: Final = "no team"
#: The fields with the id and the name of each kind of owner.
_OWNERS: Final[Mapping[str, tuple[str, ...]]] = {
    "team": ("team_id", "team_alias"),
    "key": ("key_hash", "key_alias"),
    "user": ("user_id", "user_email"),
    "organization": ("organization_id", "organization_alias"),
    "customer": ("customer_id",),
}
#: The label, and the key of a team's or a key's metadata, that names a receiver of their own.
OWN_RECEIVER: Final = "alert_receiver"
#: The labels of a call's owner. `Attribution.labels` returns these and `TARGET_LABELS`.
OWNER_LABELS: Final = ("team", "key", "user", "organization", "tag", OWN_RECEIVER)
#: The labels of the deployment that a call ran on.
TARGET_LABELS: Final = ("model", "provider", "region", "deployment")


class Attribution(NamedTuple):
    """The owner of a call and its deployment. An unknown field is an empty string.

    ``model`` is the requested model group, else the model. ``tags`` is empty for a call without tags and ``None`` if
    the source does not know. ``alert_receiver`` is the receiver that the key's metadata names, else the
    team's; ``team_receiver`` is the team's alone. ``alert_emails`` are addresses from the team's metadata.

    It is a named tuple because the fold creates one for each call and sums calls by it.
    """

    team_id: str = ""
    team_alias: str = ""
    key_hash: str = ""
    key_alias: str = ""
    user_id: str = ""
    user_email: str = ""
    customer_id: str = ""
    organization_id: str = ""
    organization_alias: str = ""
    model: str = ""
    provider: str = ""
    region: str = ""
    deployment: str = ""
    tags: tuple[str, ...] | None = ()
    alert_receiver: str = ""
    team_receiver: str = ""
    alert_emails: str = ""

    @classmethod
    def to(cls, dimension: str, entity: str, alias: str = "") -> Attribution:
        """Return the attribution to one entity of a ledger dimension.

        >>> Attribution.to("key", "hash", "app").labels(), Attribution.to("tag", "nightly").labels()
        ({'key': 'app'}, {'tag': 'nightly'})
        """
        if dimension == "tag":
            return cls(tags=(entity,))
        fields: dict[str, Any] = dict(zip(_OWNERS.get(dimension, (dimension,)), (entity, alias), strict=False))
        return cls(**fields)

    @property
    def team(self) -> str:
        """The team's name, else its id, else the key's name, else `NO_TEAM`."""
        return self.team_alias or self.team_id or self.key_alias or NO_TEAM

    def labels(self) -> dict[str, str]:
        """Return the labels that routes and silences match.

        >>> Attribution(team_id="t1", team_alias="search", model="gpt-4o", tags=("a", "b")).labels()
        {'model': 'gpt-4o', 'team': 'search', 'tag': 'a,b'}
        """
        labels = {
            "model": self.model,
            "provider": self.provider,
            "region": self.region,
            "deployment": self.deployment,
            "team": self.team_alias or self.team_id,
            "key": self.key_alias,
            "user": self.user_id,
            "organization": self.organization_alias or self.organization_id,
            "tag": ",".join(self.tags or ()),
            "alert_receiver": self.alert_receiver,
        }
        return {label: value for label, value in labels.items() if value}

    def ledger_entities(self) -> Iterator[tuple[str, str, str]]:
        """Yield the dimension, entity and part of each ledger row that the call adds to.

        A call is in the dimension "team" exactly once, and once for each distinct tag. Without a team, or without a
        tag, the entity there is empty. The part is the second half of a pair such as "key/model", else empty.
        """
        yield "team", self.team_id, ""
        key, user, model = self.key_hash, self.user_id, self.model
        for dimension, entity in (
            ("key", key),
            ("user", user),
            ("customer", self.customer_id),
            ("organization", self.organization_id),
            ("model", model),
            ("provider", self.provider),
            ("deployment", self.deployment),
        ):
            if entity:
                yield dimension, entity, ""
        if self.tags is not None:
            for tag in dict.fromkeys(self.tags or ("",)):
                yield "tag", tag, ""
        if key and model:
            yield "key/model", key, model
        if user and model:
            yield "user/model", user, model
        if user and key:
            yield "user/key", user, key

    def aliases(self) -> Iterator[tuple[str, str, str]]:
        """Yield dimension, id and name of each entity that has both."""
        for dimension, entity, alias in (
            ("team", self.team_id, self.team_alias),
            ("key", self.key_hash, self.key_alias),
            ("user", self.user_id, self.user_email),
            ("organization", self.organization_id, self.organization_alias),
        ):
            if entity and alias:
                yield dimension, entity, alias

    def name_of(self, entity: str) -> str:
        """Return the name or else the id of an entity ("team"), empty for an unknown one.

        >>> Attribution(user_id="u1", user_email="ann@example.com").name_of("user")
        'ann@example.com'
        """
        names = {
            "team": self.team_alias or self.team_id,
            "key": self.key_alias,
            "user": self.user_email or self.user_id,
            "organization": self.organization_alias or self.organization_id,
        }
        return names.get(entity, "")

    def id_of(self, entity: str) -> str:
        """Return the id of an entity ("team"), or the first tag, empty if it is unknown.

        >>> Attribution(key_hash="hash", key_alias="app").id_of("key"), Attribution(tags=("nightly",)).id_of("tag")
        ('hash', 'nightly')
        """
        if entity == "tag":
            return next(iter(self.tags or ()), "")
        return getattr(self, _OWNERS[entity][0]) if entity in _OWNERS else ""

    def only(self, *entities: str) -> Attribution:
        """Return the attribution to these entities ("team", "key", …) and nothing else.

        >>> Attribution(team_id="t1", user_id="u1", model="gpt-4o").only("team") == Attribution(team_id="t1")
        True
        """
        fields: dict[str, Any] = {field: getattr(self, field) for entity in entities for field in _OWNERS[entity]}
        if "team" in entities:
            fields |= {"alert_receiver": self.team_receiver, "alert_emails": self.alert_emails}
        if "key" in entities:
            fields["alert_receiver"] = self.alert_receiver
        return Attribution(**fields)

    def updated(self, later: Attribution) -> Attribution:
        """Return this attribution with the known fields of a later one."""
        return Attribution._make(new or old for old, new in zip(self, later, strict=True))


#: An attribution without any known field.
UNATTRIBUTED: Final = Attribution()
