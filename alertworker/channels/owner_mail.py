"""Mail to the owners of a budget: the user of its key, and the addresses in the metadata of its team.

The mail goes through a configured mail server, to the domains that this server may write to. Each mail is about one
budget, so that no team reads about another team.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from email.utils import parseaddr
from typing import Final

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.message import Message
from alertworker.channels.config import ChannelConfig
from alertworker.channels.email.channel import Email, EmailConfig

#: An address of a usual form. RFC 5321 allows more, but no mailbox has it. The domain is the second group.
_ADDRESS: Final = re.compile(
    r"(?<![\w.@+-])([A-Za-z0-9_+-](?:[A-Za-z0-9._+-]{0,62}[A-Za-z0-9_+-])?)@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63})(?![\w@-])"
)
#: RFC 5321, section 4.5.3.1.3: a path has 256 characters with its brackets.
_MAX_ADDRESS: Final = 254
_MAX_RECIPIENTS: Final = 20
_ANY: Final = "*"


class OwnerMail(Email):
    """Sends to the owners of the message's budget, and not to the channel's own recipients."""

    #: Messages are never merged, because they have different readers.
    digest_size = 0

    def __init__(self, config: EmailConfig) -> None:
        super().__init__(config)
        #: The name of the channel whose server and sender it uses.
        self.mail_channel = config.name
        self.name, self.kind = f"{config.name}-owners", "owner_mail"
        self._domains = domains(config)

    def takes(self, message: Message, /) -> bool:
        """Return whether the message is about a budget with an owner's address in an allowed domain."""
        return bool(self._owners(message))

    def render(self, message: Message) -> str:
        """Return the mail with its recipients, so that every attempt goes to the same ones."""
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


def build_owner_mail(configs: Iterable[ChannelConfig]) -> OwnerMail | None:
    """Return the channel to owners of budgets, over the first mail channel that may write to owners."""
    mail = (config for config in configs if isinstance(config, EmailConfig) and domains(config))
    return next(map(OwnerMail, mail), None)


def domains(config: EmailConfig) -> frozenset[str]:
    """Return the domains of owners that may be written to."""
    if config.owner_domains is not None:
        return frozenset(config.owner_domains)
    known = (parseaddr(address)[1] for address in (config.sender, *config.recipients))
    return frozenset(address.rpartition("@")[2].lower() for address in known if "@" in address)


def addresses(figures: BudgetFigures) -> Iterator[tuple[str, str]]:
    """Return the addresses of a budget's owners, each with its domain."""
    for text in (figures.alert_emails, figures.user_email):
        for match in _ADDRESS.finditer(text or ""):
            if len(match[0]) <= _MAX_ADDRESS:
                yield match[0], match[2].lower()
