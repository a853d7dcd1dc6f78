"""E-mail by SMTP, as text and as HTML."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from base64 import b64decode, b64encode
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from alertworker.alerts.message import MAX_ENTRIES, Message
from alertworker.channels import address_guard, http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import NetworkConfig
from alertworker.channels.deadline import Deadline, Refused
from alertworker.channels.email.body import page, text
from alertworker.channels.email.chart import CONTENT_ID, draw
from alertworker.channels.plain_text import symbol_of
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.text.sanitize import cut, one_line

#: RFC 5322, section 2.1.1: a line has at most 998 characters; a subject stays well below.
_MAX_SUBJECT: Final = 200
_REASONS: Final = {535: Reason.AUTH_ERROR, 530: Reason.AUTH_ERROR, 552: Reason.PAYLOAD_TOO_LARGE}


#: The reason against ``tls: none``, with all remedies.
_UNENCRYPTED: Final = (
    "tls: without TLS mail is sent only to this host and to private networks. Set SMTP_TLS=true (tls: starttls, port "
    "587) or SMTP_USE_SSL=true (tls: tls, port 465), or name the relay in allowed_networks or allowed_hosts"
)
_NO_STARTTLS: Final = (
    "the mail server offers no STARTTLS; set SMTP_USE_SSL=true (tls: tls) with its port for TLS, usually 465, or use "
    "a relay on this host with SMTP_TLS=false (tls: none)"
)

Domain = Annotated[str, StringConstraints(to_lower=True, pattern=r"^(\*|[A-Za-z0-9.-]+)$")]


class EmailConfig(NetworkConfig):
    """A mail server, and the recipients."""

    kind: Literal["email"] = "email"
    host: str
    """Host name of the mail server."""
    port: Annotated[int, Field(gt=0, lt=65_536)] = 587
    """Port of the mail server."""
    username: str | None = None
    """User name at the mail server."""
    password: SecretStr | None = None
    """Password at the mail server. It is a secret; `os.environ/NAME` is the variable NAME."""
    sender: str
    """Address of the sender."""
    recipients: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    """Addresses of the recipients."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted. "none" is for loopback alone."""
    owner_domains: Annotated[tuple[Domain, ...], Field(max_length=100)] | None = None
    """Domains of budget owners that can get mail, "*" for any. Those of the sender and the recipients if not set."""

    @model_validator(mode="after")
    def _admitted(self) -> Self:
        reason = address_guard.refusal(self.host, tls=self.tls != "none", allowed=self.allowed)
        if reason is not None:
            raise ValueError(f"host: {reason}" if self.tls != "none" else _UNENCRYPTED)
        return self


