"""Matchers, time intervals, the routing tree, silences and inhibitions: pure, in Alertmanager's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.alerts.advice import NO_ANNOTATIONS, Annotations
from alertworker.alerts.catalogue import AlertType
from alertworker.routing import inhibitions
from alertworker.routing.inhibitions import DEFAULTS, Inhibition, OpenCondition, find_inhibited
from alertworker.routing.matchers import Matcher, MatcherError, parse
from alertworker.routing.router import Route, Router
from alertworker.routing.silences import Silence, find_silence
from alertworker.routing.time_intervals import (
    TimeInterval,
    TimeIntervalError,
    read_days_of_month,
    read_months,
    read_times,
    read_weekdays,
    read_years,
)

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)  # a Monday
SEARCH = {"team": "search", "severity": "High"}


@pytest.mark.parametrize(
    ("text", "labels", "passes"),
    [
        ('team="search"', SEARCH, True),
        ("team = search", SEARCH, True),
        ('team!="search"', SEARCH, False),
        ('team=~"sea"', SEARCH, False),
        ('team=~"sea.*|billing"', SEARCH, True),
        ('team!~"b.*"', SEARCH, True),
        ('region=""', SEARCH, True),
        ('region!=""', SEARCH, False),
        ('team="a \\"quoted\\" one"', {"team": 'a "quoted" one'}, True),
        ('tag="b"', {"tag": "a,b"}, True),
        ('tag!="b"', {"tag": "a,b"}, False),
        ('tag=~"b|c"', {"tag": "a,b"}, True),
    ],
)
def test_a_matcher_tests_one_label(text: str, labels: dict[str, str], passes: bool) -> None:
    """Regular expressions match the whole value, and a label that is not there is empty."""
    assert parse(text).passes(labels) is passes


@pytest.mark.parametrize(
    "text", ["", "team", 'team=="x"', 'team="x', '1team="x"', 'team=~"("', 'team="a" severity="b"']
)
def test_an_invalid_matcher_is_refused_with_an_example(text: str) -> None:
    """The error names the matcher."""
    with pytest.raises(MatcherError, match=r"matcher|expression"):
        parse(text)


@given(
    label=st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True),
    operator=st.sampled_from(["=", "!="]),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)
def test_a_matcher_reads_back_as_it_is_written(label: str, operator: str, value: str) -> None:
    """Silences are kept in their written form."""
    matcher = Matcher(label, operator, value)

    assert parse(str(matcher)) == matcher


def test_a_time_interval_holds_in_its_own_zone() -> None:
    """Monday 14:02 UTC is 15:02 in Berlin, and 09:02 in New York."""
    office = TimeInterval(((time(9), time(15)),), frozenset(range(5)))

    assert office.contains(NOW, zone=ZoneInfo("UTC"))
    assert not office.contains(NOW, zone=ZoneInfo("Europe/Berlin"))
    assert replace(office, zone=ZoneInfo("America/New_York")).contains(NOW, zone=ZoneInfo("Europe/Berlin"))
    assert not replace(office, weekdays=frozenset({5, 6})).contains(NOW, zone=ZoneInfo("UTC"))
    assert TimeInterval((read_times("14:00", "24:00"),)).contains(NOW, zone=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("days", "moment", "holds"),
    [
        ("1:5", datetime(2026, 2, 5, tzinfo=UTC), True),
        ("1:5", datetime(2026, 2, 6, tzinfo=UTC), False),
        ("-3:-1", datetime(2026, 2, 26, tzinfo=UTC), True),
        ("-3:-1", datetime(2026, 3, 28, tzinfo=UTC), False),
        ("-1", datetime(2028, 2, 29, tzinfo=UTC), True),
        ("30:31", datetime(2026, 2, 28, tzinfo=UTC), False),
        ("5:-3", datetime(2026, 2, 26, tzinfo=UTC), True),
        ("-31:-1", datetime(2026, 2, 1, tzinfo=UTC), True),
    ],
)
def test_days_of_a_month_count_from_either_end(days: str, moment: datetime, holds: bool) -> None:
    """In months of every length."""
    assert TimeInterval(days_of_month=(read_days_of_month(days),)).contains(moment, zone=ZoneInfo("UTC")) is holds


def test_months_and_years_hold_in_the_intervals_zone() -> None:
    """The new year begins in Tokyo first; all parts must hold."""
    eve = datetime(2026, 12, 31, 18, tzinfo=UTC)
    january = TimeInterval(months=read_months("january"), years=(read_years("2027"),))

    assert not january.contains(eve, zone=ZoneInfo("UTC"))
    assert january.contains(eve, zone=ZoneInfo("Asia/Tokyo"))
    assert not replace(january, years=(read_years("2028:2030"),)).contains(eve, zone=ZoneInfo("Asia/Tokyo"))
    assert not replace(january, weekdays=frozenset({0})).contains(eve, zone=ZoneInfo("Asia/Tokyo"))  # a Friday


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_times("09:00", "25:00"),
        lambda: read_times(1200, "24:00"),
        lambda: read_times("0900", "24:00"),
        lambda: read_times("24:00", "08:00"),
        lambda: read_times("09:00", "09:00"),
        lambda: read_weekdays("funday"),
        lambda: read_weekdays("friday:monday"),
        lambda: read_weekdays("1:5"),
        lambda: read_months("13"),
        lambda: read_months("march:january"),
        lambda: read_days_of_month("0"),
        lambda: read_days_of_month("1:32"),
        lambda: read_days_of_month("-1:5"),
        lambda: read_days_of_month("-1:-3"),
        lambda: read_days_of_month("first"),
        lambda: read_years("2027:2026"),
        lambda: read_years("soon"),
    ],
)
def test_an_invalid_time_is_refused(read: object) -> None:
    """The error has an example."""
    assert callable(read)
    with pytest.raises(TimeIntervalError):
        read()


def test_a_range_over_midnight_is_two() -> None:
    """As in Alertmanager, the weekday of its second half would be ambiguous. The error has both halves."""
    with pytest.raises(TimeIntervalError, match='"20:00" to "24:00" and "00:00" to "08:00"'):
        read_times("20:00", "08:00")
    assert read_times("20:00", "00:00") == read_times("20:00", "24:00")


ROUTER = Router(
    root=Route(
        receiver="default",
        routes=(
            Route((parse('severity="High"'),), "oncall", continues=True),
            Route((parse('team="search"'),), "search", (Route((parse('model="x"'),), group_interval=60.0),)),
            Route((parse('alert_type="llm_too_slow"'),), receiver=""),
        ),
    ),
    selectable=frozenset({"search"}),
    receivers={"default": ("slack",), "oncall": ("pager", "slack"), "search": ("slack-search",)},
    types=frozenset(AlertType),
    group_interval=300.0,
    repeat_interval=3_600.0,
    digests={AlertType.LLM_TOO_SLOW: 86_400.0},
)


@pytest.mark.parametrize(
    ("labels", "channels"),
    [
        ({}, ("slack",)),
        ({"severity": "High"}, ("pager", "slack")),
        (SEARCH, ("pager", "slack", "slack-search")),
        ({"team": "search"}, ("slack-search",)),
        ({"alert_type": "llm_too_slow"}, ()),
        ({"alert_receiver": "search"}, ("slack", "slack-search")),
        ({"alert_receiver": "oncall"}, ("slack",)),
        ({"alert_receiver": "nobody"}, ("slack",)),
    ],
)
def test_the_tree_takes_each_alert_to_its_receivers(labels: dict[str, str], channels: tuple[str, ...]) -> None:
    """Children before their parent, each channel once, and an empty receiver sends nothing."""
    assert ROUTER.decide(AlertType.LLM_EXCEPTIONS, labels, now=NOW).channels == channels


def test_intervals_are_those_of_the_node_and_types_have_digests() -> None:
    """The shortest way decides; a digest is its type's."""
    assert ROUTER.decide(AlertType.LLM_EXCEPTIONS, {"team": "search", "model": "x"}, now=NOW).group_interval == 60
    assert ROUTER.decide(AlertType.LLM_TOO_SLOW, {}, now=NOW).group_interval == 86_400


