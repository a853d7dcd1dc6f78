"""Makes an error's text safe to show: without secrets, pieces of the prompt and LiteLLM's debug lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from alertworker.events.base import MAX_TEXT
from alertworker.integrations.litellm.coerce import clip
from alertworker.integrations.litellm.echoes import MIN_WHOLE, remove_prompt, remove_values
from alertworker.integrations.litellm.quotations import remove_quotations
from alertworker.text.redact import within
from alertworker.text.shorten import shorten

#: The maximum length of a message that is read and kept, in characters.
_MAX_MESSAGE: Final = 1_500
#: How much of a longer message is searched for known secrets: twice as much as `within` reads.
_MAX_READ: Final = 8 * _MAX_MESSAGE
#: The start of LiteLLM's own additions to a message. They may repeat the messages or the model's answer.
_ADDITIONS: Final = re.compile(
    r"(?<!\s)\s*(?:Key Name: |Team: |Model: |API Base: |Messages: |model_group: |deployment: |Received Model Group"
    r"|Available Model Group|LiteLLM Retried|LiteLLM: model group |(?:Passed )?completion_response=)"
)


def scrub(message: str, prompt: Iterable[str], *, secrets: Iterable[object] = (), unseen: bool = False) -> str:
    """Return a message that is safe to show, visibly cut.

    ``prompt`` yields the strings whose content must not appear. ``secrets`` are values known to be secret, whatever
    they look like. With ``unseen`` the caller sent more than ``prompt`` has, so quoted sentences are removed, too.
    """
    addition = _ADDITIONS.search(message, 0, 2 * _MAX_MESSAGE)
    if addition is not None:
        message = message[: addition.start()]
    known = [secret for secret in secrets if isinstance(secret, str) and len(secret) >= MIN_WHOLE]
    if known:
        message = remove_values(message[:_MAX_READ], known)
    message = (_remembered if len(message) <= MAX_TEXT else _sound)(message)
    if unseen:
        message = remove_quotations(message)
    return shorten(remove_prompt(message, prompt), MAX_TEXT)


def _sound(message: str) -> str:
    return clip(within(message, _MAX_MESSAGE), _MAX_MESSAGE) or ""


#: Cached, because the same error arrives with the attempt and with the call, and often during an outage.
_remembered: Final = lru_cache(1_000)(_sound)
