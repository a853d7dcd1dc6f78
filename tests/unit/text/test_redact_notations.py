"""A secret is removed in the notations of programs, files, headers and command lines, also encoded."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

import pytest

from alertworker.text.redact import REMOVED, pseudonymous, without_secrets
from tests.provider_errors import ERRORS

#: Punctuation within a password.
PUNCTUATION = ",;&|!#$%^*()~:/\\+@?<>{}[]'\"`=._-"


def _two_parts(mark: str) -> str:
    return f"Head99{mark}Tail99"


#: How a name and a value are written; each takes the value.
NOTATIONS: dict[str, Callable[[str], str]] = {
    "unquoted": lambda value: f"password={value} rest",
    "colon": lambda value: f"the password: {value}",
    "lines of YAML": lambda value: f"  password: {value}\n  user: x",
    "JSON": lambda value: json.dumps({"password": value}),
    "JSON twice": lambda value: json.dumps(json.dumps({"password": value})),
    "JSON three times": lambda value: json.dumps(json.dumps(json.dumps({"password": value}))),
    "JSON of a string": lambda value: json.dumps({"message": json.dumps({"password": value})}),
    "Python": lambda value: repr({"password": value}),
    "bytes": lambda value: repr({b"password": value.encode()}),
    "JSON in Python": lambda value: repr(json.dumps({"password": value})),
    "bytes of JSON": lambda value: repr(json.dumps({"password": value}).encode()),
    "HTML": lambda value: html.escape(json.dumps({"password": value})),
    "HTML twice": lambda value: html.escape(html.escape(json.dumps({"password": value}))),
    "form": lambda value: f"password={quote(value, safe='')}&x=1",
    "URL-encoded": lambda value: f"password%3D{quote(value, safe='')}%26x%3D1",
    "JSON in a URL": lambda value: quote(json.dumps({"password": value}), safe=""),
    "JSON in a URL twice": lambda value: quote(quote(json.dumps({"password": value}), safe=""), safe=""),
    "query": lambda value: f"https://h/?a=1&password={quote(value, safe='')}&x=1",
    "URL": lambda value: f"postgresql://me:{value}@db/x",
}


@pytest.mark.parametrize("mark", PUNCTUATION)
@pytest.mark.parametrize("notation", NOTATIONS.values(), ids=NOTATIONS)
def test_punctuation_ends_no_value(notation: Callable[[str], str], mark: str) -> None:
    """Passwords are generated with punctuation. Neither part of such a password is left."""
    text = without_secrets(notation(_two_parts(mark)))
    assert "Head99" not in text
    assert "Tail99" not in text
    assert REMOVED in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password=hunter2xx, user=x", f"password={REMOVED}, user=x"),
        ("(password=hunter2xx)", f"(password={REMOVED})"),
        ("{password: hunter2xx}, and so on", f"{{password: {REMOVED}}}, and so on"),
        ("password=hunter2xx,user=x", f"password={REMOVED},user=x"),
        ("Password=hunter2xx;User Id=sa;Encrypt=yes", f"Password={REMOVED};User Id=sa;Encrypt=yes"),
        ("<b>password: hunter2xx</b><br>next", f"<b>password: {REMOVED}</b><br>next"),
        ("password=hunter2xx. Next sentence", f"password={REMOVED} Next sentence"),
        ("{'password': 'hunter2xx', 'n': 1}", f"{{'password': '{REMOVED}', 'n': 1}}"),
        ("password=hunter2xx&user=x", f"password={REMOVED}&{REMOVED}"),
    ],
)
def test_what_follows_a_value_stays(text: str, left: str) -> None:
    """A value ends before a blank, before more punctuation and before the next name."""
    assert without_secrets(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Cookie: a=11; session=SECRET1; b=SECRET2", f"Cookie: {REMOVED}"),
        ("cookie: a=1; session=SECRET1; b=SECRET2\r\nHost: x", f"cookie: {REMOVED}\r\nHost: x"),
        ("-H COOKIE: a=1;session=SECRET1;b=SECRET2", f"-H COOKIE: {REMOVED}"),
        ("Cookie=a=1; session=SECRET1", f"Cookie={REMOVED}"),
        ("{'Cookie': 'a=1; session=SECRET1', 'n': 1}", f"{{'Cookie': '{REMOVED}', 'n': 1}}"),
        ('{"cookie": ["a=1", "b=SECRET1"]}', f'{{"cookie": [{REMOVED}]}}'),
        ("Cookie: SECRET1; b=SECRET2", f"Cookie: {REMOVED}"),
        ('Cookie: a="x y"; b=SECRET1', f"Cookie: {REMOVED}"),
        ("Cookie: a=x,y; b=SECRET1,SECRET2; c=2", f"Cookie: {REMOVED}"),
        ("Cookie: a=1;\r\n b=SECRET1", f"Cookie: {REMOVED}"),
        ("cookie=a%3D1%3B%20b%3DSECRET1", f"cookie={REMOVED}"),
        ("Cookie: a=1; b=SECRET1 was refused", f"Cookie: {REMOVED} was refused"),
        ("Set-Cookie: a=SECRET1; Path=/; HttpOnly", f"Set-Cookie: {REMOVED}; Path=/; HttpOnly"),
        ("Set-Cookie: a=1; Path=/; HttpOnly, sid=SECRET1; Path=/", f"Set-Cookie: {REMOVED}; Path=/"),
        ("set-cookie: x=1; expires=Wed, 09 Jun 2027 10:18:14 GMT; sid=SECRET1", f"set-cookie: {REMOVED}"),
    ],
)
def test_every_cookie_is_removed(text: str, left: str) -> None:
    """The first cookie of a header is often harmless, and the session's comes later."""
    assert without_secrets(text) == left


