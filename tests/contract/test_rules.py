"""The rules themselves: a body that breaks one is refused. A rule that lets everything through proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.cases import CASES
from tests.contract.kinds import Sent, sent
from tests.contract.rules import RULES


def _json(change: Callable[[Any], object]) -> Callable[[Sent], Sent]:
    def changed(posted: Sent) -> Sent:
        body = json.loads(posted.body)
        change(body)
        return replace(posted, body=json.dumps(body, ensure_ascii=False))

    return changed


def _text(old: str, new: str) -> Callable[[Sent], Sent]:
    return lambda posted: replace(posted, body=posted.body.replace(old, new, 1))


def _card(body: Any) -> Any:
    return body["attachments"][0]["content"]["body"]


BROKEN: list[tuple[str, str, Callable[[Sent], Sent]]] = [
    ("slack", "51 blocks", _json(lambda b: b.update(blocks=b["blocks"][:1] * 51))),
    ("slack", "section text has 3001", _json(lambda b: b["blocks"][0]["text"].update(text="x" * 3_001))),
    ("slack", "section text has 3002", _json(lambda b: b["blocks"][0]["text"].update(text="𝕏" * 1_501))),
    ("slack", "more than 10 fields", _json(lambda b: b["blocks"][1].update(fields=b["blocks"][1]["fields"] * 9))),
    (
        "slack",
        "characters in all",
        _json(lambda b: b.update(blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_500}}] * 5)),
    ),
    ("slack", "markup", _json(lambda b: b.update(text="<!channel>"))),
    ("slack", "markup", _json(lambda b: b["blocks"][0]["text"].update(text="@here"))),
    ("slack", "code that does not end", _json(lambda b: b["blocks"][0]["text"].update(text="`x"))),
    ("slack", "ampersand", _json(lambda b: b["blocks"][0]["text"].update(text="x &am… cut"))),
    ("slack", "block 'table'", _json(lambda b: b["blocks"].append({"type": "table"}))),
    ("discord", "mentions", _json(lambda b: b.pop("allowed_mentions"))),
    ("discord", "title has 257", _json(lambda b: b["embeds"][0].update(title="x" * 257))),
    ("discord", "description has 4097", _json(lambda b: b["embeds"][0].update(description="x" * 4_097))),
    ("discord", "26 fields", _json(lambda b: b["embeds"][0].update(fields=[{"name": "n", "value": "v"}] * 26))),
    ("discord", "field value has 0", _json(lambda b: b["embeds"][0].update(fields=[{"name": "n", "value": " "}]))),
    ("discord", "in all embeds", _json(lambda b: b.update(embeds=[b["embeds"][0] | {"description": "x" * 900}] * 10))),
    ("discord", "11 embeds", _json(lambda b: b.update(embeds=b["embeds"] * 11))),
    ("discord", "'@'", _json(lambda b: b["embeds"][0].update(title="@everyone"))),
    ("discord", "`", _json(lambda b: b["embeds"][0].update(title="\\\\`x"))),
    ("ms_teams", "bytes", _json(lambda b: _card(b)[0].update(text="x" * 28_000))),
    ("ms_teams", "bytes", _json(lambda b: _card(b)[0].update(text='"' * 8_000))),
    ("ms_teams", "no charset", lambda posted: replace(posted, headers={"Content-Type": "application/json"})),
    ("ms_teams", "wrap", _json(lambda b: _card(b)[0].pop("wrap"))),
    ("ms_teams", "link_open", _json(lambda b: _card(b)[0].update(text="[x](https://evil.example)"))),
    ("ms_teams", "a function", _json(lambda b: _card(b)[0].update(text="{{DATE(x)}}"))),
    ("ms_teams", "element 'Chart'", _json(lambda b: _card(b).append({"type": "Chart"}))),
    ("ms_teams", "an empty FactSet", _json(lambda b: _card(b).append({"type": "FactSet", "facts": []}))),
    ("pagerduty", "dedup_key has 256", _json(lambda b: b.update(dedup_key="x" * 256))),
    ("pagerduty", "summary has 1025", _json(lambda b: b["payload"].update(summary="x" * 1_025))),
    ("pagerduty", "routing_key has 3", _json(lambda b: b.update(routing_key="abc"))),
    ("pagerduty", "severity", _json(lambda b: b["payload"].update(severity="High"))),
    ("pagerduty", "event_action", _json(lambda b: b.update(event_action="update"))),
    ("pagerduty", "bytes", _json(lambda b: b["payload"].update(custom_details={"x": "y" * 600_000}))),
    ("pagerduty", "via HTTPS", _json(lambda b: b.update(images=[{"src": "http://x.example/i.png"}]))),
    ("email", "headers", _text("To: ops", "Bcc: victim@example.com\nTo: ops")),
    ("email", "998", _text("Subject:", "Subject: " + "x" * 1_000)),
    ("email", "a picture from", _text("<h1 ", '<img src=3D"https://x.example/i.png"><h1 ')),
    ("email", "does not end", _text("</html>", "")),
    ("console", "control", _text("3 failed", "3 \x1b[31mfailed")),
    ("console", "looks like a message", _text("\n   Calls", "\nCalls")),
]


@pytest.mark.parametrize(("kind", "complaint", "broken"), BROKEN, ids=[f"{kind}: {what}" for kind, what, _ in BROKEN])
def test_a_broken_body_is_refused(kind: str, complaint: str, broken: Callable[[Sent], Sent]) -> None:
    """For the reason that it was broken for."""
    whole = sent(kind, CASES["raised"])

    assert RULES[kind](whole) == []
    assert any(complaint in found for found in RULES[kind](broken(whole)))


def test_a_changed_webhook_does_not_verify() -> None:
    """The signature is of every byte."""
    whole = sent("webhook", CASES["raised"])

    with pytest.raises(Exception, match="No matching signature"):
        RULES["webhook"](replace(whole, body=whole.body.replace("gpt", "xpt")))
