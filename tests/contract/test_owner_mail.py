"""Mail to owners of budgets: only to valid addresses at allowed domains, and one budget in each mail."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.channels.email.channel import EmailConfig
from alertworker.channels.owner_mail import OwnerMail, build_owner_mail
from alertworker.channels.slack import SlackConfig
from alertworker.cli import cli
from alertworker.delivery.retry import DeliveryError
from tests.ports import free_port

MAIL = EmailConfig(
    name="mail", host="127.0.0.1", tls="none", sender="Alerts <a@corp.example>", recipients=("ops@ops.example",)
)


def message(**owners: str | None) -> Message:
    """Return a message about a budget of these owners."""
    figures = BudgetFigures(
        event=BudgetEvent.BUDGET_CROSSED, scope="key", entity_id="app", spend_nanos=1, max_nanos=1, **owners
    )
    return Message(
        alert_id="a-1",
        type=AlertType.BUDGET_ALERTS,
        severity=Severity.HIGH,
        step=Step.FIRING,
        headline="Key app: budget of $1 used up",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        since=datetime(2026, 11, 23, tzinfo=UTC),
        figures=figures,
    )


def written_to(made: Message, config: EmailConfig = MAIL) -> list[str]:
    """Return the recipients of a message."""
    channel = OwnerMail(config)
    to: list[str] = json.loads(channel.render(made))["to"]
    assert channel.takes(made) == bool(to)
    return to


@pytest.mark.parametrize(
    "text",
    [
        "lead@corp.example,cfo@ops.example",
        "lead@corp.example, cfo@ops.example",
        "['lead@corp.example', 'cfo@ops.example']",
    ],
)
def test_a_teams_list_and_the_keys_user_are_written_to(text: str) -> None:
    """Each address at the domains of the sender and the recipients gets one mail. Any separator may be between
    addresses.
    """
    made = message(alert_emails=text, user_email="lead@corp.example")

    assert written_to(made) == ["lead@corp.example", "cfo@ops.example"]


@pytest.mark.parametrize(
    "address",
    [
        "ada@evil.example",
        "ada@corp.example.evil.example",
        "ada@evilcorp.example",
        "ada@corp",
        "ada",
        "default_user_id",
        "@corp.example",
        "ada@corp.example@evil.example",
        "ada@-",
        "",
        None,
    ],
)
def test_no_other_address_is_notified(address: str | None) -> None:
    """Addresses at other domains get nothing, and other strings are ignored."""
    assert written_to(message(user_email=address)) == []


def test_domains_are_a_setting() -> None:
    """The setting may name other domains, any, or none."""
    made = message(user_email="Ada@Partner.Example")
    of = {domains: MAIL.model_copy(update={"owner_domains": domains}) for domains in (("partner.example",), ("*",), ())}

    assert [written_to(made, config) for config in of.values()] == [["Ada@Partner.Example"]] * 2 + [[]]
    assert build_owner_mail([of[()]]) is None
    slack = SlackConfig.model_validate({"name": "s", "url": "https://hooks.example/x"})
    built = build_owner_mail([slack, of[()], MAIL, of["*",]])
    assert built is not None
    assert (built.name, built.digest_size) == ("mail-owners", 0)


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_makes_another_header_or_recipient(left: str, right: str) -> None:
    """Any text may surround an address."""
    for address in written_to(message(user_email=f"{left}ada@corp.example{right}")):
        assert not set(address) & set("\r\n ,;<>\"'()")
        assert address.count("@") == 1


def test_a_message_without_a_budget_goes_to_no_owner() -> None:
    """A message without figures has no owner."""
    plain = message().model_copy(update={"figures": None})

    assert not OwnerMail(MAIL).takes(plain)


def test_check_names_the_channel_that_notifies_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is null if no domain is allowed."""
    mail = "{kind: email, name: mail, host: 127.0.0.1, tls: none, sender: a@corp.example, recipients: [o@corp.example]"
    monkeypatch.chdir(tmp_path)

    def owner_mail(more: str) -> object:
        text = f"alertworker:\n  receivers:\n    - name: ops\n      channels: [{mail}{more}}}]\n"
        (tmp_path / "alertworker.yaml").write_text(text)
        return json.loads(CliRunner().invoke(cli, ["check", "--json"]).output)["owner_mail"]

    assert owner_mail("") == "mail-owners"
    assert owner_mail(", owner_domains: []") is None


class Mailbox:
    """A mailbox that keeps mails with the recipients of their envelopes."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Any]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        """Accept a mail."""
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """Run a mail server."""
    port = free_port()
    box = Mailbox()
    running = Controller(box, hostname="127.0.0.1", port=port)
    running.start()
    yield box, port
    running.stop()


def test_the_mail_goes_to_the_owners_alone(mailbox: tuple[Mailbox, int]) -> None:
    """The channel's own recipients get nothing."""
    box, port = mailbox
    channel = OwnerMail(MAIL.model_copy(update={"port": port}))
    answer = channel.send(channel.render(message(user_email="ada@corp.example")), notification_id="n-1")

    ((to, mail),) = box.mails
    assert to == ["ada@corp.example"]
    assert mail["To"] == "ada@corp.example"
    assert answer.text == "250 accepted for 1 of 1"
    with pytest.raises(DeliveryError, match="550"):  # no domain is allowed any more
        channel.send(channel.render(message(user_email="ada@evil.example")), notification_id="n-2")
    assert len(box.mails) == 1
