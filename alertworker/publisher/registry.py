"""The one publisher of a process, even if the process imported this package twice."""

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

#: The attribute of `sys` that holds the publisher: `sys` is never imported twice.
_REGISTRY: Final = "_alertworker_publisher"


def get_publisher(*, threshold_seconds: float = 300.0) -> Publisher:
    """Return the publisher of this process.

    It sends to ``ALERTWORKER_PUBLISH_URL`` over HTTPS with ``ALERTWORKER_PUBLISH_KEY``, else to the broker at
    ``ALERTWORKER_BROKER_URL``, else to the embedded broker in the data folder. A variable with the suffix ``_FILE``
    may name a file that contains the value.

    Raises:
        VariableError: a variable is set twice, or its file cannot be read.
    """
    existing = getattr(sys, _REGISTRY, None)
    if existing is not None:  # the class may be a second copy of this one, so isinstance fails
        return cast("Publisher", existing)
    folder = data_dir()
    publisher = Publisher(_transport(folder), spool_dir(folder), threshold_seconds=threshold_seconds)
    setattr(sys, _REGISTRY, publisher)
    return publisher


def _transport(folder: Path) -> Transport:
    if url := _secret("ALERTWORKER_PUBLISH_URL"):
        from alertworker.publisher.https import HttpTransport  # loads urllib3, which a broker does not need

        return HttpTransport(url, _secret("ALERTWORKER_PUBLISH_KEY") or "")
    return broker_transport(_secret("ALERTWORKER_BROKER_URL") or default_broker_url(folder))


def broker_transport(url: str) -> Transport:
    """Return the transport to a broker. If the URL cannot be used, return a transport that refuses all batches."""
    problem = address_problem(url, BROKER_SCHEMES)
    if problem is None:
        try:
            return BrokerTransport(url)
        except Exception as error:  # noqa: BLE001 - the host's boundary: a URL's option that kombu or redis refuses
            problem = f"the broker's client cannot be made ({type(error).__name__})"
    return UnusableTransport(f"ALERTWORKER_BROKER_URL (host {host_of(url)}) cannot be used: {problem}")


def _secret(variable: str) -> str | None:
    return read_variable(variable, os.environ).value
