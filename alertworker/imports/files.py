"""Spend history from files: CSV or NDJSON, with the sums of one day and attribution in each row."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, TextIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from alertworker.errors import AlertWorkerError
from alertworker.events import Attribution
from alertworker.events.base import FIRST_FAULT, MAX_ITEMS, Name
from alertworker.imports.progress import Left, Page
from alertworker.ledger.postings import Postings
from alertworker.ledger.rows import SpendSums
from alertworker.money import nanos_from_dollars

#: How many rows are one page, and so one transaction.
PAGE: Final = 2_000
#: The longest line, in characters: every name and 32 tags at their bounds, all of it escaped.
MAX_LINE: Final = 64 * 1024
_Sum = Annotated[int, Field(ge=0, le=10**15)]


class ImportedRow(BaseModel):
    """One row. An unknown column is an error: a misspelt column would lose the attribution of its spend.

    ``spend`` is in dollars and exact. In CSV, ";" separates several ``tags``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    day: date
    team: Name = ""
    key: Name = ""
    user: Name = ""
    customer: Name = ""
    organization: Name = ""
    model: Name = ""
    provider: Name = ""
    deployment: Name = ""
    tags: Annotated[tuple[Name, ...], FIRST_FAULT, Field(max_length=MAX_ITEMS)] = ()
    requests: Annotated[_Sum, Field(ge=1)]
    failures: _Sum = 0
    prompt_tokens: _Sum = 0
    completion_tokens: _Sum = 0
    cached_requests: _Sum = 0
    zero_priced: _Sum = 0
    spend: Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False)]

    @field_validator("tags", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        return [tag for tag in value.split(";") if tag] if isinstance(value, str) else value

    def attribution(self) -> Attribution:
        """Return the attribution of the row's calls."""
        return Attribution(
            team_id=self.team,
            key_hash=self.key,
            user_id=self.user,
            customer_id=self.customer,
            organization_id=self.organization,
            model=self.model,
            provider=self.provider,
            deployment=self.deployment,
            tags=self.tags,
        )

    def sums(self) -> SpendSums:
        """Return the row's sums; money in nano-dollars."""
        numbers = self.model_dump(include={"requests", "failures", "prompt_tokens", "completion_tokens"})
        more = self.model_dump(include={"cached_requests", "zero_priced"})
        return SpendSums(**numbers, **more, spend_nanos=nanos_from_dollars(self.spend))


class SpendFile:
    """A file's rows of days ``before`` the cut-over. A cursor is a number of rows and a fingerprint of those rows."""

    def __init__(self, path: Path, before: date) -> None:
        self._path = path
        self._before = before
        #: An invalid row is never skipped: it stops the import.
        self.refused = 0

    def pages(self, cursor: str) -> Iterator[Page]:
        """Yield the rows after the cursor, page by page.

        Raises:
            AlertWorkerError: a row is invalid, and its page was not imported; or the rows before the cursor are not
                those that were imported.
        """
        with self._rest(cursor) as (lines, rows):
            while chunk := list(islice(rows, PAGE)):
                ledger = Postings()
                for number, values in chunk:
                    row = _read(self._path, number, values)
                    if row.day < self._before:
                        ledger.add_calls(row.day, row.attribution(), row.sums())
                yield Page(json.dumps([chunk[-1][0], lines.fingerprint()]), len(chunk), ledger)

    def left(self, cursor: str) -> Left:
        """Return how many rows are left and the first of their days before the cut-over.

        Raises:
            AlertWorkerError: as `pages` does.
        """
        with self._rest(cursor) as (_, rows):
            count, first = 0, self._before
            for number, values in rows:
                count, first = count + 1, min(first, _read(self._path, number, values).day)
        return Left(count, first if first < self._before else None)

    @contextmanager
    def _rest(self, cursor: str) -> Iterator[tuple[_Lines, Iterator[tuple[int, dict[str, str] | str]]]]:
        """Open the file and yield its rows after the cursor. The file's first row has number 1."""
        if not self._path.is_file():
            raise AlertWorkerError(f"{self._path}: it is not a regular file; the import reads a file more than once")
        taken, fingerprint = json.loads(cursor) if cursor else (0, "")
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            lines = _Lines(self._path, file)
            rows = iter(enumerate(_rows(self._path, lines), 1))
            try:
                deque(islice(rows, taken), maxlen=0)
                if taken and lines.fingerprint() != fingerprint:
                    raise AlertWorkerError(
                        f"{self._path}: its first {taken:,} rows differ from the rows imported from this source; "
                        "if it is another file, pass a new name with --source"
                    )
                yield lines, rows
            except (UnicodeDecodeError, csv.Error) as error:
                reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not CSV ({error})"
                raise AlertWorkerError(f"{self._path}: {reason}") from None


class _Lines:
    """A file's lines, and a fingerprint of those read so far, without empty lines and line ends."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._read = sha256()

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                problem = f"a line is over {MAX_LINE} characters; end each row with a line break"
                raise AlertWorkerError(f"{self._path}: {problem}")
            if line.strip():
                self._read.update(line.rstrip("\r\n").encode() + b"\n")
            yield line

    def fingerprint(self) -> str:
        return self._read.hexdigest()


def _rows(path: Path, lines: Iterable[str]) -> Iterable[dict[str, str] | str]:
    if path.suffix == ".csv":
        return _csv_rows(path, lines)
    return (line for line in lines if line.strip())


def _csv_rows(path: Path, lines: Iterable[str]) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(lines)
    columns = list(reader.fieldnames or ())
    if len(columns) > len(set(columns)):
        raise AlertWorkerError(f"{path}: a column occurs twice in the first row; name each column once")
    for row in reader:
        yield {name: value for name, value in row.items() if value}


def _read(path: Path, number: int, values: dict[str, str] | str) -> ImportedRow:
    try:
        return ImportedRow.model_validate(
            values if isinstance(values, dict) else json.loads(values, parse_float=Decimal)
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "row"
        raise AlertWorkerError(f"{path}, row {number}: {name}: {first['msg']}; see docs/spend.md") from None
    except (ValueError, RecursionError, ArithmeticError) as error:  # the last: an exponent too large for Decimal
        reason = (
            error.msg
            if isinstance(error, json.JSONDecodeError)
            else "a number is too large, or values are nested too deep"
        )
        raise AlertWorkerError(f"{path}, row {number}: not JSON ({reason}); expected one JSON object a line") from None
