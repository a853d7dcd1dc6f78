"""What calls of customers cost, told to those programs alone that ask for it: one message for each call."""

from __future__ import annotations

from datetime import datetime

from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step
from alertworker.budgets.spend_tracked import tracked
from alertworker.events import BudgetReported
from alertworker.folding import Fold
from alertworker.pipeline.runtime import Runtime, Verdict
from alertworker.ports import Transaction


def track_spend(tx: Transaction, folded: Fold, runtime: Runtime, *, covered: bool, now: datetime) -> None:
    """Write the messages in the batch's transaction, so each call is told once.

    They go where an alert about the customer's budget would go. Nothing is raised, grouped or silenced. ``covered``
    says that LiteLLM's callback tells the same calls as its webhook does.
    """
    wanting = {name for name, channel in runtime.channels.items() if channel.tracks_spend}
    if not wanting or not folded.tracked:
        return
    events = [event for event in folded.tracked if not (covered and isinstance(event, BudgetReported))]
    tx.count("muted", "covered", len(folded.tracked) - len(events))
    told: list[tuple[Message, tuple[str, ...]]] = []
    for call in tracked(events):
        decision = runtime.router.decide(call.type, call.routing_labels, now=now)
        channels = tuple(name for name in decision.channels if name in wanting)
        message = compose(call, Step.TRACKED, (), {}, at=call.last_at)
        runtime.watch(Verdict(call, Step.TRACKED, decision, None, channels, message))
        if channels:
            told.append((message, channels))
        tx.count("muted", "time", sum(name in wanting for name in decision.mute))
    tx.track(told, now=now)
