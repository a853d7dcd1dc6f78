"""One grammar for all commands: a noun alone lists, `--json` before or after, hints for misspelt names, completion."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from alertworker.cli import COMMANDS, cli
from alertworker.cli.grammar import Group, Noun
from alertworker.reports import REPORTS

#: Commands that run until they are stopped, so they have no result to print as JSON.
SERVERS = {"run", "demo", "worker", "beat", "web"}


def command(*path: str) -> click.Command:
    """Return a command by its path."""
    found: click.Command = cli
    for name in path:
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), name)
        assert below is not None
        found = below
    return found


def below(*path: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command that is not a group."""
    found = command(*path)
    if not isinstance(found, click.Group):
        yield path
        return
    for name in found.list_commands(click.Context(found)):
        yield from below(*path, name)


COMMAND_PATHS = list(below())
NOUNS = [name for name in COMMANDS if isinstance(command(name), Noun)]
GROUPS = [(), *((name,) for name in COMMANDS if isinstance(command(name), Group))]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], dict[str, object]]]:
    """Record which command is called with which parameters, and call none."""
    calls: list[tuple[tuple[str, ...], dict[str, object]]] = []
    for path in COMMAND_PATHS:

        def record(path: tuple[str, ...] = path, **parameters: object) -> None:
            calls.append((path, parameters))

        monkeypatch.setattr(command(*path), "callback", record)
        for param in command(*path).params:
            monkeypatch.setattr(param, "required", False)
    return calls


def invoke(*arguments: str) -> str:
    """Run a command line that is valid, and return its output."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def as_json(parameters: dict[str, object]) -> bool:
    """Return whether a command was called with `--json`."""
    return parameters.get("as_json") is True or parameters.get("form") == "json"


def test_the_nouns_are_all_that_have_a_list() -> None:
    assert set(NOUNS) == {"alerts", "notifications", "silences", "budgets", "deadletters", "spend"}


@pytest.mark.parametrize("name", NOUNS)
def test_a_noun_alone_or_with_options_lists(name: str, called: list[tuple[tuple[str, ...], dict[str, object]]]) -> None:
    """The help of the noun has the options of the list."""
    for arguments in ([], ["list"], ["--json"], ["list", "--json"], ["--json", "list"]):
        invoke(name, *arguments)
        path, parameters = called.pop()
        assert (path, as_json(parameters)) == ((name, "list"), "--json" in arguments), arguments
    params = command(name, "list").params
    options = [param.opts[0] for param in params if not (isinstance(param, click.Option) and param.hidden)]
    assert [option for option in options if option not in invoke(name, "--help")] == []


@pytest.mark.parametrize("path", COMMAND_PATHS, ids=" ".join)
def test_json_stands_before_or_after_the_command(
    path: tuple[str, ...], called: list[tuple[tuple[str, ...], dict[str, object]]]
) -> None:
    """Every command that prints a result takes it. A server names it as an unknown option."""
    for place in range(len(path) + 1):
        arguments = [*path[:place], "--json", *path[place:]]
        result = CliRunner().invoke(cli, arguments)
        if path[0] in SERVERS:
            assert (result.exit_code, "No such option" in result.output) == (2, True), arguments
            continue
        assert result.exit_code == 0, result.output
        reached, parameters = called.pop()
        assert (reached, as_json(parameters)) == (path, True), arguments
    assert called == []


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_a_misspelt_command_names_the_nearest_one(group: tuple[str, ...]) -> None:
    found = command(*group)
    assert isinstance(found, click.Group)
    for name in found.list_commands(click.Context(found)):
        result = CliRunner().invoke(cli, [*group, f"{name}x"])
        assert (result.exit_code, f"Did you mean '{name}'?" in result.output) == (2, True), result.output
    result = CliRunner().invoke(cli, [*group, "0"])
    assert "The commands are: " in result.output


def options_of(path: tuple[str, ...]) -> set[str]:
    """Return the options that the help of a command shows. Those of a noun are the options of its list."""
    target = command(*path, "list") if len(path) == 1 and path[0] in NOUNS else command(*path)
    return {opt for p in target.params if isinstance(p, click.Option) and not p.hidden for opt in p.opts}


@pytest.mark.parametrize("path", [*COMMAND_PATHS, *((name,) for name in NOUNS)], ids=" ".join)
def test_a_misspelt_option_names_the_nearest_one(path: tuple[str, ...]) -> None:
    for option in options_of(path):
        result = CliRunner().invoke(cli, [*path, f"{option}x"])
        _, asks, hint = result.output.partition("id you mean")
        assert (result.exit_code, asks != "", f"'{option}'" in hint) == (2, True, True), result.output


def complete(*arguments: str) -> set[str]:
    """Return the completions of the last argument."""
    *before, incomplete = arguments
    found = ShellComplete(cli, {}, "alertworker", "_ALERTWORKER_COMPLETE").get_completions(before, incomplete)
    return {item.value for item in found}


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_a_shell_completes_the_commands_of_every_group(group: tuple[str, ...]) -> None:
    found = command(*group)
    assert isinstance(found, click.Group)
    names = found.list_commands(click.Context(found))
    assert complete(*group, "") == set(names)
    for name in names:
        assert name in complete(*group, name[:2])


@pytest.mark.parametrize("path", [*COMMAND_PATHS, *((name,) for name in NOUNS)], ids=" ".join)
def test_a_shell_completes_the_options_of_every_command(path: tuple[str, ...]) -> None:
    """A noun completes the options of its list."""
    assert options_of(path) <= complete(*path, "--")


def test_a_shell_completes_values() -> None:
    """Of an option of a noun's list, too, and of the registries that are slow to import."""
    assert complete("alerts", "--type", "llm_t") == {"llm_too_slow"}
    assert complete("alerts", "list", "--type", "llm_t") == {"llm_too_slow"}
    assert complete("report", "") == {kind.value for kind in REPORTS}
    assert "slack" in complete("test", "s")


def test_help_of_any_command_loads_no_slow_package() -> None:
    """All of them together, in a new interpreter."""
    program = """if True:
        import sys
        from click.testing import CliRunner
        from alertworker.cli import COMMANDS, cli
        for arguments in ([], *([name] for name in COMMANDS)):
            result = CliRunner().invoke(cli, [*arguments, "--help"])
            assert result.exit_code == 0, result.output
        slow = {"celery", "kombu", "pydantic", "re2", "requests", "rich", "sqlalchemy", "starlette", "uvicorn"}
        print(sorted(slow & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_help_of_reports_names_every_kind() -> None:
    text = " ".join(invoke("report", "--help").split())
    assert f"KIND is {', '.join(list(REPORTS)[:-1])} or {list(REPORTS)[-1]}." in text
