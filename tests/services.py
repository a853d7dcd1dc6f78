"""The services that tests need. Without one its tests fail: a skip would hide that it is missing."""

from __future__ import annotations

from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Fail the test with what is missing and the remedy."""
    pytest.fail(reason)
