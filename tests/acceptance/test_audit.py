"""LiteLLM's audit log, with its own entries and its own calls, up to the message to people."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.proxy import litellm_python
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack

TYPES = (
    "new_virtual_key_created, virtual_key_updated, virtual_key_deleted, team_member_added, new_internal_user_created"
)
ALL_TYPES = f'alerting: ["slack"]\n  alert_types: [{TYPES}]'


def test_changes_in_the_audit_log_are_notified_once_and_without_the_key(tmp_path: Path, slack: Receiver) -> None:
    """The message has the actor, the change, and the old and new value.

    It has no key, and no value that may be secret.
    """
    config = CONFIG.replace('alerting: ["slack"]', ALL_TYPES).format(url=slack.url, secret=WEBHOOK_SECRET)
    stack = Stack(tmp_path / "s", config)
    try:
        stack.up()
        script = Path(__file__).with_name("litellm_audit.py")
        environ = {"ALERTWORKER_BROKER_URL": stack.broker_url, "ALERTWORKER_DATA_DIR": str(tmp_path / "data")}
        done = subprocess.run(
            [str(litellm_python()), str(script)],
            env={"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True", **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        texts = [post.text for post in slack.wait_for("by ada", seconds=20, count=5)]
    finally:
        stack.down()

    def wait_for_message(*words: str) -> str:
        (text,) = [text for text in texts if all(word in text for word in words)]
        return text

    wait_for_message("Key sear", "was created by ada")
    assert "metadata" in wait_for_message("Key sear", "was updated by ada", "10.0 → 20.0")
    wait_for_message("Key sear", "was deleted by ada")
    assert "u2" in wait_for_message("Team Search", "member added by ada")
    wait_for_message("u2@example.com was created by ada")
    assert len(slack.taken()) == 5
    assert not any(secret in post.text for post in slack.posts for secret in ("sk-live", "of the board"))
