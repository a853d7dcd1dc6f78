"""The formats of secrets: addresses, keys, and strings that only resemble a key.

The list follows the vendors' documentation and the rules of secret scanners. Lengths are lower bounds, because a
shortened key is a secret, too. Every search from many places is bounded, so the time grows linearly with the text.
Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

import re
from typing import Final

UUID: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

#: Addresses that are secrets or carry one. Quotes, brackets and commas end an address, but not within a password.
_ADDRESSES: Final = r"""
      (?<=//)[^\s/:@"'<>,]{0,200}:[^\s/@"'<>,]{0,200}@[^\s"'<>,?\#]{1,200}@(?=[\w.\[])  # a password with "@" and "/"
    | (?<=//)[^\s/"'<>,]{0,500}@                                                   # user and password of a URL
    | (?<=://)[^\s/:@"'<>,]{0,200}:(?![0-9]{1,5}(?:[?\#]|$))
      (?![0-9]{1,5}/[^\s@"'<>,]{1,200}@(?:[0-9]{3,8}|default|latest)(?![\w.]))      # a port and a version of a model
      [^\s@"'<>,]{1,200}@                                                          # a password with a slash in it
    | (?<=://)(?:[^\s/:@"'<>,]{1,200}:(?![0-9]{1,5}[^A-Za-z0-9])|:)                 # with a comma or quote in it
      (?:[^\s/@"'<>,]|["'<>,](?![\s,:;}\])"'<>])){1,200}+@
    | (?<=:thin:)[^\s@"'<>,]{1,200}@                                               # Oracle's driver of JDBC
    | (?i:hooks\.slack(?:-gov)?\.com|/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{6,}|hc-ping\.com|api\.telegram\.org
      |discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks|events\.pagerduty\.com/integration)/[^\s'"<>,;)]+
    | (?i:https?)://[^\s'"<>,;)]{0,500}?(?i:webhook|logic\.azure\.com|hooks\.slack\.com|hooks\.zapier\.com
      |api\.powerplatform\.com|maker\.ifttt\.com|/integrations/generic/|(?<=//)hook\.[a-z0-9.]{0,20}make\.com
      |/hooks?/(?=[^\s'"<>,;)]{0,60}?[0-9]))[^\s'"<>,;)]*
    | data:[\w.+-]{1,40}/[\w.+-]{1,60}(?:;[\w=.-]{1,60}){0,3},[^\s"'<>)\]}]{8,}             # an image or a document
    """
#: A value in the query of an address.
_QUERY: Final = r"""(?P<query>(?<=[?&])[^\s=&?]*=[^\s&"']+)"""

#: Keys with a known prefix. A key never begins within a word: "task-management" contains no key.
_KEYS: Final = r"""
      (?<![A-Za-z0-9_-])sk-(?=[A-Za-z0-9*_])
      (?:[A-Za-z0-9*_.\-]{7,}[A-Za-z0-9*_\-]|[A-Za-z_]{0,5}[0-9][A-Za-z0-9_]{3,6})  # LiteLLM, OpenAI and many others
    | (?<![A-Za-z0-9])(?:
        (?i:sk-(?:proj|ant|svcacct|admin|or|lf|live|test|none)|pk-lf)-[A-Za-z0-9*_.\-]{7,}[A-Za-z0-9*_\-]
      | (?i:sk)[-_](?=[A-Za-z0-9]{0,60}?[0-9])(?=[A-Za-z0-9]{0,60}?[A-Za-z])[A-Za-z0-9]{20,}
      | sk-(?=[A-Za-z0-9_-]{0,60}?[0-9])(?=[A-Za-z0-9_-]{0,60}?[A-Z])(?=[A-Za-z0-9_-]{0,60}?[a-z])[A-Za-z0-9_-]{20,}
      | (?i:[prs]k(?:_org)?_(?:live|test))_[A-Za-z0-9]{8,}                                   # Stripe
      | sk_car_[A-Za-z0-9_-]{16,} | (?:sess|HRKU|CFPAT)-[A-Za-z0-9_-]{32,} | e2b_[0-9a-f]{16,} # Cartesia, OpenAI
      | AGE-SECRET-KEY-1[0-9A-Z]{20,} | pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{16,}
      | dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{16,}                          # Doppler
      | glc_(?=[A-Za-z0-9+/]{0,60}?[0-9A-Z])[A-Za-z0-9+/]{20,}={0,2}                 # Grafana Cloud
      | ph[acrsx]_(?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{20,}                    # PostHog
      | secret_(?=[A-Za-z0-9]{0,60}?[0-9])(?=[A-Za-z0-9]{0,60}?[A-Z])[A-Za-z0-9]{24,} # Notion
      | (?i:whsec)_[A-Za-z0-9+/_-]{16,}={0,2}                                       # Standard Webhooks, Stripe
      | (?i:gsk|hf|fw|npm|shp(?:at|ss|ca|pa)|ntn|lin_(?:api|oauth)|glsa|vc[kp]|ek|flp|cf[au]t|apify_api)_
        (?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{16,}
        (?:_[0-9a-f]{8})?
      | (?i:dckr_[op]at|lsv2_[ps]t|tgp_v1|pcsk|figd|sntry[su]|wandb_v1|sb_secret)_(?=[A-Za-z0-9_+/-]{0,60}?[0-9A-Z])
        [A-Za-z0-9_+/-]{16,}={0,2}
      | (?i:tvly-(?:dev-|prod-)?)(?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{16,}[A-Za-z0-9-]*
      | (?i:xai|pplx|csk)-[A-Za-z0-9]{40,} | r8_[A-Za-z0-9]{37,} | rpa_[A-Za-z0-9]{30,} | api_org_[A-Za-z0-9]{30,}
      | (?i:nvapi)-(?=[A-Za-z0-9_-]{0,60}?[0-9])(?=[A-Za-z0-9_-]{0,60}?[A-Z])[A-Za-z0-9_-]{40,}
      | (?i:gh[oprsu])_[A-Za-z0-9]{16,} | (?i:github_pat)_[A-Za-z0-9_]{16,}
      | (?i:glpat|glptt|gldt|glrtr?|glcbt|glft|glsoat|glagent|glimt|glwt|gloas)-[A-Za-z0-9_.-]{20,}
      | ABSK[A-Za-z0-9+/]{20,}={0,2} | bedrock-api-key-(?=[A-Za-z0-9+/]{0,60}?[0-9A-Z])[A-Za-z0-9+/]{20,}={0,2}
      | [A-Za-z0-9]{40,60}JQQJ9[9D][A-Za-z0-9]{16,}                                 # Azure
      | AQ\.[A-Za-z0-9_-]{20,} | LLM\|[0-9]{6,20}\|[A-Za-z0-9_-]{16,}                # Gemini, Meta
      | jina_(?=[A-Za-z]{0,60}?[0-9])[A-Za-z0-9]{20,}[A-Za-z0-9_-]*
      | (?:pa-|BSA(?![A-Za-z0-9_-]{38}))(?=[A-Za-z0-9_-]{0,60}?[0-9])(?=[A-Za-z0-9_-]{0,60}?[A-Z])
        (?=[A-Za-z0-9_-]{0,60}?[a-z])(?:(?<=-)[A-Za-z0-9_-]{40,48}(?![A-Za-z0-9_-])
        |(?<=A)[A-Za-z0-9_-]{24,})   # Voyage, Brave
      | a[ks]-(?=[a-z0-9]{0,21}[A-Z])(?=[A-Z0-9]{0,21}[a-z])[A-Za-z0-9]{22}(?![A-Za-z0-9_-])  # Modal
      | hv[sbr]\.[A-Za-z0-9_-]{20,} | AT[AC]TT[A-Za-z0-9_=-]{16,} | NR(?:AK|AA|JS)-[A-Za-z0-9]{16,}
      | do[opr]_v1_[0-9a-f]{16,} | sbp_(?:v0_)?[0-9a-f]{16,}
      | (?:fc-|ls__|x(?:key|smtp)sib-)[0-9a-f]{32,}(?:-[A-Za-z0-9]{8,})?
      | sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{16,}                                       # Square
      | (?i:xox[a-z](?:\.xox[a-z])?-|xapp-(?=[0-9])|tskey-(?=[A-Za-z-]{0,60}?[0-9]))[A-Za-z0-9-]{8,}
      | AK(?:IA[A-Z0-9]{12,}|Cp[A-Za-z0-9]{30,}) | (?:ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])  # Amazon
      | AIza[A-Za-z0-9_-]{20,} | ya29\.[A-Za-z0-9_.-]{8,} | GOCSPX-[A-Za-z0-9_-]{16,} | 1//0[A-Za-z0-9_-]{20,}
      | (?:dapi|dkea|dose|dsapi)[0-9a-f]{16,}(?:-[0-9])?                            # Databricks
      | SG\.[A-Za-z0-9_-]{8,}\.(?=[A-Za-z0-9_-]{0,60}?[0-9A-Z])[A-Za-z0-9_-]{16,}  # SendGrid
      | key-[0-9a-f]{32}                                                            # Mailgun
      | pypi-Ag[A-Za-z0-9_-]{14,} | SK[0-9a-f]{32}                                    # PyPI, Twilio
      | bce-v3/[A-Za-z0-9/-]{16,}                                                   # Baidu
      | (?:xa[ap]t|sdk|api|luma|access-(?:sandbox|development|production))-UUID(?:-UUID)?
      | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*                                   # JSON web token
      )
    | (?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}           # a client of Azure
    | (?<![0-9])[0-9]{6,12}:AA[A-Za-z0-9_-]{28,}                                    # a bot of Telegram
    | (?<![A-Za-z0-9])(?i:(?:bearer|basic|digest)(?:\s|%20|\+)+["']?                    # followed by no ordinary word
        |basic:\s*(?=[A-Za-z+/]{0,60}[0-9=])(?=[A-Za-z0-9+/]{10}))
      (?P<sent>(?=[^\s"',;]{0,400}?(?:[0-9=]|[a-z][A-Z])|[^\s"',;.]{20})[A-Za-z0-9._~+/*=-]{6,})
    | ----[-\ ]BEGIN[ A-Z0-9]+----[\s\S]*?(?:----[-\ ]END[ A-Z0-9]+-----?|\Z)
    """.replace("UUID", UUID)

#: Certain secrets by their format. Searches of their own are faster than one for all.
ADDRESSES: Final = re.compile(f"(?x) {_ADDRESSES}")
QUERIES: Final = re.compile(f"(?x) {_QUERY}")
KEYS: Final = re.compile(f"(?x) {_KEYS}")
#: Keys with no prefix or an ordinary prefix: those of Discord's bots, Airtable, Resend, and Zhipu or Ollama.
BOT: Final = re.compile(
    r"[MNO](?<![A-Za-z0-9_-][MNO])[A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"
    r"|p(?<![A-Za-z0-9]p)at[A-Za-z0-9]{14}\.[0-9a-f]{16,}"
    r"|r(?<![A-Za-z0-9_]r)e_(?=[A-Za-z]{0,60}?[0-9])[A-Za-z0-9]{8,}_(?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{16,}"
    r"|(?<![A-Za-z0-9])[0-9a-f]{32}\.(?=[A-Za-z_-]{0,60}?[0-9A-Z])[A-Za-z0-9_-]{16,}"
)
#: A text whose lower case has none of these strings has no match. To look for them takes a tenth of the time.
KEY_HINTS: Final = (
    "//", "?", "&", "slack", "/webhooks/", "hc-ping", "telegram", "pagerduty", "discord",
    "sk", "pk", "rk", "whsec", "hf", "fw", "r8", "npm", "dckr", "shp",
    "ntn", "lin_", "vck_", "vcp_", "ek_", "flp_", "cfat_", "cfut_",
    "_v1_", "figd", "sntry", "sb_secret", "rpa_", "api_org", "absk", "bedrock-api", "aq.", "llm|",
    "jina", "pa-", "bsa", "ak-", "as-", "hv", "atatt", "atctt", "nr", "sbp_", "fc-", "ls__", "sq0", "q~",
    "tvly", "csk", "lsv2", "xai", "pplx", "nvapi", "gho", "ghp", "ghr", "ghs", "ghu", "github_pat", "gl", "xox", "xapp",
    "akia", "akcp", "asia", "abia", "acca", "aiza", "ya29", "gocspx", "dapi", "dkea", "dose", "dsapi", "sg.", "key-",
    "pypi", "eyj", "apify_", "cfpat-", "sib-", "tskey-", "bce-v3/", "xaat-", "xapt-", "sdk-", "api-", "luma-",
    "access-", ":aa", "jqqj9", ":thin:", "age-secret", "dp.", "e2b_", "hrku", "pha_", "phc_", "phr_", "phs_", "phx_",
    "pscale_", "secret_", "sess-", "bearer", "basic", "digest", "----", "data:",
)  # fmt: skip
#: Candidates that may also be ids: 32 hexadecimal digits, or a long string that `is_random`.
LONG: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Fa-f0-9]{32,}(?![A-Za-z0-9])|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}"
)
#: A part of such a string that has only hexadecimal digits, for example in a path.
HEX: Final = re.compile(r"(?<![A-Za-z0-9])[A-Fa-f0-9]{32,}(?![A-Za-z0-9])")
_UUID: Final = re.compile(UUID)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9]+")
_CHANGE: Final = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
#: Amazon's secret keys: 40 characters, with upper case, lower case and digits.
_AMAZON: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9+/]{40}")
_HEX: Final = re.compile(r"[A-Fa-f0-9]{32,}")


def is_random(text: str) -> bool:
    """Return whether a long string looks generated, unlike a path, a name with a version or a UUID.

    Letters and digits must alternate. A string of 40 characters or more must also have one long piece or both cases. A
    shorter string must have both.
    """
    if _HEX.fullmatch(text) or _AMAZON.fullmatch(text):
        return True
    text = _UUID.sub("", text)
    if len(_CHANGE.findall(text[:200])) < 4:
        return False
    longest = max(_SEGMENT.findall(text), key=len, default="")
    mixed = longest.lower() != longest != longest.upper()
    return (len(longest) >= 16 or mixed) if len(text.rstrip("=")) >= 40 else (len(longest) >= 16 and mixed)
