"""What tests need beside Python: without it they fail in CI, and are skipped on a laptop."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Fail the test in CI, which installs every service; elsewhere skip it, and name what is missing in the summary."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
