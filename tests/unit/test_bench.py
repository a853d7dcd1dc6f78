"""The commands of the benchmarks: help and wrong names end before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from bench import __main__ as bench
from bench.simulate import __main__ as simulate
from bench.simulate import scenarios
from bench.torture import __main__ as torture
from bench.torture import scenarios as faults

COMMANDS = pytest.mark.parametrize(
    ("main", "known"),
    [(bench.main, bench.PARTS), (torture.main, faults.SCENARIOS), (simulate.main, scenarios.SCENARIOS)],
    ids=["bench", "torture", "simulate"],
)


@COMMANDS
def test_help_prints_the_usage(
    main: Callable[[list[str]], object], known: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out
    assert (ended.value.code, shown.split()[:3]) == (0, ["usage:", "python", "-m"])
    assert all(name in "".join(shown.split()) for name in known)


@COMMANDS
def test_an_unknown_name_is_an_error_with_the_list(
    main: Callable[[list[str]], object], known: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nothing-such"])
    shown = capsys.readouterr().err
    assert (ended.value.code, "nothing-such" in shown) == (2, True)
    assert all(name in shown for name in known)


def test_json_has_the_figures_and_what_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that fails leaves the figures of those before it."""

    def fail(_: Path) -> bench.Figures:
        raise RuntimeError("no database")

    worker = bench.Figures("CPU per event", ("database", "alertworker"), [("SQLite", "61.0 us")])
    monkeypatch.setattr(bench, "PARTS", MappingProxyType({"worker": lambda _: worker, "ledger": fail}))
    with pytest.raises(RuntimeError):
        bench.main(["--json", str(tmp_path / "figures.json")])

    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["parts"] == {
        "worker": {"title": "CPU per event", "columns": ["database", "alertworker"], "rows": [["SQLite", "61.0 us"]]}
    }
    assert {"at", "machine", "cores", "load", "python"} < written.keys()
    assert "celery" in written["versions"]
    assert "61.0 us" in capsys.readouterr().out
