"""An attack corpus: secrets that stand where no name announces them, and names in unusual spellings."""

from __future__ import annotations

import base64
import time

import pytest

from alertworker.text.redact import REMOVED, without_secrets

#: Passwords: with a digit, of letters alone, with punctuation, and generated. Each stands for M.
PASSWORDS = ("hunter2xx", "swordfish", "Tr0ub4dor&3", "a1B2c3D4e5F6g7H8")

NAMES = (
    "pass: M", "Pass: M", "pass : M", "login failed, pass: M", "user: me pass: M host: x", "pw: M", "passwd: M",
    "passwd=M", "password is: M", "password =: M", "password ==> M", "pass phrase: M", "pass-phrase: M", "pass word: M",
    "API__KEY=M", "API__KEY: M", "api--key: M", "api.key=M", "DB__PASSWORD=M", "AZURE_OPENAI__API__KEY=M",
    "OPENAI__API_KEY=M", "SECRET__KEY=M", "DB__PASS=M", "--pass M", "--pw M", "--passwd=M",
)  # fmt: skip
COMMANDS = (
    "mysql -u root -pM", "mysql -uroot -pM db", "mysql -u root -p'M' db", "mysqldump -h db -u root -pM shop",
    "/usr/bin/mysqladmin -pM status", "mariadb-dump -pM", "sshpass -p M ssh root@host", "sshpass -pM ssh root@host",
    "sshpass -p 'M' ssh root@host", "redis-cli -a M ping", "redis-cli -h cache -p 6379 -a M", "valkey-cli -a 'M'",
    "redis-cli --pass M", "curl -u user:M https://h", "curl -uuser:M https://h", "curl -s -U user:M https://h",
    "curl --proxy-user user:M https://h", "curl --user=user:M https://h", "mongosh -u me -p M host", "mongodump -pM",
    "docker login -u me -p M registry", "podman login -u me -p M", "helm registry login -u me -p M",
    "az login --service-principal -u id -p M", "sqlcmd -S h -U sa -P M", "zip -P M x.zip", "unzip -P M x.zip",
    "7z x -pM a.7z", "ldapsearch -D cn=x -w M -b dc=x", "snmpget -v3 -A M x", "openssl enc -k M",
    "openssl rsa -passin pass:M", "htpasswd -b file me M", "rabbitmqctl add_user me M", "sqlplus scott/M@db",
    "rabbitmqctl change_password me M", "smbclient -U user%M //h/s", "PGPASSWORD=M psql", "SSHPASS=M sshpass -e ssh",
    "Command '['mysql', '-uroot', '-pM']' returned 1", "['redis-cli', '-a', 'M', 'ping']", '["sshpass","-p","M","ssh"]',
)  # fmt: skip
STATEMENTS = (
    "CREATE USER me IDENTIFIED BY 'M'", "CREATE USER 'me'@'%' IDENTIFIED BY \"M\"", "ALTER USER me IDENTIFIED BY M",
    "alter user me identified by 'M'", "ALTER USER me IDENTIFIED WITH mysql_native_password BY 'M'",
    "GRANT ALL ON x.* TO me IDENTIFIED BY 'M'", "SET PASSWORD FOR me = PASSWORD('M')", "ALTER ROLE me PASSWORD 'M'",
    "CREATE ROLE me WITH ENCRYPTED PASSWORD 'M'", "create user me with password 'M';", "SET PASSWORD = 'M'",
    "ALTER LOGIN sa WITH PASSWORD = N'M'", "CREATE LOGIN sa WITH PASSWORD=N'M'", "requirepass M", "masterauth M",
    "CONFIG SET requirepass M", "ACL SETUSER me on >M ~* +@all",
)  # fmt: skip
FILES = (
    "machine api.example.com login me password M", "machine x\n  login y\n  password M", "default login me password M",
    "machine x account z password M", "db.example.com:5432:shop:me:M", "localhost:5432:*:postgres:M", "*:*:*:me:M",
    "spring.datasource.password=M",
)  # fmt: skip
PROGRAMS = (
    "SecretStr('M')", "SecretBytes(b'M')", 'SecretStr("M")', "Secret('M')", "Password('M')", "api_key=SecretStr('M')",
    "auth=BasicAuth('me', 'M')", "HTTPBasicAuth('me', 'M')", "BasicAuth(login='me', password='M', encoding='latin1')",
    "auth=('me', 'M')",
)  # fmt: skip
ADDRESSES = (
    "user:M@db.example.com:5432", "root:M@10.0.0.7", "admin:M@localhost/db", "cannot connect to me:M@db:5432",
    "https://hooks.slack.com/services/T00000000/B00000000/M", "hooks.slack.com/services/T00000000/B00000000/M",
    "https://hooks.slack-gov.com/services/T0/B0/M", "https://discord.com/api/webhooks/123456789/M",
    "https://canary.discord.com/api/v10/webhooks/1/M", "POST /api/webhooks/123456789012345678/M",
    "https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/M/c", "https://hc-ping.com/M",
    "https://prod-1.westus.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?sig=M",
    "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=M", "https://events.pagerduty.com/integration/M/x",
    "https://api.telegram.org/bot123456789:M/sendMessage", "https://hooks.zapier.com/hooks/catch/1/M",
    "https://M@o1.ingest.sentry.io/1",
)  # fmt: skip
#: HTTP Basic; B64 stands for the login.
BASIC = (
    "Authorization: Basic B64", "authorization: basic B64", "AUTHORIZATION: BASIC B64", "Authorization:Basic B64",
    "{'Authorization': 'Basic B64'}", '{"Authorization": "Basic B64"}', "Authorization=Basic B64", "Basic B64",
    "Authorization Basic B64", "Proxy-Authorization: Basic B64", "basic:B64", "Basic%20B64", "Basic+B64",
    "HTTP_AUTHORIZATION=Basic B64", 'Authorization: "Basic B64"', "auth=Basic B64",
)  # fmt: skip
CORPUS = (*NAMES, *COMMANDS, *STATEMENTS, *FILES, *PROGRAMS, *ADDRESSES, *BASIC)


