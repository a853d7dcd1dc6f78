"""The command line. Every command imports only what it uses."""

from __future__ import annotations

import importlib
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import click
from typing_extensions import override

from alertworker import __version__
from alertworker.errors import AlertWorkerError

#: Each command with its function and its line in the help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("alertworker.cli.run:run", "Start everything. Broker and database are embedded unless configured."),
    "demo": ("alertworker.cli.run:demo", "Start everything, with simulated traffic."),
    "worker": ("alertworker.cli.worker:worker", "Start one worker."),
    "beat": ("alertworker.cli.worker:beat", "Start the scheduler of sweeps and reports."),
    "web": ("alertworker.cli.web:web", "Start the HTTP server, which receives events and serves the pages."),
    "check": ("alertworker.cli.check:check", "Print the configuration in force and its sources. Fails on an error."),
    "test": ("alertworker.cli.test:test", "Send a test message and print the receiver's answer."),
    "publish": ("alertworker.cli.publish:publish", "Publish events from a JSON file or from standard input."),
    "explain": (
        "alertworker.cli.explain:explain",
        "Dry run: show which alerts events would raise. Sends and changes nothing.",
    ),
    "alerts": ("alertworker.cli.alerts:alerts", "List, show and acknowledge alerts."),
    "notifications": ("alertworker.cli.notifications:notifications", "List sent and pending notifications."),
    "silences": ("alertworker.cli.silences:silences", "List, add and end silences."),
    "budgets": ("alertworker.cli.budgets:budgets", "List budgets with spend, limit, share, reset and state."),
    "deadletters": ("alertworker.cli.deadletters:deadletters", "List, show, replay and discard dead letters."),
    "spend": ("alertworker.cli.spend:spend", "Print spend by team, tag, key, user, model and more."),
    "report": ("alertworker.cli.report:report", "Print a report of a past period, or send a report that is due."),
    "doctor": (
        "alertworker.cli.doctor:doctor",
        "Check the health of the pipeline. Exits with 1 if action is required.",
    ),
    "db": ("alertworker.cli.db:db", "Upgrade the database."),
    "schema": ("alertworker.cli.schema:schema", "Print the JSON Schema of events, webhooks or the configuration file."),
}


class Commands(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the table."""
        del ctx
        return list(COMMANDS)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with the nearest one."""
        name = args[0]
        if not ctx.resilient_parsing and name not in COMMANDS and (close := get_close_matches(name, COMMANDS, n=1)):
            ctx.fail(f"No such command {name!r}. Did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. The help of the whole group needs only its summary."""
        if cmd_name not in COMMANDS:
            return None
        target, summary = COMMANDS[cmd_name]
        if ctx.resilient_parsing or "--help" in sys.argv[1:2]:
            return click.Command(cmd_name, short_help=summary)
        module, attribute = target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        from alertworker.cli.params import check_strings  # loads what only commands need

        check_strings(command)
        return command


@click.group(cls=Commands)
@click.version_option(__version__)
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    help="Configuration file: LiteLLM's config.yaml or alertworker.yaml. Overrides ALERTWORKER_CONFIG.",
)
def cli(config: str | None) -> None:
    """Turn events of an LLM proxy into the few alerts that a person should read."""
    if config:
        os.environ["ALERTWORKER_CONFIG"] = config  # Child processes read it, too.


def main() -> None:
    """Run the command line. Our own errors are printed as one line without a traceback."""
    # The folder's celeryconfig.py counts, as with `python -m` and with Celery's own program. It is last in the path, so
    # no other file of the folder hides a library.
    sys.path.append(str(Path.cwd()))
    try:
        cli()
    except AlertWorkerError as error:
        click.echo(f"alertworker: {error}", err=True)
        sys.exit(1)
