"""``/silences``: what is muted, by whom, why and until when; and muting more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from alertworker.errors import AlertWorkerError
from alertworker.events.base import new_id
from alertworker.routing.impossible import doubts
from alertworker.routing.matchers import Matcher, parse_list
from alertworker.routing.silences import Silence
from alertworker.store.inhibitions import labels_of
from alertworker.web.pages.form import Form
from alertworker.web.pages.parsing import read_moment
from alertworker.web.pages.views import Visit, action, page

#: How long a silence may be, as the form offers it.
DURATIONS: Final = {
    "30 minutes": timedelta(minutes=30),
    "1 hour": timedelta(hours=1),
    "2 hours": timedelta(hours=2),
    "4 hours": timedelta(hours=4),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "3 days": timedelta(days=3),
    "1 week": timedelta(weeks=1),
}
_DEFAULT: Final = "2 hours"
_LONGEST: Final = timedelta(days=366)
#: Labels that say which alerts are meant; the others of an alert say more, and are offered without being chosen.
_CHOSEN: Final = frozenset({"alert_type", "model", "deployment", "team", "region", "channel", "budget", "entity"})


class SilenceError(AlertWorkerError):
    """What was typed makes no silence; says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A silence with its state, how many open alerts it matches, and what no alert can have of what it names."""

    silence: Silence
    state: str
    matches: int
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a silence would mute: open alerts, and what no alert can have of what it names."""

    matching: list[Any]
    doubts: tuple[str, ...]


def silences(visit: Visit) -> Response:
    """List those that have not ended; all that are kept, if asked."""
    desk, ended = visit.office.desk, bool(visit.asked("ended"))
    labels = [labels_of(row) for row in desk.open_alerts()]
    rows = [
        Listed(one, one.state(now=visit.now), sum(map(one.matches, labels)), doubts(one.matchers))
        for one in desk.silences(now=None if ended else visit.now)
    ]
    return visit.show("silences.html", rows=rows, ended=ended)


def new(visit: Visit) -> Response:
    """Show the form; for an alert its labels are offered."""
    return _form(visit, Form({}), alert_id=visit.asked("alert"))


def add(visit: Visit) -> Response:
    """Silence what is meant, or look first what that would be."""
    form, desk = visit.form, visit.office.desk
    alert_id = form.line("alert")
    try:
        silence = _read(visit, desk.alert(alert_id) if alert_id else None)
    except AlertWorkerError as error:
        return _form(visit, form, alert_id=alert_id, wrong=str(error))
    if form.raw("do") == "look":
        matching = [row for row in desk.open_alerts() if silence.matches(labels_of(row))]
        return _form(visit, form, alert_id=alert_id, look=Look(matching, doubts(silence.matchers)))
    desk.add_silence(silence, now=visit.now)
    return visit.go("/silences", done="silenced")


def expire(visit: Visit) -> Response:
    """End a silence now."""
    done = visit.office.desk.expire_silence(visit.id, now=visit.now)
    return visit.go("/silences", done="expired" if done else "ended")


def _read(visit: Visit, alert: Any) -> Silence:
    """Make the silence that the form says.

    Raises:
        AlertWorkerError: with what is wrong.
    """
    form, zone = visit.form, visit.office.zone
    matchers = (*_chosen(form, alert), *parse_list(form.text("matchers")))
    if not matchers:
        raise SilenceError("Name at least one label: a silence without any would mute everything.")
    starts_at = read_moment(form.raw("starts"), zone) or visit.now
    length = DURATIONS.get(form.raw("duration"), DURATIONS[_DEFAULT])
    ends_at = read_moment(form.raw("ends"), zone) or starts_at + length
    _check(starts_at, ends_at, now=visit.now)
    reason, author = form.note("reason"), form.line("by") or visit.session.name
    if not reason:
        raise SilenceError("Say why: the reason is shown with what is muted.")
    return Silence(str(new_id()), matchers, starts_at, ends_at, author, reason)


def _chosen(form: Form, alert: Any) -> list[Matcher]:
    """Give the labels of the alert that were chosen; one that is left out would make the silence wider."""
    labels = _labels(alert)
    for name in form.every("label"):
        if name not in labels:
            raise SilenceError(f"The alert, or its label {name}, is gone; choose again.")
    return [Matcher(name, "=", labels[name]) for name in form.every("label")]


def _check(starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    if ends_at <= max(now, starts_at):
        raise SilenceError("It would end before it begins; give a later end.")
    if ends_at - now > _LONGEST:
        raise SilenceError(f"A silence may last {_LONGEST.days} days; give an earlier end.")


def _form(visit: Visit, form: Form, *, alert_id: str, wrong: str | None = None, look: Look | None = None) -> Response:
    alert = visit.office.desk.alert(alert_id) if alert_id else None
    chosen = form.every("label") if form.fields else _CHOSEN
    return visit.show(
        "silence.html",
        alert=alert,
        labels=_labels(alert),
        chosen=chosen,
        form=form,
        durations=list(DURATIONS),
        duration=form.raw("duration") or _DEFAULT,
        wrong=wrong,
        look=look,
        status=422 if wrong else 200,
    )


def _labels(alert: Any) -> dict[str, str]:
    """Give the labels of an alert by which others can be found."""
    return dict(sorted(labels_of(alert).items())) if alert is not None else {}


ROUTES: Final = (
    page("/silences", silences),
    page("/silences/new", new),
    action("/silences", add),
    action("/silences/{id}/expire", expire),
)
