"""Slack incoming webhooks, and other receivers that take Slack's body, for example Mattermost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, Literal
from urllib.parse import urlsplit

from alertworker.alerts.message import Message
from alertworker.channels.base import ChatChannel
from alertworker.channels.chat import Chat
from alertworker.channels.config import UrlConfig
from alertworker.channels.litellm_text import METADATA, fact_line, litellm_text
from alertworker.channels.mrkdwn import block, bold, escape, escape_line, facts_in_order, section, size, text_object
from alertworker.channels.plain_text import append_advice, count_of, symbol_of, time_of
from alertworker.channels.slack_receivers import GOOGLE_CHAT, checked, without_entities
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.sanitize import fit, pack, take_fitting, units
from alertworker.text.shorten import CUT

#: Of ``text``. https://api.slack.com/reference/messaging/payload: less than 4,000 characters; it accepts 40,000.
MAX_TEXT, _MAX_DIGEST = 4_000, 40_000
#: https://api.slack.com/reference/block-kit/blocks#section: 3,000 characters of text, 10 fields of 2,000.
MAX_SECTION, MAX_FIELDS = 3_000, 10
#: The text of all blocks. Only a maintainer documents it: https://github.com/slackapi/bolt-js/issues/2509.
MAX_BLOCKS_TEXT: Final = 12_000
#: Tables are aligned text: Slack accepts one table block ("only_one_table_allowed"), other receivers none.
_MAX_TABLE: Final = 2_800
#: The most long values that get sections of their own. A daily report has four, and its notes may be long.
_MAX_LONG: Final = 6
_CHAT: Final = Chat(escape=escape_line, headline=500, value=600, member=150, entry=140)


class SlackConfig(UrlConfig):
    """A Slack incoming webhook, or any receiver that takes Slack's body. Its URL is a secret."""

    kind: Literal["slack"] = "slack"


class Slack(ChatChannel[SlackConfig]):
    """Sends ``text``, which is complete by itself, and ``blocks``, which look better."""

    config_class = SlackConfig
    hosts = ("hooks.slack.com", "hooks.slack-gov.com", GOOGLE_CHAT)
    #: https://api.slack.com/apis/rate-limits: one message a second for each webhook, short bursts are tolerated.
    pace = Pace(interval=1.0, burst=3)
    digest_size = 50

    def __init__(self, config: SlackConfig) -> None:
        super().__init__(config)
        self._is_google = urlsplit(config.url.get_secret_value()).hostname == GOOGLE_CHAT

    @append_advice
    def render(self, message: Message) -> str:
        """Return the JSON body. The id is always in both forms; what does not fit is left out, visibly."""
        if self._is_google:
            return json.dumps({"text": without_entities(litellm_text(message, _CHAT, MAX_TEXT))}, ensure_ascii=False)
        text = litellm_text(message, _CHAT, _MAX_DIGEST if message.entries else MAX_TEXT)
        headline = bold(escape_line(message.headline, _CHAT.headline))
        head = f"{symbol_of(message)} {headline}   [{message.severity.value}]\n{count_of(message)}"
        about = f"`{message.type.value}` · {time_of(message)} · alert `{message.alert_id}`"
        if message.page_url:
            about += f" · {escape_line(message.page_url, _CHAT.value)}"
        parts, is_whole = take_fitting(_parts(message), MAX_BLOCKS_TEXT - sum(map(units, (head, about, CUT))), size)
        sections = map(section, (head, *parts, *([] if is_whole else [CUT])))
        blocks = [*sections, {"type": "context", "elements": [text_object(about)]}]
        return json.dumps({"text": text, "blocks": blocks}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. Some receivers that take Slack's body answer 200 to a message that they refuse."""
        return checked(super().send(body, notification_id=notification_id))


def _parts(message: Message) -> Iterator[str | list[str]]:
    """Yield the text of each section, or the texts of its fields."""
    for title, text in _CHAT.tables(message):
        yield f"*{title}*\n{block(escape(text, _MAX_TABLE))}"
    facts, are_whole = facts_in_order(message.facts_beside_tables, _CHAT, fields=MAX_FIELDS, long=_MAX_LONG)
    yield from facts
    if advice := _CHAT.advice_lines(message):
        yield "\n".join(advice)
    yield from pack(_CHAT.entries(message), MAX_SECTION)
    if message.members:
        yield "\n".join(fit([], _CHAT.members(message), [], MAX_SECTION))
    if message.metadata:
        lines = (fact_line(name, value, _CHAT) for name, value in message.metadata.items())
        yield "\n".join(fit([METADATA], lines, [], MAX_SECTION))
    if not are_whole:
        yield CUT
