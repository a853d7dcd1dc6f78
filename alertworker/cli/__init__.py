"""The command line. Every command imports only what it uses."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click
from typing_extensions import override

from alertworker import __version__
from alertworker.cli.grammar import Group, Interrupted
from alertworker.cli.log import ConfiguredFormatter
from alertworker.errors import AlertWorkerError
from alertworker.host.logs import name_program, write_log
from alertworker.host.starting import end_as_usual

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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

#: The commands that install handlers for SIGINT and SIGTERM later. Until then these signals end the process at once.
_HANDLE_SIGNALS: Final = frozenset({"run", "demo", "worker", "beat"})


class Commands(Group):
    """The group of all commands. It imports a command only when it is called."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the table."""
        del ctx
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        from alertworker.cli.params import check_strings  # loads what only commands need

        check_strings(command)
        name_program(cmd_name)
        if cmd_name not in _HANDLE_SIGNALS:
            end_as_usual()
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, without an import of any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so, without an import of any command."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Ctrl-C ends it with one line and exit code 130."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            raise Interrupted from None


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
    """Run the command line. Our own errors are printed as one line without a traceback.

    A command that starts a process sets its own level of the log.
    """
    write_log(ConfiguredFormatter(), "WARNING")
    try:
        cli()
    except AlertWorkerError as error:
        click.echo(f"alertworker: {error}", err=True)
        sys.exit(1)
