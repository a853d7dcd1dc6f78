"""The bound on distinct names in plain events over HTTP."""

from __future__ import annotations

from alertworker.events import BudgetReported, BudgetScope, FailedOn, RequestFailed
from alertworker.integrations.litellm.outgoing import FIELDS as OUTGOING
from alertworker.integrations.litellm.outgoing import Treatment
from alertworker.ledger.cardinality import OTHER
from alertworker.web.cardinality import FIELDS, CardinalityBound
from tests.integration.harness import failed

ONE, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"


def calls(count: int, **names: str) -> list[RequestFailed]:
    """Return failed calls, each with made-up names."""
    made = {"model_group": "m{}", "key_alias": "k{}"} | names
    return [
        failed(f"c{number}").model_copy(update={name: form.format(number) for name, form in made.items()})
        for number in range(count)
    ]


def test_values_above_the_bound_become_one_and_no_event_is_lost() -> None:
    """Names that were admitted stay. Another address has its own share, and the next hour a new one."""
    bound = CardinalityBound(10)
    found, replaced = bound.bounded(calls(1_000), ONE, now=0)

    assert len(found) == 1_000
    assert {event.model_group for event in found} == {*(f"m{number}" for number in range(10)), OTHER}
    assert {event.key_alias for event in found} == {*(f"k{number}" for number in range(10)), OTHER}
    assert {event.team_id for event in found} == {"search"}
    assert replaced == 2 * 990
    assert bound.bounded(calls(10), ONE, now=3_599)[1] == 0
    assert bound.bounded(calls(10, model_group="n{}"), OTHER_ADDRESS, now=3_599)[1] == 0
    assert bound.bounded(calls(10, model_group="n{}"), ONE, now=3_600)[1] == 0


def test_tags_are_bounded_one_by_one() -> None:
    bound = CardinalityBound(2)
    [event], replaced = bound.bounded([failed("a").model_copy(update={"tags": ("a", "b", "c", "d")})], ONE, now=0)

    assert event.tags == ("a", "b", OTHER)
    assert replaced == 2


def test_the_parts_of_a_failure_are_bounded() -> None:
    """They are labels of alerts, too. A failed deployment and the event's own share one bound."""
    bound = CardinalityBound(2)
    deployments = tuple(FailedOn(deployment_id=f"d{number}", provider="p") for number in range(3))
    events = [
        event.model_copy(
            update={
                "deployment_id": "d0",
                "failed_on": deployments,
                "failure": event.failure.model_copy(update={"error_class": f"Error{number}"}),
            }
        )
        for number, event in enumerate(calls(3, api_base="https://{}.example"))
    ]
    found, replaced = bound.bounded(events, ONE, now=0)

    assert [event.failure.error_class for event in found] == ["Error0", "Error1", OTHER]
    assert [event.api_base for event in found] == ["https://0.example", "https://1.example", OTHER]
    assert [one.deployment_id for one in found[0].failed_on] == ["d0", "d1", OTHER]
    assert {one.provider for one in found[2].failed_on} == {"p"}
    assert replaced == 7  # m2, k2, its API base, Error2, and d2 in each event


def test_zero_bounds_nothing() -> None:
    events = calls(100)
    assert CardinalityBound(0).bounded(events, ONE, now=0) == (events, 0)


def test_every_field_that_names_something_is_bounded() -> None:
    """A new identity field of calls must be listed. The ids of calls are not labels."""
    named = {name for name, one in OUTGOING.items() if one.treatment is Treatment.IDENTITY} | {"key_hash", "api_base"}
    no_label = {"call_id", "trace_id", "source_host", "original_model_group", "tags"}
    assert {name for name in RequestFailed.model_fields if name in named} - no_label | {"error_class"} == set(FIELDS)
    assert set(FailedOn.model_fields) <= set(FIELDS)


def test_a_reported_budget_keeps_its_entity() -> None:
    """The sum of a budget belongs to one entity, so several entities cannot share it."""
    bound = CardinalityBound(1)
    events = [
        BudgetReported(event="budget_crossed", scope=BudgetScope.TEAM, entity_id=f"t{number}", team_alias=f"a{number}")
        for number in range(2)
    ]
    found, replaced = bound.bounded(events, ONE, now=0)

    assert [(event.entity_id, event.team_alias) for event in found] == [("t0", "a0"), ("t1", OTHER)]
    assert replaced == 1
