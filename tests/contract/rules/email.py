"""Mail: RFC 5322 and 2047 for its header, and a page that gets nothing from elsewhere and is well formed."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser

from tests.contract.kinds import MAIL, Sent
from tests.contract.rules.shape import length

_HEADERS = {
    "Subject", "From", "To", "Message-ID", "References", "Date", "Auto-Submitted", "X-Auto-Response-Suppress",
    "X-Alertworker-Notification", "MIME-Version", "Content-Type",
}  # fmt: skip
_VOID = {"meta", "br", "img"}
_KNOWN = _VOID | set("html head title style body div p span h1 h2 a table tr th td ul li b".split())  # noqa: SIM905
_ATTRIBUTES = {"style", "class", "role", "lang", "charset", "name", "content", "href", "src", "alt", "width"}
#: Gmail clips a longer page: https://github.com/hteumeuleu/email-bugs/issues/41
_CLIPPED = 102 * 1024


def complaints(sent: Sent) -> list[str]:
    """Say what would break a mail or its reader."""
    return list(_complaints(sent.body))


def read(mail: str) -> EmailMessage:
    """Read a mail as its receiver does."""
    return email.message_from_string(mail, policy=email.policy.default)


def page(mail: EmailMessage) -> str:
    """Give its HTML."""
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def plain(mail: EmailMessage) -> str:
    """Give its text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def shown(sent: Sent) -> str:
    """Give the text that a reader sees of the page."""
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
    """Say what is wrong with how it is put together: text or page; the page's picture with it; files at the end."""
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
    """Notes whatever is unknown, does not end where it should, or comes from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
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
        """Note an end that is none."""
        if not self.open or self.open.pop() != tag:
            self.found.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Note text where none may be, and a style sheet that gets something."""
        self.texts.append(data)
        if self.open and self.open[-1] in ("table", "tr", "ul", "html", "head") and data.strip():
            self.found.append(f"text in <{self.open[-1]}>")
        if self.open and self.open[-1] == "style" and ("url(" in data or "@import" in data):
            self.found.append("a style sheet from elsewhere")
