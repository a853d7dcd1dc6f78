"""What each channel says, in full, and that its vendor takes it."""

from __future__ import annotations

import pytest

from alertworker.channels import KINDS
from tests.contract import golden
from tests.contract.cases import CASES
from tests.contract.kinds import CHANNELS, sent, wants
from tests.contract.report_cases import REPORT_CASES
from tests.contract.rules import RULES

#: What a kind is never sent, and why: a page wakes people, a program wants single events, and a budget's only budgets.
NOT_FOR = {
    "pagerduty": {"report", "digest", "tracked", *REPORT_CASES},
    "webhook": {"digest", "tracked"},
    "console": {"digest", "tracked"},
    "budget_webhook": CASES.keys() - {"budget", "test", "tracked"},
}


@pytest.fixture(scope="session", autouse=True)
def _renewed(request: pytest.FixtureRequest) -> None:
    """Write the files anew where that is asked for, and show what changed."""
    if not request.config.getoption("--golden-update"):
        return
    changed = golden.renew({path: text for kind in CHANNELS for path, text in golden.files_of(kind).items()})
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n{changed or 'golden bodies: nothing changed'}")


def test_every_kind_is_under_contract_in_every_case() -> None:
    """A kind that is registered has rules and bodies; what it is not sent is written down."""
    assert set(CHANNELS) == set(KINDS) == set(RULES)
    for kind in CHANNELS:
        assert CASES.keys() - _cases(kind) == NOT_FOR.get(kind, {"tracked"}), kind


def test_there_is_a_file_for_each_body_and_no_other() -> None:
    """None is missing, and none is left from a case that is no more."""
    wanted = {path for kind in CHANNELS for path in golden.files_of(kind)}

    assert {path for path in golden.FOLDER.glob("**/*") if path.is_file()} == wanted


@pytest.mark.parametrize("kind", CHANNELS)
def test_each_body_is_the_golden_one(kind: str) -> None:
    """To the letter; see CONTRIBUTING.md for how to renew them."""
    for path, content in golden.files_of(kind).items():
        assert path.read_bytes().decode() == content, path.name


@pytest.mark.parametrize("kind", CHANNELS)
def test_its_vendor_takes_each(kind: str) -> None:
    """By the vendor's published rules."""
    found = {case: RULES[kind](sent(kind, CASES[case])) for case in _cases(kind)}

    assert {case: complaints for case, complaints in found.items() if complaints} == {}


@pytest.mark.parametrize("kind", [kind for kind in CHANNELS if kind != "budget_webhook"])
def test_every_alert_is_named(kind: str) -> None:
    """Also the last one in a digest, and where much was cut."""
    for case in _cases(kind):
        body, message = CHANNELS[kind].render(CASES[case]), CASES[case]
        for alert_id in (message.alert_id, *(entry.alert_id for entry in message.entries)):
            assert alert_id in body, case


def _cases(kind: str) -> list[str]:
    return [case for case, message in CASES.items() if wants(kind, message)]
