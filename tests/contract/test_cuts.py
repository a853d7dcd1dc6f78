"""If any part of a message is too long for a receiver, a reader sees where it was cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Column, Table, Unit
from alertworker.text.shorten import CUT, ELLIPSIS
from tests.contract.cases import message
from tests.contract.kinds import every_kind_for_alerts, sent, shown

#: Numbered words, which show where a text ends.
LONG = " ".join(f"w{number:05d}w" for number in range(1_000, 3_000))
WORD = re.compile(r"w(\d{5})w")


def table(**fields: str) -> Table:
    """Return a table with a long name in it."""
    columns = (Column(name=fields.get("column", "Team")), Column(name="Spend", unit=Unit.COUNT))
    return Table(title=fields.get("title", "By team"), columns=columns, rows=((fields.get("cell", "search"), 1),))


#: Every string of a message that a caller chooses.
FIELDS: Mapping[str, Callable[[str], Message]] = {
    "headline": lambda text: message(headline=text, facts={}, members=()),
    "fact": lambda text: message(facts={"Error": text}, members=()),
    "fact's name": lambda text: message(facts={text: "x"}, members=()),
    "many facts": lambda text: message(facts={f"f{n}": part for n, part in enumerate(text.split(" "))}, members=()),
    "member": lambda text: message(members=(text,)),
    "members": lambda text: message(members=tuple(text[at : at + 400] for at in range(0, 16_000, 400))),
    "metadata": lambda text: message(metadata={"note": text}),
    "metadata's name": lambda text: message(metadata={text: "x"}),
    "much metadata": lambda text: message(metadata={f"m{n}": text[n * 400 : n * 400 + 400] for n in range(32)}),
    "proxy": lambda text: message(proxy_url=f"https://{text}"),
    "cell": lambda text: message(type=AlertType.SPEND_REPORTS, step=Step.NOTICE, tables=(table(cell=text),)),
    "column": lambda text: message(type=AlertType.SPEND_REPORTS, step=Step.NOTICE, tables=(table(column=text),)),
    "title of a table": lambda text: message(
        type=AlertType.SPEND_REPORTS, step=Step.NOTICE, tables=(table(title=text),)
    ),
}


@pytest.mark.parametrize("field", FIELDS)
@every_kind_for_alerts
def test_a_text_too_long_for_a_receiver_is_cut_visibly(kind: str, field: str) -> None:
    """Either all words are there, or none, or a mark follows the last one."""
    made = FIELDS[field](LONG)
    text = shown(kind, sent(kind, made))
    words = list(WORD.finditer(text))
    last = max((int(word[1]) for word in words), default=None)

    if last is None or last == max(int(word) for word in WORD.findall(made.model_dump_json())):
        return
    for word in words:
        if int(word[1]) == last:
            behind = text[word.end() : word.end() + 300]
            assert CUT in behind or ELLIPSIS in behind, behind
