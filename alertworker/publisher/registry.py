"""The one publisher of a process, whatever imported this package how often."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, cast

from alertworker.locations import data_dir, default_broker_url, spool_dir
from alertworker.publisher.publisher import Publisher
from alertworker.publisher.transports import BrokerTransport

#: It hangs on a module that is only ever imported under one name.
_REGISTRY: Final = "_alertworker_publisher"


def get_publisher(*, threshold_seconds: float = 300.0) -> Publisher:
    """Give the publisher of this process, whatever imported this module how often.

    It sends to ``ALERTWORKER_BROKER_URL`` (or the URL in the file that ``ALERTWORKER_BROKER_URL_FILE`` names), else to
    the embedded broker in the data folder.
    """
    existing = getattr(sys, _REGISTRY, None)
    if existing is not None:  # its class may be a second copy of this one, so its type proves nothing
        return cast("Publisher", existing)
    folder = data_dir()
    publisher = Publisher(BrokerTransport(_broker_url(folder)), spool_dir(folder), threshold_seconds=threshold_seconds)
    setattr(sys, _REGISTRY, publisher)
    return publisher


def _broker_url(folder: Path) -> str:
    file = os.environ.get("ALERTWORKER_BROKER_URL_FILE")
    url = Path(file).read_text().strip() if file else os.environ.get("ALERTWORKER_BROKER_URL")
    return url or default_broker_url(folder)
