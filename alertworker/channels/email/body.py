"""What a mail says: as text, and as one HTML page without anything from elsewhere. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from string import Template
from typing import Final

from alertworker.alerts.catalogue import TRACE
from alertworker.alerts.message import Entry, Message, Step
from alertworker.channels.email.tables import picture, tables
from alertworker.channels.plain_text import counted, entry_lines, sign
from alertworker.channels.text_tables import aligned
from alertworker.text.format import spell_moment
from alertworker.text.sanitize import clean, cut, fit, one_line
from alertworker.text.shorten import CUT

_MAX_NAME: Final = 200
_MAX_VALUE: Final = 4_000
_MAX_HEADLINE: Final = 300
_MAX_LINE: Final = 150
_MAX_TEXT: Final = 40_000
#: One table, with its markup. Gmail clips a page of more than 102 KB, and the alert's id stands at its end.
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
_COLOURS: Final = {"High": "#c62828", "Medium": "#b45f06", "Low": "#7a6a00"}
_GREEN: Final = "#1b7f3b"
_LINK: Final = re.compile(r"https?://[!-~]{1,2000}")

#: What every program understands stands at the elements; this is for those that can do more: dark, and narrow.
_PAGE: Final = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
@media (max-width: 480px) {
  .page { padding: 12px !important; }
  .figures { font-size: 13px !important; }
  .facts th, .facts td { display: block !important; width: auto !important; padding: 0 !important; }
  .facts td { padding: 0 0 10px !important; }
}
@media (prefers-color-scheme: dark) {
  body, .page { background: #16181c !important; color: #e8e8e8 !important; }
  .quiet, .quiet th, .quiet td, .facts th { color: #a8adb5 !important; }
  .level { color: #ffffff !important; }
  .figures th, .figures td { border-color: #42464d !important; }
  a { color: #8ab4f8 !important; }
}
</style>
</head>
<body style="margin:0;background:#ffffff;color:#1d1d1f">
<div class="page" style="max-width:640px;margin:0 auto;padding:20px;font:15px/1.45 system-ui,'Segoe UI',Roboto,Arial,sans-serif;overflow-wrap:anywhere">
<p style="margin:0 0 10px"><span class="level" style="display:inline-block;padding:3px 10px;border-radius:4px;background:$colour;color:#ffffff;font-weight:600">$level</span></p>
<h1 style="margin:0 0 4px;font-size:19px;line-height:1.3">$headline</h1>
<p class="quiet" style="margin:0 0 16px;color:#5f6368">$counted</p>
$parts
<p class="quiet" style="margin:20px 0 0;font-size:13px;color:#5f6368">$foot</p>
</div>
</body>
</html>
"""  # noqa: E501 - an element's style is one line
)
_TABLE: Final = Template(
    '<table class="facts" role="presentation" style="border-collapse:collapse;width:100%;margin:0 0 12px">\n'
    "$rows</table>"
)
_ROW: Final = Template(
    '<tr><th style="width:30%;padding:3px 16px 3px 0;text-align:left;vertical-align:top;font-weight:normal;'
    'color:#5f6368">$name</th><td style="padding:3px 0;vertical-align:top;white-space:pre-wrap">$value</td></tr>\n'
)
_LIST: Final = Template('<ul style="margin:0 0 12px;padding:0 0 0 20px">\n$items</ul>')
#: Entries begin with their sign instead of a bullet.
_ENTRIES: Final = Template('<ul style="margin:0 0 12px;padding:0;list-style:none">\n$items</ul>')
_QUIET: Final = 'class="quiet" style="font-size:13px;color:#5f6368"'
_HEADING: Final = '<h2 style="margin:16px 0 6px;font-size:15px">$text</h2>'


def text(message: Message) -> str:
    """Give the mail for whoever reads plain text."""
    head = [
        f"{sign(message)} {cut(one_line(message.headline), _MAX_HEADLINE)} [{message.severity.value}]",
        counted(message),
        "",
    ]
    body = [f"{name}: {value}" for name, value in _named(message.facts)]
    body += [text for table in message.tables for text in ("", f"{one_line(table.title)}:", aligned(table))]
    body += ["", *(f"- {line}" for line in (*entry_lines(message, _MAX_LINE), *_members(message)))]
    if message.metadata:
        body += ["", f"{_METADATA}:", *(f"{name}: {value}" for name, value in _named(message.metadata))]
    foot = ["", *([message.page_url] if message.page_url else []), _foot(message)]
    return "\n".join([*fit(head, body, foot, _MAX_TEXT), ""])


def page(message: Message) -> str:
    """Give it as HTML."""
    parts = [
        picture(message.chart) if message.chart else "",
        tables(message.tables),
        _table(message.facts_beside_tables),
        _list(_ENTRIES, map(_entry, message.entries)),
        _list(_LIST, map(html.escape, _members(message))),
    ]
    if message.metadata:
        parts += [Template(_HEADING).substitute(text=_METADATA), _table(message.metadata)]
    green = message.step in (Step.RESOLVED, Step.FIRED_AND_RESOLVED)
    headline = cut(one_line(message.headline), _MAX_HEADLINE, html.escape)
    return _PAGE.substitute(
        title=headline,
        colour=_GREEN if green else _COLOURS[message.severity.value],
        level=f"{sign(message)} {message.severity.value} · {_STEPS[message.step]}",
        headline=headline,
        counted=html.escape(counted(message)),
        parts="\n".join(part for part in parts if part),
        foot=html.escape(_foot(message))
        + (f"<br>{_linked(html.escape(message.page_url))}" if message.page_url else ""),
    )


def _foot(message: Message) -> str:
    return f"{message.type.value} · {spell_moment(message.at)} · alert {message.alert_id}"


def _members(message: Message) -> list[str]:
    members = [cut(one_line(member), _MAX_LINE) for member in message.members]
    return [*members, f"… and {message.members_more} more"] if message.members_more else members


def _named(values: Mapping[str, str], escape: Callable[[str], str] = str) -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        yield cut(one_line(name), _MAX_NAME, escape), cut(clean(value), _MAX_VALUE, escape)


def _table(values: Mapping[str, str]) -> str:
    rows = (
        _ROW.substitute(name=name, value=_linked(value) if name == TRACE else value)
        for name, value in _named(values, html.escape)
    )
    kept = [_ROW.substitute(name="…", value=CUT) if row == CUT else row for row in fit([], rows, [], _MAX_TABLE)]
    return _TABLE.substitute(rows="".join(kept)) if kept else ""


def _linked(address: str) -> str:
    return f'<a href="{address}">{address}</a>' if _LINK.fullmatch(address) else address


def _list(template: Template, items: Iterable[str]) -> str:
    lines = "".join(f'<li style="margin:0 0 6px">{item}</li>\n' for item in items)
    return template.substitute(items=lines) if lines else ""


def _entry(entry: Entry) -> str:
    times = f" ×{entry.count}" if entry.count > 1 else ""
    headline = cut(one_line(entry.headline), _MAX_LINE, html.escape)
    about = f"{entry.severity.value} · {entry.type.value} · {_STEPS[entry.step]}<br>{html.escape(entry.alert_id)}"
    return f"{sign(entry)} {headline}{times}<br><span {_QUIET}>{about}</span>"
