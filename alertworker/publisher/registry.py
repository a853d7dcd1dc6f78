"""The one publisher of a process, whatever imported this package how often."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, cast

from alertworker.host.addresses import BROKER_SCHEMES, address_problem, host_of
from alertworker.host.paths import data_dir, default_broker_url, spool_dir
from alertworker.host.secret_files import read_variable
from alertworker.publisher.publisher import Publisher
from alertworker.publisher.transports import BrokerTransport, Transport, UnusableTransport

#: It hangs on a module that is only ever imported under one name.
_REGISTRY: Final = "_alertworker_publisher"


def get_publisher(*, threshold_seconds: float = 300.0) -> Publisher:
    """Give the publisher of this process, whatever imported this module how often.

    It sends to ``ALERTWORKER_PUBLISH_URL`` over HTTPS with ``ALERTWORKER_PUBLISH_KEY``, else to the broker at
    ``ALERTWORKER_BROKER_URL``, else to the embedded broker in the data folder. Each may stand in the file that the
    variable with ``_FILE`` at its end names.

    Raises:
        VariableError: one of them is set twice, or its file cannot be read.
    """
    existing = getattr(sys, _REGISTRY, None)
    if existing is not None:  # its class may be a second copy of this one, so its type proves nothing
        return cast("Publisher", existing)
    folder = data_dir()
    publisher = Publisher(_transport(folder), spool_dir(folder), threshold_seconds=threshold_seconds)
    setattr(sys, _REGISTRY, publisher)
    return publisher


def _transport(folder: Path) -> Transport:
    if url := _secret("ALERTWORKER_PUBLISH_URL"):
        from alertworker.publisher.https import HttpTransport

        return HttpTransport(url, _secret("ALERTWORKER_PUBLISH_KEY") or "")
    return broker_transport(_secret("ALERTWORKER_BROKER_URL") or default_broker_url(folder))


def broker_transport(url: str) -> Transport:
    """Return the transport to a broker; one that takes nothing where the URL cannot be used, so the host goes on."""
    problem = address_problem(url, BROKER_SCHEMES)
    if problem is None:
        try:
            return BrokerTransport(url)
        except Exception as error:  # noqa: BLE001 - the host's boundary: a URL's option that kombu or redis refuses
            problem = f"the broker's client cannot be made ({type(error).__name__})"
    return UnusableTransport(f"ALERTWORKER_BROKER_URL (host {host_of(url)}) cannot be used: {problem}")


def _secret(variable: str) -> str | None:
    return read_variable(variable, os.environ)[0]
