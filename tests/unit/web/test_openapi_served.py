"""The server keeps the promises of the OpenAPI document. schemathesis generates the requests."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import negative_data_rejection
from starlette.applications import Starlette

from alertworker.alerts.catalogue import AlertType
from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.pipeline import ChannelTest
from alertworker.store import HealthSnapshot
from alertworker.web.app import build_app
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.context import Context
from alertworker.web.keys import Keys
from alertworker.web.openapi import document

KEY: Final = {"Authorization": "Bearer admin-key"}
#: The key is sent by the test: a request that is made up bad must be bad for another reason.
CONFIG: Final = {"generation": {"with-security-parameters": False}}
EXAMPLES: Final = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
OPERATIONS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    (path, method.upper()): operation
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
}
EVENT: Final = (
    b'{"type": "publisher.stopped", "boot_id": "b", "host": "h", "pid": 1, "version": "1",'
    b' "started_at": "2026-01-02T00:00:00Z"}'
)
LINES: Final = st.lists(st.sampled_from([EVENT, b""]), min_size=1).map(b"\n".join).filter(bytes.strip)
schemathesis.openapi.media_type("application/x-ndjson", LINES)
#: Nearly all that is made up by the format alone would be of another century.
MOMENTS: Final = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.timezones())  # noqa: DTZ001
schemathesis.openapi.format("date-time", MOMENTS.map(datetime.isoformat))
FLAGS: Final = frozenset({"stream", "refused", "announced", "cache_hit"})
WITH_INPUT: Final = [name for name, operation in OPERATIONS.items() if "parameters" in operation]


def app() -> Starlette:
    """Return the web application, with a broker that takes everything and a receiver that says yes."""
    readings = HealthSnapshot({}, {}, {}, {}, 0, {}, {}, {}, canary_seconds=1.0)

    def try_service(service: str, _now: datetime) -> list[ChannelTest]:
        return [ChannelTest(service, AlertType.LLM_EXCEPTIONS, "sent", "ok", body="{}")]

    return build_app(
        Context(
            keys=Keys(publish="publish-key", admin="admin-key"),
            broker_queue=BrokerQueue(lambda _batch: None),
            try_service=try_service,
            health=CachedHealth(lambda _now: readings, lambda: 0, lambda: None),
            pages=cast(
                "Any", SimpleNamespace(channels={}, labels=ChannelLabels())
            ),  # the pages are for people, and not in the document
        )
    )


def lenient(value: Any, field: str = "") -> bool:
    """Return whether a body has what pydantic takes for a number although its schema does not: true, or "5"."""
    if isinstance(value, dict):
        return any(lenient(item, key) for key, item in value.items())
    if isinstance(value, list):
        return any(map(lenient, value))
    if isinstance(value, str):
        return value.strip().isdigit()
    return isinstance(value, bool) and field not in FLAGS


def check(name: tuple[str, str], mode: GenerationMode) -> None:
    """Send what schemathesis makes up for one operation, and hold each answer against the document."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app(), config=schemathesis.Config.from_dict(CONFIG))
    path, method = name

    @seed(1)
    @EXAMPLES
    @given(schema[path][method].as_strategy(mode))
    def each(case: Case[Any]) -> None:
        answer = case.call(headers=KEY)
        taken = answer.status_code == 202 and (answer.json()["errors"] or lenient(case.body))
        case.validate_response(answer, excluded_checks=[negative_data_rejection] if taken else [])

    each()


@pytest.mark.parametrize("name", OPERATIONS, ids=" ".join)
def test_a_valid_request_gets_the_documented_response(name: tuple[str, str]) -> None:
    """Status, type and body are as described. Only a client with the key gets it."""
    check(name, GenerationMode.POSITIVE)


@pytest.mark.parametrize("name", WITH_INPUT, ids=" ".join)
def test_an_invalid_request_gets_the_documented_error(name: tuple[str, str]) -> None:
    """The good ones of several events are accepted, and the bad ones named."""
    check(name, GenerationMode.NEGATIVE)
