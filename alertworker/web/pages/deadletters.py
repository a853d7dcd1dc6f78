"""``/deadletters``: dead letters with their reasons, and the forms to replay or discard them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from alertworker import pipeline
from alertworker.alerts.message import Message
from alertworker.alerts.stored import StoredReader
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.errors import AlertWorkerError
from alertworker.events.batch import display_payload
from alertworker.ports import DeadLetter
from alertworker.ports.dead_letters import LetterFilter
from alertworker.web.pages.views import PageError, Visit, action, page

#: How many dead letters one page shows, and how many characters of a payload.
PER_PAGE: Final = 50
_MAX_SHOWN: Final = 100_000
_FIELDS: Final = ("kind", "channel", "type", "reason")


def deadletters(visit: Visit) -> Response:
    """List dead letters, newest first."""
    asked = {name: visit.parameter(name) for name in _FIELDS}
    after = visit.parameter("after") or None
    wanted = LetterFilter(
        kind=DeadLetterKind(asked["kind"]) if asked["kind"] in list(DeadLetterKind) else None,
        reason=asked["reason"] or None,
        channel=visit.context.labels.name_of(asked["channel"]) or None,
        type=asked["type"] or None,
    )
    rows = visit.context.admin.dead_letters.search(wanted, after=after, limit=PER_PAGE + 1)
    kept = {name: value for name, value in asked.items() if value}
    more = rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None
    return visit.show(
        "deadletters.html",
        rows=rows[:PER_PAGE],
        asked=asked,
        kinds=[kind.value for kind in DeadLetterKind],
        newest="/deadletters?" + urlencode(kept) if after else None,
        older="/deadletters?" + urlencode({**kept, "after": more}) if more else None,
    )


def deadletter(visit: Visit) -> Response:
    """Show one dead letter with its payload and its attempts."""
    letter = visit.context.admin.dead_letters.find(visit.id)
    if letter is None:
        raise PageError(
            404,
            "No such dead letter",
            "No dead letter has this id. It was replayed or discarded, or retention_days have passed.",
        )
    text = json.dumps(display_payload(letter.payload), indent=2, ensure_ascii=False)
    attempts = visit.context.admin.attempts(letter.batch_id or "") if letter.kind == DeadLetterKind.NOTIFICATION else ()
    return visit.show(
        "deadletter.html",
        letter=letter,
        message=_message(letter),
        attempts=attempts,
        holds=text[:_MAX_SHOWN],
        cut=len(text) > _MAX_SHOWN,
        channels=visit.context.channels,
    )


def act(visit: Visit) -> Response:
    """Replay or discard the selected dead letters."""
    context = visit.context
    acts: dict[str, tuple[str, Callable[[str], bool]]] = {
        "replay": (
            "replayed",
            lambda one: pipeline.replay(one, context.admin.dead_letters, context.broker, now=visit.now),
        ),
        "discard": ("discarded", context.admin.dead_letters.discard),
    }
    what, _, shown = visit.form.raw("do").partition("-")
    ids = list(dict.fromkeys(visit.form.values(shown or "id")))[:PER_PAGE]
    if what not in acts or not ids:
        raise PageError(422, "Not done", "Select one or more dead letters, then choose Replay or Discard.")
    done, do = acts[what]
    count = 0
    for one in ids:
        try:
            count += do(one)
        except AlertWorkerError as error:
            raise PageError(
                503, "Unavailable", f"{error}; {count} of {len(ids)} were {done} before the error."
            ) from None
    return visit.go("/deadletters", done=done, n=count, of=len(ids))


def _message(letter: DeadLetter) -> Message | None:
    if letter.kind != DeadLetterKind.NOTIFICATION:
        return None
    try:
        return StoredReader().message(letter.payload)
    except ValueError:
        return None


ROUTES: Final = (
    page("/deadletters", deadletters),
    page("/deadletters/{id}", deadletter),
    action("/deadletters", act),
)
