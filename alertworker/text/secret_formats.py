"""The formats of secrets: keys, labelled values, and strings that only resemble a key.

The list follows the vendors' documentation and the rules of secret scanners. Lengths are lower bounds, because a
shortened key is a secret, too. Every search from many places is bounded, so the time grows linearly with the text.
Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

import re
from typing import Final

#: Addresses that are secrets or carry one. Quotes, brackets and commas end an address, but not within a password.
_ADDRESSES: Final = r"""
      (?<=//)[^\s/"'<>,]{0,500}@                                                   # user and password of a URL
    | (?<=://)[^\s/:@"'<>,]{1,200}:(?![0-9]{1,5}(?:[?\#]|$))
      (?![0-9]{1,5}/[^\s@"'<>,]{1,200}@(?:[0-9]{3,8}|default|latest)(?![\w.]))      # a port and a version of a model
      [^\s@"'<>,]{1,200}@                                                          # a password with a slash in it
    | (?<=://)(?:[^\s/:@"'<>,]{1,200}:(?![0-9]{1,5}[^A-Za-z0-9])|:)                 # with a comma or quote in it
      (?:[^\s/@"'<>,]|["'<>,](?![\s,:;}\])"'<>])){1,200}+@
    | (?<=:thin:)[^\s@"'<>,]{1,200}@                                               # Oracle's driver of JDBC
    | (?i:hooks\.slack\.com|discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks)/[^\s'"<>,;)]+
    | (?i:https?)://[^\s'"<>,;)]{0,500}?(?i:webhook|logic\.azure\.com|hooks\.slack\.com|hooks\.zapier\.com
      |api\.powerplatform\.com)[^\s'"<>,;)]*
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
      | (?i:[prs]k_(?:live|test))_[A-Za-z0-9]{8,}                                   # Stripe
      | sk_car_[A-Za-z0-9_-]{16,} | (?:sess|HRKU)-[A-Za-z0-9_-]{32,} | e2b_[0-9a-f]{16,} # Cartesia, OpenAI, Heroku
      | AGE-SECRET-KEY-1[0-9A-Z]{20,} | pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{16,}
      | dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{16,}                          # Doppler
      | glc_(?=[A-Za-z0-9+/]{0,60}?[0-9A-Z])[A-Za-z0-9+/]{20,}={0,2}                 # Grafana Cloud
      | ph[acrsx]_(?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{20,}                    # PostHog
      | secret_(?=[A-Za-z0-9]{0,60}?[0-9])(?=[A-Za-z0-9]{0,60}?[A-Z])[A-Za-z0-9]{24,} # Notion
      | (?i:whsec)_[A-Za-z0-9+/_-]{16,}={0,2}                                       # Standard Webhooks, Stripe
      | (?i:gsk|hf|fw|npm|shp(?:at|ss|ca|pa)|ntn|lin_api|glsa)_(?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{16,}
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
      | do[opr]_v1_[0-9a-f]{16,} | sbp_(?:v0_)?[0-9a-f]{16,} | (?:fc-|ls__)[0-9a-f]{32}
      | sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{16,}                                       # Square
      | (?i:xox[a-z](?:\.xox[a-z])?-|xapp-(?=[0-9]))[A-Za-z0-9-]{8,}                   # Slack
      | AKIA[A-Z0-9]{12,} | (?:ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])           # Amazon
      | AIza[A-Za-z0-9_-]{20,} | ya29\.[A-Za-z0-9_.-]{8,} | GOCSPX-[A-Za-z0-9_-]{16,} | 1//0[A-Za-z0-9_-]{20,}
      | (?:dapi|dkea|dose|dsapi)[0-9a-f]{16,}(?:-[0-9])?                            # Databricks
      | SG\.[A-Za-z0-9_-]{8,}\.(?=[A-Za-z0-9_-]{0,60}?[0-9A-Z])[A-Za-z0-9_-]{16,}  # SendGrid
      | key-[0-9a-f]{32}                                                            # Mailgun
      | pypi-Ag[A-Za-z0-9_-]{14,} | SK[0-9a-f]{32}                                    # PyPI, Twilio
      | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*                                   # JSON web token
      )
    | (?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}           # a client of Azure
    | (?<![0-9])[0-9]{6,12}:AA[A-Za-z0-9_-]{28,}                                    # a bot of Telegram
    | (?<![A-Za-z0-9])(?i:(?:bearer|basic|digest)(?:\s|%20|\+)+)                    # followed by no ordinary word
      (?P<sent>(?=[^\s"',;]{0,400}?(?:[0-9=]|[a-z][A-Z])|[^\s"',;.]{20})[A-Za-z0-9._~+/*=-]{6,})
    | -----BEGIN[ A-Z0-9]+-----[\s\S]*?(?:-----END[ A-Z0-9]+-----|\Z)
    """

#: Words before "key" or "tokens" in the name of a secret; "sort_key" and "max_tokens" are none.
_KINDS: Final = r"""(?:
        api|access|account|private|subscription|signing|signature|encryption|decryption|master|auth|client|secret|virtual
      | salt|publish|fernet
      | ssh|hmac|shared|service|admin|root|app|application|licen[cs]e|session|security|storage|aes|rsa|pgp|gpg|tls|ssl
      | jwt|bearer|refresh|deploy|ingest|integration|server|provider|proxy|llm|recovery|bot|functions|user[-_\ ]api
      |openai|azure|anthropic|claude|gemini|google|vertex|aws|bedrock|cohere|mistral|groq|deepseek|openrouter
      |perplexity|together|fireworks|replicate|xai|huggingface|hugging[-_]face|hf|nvidia|databricks|litellm|langfuse
      |langsmith|voyage|jina|pinecone|stripe|twilio|sendgrid|mailgun|datadog|sentry|slack|github|gitlab|cerebras
      |elevenlabs|tavily|helicone
      )"""
#: Suffixes of the name of a secret: a number, a version or an environment ("api_key_prod").
_SUFFIX: Final = r"""(?:[-_]?(?:v?[0-9]{1,3}|prod(?:uction)?|dev(?:elopment)?|stag(?:e|ing)|test|live|primary|secondary
      |default|old|new|backup|value|string|json|eu|us|pem|confirm(?:ation)?|west|east|north|south|central)(?![A-Za-z])){0,3}"""
#: The last part of a name whose value is a secret. A look-ahead for its end saves most of the time that it takes to try
#: all its beginnings at each place.
_LABEL: Final = rf"""(?:(?:
        (?=[a-z_\ -]{{2,13}}?key){_KINDS}[-_\ ]?keys? | secrets?
      | (?<!output\ )(?<!input\ )token  # LiteLLM's "Latency per output token"
      | secret[-_\ ]?key[-_\ ]?base | passw(?:or)?d[-_\ ]?hash(?:es)? | auth(?:orization)?[-_\ ]?headers?
      | (?:slack|discord|teams|incoming)[-_]?webhooks? | (?:php|[aj])sess(?:ion)?id
      | passw(?:or)?ds?|passphrases?|passcodes?|pwd|authorization|credentials?
      | cookies?|webhook[-_\ ]?url|conn(?:ection)?[-_\ ]?str(?:ing)?s?
      | (?=[a-z2_\ -]{{3,14}}?code)
        (?:mfa|otp|totp|2fa|verification|security|auth|authorization|recovery|backup|one[-_\ ]?time)[-_\ ]?codes?
      | (?=[a-z]{{2,5}}?pass)(?:db|pg|smtp|sql|redis|admin|root|ftp)pass
      ){_SUFFIX})"""
#: The same, of names that are also ordinary words: they count at the begin of a word only.
_WORD: Final = rf"""(?:(?:
        (?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:pass|pw|jwt|auth|bearer|t?otp|pin|creds?)
      | (?:(?<![\w-])|(?=[a-z_\ -]{{2,13}}?tokens){_KINDS}[-_\ ]?)tokens
      ){_SUFFIX})"""

_QUOTE: Final = r"""\\{0,3}+["'`]"""
#: The separators between a name and its value.
_IS: Final = rf"""(?:\s+provided)?(?:{_QUOTE})?+(?:\s*+(?::=|[=-]>|[:=：＝→])\s*+|>)"""
#: In a text an ordinary word is a name only where it or its value is quoted, or "=" follows; figures are no tokens.
_NAMED: Final = rf"""(?=(?:{_QUOTE})\s*[:=]|\s*(?::?=|:\s*[\[{{]?\s*{_QUOTE}))(?!(?<=tokens)\W{{1,8}}[0-9.,]+(?!\w))"""
#: Also what goes on right behind a secret that was removed, or that the search took out ("]]]]").
_VALUE: Final = r"""(?:(?<=[^\\]")(?:[^"\\\n]|\\[^\n]){4,}|(?<=")[^"\n]{4,}|(?<=')[^'\n]{4,}
      |(?:\[removed\]|\]{4,})*+[^\s"',;&)}\]<]{4,})"""
#: Words before the value of a header: HTTP's authentication schemes.
_SCHEMES: Final = "(?:bearer|basic|digest|token|api[-_]?key|negotiate|ntlm|hmac|oauth|genie-?key|sso-key)"
#: The value of such a name, up to the closing quote where it is quoted.
_LABELLED: Final = rf"""
      (?!(?<=[0-9]:)secret:)(?i:{_LABEL}|{_WORD}{_NAMED}){_IS}(?:
        [\[{{(](?!removed\]|\s*+\[removed\])(?=\s*+(?:{_QUOTE}|[\[{{(]|[\w-]+\s*[:=]))(?P<inside>
        (?:"[^"\n]{{0,500}}+"|'[^'\n]{{0,500}}+'|[^\[\]{{}}()]
          |[\[{{(][^\[\]{{}}()]{{0,500}}+[\]}})]){{1,2000}}+)
      | (?:[\[{{(](?!removed\])\s*+)?+(?:b?{_QUOTE})?+(?i:{_SCHEMES}\s++)?+
        (?!\[removed\](?![A-Za-z0-9])|secret-[0-9a-f]{{12}}(?![A-Za-z0-9])
          |\\?["'`]?(?i:[\w-]*{_LABEL})\\?["'`]?\s*[:=])
        (?P<value>{_VALUE}))
    | (?<=[\[(])\s*+b?{_QUOTE}(?i:[\w-]*(?:{_LABEL}|{_WORD})){_QUOTE}\s*,\s*b?{_QUOTE}
      (?!\[removed\])(?P<paired>[^"'\n]{{4,}})(?=["']\s*[\])])                        # ('x-api-key', 'value')
    | {_QUOTE}(?i:name|key|header){_QUOTE}\s*:\s*{_QUOTE}(?i:[\w-]*(?:{_LABEL}|{_WORD})){_QUOTE}\s*,
      \s*{_QUOTE}(?i:value){_QUOTE}\s*:\s*{_QUOTE}(?!\[removed\])(?P<header>[^"'\n]{{4,}})
    | {_QUOTE}(?i:value){_QUOTE}\s*:\s*{_QUOTE}(?!\[removed\])(?P<before>[^"'\n]{{4,500}})["']\s*,
      \s*{_QUOTE}(?i:name|key|header){_QUOTE}\s*:\s*{_QUOTE}(?i:[\w-]*(?:{_LABEL}|{_WORD})){_QUOTE}
    | (?<!\w)(?i:name|key|id)\s*=\s*{_QUOTE}(?i:[\w-]*(?:{_LABEL}|{_WORD})){_QUOTE}\s+
      (?i:value)\s*=\s*{_QUOTE}(?!\[removed\])(?P<attribute>[^"'\n]{{4,}})        # <add key="Password" value="x">
    | (?<!\w)(?i:value)\s*=\s*{_QUOTE}(?!\[removed\])(?P<earlier>[^"'\n]{{4,500}})["']\s+
      (?i:name|key|id)\s*=\s*{_QUOTE}(?i:[\w-]*(?:{_LABEL}|{_WORD})){_QUOTE}
    | (?<![\w-])--(?i:[\w-]*{_LABEL})\s+(?!\[removed\])(?P<option>[^\s"',;&)}}\]-][^\s"',;&)}}\]]{{3,}})
    | (?<![\w-])(?:-u|--user)[\s=]+["']?[^\s:"']{{1,100}}:(?P<login>(?![0-9]+\b)[^\s"']{{4,}})      # curl
    | (?i:api[-_\ ]?key|pass(?:word|phrase|code))\s+{_QUOTE}(?!secret-[0-9a-f]{{12}})  # a name seldom has a digit
      (?P<quoted>(?=[^\s"'`]{{0,60}}?[0-9])[^\s"'`]{{6,}})(?=["'`])
    | (?<![\w-])(?i:sig|signature)=(?P<signature>[A-Za-z0-9%+/=_-]{{16,}})
    """

#: Certain secrets: keys by their format, and values by their name.
KEYS: Final = re.compile(rf"(?x) {_ADDRESSES} | {_QUERY} | {_KEYS}")
KEYS_OUTSIDE_QUERIES: Final = re.compile(rf"(?x) {_ADDRESSES} | {_KEYS}")
LABELLED: Final = re.compile(rf"(?x) {_LABELLED}")
#: Keys without a prefix or with an ordinary one: Discord's bots, Airtable, Resend, and Zhipu or Ollama.
BOT: Final = re.compile(
    r"[MNO](?<![A-Za-z0-9_-][MNO])[A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"
    r"|p(?<![A-Za-z0-9]p)at[A-Za-z0-9]{14}\.[0-9a-f]{16,}"
    r"|r(?<![A-Za-z0-9_]r)e_(?=[A-Za-z]{0,60}?[0-9])[A-Za-z0-9]{8,}_(?=[A-Za-z0-9]{0,60}?[0-9A-Z])[A-Za-z0-9]{16,}"
    r"|(?<![A-Za-z0-9])[0-9a-f]{32}\.(?=[A-Za-z_-]{0,60}?[0-9A-Z])[A-Za-z0-9_-]{16,}"
)
#: A text that contains, in lower case, none of these has no match: looking for them takes a tenth of the time.
KEY_HINTS: Final = (
    "//", "?", "&", "slack.com/", "discord", "sk", "pk", "rk", "whsec", "hf", "fw", "r8", "npm", "dckr", "shp",
    "ntn", "lin_api", "_v1_", "figd", "sntry", "sb_secret", "rpa_", "api_org", "absk", "bedrock-api", "aq.", "llm|",
    "jina", "pa-", "bsa", "ak-", "as-", "hv", "atatt", "atctt", "nr", "sbp_", "fc-", "ls__", "sq0", "q~",
    "tvly", "csk", "lsv2", "xai", "pplx", "nvapi", "gho", "ghp", "ghr", "ghs", "ghu", "github_pat", "gl", "xox", "xapp",
    "akia", "asia", "abia", "acca", "aiza", "ya29", "gocspx", "dapi", "dkea", "dose", "dsapi", "sg.", "key-", "pypi",
    "eyj", ":aa", "jqqj9", ":thin:", "age-secret", "dp.", "e2b_", "hrku", "pha_", "phc_", "phr_", "phs_", "phx_",
    "pscale_", "secret_", "sess-", "bearer", "basic", "digest", "-----begin",
)  # fmt: skip
LABEL_HINTS: Final = (
    "key", "secret", "token", "pass", "pw", "auth", "cred", "cookie", "webhook", "sig", "conn", "code", "jwt",
    "bearer", "otp", "pin", "sess", "-u ", "-user",
)  # fmt: skip
#: Candidates that may also be ids: 32 hexadecimal digits, or a long string that `is_random`.
LONG: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Fa-f0-9]{32,}(?![A-Za-z0-9])|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}"
)
#: A part of such a string that is hexadecimal digits alone, for example in a path.
HEX: Final = re.compile(r"(?<![A-Za-z0-9])[A-Fa-f0-9]{32,}(?![A-Za-z0-9])")
#: The name of a field whose value is a secret. In a text the id of a session is mostly that of a trace.
SECRET_NAME: Final = re.compile(rf"(?xi) (?:{_LABEL}|{_WORD}|(?<![A-Za-z])session[-_\ ]?id)\s*\Z")

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
