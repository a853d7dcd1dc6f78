"""Apprise's long tail of services, as plain text. Its own connections: outside our guards on addresses and answers."""

from __future__ import annotations

import importlib.util
import json
import logging
from typing import Final, Literal

from pydantic import SecretStr, field_validator

from alertworker.alerts.message import MAX_ENTRIES, Message
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import PacedConfig
from alertworker.channels.plain_text import counted, entry_lines, named, sign
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.text.format import spell_moment
from alertworker.text.sanitize import clean, cut, one_line

#: Nobody knows the limits of a hundred services; Apprise cuts or divides what is too long for one.
_MAX_TITLE: Final = 200
_MAX_VALUE: Final = 500
#: All of one attempt, in seconds.
_TIMEOUT: Final = 15

# Apprise writes addresses into its log.
logging.getLogger("apprise").addFilter(lambda _record: False)


class AppriseConfig(PacedConfig):
    """An Apprise address (https://appriseit.com/services/), which is a secret; wants ``alertworker[apprise]``."""

    kind: Literal["apprise"] = "apprise"
    url: SecretStr
    """Apprise URL. It is a secret; `os.environ/NAME` is the variable NAME."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr) -> SecretStr:
        if importlib.util.find_spec("apprise") is None:
            raise ValueError("needs Apprise; pip install 'alertworker[apprise]'")
        import apprise

        if apprise.Apprise.instantiate(url.get_secret_value()) is None:
            raise ValueError("Apprise does not know this URL; see https://appriseit.com/services/")
        return url


class AppriseChannel(BaseChannel):
    """Sends title and text; Apprise says whether it was taken, and not why it was not."""

    kind = "apprise"
    pace = Pace(interval=1.0, burst=3)
    digest_size = MAX_ENTRIES

    def __init__(self, config: AppriseConfig) -> None:
        self.name = config.name
        self.pace = config.paced(self.pace)
        self._config = config

    def render(self, message: Message) -> str:
        """Give title and text as JSON."""
        title = f"{sign(message)} {one_line(message.headline)} [{message.severity.value}]"
        lines = [counted(message)]
        lines += [f"{one_line(name)}: {cut(clean(value), _MAX_VALUE)}" for name, value in named(message)]
        lines += entry_lines(message, _MAX_VALUE)
        lines += [f"- {cut(one_line(member), _MAX_VALUE)}" for member in message.members]
        lines += [f"… and {message.members_more} more"] if message.members_more else []
        lines.append(f"{message.type.value}, {spell_moment(message.at)}, {message.alert_id}")
        return json.dumps({"title": cut(title, _MAX_TITLE), "body": "\n".join(lines)}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. What Apprise could not deliver is tried again: it may be the receiver's trouble or ours."""
        del notification_id
        import apprise

        sender = apprise.Apprise()
        sender.add(self._config.url.get_secret_value())
        parts = json.loads(body)
        try:
            answer = sender.notify(
                body=parts["body"], title=parts["title"], body_format=apprise.NotifyFormat.TEXT, timeout=_TIMEOUT
            )
            taken = bool(answer)
        except Exception:  # noqa: BLE001 - a hundred plugins raise what they like, with the address in it
            taken = False
        if not taken:
            raise DeliveryError("Apprise could not deliver it", Reason.UNREACHABLE)
        return Answer("taken by Apprise")
