"""No secret of a caller leaves the proxy, by any field of any event."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from alertworker import events
from alertworker.events import EVENT
from alertworker.events.base import MAX_NAME, MAX_TEXT
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.outgoing import FIELDS, Treatment, can_alert, outgoing
from alertworker.integrations.litellm.recorder import Recorder
from tests.unit.integrations.litellm_data import ProviderError, attempt, caller, success
from tests.unit.integrations.recording import RecordingPublisher
from tests.unit.integrations.test_audit import entry
from tests.unit.integrations.test_recorder import in_loop

SECRET = "sk-proj-canary0123456789abcdefABCDEF"
STAND_IN = outgoing({"team_id": SECRET})["team_id"]
MODELS = [getattr(events, name) for name in events.__all__ if isinstance(getattr(events, name), type)]


def strings(model: type[BaseModel]) -> Iterator[str]:
    """Return the names of a model's fields that can hold a string, nested models apart."""
    for name, field in model.model_fields.items():
        if "str" in _leaves(field.annotation):
            yield name


def _leaves(annotation: Any) -> set[str]:
    """Return the names of the plain types that an annotation is made of; of a class of strings "str"."""
    if typing.get_origin(annotation) is typing.Literal:
        return {"str"}
    if typing.get_origin(annotation) is Annotated:
        return _leaves(typing.get_args(annotation)[0])
    if parts := typing.get_args(annotation):
        return set().union(*map(_leaves, parts))
    return {"str"} if isinstance(annotation, type) and issubclass(annotation, str) else {str(annotation)}


@pytest.mark.parametrize("model", [one for one in MODELS if issubclass(one, BaseModel)], ids=lambda one: one.__name__)
def test_every_string_of_an_event_has_a_declared_treatment(model: type[BaseModel]) -> None:
    """Add a new field to `FIELDS`: free text, an identity, metadata, or made by us."""
    new = set(strings(model)) - {"event_id", "schema_version"} - set(FIELDS)
    assert new == set(), "add them to `FIELDS` in alertworker/integrations/litellm/outgoing.py"


def test_no_treatment_is_declared_for_a_field_that_is_gone() -> None:
    """The table is complete."""
    assert set(FIELDS) == {name for model in MODELS if issubclass(model, BaseModel) for name in strings(model)}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.treatment is not Treatment.OURS])
def test_no_field_passes_a_secret(name: str) -> None:
    """A secret may be a string, or in a list, a mapping or a nested value. Undeclared fields are cleaned, too."""
    values = (
        SECRET,
        [f"a {SECRET}", "b"],
        {"note": SECRET},
        {SECRET: {"deep": [f"x {SECRET}", {"token": "hunter2x"}]}},
    )
    for field in (name, "a_new_field"):
        for value in values:
            assert SECRET not in str(outgoing({field: value}))
            assert "hunter2x" not in str(outgoing({field: {"metadata": value}}))
    assert SECRET not in str(outgoing({"failure": {name: SECRET}, "budgets": [{name: SECRET}]}))


def test_entities_with_secrets_as_names_stay_distinct() -> None:
    """Their rows in the ledger do not become one."""
    other = SECRET.replace("canary0", "canary1")
    treated = outgoing({"tags": (SECRET, other, "nightly"), "team_id": SECRET, "key_alias": f"key of {SECRET}"})

    assert treated["tags"][0] == treated["team_id"] == STAND_IN != treated["tags"][1]
    assert treated["tags"][2] == "nightly"
    assert treated["key_alias"] == f"key of {STAND_IN}"


