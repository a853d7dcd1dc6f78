"""``alertworker budgets``: list all budgets."""

from __future__ import annotations

from alertworker.cli.grammar import noun
from alertworker.cli.output import AS_JSON, LIMIT, show_rows


@noun
def budgets() -> None:
    """List budgets with spend, limit, share, reset and state. Without a command: list them."""


@budgets.command("list")
@LIMIT
@AS_JSON
def list_(limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List budgets, the highest share used first."""
    from alertworker.app import build_admin_store
    from alertworker.budgets.alert import name, share, spend_text
    from alertworker.budgets.state import spell_state

    rows: list[tuple[float, dict[str, object]]] = []
    for key, state in build_admin_store().budgets():
        reading = state.reading
        shown, spend = name(key, reading), spend_text(reading)
        row: dict[str, object] = {"scope": key.name, "state": spell_state(state), "spend": spend}
        row |= {"resets": reading.reset_at or "never", "reported": reading.at, "budget": shown}
        if as_json:
            row = {
                "budget": key.name,
                "state": spell_state(state),
                "resets": reading.reset_at,
                "reported": reading.at,
                "entity": key.entity,
                "spend_nanos": reading.spend_nanos,
                "max_nanos": reading.max_nanos,
                "soft_nanos": reading.soft_nanos,
                "share": share(reading),
                "line": f"{shown}: {spend}",
            }
        rows.append((share(reading) or 0.0, row))
    rows.sort(key=lambda pair: -pair[0])
    show_rows([row for _, row in rows[:limit]], text="budget", as_json=as_json, empty="No budgets.")