ENCODINGS: dict[str, Callable[[str], str]] = {
    "HTML decimal": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "HTML hexadecimal": lambda key: key.replace("-", "&#x2d;").replace("_", "&#x5F;"),
    "HTML names": lambda key: key.replace("-", "&hyphen;").replace("_", "&lowbar;"),
    "HTML twice": lambda key: "".join(f"&amp;#{ord(letter)};" for letter in key),
    "percent": lambda key: "".join(f"%{ord(letter):02x}" for letter in key),
    "percent twice": lambda key: "".join(f"%25{ord(letter):02X}" for letter in key),
    "JSON": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "JSON twice": lambda key: "".join(f"\\\\u{ord(letter):04x}" for letter in key),
    "JavaScript": lambda key: "".join(f"\\u{{{ord(letter):x}}}" for letter in key),
    "Python": lambda key: "".join(f"\\x{ord(letter):02x}" for letter in key),
    "Python, eight digits": lambda key: "".join(f"\\U{ord(letter):08x}" for letter in key),
    "octal": lambda key: "".join(f"\\{ord(letter):03o}" for letter in key),
    "full width": lambda key: "".join(chr(ord(letter) + 0xFEE0) for letter in key),
    "another hyphen": lambda key: key.replace("-", "\u2011").replace("_", "\uff3f"),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("key", ["sk-proj-hunter2xxhunter2xx", "ghp_hunter2xxhunter2xx0123"])
def test_an_encoded_key_is_removed(key: str, encode: Callable[[str], str]) -> None:
    """Whichever program wrote the text."""
    assert without_secrets(f"said: {encode(key)} here") == f"said: {REMOVED} here"


@pytest.mark.parametrize(
    "text",
    [
        "&quot;password&quot;:&quot;hunter2xx&quot;",
        "&amp;quot;password&amp;quot;:&amp;quot;hunter2xx&amp;quot;",
        "password&#61;hunter2xx",
        "password&equals;hunter2xx",
        "password&colon;hunter2xx",
        "password%3Dhunter2xx",
        "password%3A%20hunter2xx",
        "password%253Dhunter2xx",
        "password\\u003dhunter2xx",
        "password\\x3dhunter2xx",
        "\\u0022password\\u0022:\\u0022hunter2xx\\u0022",
        "pass\u200bword=hunter2xx",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44=hunter2xx",
    ],
)
def test_an_encoded_name_or_separator_announces_a_secret(text: str) -> None:
    """The encoding of the name hides the value no better than that of the value."""
    assert "hunter2xx" not in without_secrets(text)


#: Headers of any spelling.
HEADERS = (
    "Authorization", "AUTHORIZATION", "authorization", "Proxy-Authorization", "Authentication", "X-Amz-Security-Token",
    "x-goog-api-key", "Ocp-Apim-Subscription-Key", "X-Api-Key", "X-Auth-Token", "X-Vault-Token", "PRIVATE-TOKEN",
    "X-Shopify-Access-Token", "apikey", "api-key", "X-Functions-Key", "X-CSRF-Token", "x-litellm-api-key", "DD-API-KEY",
)  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(
    "notation",
    ["{}: {}", "{}:{}", "'{}': '{}'", "> {}: {}\r\n> Host: x", '["{}", "{}"]', '{}: "{}"', "{} = {}", "header {}={}"],
)
def test_a_header_is_removed(header: str, notation: str) -> None:
    """Clients print requests in many forms."""
    if header != "Authentication" or notation[:2] in ("{}", "> "):  # a word that is mostly prose
        assert "hunter2" not in without_secrets(notation.format(header, "hunter2xxzzAA99"))


SCHEMES = ("Bearer", "bearer", "BEARER", "Basic", "Token", "token", "Digest", "Api-Key", "AWS4-HMAC-SHA256")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("value", ["hunter2xx+/AA99==", '"hunter2xxAA99"', "hunter2xx,AA99"])
def test_the_value_behind_a_scheme_is_removed(scheme: str, value: str) -> None:
    """Also a quoted one, and one with a comma."""
    text = without_secrets(f"Authorization: {scheme} {value}")
    assert "hunter2" not in text
    assert "AA99" not in text


#: Text in which a value stands for a secret: M.
OTHERS: Sequence[str] = (
    'Authorization: Digest username="me", realm="x", nonce="abc", response="6629M"',
    "Authorization: AWS4-HMAC-SHA256 Credential=x/2026/us-east-1, SignedHeaders=host, Signature=fe5f80f77d5fM",
    "X-Amz-Signature=fe5f80f77d5fa3beca0M&x=1",
    "X-Hub-Signature-256: sha256=fe5f80f77d5fa3becaM",
    "Bearer: M", "bearer=M", "Bearer token: M", "Bearer token M1",
    # Databases
    "host=db user=me password=M dbname=x", "host=db password='M xx' dbname=x", "url=postgres://:p#ss/M@db/0",
    "Driver={ODBC};Server=tcp:x,1433;Uid=sa;Pwd={abcd;M};Encrypt=yes", 'Server=x;Password="abcd;M";',
    "jdbc:postgresql://db/x?user=a&password=M", "jdbc:sqlserver://db;user=sa;password=M;encrypt=true",
    # Clouds
    "aws_access_key_id=AKIAIOSFODNN7EXA1234\naws_secret_access_key=M/K7MDENG", "AWS_SESSION_TOKEN=FwoGM",
    "'SecretAccessKey': 'wJM', 'SessionToken': 'FwoGM'", "AZURE_CLIENT_SECRET: M", "azure_ad_token='M'",
    "SharedAccessSignature=sv=2022&sig=M99%3D&se=1", "AccountKey=M+/==;EndpointSuffix=core.windows.net",
    '{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIE\\nM\\n-----END PRIVATE KEY-----\\n"}',
    "ya29.Mabcdefgh", '"access_token":"M.AAA"', "id_token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.M",
    # PEM
    "-----BEGIN EC PRIVATE KEY-----\r\nMHcCAQEEI\r\nM\r\n-----END EC PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\nM\n-----END PGP PRIVATE KEY BLOCK-----",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nM\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
    "-----BEGIN%20PRIVATE%20KEY-----%0AMIIE%0AM%0A-----END%20PRIVATE%20KEY-----",
    # Addresses that are secrets
    "https://hooks.slack.com/workflows/T0/A0/1/M", "https://ptb.discord.com/api/webhooks/123/M",
    "https://maker.ifttt.com/trigger/x/with/key/M", "https://open.feishu.cn/open-apis/bot/v2/hook/M-0123",
    "https://mattermost.example.com/hooks/Mabcdefghijklm", "https://hook.eu1.make.com/Mabcdefghijklm",
    "https://alert.victorops.com/integrations/generic/1/alert/M/team", "https://n8n.example.com/webhook/M",
    "https://oapi.dingtalk.com/robot/send?access_token=M", "https://h/cb#access_token=M&token_type=bearer",
    # Files
    'api_key = """M"""', "api_key = '''M'''", 'password = """\nM xx\n"""', "private_key: |\n    M\nx: 1",
    "password: >-\n  M\nuser: x", "password: !!str M", "passwords:\n  - M\n  - abcdM\nx: 1", "api_keys:\n- M\n- aM",
    "- name: OPENAI_API_KEY\n  value: M", 'name: DB_PASSWORD\nvalue: "M"', 'env { name = "DB_PASSWORD" value = "M" }',
    "<apiKey type='x'>M</apiKey>", "<key>password</key><string>M</string>", '<string name="api_key">M</string>',
    '<wsse:Password Type="x">M</wsse:Password>', "//registry.npmjs.org/:_authToken=M", "ansible_ssh_pass: M",
    "ENV API_KEY M99", "password\tM99", "| password | M1 |", "password,M99", "password\nM99",
    # Programs
    'config["api_key"] = "M"', "os.environ['OPENAI_API_KEY'] = 'M'", "user[password]=M", "passwords['x']='M'",
    "SecretStr('M')", "Settings(api_key=SecretStr('M'), n=1)", "OrderedDict([('password', 'M')])",
    r"""{'password': 'it\'s "M" now'}""", "b'password=M&user=me'", "bytearray(b'password=M')", "password=b'M'",
    "password=>M", "password:=M", "password -> M", '--token "M"', "--password 'M xx'", "--api-key=M",
    # Sentences
    "the api key M99 is unknown", "token M99 expired", "Password for user me is M9", "API key not valid: M1",
    "invalid x-api-key M99", "password(M1)", "passwort=M", "mot_de_passe=M", "contraseña=M", "密码：M", "パスワード: M",
    "비밀번호: M", "пароль: M",
)  # fmt: skip


@pytest.mark.parametrize("text", OTHERS)
def test_a_secret_is_removed_in_any_notation(text: str) -> None:
    """Each was once found in an error, a log or the configuration of a program."""
    assert "hunter2" not in without_secrets(text.replace("M", "hunter2xx"))


@pytest.mark.parametrize(
    "data",
    [
        f"data:image/png;base64,{base64.b64encode(bytes(range(90))).decode()}",
        f"data:text/plain;base64,{base64.b64encode(b'the wish of a user').decode()}",
        "data:text/plain,the%20wish%20of%20a%20user",
        f"data:application/pdf;charset=utf-8;name=x.pdf;base64,{base64.b64encode(bytes(60)).decode()}",
    ],
)
def test_an_image_or_a_document_in_an_address_is_removed(data: str) -> None:
    """It is what the caller sent."""
    assert without_secrets(f"Invalid image '{data}', sorry") == f"Invalid image '{REMOVED}', sorry"


@pytest.mark.parametrize("text", ERRORS)
def test_the_errors_of_providers_stay_as_they_are(text: str) -> None:
    """An alert must say what happened."""
    assert without_secrets(text) == text


@pytest.mark.parametrize("text", ERRORS)
def test_a_secret_in_the_error_of_a_provider_is_removed_alone(text: str) -> None:
    """The words around it stay."""
    assert without_secrets(f"{text} (api_key=hunter2xx)") == f"{text} (api_key={REMOVED})"


@pytest.mark.parametrize(
    "text", [*OTHERS, *(notation(_two_parts(mark)) for notation in NOTATIONS.values() for mark in PUNCTUATION)]
)
def test_redaction_of_a_redacted_text_changes_nothing(text: str) -> None:
    """The relay redacts after the proxy, and a page after the relay."""
    once = without_secrets(text.replace("M", "hunter2xx"), sure=True)
    assert without_secrets(once, sure=True) == once


@pytest.mark.parametrize("redact", [without_secrets, pseudonymous])
@pytest.mark.parametrize(
    "piece",
    [
        "\\", '\\\\"', "\\u0073", "&amp;", "&a", "Cookie: a=1;", "Cookie: a=b;c", "; a=b", "password=a,",
        'password="""',
        "password: |\n a", "password:\n- a\n", "x[key]=", "key a='b' ", "</key><a>", "token ", "apikey", "pass",
        "Authorization: Digest a=b, ", "data:a/b;", "https://a/hooks/a", "--token '", "'name': 'key', ", "tokens: [",
        "password=a;A b c", "\\x41", "%E4%B8", "\uff11", "password=<a", "password for a ", "signature: ", "&#",
    ],
)  # fmt: skip
def test_the_time_grows_with_the_length_of_any_notation(piece: str, redact: Callable[[str], str]) -> None:
    """Eight times the text takes less than 20 times as long; its square would take 64 times as long."""

    def seconds(size: int) -> float:
        begun = time.thread_time()
        redact(piece * (size // len(piece)))
        return time.thread_time() - begun

    small = min(seconds(3_000) for _ in range(3))
    assert min(seconds(24_000) for _ in range(2)) < 20 * max(small, 0.001)
