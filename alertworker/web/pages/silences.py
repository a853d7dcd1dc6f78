"""``/silences``: list, add and end silences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.responses import Response

from alertworker.errors import AlertWorkerError
from alertworker.events.base import new_id
from alertworker.ports.alert_search import AlertLabels, AlertRow
from alertworker.routing.impossible import matcher_warnings
from alertworker.routing.matchers import Matcher, parse_list
from alertworker.routing.silences import Silence
from alertworker.web.pages.form import Form
from alertworker.web.pages.parsing import read_moment
from alertworker.web.pages.views import Visit, action, page

#: The durations that the form offers.
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
#: The labels of an alert that are selected by default in the form. The other labels are offered and not selected.
_CHOSEN: Final = frozenset(
    {"alert_type", "scope", "model", "credential", "deployment", "team", "region", "channel", "budget", "entity"}
)


class SilenceError(AlertWorkerError):
    """The form does not define a valid silence. The message gives the reason."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A silence with its state, the number of open alerts that it matches, and warnings about impossible matchers."""

    silence: Silence
    state: str
    matches: int
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview of a silence: its effect, the open alerts that it matches, and warnings about impossible matchers."""

    effect: str
    matching: list[AlertLabels]
    doubts: tuple[str, ...]


def silences(visit: Visit) -> Response:
    """List the silences that have not ended, or all silences if the URL has ``ended``."""
    admin, ended = visit.context.admin, bool(visit.parameter("ended"))
    labels = [alert.matched for alert in admin.alerts.open_labels()]
    rows = [
        Listed(one, one.state(now=visit.now), sum(map(one.matches, labels)), matcher_warnings(one.matchers))
        for one in admin.silences(now=None if ended else visit.now)
    ]
    return visit.show("silences.html", rows=rows, ended=ended)


def new(visit: Visit) -> Response:
    """Show the form. For an alert the form offers its labels."""
    return _form(visit, Form({}), alert_id=visit.parameter("alert"))


def add(visit: Visit) -> Response:
    """Add a silence, or preview it."""
    form, admin = visit.form, visit.context.admin
    alert_id = form.single_line("alert")
    try:
        silence = _read(visit, admin.alerts.find(alert_id) if alert_id else None)
        if not silence.reason and form.raw("do") != "preview":
            raise SilenceError("Enter a reason. It is shown with the silence.")
    except AlertWorkerError as error:
        return _form(visit, form, alert_id=alert_id, wrong=str(error))
    if form.raw("do") == "preview":
        matching = [alert for alert in admin.alerts.open_labels() if silence.matches(alert.matched)]
        preview = Preview(silence.effect(len(matching), now=visit.now), matching, matcher_warnings(silence.matchers))
        return _form(visit, form, alert_id=alert_id, preview=preview)
    admin.add_silence(silence, now=visit.now)
    return visit.go("/silences", done="silenced")


def expire(visit: Visit) -> Response:
    """End a silence now."""
    done = visit.context.admin.expire_silence(visit.id, now=visit.now)
    return visit.go("/silences", done="expired" if done else "ended")


def _read(visit: Visit, alert: AlertRow | None) -> Silence:
    """Return the silence that the form defines.

    Raises:
        AlertWorkerError: a field is missing or invalid.
    """
    form, zone = visit.form, visit.context.zone
    matchers = (*_chosen(form, alert), *parse_list(form.text("matchers")))
    if not matchers:
        raise SilenceError(
            "No label is selected. Select a label or enter a matcher: a silence without matchers would mute all alerts."
        )
    starts_at = read_moment(form.raw("starts"), zone) or visit.now
    length = DURATIONS.get(form.raw("duration"), DURATIONS[_DEFAULT])
    try:
        ends_at = read_moment(form.raw("ends"), zone) or starts_at + length
    except OverflowError:
        raise SilenceError("The silence would end after the year 9999. Enter an earlier start.") from None
    _check(starts_at, ends_at, now=visit.now)
    reason, author = form.note("reason"), form.single_line("by") or visit.session.name
    return Silence(str(new_id()), matchers, starts_at, ends_at, author, reason)


def _chosen(form: Form, alert: AlertRow | None) -> list[Matcher]:
    """Return a matcher for each selected label. A missing label is an error: without it the silence matches more."""
    labels = _labels(alert)
    for name in form.values("label"):
        if name not in labels:
            raise SilenceError(f"The alert or its label {name} no longer exists. Select the labels again.")
    return [Matcher(name, "=", labels[name]) for name in form.values("label")]


def _check(starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    if ends_at <= max(now, starts_at):
        raise SilenceError("The silence would end before it starts. Enter a later end.")
    if ends_at - now > _LONGEST:
        raise SilenceError(f"The silence would last more than {_LONGEST.days} days. Enter an earlier end.")


def _form(
    visit: Visit, form: Form, *, alert_id: str, wrong: str | None = None, preview: Preview | None = None
) -> Response:
    alert = visit.context.admin.alerts.find(alert_id) if alert_id else None
    chosen = form.values("label") if form.fields else _CHOSEN
    return visit.show(
        "silence.html",
        alert=alert,
        labels=_labels(alert),
        chosen=chosen,
        form=form,
        durations=list(DURATIONS),
        duration=form.raw("duration") or _DEFAULT,
        wrong=wrong,
        preview=preview,
        status=422 if wrong else 200,
    )


def _labels(alert: AlertRow | None) -> dict[str, str]:
    """Return the alert's labels that a silence can match, in order, without empty ones, which say nothing."""
    return {name: value for name, value in sorted(alert.matched.items()) if value} if alert is not None else {}


ROUTES: Final = (
    page("/silences", silences),
    page("/silences/new", new),
    action("/silences", add),
    action("/silences/{id}/expire", expire),
)
