"""LLM calls: one event for each call, and one for each attempt that failed on a deployment.

A call is one request of a client. An attempt is one try of it on one deployment. A call that is shorter than the
alerting threshold is a single event, its end.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alertworker.events.attribution import OWN_RECEIVER, Attribution
from alertworker.events.base import (
    FIRST_FAULT,
    Cost,
    Count,
    DeploymentId,
    Event,
    Metadata,
    Moment,
    Name,
    PlaceName,
    Seconds,
    Tags,
    Text,
    Url,
)
from alertworker.events.budget import Budget

StatusCode = Annotated[int, Field(ge=100, le=599)]
#: The beginning of `RequestSucceeded.cost_failure` if no price list has the model's name.
UNKNOWN_MODEL: Final = "no price is known of this model"
#: The API key that a deployment is called with: the first 12 hex digits of its SHA-256.
Credential = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class Origin(StrEnum):
    """The party that caused a failure. Only failures of the provider count for outages."""

    PROVIDER = "provider"  #: the deployment, its network, or the credentials we gave it
    PROXY = "proxy"  #: the proxy itself: no healthy deployment, a budget or rate limit of ours, an internal error
    CALLER = "caller"  #: the client's own request: bad input, no or a wrong key, content policy


class AbandonReason(StrEnum):
    """Why a call ended without an answer and without an error."""

    DISCONNECTED = "disconnected"  #: the client went away
    CANCELLED = "cancelled"  #: the proxy cancelled the call's task (shutdown, its own timeout)


class CallEvent(Event):
    """The common fields of all events about one call. An unknown field is ``None``, never a guess."""

    call_id: Name
    trace_id: Name | None = None
    call_type: Name | None = None
    stream: bool = False
    #: Whether this is the proxy's own check of a deployment, which counts neither as a success nor as a failure.
    health_check: bool = False
    started_at: Moment

    model: Name | None = None
    model_group: Name | None = None
    deployment_id: DeploymentId | None = None
    provider: PlaceName | None = None
    region: PlaceName | None = None
    api_base: Url | None = None

    key_hash: Name | None = None
    key_alias: Name | None = None
    team_id: Name | None = None
    team_alias: Name | None = None
    user_id: Name | None = None
    user_email: Name | None = None
    customer_id: Name | None = None
    organization_id: Name | None = None
    organization_alias: Name | None = None
    tags: Tags = ()

    #: The client's ``metadata.alerting_metadata``, to be shown with alerts. The client controls this text.
    alerting_metadata: Metadata = Field(default_factory=dict)
    #: The allow-listed part of the team's and the key's own metadata.
    team_metadata: Metadata = Field(default_factory=dict)
    key_metadata: Metadata = Field(default_factory=dict)

    def choosing(self, receivers: Collection[str]) -> Self:
        """Return the event without the ``alert_receiver`` in its metadata, unless it is one of these.

        Tenants may edit the metadata. A made-up value would split an alert, or go to somebody else's receiver.
        """
        both = {"team_metadata": self.team_metadata, "key_metadata": self.key_metadata}
        changed = {
            field: {key: value for key, value in metadata.items() if key != OWN_RECEIVER}
            for field, metadata in both.items()
            if metadata.get(OWN_RECEIVER) not in (None, *receivers)
        }
        return self.model_copy(update=changed) if changed else self

    @property
    def attribution(self) -> Attribution:
        """The owner of the call and its deployment."""
        call = self.__dict__  # each event needs this, and pydantic's attributes are slower
        team, key = call["team_metadata"], call["key_metadata"]
        team_receiver = team.get(OWN_RECEIVER, "")
        return Attribution(
            call["team_id"] or "",
            call["team_alias"] or "",
            call["key_hash"] or "",
            call["key_alias"] or "",
            call["user_id"] or "",
            call["user_email"] or "",
            call["customer_id"] or "",
            call["organization_id"] or "",
            call["organization_alias"] or "",
            call["model_group"] or call["model"] or "",
            call["provider"] or "",
            call["region"] or "",
            call["deployment_id"] or "",
            call["tags"],
            key.get(OWN_RECEIVER) or team_receiver,
            team_receiver,
            team.get("soft_budget_alerting_emails", ""),
        )


class RequestAnnounced(CallEvent):
    """A call is still running and has made no progress for ``age_seconds``, which reached the alerting threshold.

    ``age_seconds`` counts from the start of the call, or from the last chunk of a stream.
    """

    type: Literal["llm.request.announced"] = "llm.request.announced"
    age_seconds: Seconds
    #: The start of the call, or its last chunk.
    last_progress_at: Moment
    chunks: Count = 0
    #: The publisher's process that runs the call. If the process is lost, so is the call.
    boot_id: Name


class FailedOn(BaseModel):
    """A deployment that is to blame for a failed attempt of a call."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    deployment_id: DeploymentId
    provider: PlaceName | None = None
    region: PlaceName | None = None


