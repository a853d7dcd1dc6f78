"""Outages of deployments, regions, models and credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from alertworker.alerts.catalogue import AlertType
from bench.simulate.calls import Behaviour
from bench.simulate.faults import (
    MINUTE,
    NOT_FOUND,
    RATE_LIMIT,
    SERVER_ERROR,
    TIMEOUT,
    UNAUTHORIZED,
    Load,
)
from bench.simulate.labels import (
    HIGH,
    MEDIUM,
    MEDIUM_OR_HIGH,
    ONE,
    ONLY,
    OUTAGE,
    REGION,
    SIBLING,
    TAIL,
    WORLD,
    down,
    end,
    groups_of,
    lasting,
    model_scope,
    nothing,
    one_deployment,
    outage,
    touches,
    window,
)
from bench.simulate.scenario import LONG_WINDOW, Incident, Must, Scenario, Traffic
from bench.simulate.world import FALLBACKS

#: A refused credential is in the label of any condition.
_CREDENTIAL: Final = OUTAGE | REGION | {AlertType.LLM_EXCEPTIONS}


def full_outage(traffic: Traffic) -> Scenario:
    """One of five deployments answers nothing; retries and fallbacks save every call."""
    lasts = lasting(traffic)
    return Scenario(
        "full-outage",
        "one deployment of five is down",
        lasts + TAIL,
        (down(lasts, ONE),),
        (outage(traffic, lasts),),
    )


def full_outage_cooldown(traffic: Traffic) -> Scenario:
    """Cooldowns of a minute leave few attempts to count."""
    lasts = lasting(traffic)
    return Scenario(
        "full-outage-cooldown",
        "one deployment of five is down, and cools down for 60 s each time",
        lasts + TAIL,
        (down(lasts, ONE),),
        (outage(traffic, lasts),),
        Behaviour(cooldown=60.0),
    )


def outage_and_stray(traffic: Traffic) -> Scenario:
    """A single failure elsewhere in the region makes no outage of the region."""
    lasts = lasting(traffic)
    stray = down(lasts, SIBLING, start=MINUTE, error=SERVER_ERROR, most=1)
    return Scenario(
        "outage-and-stray",
        "one deployment is down, and one call fails on another in its region",
        lasts + TAIL,
        (down(lasts, ONE), stray),
        (outage(traffic, lasts),),
    )


def _brownout(traffic: Traffic, name: str, what: str, lasts: float, more: float, within: float) -> Scenario:
    """Return errors of 15 %, with ``more`` calls a minute than usual.

    Evidence of at least 10 % errors needs at most 13 failures: 13 of 125 calls. Less unlucky calls need fewer.
    """
    load = (Load(-15 * MINUTE, lasts + TAIL, "o3", more, tuple(range(20))),) if more else ()
    fields = {"within": within, "after_failures": 13, "end_within": 20 * MINUTE, "older_by": LONG_WINDOW}
    incident = outage(traffic, lasts, ONLY, **fields)
    return Scenario(name, what, lasts + TAIL, (down(lasts, ONLY, share=0.15), *load), (incident,))


def brownout(traffic: Traffic) -> Scenario:
    """15 % of the attempts on a deployment fail, at 8 calls a minute and at 24."""
    more = 7 if traffic is Traffic.LOW else 0
    what = "15 % of a deployment's attempts fail for 30 min"
    return _brownout(traffic, "brownout", what, 30 * MINUTE, more, 20 * MINUTE)


def brownout_sparse(traffic: Traffic) -> Scenario:
    """15 % of the attempts on a deployment fail, at 3 calls a minute: in 15 minutes these prove nothing."""
    more = 2.5 if traffic is Traffic.LOW else 0
    what = "15 % of a deployment's attempts fail for 2 h, at 3 calls a minute at low traffic"
    return _brownout(traffic, "brownout-sparse", what, 120 * MINUTE, more, 60 * MINUTE)


def ramp(traffic: Traffic) -> Scenario:
    """Errors grow from none to 60 % within 30 minutes."""
    lasts = 30 * MINUTE
    within = 15 * MINUTE if traffic is Traffic.HIGH else 28 * MINUTE
    return Scenario(
        "ramp",
        "a deployment's errors grow from 0 to 60 % in 30 min",
        lasts + TAIL,
        (down(lasts, ONE, ramp=True, share=0.6),),
        (outage(traffic, lasts, within=within, after_failures=8, end_within=20 * MINUTE, older_by=LONG_WINDOW),),
    )


def dead(traffic: Traffic) -> Scenario:
    """Seven calls an hour. All fail and are lost."""
    lasts = 180 * MINUTE
    rate, shares = (0.1, {}) if traffic is Traffic.LOW else (2.0, {"llama-70b": 0.001})
    must = one_deployment(
        traffic, "llama-70b-bedrock-us-east-1", level=HIGH, end_within=60 * MINUTE, or_labels=model_scope("llama-70b")
    )
    incident = Incident(
        "llama-70b", 0, lasts, touches("llama-70b-bedrock-us-east-1", models=frozenset({"llama-70b"})), must
    )
    return Scenario(
        "dead",
        "a model's only deployment, with 7 calls/h, is down for 3 h",
        lasts + 60 * MINUTE,
        (down(lasts, "llama-70b-bedrock-us-east-1"),),
        (incident,),
        Behaviour(shares=shares),
        rate=rate,
        step=30.0,
    )


def _region(traffic: Traffic, name: str, what: str, *, lost: bool) -> Scenario:
    lasts = lasting(traffic)
    ids = WORLD.of(provider="azure", region="eastus")
    affected = touches(*ids, regions=frozenset({("azure", "eastus")}))
    labels = {"provider": "azure", "region": "eastus"}
    must = Must(REGION, labels, HIGH if lost else MEDIUM, window(traffic), 8, end(traffic))
    incident = Incident("eastus", 0, lasts, affected, must)
    behaviour, low = (Behaviour(retries=0, fallbacks={}), 10) if lost else (Behaviour(), 5)
    return Scenario(name, what, lasts + TAIL, (down(lasts, *ids),), (incident,), behaviour, tolerated_low=low)


def region(traffic: Traffic) -> Scenario:
    """All deployments in a region of Azure are down; others save the calls."""
    return _region(traffic, "region", "all 3 deployments in a region are down", lost=False)


def region_lost(traffic: Traffic) -> Scenario:
    """The region's outage suppresses those of its deployments and its lost calls, at its end, too."""
    what = "all 3 deployments in a region are down; retries and fallbacks are off"
    return _region(traffic, "region-lost", what, lost=True)


