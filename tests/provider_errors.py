"""Errors as providers and LiteLLM write them, without secrets. Ids are made up, of the provider's form."""

from __future__ import annotations

import json
from pathlib import Path

ERRORS: list[str] = [
    text
    for texts in json.loads((Path(__file__).parent / "fixtures" / "provider_errors.json").read_bytes()).values()
    for text in texts
]
