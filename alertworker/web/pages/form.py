"""Posted forms, and the token that protects them against cross-site request forgery."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request

from alertworker.text.sanitize import clean, one_line
from alertworker.text.shorten import ELLIPSIS, shorten
from alertworker.web.context import context_of
from alertworker.web.errors import Refusal

#: The largest form, in bytes, and the most fields.
_MAX_FORM: Final = 64 * 1024
_MAX_FIELDS: Final = 1_000
#: The most characters of a field with one line, and of a note.
MAX_LINE: Final = 200
MAX_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name. A missing field is empty."""

    fields: Mapping[str, Sequence[str]]

    def raw(self, name: str) -> str:
        """Return a field unchanged."""
        return self.fields.get(name, [""])[0]

    def single_line(self, name: str) -> str:
        """Return a field as one line without invisible characters. A long field is cut, and the cut is marked."""
        return shorten(one_line(self.raw(name)), MAX_LINE, ELLIPSIS)

    def text(self, name: str) -> str:
        """Return a field of several lines without invisible characters, never cut: a cut could change its meaning."""
        return clean(self.raw(name))

    def note(self, name: str) -> str:
        """Return a field of several lines without invisible characters. A long field is cut, and the cut is marked."""
        return shorten(clean(self.raw(name)).strip(), MAX_NOTE)

    def values(self, name: str) -> Sequence[str]:
        """Return all values of a field, each as one line."""
        return [one_line(value) for value in self.fields.get(name, ())]


async def read_form(request: Request) -> Form:
    """Read a posted form.

    Raises:
        Refusal: the body is not a form, or it is too large.
    """
    async with context_of(request).room.read(request, _MAX_FORM) as body:
        try:
            fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
        except ValueError:
            raise Refusal(400, "the body is not a valid form") from None
    return Form(fields)


def is_ours(request: Request, form: Form, token: str) -> bool:
    """Return whether one of our pages made this form for this browser.

    If the browser sends ``Sec-Fetch-Site``, the header must also name our own site.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    return bool(token) and hmac.compare_digest(form.raw("csrf").encode(), token.encode())
