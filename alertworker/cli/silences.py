"""``alertworker silences``: list, show, add and end silences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from alertworker.cli.grammar import noun
from alertworker.cli.ids import find_one, whole_id
from alertworker.cli.output import AS_JSON, ONE_AS_JSON, configured_zone, show_done, show_rows, show_whole
from alertworker.cli.params import BY, Duration, Moment
from alertworker.errors import AlertWorkerError
from alertworker.text.format import spell_moment
from alertworker.text.ids import IdKind

if TYPE_CHECKING:
    from alertworker.routing.matchers import Matcher
    from alertworker.routing.silences import Silence

_DURATION: Final = timedelta(hours=1)


@noun
def silences() -> None:
    """List, show, add and end silences. Without a command: list them.

    Silenced alerts are still recorded and counted.
    """


@silences.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "duration", type=Duration(), help="How long: 30m, 2h, 1d, 1w. Default: 1h.")
@click.option("--start", type=Moment(), help="When the silence starts, for a maintenance window. Default: now.")
@click.option("--until", "end", type=Moment(), help="When the silence ends, instead of --for.")
@click.option("--reason", required=True, help="The reason. It is shown with the silence.")
@BY
@ONE_AS_JSON
def add(
    *,
    matchers: tuple[str, ...],
    duration: timedelta | None,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Silence alerts that match all MATCHERS, such as team="search" or '{team="search",alert_type=~"llm_.*"}'.

    The command prints how many open alerts the silence suppresses now. If a condition still holds when the silence
    ends, its receivers are notified then.
    """
    from alertworker.app import build_admin_store
    from alertworker.events.base import new_id
    from alertworker.routing.impossible import matcher_warnings
    from alertworker.routing.silences import Silence

    if duration is not None and end is not None:
        raise AlertWorkerError("--for and --until exclude each other; pass one of them")
    now = datetime.now(UTC)
    starts_at = start or now
    ends_at = end or _end(starts_at, duration or _DURATION)
    silence = Silence(str(new_id()), _read(matchers), starts_at, ends_at, by, reason)
    if ends_at <= max(now, starts_at):
        raise AlertWorkerError(
            f"the silence would end at {spell_moment(ends_at, configured_zone())}, before it starts; pass a later end"
        )
    for doubt in matcher_warnings(silence.matchers):
        click.echo(f"Warning: {doubt}", err=True)
    admin = build_admin_store()
    admin.add_silence(silence, now=now)
    matches = sum(silence.matches(alert.matched) for alert in admin.alerts.open_labels())
    text = f"{silence.id} until {spell_moment(ends_at, configured_zone())}"
    show_done(text, {"id": silence.id, "until": ends_at, "matches": matches}, as_json=as_json)
    click.echo(f"{silence.effect(matches, now=now)}.", err=True)


def _end(start: datetime, duration: timedelta) -> datetime:
    try:
        return start + duration
    except OverflowError:
        raise AlertWorkerError("the silence would end after the year 9999; pass an earlier --start") from None


@silences.command("list")
@click.option("--all", "ended", is_flag=True, help="Also list ended silences.")
@AS_JSON
def list_(ended: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List silences with the number of open alerts that each one matches."""
    from alertworker.app import build_admin_store

    now, admin = datetime.now(UTC), build_admin_store()
    labels = [alert.matched for alert in admin.alerts.open_labels()]
    rows = [
        _facts(silence, labels, now=now)
        | {"silenced": f"{silence.problem or ' '.join(map(str, silence.matchers))} · {silence.reason}"}
        for silence in admin.silences(now=None if ended else now)
    ]
    show_rows(rows, text="silenced", as_json=as_json, empty="No silences.")


@silences.command()
@click.argument("silence_id")
@ONE_AS_JSON
def show(silence_id: str, *, as_json: bool) -> None:
    """Print one silence as JSON, with its matchers. The beginning of its id is enough."""
    from alertworker.app import build_admin_store

    now, admin = datetime.now(UTC), build_admin_store()
    silence = find_one(admin, IdKind.SILENCE, silence_id, admin.silence)
    labels = [alert.matched for alert in admin.alerts.open_labels()]
    more = {"matchers": list(map(str, silence.matchers)), "problem": silence.problem, "reason": silence.reason}
    show_whole(_facts(silence, labels, now=now) | more, as_json=as_json)


@silences.command()
@click.argument("silence_id")
@ONE_AS_JSON
def expire(silence_id: str, *, as_json: bool) -> None:
    """End a silence now. The beginning of its id is enough."""
    from alertworker.app import build_admin_store

    now, admin = datetime.now(UTC), build_admin_store()
    silence_id = whole_id(admin, IdKind.SILENCE, silence_id)
    if not admin.expire_silence(silence_id, now=now):
        raise AlertWorkerError(f"silence {silence_id} has ended; `alertworker silences` lists those that have not")
    show_done("ended", {"id": silence_id, "until": now}, as_json=as_json)


def _facts(silence: Silence, labels: Sequence[Mapping[str, str]], *, now: datetime) -> dict[str, object]:
    return {
        "id": silence.id,
        "state": silence.state(now=now),
        "from": silence.starts_at,
        "until": silence.ends_at,
        "by": silence.author,
        "matches": sum(map(silence.matches, labels)),
    }


def _read(arguments: tuple[str, ...]) -> tuple[Matcher, ...]:
    """Return the matchers of all arguments. One argument may hold several.

    Raises:
        MatcherError: an argument is invalid, or no matcher is given.
    """
    from alertworker.routing.matchers import MatcherError, parse_list

    found: list[Matcher] = []
    for place, text in enumerate(arguments, start=1):
        try:
            found += parse_list(text)
        except MatcherError as error:
            raise MatcherError(f"argument {place}: {error}") from None
    if not found:
        raise MatcherError(
            'at least one matcher is needed, for example team="search"; a silence without one would mute all alerts'
        )
    return tuple(found)
