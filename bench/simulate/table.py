"""Scores as a table on the terminal and as Markdown: `python -m bench.simulate.table FILE … [--write PAGE]`.

The files are those that `python -m bench.simulate --json FILE` writes. With ``--write`` the table replaces what a page
has between two marks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.simulate.result import Score

HEADS: Final = (
    "scenario", "incident", "traffic", "passed", "detected", "seconds", "messages", "allowed", "false", "end", "level",
    "wrong",
)  # fmt: skip
#: Between these marks a page has the table.
BEGIN: Final = "<!-- scores: written by `make simulate-table` -->"
END: Final = "<!-- end of scores -->"


def lines(scores: Iterable[Score]) -> Iterator[tuple[str, ...]]:
    """Yield one line for each incident and traffic, over all seeds: figures are the worst, seconds the median."""
    ordered = sorted(enumerate(scores), key=lambda item: (item[1].scenario, item[1].incident, item[1].traffic, item[0]))
    for key, group in groupby(ordered, key=lambda item: (item[1].scenario, item[1].incident, item[1].traffic)):
        yield (*key, *_summed([score for _, score in group]))


def show(scores: Sequence[Score]) -> None:
    """Print the table."""
    table = Table(*HEADS, box=None)
    for line in lines(scores):
        table.add_row(*line, style="" if line[3].split("/")[0] == line[3].split("/")[1] else "red")
    console = Console(width=190)
    console.print(table)
    console.print(summary(scores))


def summary(scores: Sequence[Score]) -> str:
    """Return one sentence about all."""
    judged = [score for score in scores if score.detected is not None]
    detected = sum(bool(score.detected) for score in judged)
    passed = sum(score.passed for score in scores)
    false, high = sum(score.false for score in scores), sum(score.false_high for score in scores)
    return (
        f"{passed} of {len(scores)} passed; {detected} of {len(judged)} detected in time; "
        f"{false} false messages, {high} of them High; at most {max((one.messages for one in scores), default=0)} "
        f"messages about one; {sum(one.took for one in scores):.0f} s of CPU"
    )


def markdown(scores: Sequence[Score]) -> str:
    """Return the table as Markdown."""
    rows = [HEADS, tuple("---" for _ in HEADS), *lines(scores)]
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{body}\n\n{summary(scores)}\n"


def read(paths: Iterable[str]) -> list[Score]:
    """Return the scores of JSON files; a later file replaces the scores that it has, too."""
    found: dict[tuple[str, str, int, str], Score] = {}
    for path in paths:
        for score in map(Score.from_row, json.loads(Path(path).read_text())):
            found[score.scenario, score.traffic, score.seed, score.incident] = score
    return list(found.values())


def replaced(page: str, table: str) -> str:
    """Return a page with the table between its marks.

    Raises:
        ValueError: the page has no marks.
    """
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table.rstrip()}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser("python -m bench.simulate.table", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="scores as JSON")
    parser.add_argument("--write", metavar="PAGE", help="replace the table in this page")
    options = parser.parse_args(arguments)
    scores = read(options.files)
    if options.write:
        page = Path(options.write)
        page.write_text(replaced(page.read_text(), markdown(scores)))
    else:
        show(scores)
    return 0


def _summed(scores: Sequence[Score]) -> tuple[str, ...]:
    judged = [score.detected for score in scores if score.detected is not None]
    seconds = [score.seconds for score in scores if score.seconds is not None]
    allowed = {score.allowed for score in scores if score.allowed is not None}
    false, high = max(one.false for one in scores), max(one.false_high for one in scores)
    return (
        f"{sum(one.passed for one in scores)}/{len(scores)}",
        f"{sum(judged)}/{len(judged)}" if judged else "–",
        f"{statistics.median(seconds):.0f}" if seconds else "–",
        str(max(one.messages for one in scores)),
        str(max(allowed)) if allowed else "–",
        f"{false} ({high} High)" if high else str(false),
        _each(one.end for one in scores),
        _each(one.level for one in scores),
        "; ".join(dict.fromkeys(text for one in scores for text in one.wrong)),
    )


def _each(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value or "–" for value in values))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
