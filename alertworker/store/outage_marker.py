"""A marker file that the beats of one host share while the database is unavailable."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from typing_extensions import override

from alertworker.ports import Marker, OutageMarker

_log = logging.getLogger(__name__)


class FileOutageMarker(OutageMarker):
    """The marker in a file. Only one process can create, or remove, its directory entry.

    If the file cannot be written, this process keeps the marker in memory. Each process then reports an outage once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: Marker | None = None
        self._stuck = False

    @override
    def put(self, marker: Marker) -> bool:
        if self._own is not None:
            return False
        try:
            self._write(json.dumps({"since": marker.since.isoformat(), "alert_id": marker.alert_id}))
        except FileExistsError:
            return False
        except OSError as error:
            _log.warning(
                "%s cannot be written (%s): each beat of this host reports the database outage separately, and "
                "again after a restart",
                self._path,
                error.strerror,
            )
            self._own = marker
        return True

    @override
    def take(self) -> Marker | None:
        if self._own is not None:
            marker, self._own = self._own, None
            return marker
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
        """Create the file. A file that could not be filled is removed, because its outage would not be reported."""
        with suppress(FileExistsError):  # not a folder; opening the file will report it
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
