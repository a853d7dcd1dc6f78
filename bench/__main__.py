"""Run the benchmarks and print each figure with the alternative's: `python -m bench [PART …]`, all if none is named."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import delay, ledger_cost, worker_cost
from tests.acceptance.proxy import litellm_python
from tests.acceptance.stack import Stack

_REDIS_PORT = 6379


def main(arguments: Sequence[str]) -> None:
    """Run the chosen parts, one after the other. Each has a folder of its own."""
    names = _options(arguments).parts or list(PARTS)
    console = Console(width=110)
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores; medians, with lowest and highest\n")
    with tempfile.TemporaryDirectory(prefix="alertworker-bench-") as name:
        for part in names:
            folder = Path(name) / part
            folder.mkdir()
            console.print(PARTS[part](folder))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; default: all")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"unknown part {', '.join(unknown)}: expected {', '.join(PARTS)}")
    return options


def _proxy(folder: Path) -> Table:
    stack = Stack(folder, "")
    stack.start_broker()
    try:
        script = Path(__file__).with_name("in_process.py")
        done = subprocess.run(
            [str(litellm_python()), str(script), stack.broker_url, str(_REDIS_PORT)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    finally:
        stack.down()
    title = "Microseconds of CPU per request, in the proxy's process"
    table = Table("variant", "median", "lowest", "highest", title=title)
    for name, figures in json.loads(done.stdout.splitlines()[-1]).items():
        table.add_row(name, f"{statistics.median(figures):.1f}", f"{min(figures):.1f}", f"{max(figures):.1f}")
    return table


def _worker(folder: Path) -> Table:
    table = Table("database", "alertworker", "one task per event", "ratio", title="CPU per event, broker to commit")
    for database in ("SQLite", "PostgreSQL"):
        figures = worker_cost.measure(folder / database, database)
        ours, naive = figures["alertworker"], figures["one task per event"]
        table.add_row(database, f"{ours:.1f} us", f"{naive:.0f} us", f"{naive / ours:.0f}")
    return table


def _ledger(folder: Path) -> Table:
    table = Table("measurement", "figure", title="The ledger")
    for name, figure in ledger_cost.measure(folder).items():
        table.add_row(name, figure)
    return table


def _delay(folder: Path) -> Table:
    table = Table("side", "median", "lowest", "highest", title="Seconds from a failure to the POST")
    for name, seconds in delay.measure(folder).items():
        table.add_row(name, f"{statistics.median(seconds):.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}")
    return table


#: The parts by name, in the order in which they run.
PARTS: Final[Mapping[str, Callable[[Path], Table]]] = {
    "proxy": _proxy,
    "worker": _worker,
    "ledger": _ledger,
    "delay": _delay,
}


if __name__ == "__main__":
    main(sys.argv[1:])