@pytest.mark.parametrize(
    ("labels", "intervals"),
    [
        ({}, (86_400, 7_200)),
        ({"team": "a"}, (86_400, 7_200)),
        ({"team": "a", "model": "x"}, (86_400, 7_200)),
        ({"team": "a", "model": "y"}, (30, 40)),
    ],
)
def test_a_types_own_intervals_come_before_those_that_are_inherited(
    labels: dict[str, str], intervals: tuple[float, float]
) -> None:
    """The root's, or another parent's, are for types without; the route that takes the alert wins with its own."""
    children = (
        Route((parse('model="x"'),)),
        Route((parse('model="y"'),), group_interval=30.0, repeat_interval=40.0),
    )
    team = Route((parse('team="a"'),), routes=(*children, Route()), group_interval=50.0, repeat_interval=60.0)
    root = Route(receiver="default", routes=(team,), group_interval=70.0, repeat_interval=80.0)
    router = replace(ROUTER, root=root, repeats={AlertType.LLM_TOO_SLOW: 7_200.0})

    decision = router.decide(AlertType.LLM_TOO_SLOW, labels, now=NOW)
    assert (decision.group_interval, decision.repeat_interval) == intervals
    other = router.decide(AlertType.LLM_EXCEPTIONS, labels, now=NOW)
    inherited = {0: (70, 80), 1: (50, 60), 2: intervals if "y" in labels.values() else (50, 60)}[len(labels)]
    assert (other.group_interval, other.repeat_interval) == inherited


