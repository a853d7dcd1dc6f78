"""The channels under contract: every kind in the registry, with its vendor's file in `tests/contract/vendors/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final, cast
from unittest.mock import patch

import pytest
from pydantic import SecretStr

from alertworker.alerts.message import Message, Step
from alertworker.channels import CHANNELS, ChannelConfig, build_channel, http
from alertworker.channels.base import HttpChannel
from alertworker.delivery.channel import Answer, Channel
from tests.contract.cases import CASES, message
from tests.contract.shape import Sent, strings

#: A part of every URL that a test sends to. It must never be shown.
SECRET: Final = "T000-canarySecretOfTheUrl"
KINDS: Final = tuple(CHANNELS)
HTTP_KINDS: Final = tuple(kind for kind, channel in CHANNELS.items() if issubclass(channel, HttpChannel))
FOR_PEOPLE: Final = tuple(kind for kind, channel in CHANNELS.items() if not channel.for_programs)
#: The names that the file of a kind must define.
_REQUIRED: Final = {
    "config": "config(url: str) -> ChannelConfig, a configuration of a channel that sends to this URL",
    "complaints": "complaints(sent: Sent) -> list[str], the vendor's published rules",
    "BROKEN": "BROKEN: list[tuple[str, Change]], complaints, each with a change to a good body that causes it",
}


def problem_of(kind: str) -> str | None:
    """Return what is missing before a kind can be tested: which file, and what it must define."""
    name = f"tests.contract.vendors.{kind}"
    found = import_module(name) if find_spec(name) else None
    lacks = [text for attribute, text in _REQUIRED.items() if not getattr(found, attribute, None)]
    if not lacks:
        return None
    what = "lacks definitions" if found else "is missing"
    wanted = "".join(f"\n  * {text}" for text in lacks)
    return (
        f"channel {kind}: tests/contract/vendors/{kind}.py {what}. It must define:{wanted}\n"
        "tests/contract/vendors/__init__.py describes these names and the optional ones."
    )


def vendor_of(kind: str) -> ModuleType:
    """Return the file of a kind, or fail with what is missing."""
    if problem := problem_of(kind):
        pytest.fail(problem, pytrace=False)
    return import_module(f"tests.contract.vendors.{kind}")


def config_to(kind: str, url: str) -> ChannelConfig:
    """Return a configuration that sends to a URL of a server, with `SECRET` as a part of the URL."""
    return cast("ChannelConfig", vendor_of(kind).config(f"{url}/hook/{SECRET}"))


def channel_to(kind: str, url: str) -> Channel:
    """Return a channel that sends to a URL of a server, with `SECRET` as a part of the URL."""
    return build_channel(config_to(kind, url))


def secrets_of(config: ChannelConfig) -> Iterator[str]:
    """Return all secrets of a configuration, and `SECRET`, which is a part of its URL."""
    yield SECRET
    for _, value in config:
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, SecretStr):
                yield item.get_secret_value()


@lru_cache
def channel_of(kind: str) -> Channel:
    """Return a channel of a kind, which sends nowhere."""
    return build_channel(vendor_of(kind).config("https://receiver.example/x"))


def sent(kind: str, made: Message) -> Sent:
    """Render a message and return the data that the channel sends, without sending it."""
    channel, vendor = channel_of(kind), vendor_of(kind)
    body = channel.render(made)
    if kind not in HTTP_KINDS:
        compose: Callable[[str], Sent] = getattr(vendor, "compose", lambda text: Sent(text, {}))
        return compose(body)
    with patch.object(http, "post", return_value=Answer("200")) as post:
        channel.send(body, notification_id="n-1")
    _, posted, headers = post.call_args.args
    return Sent(posted, headers)


def complaints(kind: str, data: Sent) -> list[str]:
    """Return each reason why the vendor of a kind would refuse the data."""
    return list(vendor_of(kind).complaints(data))


def shown(kind: str, data: Sent) -> str:
    """Return the text that a reader sees."""
    show: Callable[[Sent], str] = getattr(vendor_of(kind), "shown", _all_strings)
    return show(data)


def _all_strings(data: Sent) -> str:
    return "\n".join(strings_of(data.body))


def strings_of(body: str) -> list[str]:
    """Return every string of a JSON body, or the body itself."""
    try:
        return list(strings(json.loads(body)))
    except ValueError:
        return [body]


def lookalikes(kind: str, text: str) -> str:
    """Return a string with the characters that the channel shows in place of others."""
    return text.translate(str.maketrans(getattr(vendor_of(kind), "LOOKALIKES", {})))


def wants(kind: str, made: Message) -> bool:
    """Return whether such a message can reach such a channel."""
    channel = channel_of(kind)
    if made.step is Step.TEST:  # a test is sent to any channel
        return True
    if made.step is Step.TRACKED:
        return channel.tracks_spend
    return channel.takes(made) and (not made.entries or channel.digest_size > 0)


def cases_of(kind: str) -> Mapping[str, Message]:
    """Return the cases that can reach a kind."""
    return {case: made for case, made in CASES.items() if wants(kind, made)}


def not_sent(kind: str) -> set[str]:
    """Return the cases that must not reach a kind."""
    usual = {"tracked"} if channel_of(kind).digest_size else {"tracked", "digest"}
    return set(getattr(vendor_of(kind), "NOT_SENT", usual))


def _takes_alerts(kind: str) -> bool:
    """Return whether a kind takes any alert. A kind without its file counts, so that its tests fail."""
    return problem_of(kind) is not None or wants(kind, message())


#: Kinds that take any alert, not only those of budgets.
ALERT_KINDS: Final = tuple(filter(_takes_alerts, KINDS))


def _each(kinds: tuple[str, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds)


#: Decorators that run a test for each kind. They stand directly above the test, so that its id begins with the kind.
every_kind: Final = _each(KINDS)
every_http_kind: Final = _each(HTTP_KINDS)
every_kind_for_people: Final = _each(FOR_PEOPLE)
every_kind_for_alerts: Final = _each(ALERT_KINDS)
