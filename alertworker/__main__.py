"""``alertworker`` and ``python -m alertworker``."""

from __future__ import annotations

import sys

from alertworker.errors import INTERRUPTED
from alertworker.host.starting import end_at_signals


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, also while it is still being imported."""
    end_at_signals()
    try:
        from alertworker.cli import main as run

        run()
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        # A proxy's environment has only the callback and the publisher.
        sys.exit("alertworker: the command line is not installed here; install alertworker with its extra `worker`")
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