TEAM, TYPED, ROOT = Annotations("team"), Annotations("type", "https://type"), Annotations("root", "https://root")


@pytest.mark.parametrize(
    ("team", "typed", "root", "found"),
    [
        (TEAM, TYPED, ROOT, Annotations("team", "https://type")),
        (TEAM, NO_ANNOTATIONS, ROOT, Annotations("team", "https://root")),
        (NO_ANNOTATIONS, TYPED, ROOT, TYPED),
        (NO_ANNOTATIONS, NO_ANNOTATIONS, ROOT, ROOT),
        (NO_ANNOTATIONS, NO_ANNOTATIONS, NO_ANNOTATIONS, NO_ANNOTATIONS),
    ],
)
def test_annotations_are_those_of_the_route_then_of_the_type_then_inherited(
    team: Annotations, typed: Annotations, root: Annotations, found: Annotations
) -> None:
    """Each of the two by itself, in the order in which intervals apply."""
    child = Route((parse('team="search"'),), receiver="search", annotations=team)
    router = replace(
        ROUTER,
        root=Route(receiver="default", routes=(child,), annotations=root),
        receivers={"default": ("chat",), "search": ("search-chat",)},
        annotations={AlertType.OUTAGE_ALERTS: typed},
    )
    decision = router.decide(AlertType.OUTAGE_ALERTS, {"team": "search"}, now=NOW)

    assert decision.channels == ("search-chat",)
    assert decision.annotations_for("search-chat") == found
    assert decision.annotations_for("another") == typed
    assert router.decide(AlertType.LLM_TOO_SLOW, {}, now=NOW).annotations_for("chat") == root


def test_each_channel_has_the_annotations_of_the_first_route_that_may_notify_it() -> None:
    """A muted route does not notify."""
    routes = (
        Route(receiver="a", continues=True, annotations=Annotations("muted"), mute=(TimeInterval(),)),
        Route(receiver="a", continues=True, annotations=Annotations("first")),
        Route(receiver="both", annotations=Annotations("second")),
    )
    router = replace(ROUTER, root=Route(receiver="a", routes=routes), receivers={"a": ("x",), "both": ("x", "y")})
    decision = router.decide(AlertType.LLM_TOO_SLOW, {}, now=NOW)

    assert (decision.channels, decision.mute) == (("x", "y"), ())
    assert [decision.annotations_for(name).note for name in "xy"] == ["first", "second"]


def test_a_type_that_is_off_goes_nowhere() -> None:
    """No route can change this."""
    router = replace(ROUTER, types=frozenset({AlertType.LLM_TOO_SLOW}))

    assert router.decide(AlertType.LLM_EXCEPTIONS, SEARCH, now=NOW).channels == ()


def test_a_muted_route_names_its_channels() -> None:
    """The suppression can then be counted."""
    node = Route(receiver="oncall", mute=(TimeInterval(((time(14), time(15)),)),))
    router = replace(ROUTER, root=Route(receiver="default", routes=(node,)))
    decision = router.decide(AlertType.LLM_EXCEPTIONS, {}, now=NOW)

    assert (decision.channels, decision.mute) == ((), ("pager", "slack"))
    assert router.decide(AlertType.LLM_EXCEPTIONS, {}, now=NOW + timedelta(hours=1)).channels == ("pager", "slack")


