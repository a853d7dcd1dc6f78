"""E-mail against a real SMTP server: what arrives, and what each refusal means."""

from __future__ import annotations

import email
import email.policy
import io
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from html5lib import parse
from PIL import Image
from pydantic import SecretStr

from alertworker.alerts.catalogue import TRACE
from alertworker.channels import build_channel, http
from alertworker.channels.email.channel import EmailConfig
from alertworker.channels.email.chart import COLOURS, HEIGHT, WIDTH
from alertworker.delivery.retry import TRANSIENT, DeliveryError, Reason
from tests.contract.cases import message
from tests.contract.kinds import sent
from tests.contract.report_cases import REPORT_CASES
from tests.contract.vendors.email import read
from tests.ports import free_port

PASSWORD = "canaryMailPassword"


class Mailbox:
    """Stores each mail, and sends the configured replies."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.to: list[list[str]] = []
        self.answer = "250 OK"
        self.quit_reply = "221 Bye"
        #: The answers to recipients that the server refuses.
        self.refusals: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient, or not."""
        if address not in self.refusals:
            envelope.rcpt_tos.append(address)
        return self.refusals.get(address, "250 OK")

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        """Answer QUIT."""
        return self.quit_reply

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        """Take a mail."""
        if self.answer.startswith("250"):
            self.to.append(list(envelope.rcpt_tos))
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


@pytest.fixture
def mailbox() -> Mailbox:
    """Return an empty mailbox."""
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmailConfig]:
    """Run a mail server that wants TLS and a password; gives how to reach it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    running = Controller(
        mailbox, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
        authenticator=authenticate, auth_required=True,
    )  # fmt: skip
    running.start()
    yield EmailConfig(
        name="mail", host="localhost", port=running.port, username="u", password=SecretStr(PASSWORD),
        sender="alerts@example.com", recipients=("ops@example.com", "team@example.com"),
    )  # fmt: skip
    running.stop()


def attempt(config: EmailConfig, body: str) -> DeliveryError:
    """Send, and return the error that is expected."""
    with pytest.raises(DeliveryError) as caught:
        build_channel(config).send(body, notification_id="n-1")
    assert PASSWORD not in str(caught.value)
    assert config.host not in str(caught.value)
    return caught.value


def test_a_mail_arrives_as_text_and_html_with_the_same_id_each_time(server: EmailConfig, mailbox: Mailbox) -> None:
    """No header can be smuggled in by a headline, and HTML is escaped."""
    channel = build_channel(server)
    body = channel.render(message(headline="a\r\nBcc: victim@example.com <script>"))
    for _ in range(2):
        assert channel.send(body, notification_id="n-1").text.startswith("250")

    first, second = mailbox.mails
    assert first["To"] == "ops@example.com, team@example.com"
    assert first["Bcc"] is None
    assert first["Message-ID"] == second["Message-ID"] == "<n-1@alertworker>"
    assert "Bcc: victim@example.com <script>" in first["Subject"]
    assert "01a20a23-7752-7f27-b047-fa4b04cc253c" in first.get_body(("plain",)).get_content()
    assert "&lt;script&gt;" in first.get_body(("html",)).get_content()


def test_a_link_ends_where_the_caller_would_end_its_attribute() -> None:
    """A trace id is a caller's text, so a quote in it must stay within the address."""
    page = read(sent("email", message(facts={TRACE: 'https://x/"style="color:red', "Team": "<b>"})).body)
    html = page.get_body(("html",))
    assert html is not None
    (link,) = [found.attrib for found in parse(html.get_content()).iter() if found.tag.endswith("}a")]

    assert link == {"href": 'https://x/"style="color:red'}


