"""The help of every command: each option is explained."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from alertworker.cli import cli


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all commands below it, with their paths."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(commands(cli)))
def test_every_command_and_option_has_help(path: str, command: click.Command) -> None:
    assert command.help
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


def test_an_unknown_command_and_an_unknown_option_name_the_nearest_one() -> None:
    for arguments, expected in (
        (["alrets"], "Did you mean 'alerts'?"),
        (["check", "--jsno"], "Did you mean '--json'?"),
    ):
        result = CliRunner().invoke(cli, arguments)
        assert (result.exit_code, expected in result.output) == (2, True), result.output
