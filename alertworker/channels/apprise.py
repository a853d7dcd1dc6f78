"""Apprise's long tail of services, as plain text.

Apprise opens its own connections, so our guards on addresses and answers do not apply.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from typing import Final, Literal

from pydantic import SecretStr, field_validator

from alertworker.alerts.message import MAX_ENTRIES, Message
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import PacedConfig
from alertworker.channels.plain_text import advice_lines, count_of, entry_lines, fact_rows, member_lines, time_of, title
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.text.sanitize import clean, cut, one_line

#: The limits of a hundred services are not known here. Apprise cuts or divides what is too long for a service.
_MAX_TITLE: Final = 200
_MAX_VALUE: Final = 500
#: The timeout of one attempt, in seconds.
_TIMEOUT: Final = 15

# Apprise writes URLs, which are secrets, into its log.
logging.getLogger("apprise").addFilter(lambda _record: False)


class AppriseConfig(PacedConfig):
    """An Apprise URL (https://appriseit.com/services/), which is a secret. Needs ``alertworker[apprise]``."""

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


class AppriseChannel(BaseChannel[AppriseConfig]):
    """Sends title and text. Apprise reports whether a message was accepted, but not why it was refused."""

    config_class = AppriseConfig
    pace = Pace(interval=1.0, burst=3)
    digest_size = MAX_ENTRIES

    def render(self, message: Message) -> str:
        """Return title and text as JSON."""
        lines = [count_of(message)]
        lines += [f"{one_line(name)}: {cut(clean(value), _MAX_VALUE)}" for name, value in fact_rows(message)]
        lines += advice_lines(message, lambda text: cut(one_line(text), _MAX_VALUE))
        lines += entry_lines(message, _MAX_VALUE)
        lines += member_lines(message, lambda member: f"- {cut(one_line(member), _MAX_VALUE)}")
        lines.append(f"{message.type.value}, {time_of(message)}, {message.alert_id}")
        first = cut(title(message, one_line(message.headline)), _MAX_TITLE)
        return json.dumps({"title": first, "body": "\n".join(lines)}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. The worker retries every undelivered message, because Apprise reports no reason."""
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
        except Exception:  # noqa: BLE001 - a hundred plugins raise any exception, with the URL in it
            taken = False
        if not taken:
            raise DeliveryError("Apprise could not deliver the message", Reason.UNREACHABLE)
        return Answer("taken by Apprise")
