"""The OpenAPI document and the routes agree, both ways."""

from __future__ import annotations

import json
import re

from alertworker.web.app import ROUTES
from alertworker.web.openapi import document


def test_every_route_is_described_and_every_description_is_served() -> None:
    """What LiteLLM posts to is LiteLLM's form, not ours to describe."""
    served = {
        (route.path, method.lower())
        for route in ROUTES
        for method in (route.methods or set()) - {"HEAD"}
        if not route.path.startswith("/integrations/")
    }
    described = {(path, method) for path, operations in document()["paths"].items() for method in operations}
    assert described == served


def test_every_reference_leads_somewhere() -> None:
    """None of the models' own definitions is missing."""
    text = json.dumps(document())
    for section, name in set(re.findall(r'"#/components/(\w+)/(\w+)"', text)):
        assert name in document()["components"][section]
    assert '"#/$defs' not in text
