"""The limit on open files: a process that reaches it fails in any place."""

from __future__ import annotations

import resource
from typing import Final

from alertworker.errors import AlertWorkerError

#: A worker opens a few dozen files and connections, and some for each process and thread of its pool.
_NEEDED: Final = 256
_WANTED: Final = 1_024


def raise_file_limit() -> None:
    """Raise the limit on open files as far as this user may, up to `_WANTED`.

    Raises:
        AlertWorkerError: it stays too low to work.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _WANTED:
        return
    limit = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if limit < _NEEDED:
        raise AlertWorkerError(
            f"this process may open {limit} files, and it needs {_NEEDED}; raise the limit, for example with "
            "`ulimit -n 1024` or LimitNOFILE= of systemd"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
