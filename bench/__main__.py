"""Run the benchmarks and print each figure with the alternative's."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import delay, ledger_cost, worker_cost
from tests.acceptance.proxy import litellm_python
from tests.acceptance.stack import Stack

_REDIS_PORT = 6379


def main() -> None:
    """Run the four measurements, one after the other."""
    console = Console(width=110)
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores; medians, with lowest and highest\n")
    with tempfile.TemporaryDirectory(prefix="alertworker-bench-") as name:
        folder = Path(name)
        console.print(_in_process(folder / "publish"))
        table = Table("database", "alertworker", "one task per event", "ratio", title="CPU per event, broker to commit")
        for database in ("SQLite", "PostgreSQL"):
            figures = worker_cost.measure(folder / database, database)
            ours, naive = figures["alertworker"], figures["one task per event"]
            table.add_row(database, f"{ours:.1f} us", f"{naive:.0f} us", f"{naive / ours:.0f}")
        console.print(table)
        table = Table("what", "figure", title="The ledger")
        for what, figure in ledger_cost.measure(folder).items():
            table.add_row(what, figure)
        console.print(table)
        table = Table("who", "median", "lowest", "highest", title="Seconds from a failure to the POST")
        for who, seconds in delay.measure(folder / "delay").items():
            low, high = min(seconds), max(seconds)
            table.add_row(who, f"{statistics.median(seconds):.3f}", f"{low:.3f}", f"{high:.3f}")
        console.print(table)


def _in_process(folder: Path) -> Table:
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
    table = Table(
        "what", "median", "lowest", "highest", title="Microseconds of CPU per request, in the proxy's process"
    )
    for name, figures in json.loads(done.stdout.splitlines()[-1]).items():
        table.add_row(name, f"{statistics.median(figures):.1f}", f"{min(figures):.1f}", f"{max(figures):.1f}")
    return table


if __name__ == "__main__":
    main()
