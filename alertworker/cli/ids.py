"""Ids on the command line: the beginning of an id is enough if no other id begins so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from alertworker.errors import AlertWorkerError
from alertworker.text.ids import IdKind
from alertworker.text.names import shorten_hashes
from alertworker.text.sanitize import one_line

if TYPE_CHECKING:
    from alertworker.store import AdminStore

_T = TypeVar("_T")
#: The number of ids that the error about an ambiguous one lists.
_CANDIDATES: Final = 10
#: The command that lists each kind.
_LISTS: Final = {
    IdKind.ALERT: "alerts",
    IdKind.NOTIFICATION: "notifications",
    IdKind.SILENCE: "silences list --all",
    IdKind.DEAD_LETTER: "deadletters",
}


def whole_id(admin: AdminStore, kind: IdKind, prefix: str) -> str:
    """Return the only id of this kind that begins so.

    Raises:
        AlertWorkerError: no id begins so, or several do.
    """
    found = admin.find_ids(kind, prefix, limit=_CANDIDATES + 1) if prefix else ()
    if not found:
        raise _unknown(kind, prefix)
    if len(found) > 1:
        lines = [f"{row.id}  {one_line(shorten_hashes(row.text))}" for row in found[:_CANDIDATES]]
        more = ["…"] if len(found) > _CANDIDATES else []
        raise AlertWorkerError("\n  ".join([f"several {kind}s have ids that begin with {prefix}:", *lines, *more]))
    return found[0].id


def find_one(admin: AdminStore, kind: IdKind, prefix: str, find: Callable[[str], _T | None]) -> _T:
    """Return what ``find`` returns for the only id of this kind that begins so.

    Raises:
        AlertWorkerError: no id begins so, or several do.
    """
    found = find(whole_id(admin, kind, prefix))
    if found is None:  # it was deleted just now
        raise _unknown(kind, prefix)
    return found


def _unknown(kind: IdKind, prefix: str) -> AlertWorkerError:
    return AlertWorkerError(f"unknown {kind} {prefix}; `alertworker {_LISTS[kind]}` lists the ids")
