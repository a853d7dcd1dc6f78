"""The alerts that a receiver was sent, read from the text of its messages only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.acceptance.receiver import Post

_ID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
_ALERT: Final = re.compile(rf"^Alert: `({_ID})`$", re.MULTILINE)
_DIGEST: Final = re.compile(r"^\d+ messages waited since ", re.MULTILINE)
_ENTRY: Final = re.compile(rf"^.+?(?: ×(\d+))? \[(?:High|Medium|Low)\] ({_ID})$", re.MULTILINE)
#: How long after a message's arrival a fault may keep its answer from being recorded, in seconds.
_RECORDED: Final = 6.0


@dataclass(frozen=True)
class Harm:
    """The time range in which the answer to a message could be lost with the waiting process (monotonic seconds)."""

    began: float
    ended: float


def tellings(posts: Iterable[Post]) -> list[tuple[str, int]]:
    """Return each alert in these messages, with the occurrences counted there. A digest has many alerts.

    A message that was repeated under its id counts once.
    """
    return [
        notification
        for post in {post.notification_id: post for post in posts}.values()
        for notification in _tellings(post)
    ]


def occurrences(posts: Iterable[Post]) -> Counter[str]:
    """Return the number of occurrences of each alert in these messages."""
    counts: Counter[str] = Counter()
    for alert, count in tellings(posts):
        counts[alert] += count
    return counts


def _tellings(post: Post) -> list[tuple[str, int]]:
    if _DIGEST.search(post.text):
        return [(alert, int(count or 1)) for count, alert in _ENTRY.findall(post.text)]
    return [(alert, post.count) for alert in _ALERT.findall(post.text)]


def repeated(posts: Sequence[Post]) -> list[Post]:
    """Return the posts that were accepted and answered, and were repeated nevertheless."""
    last = {post.notification_id: number for number, post in enumerate(posts)}
    return [post for number, post in enumerate(posts) if post.status == 200 and last[post.notification_id] != number]


def unexplained(posts: Sequence[Post], harms: Iterable[Harm]) -> list[Post]:
    """Return the repeated posts without a fault at that time. Each fault explains one message.

    There is one lane with one message in flight.
    """
    left = sorted(harms, key=lambda harm: harm.began)
    found = []
    for post in repeated(posts):
        harm = next((one for one in left if one.began <= post.at + _RECORDED and post.at <= one.ended), None)
        if harm is None:
            found.append(post)
        else:
            left.remove(harm)
    return found
