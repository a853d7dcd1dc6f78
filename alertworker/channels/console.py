"""The terminal."""

from __future__ import annotations

import io
import sys
from typing import Final, Literal

from rich.console import Console as Terminal
from rich.text import Text

from alertworker.alerts.message import Message
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import ChannelConfig
from alertworker.channels.plain_text import (
    advice_lines,
    count_of,
    entry_lines,
    fact_rows,
    member_lines,
    symbol_of,
    time_of,
)
from alertworker.delivery.channel import Answer
from alertworker.text.sanitize import clean, cut

#: The style of the first line, by the sign that it begins with. A message is in the form of its body here.
_STYLES: Final = {"🔴": "bold red", "🟠": "bold yellow", "🟡": "bold blue", "🟢": "bold green"}
_MAX_LINE: Final = 2_000


class ConsoleConfig(ChannelConfig):
    """The terminal: to try alertworker out, and used if no other channel is configured."""

    kind: Literal["console"] = "console"
    name: str = "console"
    """Name of the channel in rows, logs and pages."""


class Console(BaseChannel[ConsoleConfig]):
    """Prints to the real standard output, because Celery redirects that of its workers to its log."""

    config_class = ConsoleConfig
    is_remote = False

    def render(self, message: Message) -> str:
        """Return the lines to print. Strings from users are inert."""
        lines = [
            f"{symbol_of(message)} {message.headline}   [{message.severity.value}] {message.type.value}",
            count_of(message),
        ]
        lines += [f"{name}: {value}" for name, value in fact_rows(message)]
        lines += advice_lines(message, str)
        lines += entry_lines(message, _MAX_LINE)
        lines += member_lines(message, "• {}".format)
        lines.append(f"alert {message.alert_id} · {time_of(message)}")
        lines += [message.page_url] if message.page_url else []
        return "\n   ".join(cut(clean(line).replace("\n", " "), _MAX_LINE) for line in lines) + "\n"

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Print in one write, so that messages do not mix with lines of other writers."""
        del notification_id
        stream = sys.__stdout__ or sys.stdout
        first, _, rest = body.partition("\n")
        buffer = io.StringIO()
        terminal = Terminal(file=buffer, force_terminal=stream.isatty(), soft_wrap=True, highlight=False, width=200)
        terminal.print(Text(first, style=_STYLES.get(first[:1], "bold")))
        terminal.print(Text(rest))
        stream.write(buffer.getvalue())
        stream.flush()
        return Answer("printed")
