"""Render templates, and format times, amounts and untrusted text in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context as Names
from markupsafe import Markup
from starlette.responses import HTMLResponse

from alertworker import __version__
from alertworker.alerts.catalogue import AlertKind, AlertType
from alertworker.alerts.suppression import Suppression, SuppressionReason
from alertworker.budgets.readings import NEAR_LIMIT
from alertworker.channels.plain_text import symbol_of
from alertworker.delivery.status import NotificationStatus
from alertworker.health import CheckState
from alertworker.money import spell_dollars
from alertworker.routing.silences import SilenceState
from alertworker.text.format import iso_moment, spell, spell_moment
from alertworker.text.names import short_id, shorten_hashes
from alertworker.text.redact import without_certain_secrets
from alertworker.text.sanitize import clean

#: Sent with every page. A page loads nothing from another host, runs no inline script and cannot be framed.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_MARKS: Final = {"High": "▲", "Medium": "◆", "Low": "●"}


def render(template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status, HEADERS)


@pass_context
def _moment(names: Names, moment: datetime | None) -> Markup:
    """Return a time in the configured zone."""
    if moment is None:
        return Markup("–")
    text = spell_moment(moment, names["zone"])
    return Markup('<time datetime="{}">{}<wbr>{}</time>').format(iso_moment(moment), text[:10], text[10:])


@pass_context
def _ago(names: Names, moment: datetime | None) -> str:
    return "–" if moment is None else f"{spell(names['now'] - moment)} ago"


def _scrubbed(text: str) -> str:
    """Return untrusted text without anything that has the form of a secret."""
    return without_certain_secrets(clean(text))


def _shown(value: object) -> object:
    """Remove invisible and direction-changing characters from every string, and shorten key hashes."""
    return shorten_hashes(clean(value)) if type(value) is str else value


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("alertworker.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_shown,
)
_ENVIRONMENT.filters |= {
    "moment": _moment,
    "ago": _ago,
    "dollars": spell_dollars,
    "scrubbed": _scrubbed,
    "age": spell,
    "short_id": short_id,
    "suppression": Suppression.parse,
}
del _ENVIRONMENT.filters["safe"]  # Nothing is exempt from escaping.
_ENVIRONMENT.globals |= {"version": __version__, "marks": _MARKS, "symbol_of": symbol_of, "near_limit": NEAR_LIMIT}
#: Templates compare values with members of these, so that a wrong name is an error.
_ENUMS: Final = (AlertType, CheckState, AlertKind, NotificationStatus, SilenceState, SuppressionReason)
_ENVIRONMENT.globals |= {enum.__name__: enum for enum in _ENUMS}
