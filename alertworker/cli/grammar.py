"""The grammar of all commands: a noun alone lists, ``--json`` may precede the command, an unknown name has a hint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click
from typing_extensions import override

from alertworker.errors import INTERRUPTED

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Where the context keeps whether ``--json`` preceded a command.
_JSON: Final = "alertworker.json"


class Interrupted(click.ClickException):
    """Ctrl-C ended the command."""

    exit_code = INTERRUPTED

    def __init__(self) -> None:
        super().__init__("Interrupted.")

    @override
    def show(self, file: Any = None) -> None:
        """Print one line. A terminal has printed ^C at the end of the current one."""
        click.echo(f"\n{self.message}" if sys.stderr.isatty() else self.message, err=True, file=file)


class Group(click.Group):
    """A group of commands. ``--json`` before a command counts as if it followed it."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=_remember_json,
                help="Print JSON, like --json after the command.",
            )
        )

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments, or fail with the nearest command."""
        name, names = args[0], self.list_commands(ctx)
        if not ctx.resilient_parsing and name not in names:
            close = get_close_matches(name, names, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"The commands are: {', '.join(names)}."
            ctx.fail(f"No such command {name!r}. {hint}")
        found, command, rest = super().resolve_command(ctx, args)
        return found, command, ["--json", *rest] if ctx.meta.pop(_JSON, False) else rest


class Noun(Group):
    """The commands about one kind of thing. Without a command, or with an option in its place, it prints the list."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert ``list`` where a command is missing, except while a shell completes the command."""
        place = next((place for place, arg in enumerate(args) if arg != "--json"), len(args))
        following = args[place : place + 1]
        is_option = bool(following) and following[0].startswith("-") and following[0] not in ctx.help_option_names
        if is_option or not (following or ctx.resilient_parsing):
            args = [*args[:place], "list", *args[place:]]
        return super().parse_args(ctx, args)

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of ``list`` too, and the commands."""
        records = [record for param in self.commands["list"].params if (record := param.get_help_record(ctx))]
        with formatter.section("Options without a command, as of list"):
            formatter.write_dl(records)
        super().format_options(ctx, formatter)

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands, and the options of ``list``, which may stand in their place."""
        found = super().shell_complete(ctx, incomplete)
        known = {item.value for item in found}
        more = click.Command.shell_complete(self.commands["list"], ctx, incomplete)
        return [*found, *(item for item in more if item.value not in known)]


def noun(function: Callable[..., None]) -> Noun:
    """Make a function without parameters the group of a noun. Its docstring is the help."""
    return click.group(cls=Noun)(function)


def _remember_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        ctx.meta[_JSON] = True