def test_the_channels_that_a_type_can_reach_are_known_without_labels() -> None:
    """Routes about other labels and muted routes count. Routes after a route that takes the whole type do not."""
    routes = (
        Route((parse('team="search"'),), "oncall", mute=(TimeInterval(((time(14), time(15)),)),)),
        Route((parse('alert_type="daily_reports"'),), ""),
    )
    router = replace(ROUTER, root=Route(receiver="default", routes=routes))
    everything = router.decide(AlertType.LLM_EXCEPTIONS, {}, now=NOW).channels

    assert set(router.reachable(AlertType.LLM_EXCEPTIONS)) == {"pager", "slack", *everything}
    assert set(router.reachable(AlertType.DAILY_REPORTS)) == {"pager", "slack"}
    only = replace(router, root=Route(receiver="default", routes=routes[1:]))
    assert only.reachable(AlertType.DAILY_REPORTS) == ()
    assert replace(router, types=frozenset()).reachable(AlertType.LLM_EXCEPTIONS) == ()


def test_a_channel_is_reachable_under_the_conditions_of_its_routes() -> None:
    """Matchers of all levels count, each path on its own. A matcher of the type alone is not a condition."""
    inner = Route((parse('severity="High"'),), "oncall")
    routes = (
        Route((parse('team="search"'), parse('alert_type=~".*"')), "", (inner,)),
        Route((parse('team="ranking"'),), "oncall"),
        Route((parse('alert_type="daily_reports"'),), "oncall"),
    )
    router = replace(ROUTER, root=Route(receiver="a", routes=routes), receivers={"a": ("x",), "oncall": ("y",)})
    found = router.reachable_if(AlertType.LLM_EXCEPTIONS)

    assert {name: [" ".join(map(str, one)) for one in conditions] for name, conditions in found.items()} == {
        "y": ['team="search" severity="High"', 'team="ranking"'],
        "x": [""],
    }
    assert () in router.reachable_if(AlertType.DAILY_REPORTS)["y"]


def test_a_condition_that_no_alert_of_the_type_meets_is_left_out() -> None:
    """The severity of most types never differs. A condition that all of them meet is left out."""
    routes = (Route((parse('severity="High"'),), "oncall"), Route((parse('team="search"'),), "search"))
    receivers = {"a": ("desk",), "oncall": ("pager",), "search": ("chat",)}
    router = replace(ROUTER, root=Route(receiver="a", routes=routes), receivers=receivers)

    def found(alert_type: AlertType) -> dict[str, list[str]]:
        conditions = router.possible_if(alert_type).items()
        return {name: [" ".join(map(str, one)) for one in ones] for name, ones in conditions}

    assert found(AlertType.LLM_TOO_SLOW) == {"chat": ['team="search"'], "desk": [""]}  # always Low
    assert found(AlertType.DB_EXCEPTIONS) == {"pager": [""]}  # always High
    assert found(AlertType.OUTAGE_ALERTS) == {"pager": ['severity="High"'], "chat": ['team="search"'], "desk": [""]}

    low = replace(router, root=Route(receiver="a", routes=(Route((parse('severity="Low"'),), "oncall"), *routes)))
    assert low.possible_if(AlertType.OUTAGE_ALERTS)["pager"] == ((parse('severity="High"'),),)


def test_the_silence_that_ends_last_mutes() -> None:
    """Only those in force, and only what passes all their matchers."""
    both = (parse('team="search"'), parse('severity="High"'))
    first = Silence("a", both, NOW, NOW + timedelta(hours=1), "x", "y")
    second = replace(first, id="b", ends_at=NOW + timedelta(hours=2))
    future = replace(first, id="c", starts_at=NOW + timedelta(hours=1), ends_at=NOW + timedelta(hours=9))

    assert find_silence(SEARCH, [first, second, future], now=NOW) == second
    assert find_silence({"team": "search"}, [first, second, future], now=NOW) is None
    assert find_silence(SEARCH, [first], now=first.ends_at) is None


def test_a_regions_outage_mutes_its_deployments_and_no_others() -> None:
    """The built-in rules."""
    region = {"alert_type": "region_outage_alerts", "provider": "azure", "region": "eu"}
    sources = [OpenCondition("r", region, frozenset({"chat"}))]
    mine = {"alert_type": "outage_alerts", "provider": "azure", "region": "eu", "deployment": "d"}

    assert find_inhibited("o", mine, ["chat"], DEFAULTS, lambda _: sources) == {"chat": "r"}
    assert find_inhibited("o", mine | {"region": "us"}, ["chat"], DEFAULTS, lambda _: sources) == {}
    assert find_inhibited("r", region, ["chat"], DEFAULTS, lambda _: sources) == {}


