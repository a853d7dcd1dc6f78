"""Vendors whose webhooks take none of our bodies, by the host of their URLs.

They answer 200 and report the failure in the body, or refuse every message. So the URL is refused before anything is
sent to it. Apprise knows the form of each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

#: The name of each vendor, and the form of its URL for Apprise.
_VENDORS: Final[Mapping[str, tuple[str, str]]] = {
    "api.opsgenie.com": ("Opsgenie", "opsgenie://API_KEY"),
    "api.telegram.org": ("Telegram", "tgram://BOT_TOKEN/CHAT_ID"),
    "oapi.dingtalk.com": ("DingTalk", "dingtalk://ACCESS_TOKEN"),
    "open.feishu.cn": ("Feishu", "feishu://TOKEN"),
    "open.larksuite.com": ("Lark", "lark://TOKEN"),
    "qyapi.weixin.qq.com": ("WeCom", "wecombot://KEY"),
    "webexapis.com": ("Webex", "wxteams://TOKEN"),
    "zulipchat.com": ("Zulip", "zulip://BOT@ORGANIZATION/TOKEN/CHANNEL"),
}


def foreign_problem(url: str) -> str | None:
    """Return why no message to a vendor's URL would arrive, with the remedy; ``None`` if the vendor is not foreign.

    >>> foreign_problem("https://open.feishu.cn/open-apis/bot/v2/hook/x")
    'Feishu takes another form of message; use a channel with kind: apprise and url: feishu://TOKEN'
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    for suffix, (vendor, form) in _VENDORS.items():
        if host == suffix or host.endswith(f".{suffix}"):
            return f"{vendor} takes another form of message; use a channel with kind: apprise and url: {form}"
    return None
