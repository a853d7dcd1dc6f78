"""Run scenarios and print their scores: `python -m bench.simulate [NAME …]`, all if none is named."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench.simulate.result import Score
from bench.simulate.scenario import Traffic
from bench.simulate.scenarios import DEFAULT, SCENARIOS, traffics
from bench.simulate.score import score
from bench.simulate.simulation import simulate
from bench.simulate.table import markdown, show
from bench.simulate.wire import EARLIER, WireFields

Job = tuple[str, Traffic, int]


def main(arguments: Sequence[str]) -> int:
    """Print the table. Return 1 if a score differs from its labels."""
    options = _options(arguments)
    names = options.names or list(DEFAULT)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    wanted = [Traffic(options.traffic)] if options.traffic else list(Traffic)
    jobs = [(name, one, seed) for name in names for one in traffics(name) for seed in seeds if one in wanted]
    fields = EARLIER if options.plain else WireFields()
    scores: list[Score] = []
    for found in _run(jobs, fields, options):
        scores += found
        if options.json:  # after each run, so that an interrupted matrix keeps what it has
            Path(options.json).write_text(json.dumps([one.row() for one in scores], indent=1) + "\n")
    if options.markdown:
        Path(options.markdown).write_text(markdown(scores))
    show(scores)
    return int(not all(one.passed for one in scores))


def run(job: Job, fields: WireFields, *, trace: bool = False) -> list[Score]:
    """Run one scenario; with ``trace`` print every message about it."""
    name, traffic, seed = job
    scenario = SCENARIOS[name](traffic)
    done = simulate(scenario, traffic, seed, fields)
    if trace:
        failed = {one: len(times) for one, times in done.truth.failures.items() if len(times) > 4}
        print(f"{name} {traffic} {seed}: {done.truth.calls} calls, {len(done.truth.lost)} lost; failed by {failed}")
        for sent in done.sent:
            message = sent.message
            print(
                f"{sent.at:7.0f} {message.type} {message.severity} {message.step} ×{message.count} {message.headline}"
            )
            print(f"{'':8}{message.labels}")
    return score(scenario, traffic, seed, done)


def _run(jobs: Sequence[Job], fields: WireFields, options: argparse.Namespace) -> Iterator[list[Score]]:
    """Yield the scores of each run in the order of the jobs."""
    one = partial(run, fields=fields, trace=options.trace)
    if options.jobs == 1:
        yield from map(one, jobs)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        for done, found in enumerate(pool.map(one, jobs), 1):
            yield found
            print(f"\r{done} of {len(jobs)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.simulate", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"scenarios; commas separate several: {', '.join(SCENARIOS)}"
    )
    parser.add_argument("--seeds", default="1,2,3", help="comma-separated seeds (default: %(default)s)")
    parser.add_argument("--traffic", choices=[one.value for one in Traffic], help="only this traffic")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write the scores as JSON")
    parser.add_argument("--markdown", metavar="FILE", help="also write the table as Markdown")
    parser.add_argument("--plain", action="store_true", help="publish as a callback of an earlier version does")
    parser.add_argument("--trace", action="store_true", help="print every message")
    options = parser.parse_args(arguments)
    options.names = [name for part in options.names for name in part.split(",") if name]
    if unknown := [name for name in options.names if name not in SCENARIOS]:
        parser.error(f"unknown scenario {', '.join(unknown)}: expected {', '.join(SCENARIOS)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
