"""The JSON Schema of the file describes what the loader reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt

from alertworker.channels import CONFIGS
from alertworker.cli.schema import schema as command
from alertworker.settings.file_config import FileConfig, LiteLLMConfig
from tests import seed_page
from tests.unit.settings.test_problems import NESTED
from tests.unit.settings.test_seed_rows import EXAMPLES
from tests.unit.settings.test_settings import ROUTES

ROOT: Final = Path(__file__).parents[3]
SECTIONS: Final = {"alertworker", "general_settings", "litellm_settings"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return what the command prints."""
    result = CliRunner().invoke(command, ["config"], catch_exceptions=False)
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.output)
    return found


def plain(text: str) -> Any:
    """Return YAML as JSON has it."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def documented() -> Iterator[Any]:
    """Yield the examples of the file in the documents."""
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]):
        for token in MarkdownIt().parse(path.read_text()):
            if token.type == "fence" and token.info == "yaml" and SECTIONS & set(yaml.safe_load(token.content) or {}):
                yield pytest.param(token.content, id=f"{path.name}:{token.map[0] + 1 if token.map else 0}")


def models(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each key of each mapping of the file, with its schema."""
    for name, definition in schema["$defs"].items():
        for key, found in definition.get("properties", {}).items():
            yield name, key, found


def test_it_is_a_schema_with_every_key_described(schema: dict[str, Any]) -> None:
    """Editors show the descriptions."""
    jsonschema_rs.meta.validate(schema)

    assert [f"{name}.{key}" for name, key, found in models(schema) if not found.get("description")] == []
    assert set(schema["$defs"]["FileConfig"]["properties"]) == set(FileConfig.model_fields)
    assert set(schema["$defs"]["_General"]["properties"]) == set(LiteLLMConfig.model_fields)
    assert {name for name, _, _ in models(schema)} >= {config.__name__ for config in CONFIGS.values()}


@pytest.mark.parametrize("text", [*documented(), *(one[0] for one in EXAMPLES.values()), ROUTES])
def test_every_example_is_valid(schema: dict[str, Any], text: str) -> None:
    """The examples are those of our documents and of LiteLLM's page."""
    assert [str(error) for error in jsonschema_rs.validator_for(schema).iter_errors(plain(text))] == []


def test_the_documents_have_examples() -> None:
    """They show receivers, routes, budgets and reports."""
    sections = [plain(param.values[0]).get("alertworker", {}) for param in documented()]

    assert {"receivers", "route", "budgets", "reports"} <= {key for section in sections for key in section}
    assert seed_page.QUICK_START


@pytest.mark.parametrize(
    "text",
    [
        "receivers: [{name: a, channels: [{url: 'https://hooks.slack.com/services/x'}, {kind: console}]}]",
        "receivers: [{name: a, channels: [{kind: email, host: h, port: os.environ/PORT, sender: s, recipients: [r]}]}]",
        "time_intervals: [{name: n, time_intervals: [{years: [2026], months: [1, may]}]}]",
        "alerting: slack",
        "annotations: {outage_alerts: {note: Call us., runbook_url: 'https://wiki.example/x'}}",
        "route: {receiver: '', annotations: {note: Call us.}, routes: [{annotations: {runbook_url: 'http://wiki/x'}}]}",
        "alert_to_webhook_url: {budget_alerts: os.environ/A, llm_exceptions: [os.environ/B]}",
    ],
)
def test_files_that_the_loader_accepts_are_valid(schema: dict[str, Any], text: str) -> None:
    """Channels without a kind or a name, references, numbers and single strings."""
    assert jsonschema_rs.is_valid(schema, plain(f"alertworker: {{{text}}}"))


@pytest.mark.parametrize(
    "text",
    [
        "shadwo: true",
        "annotations: {outage_alert: {note: x}}",
        "annotations: {outage_alerts: {runbook: x}}",
        "route: {receiver: '', annotations: {note: ''}}",
        "http_port: 0",
        "receivers: [{name: a, channels: [{kind: slack}]}]",
        "receivers: [{name: a, channels: [{kind: slakc, url: x}]}]",
        "receivers: [{name: a, channels: [{kind: slack, url: x, urll: y}]}]",
        "route: {routes: []}",
        "inhibitions: [{source: [a=b], target: []}]",
        "alert_types: [llm_to_slow]",
        "budgets: [{dimension: tag}]",
    ],
)
def test_mistakes_are_invalid(schema: dict[str, Any], text: str) -> None:
    """The loader refuses them, too."""
    assert not jsonschema_rs.is_valid(schema, plain(f"alertworker: {{{text}}}"))
    assert not jsonschema_rs.is_valid(schema, plain(NESTED))
