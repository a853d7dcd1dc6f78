"""``alertworker doctor``: check the health of the pipeline."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from alertworker.cli.output import cell, fixed, free, numeric, plain, print_table
from alertworker.errors import AlertWorkerError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Check the pipeline: broker, database, canary, publishers, lanes, dead letters and counters.

    Exits with 1 if action is required. `check` checks the configuration.
    """
    from alertworker.app import build_doctor
    from alertworker.settings import load_settings

    report = build_doctor(load_settings()).examine(now=datetime.now(UTC))
    if as_json:
        checks = [asdict(check) for check in report.checks]
        document = {"healthy": report.healthy, "findings": checks, "counters": report.counters}
        click.echo(json.dumps(document, default=plain))
    else:
        checks_shown = [(check.state.value, cell(check.about), cell(check.text)) for check in report.checks]
        print_table([fixed("state"), fixed("about"), free("finding")], checks_shown)
        counted = [
            (cell(counter), cell(reason), f"{count:,}")
            for counter, reasons in sorted(report.counters.items())
            for reason, count in sorted(reasons.items())
        ]
        if counted:
            click.echo()
            print_table([fixed("counter"), fixed("reason"), numeric("count")], counted)
    if not report.healthy:
        raise AlertWorkerError("action is required; see the findings above")