def test_a_models_outage_mutes_those_of_its_deployments_and_the_alerts_it_explains() -> None:
    """Its region's outage mutes it, if it fails only there. Outages of anything else than deployments stay."""
    model = {"alert_type": "outage_alerts", "scope": "model", "model": "m", "deployment": ""}
    sources = [OpenCondition("m", model, frozenset({"chat"}))]
    muted = [
        {"alert_type": alert_type, "model": "m", "deployment": "d"}
        for alert_type in ("outage_alerts", "llm_exceptions", "llm_too_slow", "cooldown_deployment")
    ]
    others = [model | {"model": "n"}, model | {"scope": "credential"}, muted[0] | {"model": "n"}]
    others += [{"alert_type": "llm_requests_hanging", "model": "m"}]

    def by_model(labels: dict[str, str]) -> dict[str, str]:
        return find_inhibited("x", labels, ["chat"], DEFAULTS, lambda _: sources)

    assert [by_model(labels) for labels in muted] == [{"chat": "m"}] * 4
    assert [by_model(labels) for labels in others] == [{}] * 4


def test_an_alert_is_muted_on_the_channels_that_know_its_explanation() -> None:
    """Several open alerts explain it. Each was announced in another channel."""
    labels = {"alert_type": "llm_exceptions", "deployment": "d", "provider": "p", "region": "r"}
    outage = {"alert_type": "outage_alerts", "deployment": "d"}
    region = {"alert_type": "region_outage_alerts", "provider": "p", "region": "r"}
    sources = [
        OpenCondition("o", outage, frozenset({"chat", "mail"})),
        OpenCondition("r", region, frozenset({"mail", "pager"})),
        OpenCondition("none", outage),
    ]
    channels = ["chat", "mail", "pager", "log"]

    found = find_inhibited("x", labels, channels, DEFAULTS, lambda _: sources)
    assert found == {"chat": "o", "mail": "o", "pager": "r"}


NAMES = ("alert_type", "severity", "team", "region", "tag", "model")
VALUES = ("", "a", "b", "a,b", "High", "outage_alerts", "budget_alerts")
RULE_MATCHERS = st.lists(
    st.builds(Matcher, st.sampled_from(NAMES), st.sampled_from(["=", "!=", "=~", "!~"]), st.sampled_from(VALUES)),
    max_size=3,
).map(tuple)
LABELS = st.fixed_dictionaries(
    {
        "alert_type": st.sampled_from([alert_type.value for alert_type in AlertType]),
        "severity": st.sampled_from(["Low", "High"]),
    },
    optional={name: st.sampled_from(VALUES[1:]) for name in NAMES[2:]},
)


@given(
    rule=st.builds(
        Inhibition, RULE_MATCHERS, RULE_MATCHERS, st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
    ),
    target=LABELS,
    source=LABELS,
)
def test_the_filter_of_a_rule_omits_no_source(rule: Inhibition, target: dict[str, str], source: dict[str, str]) -> None:
    """Any alert that mutes another has the type and the labels of the filter."""
    wanted = rule.wanted(target)

    if rule.mutes(target, source):
        assert wanted is not None
        assert source["alert_type"] in wanted.types
        assert wanted.labels <= set(source.items())


def test_thousands_of_rules_that_name_the_same_types_find_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alert asks every rule, so that to find the types of each again took half a second for each alert."""
    found: list[object] = []
    monkeypatch.setattr(inhibitions, "AlertType", _CountingTypes(found))
    target = {"alert_type": "llm_exceptions", "team": "search"}
    for number in range(2_000):
        source = (parse('alert_type=~"outage_alerts|budget_aler.s"'), parse(f'team="t{number}"'))
        wanted = Inhibition(source, (parse('team="search"'),)).wanted(target)
        assert wanted is not None
        assert wanted.types == {AlertType.OUTAGE_ALERTS, AlertType.BUDGET_ALERTS}

    assert len(found) == 1


class _CountingTypes:
    """Counts how often all types are listed."""

    def __init__(self, found: list[object]) -> None:
        self._found = found

    def __iter__(self) -> Iterator[AlertType]:
        self._found.append(None)
        return iter(AlertType)
