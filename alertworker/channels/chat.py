"""The parts of a message that chats show: escaped in a chat's markup, and cut to its lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from alertworker.alerts.advice import RUNBOOK, WHAT_TO_DO
from alertworker.alerts.message import Message
from alertworker.channels.markdown import link
from alertworker.channels.plain_text import advice_lines, entry_lines, fact_rows, has_ended, member_lines, title
from alertworker.channels.text_tables import aligned

_T = TypeVar("_T")

#: The number of rows of a table in a chat, so that several tables fit into one message.
CHAT_ROWS: Final = 8
#: The maximum length of a headline in a small digest.
_MAX_ENTRY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat's markup, and the maximum lengths of the parts of a message in it, in UTF-16 units.

    ``escape`` makes a user's string harmless on one line of a maximum length. ``link`` returns the markup of a link,
    ``None`` if the chat shows links in another way. ``entry`` is the length of each headline in the largest digest,
    which has ``entries_at_most``. Fewer headlines share the same space.
    """

    escape: Callable[[str, int], str]
    headline: int
    name: int = 100
    value: int
    member: int
    entry: int
    entries_at_most: int = 1
    advice: int = 1_000
    link: Callable[[str, str], str] | None = link

    def title(self, message: Message) -> str:
        """Return the first line: sign, headline and severity."""
        return title(message, self.escape(message.headline, self.headline))

    def facts(self, message: Message) -> list[tuple[str, str]]:
        """Return the facts that no table shows, the metadata and what to do, as name and value. None is empty.

        A chat that shows these facts does not need `advice_lines`.
        """
        shown = fact_rows(message, message.facts_beside_tables)
        facts = [(self.escape(name, self.name) or "–", self.escape(value, self.value) or "–") for name, value in shown]
        runbook = self.link(RUNBOOK, message.runbook_url) if self.link and message.runbook_url else ""
        advice = "\n".join(filter(None, (self.escape(message.what_to_do, self.advice), runbook)))
        return [*facts, (WHAT_TO_DO, advice)] if advice else facts

    def advice_lines(self, message: Message) -> list[str]:
        """Return the lines with the advice and with the URL of the runbook, for a chat that does not use `facts`."""
        return advice_lines(message, lambda text: self.escape(text, self.advice))

    def entries(self, message: Message) -> list[str]:
        """Return a digest's lines."""
        share = self.entry * self.entries_at_most // max(1, len(message.entries))
        return entry_lines(message, max(self.entry, min(share, _MAX_ENTRY)), self.escape)

    def members(self, message: Message) -> list[str]:
        """Return the lines of the occurrences that the message names."""
        return member_lines(message, lambda member: f"• {self.escape(member, self.member)}")

    def tables(self, message: Message) -> list[tuple[str, str]]:
        """Return the title and the aligned text of each table, with no backtick that would end a block of code."""
        return [
            (self.escape(table.title, self.name), aligned(table.head(CHAT_ROWS)).replace("`", "ˋ"))
            for table in message.tables
        ]


@dataclass(frozen=True, slots=True)
class Colours(Generic[_T]):
    """A vendor's colour for each severity, by its value, and for the end of a condition."""

    ended: _T
    by_severity: Mapping[str, _T]

    def of(self, message: Message) -> _T:
        """Return the colour of a message."""
        return self.ended if has_ended(message) else self.by_severity[message.severity.value]
