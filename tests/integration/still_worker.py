"""A worker, as `alertworker worker` starts it, with a clock that is stopped at the first argument.

With the real clock, messages queued long ago would be too old to be applied. Run as a program.
"""

from __future__ import annotations

import sys
from datetime import datetime, tzinfo
from unittest.mock import patch

from alertworker.cli.worker import worker
from alertworker.worker import tasks


class Still(datetime):
    """A stopped clock."""

    moment: datetime

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return the fixed time."""
        return cls.moment.astimezone(tz)


if __name__ == "__main__":
    Still.moment = datetime.fromisoformat(sys.argv[1])
    with patch.object(tasks, "datetime", Still):
        worker(sys.argv[2:])
