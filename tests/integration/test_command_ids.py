"""Every command that takes an id takes the beginning of it, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import click
import pytest
from click.testing import CliRunner

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.cli import COMMANDS, cli
from alertworker.events.base import new_id
from alertworker.pipeline import Runtime, ingest
from alertworker.pipeline.notify import claim
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from tests.integration.harness import NOW, answered, batch

#: Each command that takes an id: its words before the id, and what the error calls the thing.
TAKERS = {
    ("alerts", "show"): "alert",
    ("alerts", "ack"): "alert",
    ("notifications", "show"): "notification",
    ("notifications", "list", "--alert"): "alert",
    ("silences", "show"): "silence",
    ("silences", "expire"): "silence",
    ("deadletters", "show"): "dead letter",
    ("deadletters", "replay"): "dead letter",
    ("deadletters", "discard"): "dead letter",
}
NOUNS = {"alert": "alerts", "notification": "notifications", "silence": "silences", "dead letter": "deadletters"}


@pytest.fixture(autouse=True)
def _things(store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store two things of each kind."""
    admin = AdminStore(store.engine)
    monkeypatch.setattr("alertworker.app.build_admin_store", lambda: admin)
    monkeypatch.setattr("alertworker.app.build_broker", lambda: runtime.broker)
    plain = Alert(AlertType.CHANNEL_BROKEN, Severity.HIGH, {}, "x", NOW, NOW)
    for number in range(2):
        one = replace(plain, identity={"channel": str(number)})
        store.run(lambda tx, one=one: claim(tx, one, runtime, now=NOW))  # type: ignore[misc]
        matchers = (parse('team="search"'),)
        ends = NOW + timedelta(days=36_500)
        admin.add_silence(Silence(str(new_id()), matchers, NOW, ends, "Ada", f"reason {number}"), now=NOW)
        old = batch(answered(str(number)), batch_id=f"b{number}")
        ingest(replace(old, sealed_at=NOW - timedelta(days=36)), runtime, now=NOW)


def ids_of(kind: str) -> list[str]:
    """Return the ids that the list of a noun prints."""
    listed = CliRunner().invoke(cli, [NOUNS[kind], "--json"])
    assert listed.exit_code == 0, listed.output
    return [json.loads(line)["id"] for line in listed.output.splitlines()]


def parameters(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words before each id that a command and those below it take."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from parameters(inner, *path, name)
    for param in command.params:
        if param.name is not None and param.name.endswith(("_id", "_ids")) and param.name != "team_id":
            yield (*path, param.opts[0]) if isinstance(param, click.Option) else path


def test_the_table_has_every_command_that_takes_an_id() -> None:
    """A new one is tested, too. The team of spend is not an id of ours."""
    context = click.Context(cli)
    found = {words for name in COMMANDS for words in parameters(cli.get_command(context, name), name)}  # type: ignore[arg-type]
    assert found == set(TAKERS)


@pytest.mark.parametrize("words", TAKERS, ids=" ".join)
def test_the_beginning_of_an_id_is_enough_if_it_is_unique(words: tuple[str, ...]) -> None:
    first, second = ids_of(TAKERS[words])
    size = next(size for size in range(1, 37) if first[:size] != second[:size])
    done = CliRunner().invoke(cli, [*words, first[:size]])
    assert done.exit_code == 0, (done.output, done.exception)
    if words[-1] == "show":
        assert json.loads(done.output)["id"] == first


@pytest.mark.parametrize("words", TAKERS, ids=" ".join)
def test_an_ambiguous_beginning_names_the_candidates(words: tuple[str, ...]) -> None:
    """Nothing is done. An id that begins like no other is unknown, with the command that lists the ids."""
    kind = TAKERS[words]
    ids = ids_of(kind)
    size = next(size for size in range(1, 37) if ids[0][:size] != ids[1][:size]) - 1
    refused = CliRunner().invoke(cli, [*words, ids[0][:size]])
    assert str(refused.exception).startswith(f"several {kind}s have ids that begin with {ids[0][:size]}:\n")
    assert [one in str(refused.exception) for one in ids] == [True, True]
    assert ids_of(kind) == ids

    for unknown in ("nonesuch", "%", ""):
        refused = CliRunner().invoke(cli, [*words, unknown])
        assert str(refused.exception).startswith(f"unknown {kind} {unknown}; `alertworker {NOUNS[kind]}")
