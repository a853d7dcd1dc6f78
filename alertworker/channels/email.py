"""E-mail by SMTP, as text and as HTML."""

from __future__ import annotations

import html
import json
import smtplib
import ssl
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import formatdate
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr

from alertworker.channels import http
from alertworker.channels.config import ChannelConfig
from alertworker.channels.text import clean, counted, cut, entry_lines, one_line, sign
from alertworker.delivery import DeliveryError, Reason
from alertworker.messages import MAX_ENTRIES, Message
from alertworker.ports import Pace

#: RFC 5322, section 2.1.1: a line has at most 998 characters; a subject stays well below.
_MAX_SUBJECT: Final = 200
_MAX_VALUE: Final = 4_000
_REASONS: Final = {535: Reason.AUTH_ERROR, 530: Reason.AUTH_ERROR, 552: Reason.PAYLOAD_TOO_LARGE}


class EmailConfig(ChannelConfig):
    """A mail server, and who gets the mail."""

    kind: Literal["email"] = "email"
    host: str
    port: Annotated[int, Field(gt=0, lt=65_536)] = 587
    username: str | None = None
    password: SecretStr | None = None
    sender: str
    recipients: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    tls: Literal["starttls", "tls", "none"] = "starttls"


class Email:
    """Sends one mail to all recipients."""

    kind = "email"
    pace = Pace(interval=1.0, burst=5)
    digest_size = MAX_ENTRIES

    def __init__(self, config: EmailConfig) -> None:
        self.name = config.name
        self._config = config

    def render(self, message: Message) -> str:
        """Give subject, text and HTML as JSON."""
        subject = cut(f"{sign(message)} [{message.severity.value}] {one_line(message.headline)}", _MAX_SUBJECT)
        return json.dumps({"subject": subject, "text": _text(message), "html": _html(message)}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt; the Message-ID is that of every attempt, so that a mailbox knows a repeated one."""
        config = self._config
        if config.tls == "none" and not http.is_loopback(config.host):
            raise DeliveryError("mail without TLS goes to loopback only; set tls: starttls", Reason.REFUSED)
        mail = EmailMessage()
        parts = json.loads(body)
        mail["Subject"], mail["From"], mail["To"] = parts["subject"], config.sender, ", ".join(config.recipients)
        mail["Message-ID"] = f"<{notification_id}@alertworker>"
        mail["Date"] = formatdate()
        mail["X-Alertworker-Notification"] = notification_id
        mail.set_content(parts["text"])
        mail.add_alternative(parts["html"], subtype="html")
        try:
            with self._connect() as server:
                refused = server.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise _delivery_error(error) from None
        return f"250 accepted for {len(config.recipients) - len(refused)} of {len(config.recipients)}"

    def _connect(self) -> smtplib.SMTP:
        config, context = self._config, ssl.create_default_context()
        if config.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(config.host, config.port, timeout=http.DEADLINE, context=context)
        else:
            server = smtplib.SMTP(config.host, config.port, timeout=http.DEADLINE)
        try:
            if config.tls == "starttls":
                server.starttls(context=context)
            if config.username and config.password:
                server.login(config.username, config.password.get_secret_value())
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
        return server


def _delivery_error(error: Exception) -> DeliveryError:
    """Say what an SMTP error means; the library's own text may hold addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max((code for code, _ in error.recipients.values()), default=550)
        return _refused(code)
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused(error.smtp_code)
    if isinstance(error, TimeoutError):
        return DeliveryError(f"no answer within {http.DEADLINE:g} s", Reason.TIMEOUT)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeliveryError("the mail server offers no TLS; set tls", Reason.REFUSED)
    return DeliveryError(f"cannot be reached ({type(error).__name__})", Reason.UNREACHABLE)


def _refused(code: int) -> DeliveryError:
    reason = Reason.SERVER_ERROR if 400 <= code < 500 else _REASONS.get(code, Reason.CLIENT_ERROR)
    return DeliveryError(f"answered {code}", reason, status=code)


def _lines(message: Message) -> Iterable[str]:
    yield from entry_lines(message, 300)
    yield from (one_line(member) for member in message.members)
    if message.members_more:
        yield f"… and {message.members_more} more"


def _facts(message: Message) -> list[tuple[str, str]]:
    named = [*message.facts.items(), *message.metadata.items()]
    return [(one_line(name), cut(clean(value), _MAX_VALUE)) for name, value in named]


def _text(message: Message) -> str:
    lines = [f"{sign(message)} {one_line(message.headline)} [{message.severity.value}]", counted(message), ""]
    lines += [f"{name}: {value}" for name, value in _facts(message)]
    lines += ["", *(f"- {line}" for line in _lines(message)), ""]
    return "\n".join(
        [*lines, f"{message.type.value}, {message.at.isoformat(timespec='seconds')}, {message.alert_id}", ""]
    )


def _html(message: Message) -> str:
    e = html.escape
    facts = "".join(
        f'<tr><td style="padding:2px 16px 2px 0;color:#666;vertical-align:top">{e(name)}</td>'
        f'<td style="white-space:pre-wrap">{e(value)}</td></tr>'
        for name, value in _facts(message)
    )
    members = "".join(f"<li>{e(line)}</li>" for line in _lines(message))
    head = f"{sign(message)} {e(one_line(message.headline))} <small>[{e(message.severity.value)}]</small>"
    foot = f"{e(message.type.value)} · {e(message.at.isoformat(timespec='seconds'))} · alert {e(message.alert_id)}"
    return (
        '<div style="font-family:system-ui,sans-serif;font-size:14px;max-width:760px">'
        f'<h2 style="font-size:17px;margin:0 0 4px">{head}</h2><p style="margin:0 0 12px">{e(counted(message))}</p>'
        f"<table>{facts}</table><ul>{members}</ul>"
        f'<p style="color:#888;font-size:12px">{foot}</p></div>'
    )
