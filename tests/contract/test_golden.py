"""The full body of each message on each channel, which its vendor accepts."""

from __future__ import annotations

import pytest

from alertworker.reports import ReportKind
from tests.contract import golden
from tests.contract.cases import CASES
from tests.contract.kinds import (
    KINDS,
    cases_of,
    channel_of,
    complaints,
    every_kind,
    every_kind_for_alerts,
    not_sent,
    problem_of,
    sent,
    strings_of,
)
from tests.contract.report_cases import REPORT_CASES


@pytest.fixture(scope="session", autouse=True)
def _renewed(request: pytest.FixtureRequest) -> None:
    """With ``--golden-update``, write the files and print the changes."""
    if not request.config.getoption("--golden-update"):
        return
    changed = golden.renew()
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n{changed or 'golden bodies: nothing changed'}")


@every_kind
def test_a_kind_gets_every_case_but_those_that_are_written_down(kind: str) -> None:
    """A message that a channel silently stops taking is a mistake."""
    assert CASES.keys() - cases_of(kind) == not_sent(kind)


def test_every_report_has_a_case() -> None:
    """Otherwise nobody reads its message before its receivers do."""
    shown = {made.labels["report"] for made in REPORT_CASES.values()}

    lacks = sorted({kind.value for kind in ReportKind} - shown)
    assert lacks == [], "add a case for each of these reports to `REPORT_CASES` in tests/contract/report_cases.py"


@every_kind
def test_each_body_is_the_golden_one(kind: str) -> None:
    """Each byte is compared. CONTRIBUTING.md describes how to update the files."""
    for path, content in golden.files_of(kind).items():
        name = path.relative_to(golden.FOLDER.parents[2])
        if not path.is_file():
            pytest.fail(f"{name} is missing. Write it with: {golden.UPDATE}", pytrace=False)
        if golden.read(path) != content:
            changes = golden.difference(path, content)
            pytest.fail(f"{name} differs. If that is meant, write it with: {golden.UPDATE}\n{changes}", pytrace=False)


def test_there_is_no_file_for_a_body_that_is_not_sent() -> None:
    """A file may be left from a kind or a case that was removed."""
    wanted = {path for kind in KINDS if problem_of(kind) is None for path in golden.files_of(kind)}

    assert golden.present() - wanted == set()


@every_kind
def test_its_vendor_accepts_each(kind: str) -> None:
    """The vendor's published rules decide."""
    found = {case: complaints(kind, sent(kind, made)) for case, made in cases_of(kind).items()}

    assert {case: reasons for case, reasons in found.items() if reasons} == {}


@every_kind_for_alerts
def test_every_alert_is_named(kind: str) -> None:
    """Also the last one in a digest, and where much was cut."""
    for case, made in cases_of(kind).items():
        body = channel_of(kind).render(made)
        for alert_id in (made.alert_id, *(entry.alert_id for entry in made.entries)):
            assert alert_id in body, case


@every_kind_for_alerts
def test_every_kind_shows_the_next_steps_and_the_runbook(kind: str) -> None:
    """Beside every fact. The end of a condition has neither."""
    made = cases_of(kind)["annotated"]
    rendered = channel_of(kind).render(made)
    body = rendered.replace("\\", "").replace("%28", "(").replace("%29", ")")
    assert "They can switch" in body, "the body lacks `Message.what_to_do`"
    repeats = max(text.count("They can switch") for text in strings_of(rendered))
    assert repeats == 1, "a string of the body repeats `Message.what_to_do`: `Chat.facts` has it, too"
    assert made.runbook_url is not None
    assert made.runbook_url.partition("&")[0] in body, "the body lacks `Message.runbook_url`"
    assert "What to do" not in channel_of(kind).render(cases_of(kind)["resolved"])
