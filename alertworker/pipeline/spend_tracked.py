"""What calls of customers cost, one message for each call, to those programs that ask for it."""

from __future__ import annotations

from datetime import datetime

from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step
from alertworker.alerts.suppression import SuppressionReason
from alertworker.budgets.spend_tracked import tracked
from alertworker.events import BudgetReported
from alertworker.folding import Fold
from alertworker.pipeline.runtime import NotifyOutcome, Runtime
from alertworker.ports import Transaction


def track_spend(tx: Transaction, folded: Fold, runtime: Runtime, *, covered: bool, now: datetime) -> None:
    """Write the messages in the batch's transaction, so that each call is reported once.

    They go where an alert about the customer's budget would go. Nothing is raised, grouped or silenced. ``covered``
    says that LiteLLM's callback reports the same calls as its webhook does.
    """
    wanting = {name for name, channel in runtime.channels.items() if channel.tracks_spend}
    if not wanting or not folded.tracked:
        return
    events = [event for event in folded.tracked if not (covered and isinstance(event, BudgetReported))]
    tx.count("muted", SuppressionReason.COVERED.value, len(folded.tracked) - len(events))
    messages: list[tuple[Message, tuple[str, ...]]] = []
    for call in tracked(events):
        decision = runtime.router.decide(call.type, call.routing_labels, now=now)
        channels = tuple(name for name in decision.channels if name in wanting)
        message = compose(call, Step.TRACKED, (), {}, at=call.last_at)
        runtime.watch(NotifyOutcome(call, Step.TRACKED, decision, None, channels, message))
        if channels:
            messages.append((message, channels))
        tx.count("muted", SuppressionReason.TIME.value, sum(name in wanting for name in decision.mute))
    tx.enqueue_tracked(messages, now=now)