def test_an_id_that_may_be_a_secret_stays_an_id() -> None:
    """A hash, a trace and a UUID, by which entities and calls are known."""
    ids = {"team_id": "ab" * 16, "deployment_id": "cd" * 32, "trace_id": "0" * 31 + "1", "key_hash": "ef" * 32}
    assert outgoing(ids) == ids


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"token": SECRET}, {"token": "[removed]"}),
        ({"note": f"with {SECRET}"}, {"note": "with [removed]"}),
        ({"password": "hunter2"}, {"password": "[removed]"}),
        ({"pin": 1234, "password": 12345678, "token": 7, "secret": True}, None),
        ({SECRET: "a", SECRET + "b": "b"}, None),
        (
            {"nested": {"api_key": "hunter2", "list": [SECRET, 1]}},
            {"nested": "{'api_key': '[removed]', 'list': ['[removed]', 1]}"},
        ),
        ({"list": ["a", SECRET]}, {"list": "a, [removed]"}),
        ({"bytes": SECRET.encode()}, {"bytes": "[removed]"}),
        ({"object": ProviderError(500, SECRET)}, {"object": "ProviderError('[removed]')"}),
        ({"none": None, "": "x", 7: "y"}, {}),
        (
            {"url": "https://me:hunter2@host.example/x?sig=hunter2"},
            {"url": "https://[removed]host.example/x?[removed]"},
        ),
        ({"secrets": {"db": "hunter2xx"}}, {"secrets": "[removed]"}),
        ({"password": {"value": "hunter2xx"}}, {"password": "[removed]"}),
        ({"credentials": {"pass": ["hunter2xx"]}}, {"credentials": "[removed]"}),
        ({"a": {"secrets": {"db": [{"x": "hunter2xx"}]}}}, {"a": "{'secrets': '[removed]'}"}),
        ({"tokens": ["hunter2xx", "hunter2yy"]}, {"tokens": "[removed]"}),
        ({"token": [["hunter2xx"] * 300]}, {"token": "[removed]"}),
        ({"tokens": 12345, "max_tokens": "4096"}, {"tokens": "12345", "max_tokens": "4096"}),
        ({"tokens": {"prompt": 12345}}, {"tokens": "{'prompt': 12345}"}),
        ({"header": ["x-api-key", "hunter2xx"]}, {"header": "x-api-key, [removed]"}),
        ({"headers": [("x-api-key", "hunter2xx")]}, {"headers": "[['x-api-key', '[removed]']]"}),
        ({"headers": [(b"api-key", b"hunter2xx")]}, {"headers": "[['api-key', '[removed]']]"}),
        ({"h": {"name": "x-api-key", "value": "hunter2xx"}}, {"h": "{'name': 'x-api-key', 'value': '[removed]'}"}),
        ({"name": "x-api-key", "value": "hunter2xx"}, {"name": "x-api-key", "value": "[removed]"}),
        (
            {"otp": 123456, "mfa_code": "123456", "DB_PASS": "hunter2xx"},
            {"otp": "[removed]", "mfa_code": "[removed]", "DB_PASS": "[removed]"},
        ),
        ({"password: hunter2xx": "a", "{'cookie': 'hunter2xx'}": "b"}, None),
        ({"n": {"password: hunter2xx": {"api_key=hunter2xx": 1}}}, None),
        ({"sort_key": "created", "author": "somebody"}, {"sort_key": "created", "author": "somebody"}),
        ("no mapping", {}),
        (5, {}),
        (None, {}),
    ],
)
def test_metadata_is_printed_without_secrets(value: object, shown: Mapping[str, str] | None) -> None:
    """Names and values, nested ones, and values that are not strings."""
    treated = outgoing({"alerting_metadata": value})["alerting_metadata"]

    assert SECRET not in str(treated)
    assert "hunter2" not in str(treated)
    assert shown is None or treated == shown
    assert not isinstance(value, dict) or SECRET not in value or len(treated) == 2


def test_keys_of_metadata_that_hold_different_secrets_stay_different() -> None:
    """One of the values would be lost."""
    treated = outgoing({"alerting_metadata": {"password: hunter2xx": "a", "password: hunter2yy": "b"}})
    assert sorted(treated["alerting_metadata"].values()) == ["a", "b"]


def test_a_callers_object_that_raises_costs_its_metadata_alone() -> None:
    """Nothing of it reaches the publisher's thread."""

    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError(SECRET)

    assert outgoing({"alerting_metadata": Odd(a=1), "team_id": "t1"}) == {"alerting_metadata": {}, "team_id": "t1"}


