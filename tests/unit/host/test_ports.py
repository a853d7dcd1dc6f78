"""A port that cannot be had is a sentence with the remedy."""

from __future__ import annotations

import errno
import socket

import pytest

from alertworker.errors import AlertWorkerError
from alertworker.host.ports import check_port


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EADDRINUSE, "another program listens there; stop it, or choose another port with --port"),
        (errno.EACCES, "this user cannot listen on ports below 1024; choose another port"),
        (errno.EADDRNOTAVAIL, "this machine has no such address; correct http_host"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_the_error_names_the_remedy(number: int, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        def __init__(self, *_: object) -> None:
            raise OSError(number, "refused")

    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 4010))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found])
    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(AlertWorkerError, match=r"cannot listen on port 4010 of 127\.0\.0\.1: ") as caught:
        check_port("127.0.0.1", 4010)
    assert remedy in str(caught.value)


def test_a_host_name_that_is_unknown_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(AlertWorkerError, match=r"cannot listen on nohost: the name is unknown; correct http_host"):
        check_port("nohost", 4010)
