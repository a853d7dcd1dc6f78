"""A cooldown of a real LiteLLM proxy's router, from the provider's 429 to the message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.proxy import PROMPT, Proxy
from tests.acceptance.receiver import receiver
from tests.acceptance.stack import Stack


class _Proxy(Proxy):
    """A proxy with two deployments of one model, and cooldowns for those at their limit."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["router_settings"]["disable_cooldowns"] = False
        config["model_list"] *= 2
        for number, model in enumerate(config["model_list"]):
            config["model_list"][number] = {**model, "model_info": {"id": f"deployment-{number}"}}
        return config


def test_a_cooldown_is_notified_with_its_reason_and_end(tmp_path: Path) -> None:
    """Three calls meet two deployments at their limit. Each cooldown is one message, and the prompt is nowhere."""
    with receiver() as slack:
        stack = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET))
        proxy = _Proxy(tmp_path / "p", stack.broker_url, ("status-429",))
        try:
            stack.up()
            proxy.up()
            for _ in range(3):
                assert proxy.ask("status-429")[0] == 429
            posts = slack.wait_for("`cooldown_deployment`", count=2, seconds=20)
        finally:
            proxy.down()
            stack.down()
    texts = [post.text for post in posts]

    assert len(texts) == 2
    assert {name for name in ("deployment-0", "deployment-1") for text in texts if name in text} == {
        "deployment-0",
        "deployment-1",
    }
    assert all("Deployment cools down for" in text and "RateLimitError 429" in text for text in texts)
    assert all("Until" in text and PROMPT[:12] not in text for text in texts)
