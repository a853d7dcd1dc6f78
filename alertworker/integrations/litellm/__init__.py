"""The LiteLLM integration; its proxy side is ``callbacks: ["alertworker.integrations.litellm.callback"]``.

LiteLLM imports this module and asks it for ``callback``, so no module of this package may have that name. The callback
is made when it is first asked for: its class needs LiteLLM, which is installed only beside a proxy.
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """Return the callback when LiteLLM asks for ``callback``. Every later call returns the same object."""
    if name != "callback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from alertworker.integrations.litellm.callback_hooks import get_callback

    return get_callback()