def _model(traffic: Traffic, name: str, what: str, fallbacks: Mapping[str, tuple[str, ...]]) -> Scenario:
    lasts = lasting(traffic)
    ids = WORLD.of(group="gpt-4o")
    affected = touches(*ids, models=frozenset({"gpt-4o"}))
    level = MEDIUM if fallbacks else HIGH
    must = Must(OUTAGE, model_scope("gpt-4o"), level, window(traffic), 5, end(traffic))
    incident = Incident("gpt-4o", 0, lasts, affected, must)
    return Scenario(name, what, lasts + TAIL, (down(lasts, *ids),), (incident,), Behaviour(fallbacks=fallbacks))


def model(traffic: Traffic) -> Scenario:
    """All deployments of a model are down and no fallback is configured."""
    return _model(traffic, "model", "all 5 deployments of a model are down, without a fallback", {})


def model_saved(traffic: Traffic) -> Scenario:
    """All deployments of a model are down and another model answers."""
    return _model(traffic, "model-saved", "all 5 deployments of a model are down, and a fallback answers", FALLBACKS)


def most_of_a_model(traffic: Traffic) -> Scenario:
    """Three of four deployments, each in a region of its own, fail most calls. That is one condition."""
    lasts = lasting(traffic)
    ids = WORLD.of(group="claude-haiku") - {"claude-haiku-anthropic"}
    affected = touches(*ids, models=frozenset({"claude-haiku"}))
    must = Must(OUTAGE, model_scope("claude-haiku"), MEDIUM, window(traffic), 15, end(traffic))
    what = "70 % of the attempts on 3 of 4 deployments of a model fail; others answer"
    incident = Incident("claude-haiku", 0, lasts, affected, must)
    return Scenario("most-of-a-model", what, lasts + TAIL, (down(lasts, *ids, share=0.7),), (incident,))


def only_down(traffic: Traffic) -> Scenario:
    """The deployment is the model: one condition is enough, and it may name either."""
    lasts = lasting(traffic)
    must = one_deployment(traffic, ONLY, level=HIGH, or_labels=model_scope("o3"))
    incident = Incident(ONLY, 0, lasts, touches(ONLY, models=frozenset({"o3"})), must)
    what = "a model's only deployment is down; the calls are lost"
    return Scenario("only-down", what, lasts + TAIL, (down(lasts, ONLY),), (incident,))


def _revoked(traffic: Traffic, name: str, provider: str, cooldown: float, what: str) -> Scenario:
    lasts = lasting(traffic)
    ids = WORLD.of(provider=provider)
    key = WORLD.credential_of(provider)
    lost = any(len(WORLD.groups[group].deployments) == 1 for group in groups_of(ids))
    models = frozenset(group for group in groups_of(ids) if len(WORLD.groups[group].deployments) == 1)
    affected = touches(*ids, credentials=frozenset({key}), models=models)
    must = Must(_CREDENTIAL, {"credential": key}, HIGH if lost else MEDIUM, window(traffic), 6, end(traffic))
    incident = Incident(provider, 0, lasts, affected, must)
    fault = down(lasts, *ids, error=UNAUTHORIZED)
    return Scenario(name, what, lasts + TAIL, (fault,), (incident,), Behaviour(cooldown=cooldown))


def revoked_key(traffic: Traffic) -> Scenario:
    """Four deployments share a revoked key; one of them is its model's only one."""
    return _revoked(
        traffic, "revoked-key", "openai", 30.0, "the key of 4 deployments is revoked; one model has no other"
    )