def _filled(text: str, password: str) -> tuple[str, str]:
    """Return the text with the password, and what must not be left of it."""
    if "B64" in text:
        login = base64.b64encode(f"me:{password}".encode()).decode()
        return text.replace("B64", login), login
    place = text.rindex("M")
    return text[:place] + password + text[place + 1 :], password


@pytest.mark.parametrize("text", CORPUS)
def test_a_secret_is_removed_wherever_it_stands(text: str) -> None:
    """Such texts are in the errors of programs. A second redaction changes nothing: the relay redacts again."""
    for password in PASSWORDS:
        said, secret = _filled(text, password)
        left = without_secrets(f"error: {said}", sure=True)
        assert secret not in left
        assert REMOVED in left
        assert without_secrets(left, sure=True) == left


@pytest.mark.parametrize(
    "text", ["the AUTH M was refused", "AUTH default M", "x-auth: M", "me:M@host", "creds: M", "auth M"]
)
def test_a_generated_word_is_removed_where_prose_may_stand(text: str) -> None:
    """An ordinary word would be prose ("AUTH failed"), or a mail address."""
    for password in ("hunter2xx", "a1B2c3D4e5F6g7H8"):
        assert password not in without_secrets(text.replace("M", password))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mysql -h db -u root -phunter2 shop", f"mysql -h db -u root -p{REMOVED} shop"),
        ("redis-cli -p 6379 -a hunter2 ping", f"redis-cli -p 6379 -a {REMOVED} ping"),
        ("cannot reach me:hunter2@db:5432/x", f"cannot reach me:{REMOVED}@db:5432/x"),
        ("machine h login me password hunter2 port x", f"machine h login me password {REMOVED} port x"),
        ("db:5432:shop:me:hunter2 is wrong", f"db:5432:shop:me:{REMOVED} is wrong"),
        ("CREATE USER me IDENTIFIED BY 'hunter2' REQUIRE SSL", f"CREATE USER me IDENTIFIED BY '{REMOVED}' REQUIRE SSL"),
        ("SecretStr('hunter2') failed", f"SecretStr('{REMOVED}') failed"),
        ("user: me pass: hunter2 host: h", f"user: me pass: {REMOVED} host: h"),
        ("API__KEY=hunter2 is wrong", f"API__KEY={REMOVED} is wrong"),
    ],
)
def test_what_surrounds_the_secret_stays(text: str, left: str) -> None:
    """A reader sees which command, user and host are meant."""
    assert without_secrets(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "mysql -u root -p shop", "docker run -p 8080:80 image", "redis-cli -h cache -p 6379 ping", "ssh -p 22 me@host",
        "psql -p 5432 -U me", "kubectl logs -p pod", "mysql: [Warning] a password on the command line is insecure",
        "AUTH failed", "NOAUTH Authentication required.", "SMTP AUTH extension not supported by server.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "ERR AUTH <password> called without any password configured for the default user.",
        "Access denied for user 'me'@'10.0.0.1' (using password: YES)", "requirepass is not set",
        "the model identified by 'gpt-4o' does not exist", "issue was identified by support",
        "first pass: all tests were skipped", "pass: compiled with 3 errors", "auth: user unknown", "pin: not found",
        "mail to:jane99@example.com, mailto:jane99@example.com, contact:Ops@example.com", "user@host:5432",
        "python:3.11@sha256:abcdef", "model:v1@default", "npm:react@18.2.0", "claude-3-5-sonnet@20240620:v2",
        "main.c:12:34:error:undeclared", "proxy.py:1234:handle:ERROR:boom", "2001:0:db8:85a3:8a2e:370:7334",
        "arn:aws:bedrock:us-east-1:123456789012:model/x", "127.0.0.1:6379:connection:refused", "at 12:34:56:789:12",
        "login me password authentication failed", "account bob password expired", "basic: an overview of 2 models",
        "the server key, the storage layer and the app keyed by team", "sort__key=created",
        "PASSWORD 'x'", "curl -u me",
    ],
)  # fmt: skip
def test_ordinary_text_in_such_places_stays(text: str) -> None:
    """Ports, versions, mail addresses and prose look similar."""
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        "mysql -u x ", "sshpass -p x ", "curl -uaaa", "docker a login ", "htpasswd -b a b ", "sqlplus a/", "pass: a",
        "user identified ", "IDENTIFIED WITH a ", "password('", "AUTH a ", "setuser a >", "login a password ", "pass:",
        "*:*:a:b:", "a:1234:b:", "a:a@", "A1:", "user:x@", "SecretStr('", "BasicAuth('a',", "secret__key", "_-",
        "Authorization: ", "Authorization: Foo a\n", "authorization: a a", "sdk-0", "('a', ",
    ],
)  # fmt: skip
def test_the_time_grows_with_the_length(piece: str) -> None:
    """Eight times the text takes less than 20 times as long; its square would take 64 times as long."""

    def seconds(size: int) -> float:
        begun = time.thread_time()
        without_secrets(piece * (size // len(piece)))
        return time.thread_time() - begun

    small = min(seconds(3_000) for _ in range(3))
    assert min(seconds(24_000) for _ in range(2)) < 20 * max(small, 0.001)
