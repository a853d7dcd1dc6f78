"""Run scenarios and print their rows: `python -m bench.torture [NAME,…]`. Without names all scenarios run."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.torture import cost
from bench.torture.ledger import Row, Side
from bench.torture.pair import Setup, running
from bench.torture.scenarios import SCENARIOS, Scenario
from tests.acceptance.command import alertworker
from tests.acceptance.proxy import litellm_python

#: How many proxies run at once. They mostly wait.
AT_ONCE = 4
#: The cost of a request, measured last, when nothing else runs.
COST = "request-cost"


def main(arguments: list[str]) -> int:
    """Print the tables. Return 1 if a scenario could not be run or alertworker did not do what is expected."""
    names = _names(arguments)
    rows = [name for name in names if name != COST]
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        failed = bool(rows) and _compare(rows, Path(folder))
        if COST in names:
            _print_cost(cost.measure(Path(folder) / COST))
    return failed


def _names(arguments: list[str]) -> list[str]:
    """Return the chosen rows, all if none is named."""
    known = [*SCENARIOS, COST]
    parser = argparse.ArgumentParser("python -m bench.torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows; commas separate several: {', '.join(known)}")
    names = [name for argument in parser.parse_args(arguments).names for name in argument.split(",") if name]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown row {', '.join(unknown)}: expected {', '.join(known)}")
    return names or known


def _compare(names: list[str], folder: Path) -> bool:
    """Run scenarios and print their rows. Return whether one could not be run or has an unexpected result of ours."""
    chosen = {name: SCENARIOS[name] for name in names}
    groups = [[name for name in chosen if chosen[name].setup is setup] for setup in _setups(chosen.values())]
    rows: dict[str, Row] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda group: _run(group, folder), groups):
            rows |= found
    _print({name: rows[name] for name in names if name in rows})
    failed = [name for name in names if name not in rows or not rows[name].alertworker.ledger.clean]
    if failed:
        print(f"not as expected: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _setups(scenarios: Iterable[Scenario]) -> list[Setup]:
    return list(dict.fromkeys(scenario.setup for scenario in scenarios))


def _run(names: list[str], folder: Path) -> dict[str, Row]:
    """Run the scenarios of one setup, one after the other. A scenario that cannot be run is reported and skipped."""
    rows = {}
    try:
        with running(SCENARIOS[names[0]].setup, folder / names[0]) as pair:
            for name in names:
                began = time.monotonic()
                rows[name] = SCENARIOS[name].run(pair)
                reported = f"LiteLLM {rows[name].litellm.said}; alertworker {rows[name].alertworker.said}"
                print(f"{name}, {time.monotonic() - began:.0f} s: {reported}", file=sys.stderr, flush=True)
    except Exception:  # noqa: BLE001 - one scenario that cannot be run must not hide the others
        traceback.print_exc()
    return rows


def _print(rows: Mapping[str, Row]) -> None:
    version = alertworker(Path.cwd(), "--version").stdout.split()[-1]
    litellm = next((litellm_python().parents[1] / "lib").glob("python3*/site-packages/litellm-*.dist-info")).name
    print(f"{datetime.now(UTC):%Y-%m-%d}, {litellm.removesuffix('.dist-info')}, alertworker-{version}\n")
    print("| row | on both sides | expected | LiteLLM | alertworker |\n|---|---|---|---|---|")
    for name, row in rows.items():
        scenario = SCENARIOS[name]
        sides = f"{row.litellm.said} | {row.alertworker.said}"
        print(f"| `{name}` | {scenario.fault} | {scenario.expected} | {sides} |")
    heads = "raised | delivered | lost | duplicated | false | messages"
    print(f"\n| row | side | {heads} |\n|---|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        print(f"| `{name}` | LiteLLM | {_counts(row.litellm)} |\n| | alertworker | {_counts(row.alertworker)} |")


def _print_cost(microseconds: Mapping[str, float]) -> None:
    print("\n| CPU of a proxy's process per request | microseconds |\n|---|---|")
    for name, figure in microseconds.items():
        print(f"| {name} | {figure:.0f} |")


def _counts(side: Side) -> str:
    ledger = side.ledger
    figures = (ledger.raised, ledger.delivered, ledger.lost, ledger.duplicated, ledger.false, ledger.messages)
    return " | ".join(map(str, figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
