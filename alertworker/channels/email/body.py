"""The content of a mail: as text, and as one HTML page that loads nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from alertworker.alerts.advice import RUNBOOK, WHAT_TO_DO
from alertworker.alerts.catalogue import TRACE
from alertworker.alerts.message import Message, Step
from alertworker.channels.chat import Colours
from alertworker.channels.email import chart
from alertworker.channels.plain_text import (
    advice_lines,
    count_of,
    entry_lines,
    is_link,
    member_lines,
    symbol_of,
    time_of,
    with_advice,
)
from alertworker.channels.text_tables import aligned, cells
from alertworker.text.sanitize import clean, cut, fit, one_line
from alertworker.text.shorten import CUT

if TYPE_CHECKING:
    from jinja2 import Environment

_MAX_NAME: Final = 200
_MAX_VALUE: Final = 4_000
_MAX_HEADLINE: Final = 300
_MAX_LINE: Final = 150
_MAX_ADVICE: Final = 1_000
_MAX_TEXT: Final = 40_000
#: The longest name of a series in the legend, and the longest cell of a table.
_MAX_LEGEND: Final = 30
_MAX_CELL: Final = 60
#: One table of facts, with its markup. Gmail clips a page of more than 102 KB, and the alert's id stands at its end.
_MAX_TABLE: Final = 12_000
_METADATA: Final = "Alerting metadata"
_STEPS: Final = {
    Step.NOTICE: "notice",
    Step.FIRING: "firing",
    Step.SUMMARY: "again",
    Step.REMINDER: "still firing",
    Step.RESOLVED: "resolved",
    Step.FIRED_AND_RESOLVED: "fired and resolved",
    Step.DIGEST: "digest",
    Step.TRACKED: "spend",
    Step.TEST: "test",
}
_COLOURS: Final = Colours("#1b7f3b", {"High": "#c62828", "Medium": "#b45f06", "Low": "#7a6a00"})


def text(message: Message) -> str:
    """Return the mail as plain text."""
    return with_advice(message, _text)


def _text(message: Message) -> str:
    head = [
        f"{symbol_of(message)} {cut(one_line(message.headline), _MAX_HEADLINE)} [{message.severity.value}]",
        count_of(message),
        "",
    ]
    body = [f"{name}: {value}" for name, value in _named(message.facts)]
    body += ["", *advice] if (advice := advice_lines(message, _advice)) else []
    body += [text for table in message.tables for text in ("", f"{one_line(table.title)}:", aligned(table))]
    body += ["", *(f"- {line}" for line in (*entry_lines(message, _MAX_LINE), *_members(message)))]
    if message.metadata:
        body += ["", f"{_METADATA}:", *(f"{name}: {value}" for name, value in _named(message.metadata))]
    foot = ["", *([message.page_url] if message.page_url else []), _foot(message)]
    return "\n".join([*fit(head, body, foot, _MAX_TEXT), ""])


def page(message: Message) -> str:
    """Return the mail as HTML."""
    return with_advice(message, _page)


def _page(message: Message) -> str:
    return (
        _environment()
        .get_template("mail.html")
        .render(
            message=message,
            colour=_COLOURS.of(message),
            members=_members(message),
            foot=_foot(message),
        )
    )


def _foot(message: Message) -> str:
    return f"{message.type.value} · {time_of(message)} · alert {message.alert_id}"


def _advice(text: str) -> str:
    return cut(one_line(text), _MAX_ADVICE)


def _members(message: Message) -> list[str]:
    return member_lines(message, lambda member: cut(one_line(member), _MAX_LINE))


def _named(values: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((cut(one_line(name), _MAX_NAME), cut(clean(value), _MAX_VALUE)) for name, value in values.items())


@cache
def _environment() -> Environment:
    """Return the templates. Jinja2 loads at the first mail, because most processes send none."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("alertworker.channels.email"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    del environment.filters["safe"]  # nothing is exempt from escaping
    environment.filters |= {"line": _line, "rows": _rows}
    environment.tests["link"] = is_link
    environment.globals |= {
        "sign": symbol_of,
        "counted": count_of,
        "shown": lambda table: list(cells(table)),
        "colour_of": chart.colour,
        "steps": _STEPS,
        "metadata": _METADATA,
        "picture_id": chart.CONTENT_ID,
        "picture_width": chart.WIDTH // 2,
        "max_headline": _MAX_HEADLINE,
        "max_line": _MAX_LINE,
        "max_advice": _MAX_ADVICE,
        "what_to_do": WHAT_TO_DO,
        "runbook": RUNBOOK,
        "max_legend": _MAX_LEGEND,
        "max_cell": _MAX_CELL,
    }
    return environment


def _shown(value: object) -> object:
    """Remove from every string what a reader cannot see and what changes the direction of text."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _line(text: str, limit: int) -> Markup:
    """Return a string on one line, escaped; with its escapes it has at most ``limit`` UTF-16 units."""
    return _cut(one_line(text), limit)


def _cut(text: str, limit: int) -> Markup:
    return Markup(cut(text, limit, lambda part: str(escape(part))))  # noqa: S704 - each part is escaped


def _rows(values: Mapping[str, str], row: Callable[[str, str, bool], Markup]) -> Markup:
    """Return the rows of a table of facts; rows that do not fit are left out, visibly."""
    rows = (
        str(row(_line(name, _MAX_NAME), _cut(clean(value), _MAX_VALUE), name == TRACE))
        for name, value in values.items()
    )
    kept = fit([], rows, [], _MAX_TABLE)
    return Markup("").join(row("…", CUT, False) if one == CUT else Markup(one) for one in kept)  # noqa: FBT003, S704
