"""Rows as CSV: exact for machines, or made safe for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: What makes a spreadsheet take a cell for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
#: So that Excel takes the file for UTF-8.
_MARK: Final = "\ufeff"


def csv_of(rows: Sequence[Mapping[str, Any]], *, for_spreadsheet: bool = False) -> str:
    """Give rows as CSV with a line of names; a row that lacks a column leaves it empty. Of no rows there is no line.

    ``for_spreadsheet`` puts a quote before text that would be taken for a formula: names of teams, tags and keys are
    other people's text.
    """
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value, guarded=for_spreadsheet) for name, value in row.items()})
    return f"{_MARK}{text.getvalue()}" if for_spreadsheet else text.getvalue()


def _cell(value: Any, *, guarded: bool) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    if guarded and isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return "" if value is None else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