class Email(BaseChannel[EmailConfig]):
    """Sends one mail to all recipients."""

    config_class = EmailConfig
    pace = Pace(interval=1.0, burst=5)
    digest_size = MAX_ENTRIES

    def render(self, message: Message) -> str:
        """Return subject, text and HTML as JSON."""
        subject = cut(f"{symbol_of(message)} [{message.severity.value}] {one_line(message.headline)}", _MAX_SUBJECT)
        parts = {
            "subject": subject,
            "text": text(message),
            "html": page(message),
            "thread": message.alert_id,
            "chart": b64encode(draw(message.chart)).decode() if message.chart else None,
            "files": [attachment.model_dump() for attachment in message.attachments],
        }
        return json.dumps(parts, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. Every attempt has the same Message-ID, so that a mailbox recognizes a repeated mail."""
        config = self._config
        mail = compose(body, notification_id, config)
        parts = json.loads(body)
        to: list[str] = parts.get("left") or [address.addr_spec for address in mail["To"].addresses]
        with Deadline(http.DEADLINE, connect=http.CONNECT_TIMEOUT, allowed=config.allowed) as deadline:
            try:
                server = self._connect(deadline)
                try:
                    refused = server.send_message(mail, to_addrs=to)
                finally:
                    _leave(server)
            except (smtplib.SMTPException, OSError) as error:
                raise _delivery_error(error, late=deadline.passed) from None
        left = [address for address in to if address in refused and 400 <= refused[address][0] < 500]
        accepted = f"250 accepted for {len(to) - len(refused)} of {len(to)}"
        if not left:
            return Answer(accepted)
        return Answer(f"{accepted}, {len(left)} tried again alone", remainder=json.dumps({**parts, "left": left}))

    def _connect(self, deadline: Deadline) -> smtplib.SMTP:
        config, context = self._config, ssl.create_default_context()
        server = _Server(deadline, config, context if config.tls == "tls" else None)
        try:
            if config.tls == "starttls":
                server.starttls(context=context)
            if config.username and config.password:
                server.login(config.username, config.password.get_secret_value())
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
        return server


def _leave(server: smtplib.SMTP) -> None:
    """End the session. It is known by now whether the server took the mail, so errors are ignored."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    with suppress(OSError):
        server.close()


def compose(body: str, notification_id: str, config: EmailConfig) -> EmailMessage:
    """Return the mail. Mails about one alert form a thread; no absence notice answers them (RFC 3834, section 5)."""
    mail = EmailMessage()
    parts = json.loads(body)
    to = parts.get("to", config.recipients)
    mail["Subject"], mail["From"], mail["To"] = parts["subject"], config.sender, ", ".join(to)
    mail["Message-ID"] = f"<{notification_id}@alertworker>"
    mail["References"] = f"<{parts['thread']}@alertworker>"
    mail["Date"] = formatdate()
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Alertworker-Notification"] = notification_id
    mail.set_content(parts["text"])
    mail.add_alternative(parts["html"], subtype="html")
    shown = mail.get_body(("html",))
    if parts.get("chart") and shown is not None:
        shown.add_related(b64decode(parts["chart"]), "image", "png", cid=f"<{CONTENT_ID}>", disposition="inline")
    for file in parts.get("files", ()):
        maintype, subtype = file["media_type"].split("/")
        # As bytes, because text would get other line endings.
        content, charset = file["content"].encode(), {"charset": "utf-8"}
        mail.add_attachment(content, maintype=maintype, subtype=subtype, filename=file["name"], params=charset)
    return mail


class _Server(smtplib.SMTP):
    """A connection to the mail server that the deadline opens; with a ``context`` it begins in TLS."""

    def __init__(self, deadline: Deadline, config: EmailConfig, context: ssl.SSLContext | None) -> None:
        self._deadline = deadline
        self._tls = config.tls != "none"
        self._context = context
        super().__init__(config.host, config.port, timeout=http.DEADLINE)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Open the connection. This method is smtplib's own, which its SMTP_SSL overrides, too."""
        connection = self._deadline.connect(host, port, tls=self._tls)
        connection.settimeout(timeout)
        return self._context.wrap_socket(connection, server_hostname=host) if self._context else connection


def _delivery_error(error: Exception, *, late: bool) -> DeliveryError:
    """Return what an SMTP error means. The library's own text may hold addresses."""
    if isinstance(error, Refused):
        return DeliveryError(address_guard.NOT_PUBLIC, Reason.REFUSED)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # If one recipient may take it later, the mail is tried again.
        return _refused(min((code for code, _ in error.recipients.values()), default=550))
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused(error.smtp_code)
    if late or isinstance(error, TimeoutError):
        return DeliveryError(f"no answer within {http.DEADLINE:g} s", Reason.TIMEOUT)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeliveryError(_NO_STARTTLS, Reason.REFUSED)
    return DeliveryError(f"cannot be reached ({type(error).__name__})", Reason.UNREACHABLE)


def _refused(code: int) -> DeliveryError:
    reason = Reason.SERVER_ERROR if 400 <= code < 500 else _REASONS.get(code, Reason.CLIENT_ERROR)
    return DeliveryError(f"answered {code}", reason, status=code)
