"""A target's failed calls with their verdict. An outage is as severe as the outages that it inhibits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alertworker.events import AttemptFailed
from alertworker.outages.grade import Grade
from alertworker.outages.windows import Outage, Target
from alertworker.pipeline.model_outages import ModelJudgement
from alertworker.pipeline.verdict import JudgedTarget


@dataclass(frozen=True, slots=True)
class JudgedFailures:
    """A target's failed calls of a batch, the verdict on its windows, and what explains them."""

    target: Target
    outage: Outage
    events: Sequence[AttemptFailed]
    judged: JudgedTarget
    #: The refused credential that explains an outage.
    credential: str | None = None
    is_callers: bool = False
    is_over: bool = False

    @property
    def hurts(self) -> bool:
        """Whether the target has a High outage that neither a caller nor a credential explains."""
        return _is_high(self.judged.grade) and not (self.is_callers or self.is_over or self.credential)


def model_as_severe(model: ModelJudgement, deployments: Iterable[JudgedFailures]) -> ModelJudgement:
    """Return a model's outage, High if the outage of a deployment that fails there is."""
    if model.judged.grade is None or not _failing(model) & _hurting(deployments):
        return model
    return replace(model, judged=replace(model.judged, grade=model.judged.grade._replace(is_high=True)))


def place_as_severe(
    place: JudgedFailures, judged: Sequence[JudgedFailures], models: Iterable[ModelJudgement]
) -> JudgedFailures:
    """Return the outage of a region or provider, High if that of a part of it is, or of a model that fails only there.

    The parts of a provider are its regions and deployments.
    """
    target, grade = place.target, place.judged.grade
    hurts_model = any(_is_high(one.judged.grade) and _is_within(one.judged.places, target) for one in models)
    hurts_region = target.is_provider and any(
        one.hurts for one in judged if one.target.region and one.target.provider == target.provider
    )
    if grade is None or not (hurts_model or hurts_region or _failing(place) & _hurting(judged)):
        return place
    return replace(place, judged=replace(place.judged, grade=grade._replace(is_high=True)))


def _is_high(grade: Grade | None) -> bool:
    return grade is not None and grade.is_high


def _failing(one: JudgedFailures | ModelJudgement) -> set[str]:
    return {row.deployment_id for row in one.judged.buckets if row.failed}


def _hurting(judged: Iterable[JudgedFailures]) -> set[str]:
    """Return the deployments that have a High outage of their own."""
    return {one.target.deployment_id for one in judged if one.target.deployment_id and one.hurts}


def _is_within(places: Iterable[tuple[str, str]], target: Target) -> bool:
    """Return whether all places are in a region or provider."""
    return {Target("", provider, "" if target.is_provider else region) for provider, region in places} == {target}
