"""Many alerts of one type at once: the greatest stay, and one alert sums up the others. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import RELAYED

_T = TypeVar("_T")

#: How many notices of a batch, and conditions of hanging models, stay alerts of their own. Each takes 2 to 4 ms of CPU,
#: and on SQLite all other transactions wait meanwhile. Nobody reads more messages than this at once.
MOST: Final = 500
#: Stands for what is summed up. No model, deployment, key or credential has a name with parentheses.
MANY: Final = "(many)"
#: The maximum number of alerts, hosts or processes that one alert lists.
MAX_LISTED: Final = 50


def sum_up(alerts: Iterable[Alert]) -> list[Alert]:
    """Return at most `MOST` alerts, and a summary for each type that has more than its share of them."""
    return [alert for alert, _ in sum_up_pairs((alert, ()) for alert in alerts)]


def sum_up_pairs(
    pairs: Iterable[tuple[Alert, Sequence[_T]]], headline: Callable[[int], str] | None = None
) -> list[tuple[Alert, Sequence[_T]]]:
    """Return what `sum_up` does, for alerts with the things that belong to each.

    ``headline`` returns the headline of the summary of a number of alerts.
    """
    given = list(pairs)
    if len(given) <= MOST:
        return given
    by_type: dict[tuple[object, bool], list[tuple[Alert, Sequence[_T]]]] = {}
    for pair in given:
        by_type.setdefault((pair[0].type, RELAYED in pair[0].identity), []).append(pair)
    share = max(1, MOST // len(by_type))
    found: list[tuple[Alert, Sequence[_T]]] = []
    for same in by_type.values():
        ranked = sorted(same, key=_rank)
        found += ranked[:share]
        if rest := ranked[share:]:
            summary = _summary([alert for alert, _ in rest], headline)
            found.append((summary, [one for _, own in rest for one in own]))
    return found


def _rank(pair: tuple[Alert, object]) -> tuple[int, int, str]:
    alert = pair[0]
    return -alert.severity.rank, -alert.count, alert.fingerprint


def _summary(rest: Sequence[Alert], headline: Callable[[int], str] | None) -> Alert:
    """Return the alert that sums up others of its type. It has the labels that all of them have."""
    first, shared = rest[0], set(rest[0].labels.items())
    parts = Counter[str]()
    for alert in rest:
        shared &= alert.labels.items()
        parts.update(alert.parts)
    named = [alert.headline for alert in rest[:MAX_LISTED]]
    many = headline(len(rest)) if headline else f"{len(rest):,} more like this at once: {first.headline}"
    return Alert(
        type=first.type,
        severity=first.severity,
        identity=dict.fromkeys(first.identity, MANY),
        headline=many,
        first_at=min(alert.first_at for alert in rest),
        last_at=max(alert.last_at for alert in rest),
        count=sum(alert.count for alert in rest),
        labels={name: value for name, value in sorted(shared) if name not in first.identity},
        facts={"Summed up": f"{len(rest):,} alerts of one batch"},
        members=tuple(named),
        parts=parts,
    )
