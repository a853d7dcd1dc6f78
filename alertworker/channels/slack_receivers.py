"""Receivers of Slack's body that are not Slack: what they take, and how they report a failure."""

from __future__ import annotations

import re
from typing import Final

from alertworker.delivery.channel import Answer
from alertworker.delivery.retry import DeliveryError, Reason

#: Google Chat takes ``text`` alone and refuses a body with ``blocks``. It accepts 4,096 characters, and no entities:
#: https://developers.google.com/workspace/chat/format-messages.
GOOGLE_CHAT: Final = "chat.googleapis.com"
_CHARACTERS: Final = (("&lt;", "<\u2060"), ("&gt;", ">"), ("&amp;", "&"))
#: Bodies of 2xx answers that report a failure: Slack's Web API (``ok``), Feishu and Lark (``code``), and DingTalk and
#: WeCom (``errcode``), which people run under host names of their own.
_REFUSED: Final = re.compile(
    r'2\d\d \{.*(?:"ok"\s*:\s*false|"errcode"\s*:\s*-?[1-9]|"code"\s*:\s*(?!2\d\d\b)-?[1-9]\d*\s*,.*"msg"\s*:)'
)


def without_entities(text: str) -> str:
    """Return mrkdwn with characters in place of entities. A user's ``<`` begins no mention and no link."""
    for entity, character in _CHARACTERS:
        text = text.replace(entity, character)
    return text


def checked(answer: Answer) -> Answer:
    """Return a 2xx answer.

    Raises:
        DeliveryError: its body reports a failure.
    """
    if _REFUSED.match(answer.text):
        raise DeliveryError("answered 2xx with an error in its body", Reason.CLIENT_ERROR)
    return answer
