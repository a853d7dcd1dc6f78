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

    found = build_doctor(load_settings()).examine(now=datetime.now(UTC))
    if as_json:
        findings = [asdict(one) for one in found.findings]
        document = {"healthy": found.healthy, "findings": findings, "counters": found.counters}
        click.echo(json.dumps(document, default=plain))
    else:
        findings_shown = [(one.state.value, cell(one.about), cell(one.text)) for one in found.findings]
        print_table([fixed("state"), fixed("about"), free("finding")], findings_shown)
        counted = [
            (cell(counter), cell(reason), f"{count:,}")
            for counter, reasons in sorted(found.counters.items())
            for reason, count in sorted(reasons.items())
        ]
        if counted:
            click.echo()
            print_table([fixed("counter"), fixed("reason"), numeric("count")], counted)
    if not found.healthy:
        raise AlertWorkerError("action is required; see the findings above")
