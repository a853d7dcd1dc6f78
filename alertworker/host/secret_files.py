"""Environment variables whose value can be in a file instead, as orchestrators provide secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from alertworker.errors import AlertWorkerError
from alertworker.host.regular_files import FileError, read_text
from alertworker.text.ids import unstorable

#: The largest secret, in bytes. The longest ones, such as certificates, have a few thousand.
_MAX_BYTES: Final = 64 * 1024

#: Kubernetes sets NAME_PORT for a service NAME in each container of its namespace, and more beside it:
#: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
_SERVICE_PORT: Final = re.compile(r"(?:tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+")
_SERVICE_NAME: Final = re.compile(r"_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_\w+)?)$")


def is_service_variable(name: str, value: str) -> bool:
    """Return whether Kubernetes set a variable for a service that happens to have such a name.

    >>> is_service_variable("SMTP_PORT", "tcp://10.0.0.1:25"), is_service_variable("SMTP_PORT", "25")
    (True, False)
    """
    is_port = name.endswith("_PORT") and _SERVICE_PORT.fullmatch(value) is not None
    return is_port or _SERVICE_NAME.search(name) is not None


class VariableError(AlertWorkerError):
    """A variable cannot be read. The message has its name, but neither its value nor the path of its file."""


class Variable(NamedTuple):
    """A value, ``None`` if it is not set, and the variable that it is from: ``<name>`` or ``<name>_FILE``."""

    value: str | None
    name: str
    in_file: bool = False

    @property
    def source(self) -> str:
        """The source for display.

        >>> Variable("a", "KEY").source, Variable("a", "KEY_FILE", in_file=True).source
        ('environment KEY', 'file of KEY_FILE')
        """
        return f"{'file of' if self.in_file else 'environment'} {self.name}"


def read_variable(name: str, environ: Mapping[str, str]) -> Variable:
    """Return a variable with its value, or with the content of the file in ``<name>_FILE``.

    Whitespace around the value is removed. An empty variable counts as not set. So does a variable that Kubernetes set
    for a service.

    Raises:
        VariableError: both are set, the file is empty or cannot be read, or the value is not text.
    """
    file, value = environ.get(f"{name}_FILE"), environ.get(name, "").strip() or None
    if value is not None and is_service_variable(name, value):
        value = None
    if not file:
        return Variable(_checked(value, name), name)
    if value is not None:
        raise VariableError(f"{name} and {name}_FILE are both set; unset one of them")
    try:
        content = read_text(Path(file), limit=_MAX_BYTES).strip()
    except FileError as error:
        raise VariableError(f"{name}_FILE: {error}") from None
    if not content:
        raise VariableError(f"{name}_FILE: the file is empty")
    return Variable(_checked(content, f"{name}_FILE"), f"{name}_FILE", in_file=True)


def _checked(value: str | None, name: str) -> str | None:
    problem = unstorable(value or "")
    if problem is not None:
        raise VariableError(f"{name}: {problem}")
    return value
