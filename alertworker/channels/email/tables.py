"""A report's tables and its chart within a mail's page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from typing import Final

from alertworker.alerts.tables import Chart, Table, Unit
from alertworker.channels.email import chart as charts
from alertworker.channels.text_tables import cells
from alertworker.text.sanitize import cut, one_line

#: The picture's Content-ID, by which the page names it.
CHART: Final = "chart@alertworker"
_MAX_NAME: Final = 60
_MAX_LEGEND: Final = 30
_LINE: Final = "border-bottom:1px solid #d5d8dc"
_HEADING: Final = '<h2 style="margin:24px 0 6px;font-size:15px">$text</h2>\n'
_TABLE: Final = Template(
    f'{_HEADING}<table class="figures" style="border-collapse:collapse;width:100%;margin:0 0 12px">\n$rows</table>\n'
)
_CELL: Final = Template('<$tag style="padding:4px 0 4px $left;vertical-align:top;$style">$text</$tag>')
_NAME: Final = "text-align:left;word-break:break-word"
_NUMBER: Final = "text-align:right;white-space:nowrap"
_PICTURE: Final = Template(
    f'{_HEADING}<img src="cid:{CHART}" alt="$words" width="{charts.WIDTH // 2}" '
    'style="display:block;width:100%;max-width:600px;height:auto">\n'
    '<p style="margin:4px 0 0;font-size:13px">$legend</p>\n'
)
_MARK: Final = Template('<span style="white-space:nowrap"><span style="color:$colour">&#9632;</span>&nbsp;$name</span>')


def tables(message_tables: Iterable[Table]) -> str:
    """Give tables: numbers at the right, and what stands for several entities less loud."""
    return "".join(map(_table, message_tables))


def picture(chart: Chart) -> str:
    """Give the chart's picture, and what its colours mean: no name from anybody stands in the picture itself."""
    names = [cut(one_line(series.name), _MAX_LEGEND, escape) for series in chart.series]
    marks = [_MARK.substitute(colour=charts.colour(chart, index), name=name) for index, name in enumerate(names)]
    words = f"{escape(chart.title)}, {chart.days[0]} to {chart.days[-1]}: {', '.join(names)}"
    return _PICTURE.substitute(text=escape(chart.title), words=words, legend=" &nbsp; ".join(marks))


def _table(table: Table) -> str:
    units = [column.unit for column in table.columns]
    rows = [_row([column.name for column in table.columns], units, f"{_LINE};color:#5f6368", quiet=True, tag="th")]
    body = list(cells(table))
    for number, (row, several) in enumerate(body, 1):
        total = table.total is not None and number == len(body)
        style = "font-weight:600" if total else f"{_LINE};color:#5f6368" if several else _LINE
        rows.append(_row(row, units, style, quiet=several and not total))
    return _TABLE.substitute(text=escape(table.title), rows="".join(rows))


def _row(texts: Sequence[str], units: Sequence[Unit], style: str, *, quiet: bool, tag: str = "td") -> str:
    parts = [
        _CELL.substitute(
            tag=tag,
            left="12px" if number else "0",
            style=f"{_NAME if unit is Unit.TEXT else _NUMBER};{style}{';font-weight:normal' if tag == 'th' else ''}",
            text=cut(text, _MAX_NAME, escape),
        )
        for number, (text, unit) in enumerate(zip(texts, units, strict=True))
    ]
    opened = '<tr class="quiet">' if quiet else "<tr>"
    return f"{opened}{''.join(parts)}</tr>\n"
