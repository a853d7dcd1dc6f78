"""Text without what looks like a secret. Needs the standard library alone: a proxy loads it."""

from __future__ import annotations

import re
from typing import Final

#: What stands where something was taken out.
REMOVED: Final = "[removed]"
#: What is looked for from many places is bounded: a text of a million characters takes a second and not an hour.
_CERTAIN: Final = r"""(?x)
    (?<=//)[^\s/@]+@                                                                  # user and password of a URL
    | https?://hooks\.slack\.com/[^\s'"<>,;)]+
    | https?://[^\s'"<>,;)]{0,500}?(?:webhook|logic\.azure\.com)[^\s'"<>,;)]*
    | (?<=[?&])[^\s=&?]*=[^\s&"']+                                                     # a URL's query
    | (?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))                                        # also behind a "%3D"
      (?:sk|pk|rk|gsk|xai|hf|gh[pos]|github_pat|glpat|xox[abposr]|xapp|AIza|ya29|AKIA|ASIA|pplx|r8)
      [-_.]?[A-Za-z0-9*_.\-]{8,}
    | \beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*                                     # JSON web token
    | \b(?i:(?P<scheme>bearer|basic)\s+)[A-Za-z0-9._~+/*=-]{6,}
    | (?P<label>(?<![\w-])(?i:[\w-]*(?:api[-_ ]?key|access[-_ ]?key|secret|token|password|authorization))
      (?:\s+provided)?["']?\s*[:=]\s*["']?(?i:(?:bearer|basic)\s+)?)[^\s"',;&)}\]]{4,}
    | -----BEGIN[ A-Z]+-----[\s\S]*?(?:-----END[ A-Z]+-----|\Z)
    """


_SURE: Final = re.compile(_CERTAIN)


#: With what only looks like a secret, and may be an id.
_SECRETS: Final = re.compile(
    _CERTAIN
    + r"""
    | \b[A-Fa-f0-9]{32,}\b
    | \b(?=[A-Za-z0-9+/_-]{0,64}?[0-9])(?=[A-Za-z0-9+/_-]{0,64}?[A-Za-z])[A-Za-z0-9+/_-]{40,}={0,2}
    """
)


def without_secrets(text: str, *, sure: bool = False) -> str:
    """Give a text without what looks like a secret; with ``sure`` long ids stay, which only might be one."""
    return (_SURE if sure else _SECRETS).sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    if match["label"]:
        return match["label"] + REMOVED
    return f"{match['scheme']} {REMOVED}" if match["scheme"] else REMOVED
