"""The OpenAPI document and the routes agree, both ways."""

from __future__ import annotations

import json
import re

from alertworker.alerts.catalogue import AlertType
from alertworker.pipeline import ChannelTest
from alertworker.web.app import ROUTES
from alertworker.web.openapi import document
from alertworker.web.services import explain


def test_every_route_is_described_and_every_description_is_served() -> None:
    """This includes the routes in LiteLLM's form."""
    served = {(route.path, method.lower()) for route in ROUTES for method in (route.methods or set()) - {"HEAD"}}
    described = {(path, method) for path, operations in document()["paths"].items() for method in operations}
    assert described == served


def test_the_relay_takes_its_key_in_the_url_and_gives_reasons() -> None:
    """LiteLLM sends no headers of ours."""
    paths, schemes = document()["paths"], document()["components"]["securitySchemes"]
    for path in ("/integrations/litellm/slack", "/integrations/litellm/slack/{type}", "/integrations/litellm/webhook"):
        [*_, scheme] = paths[path]["post"]["security"]
        assert [schemes[name] for name in scheme] == [{"type": "apiKey", "in": "query", "name": "key"}]
        assert {"200", "400", "401", "413", "503"} <= paths[path]["post"]["responses"].keys()


def test_a_test_of_a_service_is_described_with_each_result() -> None:
    """The response has the same form."""
    answer = document()["paths"]["/health/services"]["get"]["responses"]["502"]["content"]["application/json"]["schema"]
    result = ChannelTest("slack-1", AlertType.LLM_EXCEPTIONS, "dead", "404", "not_found", "{}")
    explained = json.loads(json.dumps(explain("webhook", [result])))

    assert answer["properties"].keys() == set(answer["required"]) == explained.keys()
    assert answer["properties"]["results"]["items"]["properties"].keys() == explained["results"][0].keys()


def test_every_reference_leads_somewhere() -> None:
    """None of the models' own definitions is missing."""
    text = json.dumps(document())
    for section, name in set(re.findall(r'"#/components/(\w+)/(\w+)"', text)):
        assert name in document()["components"][section]
    assert '"#/$defs' not in text
