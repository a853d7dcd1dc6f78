"""What a receiver was told: read from the text of what it took, and from nothing of ours."""

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
#: For how long after a message came something may hinder its answer from being recorded, in seconds.
_RECORDED: Final = 6.0


@dataclass(frozen=True)
class Harm:
    """From when to when the answer to a message could be lost with whoever waited for it (monotonic seconds)."""

    began: float
    ended: float


def tellings(posts: Iterable[Post]) -> list[tuple[str, int]]:
    """Give each alert that was told of, with the occurrences that were counted then; a digest tells of many.

    A message that came again under its id is one.
    """
    return [told for post in {post.notification_id: post for post in posts}.values() for told in _tellings(post)]


def occurrences(posts: Iterable[Post]) -> Counter[str]:
    """Give how many occurrences of each alert were told."""
    counts: Counter[str] = Counter()
    for alert, count in tellings(posts):
        counts[alert] += count
    return counts


def _tellings(post: Post) -> list[tuple[str, int]]:
    if _DIGEST.search(post.text):
        return [(alert, int(count or 1)) for count, alert in _ENTRY.findall(post.text)]
    return [(alert, post.count) for alert in _ALERT.findall(post.text)]


def repeated(posts: Sequence[Post]) -> list[Post]:
    """Give what was taken and answered, and yet came again."""
    last = {post.notification_id: number for number, post in enumerate(posts)}
    return [post for number, post in enumerate(posts) if post.status == 200 and last[post.notification_id] != number]


def unexplained(posts: Sequence[Post], harms: Iterable[Harm]) -> list[Post]:
    """Give what was answered and came again without a harm at that time; each harm explains one message.

    There is one lane with one message on its way.
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
