"""What a person typed into a form of ours, and the token that shows that the form was ours."""

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

#: The longest form, in bytes, and how many fields it may have.
_MAX_FORM: Final = 64 * 1024
_MAX_FIELDS: Final = 1_000
#: The longest text that is taken from a field, in characters.
MAX_LINE: Final = 200
MAX_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name; one that is missing is empty."""

    fields: Mapping[str, Sequence[str]]

    def raw(self, name: str) -> str:
        """Give a field as it came."""
        return self.fields.get(name, [""])[0]

    def line(self, name: str) -> str:
        """Return a field on one line, without what cannot be seen, cut visibly."""
        return shorten(one_line(self.raw(name)), MAX_LINE, ELLIPSIS)

    def text(self, name: str) -> str:
        """Give a field of several lines, without what cannot be seen, whole: cut it might mean something else."""
        return clean(self.raw(name))

    def note(self, name: str) -> str:
        """Return a field of several lines, without what cannot be seen, cut visibly."""
        return shorten(clean(self.raw(name)).strip(), MAX_NOTE)

    def every(self, name: str) -> Sequence[str]:
        """Give all values of a field, each on one line."""
        return [one_line(value) for value in self.fields.get(name, ())]


async def read_form(request: Request) -> Form:
    """Read a posted form.

    Raises:
        Refusal: when it is none, or too long.
    """
    async with context_of(request).room.read(request, _MAX_FORM) as body:
        try:
            fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
        except ValueError:
            raise Refusal(400, "the form cannot be read") from None
    return Form(fields)


def is_ours(request: Request, form: Form, token: str) -> bool:
    """Tell whether a form was made by a page of ours for this very browser.

    Browsers that say where a request comes from must say that it is from here, too.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    return bool(token) and hmac.compare_digest(form.raw("csrf").encode(), token.encode())
