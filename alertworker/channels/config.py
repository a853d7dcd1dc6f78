"""What every channel's configuration has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ChannelConfig(BaseModel):
    """``name`` is what rows, logs and pages carry: stable over restarts, and no secret.

    Each vendor's own stands in the vendor's file, with a ``kind`` that tells them apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str
    name: str