#: Values into which a caller, an administrator or a provider may have written a secret, and what must not break.
PLACES: Mapping[str, Any] = {
    "request": {
        "model": SECRET, "litellm_call_id": f"call-{SECRET}", "litellm_session_id": SECRET, "messages": [],
        "metadata": {
            "tags": [SECRET, "plain"], "trace_id": SECRET,
            "alerting_metadata": {"token": SECRET, SECRET: "x", "deep": {"a": [SECRET]}, "long": "x " * 2_000},
        },
    },
    "caller": {
        "api_key": SECRET, "key_alias": SECRET, "team_id": SECRET, "team_alias": SECRET, "user_id": SECRET,
        "user_email": SECRET, "end_user_id": SECRET, "org_id": SECRET, "organization_alias": SECRET,
        "team_metadata": {"alert_receiver": SECRET}, "metadata": {"alert_receiver": [SECRET]},
        "spend": 1.0, "max_budget": 10.0, "team_spend": 1.0, "team_max_budget": 9.0,
    },
    "attempt": {
        "model": f"azure/{SECRET}", "api_key": "raw-provider-secret", "custom_llm_provider": SECRET,
        "api_base": f"https://user:{SECRET}@host.example/{SECRET}?key={SECRET}", "region_name": SECRET,
        "model_info": {"id": SECRET}, "litellm_trace_id": SECRET, "metadata": {"model_group": SECRET},
    },
}  # fmt: skip


def followed(publisher: RecordingPublisher) -> None:
    """Run every hook there is with secrets in every place."""
    hooks = Recorder(publisher, CallbackOptions(metadata_keys=("alert_receiver",)), grace=(60, 60))
    asked, who, tried = PLACES["request"], caller(**PLACES["caller"]), attempt(**PLACES["attempt"])
    tried |= {"litellm_call_id": asked["litellm_call_id"]}
    error = ProviderError(500, f"Incorrect key {SECRET}, raw-provider-secret, {SECRET[:20]}****")
    call = partial(hooks.started, asked, who, "acompletion")
    hooks.failed(asked | {"litellm_call_id": f"early-{SECRET}"}, ProviderError(401, SECRET), who)
    call()
    now = {"boot_id": "b", "age_seconds": 9, "last_progress_at": datetime.now(UTC)}
    (describe,) = publisher.inflight.describes.values()
    publisher.publish({**describe(), "type": "llm.request.announced", **now})
    hooks.attempt_started(tried)
    hooks.attempt_failed(tried, error, 0)
    hooks.failed(asked, error, who)
    for unpriced in ({"response_cost": None}, {}):
        call()
        hooks.attempt_started(tried)
        hooks.succeeded(succeeded(asked, unpriced))
    hooks.changed(
        entry("updated", object_id=SECRET, before={"key_alias": SECRET}, after={"models": [SECRET], SECRET: 1})
    )
    hooks.changed(entry("updated", "LiteLLM_TeamTable", SECRET, after={"team_alias": SECRET, "max_budget": SECRET}))


