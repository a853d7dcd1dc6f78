"""What tests need beside Python: without it they fail in CI, and are skipped on a laptop."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Say that something is not there; CI has everything, so that a skip there would hide a test."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
