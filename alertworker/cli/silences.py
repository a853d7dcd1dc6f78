"""``alertworker silences``: mute matching alerts until a time."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

import click

from alertworker.cli.listing import AS_JSON, show_rows
from alertworker.errors import AlertWorkerError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[timedelta]):
    """A number with a unit, as in Alertmanager: 90s, 30m, 2h, 1d, 1w."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        number, unit = value[:-1], value[-1:]
        if unit not in _UNITS or not number.isdigit() or not 0 < int(number) < 100_000:
            self.fail(f"{value!r} is no duration; write one like 30m, 2h or 1d", param, ctx)
        return timedelta(**{_UNITS[unit]: int(number)})


@click.group()
def silences() -> None:
    """Mute matching alerts until a time; they are recorded and counted all the same."""


@silences.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "duration", type=Duration(), default="1h", show_default=True)
@click.option("--start", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]), help="Now, if not given.")
@click.option("--reason", required=True)
@click.option("--by", default=getpass.getuser, help="Who; by default the user of this machine.")
def add(matchers: tuple[str, ...], duration: timedelta, start: datetime | None, reason: str, by: str) -> None:
    """Silence alerts that pass all MATCHERS, such as team="search" or alert_type=~"llm_.*"."""
    from alertworker.app import build_desk
    from alertworker.events.base import new_id
    from alertworker.matchers import parse
    from alertworker.silences import Silence

    now = datetime.now(UTC)
    starts_at = (start or now).astimezone(UTC)
    silence = Silence(
        str(new_id()), tuple(parse(text) for text in matchers), starts_at, starts_at + duration, by, reason
    )
    if silence.ends_at <= now:
        raise AlertWorkerError(f"the silence would have ended at {silence.ends_at.isoformat()}; give a later --start")
    build_desk().add_silence(silence, now=now)
    click.echo(f"{silence.id} until {silence.ends_at.isoformat(timespec='seconds')}")


@silences.command("list")
@AS_JSON
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List the silences that have not ended."""
    from alertworker.app import build_desk

    now = datetime.now(UTC)
    rows = [
        {
            "id": silence.id,
            "state": "active" if silence.starts_at <= now else "pending",
            "from": silence.starts_at.isoformat(timespec="seconds"),
            "until": silence.ends_at.isoformat(timespec="seconds"),
            "by": silence.author,
            "what": f"{' '.join(map(str, silence.matchers))} · {silence.reason}",
        }
        for silence in build_desk().silences(now=now)
    ]
    show_rows(rows, text="what", as_json=as_json, empty="No silences.")


@silences.command()
@click.argument("silence_id")
def expire(silence_id: str) -> None:
    """End a silence now."""
    from alertworker.app import build_desk

    if not build_desk().expire_silence(silence_id, now=datetime.now(UTC)):
        raise AlertWorkerError(f"there is no silence {silence_id} to end; `alertworker silences list` names them")
    click.echo("ended")
