"""Secrets that their place shows, and no name: in a command, an SQL statement, a login, or a line of a file.

Each pattern stands behind the strings of which a text needs one, in lower case. Most texts have none, and a look for a
string takes a tenth of a search. Every search from many places is bounded, so the time grows linearly with the text.
Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

from typing import Final

#: The separator between the words of a command, which may be printed as a list: ['redis-cli', '-a', '…'].
_GAP: Final = r"""[\s"',]{1,6}"""
#: Other words of the same command, and the begin of the next one.
_WORDS: Final = r"""[^\n;|&]{0,150}?(?<=[\s"',])"""
#: A value is neither a removed secret nor one that this search removed ("]]]]").
_OPEN: Final = r"(?!\[removed\]|\])"


def _value(name: str) -> str:
    return rf"""{_OPEN}(?P<{name}>(?<=")[^"\n]{{3,}}|(?<=')[^'\n]{{3,}}|[^\s"',;|\]]{{3,}})"""


#: Programs with an option for a password that does not name it. Ports and database names also follow "-p", so each
#: program has its own notation: MySQL's password directly follows "-p".
_COMMANDS: Final = rf"""(?<![\w.-])(?:
        sshpass\b{_WORDS}-p(?:{_GAP})?{_value("ssh")}
      | (?:mysql|mariadb)[\w-]{{0,20}}\b{_WORDS}-p["']?(?=[^\s"',]){_value("mysql")}
      | (?:redis|valkey|keydb)-cli\b{_WORDS}-a{_GAP}{_value("redis")}
      | mongo[a-z]{{0,12}}\b{_WORDS}-p(?:{_GAP})?{_value("mongo")}
      | (?:docker|podman|nerdctl|skopeo|helm|oras|az|oc)\b(?:{_GAP}[\w-]{{1,20}}){{0,2}}?{_GAP}login\b
        {_WORDS}-p{_GAP}{_value("login")}
      | (?:sqlcmd|bcp|isql|tsql)\b{_WORDS}-P(?:{_GAP})?{_value("mssql")}
      | (?:un)?zip\b{_WORDS}-P{_GAP}{_value("zip")} | 7z[ar]?\b{_WORDS}-p["']?(?=[^\s"',]){_value("seven")}
      | ldap[a-z]{{2,12}}\b{_WORDS}-w{_GAP}{_value("ldap")} | snmp[a-z]{{2,12}}\b{_WORDS}-[AX]{_GAP}{_value("snmp")}
      | openssl\b{_WORDS}(?:-k{_GAP}|pass:){_value("openssl")}
      | htpasswd\b{_WORDS}-[A-Za-z]{{0,6}}b[A-Za-z]{{0,6}}(?:{_GAP}[^\s"',]{{1,100}}){{2}}{_GAP}{_value("htpasswd")}
      | rabbitmqctl\b{_WORDS}(?:add_user|change_password|authenticate_user){_GAP}[^\s"',]{{1,100}}{_GAP}{_value("mq")}
      | curl\b{_WORDS}(?:-[uU]|--proxy-user)(?:{_GAP}|=)?["']?[^\s:"',]{{1,100}}:{_value("curl")}
      | (?:smbclient|rpcclient)\b{_WORDS}-U{_GAP}[^\s%"',]{{1,100}}%{_value("samba")}
      | (?:sqlplus|impdp|expdp|sqlldr)\b{_GAP}(?:-[A-Za-z]{{1,10}}{_GAP}){{0,3}}[\w$\#.]{{1,60}}/
        {_OPEN}(?P<oracle>[^\s"',;|@\]]{{3,}})
      )"""
#: SQL: a quoted password, or one behind "IDENTIFIED BY", which in lower case is prose except behind a user.
_SQL: Final = rf"""(?:\bIDENTIFIED|(?i:\b(?:user|to)\s+[^\s;]{{1,100}}\s+identified))
      (?i:\s+with\s+[^\s;]{{1,60}})?(?i:\s+(?:by|as)(?:\s+password)?)\s+["']?{_value("sql")}"""
#: A password in quotes: PASSWORD('…'), PASSWORD N'…', wrong password "…".
_QUOTED: Final = r"""(?i:\bpass(?:word|wd|phrase|code)|(?<=_)password)\s{0,3}(?:\(\s{0,3})?[Nn]?["'`]
      (?!\[removed\]|\]|secret-[0-9a-f]{12})(?P<quoted>[^\s"'`]{4,})(?=["'`])"""
#: Redis' commands and its configuration. In prose, an ordinary word follows instead of a password.
_REDIS: Final = rf"""(?:\bAUTH\s+(?:[\w-]{{1,60}}\s+)?|(?i:\b(?:requirepass|masterauth)\s+))["']?{_OPEN}
      (?P<directive>(?=[^\s"']{{0,60}}?[0-9])(?=[^\s"']{{0,60}}?[A-Za-z])[^\s"'\]]{{6,}})
    | (?i:\b(?:requirepass|masterauth)\s+)["']?{_OPEN}(?P<configured>[^\s"'\]]{{4,}})(?=["']?\s*(?:\n|\Z))
    | (?i:\bsetuser\s)[^\n]{{0,200}}?\s>{_OPEN}(?P<rule>[^\s"'\]]{{3,}})"""
#: A line of ".netrc" and one of ".pgpass".
_NETRC: Final = rf"""(?i:\b(?:login|account)\s+\S{{1,100}}\s+password\s+
      (?!(?:is|was|has|must|expired|incorrect|invalid|wrong|required|authentication|failed|not|reset)\b))["']?
      {_value("netrc")}"""
_PGPASS: Final = rf"""(?<![\w:/.*-])(?:\*|[\w.-]{{1,100}}+(?<!\.py|\.js|\.ts|\.go)):
      (?:\*|[0-9]{{4,5}}):(?![0-9]+:)[^\s:"']{{1,60}}:[^\s:"']{{1,60}}:
      {_OPEN}(?P<pgpass>[^\s"',\]]{{4,}})"""
#: "user:password@host" without a scheme. A mail address, a version and a digest look alike, so a word without a digit
#: or capital letter counts only before a host with a port or a path, or before an IP address.
_LOGIN: Final = rf"""(?<![\w@/:.+%-])(?!(?i:mailto|e?mail|to|from|cc|bcc|contact|sips?|xmpp|acct|sub|owner):)
      [A-Za-z_][\w.-]{{0,60}}:{_OPEN}
      (?=[^\s@]{{0,99}}?[0-9A-Z!\#$%^&*+=~?][^\s@]{{0,99}}@[A-Za-z]
        |[^\s@]{{1,100}}@(?:localhost|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}|[A-Za-z][\w.-]{{0,100}}[:/]\w))
      (?P<userinfo>[^\s:@"'<>,/\]]{{4,100}})(?=@(?!sha[0-9]{{1,3}}\b|default\b|latest\b))"""
#: The reprs of Python's types for secrets and logins.
_REPR: Final = rf"""\b(?:Secret(?:Str|Bytes|Value)?|Password)\(b?(?:\\{{0,3}}["']){_OPEN}(?P<pydantic>[^"'\n\\]{{4,}})
    | (?i:(?:basic|digest|proxy)_?auth)\(\s{{0,3}}(?:\w{{1,20}}\s{{0,3}}=\s{{0,3}})?["'][^"'\n]{{0,100}}["']
      \s{{0,3}},\s{{0,3}}
      (?:\w{{1,20}}\s{{0,3}}=\s{{0,3}})?["']{_OPEN}(?P<login_pair>[^"'\n]{{3,}})"""

#: The strings of which a text needs one, and the pattern. The secret is the last group of a match.
PLACES: Final = (
    (
        ("sshpass", "mysql", "mariadb", "-cli", "mongo", "login", "sqlcmd", "bcp", "isql", "tsql", "zip", "7z",
         "ldap", "snmp", "openssl", "htpasswd", "rabbitmqctl", "curl", "smbclient", "rpcclient", "sqlplus", "impdp",
         "expdp", "sqlldr"),
        _COMMANDS,
    ),
    (("identified",), _SQL),
    (("pass",), _QUOTED),
    (("auth", "requirepass", "setuser"), _REDIS),
    (("password",), _NETRC),
    ((":",), _PGPASS),
    (("@",), _LOGIN),
    (("secret", "password", "auth("), _REPR),
)  # fmt: skip
