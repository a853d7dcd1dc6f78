"""Mail to those whom a budget belongs to: its key's user, and whom its team's metadata names.

Over a mail server that is configured, to domains that it may write to, and each mail about one budget only: what is
one team's is nobody else's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Final

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.message import Message
from alertworker.channels.email.channel import Email, EmailConfig

#: An address as people have one; what RFC 5321 allows beside that is nobody's. The domain is the second group.
_ADDRESS: Final = re.compile(
    r"(?<![\w.@+-])([A-Za-z0-9_+-](?:[A-Za-z0-9._+-]{0,62}[A-Za-z0-9_+-])?)@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63})(?![\w@-])"
)
#: RFC 5321, section 4.5.3.1.3: a path has 256 characters with its brackets.
_MAX_ADDRESS: Final = 254
_MAX_RECIPIENTS: Final = 20
_ANY: Final = "*"


class OwnerMail(Email):
    """Sends to the owners of the budget that a message is about, and to nobody of the channel's own recipients."""

    kind = "owner_mail"
    #: Never several in one: they have different readers.
    digest_size = 0

    def __init__(self, config: EmailConfig) -> None:
        super().__init__(config)
        self.name = f"{config.name}-owners"
        self._domains = domains(config)

    def takes(self, message: Message, /) -> bool:
        """Want what is about a budget whose owners have an address that may be written to."""
        return bool(self._owners(message))

    def render(self, message: Message) -> str:
        """Give the mail with its recipients, so that every attempt goes to the same ones."""
        return json.dumps({**json.loads(super().render(message)), "to": self._owners(message)}, ensure_ascii=False)

    def _owners(self, message: Message) -> list[str]:
        if message.figures is None:
            return []
        found = (
            address
            for address, domain in addresses(message.figures)
            if domain in self._domains or _ANY in self._domains
        )
        return list(dict.fromkeys(found))[:_MAX_RECIPIENTS]


def domains(config: EmailConfig) -> frozenset[str]:
    """Give the domains that owners may be written to at."""
    if config.owner_domains is not None:
        return frozenset(config.owner_domains)
    known = (parseaddr(address)[1] for address in (config.sender, *config.recipients))
    return frozenset(address.rpartition("@")[2].lower() for address in known if "@" in address)


def addresses(figures: BudgetFigures) -> Iterator[tuple[str, str]]:
    """Give the addresses of a budget's owners, each with its domain; what looks like none is left out."""
    for text in (figures.alert_emails, figures.user_email):
        for match in _ADDRESS.finditer(text or ""):
            if len(match[0]) <= _MAX_ADDRESS:
                yield match[0], match[2].lower()
