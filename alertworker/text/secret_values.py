"""The values that a name announces as secrets, in the notations of programs, files, headers and command lines.

Every search from many places is bounded, so the time grows linearly with the text.
Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from alertworker.text.secret_formats import UUID
from alertworker.text.secret_names import CODES, JOINT, KINDS, LABEL, LABEL_ASIAN, PASSES, SESSIONS, WEBHOOKS, WORD
from alertworker.text.secret_places import PLACES

_QUOTE: Final = r"""\\{0,3}+["'`]"""
#: The separators between a name and its value, including an index (`x["token"] = …`), XML and property lists.
_IS: Final = rf"""(?>(?:\s+(?:provided|is(?=:)))?(?:\[[^\]\n]{{0,40}}\])?(?:{_QUOTE})?+\]?(?:
        \s*+(?::=|={{1,2}}>|->|=:|[:=：＝→])\s*+ | > | </\w{{1,40}}>\s*<\w{{1,40}}>
      | (?:\s+[\w:.-]{{1,60}}=(?:"[^"<>\n]{{0,100}}"|'[^'<>\n]{{0,100}}')){{1,6}}\s*>
      ))"""
#: A value that looks like a password, or that stands alone. "pass: all tests" is prose.
_ALONE: Final = r"""(?:(?=[^\sA-Za-z]{0,60}+[A-Za-z])(?=[^\s0-9!\#$%^&*]{0,60}+[0-9!\#$%^&*])\S{4}
      |(?![\["'])[^\s,;)}\]]{4,100}+(?:[,;)}]|\s*(?:\n|\Z)|\s+[\w-]{1,40}\s*[:=]))"""
#: An ordinary word names a secret only if it or its value is quoted, or if "=" follows. A password may follow ":".
#: Numbers are not tokens.
_NAMED: Final = rf"""(?=(?:{_QUOTE})\s*[:=]|\s*(?::?=|:\s*[\[{{]?\s*{_QUOTE})
      |(?:(?<=pass)|(?<=pw))\s*:\s*{_ALONE})(?!(?<=tokens)\W{{1,8}}[0-9.,]+(?!\w))"""
#: A name in quotes, or in a list of names and values.
_NAME: Final = rf"(?i:[\w-]*(?:{LABEL}|{WORD}))"
_QUOTED_NAME: Final = rf"{_QUOTE}(?=[\w\ .-]{{1,100}}{_QUOTE}){_NAME}{_QUOTE}"
#: Values that are not secret: a removed secret, a stand-in of `pseudonymous`, or the next name.
_REMOVED: Final = r"\[removed\]"
_NO_SECRET: Final = rf"""(?!{_REMOVED}(?![A-Za-z0-9])|secret-[0-9a-f]{{12}}(?![A-Za-z0-9])
          |\\?["'`]?(?i:[\w-]*{LABEL})\\?["'`]?\s*[:=])"""

#: Punctuation within a value without quotes. The value ends only before a blank, more punctuation, the next name with
#: "=", or an HTML tag.
_JOINT: Final = r"""(?:(?:[,;&]+|["')}\]<])(?=[^\s"',;&)}\]<>])
      (?!(?:[A-Za-z_][\w.-]{0,60}|[A-Za-z]{1,30}(?:\ [A-Za-z]{1,30}){1,2})\s{0,3}(?:=|:\s|["']\s{0,3}[:=]))
      (?!(?<=<)/?[A-Za-z][\w-]{0,60}\s{0,3}/?>|(?<=<)/))"""
#: The value may continue directly after a removed secret, or after one that this search removed ("]]]]").
_VALUE: Final = rf"""(?:(?<=[^\\]")(?:[^"\\\n]|\\[^\n]){{4,}}|(?<=[^\\]')(?:[^'\\\n]|\\[^\n]){{4,}}
      |(?<=")[^"\n]{{4,}}|(?<=')[^'\n]{{4,}}
      |(?:{_REMOVED}|\]{{4,}})*+(?:[^\s"',;&)}}\]<]|(?<!\s){_JOINT}){{4,}})"""
#: Words before the value of a header: HTTP's authentication schemes.
_SCHEMES: Final = r"""(?:bearer|basic|digest|token|api[-_]?key|negotiate|ntlm|hmac|oauth|genie-?key|sso-key
      |key|bot|splunk|ssws|zoho-oauthtoken
      |sharedkey|aws4-hmac-sha256)"""

#: The header "Authorization" takes any scheme. An unknown one is removed with its value, since it may be the value.
_HEADER: Final = "(?=(?P<header>(?i:authorization))?)"
_ANY_SCHEME: Final = r"""(?:(?<!["'`])[A-Za-z][\w-]{1,29}[\ \t]+(?:["'`])?
      (?:(?![A-Za-z]?[a-z]{1,15}(?:[\s.,;:!?)]|\Z))|(?=\S{4,100}\s*(?:\n|\Z))))"""
#: Prose behind a name and a separator: an error code of OAuth, a request, or a sentence about the header.
_PROSE: Final = rf"""(?:\(?(?:{_QUOTE})?
      (?:(?:invalid|unauthorized|unsupported|insufficient|expired)_[a-z]{{4,12}}|access_denied)(?![\w-])|(?i:please)\s)"""
_PROSE_OF_HEADER: Final = rf"""(?i:authorization):\ (?!(?i:{_SCHEMES})\s)[a-z]{{2,20}}\ [a-z]{{1,14}}(?:[\s.,;]|\Z)"""

#: The parts of a header "Cookie" or "Set-Cookie".
_COOKIE: Final = r"""(?:[^\s=;,"']{1,200}=(?:"[^"\n]{0,4000}"
      |(?:[^\s;,"']|[,"'](?=[^\s;,"')}\]])(?![^\s=;,"']{1,100}=))+)
      |[^\s=;,"']{1,200}(?=;))"""
_ATTRIBUTE: Final = r"""(?i:(?:path|domain|max-age|samesite)=[^\s;,]{0,200}|expires=[^;\n]{0,40}
      |httponly|secure|partitioned)"""
_NEXT: Final = r"(?:[;,]\s*|\s+(?=[^\s=;,]{1,100}=))"
_COOKIES: Final = rf"""(?P<cookies>(?:{_COOKIE}|[^\s=;,"']{{1,200}}(?=;\s*{_COOKIE}))
      (?:(?:{_NEXT}{_ATTRIBUTE}){{0,10}}{_NEXT}(?!{_ATTRIBUTE}){_COOKIE}){{0,200}})"""
#: The parameters of a header "Authorization: Digest …" or "Authorization: AWS4-HMAC-SHA256 …".
_PARAMETER: Final = r"""[\w-]{1,40}=(?:"[^"\n]{0,1000}"|[^\s,"']{1,1000})"""
_PARAMETERS: Final = rf"(?P<parameters>{_PARAMETER}(?:,\s*{_PARAMETER}){{1,20}}+)"
#: A value of several lines: between three quotes, indented in YAML, or a list in YAML.
_LINES: Final = r"""(?:(?:\"{3}|'{3})(?P<triple>(?:(?!\"{3}|'{3})[\s\S]){4,2000}+)
      | (?P<block>[|>][-+0-9]{0,2}[ \t]*(?:\r?\n[ \t]+[^\r\n]+){1,200}+))"""
_ITEMS: Final = r"""(?:["'])?:[ \t]*\r?\n
      (?P<items>[ \t]*-[ \t]+(?!\[removed\])\S+[ \t]*(?:\r?\n[ \t]*-[ \t]+\S+[ \t]*(?=\r?\n|\Z)){0,200}+)(?=\r?\n|\Z)"""
#: The content of a bracket: a list or a mapping, which may have one more level.
_INSIDE: Final = rf"""[\[{{(](?!removed\]|\s*+{_REMOVED})(?=\s*+(?:{_QUOTE}|[\[{{(]|[\w-]+\s*[:=]))(?P<inside>
        (?:"[^"\n]{{0,500}}+"|'[^'\n]{{0,500}}+'|[^\[\]{{}}()]
          |[\[{{(][^\[\]{{}}()]{{0,500}}+[\]}})]){{1,2000}}+)"""

#: A name and a separator, and the value up to its closing quote or its end.
_ASSIGNED: Final = re.compile(rf"""(?x)
      (?!(?<=[0-9]:)secret:|(?<=[a-z])Credential:\ [A-Z][A-Za-z]*\ [A-Za-z]      # an ARN, a class of Azure
        |{_PROSE_OF_HEADER})
      {_HEADER}(?i:{LABEL}|{WORD}{_NAMED}|{LABEL_ASIAN})(?:{_ITEMS}|{_IS}(?!{_PROSE})(?:
        {_LINES}
      | {_INSIDE}
      | (?:!!?\w{{1,20}}\s+)?+(?:[\[{{(](?!removed\])\s*+)?+(?:b?{_QUOTE})?+(?i:{_SCHEMES}\s++(?:{_QUOTE})?+)?+
        {_NO_SECRET}(?P<value>(?(header){_ANY_SCHEME}?){_VALUE})))""")
#: A name and its value as two items: ('x-api-key', 'value'), {"name": "x-api-key", "value": "…"},
#: <add key="…" value="…">.
_PAIRED: Final = rf"""
      (?<=[\[(])\s*+b?{_QUOTED_NAME}\s*,\s*b?{_QUOTE}
      (?!{_REMOVED})(?P<paired>[^"'\n]{{4,}})(?=["']\s*[\])])
    | {_QUOTE}(?i:name|key|header){_QUOTE}\s*:\s*{_QUOTED_NAME}\s*,
      \s*{_QUOTE}(?i:value){_QUOTE}\s*:\s*{_QUOTE}(?!{_REMOVED})(?P<header>[^"'\n]{{4,}})
    | {_QUOTE}(?i:value){_QUOTE}\s*:\s*{_QUOTE}(?!{_REMOVED})(?P<before>[^"'\n]{{4,500}})["']\s*,
      \s*{_QUOTE}(?i:name|key|header){_QUOTE}\s*:\s*{_QUOTED_NAME}
    | (?<!\w)(?i:name|key|id)\s*[=:]\s*(?:{_QUOTE})?{_NAME}(?:{_QUOTE})?\s+
      (?i:value)\s*[=:]\s*(?:{_QUOTE})?(?!{_REMOVED})(?P<attribute>(?:(?<=["'`])[^"'\n]{{4,}}|[^\s"'`]{{4,}}))
    | (?<!\w)(?i:value)\s*=\s*{_QUOTE}(?!{_REMOVED})(?P<earlier>[^"'\n]{{4,500}})["']\s+
      (?i:name|key|id)\s*=\s*{_QUOTED_NAME}"""
#: Options of a command.
_OPTION: Final = rf"""(?<![\w-])--(?i:[\w-]*{LABEL}|pass|pw)\s+(?!["']?{_REMOVED})
      (?:["'](?P<argument>(?<=")[^"\n]{{4,}}|(?<=')[^'\n]{{4,}})
        |(?P<option>[^\s"',;&)}}\]-][^\s"',;&)}}\]]{{3,}}))"""
_LOGIN: Final = r"""(?<![\w-])(?:-u|--user)[\s=]+["']?[^\s:"']{1,100}:(?P<login>(?![0-9]+\b)[^\s"']{4,})"""  # curl

#: Words that only look generated, directly after a name or at the end of a sentence with it ("the token is a1b2c3d4").
_MENTIONED: Final = re.compile(rf"""(?x)
      (?i:{LABEL}|(?<![A-Za-z])(?:bearer|authentication|auth|creds?|jwt))
      (?:["'`]?\s*[|,;:=(]\s*|\s*<-\s*|\s+(?:(?i:for\s[^\n]{{0,40}}?\s)?(?i:is|was)\s+)?
        |\s+(?i:(?:is\s+)?(?:not\s+valid|invalid|wrong|incorrect|expired)\s*:\s*))["'`]?
      (?P<mentioned>(?:[a-z]{{2,12}}-)?{UUID}|(?=[A-Za-z+=~!@\#$%^*]{{0,60}}[0-9])(?=[0-9+=~!@\#$%^*]{{0,60}}[A-Za-z])
        [A-Za-z0-9+=~!@\#$%^*]{{8,}})(?![-./_]?\w)""")
#: Values whose notation shows where they are, without a look at each place of the text. Searches of their own are
#: faster than one for all. Each stands behind the strings of which a text needs one, in lower case.
_APART: Final = tuple(
    (hints, re.compile(f"(?x){pattern}"))
    for hints, pattern in (
        (("cookie",), rf"(?i:\bcookies?){_IS}{_COOKIES}"),
        (
            ("authorization", "digest"),
            rf"(?i:\bauthorization{_IS}(?:{_QUOTE})?+[\w-]{{2,30}}|\bdigest)\s+{_PARAMETERS}",
        ),
        (("name", "key", "id", "header", '"', "'"), _PAIRED),
        (("--",), _OPTION),
        (("-u",), _LOGIN),
        (
            ("key", "pass"),  # a name seldom has a digit
            rf"""(?i:\bapi[-_\ ]?key|\bpass)\s+{_QUOTE}(?!secret-[0-9a-f]{{12}})
                 (?P<quoted>(?=[^\s"'`]{{0,60}}?[0-9])[^\s"'`]{{6,}})(?=["'`])""",
        ),
        (
            ("sig",),
            rf"""(?<![A-Za-z])(?i:sig(?:nature)?(?:-(?:sha)?256)?){_IS}(?:{_QUOTE})?+(?:sha[0-9]{{1,3}}=)?
                 (?P<signature>(?=[A-Za-z+/]{{0,100}}[0-9%=])[A-Za-z0-9%+/=_-]{{16,}})""",
        ),
        *PLACES,
    )
)

#: Strings in names, in lower case. A text without any of them has no value after a name, and most texts have none.
_HINTS: Final = (
    "key", "secret", "token", "pass", "pw", "auth", "cred", "cookie", "webhook", "sess", "conn", "code", "jwt",
    "bearer", "otp", "pin", "kennwort", "contrase", "senha", "mot", "密", "口令", "パスワード", "비밀번호", "пароль",
)  # fmt: skip
#: The same strings as a pattern. Those of the group ``late`` need a word before them.
_PARTS: Final = re.compile(
    "secret|token(?!s)|passw|pwd|pw|auth|cred|cookie|conn|jwt|bearer|t?otp|pin|kennwort|contrase|senha|mot.?de"
    "|密|口令|パスワード|비밀번호|пароль|(?P<late>key|pass|code|tokens|webhook|sess)"
)
#: The words before them, and their maximum length.
_BEFORE: Final = {
    part: re.compile(rf"(?x){kinds}{JOINT}\Z")
    for part, kinds in (
        ("key", KINDS), ("tokens", KINDS), ("pass", PASSES), ("code", CODES), ("webhook", WEBHOOKS), ("sess", SESSIONS),
    )
}  # fmt: skip
_LONGEST: Final = 17
#: The characters that such a word and its separator end with, besides letters and digits.
_ENDS: Final = frozenset("-_ .")


def _lower(text: str) -> str:
    return text.replace("İ", "i").lower()  # the only letter whose lower case is longer


def _names(lower: str) -> Iterator[int]:
    """Yield the places where a name may begin. To look for one at each place would take five times as long."""
    if not any(hint in lower for hint in _HINTS):
        return
    for part in _PARTS.finditer(lower):
        place = part.start()
        if part["late"] and (lower[place - 1 : place].isalnum() or lower[place - 1 : place] in _ENDS):
            before = _BEFORE[part["late"]].search(lower, max(0, place - _LONGEST), place)
            if before is not None:
                yield before.start()
        if part["late"] != "key":
            yield place


def _behind_names(pattern: re.Pattern[str], text: str, lower: str) -> Iterator[re.Match[str]]:
    """Yield the matches of a pattern that begins with a name, without overlaps."""
    done = 0
    for place in _names(lower):
        match = pattern.match(text, place) if place >= done else None
        if match is not None:
            yield match
            done = match.end()


def announced(text: str) -> Iterator[tuple[int, int]]:
    """Yield the places of the values that a name announces."""
    lower = _lower(text)
    for match in _behind_names(_ASSIGNED, text, lower):
        yield match.span(match.lastgroup or 0)
    for hints, pattern in _APART:
        if any(hint in lower for hint in hints):
            for match in pattern.finditer(text):
                yield match.span(match.lastgroup or 0)


def mentioned(text: str) -> Iterator[tuple[int, int]]:
    """Yield the places of words that only may be secrets: behind a name, without a separator, and not in prose."""
    return (match.span("mentioned") for match in _behind_names(_MENTIONED, text, _lower(text)))
