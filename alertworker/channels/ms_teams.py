"""Microsoft Teams: an Adaptive Card for the URL of a workflow. URLs of old connectors take the same body."""

from __future__ import annotations

import json
import re
from typing import Final, Literal

from alertworker.alerts.message import Message
from alertworker.channels import http
from alertworker.channels.adaptive_card import card_of, escaped_size, fact_set, tables_of, text_block
from alertworker.channels.base import ChatChannel
from alertworker.channels.chat import CHAT_ROWS, Chat, Colours
from alertworker.channels.config import UrlConfig
from alertworker.channels.markdown import escape_card
from alertworker.channels.plain_text import append_advice, count_of, time_of
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.shorten import CUT

#: Teams refuses more than 28 KB, measured as a workflow does: the card is a string in JSON, with each quotation mark
#: escaped again (https://github.com/MicrosoftDocs/msteams-docs/issues/11274: a body of 24,453 bytes counted as 28,897).
_ROOM: Final = 25 * 1024
#: The numbers of rows that are tried for each table, until the card fits.
_ROWS: Final = (CHAT_ROWS, 5, 3)
#: The most messages in a digest.
_DIGEST: Final = 40
_CHAT: Final = Chat(
    escape=escape_card, headline=400, value=400, member=150, entry=70, entries_at_most=_DIGEST, link=None
)
_COLOURS: Final = Colours("Good", {"High": "Attention", "Medium": "Warning", "Low": "Accent"})
#: https://github.com/MicrosoftDocs/msteams-docs/issues/1810: "we return 200 with error in the response body".
_REFUSED: Final = re.compile(r"message delivery failed with error(.*returned HTTP error (?P<status>[45]\d\d))?")


class TeamsConfig(UrlConfig):
    """The URL of a workflow or a connector. It is a secret."""

    kind: Literal["ms_teams"] = "ms_teams"


class Teams(ChatChannel[TeamsConfig]):
    """Sends one card."""

    config_class = TeamsConfig
    #: Workflows have URLs of Azure Logic Apps and of Power Automate.
    hosts = ("webhook.office.com", "logic.azure.com", "api.powerplatform.com")
    litellm_service = "slack"
    #: Without a charset Teams reads a body as UTF-16, so 28 KB hold half as many characters.
    content_type = "application/json; charset=utf-8"
    #: https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/rate-limit: four a second.
    pace = Pace(interval=0.25, burst=2)
    digest_size = _DIGEST

    @append_advice
    def render(self, message: Message) -> str:
        """Return the JSON body. Parts that do not fit are left out, visibly, the last ones first."""
        facts, members = _CHAT.facts(message), _CHAT.members(message)
        for rows in _ROWS if message.tables else ():
            tables = tables_of(message, rows, _CHAT.value)
            if escaped_size(body := _body(message, [*tables, *_rest(facts, members)])) <= _ROOM:
                return body
        message = message.model_copy(update={"tables": ()})
        facts = _CHAT.facts(message)
        body = _body(message, _rest(facts, members))
        while escaped_size(body) > _ROOM and (facts or members):
            (members or facts).pop()
            body = _body(message, [*_rest(facts, members), text_block(CUT)])
        return body

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. A connector always answers 200, and its text has Teams' answer."""
        answer = super().send(body, notification_id=notification_id)
        if refusal := _REFUSED.search(answer.text):
            http.raise_for_answer(int(refusal["status"] or 502))
        return answer


def _rest(facts: list[tuple[str, str]], members: list[str]) -> list[dict[str, object]]:
    return [fact_set(facts)] * bool(facts) + [text_block("\n\n".join(members))] * bool(members)


def _body(message: Message, blocks: list[dict[str, object]]) -> str:
    title = text_block(_CHAT.title(message), weight="Bolder", size="Medium", color=_COLOURS.of(message))
    head = [title, text_block(count_of(message), isSubtle=True)]
    if message.entries:
        head.append(text_block("\n\n".join(_CHAT.entries(message))))
    about = f"{escape_card(message.type.value, 100)} · {time_of(message)} · alert {message.alert_id}"
    card = card_of([*head, *blocks, text_block(about, isSubtle=True, size="Small")], message)
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False)
