"""Run the benchmarks and print each figure with the alternative's: `python -m bench [PART …]`, all if none is named.

``--json`` also writes the figures, with the machine, the versions and the time.
"""

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
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import delay, ledger_cost, worker_cost
from tests.acceptance.proxy import litellm_python
from tests.acceptance.stack import Stack

_REDIS_PORT = 6379


@dataclass(frozen=True)
class Figures:
    """The figures of one part: what its columns are, and its rows, with the name of the measurement first."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)


def main(arguments: Sequence[str]) -> None:
    """Run the chosen parts, one after the other. Each has a folder of its own."""
    options = _options(arguments)
    console, run = Console(width=110), _environment()
    console.print(f"Python {run['python']}, {run['cores']} cores; medians, with lowest and highest\n")
    with tempfile.TemporaryDirectory(prefix="alertworker-bench-") as name:
        for part in options.parts or list(PARTS):
            folder = Path(name) / part
            folder.mkdir()
            figures = PARTS[part](folder)
            table = Table(*figures.columns, title=figures.title)
            for row in figures.rows:
                table.add_row(*row)
            console.print(table)
            run["parts"][part] = asdict(figures)
            if options.json is not None:  # after each part, so that an interrupted run leaves what it measured
                options.json.write_text(json.dumps(run, indent=2) + "\n")


def _environment() -> dict[str, Any]:
    """Return what the figures depend on: the machine, the versions and the time."""
    libraries = ("celery", "kombu", "pydantic", "sqlalchemy", "psycopg")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("alertworker", *libraries)},
        "parts": {},
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"unknown part {', '.join(unknown)}: expected {', '.join(PARTS)}")
    return options


def _proxy(folder: Path) -> Figures:
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
    found = Figures(title, ("variant", "median", "lowest", "highest"))
    for name, each in json.loads(done.stdout.splitlines()[-1]).items():
        found.rows.append((name, f"{statistics.median(each):.1f}", f"{min(each):.1f}", f"{max(each):.1f}"))
    return found


def _worker(folder: Path) -> Figures:
    found = Figures("CPU per event, broker to commit", ("database", "alertworker", "one task per event", "ratio"))
    for database in ("SQLite", "PostgreSQL"):
        figures = worker_cost.measure(folder / database, database)
        ours, naive = figures["alertworker"], figures["one task per event"]
        found.rows.append((database, f"{ours:.1f} us", f"{naive:.0f} us", f"{naive / ours:.0f}"))
    return found


def _ledger(folder: Path) -> Figures:
    return Figures("The ledger", ("measurement", "figure"), list(ledger_cost.measure(folder).items()))


def _delay(folder: Path) -> Figures:
    found = Figures("Seconds from a failure to the POST", ("side", "median", "lowest", "highest"))
    for name, seconds in delay.measure(folder).items():
        found.rows.append((name, f"{statistics.median(seconds):.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}"))
    return found


#: The parts by name, in the order in which they run.
PARTS: Final[Mapping[str, Callable[[Path], Figures]]] = {
    "proxy": _proxy,
    "worker": _worker,
    "ledger": _ledger,
    "delay": _delay,
}


if __name__ == "__main__":
    main(sys.argv[1:])
