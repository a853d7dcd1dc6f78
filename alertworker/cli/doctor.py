"""``alertworker doctor``: how the line is, and what does not go as it should."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from alertworker.cli.output import plain
from alertworker.errors import AlertWorkerError
from alertworker.text.sanitize import one_line


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Say how the line is: broker, database, canary, publishers, lanes, dead letters, and what was left out and why.

    Exits with 1 where somebody must do something. `check` looks at the configuration.
    """
    from alertworker.app import build_doctor
    from alertworker.settings import load_settings

    report = build_doctor(load_settings()).examine(now=datetime.now(UTC))
    if as_json:
        checks = [asdict(check) for check in report.checks]
        document = {"healthy": report.healthy, "findings": checks, "counters": report.counters}
        click.echo(json.dumps(document, default=plain))
    else:
        for check in report.checks:
            click.echo(f"{check.state.value:8}{check.about}: {one_line(check.text)}")
        for name, reasons in sorted(report.counters.items()):
            click.echo(f"        counted {name}: {', '.join(f'{why} {n}' for why, n in sorted(reasons.items()))}")
    if not report.healthy:
        raise AlertWorkerError("something must be done; see above")
