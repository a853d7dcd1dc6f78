"""Mail: RFC 5322 and 2047 for its header, and a well-formed page that loads nothing from elsewhere."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser

from alertworker.channels.email.channel import EmailConfig
from alertworker.channels.email.channel import compose as compose_mail
from tests.contract.shape import Change, Sent, change_text, length

MAIL = EmailConfig(
    name="email", host="127.0.0.1", sender="alerts@example.com", recipients=("ops@example.com", "team@example.com")
)
#: A larger table is too long to be reviewed as a golden file.
_LARGE = 20_000
_HEADERS = {
    "Subject", "From", "To", "Message-ID", "References", "Date", "Auto-Submitted", "X-Auto-Response-Suppress",
    "X-Alertworker-Notification", "MIME-Version", "Content-Type",
}  # fmt: skip
_VOID = {"meta", "br", "img"}
_KNOWN = _VOID | set("html head title style body div p span h1 h2 a table tr th td ul li b".split())  # noqa: SIM905
_ATTRIBUTES = {"style", "class", "role", "lang", "charset", "name", "content", "href", "src", "alt", "width"}
#: Gmail clips a longer page: https://github.com/hteumeuleu/email-bugs/issues/41
_CLIPPED = 102 * 1024


def config(_url: str) -> EmailConfig:
    """Return a configuration. The mail server is not a URL."""
    return MAIL


def compose(body: str) -> Sent:
    """Return the bytes of the mail."""
    return Sent(compose_mail(body, "n-1", MAIL).as_bytes().decode("ascii"), {})


def golden(body: str) -> dict[str, str]:
    """Return the mail as its text, after its subject, as its page, and as its table."""
    read = json.loads(body)
    files = {".txt": f"Subject: {read['subject']}\n\n{read['text']}", ".html": read["html"]}
    tables = [file["content"] for file in read["files"] if len(file["content"]) < _LARGE]
    return files | ({".csv": tables[-1]} if tables else {})


def complaints(sent: Sent) -> list[str]:
    """Return what would break a mail or its reader."""
    return list(_complaints(sent.body))


def read(mail: str) -> EmailMessage:
    """Return a mail as its receiver parses it."""
    return email.message_from_string(mail, policy=email.policy.default)


def page(mail: EmailMessage) -> str:
    """Return its HTML."""
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def plain(mail: EmailMessage) -> str:
    """Return its text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def shown(sent: Sent) -> str:
    """Return the text that a reader sees of the page."""
    parser = _Page()
    parser.feed(page(read(sent.body)))
    parser.close()
    return "\n".join(parser.texts)


def _complaints(raw: str) -> Iterator[str]:
    if any(len(line) > 998 for line in raw.splitlines()):
        yield "a line of more than 998 characters"
    head = raw.partition("\n\n")[0]
    if not head.isascii():
        yield "a header that is not encoded"
    mail = read(raw)
    if {*mail.keys()} != _HEADERS or len(mail.keys()) != len(_HEADERS):
        yield f"headers {sorted(mail.keys())}"
    yield from length("subject", mail["Subject"], 255)
    if mail["To"] != ", ".join(MAIL.recipients) or mail["From"] != MAIL.sender:
        yield "another sender or receiver"
    yield from _parts(mail)
    html = page(mail)
    if len(html.encode()) > _CLIPPED:
        yield f"{len(html.encode())} bytes of HTML"
    parser = _Page()
    parser.feed(html)
    parser.close()
    yield from parser.found
    yield from (f"<{tag}> does not end" for tag in parser.open)


def _parts(mail: EmailMessage) -> Iterator[str]:
    """Complain about the structure of a mail: text or page, with the picture of the page, and files at the end."""
    files = list(mail.iter_attachments()) if mail.get_content_type() == "multipart/mixed" else []
    body = next(iter(mail.iter_parts())) if files else mail
    if body.get_content_type() != "multipart/alternative":
        yield body.get_content_type()
    for file in files:
        if file.get_content_type() != "text/csv" or not str(file.get_filename()).endswith(".csv"):
            yield f"a file {file.get_filename()!r}"
    pictures = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    if [part["Content-ID"] for part in pictures] != ["<chart@alertworker>"] * ("cid:chart" in page(mail)):
        yield "a picture that no page shows, or none where one is shown"


class _Page(HTMLParser):
    """Notes what is unknown, does not end where it should, or is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an unknown element."""
        if tag not in _KNOWN:
            self.found.append(f"<{tag}>")
        if tag not in _VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name not in _ATTRIBUTES or re.search(r"url\(|expression|javascript:", value or ""):
                self.found.append(f"<{tag} {name}={value!r}>")
            if name == "src" and value != "cid:chart@alertworker":
                self.found.append(f"a picture from {value!r}")
            if name == "href" and not re.fullmatch(r"https?://[!-~]+", value or ""):
                self.found.append(f"a link to {value!r}")

    def handle_endtag(self, tag: str) -> None:
        """Note an end without a beginning."""
        if not self.open or self.open.pop() != tag:
            self.found.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Note text in a wrong place, and a style sheet that loads something."""
        self.texts.append(data)
        if self.open and self.open[-1] in ("table", "tr", "ul", "html", "head") and data.strip():
            self.found.append(f"text in <{self.open[-1]}>")
        if self.open and self.open[-1] == "style" and ("url(" in data or "@import" in data):
            self.found.append("a style sheet from elsewhere")


BROKEN: list[tuple[str, Change]] = [
    ("headers", change_text("To: ops", "Bcc: victim@example.com\nTo: ops")),
    ("998", change_text("Subject:", "Subject: " + "x" * 1_000)),
    ("a picture from", change_text("<h1 ", '<img src=3D"https://x.example/i.png"><h1 ')),
    ("does not end", change_text("</html>", "")),
]