def _named(failed_on: tuple[FailedOn, ...]) -> tuple[FailedOn, ...]:
    """Return the entries with an id. As in other fields, an empty id means that the deployment is unknown."""
    return tuple(one for one in failed_on if one.deployment_id)


class EndEvent(CallEvent):
    """A call ended.

    If the producer sends no ``occurred_at``, the call counts at ``ended_at``, however late the event arrives.
    ``announced`` means that a `RequestAnnounced` was published before. Only such calls are looked up. ``failed_on`` are
    the deployments that failed the call, also if it succeeded in the end.
    """

    ended_at: Moment
    announced: bool = False
    attempts: Count = 1
    #: The requested model group, if a fallback answered instead.
    original_model_group: Name | None = None
    fallbacks: Count = 0
    failed_on: Annotated[tuple[FailedOn, ...], FIRST_FAULT, Field(max_length=16), AfterValidator(_named)] = ()
    budgets: Annotated[tuple[Budget, ...], FIRST_FAULT, Field(max_length=16)] = ()
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cached_tokens: Count = 0
    #: Nano-dollars. ``None`` if the producer does not know the cost, 0 if the call was free or had no price. Failed and
    #: abandoned calls may have a cost, too.
    cost_nanos: Cost | None = None
    #: The first characters of the messages, if the operator enabled that.
    messages_excerpt: Annotated[Text, Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _occurred_at_its_end(self) -> Self:
        """Set ``occurred_at`` if the producer sent none, to a time that is equal in every redelivery."""
        if "occurred_at" not in self.model_fields_set:
            self.__dict__["occurred_at"] = self.ended_at  # the model is frozen
        return self


class RequestSucceeded(EndEvent):
    """A call was answered completely. Of a stream, the last chunk was sent."""

    type: Literal["llm.request.succeeded"] = "llm.request.succeeded"
    first_token_at: Moment | None = None
    last_chunk_at: Moment | None = None
    cache_hit: bool = False
    #: The producer's reason why the cost is unknown or 0.
    cost_failure: Text | None = None
    #: The deployment's own API key, which the provider accepted. ``None`` where a client brought the key.
    credential: Credential | None = None


class Failure(BaseModel):
    """An error of a call or an attempt. ``message`` contains neither secrets nor the prompt."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    error_class: Name
    status_code: StatusCode | None = None
    origin: Origin
    message: Text = ""


class RequestFailed(EndEvent):
    """A call failed after all retries and fallbacks, and the client got an error."""

    type: Literal["llm.request.failed"] = "llm.request.failed"
    failure: Failure


class RequestAbandoned(EndEvent):
    """A call ended without an answer: its client disconnected, or the proxy cancelled it."""

    type: Literal["llm.request.abandoned"] = "llm.request.abandoned"
    reason: AbandonReason
    chunks: Count = 0


class AttemptFailed(CallEvent):
    """One attempt on one deployment failed; the call itself may still succeed by a retry or a fallback."""

    type: Literal["llm.attempt.failed"] = "llm.attempt.failed"
    failure: Failure
    #: How long the attempt took. ``None`` where the producer does not say.
    seconds: Seconds | None = None
    fallback_depth: Count = 0
    #: Whether the call failed on this deployment for the first time. A call that is retried there is one failed call.
    #: ``None`` where the producer does not say; each attempt counts then.
    first_on_deployment: bool | None = None
    #: The deployment's own API key. ``None`` where a client brought the key.
    credential: Credential | None = None

    @property
    def began_at(self) -> datetime:
        """The time at which the attempt began, as far as it is known."""
        return self.occurred_at - timedelta(seconds=self.seconds or 0)


class DeploymentCooledDown(Event):
    """A proxy stopped using a deployment for a while, because attempts on it failed. ``failure`` is the last one's.

    ``occurred_at`` is the start of the cooldown, and ``seconds`` its length. ``call_id``, ``trace_id`` and
    ``alerting_metadata`` are those of the call whose attempt failed last.
    """

    type: Literal["llm.deployment.cooled_down"] = "llm.deployment.cooled_down"
    deployment_id: DeploymentId
    seconds: Seconds
    model: Name | None = None
    model_group: Name | None = None
    provider: PlaceName | None = None
    region: PlaceName | None = None
    api_base: Url | None = None
    call_id: Name | None = None
    trace_id: Name | None = None
    alerting_metadata: Metadata = Field(default_factory=dict)
    failure: Failure
