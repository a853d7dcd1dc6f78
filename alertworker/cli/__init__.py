"""The command line. Every command imports only what it uses."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

import click

from alertworker import __version__
from alertworker.errors import AlertWorkerError

#: Each command with its module and its line in the help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("alertworker.cli.run:run", "Start everything; embedded broker and database unless others are named."),
    "demo": ("alertworker.cli.run:demo", "Start everything and feed it simulated traffic."),
    "worker": ("alertworker.cli.worker:worker", "Start one worker."),
    "beat": ("alertworker.cli.worker:beat", "Start the clock that sweeps are timed by."),
    "web": ("alertworker.cli.web:web", "Start the HTTP side: events in, and pages to look at."),
    "check": ("alertworker.cli.check:check", "Print what is configured, and from where; fail on an error."),
    "test": ("alertworker.cli.test:test", "Send a real test message and print the receiver's answer."),
    "publish": ("alertworker.cli.publish:publish", "Publish events from a file of JSON, or from standard input."),
    "explain": (
        "alertworker.cli.explain:explain",
        "Say what events would lead to, and where; nothing is sent or changed.",
    ),
    "alerts": ("alertworker.cli.alerts:alerts", "List, show and acknowledge alerts."),
    "notifications": ("alertworker.cli.notifications:notifications", "List what was, or is to be, sent where."),
    "silences": ("alertworker.cli.silences:silences", "Mute matching alerts until a time."),
    "budgets": ("alertworker.cli.budgets:budgets", "List budgets: spend, limit, share, reset and state."),
    "deadletters": ("alertworker.cli.deadletters:deadletters", "Look at, retry or discard what nobody will retry."),
    "spend": ("alertworker.cli.spend:spend", "Print what was spent, by team, tag, key, user, model and more."),
    "report": ("alertworker.cli.report:report", "Print a report of any past period, or send one that is due."),
    "doctor": ("alertworker.cli.doctor:doctor", "Say how the line is; exits with 1 where somebody must do something."),
    "db": ("alertworker.cli.db:db", "Look after the database."),
    "schema": ("alertworker.cli.schema:schema", "Print the JSON Schema of events, webhooks or the configuration file."),
}


class Commands(click.Group):
    """A group that imports a command when it is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. For the help of the whole group its line is enough."""
        if cmd_name not in COMMANDS:
            return None
        target, line = COMMANDS[cmd_name]
        if ctx.resilient_parsing or "--help" in sys.argv[1:2]:
            return click.Command(cmd_name, short_help=line)
        module, attribute = target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=Commands)
@click.version_option(__version__)
@click.option(
    "--config", type=click.Path(dir_okay=False), help="LiteLLM's config.yaml or our own; see ALERTWORKER_CONFIG."
)
def cli(config: str | None) -> None:
    """Typed events from an LLM proxy in, the few messages a person should read out."""
    if config:
        os.environ["ALERTWORKER_CONFIG"] = config  # child processes read it too


def main() -> None:
    """Run the command line. Our own errors are one line, without a traceback."""
    try:
        cli()
    except AlertWorkerError as error:
        click.echo(f"alertworker: {error}", err=True)
        sys.exit(1)
