"""The formats of secrets: keys, labelled values, and strings that only resemble a key.

The list follows the vendors' documentation and the rules of secret scanners. Lengths are lower bounds, because a
shortened key is a secret, too. Every search from many places is bounded, so the time grows linearly with the text.
Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

import re
from typing import Final

#: Addresses that are secrets or carry one. Quotes, brackets and commas end an address.
_ADDRESSES: Final = r"""
      (?<=//)[^\s/"'<>,]{0,500}@                                                   # user and password of a URL
    | (?<=://)[^\s/:@"'<>,]{1,200}:(?![0-9]{1,5}(?:[/?\#]|$))[^\s@"'<>,]{1,200}@   # a password with a slash in it
    | (?i:hooks\.slack\.com|discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks)/[^\s'"<>,;)]+
    | (?i:https?)://[^\s'"<>,;)]{0,500}?(?i:webhook|logic\.azure\.com|hooks\.slack\.com|hooks\.zapier\.com
      |api\.powerplatform\.com)[^\s'"<>,;)]*
    | (?<=[?&])[^\s=&?]*=[^\s&"']+                                                  # a URL's query
    """

#: Keys with a known prefix. A key never begins within a word: "task-management" contains no key.
_KEYS: Final = r"""
      (?<![A-Za-z0-9_-])sk-(?=[A-Za-z0-9*_])
      (?:[A-Za-z0-9*_.\-]{7,}[A-Za-z0-9*_\-]|[A-Za-z_]{0,5}[0-9][A-Za-z0-9_]{3,6})  # LiteLLM, OpenAI and many others
    | (?<![A-Za-z0-9])(?:
        (?i:sk-(?:proj|ant|svcacct|admin|or|lf|live|test|none)|pk-lf)-[A-Za-z0-9*_.\-]{7,}[A-Za-z0-9*_\-]
      | (?i:sk)[-_](?=[A-Za-z0-9]{0,60}?[0-9])(?=[A-Za-z0-9]{0,60}?[A-Za-z])[A-Za-z0-9]{20,}
      | sk-(?=[A-Za-z0-9_-]{0,60}?[0-9])(?=[A-Za-z0-9_-]{0,60}?[A-Z])(?=[A-Za-z0-9_-]{0,60}?[a-z])[A-Za-z0-9_-]{20,}
      | (?i:[prs]k_(?:live|test))_[A-Za-z0-9]{8,}                                   # Stripe
      | (?i:whsec)_[A-Za-z0-9+/_-]{16,}={0,2}                                       # Standard Webhooks, Stripe
      | (?i:gsk|hf|fw|r8|npm|dckr_pat|shpat|tvly|lsv2_[ps]t)[-_](?=[A-Za-z0-9_-]{0,60}?[0-9A-Z])[A-Za-z0-9_-]{16,}
      | (?i:xai|pplx|nvapi|csk)-[A-Za-z0-9_-]{16,}
      | (?i:gh[oprsu])_[A-Za-z0-9]{16,} | (?i:github_pat)_[A-Za-z0-9_]{16,} | (?i:gl[a-z]{2,5})-[A-Za-z0-9_.-]{20,}
      | (?i:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{8,}                          # Slack
      | AKIA[A-Z0-9]{12,} | (?:ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])           # Amazon
      | AIza[A-Za-z0-9_-]{20,} | ya29\.[A-Za-z0-9_.-]{8,} | GOCSPX-[A-Za-z0-9_-]{16,} | 1//0[A-Za-z0-9_-]{20,}
      | (?:dapi|dkea|dose|dsapi)[0-9a-f]{16,}(?:-[0-9])?                            # Databricks
      | SG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,} | key-[0-9a-f]{32}                 # SendGrid, Mailgun
      | pypi-[A-Za-z0-9_-]{16,} | SK[0-9a-f]{32}                                    # PyPI, Twilio
      | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*                                   # JSON web token
      )
    | (?<![0-9])[0-9]{6,12}:AA[A-Za-z0-9_-]{28,}                                    # a bot of Telegram
    | (?<![A-Za-z0-9])(?i:(?:bearer|basic|digest)(?:\s|%20|\+)+)                    # followed by no ordinary word
      (?P<sent>(?=[^\s"',;]{0,400}?(?:[0-9=]|[a-z][A-Z])|[^\s"',;.]{20})[A-Za-z0-9._~+/*=-]{6,})
    | -----BEGIN[ A-Z0-9]+-----[\s\S]*?(?:-----END[ A-Z0-9]+-----|\Z)
    """

#: The last part of a name whose value is a secret.
_LABEL: Final = r"""(?:
        (?:api|access|account|private|subscription|signing|encryption|master|auth|client)[-_\ ]?keys?
      | secrets?|token|passw(?:or)?d|passphrase|passcode|pwd|authorization|credentials?|cookie|webhook[-_\ ]?url
      )"""

#: The value of such a name, up to the closing quote where it is quoted.
_LABELLED: Final = rf"""
      (?!(?<=[0-9]:)secret:)(?i:{_LABEL})(?:\s+provided)?\\?+["'`]?+
      (?:\s*+(?::=|=>|[:=])\s*+|>)(?:\[(?!removed\])\s*+)?+\\?+["'`]?+(?i:(?:bearer|basic|digest|token)\s++)?+
      (?!\[removed\]|secret-[0-9a-f]{{12}}(?![0-9a-f])|\\?["'`]?(?i:[\w-]*{_LABEL})\\?["'`]?\s*[:=])
      (?P<value>(?<=")[^"\n]{{4,}}|(?<=')[^'\n]{{4,}}|[^\s"',;&)}}\]<]{{4,}})
    | (?<![\w-])--(?i:[\w-]*{_LABEL})\s+(?!\[removed\])(?P<option>[^\s"',;&)}}\]-][^\s"',;&)}}\]]{{3,}})
    | (?<![\w-])(?i:sig|signature)=(?P<signature>[A-Za-z0-9%+/=_-]{{16,}})
    """

#: Certain secrets: keys by their format, and values by their name.
KEYS: Final = re.compile(rf"(?x) {_ADDRESSES} | {_KEYS}")
LABELLED: Final = re.compile(rf"(?x) {_LABELLED}")
#: The token of a Discord bot, which has no prefix.
BOT: Final = re.compile(r"[MNO](?<![A-Za-z0-9_-][MNO])[A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}")
#: A text that contains, in lower case, none of these has no match: looking for them takes a tenth of the time.
KEY_HINTS: Final = (
    "//", "?", "&", "slack.com/", "discord", "sk", "pk", "rk", "whsec", "hf", "fw", "r8", "npm", "dckr", "shpat",
    "tvly", "lsv2", "xai", "pplx", "nvapi", "gho", "ghp", "ghr", "ghs", "ghu", "github_pat", "gl", "xox", "xapp",
    "akia", "asia", "abia", "acca", "aiza", "ya29", "gocspx", "dapi", "dkea", "dose", "dsapi", "sg.", "key-", "pypi",
    "eyj", ":aa", "bearer", "basic", "digest", "-----begin",
)  # fmt: skip
LABEL_HINTS: Final = (
    "key", "secret", "token", "passw", "passphrase", "passcode", "pwd", "authorization", "credential", "cookie",
    "webhook", "sig",
)  # fmt: skip
#: Candidates that may also be ids: 32 hexadecimal digits, or a long string that `is_random`.
LONG: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Fa-f0-9]{32,}(?![A-Za-z0-9])|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}"
)
#: The name of a field whose value is a secret.
SECRET_NAME: Final = re.compile(rf"(?xi) (?<![a-z]) [\w\s-]*{_LABEL}\s*\Z")

_SEGMENT: Final = re.compile(r"[A-Za-z0-9]+")
_CHANGE: Final = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
#: Amazon's secret keys: forty characters, of which some are capital, some small, and some digits.
_AMAZON: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9+/]{40}")
_HEX: Final = re.compile(r"[A-Fa-f0-9]{32,}")


def is_random(text: str) -> bool:
    """Return whether a long string looks generated, unlike a path, a name with a version or a UUID.

    Letters and digits must alternate. From 40 characters on the string must also have one long piece or both cases; a
    shorter one must have both.
    """
    if _HEX.fullmatch(text) or _AMAZON.fullmatch(text):
        return True
    if len(_CHANGE.findall(text[:200])) < 4:
        return False
    longest = max(_SEGMENT.findall(text), key=len, default="")
    mixed = longest.lower() != longest != longest.upper()
    return (len(longest) >= 16 or mixed) if len(text.rstrip("=")) >= 40 else (len(longest) >= 16 and mixed)
