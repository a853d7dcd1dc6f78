"""A note in a file: what beats of one host know together while there is no database."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from alertworker.ports import Marker

_log = logging.getLogger("alertworker.mark")


class FileOutageMarker:
    """A note in a file; its directory entry is what only one process can make, or take away.

    Where the file cannot be written this process keeps the note by itself: then each process tells of an outage once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: Marker | None = None
        self._stuck = False

    def put(self, note: Marker) -> bool:
        """Write the note, and make its folder; false where one is written already."""
        if self._own is not None:
            return False
        try:
            self._write(json.dumps({"since": note.since.isoformat(), "alert_id": note.alert_id}))
        except FileExistsError:
            return False
        except OSError as error:
            _log.warning(
                "%s cannot be written (%s): every beat of this host tells that the database is away, and a beat that "
                "is restarted tells it again",
                self._path,
                error.strerror,
            )
            self._own = note
        return True

    def take(self) -> Marker | None:
        """Take the note away and read it; ``None`` where there is none, or while the file cannot be removed."""
        if self._own is not None:
            note, self._own = self._own, None
            return note
        try:
            text = self._path.read_text()
            self._path.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            if not self._stuck:
                _log.warning("%s cannot be read and removed (%s)", self._path, error.strerror)
            self._stuck = True
            return None
        self._stuck = False
        return _read(text)

    def _write(self, text: str) -> None:
        """Make the file; one that could not be filled is removed again, for nobody would tell of what it says."""
        with suppress(FileExistsError):  # something else than a folder, as opening the file will say
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._path.open("x")
        try:
            with file:
                file.write(text)
        except OSError:
            self._path.unlink()
            raise


def _read(text: str) -> Marker | None:
    try:
        fields = json.loads(text)
        return Marker(datetime.fromisoformat(fields["since"]), str(fields["alert_id"]))
    except (ValueError, TypeError, KeyError):
        return None
