"""Spend, budgets and proxies on pages, from a real store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alertworker.events import AttemptFailed, Budget, BudgetScope, PublisherHeartbeat
from alertworker.pipeline import Runtime, ingest
from alertworker.store import SqlStore
from alertworker.text.format import spell_moment
from tests.integration.harness import NOW, answered, batch, failed
from tests.integration.pages import ZONE, Browser, signed_in

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
HASH = "0123456789abcdef" * 4


@pytest.fixture
def browser(store: SqlStore, runtime: Runtime) -> Browser:
    """Return a browser with a valid login."""
    return signed_in(store, runtime)


PERIOD = "from=2026-11-20&until=2026-11-25"


def test_spend_is_shown_by_entity_day_and_contributor(runtime: Runtime, browser: Browser) -> None:
    """Sums are exact, hashes are cut in text and in links, and the breakdown is found by the cut hash."""
    named: dict[str, Any] = {"key_hash": HASH, "key_alias": None, "cost_nanos": 1_500_000_000}
    ingest(batch(answered("a", **named), answered("b", team_id="<b>x</b>", cost_nanos=500_000_000)), runtime, now=NOW)

    page = browser.get(f"/spend?{PERIOD}")
    for expected in ("search", "<b>x</b>", "$1.50", "$0.50", "$2", "All calls", "2026-11-23"):
        assert expected in page.text
    assert len(page.all("{http://www.w3.org/2000/svg}rect")) >= 6

    keys = browser.get(f"/spend?by=key&{PERIOD}")
    [link] = [link for link in keys.links("/spend?by=key") if HASH[:8] in link]
    behind = browser.get(link.partition("#")[0])
    assert f"Top contributors to key {HASH[:8]}…" in behind.text
    assert "gpt-4o" in behind.text
    assert HASH not in keys.html + behind.html
    assert "$0.50" not in browser.get(f"/spend?by=model&team=search&{PERIOD}").text
    assert "No spend in this period" in browser.get("/spend?from=2020-01-01&until=2020-01-02").text


@pytest.mark.parametrize(
    "query", ["from=soon", "from=2026-11-25&until=2026-11-20", "from=1990-01-01", "until=0001-01-02"]
)
def test_an_invalid_period_is_refused_with_the_reason(browser: Browser, query: str) -> None:
    """The last seven days are shown instead."""
    page = browser.get(f"/spend?{query}")
    assert (page.status, "No spend in this period" in page.text) == (422, True)
    assert len([item for item in page.all("p") if item.get("role") == "alert"]) == 1


def test_budgets_are_shown_the_fullest_first(runtime: Runtime, browser: Browser) -> None:
    """They have share, pace and reset. Budgets near their limits are also on the spend page."""
    reset = NOW + timedelta(days=5)
    half = Budget(scope=BudgetScope.TEAM, entity_id="calm", spend_nanos=5 * 10**9, max_nanos=10**10)
    near = Budget(
        scope=BudgetScope.USER,
        entity_id="<i>u</i>",
        spend_nanos=9 * 10**9,
        max_nanos=10**10,
        duration="30d",
        reset_at=reset,
    )
    ingest(batch(answered("a", budgets=(half, near), cost_nanos=0)), runtime, now=NOW)

    page = browser.get("/budgets")
    assert page.text.index("User <i>u</i>") < page.text.index("Team")
    for expected in ("$9 of $10 (90.0 %)", "$5 of $10 (50.0 %)", "85 %", "within", "a day"):
        assert expected in page.text
    assert spell_moment(reset, ZONE) in page.text
    near_limits = browser.get("/spend").text
    assert "User <i>u</i>" in near_limits
    assert "$5 of $10" not in near_limits


def test_proxies_and_deployments_are_shown_with_their_troubles(runtime: Runtime, browser: Browser) -> None:
    """The page has running proxies, their dropped events, and the failures of deployments by cause."""
    now = datetime.now(UTC)
    counters = {"published": 1234, "dropped": {"spool_full": 7, "<bored>": 2, "tired": 3}}
    for boot, at in (("live", now), ("quiet", now - timedelta(hours=1))):
        beat = PublisherHeartbeat(
            boot_id=boot,
            host=f"<{boot}>",
            pid=42,
            version="1",
            started_at=at,
            occurred_at=at,
            backlog=3,
            counters=counters,
        )
        ingest(batch(beat, sealed_at=at), runtime, now=at)
    failure = failed("a").failure
    tried = AttemptFailed(call_id="a", started_at=now, occurred_at=now, failure=failure, deployment_id="d<1>")
    good = answered("b", deployment_id="d<1>").model_copy(
        update={"started_at": now, "ended_at": now, "occurred_at": now, "provider": "openai", "region": "eastus"}
    )
    ingest(batch(tried, good, sealed_at=now), runtime, now=now)

    page = browser.get("/proxies?days=7+days")
    for expected in (
        "<live>",
        "<quiet>",
        "live",
        "silent",
        "1,234",
        "(other) 5, spool_full 7",
        "d<1>",
        "APIError ×1",
        "50.0 %",
        "openai/gpt-4o in eastus",
    ):
        assert expected in page.text
    assert browser.get("/proxies?days=nonsense").status == 200


def test_the_page_shows_the_publishers_with_the_most_dropped_events(runtime: Runtime, browser: Browser) -> None:
    """The others are summed up."""
    now = datetime.now(UTC)
    beats = [
        PublisherHeartbeat(
            boot_id=f"b{n}",
            host=f"host-{n:03}",
            pid=1,
            version="1",
            started_at=now,
            occurred_at=now,
            counters={"dropped": {"invalid": n + 1}},
        )
        for n in range(150)
    ]
    ingest(batch(*beats, sealed_at=now), runtime, now=now)

    page = browser.get("/proxies").text
    assert "host-149" in page
    assert "host-050" in page
    assert "host-049" not in page
    assert "50 others" in page
    assert f"invalid {sum(range(1, 51)):,}" in page