def revoked_key_saved(traffic: Traffic) -> Scenario:
    """Two deployments share a revoked key, and others answer."""
    return _revoked(
        traffic, "revoked-key-saved", "anthropic", 5.0, "the key of 2 deployments is revoked; others answer"
    )


def _provider(
    traffic: Traffic, name: str, what: str, lasts: float, within: float, fault: Mapping[str, Any]
) -> Scenario:
    """Return trouble of a whole provider, with deployments of three models in four regions."""
    ids = WORLD.of(provider="azure")
    regions = frozenset(("azure", WORLD.deployments[one].region or "") for one in ids)
    affected = touches(*ids, regions=regions, models=groups_of(ids), providers=frozenset({"azure"}))
    # The model `embedding` has one other deployment and no fallback. At low traffic nothing cools down, so a seventh
    # of its calls meets the dead one at each attempt. From the fifth lost call on, users are harmed.
    level = MEDIUM if traffic is Traffic.HIGH else MEDIUM_OR_HIGH
    must = Must(OUTAGE, {"scope": "provider", "provider": "azure"}, level, within, 20, end(traffic))
    incident = Incident("azure", 0, lasts, affected, must)
    return Scenario(name, what, lasts + TAIL, (down(lasts, *ids, **fault),), (incident,))


def provider_down(traffic: Traffic) -> Scenario:
    """All deployments of a provider are down; others save the calls."""
    what = "all 10 deployments of a provider are down; others answer"
    return _provider(traffic, "provider-down", what, lasting(traffic), window(traffic), {})


def provider_429(traffic: Traffic) -> Scenario:
    """All deployments of a provider are over its quota."""
    what = "all 10 deployments of a provider answer 429 to 90 %; others answer"
    lasts, fault = (20 if traffic is Traffic.HIGH else 60) * MINUTE, {"error": RATE_LIMIT, "share": 0.9}
    return _provider(traffic, "provider-429", what, lasts, 8 * MINUTE, fault)


def two_outages(traffic: Traffic) -> Scenario:
    """Two deployments of two providers are down at once."""
    lasts = lasting(traffic)
    first, second = "gpt-4o-azure-westeurope", "claude-sonnet-bedrock-eu-west-1"
    return Scenario(
        "two-outages",
        "two deployments of two providers are down at once",
        lasts + MINUTE + TAIL,
        (down(lasts, first), down(lasts + MINUTE, second, start=MINUTE)),
        (outage(traffic, lasts, first), outage(traffic, lasts, second, start=MINUTE)),
    )


def cascade(traffic: Traffic) -> Scenario:
    """A model is down, and its fallback answers 429 under the calls it takes over: two models lose calls."""
    lasts = lasting(traffic)
    ids, others = WORLD.of(group="claude-sonnet"), WORLD.of(group="gpt-4o")
    affected = touches(*ids, *others, models=frozenset({"claude-sonnet", "gpt-4o"}))
    must = Must(OUTAGE, model_scope("claude-sonnet"), HIGH, window(traffic), 5, end(traffic), conditions=2)
    return Scenario(
        "cascade",
        "a model is down, and its fallback answers 429 to 60 %",
        lasts + TAIL,
        (down(lasts, *ids), down(lasts, *others, start=30, error=RATE_LIMIT, share=0.6)),
        (Incident("claude-sonnet", 0, lasts, affected, must),),
    )


def retry_storm(traffic: Traffic) -> Scenario:
    """Clients that see a deployment fail ask three times as often."""
    lasts = lasting(traffic)
    storm = Load(30, lasts, "gpt-4o", 3 * 60 * traffic.rate * 0.22, tuple(range(60)))
    return Scenario(
        "retry-storm",
        "one deployment is down, and clients call three times as often",
        lasts + TAIL,
        (down(lasts, ONE), storm),
        (outage(traffic, lasts),),
    )


def cold_start(traffic: Traffic) -> Scenario:
    """A new deployment times out a few times before it is warm."""
    return Scenario(
        "cold-start",
        "the first 3 calls of a new deployment time out",
        TAIL,
        (down(10 * MINUTE, ONE, error=TIMEOUT, most=3),),
        (nothing(ONE, 0, 10 * MINUTE, touches(ONE)),),
        Behaviour(joins=ONE),
    )


def cold_start_broken(traffic: Traffic) -> Scenario:
    """A new deployment does not exist at its provider: it never answers."""
    lasts = lasting(traffic)
    return Scenario(
        "cold-start-broken",
        "a new deployment answers 404 to every call",
        lasts + TAIL,
        (down(lasts, ONE, error=NOT_FOUND),),
        (outage(traffic, lasts),),
        Behaviour(joins=ONE),
    )


OUTAGES: Final[tuple[Callable[[Traffic], Scenario], ...]] = (
    full_outage,
    full_outage_cooldown,
    outage_and_stray,
    brownout,
    brownout_sparse,
    ramp,
    dead,
    region,
    region_lost,
    model,
    model_saved,
    most_of_a_model,
    only_down,
    revoked_key,
    revoked_key_saved,
    provider_down,
    provider_429,
    two_outages,
    cascade,
    retry_storm,
    cold_start,
    cold_start_broken,
)