def succeeded(asked: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a success log with secrets in every place."""
    metadata = dict.fromkeys(
        ("user_api_key_hash", "user_api_key_alias", "user_api_key_team_id", "user_api_key_end_user_id"), SECRET
    )
    debug = {"error_str": f"no price of {SECRET}"}
    log = {
        "trace_id": SECRET, "model": SECRET, "model_id": SECRET, "model_group": SECRET, "custom_llm_provider": SECRET,
        "api_base": f"https://{SECRET}@x/{SECRET}", "end_user": SECRET, "request_tags": [SECRET],
        "response_cost_failure_debug_info": debug,
    }  # fmt: skip
    result = success(asked["litellm_call_id"], dict(asked["metadata"]), **log, **fields)
    result["standard_logging_object"]["metadata"] = metadata
    return result


def test_nothing_that_the_callback_publishes_holds_a_secret() -> None:
    """Every event of a call's life, of a call turned away, and of the audit log; and the ids still fit together."""
    publisher = RecordingPublisher()
    in_loop(partial(followed, publisher))

    assert {event.type for event in publisher.events} == {
        "llm.request.announced", "llm.attempt.failed", "llm.request.failed", "llm.request.succeeded",
        "admin.entity.changed",
    }  # fmt: skip
    for event in publisher.events:
        result = event.model_dump_json()
        assert "canary" not in result
        assert "raw-provider-secret" not in result
    _, announced, tried, failed, *_ = publisher.events
    assert announced.call_id == tried.call_id == failed.call_id != SECRET
    assert failed.team_id == failed.tags[0] == STAND_IN
    assert failed.alerting_metadata["long"].endswith("… cut")


_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_GOOD = {"type": "llm.request.succeeded", "started_at": _NOW, "ended_at": _NOW + timedelta(seconds=2), "cost_nanos": 1}


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (_GOOD, False),
        (_GOOD | {"ended_at": _NOW + timedelta(seconds=3)}, True),
        (_GOOD | {"cost_nanos": None}, True),
        (_GOOD | {"cost_nanos": 0}, False),
        (_GOOD | {"cost_nanos": 0, "cost_failure": "no price"}, True),
        (_GOOD | {"cost_nanos": None, "cache_hit": True}, False),
        ({"type": "llm.request.abandoned"}, False),
        ({"type": "llm.request.failed", "failure": {"origin": events.Origin.CALLER}}, False),
        ({"type": "llm.request.failed", "failure": {"origin": events.Origin.PROVIDER}}, True),
        ({"type": "llm.request.failed", "failure": {"origin": events.Origin.PROXY}}, True),
    ],
)
def test_metadata_leaves_only_with_a_call_that_an_alert_may_show(event: dict[str, Any], shown: bool) -> None:
    """A fast answer with a price needs none."""
    assert can_alert(event, 3.0) is shown


LONG = "".join(f"{number:06d} " for number in range(3_000))


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.treatment is not Treatment.OURS])
def test_no_field_is_cut_silently(name: str) -> None:
    """A text that was cut ends with a mark; a name that was cut has one, and stays distinct."""
    field = FIELDS[name]
    for value in (LONG, LONG.replace(" ", "-")):
        treated = outgoing({name: value, "x": {"metadata": {"a": value}}})
        metadata = outgoing({name: {"a": value, value: "b"}})[name]
        if field.treatment in (Treatment.METADATA, Treatment.ALLOWED):
            assert metadata["a"].endswith("… cut")
            assert len(metadata["a"]) <= MAX_TEXT
            (key,) = set(metadata) - {"a"}
            assert "…" in key
            assert len(key) <= MAX_NAME
            continue
        cut = treated[name]
        assert len(cut) <= field.limit
        if field.treatment is Treatment.IDENTITY:
            assert "…" in cut
            assert outgoing({name: f"{value}1"})[name] != outgoing({name: f"{value}2"})[name]
        else:
            assert cut.endswith(("… cut", "…"))


def test_a_mapping_with_too_many_items_has_the_number_of_omitted_ones() -> None:
    """None is left out silently."""
    shown = outgoing({"alerting_metadata": {f"k{number}": number for number in range(50)}})["alerting_metadata"]
    assert len(shown) == 32
    assert shown["…"] == "19 more … cut"


def test_redaction_never_makes_an_event_too_long_for_the_contract() -> None:
    """A removed secret leaves more characters than a short one has."""
    text = "token=abcd " * 180
    event = {"type": "llm.request.succeeded", "call_id": text[:MAX_NAME], "started_at": _NOW, "ended_at": _NOW}
    event |= {"cost_failure": text[:MAX_TEXT], "alerting_metadata": {text[:MAX_NAME]: text}, "tags": [text[:MAX_NAME]]}
    assert EVENT.validate_python(outgoing(event))
