"""The spool: sealed batches on disk while the broker is away, bounded, in order, each with its id.

A file is written beside its final name and renamed, so that a reader never sees half of one. It is not flushed to the
disk: it survives the death of any process, not of the machine. Each process locks a folder of its own; the folder of a
process that died is adopted by the next one that looks.
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
    """One process's folder below ``root``; ``max_bytes`` bounds what all of its files take.

    Every method may raise `OSError`: a full or read-only disk is the caller's to survive.
    """

    def __init__(self, root: Path, boot_id: str, *, max_bytes: int) -> None:
        self._root = root
        self._own = root / boot_id
        self._max_bytes = max_bytes
        self._lock: IO[bytes] | None = None
        self._sequence = 0
        self._sizes: dict[Path, tuple[int, int]] = {}

    def __len__(self) -> int:
        """Give the number of events in the own folder."""
        return sum(events for _, events in self._sizes.values())

    def add(self, batch: SealedBatch) -> int:
        """Keep a batch; gives how many events of the oldest batches had to go for it."""
        self._open()
        body = msgpack.packb(batch.arguments() | {"count": batch.count})
        dropped = 0
        while self._sizes and sum(size for size, _ in self._sizes.values()) + len(body) > self._max_bytes:
            oldest = min(self._sizes)
            dropped += self._sizes[oldest][1]
            self.remove(oldest)
        self._sequence += 1
        path = self._own / f"{self._sequence:012d}{_SUFFIX}"
        draft = path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
        draft.rename(path)
        self._sizes[path] = (len(body), batch.count)
        return dropped

    def batches(self) -> Iterator[tuple[Path, SealedBatch]]:
        """Give the own batches, oldest first; a file that cannot be read is set aside as ``.bad``."""
        for path in sorted(self._sizes):
            try:
                yield path, _read(path)
            except (ValueError, KeyError, TypeError, msgpack.UnpackException):
                path.rename(path.with_suffix(".bad"))
                self._sizes.pop(path, None)

    def remove(self, path: Path) -> None:
        """Forget a batch that the broker has confirmed."""
        path.unlink(missing_ok=True)
        self._sizes.pop(path, None)

    def adopt(self) -> int:
        """Take over the batches of processes that died; gives the number of events."""
        adopted = 0
        for folder in sorted(self._root.iterdir()) if self._root.is_dir() else []:
            if folder == self._own or not folder.is_dir():
                continue
            with suppress(OSError), (folder / _LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                adopted += self._take(folder)
        return adopted

    def close(self) -> None:
        """Let go of the lock; an empty folder goes with it."""
        if self._lock is None:
            return
        if not self._sizes:
            with suppress(OSError):
                (self._own / _LOCK).unlink(missing_ok=True)
                self._own.rmdir()
        self._lock.close()
        self._lock = None

    def _open(self) -> None:
        if self._lock is not None:
            return
        self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self._own / _LOCK).open("ab")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._lock = lock

    def _take(self, folder: Path) -> int:
        """Move a dead process's files in front of nothing: they are older, and order holds within one process."""
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
            self._sizes[target] = (size, count)
            events += count
        if not any(folder.glob("*.bad")):
            for rest in folder.iterdir():
                rest.unlink()
            folder.rmdir()
        return events


def _read(path: Path) -> SealedBatch:
    fields: dict[str, Any] = msgpack.unpackb(path.read_bytes())
    sealed_at = datetime.fromisoformat(fields["sealed_at"])
    return SealedBatch(fields["batch_id"], fields["producer"], sealed_at, fields["count"], fields["events"])
