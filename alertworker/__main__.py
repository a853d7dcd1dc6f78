"""``python -m alertworker``."""

from __future__ import annotations

from alertworker.cli import main

if __name__ == "__main__":
    main()
