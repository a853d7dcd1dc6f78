"""The cost of customers' calls: one message for each call, only for channels that ask for it."""

from __future__ import annotations

from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step
from alertworker.alerts.suppression import SuppressionReason
from alertworker.budgets.spend_tracked import tracked
from alertworker.events import BudgetReported
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.relayed import callback_is_live
from alertworker.pipeline.runtime import NotifyOutcome
from alertworker.ports.batches import CounterName


def track_spend(context: BatchContext) -> None:
    """Write the messages in the batch's transaction, so that each call is sent once.

    They are routed like an alert about the customer's budget. No alert is raised, and nothing is grouped or silenced.
    While LiteLLM's callback is running it publishes the same calls as LiteLLM's webhook, so the webhook's reports are
    left out.
    """
    tx, folded, runtime = context.tx, context.folded, context.runtime
    wanting = {name for name, channel in runtime.channels.items() if channel.tracks_spend}
    if not wanting or not folded.tracked:
        return
    reported = any(isinstance(event, BudgetReported) for event in folded.tracked)
    covered = reported and callback_is_live(tx.publishers, now=context.now)
    events = [event for event in folded.tracked if not (covered and isinstance(event, BudgetReported))]
    tx.count(CounterName.SUPPRESSED, SuppressionReason.COVERED.value, len(folded.tracked) - len(events))
    messages: list[tuple[Message, tuple[str, ...]]] = []
    for call in tracked(events):
        decision = runtime.router.decide(call.type, call.routing_labels, now=context.now)
        channels = tuple(name for name in decision.channels if name in wanting)
        message = compose(call, Step.TRACKED, at=call.last_at, here=runtime.installation)
        runtime.watch(NotifyOutcome(call, Step.TRACKED, decision, None, channels, message))
        if channels:
            messages.append((message, channels))
        tx.count(CounterName.SUPPRESSED, SuppressionReason.TIME.value, sum(name in wanting for name in decision.mute))
    tx.notifications.enqueue_tracked(messages, now=context.now)