def test_a_report_arrives_with_its_chart_and_every_row(server: EmailConfig, mailbox: Mailbox) -> None:
    """The picture stands where the page shows it; the file is what was made, to the byte."""
    report = REPORT_CASES["report_late"]
    channel = build_channel(server)
    channel.send(channel.render(report), notification_id="n-1")

    (mail,) = mailbox.mails
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "spend-2026-11-16-2026-11-22.csv"
    assert file.get_payload(decode=True).decode() == report.attachments[0].content
    related = mail.get_body(("related",))
    page, picture = related.iter_parts()
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in page.get_content()
    image = Image.open(io.BytesIO(picture.get_payload(decode=True)))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    pixels = [pixel for _, pixel in image.getcolors(1 << 20) or () if isinstance(pixel, tuple)]
    assert {"#" + bytes(map(int, pixel[:3])).hex() for pixel in pixels} >= set(COLOURS)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("451 try later", Reason.SERVER_ERROR),
        ("452 full", Reason.SERVER_ERROR),
        ("550 no", Reason.CLIENT_ERROR),
        ("552 too big", Reason.PAYLOAD_TOO_LARGE),
    ],
)
def test_each_refusal_has_its_meaning(server: EmailConfig, mailbox: Mailbox, answer: str, reason: Reason) -> None:
    """4xx is for later, 5xx for good."""
    mailbox.answer = answer

    assert attempt(server, build_channel(server).render(message())).reason is reason


@pytest.mark.parametrize("quit_reply", ["421 shutting down", "250 what?", "500 no such command"])
def test_a_servers_reply_after_it_accepted_a_mail_changes_nothing(
    server: EmailConfig, mailbox: Mailbox, quit_reply: str
) -> None:
    """It has the mail: another attempt would bring it twice, and a dead letter would be untrue."""
    mailbox.quit_reply = quit_reply
    channel = build_channel(server)

    assert channel.send(channel.render(message()), notification_id="n-1").text == "250 accepted for 2 of 2"


@pytest.mark.parametrize(
    ("refusals", "reason"),
    [
        (("451 later", "550 nobody"), Reason.SERVER_ERROR),
        (("550 nobody", "452 full"), Reason.SERVER_ERROR),
        (("550 nobody", "550 nobody"), Reason.CLIENT_ERROR),
    ],
)
def test_a_mail_is_retried_while_one_recipient_may_accept_it(
    server: EmailConfig, mailbox: Mailbox, refusals: tuple[str, str], reason: Reason
) -> None:
    """A permanently refused address does not lose the mail for the others."""
    mailbox.refusals = dict(zip(server.recipients, refusals, strict=True))

    assert attempt(server, build_channel(server).render(message())).reason is reason
    assert mailbox.mails == []


def test_only_temporarily_refused_recipients_are_retried(server: EmailConfig, mailbox: Mailbox) -> None:
    """The others have it and get it no second time; the mail is the same, also in whom it names."""
    ops, team = server.recipients
    mailbox.refusals = {team: "452 full"}
    channel = build_channel(server)
    answer = channel.send(channel.render(message()), notification_id="n-1")
    assert answer.text == "250 accepted for 1 of 2, 1 tried again alone"
    assert answer.remainder is not None
    assert attempt(server, answer.remainder).reason is Reason.SERVER_ERROR
    mailbox.refusals.clear()

    assert channel.send(answer.remainder, notification_id="n-2").remainder is None
    assert mailbox.to == [[ops], [team]]
    assert {mail["To"] for mail in mailbox.mails} == {f"{ops}, {team}"}


def test_the_answer_names_permanently_refused_recipients(server: EmailConfig, mailbox: Mailbox) -> None:
    """A recipient that was refused permanently is not tried again."""
    mailbox.refusals = {server.recipients[0]: "550 nobody"}
    channel = build_channel(server)
    answer = channel.send(channel.render(message()), notification_id="n-1")

    assert (answer.text, answer.remainder) == ("250 accepted for 1 of 2", None)


def test_a_wrong_password_is_an_authentication_error(server: EmailConfig) -> None:
    """The error does not repeat the password."""
    wrong = server.model_copy(update={"password": SecretStr("wrong")})

    assert attempt(wrong, build_channel(server).render(message())).reason is Reason.AUTH_ERROR


def test_a_certificate_of_an_unknown_authority_is_refused(
    server: EmailConfig, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail is not sent to another server that answers."""
    monkeypatch.delenv("SSL_CERT_FILE")

    attempt(server, build_channel(server).render(message()))
    assert mailbox.mails == []


def test_a_server_that_is_away_or_silent_is_tried_again(server: EmailConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """All attempts end within the deadline."""
    monkeypatch.setattr(http, "DEADLINE", 0.5)
    away = server.model_copy(update={"port": free_port()})
    assert attempt(away, build_channel(server).render(message())).reason is Reason.UNREACHABLE
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = server.model_copy(update={"host": "127.0.0.1", "port": listener.getsockname()[1]})
        assert attempt(silent, build_channel(server).render(message())).reason in TRANSIENT
