"""Rows as CSV, for spreadsheets and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

#: Excel reads a file as UTF-8 if it begins with this byte order mark.
BOM: Final = "\ufeff"
#: A spreadsheet runs a cell that begins with one of these (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_of(rows: Iterable[Mapping[str, object]], names: Sequence[str] = ()) -> str:
    """Return rows as CSV with a header line. A missing column of a row is empty.

    The columns are ``names``, or those of all rows if there are none. Without either, the header line is left out. A
    string that a spreadsheet would run as a formula gets a quote in front. The names of teams, tags and keys come from
    users.
    """
    kept = list(rows)
    columns = names or list(dict.fromkeys(name for row in kept for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    if columns:
        writer.writeheader()
    for row in kept:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
