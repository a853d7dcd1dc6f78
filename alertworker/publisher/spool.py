"""The spool: sealed batches on disk while the broker is away, bounded, in order, each with its id.

A file is written under a draft name and renamed, so that a reader never sees half of it. It is not flushed to the disk:
it survives the end of any process, but not of the machine. Each process locks its own folder. When a process has died,
another process adopts its folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import msgpack

from alertworker.events.batch import SealedBatch

_SUFFIX: Final = ".batch"
_LOCK: Final = "lock"


class Spool:
    """One process's folder below ``root``. ``max_bytes`` bounds the size of all of its files.

    Every method may raise `OSError`, for example because the disk is full or read-only.
    """

    def __init__(self, root: Path, boot_id: str, *, max_bytes: int) -> None:
        self._root = root
        self._own = root / boot_id
        self._max_bytes = max_bytes
        self._lock: IO[bytes] | None = None
        self._sequence = 0
        #: Bytes and events of each file, oldest first, and their sums.
        self._files: dict[Path, tuple[int, int]] = {}
        self._bytes = self._events = 0
        #: Events of files that were gone or could not be read at their turn.
        self.lost = 0

    def __len__(self) -> int:
        """Return the number of events in this process's folder."""
        return self._events

    def add(self, batch: SealedBatch) -> int:
        """Write a batch; return how many events of the oldest batches were dropped to make room."""
        self._open()
        body = msgpack.packb(batch.arguments() | {"count": batch.count})
        dropped = 0
        while self._files and self._bytes + len(body) > self._max_bytes:
            oldest = next(iter(self._files))
            dropped += self._files[oldest][1]
            self.remove(oldest)
        self._sequence += 1
        path = self._own / f"{self._sequence:012d}{_SUFFIX}"
        draft = path.with_suffix(".draft")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(body)
            draft.rename(path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)  # what is left of it would fill the disk further
            raise
        self._note(path, len(body), batch.count)
        return dropped

    def batches(self) -> Iterator[tuple[Path, SealedBatch]]:
        """Return this process's batches, oldest first, and read each file only at its turn.

        A file that holds no batch is renamed to ``.bad``. Its events are lost, as are those of a deleted file: neither
        may block the files behind it.
        """
        for path in list(self._files):
            try:
                batch = _read(path)
            except FileNotFoundError:
                self._lose(path)
            except (ValueError, KeyError, TypeError, msgpack.UnpackException):
                path.rename(path.with_suffix(".bad"))
                self._lose(path)
            else:
                yield path, batch

    def remove(self, path: Path) -> None:
        """Delete a batch."""
        path.unlink(missing_ok=True)
        self._forget(path)

    def adopt(self) -> int:
        """Take over the batches of processes that died; return the number of events."""
        adopted = 0
        for folder in sorted(self._root.iterdir()) if self._root.is_dir() else []:
            if folder == self._own or not folder.is_dir():
                continue
            with suppress(OSError), (folder / _LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                adopted += self._take(folder)
        return adopted

    def close(self) -> None:
        """Release the lock. Delete the folder if it is empty."""
        if self._lock is None:
            return
        if not self._files:
            with suppress(OSError):
                (self._own / _LOCK).unlink(missing_ok=True)
                self._own.rmdir()
        self._lock.close()
        self._lock = None

    def _open(self) -> None:
        if self._lock is not None:
            if self._own.is_dir():
                return
            self._lock.close()  # the folder was deleted, and the lock with it
            self._lock = None
        self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self._own / _LOCK).open("ab")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._lock = lock

    def _take(self, folder: Path) -> int:
        """Move a dead process's files behind this process's own: order holds within one process only."""
        self._open()
        events = 0
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            self._sequence += 1
            target = self._own / f"{self._sequence:012d}{_SUFFIX}"
            size = path.stat().st_size
            try:
                count = _read(path).count
            except (ValueError, KeyError, TypeError, msgpack.UnpackException):
                path.rename(path.with_suffix(".bad"))
                continue
            path.rename(target)
            self._note(target, size, count)
            events += count
        if not any(folder.glob("*.bad")):
            for rest in folder.iterdir():
                rest.unlink()
            folder.rmdir()
        return events

    def _note(self, path: Path, size: int, events: int) -> None:
        self._files[path] = (size, events)
        self._bytes += size
        self._events += events

    def _lose(self, path: Path) -> None:
        self.lost += self._files.get(path, (0, 0))[1]
        self._forget(path)

    def _forget(self, path: Path) -> None:
        size, events = self._files.pop(path, (0, 0))
        self._bytes -= size
        self._events -= events


def _read(path: Path) -> SealedBatch:
    fields: dict[str, Any] = msgpack.unpackb(path.read_bytes())
    sealed_at = datetime.fromisoformat(fields["sealed_at"])
    return SealedBatch(fields["batch_id"], fields["producer"], sealed_at, fields["count"], fields["events"])
