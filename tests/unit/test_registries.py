"""Registries, routes and documents agree, both ways."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Final, get_args

import click
import pytest
from pydantic_core import PydanticCustomError

from alertworker.alerts.catalogue import CATALOGUE, AlertType
from alertworker.alerts.labels import CLOSED, LABELS
from alertworker.app import celery
from alertworker.channels import CHANNELS
from alertworker.cli import COMMANDS, check
from alertworker.detectors import DETECTORS
from alertworker.events import AnyEvent
from alertworker.reports import ReportKind
from alertworker.settings import load_settings
from alertworker.settings.channel_config import complete
from alertworker.settings.file_config import FileConfig
from alertworker.settings.variables import VARIABLES
from alertworker.worker import celery_config, tasks

EVENTS: Final = [member.model_fields["type"].default for member in get_args(get_args(AnyEvent)[0])]


def test_every_task_has_a_route_and_every_route_a_task() -> None:
    """A task without a route would go to the wrong worker; a route without a task is a lie."""
    assert tasks is not None
    ours = {name for name in celery.tasks if name.startswith("alertworker.")}

    assert ours == set(celery_config.task_routes)


def test_every_scheduled_entry_names_a_task_and_every_route_a_queue() -> None:
    """Beat sends no unknown task."""
    queues = {queue.name for queue in celery_config.task_queues}

    assert {entry["task"] for entry in celery_config.beat_schedule.values()} <= set(celery.tasks)
    assert {route["queue"] for route in celery_config.task_routes.values()} <= queues


def test_every_alert_type_is_in_the_catalogue() -> None:
    """Every type that a detector raises is in it, too."""
    assert set(CATALOGUE) == set(AlertType)
    assert set(DETECTORS) <= set(AlertType)


def test_every_label_of_few_values_is_known_with_all_of_them() -> None:
    """A warning about a value that exists would be wrong."""
    assert set(CLOSED) <= LABELS
    reports = {kind.value for kind in ReportKind}
    assert set(CLOSED["report"]) == reports, "list all reports in `CLOSED` of alertworker/alerts/labels.py"


def test_every_channel_is_registered_under_its_kind() -> None:
    """A configuration names its channel by the kind."""
    assert {kind: channel.config_class.model_fields["kind"].default for kind, channel in CHANNELS.items()} == {
        kind: kind for kind in CHANNELS
    }


@pytest.mark.parametrize("kind", sorted(CHANNELS.keys() - {"email"}))
def test_a_channel_is_one_short_file(kind: str) -> None:
    """It holds only what is special about its vendor. A mail has several forms, so its channel is a folder."""
    source = Path(importlib.import_module(CHANNELS[kind].__module__).__file__ or "").read_text(encoding="utf-8")

    assert len(source.splitlines()) <= 90


def test_only_its_own_file_says_that_a_channel_is_a_chat_or_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` and the reader of the file then treat a new channel as one, without a second file."""
    for attribute in ("is_chat", "is_pager"):
        monkeypatch.setattr(CHANNELS["webhook"], attribute, True)
    with pytest.raises(PydanticCustomError, match="the URL belongs to another vendor; write kind: slack"):
        complete({"kind": "webhook", "url": "https://hooks.slack.com/services/T0/B0/x"}, {})

    hook = CHANNELS["webhook"].config_class(name="ops", url="https://alerts.example/hook")
    assert list(check._pages(load_settings(environ={}).model_copy(update={"channels": (hook,)}))) == ["ops"]


def test_every_event_has_a_type_of_its_own() -> None:
    """Types distinguish events on the wire."""
    assert len(EVENTS) == len(set(EVENTS))


def test_every_command_is_there() -> None:
    """The table of commands names things that exist."""
    for name, (target, line) in COMMANDS.items():
        module, attribute = target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), name
        assert line.endswith("."), name


#: Everything that must be documented: the names, the form in which a document has them, and the documents.
DOCUMENTED: Final = {
    "setting": (FileConfig.model_fields, "`{}`", "docs/configuration.md"),
    "label": (sorted(LABELS), "`{}`", "docs/configuration.md"),
    "variable": (VARIABLES, "| `{}` |", "docs/configuration.md"),
    "event": ([name for name in EVENTS if not name.startswith("system.")], "`{}`", "docs/events.md"),
    "channel": (CHANNELS, "| `{}` |", "docs/channels.md"),
    "report": ([kind.value for kind in ReportKind], "| `{}` |", "docs/reports.md"),
    "command": (COMMANDS, "alertworker {}", "docs/*.md"),
}


@pytest.mark.parametrize("what", DOCUMENTED)
def test_every_name_that_people_use_is_documented(what: str) -> None:
    """Settings, labels, variables, event types, channel kinds, reports and commands stand in the documents."""
    names, form, documents = DOCUMENTED[what]
    text = "\n".join(document.read_text(encoding="utf-8") for document in Path(__file__).parents[2].glob(documents))
    lacks = [form.format(name) for name in names if not re.search(rf"{re.escape(form.format(name))}(?!\w)", text)]

    assert lacks == [], f"add these to {documents}"
