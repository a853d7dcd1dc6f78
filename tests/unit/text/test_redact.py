"""A secret is removed from a text in any notation. A string that only resembles one stays."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertworker.text.redact import (
    REMOVED,
    names_a_secret,
    pseudonym,
    pseudonymous,
    within,
    without_certain_secrets,
    without_keys,
    without_secrets,
)

_HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
_UUID = "d4a3baf6-9dad-4199-8fca-8b6f3a6a9421"
_MIXED = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7d"

#: Keys by their format, each whole.
KEYS = {
    "LiteLLM virtual key": "sk-Zq3xV7bN1mKp9LwR_tYu-A",
    "LiteLLM sample": "sk-1234",
    "LiteLLM key of one's own": "sk-nobody-knows-this-key",
    "OpenAI legacy": f"sk-{_MIXED}",
    "OpenAI project": f"sk-proj-{_MIXED}_{_MIXED}-{_MIXED}",
    "OpenAI service account": f"sk-svcacct-{_MIXED}",
    "OpenAI admin": f"sk-admin-{_MIXED}",
    "OpenAI masked": "sk-abcd****************wxyz",
    "Anthropic": f"sk-ant-api03-{_MIXED}-{_MIXED}AA",
    "OpenRouter": f"sk-or-v1-{_HEX}{_HEX}",
    "Langfuse": "sk-lf-01234567-89ab-cdef-0123-456789abcdef",
    "AWS access key": "AKIAIOSFODNN7EXAMPLE",
    "AWS temporary key": "ASIAIOSFODNN7EXAMPLE",
    "Google API": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "Google OAuth": "ya29.a0AfH6SMBx-1234567890abcdef",
    "Google client secret": "GOCSPX-abcdefghijklmnopqrstuvwx",
    "Google refresh token": "1//0gabcdefghijklmnopqrstuvwxyz-12",
    "GitHub": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "GitHub app": "ghs_abcdefghijklmnopqrstuvwxyz0123456789",
    "GitHub fine-grained": f"github_pat_11ABCDEFG0abcdefghijkl_{_MIXED}",
    "GitLab": "glpat-abcdefghij0123456789",
    "Slack bot": "xoxb-123456789012-1234567890123-abcdefghijklmnopqrstuvwx",
    "Slack app": "xapp-1-A012345678-1234567890-abcdef0123456789",
    "Slack refresh": "xoxe.xoxp-1-abcdefghijklmnop",
    "Stripe": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "Stripe test": "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "Stripe restricted": "rk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "webhook secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "Hugging Face": "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "Groq": "gsk_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMN",
    "Azure": f"{_MIXED}9kP2mN8vQ4xRJQQJ99BCACHYHv6XJ3w3AAAAACOG{_MIXED[:4]}",
    "xAI": f"xai-{_MIXED}{_MIXED}",
    "Perplexity": f"pplx-{_MIXED}",
    "Replicate": "r8_abcdefghijklmnopqrstuvwxyz01234567890",
    "NVIDIA": f"nvapi-{_MIXED}",
    "Databricks": f"dapi{_HEX}",
    "Databricks numbered": f"dapi{_HEX}-2",
    "SendGrid": "SG.abcdefghijklmnopqrstuv.ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg",
    "Mailgun": f"key-{_HEX}",
    "npm": "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "PyPI": "pypi-AgEIcHlwaS5vcmcCJDAxMjM0NTY3",
    "Twilio": f"SK{_HEX}",
    "Telegram": "123456789:AAE1abcdefghijklmnopqrstuvwxyz01234",
    "Discord bot": "MTAxNTYyNDM4ODg3ODI5NzEx.GabcDe.abcdefghijklmnopqrstuvwxyz0123456789AB",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Bedrock": f"ABSKQmVkcm9ja0FQSUtleS1{_MIXED}=",
    "Bedrock short-term": f"bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t{_MIXED}",
    "Gemini": f"AQ.Ab8RN6{_MIXED}",
    "Together": f"tgp_v1_{_MIXED}",
    "Pinecone": f"pcsk_5x7Yz_{_MIXED}",
    "Jina": f"jina_{_HEX}{_MIXED[:28]}",
    "Voyage": f"pa-{_MIXED}-x_",
    "RunPod": f"rpa_{_MIXED}",
    "Vault": f"hvs.CAESI{_MIXED}",
    "Atlassian": f"ATATT3xFfGF0{_MIXED}",
    "Figma": f"figd_{_MIXED}",
    "Notion": f"ntn_{_MIXED}",
    "Linear": f"lin_api_{_MIXED}",
    "Grafana": f"glsa_{_MIXED[:32]}_0a1b2c3d",
    "Sentry": f"sntrys_eyJpYXQiOjE3{_MIXED}",
    "DigitalOcean": f"dop_v1_{_HEX}{_HEX}",
    "Docker organization": f"dckr_oat_{_MIXED[:32]}",
    "Supabase": f"sbp_{_HEX}01234567",
    "Weights & Biases": f"wandb_v1_{_MIXED}",
    "Meta": f"LLM|123456789012345|{_MIXED[:27]}",
    "Firecrawl": f"fc-{_HEX}",
    "Brave": f"BSA{_MIXED[:28]}",
    "Modal": f"ak-{_MIXED[:22]}",
    "Modal secret": f"as-{_MIXED[:22]}",
    "New Relic": "NRAK-ABCDEFGHIJ0123456789KLMNOPQ",
    "Shopify": f"shpss_{_HEX}",
    "Square": f"sq0atp-{_MIXED[:22]}",
    "LangChain": f"ls__{_HEX}",
    "Hugging Face organization": "api_org_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "OpenAI session": f"sess-{_MIXED}",
    "Cartesia": f"sk_car_{_MIXED[:22]}",
    "Doppler": f"dp.pt.{_MIXED}aB3",
    "Doppler service": f"dp.st.prd.{_MIXED}aB3",
    "PlanetScale": f"pscale_tkn_{_MIXED}aB3",
    "Grafana Cloud": f"glc_eyJvIjoiMTIzNDU2{_MIXED}",
    "PostHog": f"phx_{_MIXED}aB3",
    "Airtable": f"pat{_MIXED[:14]}.{_HEX}{_HEX}",
    "Notion internal": f"secret_{_MIXED}aB3",
    "Resend": f"re_{_MIXED[:8]}_{_MIXED[:24]}",
    "age": "AGE-SECRET-KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE",
    "E2B": f"e2b_{_HEX}01234567",
    "Heroku": f"HRKU-{_MIXED}{_MIXED[:20]}",
    "Zhipu": f"{_HEX}.aB3dE5fG7hJ9kL1m",
    "Azure client": "abc8Q~ABCDEFGHIJ-klmnopqrst.0123456789_uvw",
    "Vercel": f"vck_{_MIXED}aB3",
    "OpenAI ephemeral": f"ek_{_HEX}",
    "Friendli": f"flp_{_MIXED}",
    "Baidu": f"bce-v3/ALTAK-{_MIXED[:21]}/{_HEX}01234567",
    "Stripe organization": f"sk_org_live_{_MIXED}",
    "Brevo": f"xkeysib-{_HEX}{_HEX}-{_MIXED[:16]}",
    "Tailscale": f"tskey-auth-{_MIXED[:12]}CNTRL-{_MIXED[:32]}",
    "Linear OAuth": f"lin_oauth_{_HEX}{_HEX}",
    "Cloudflare": f"cfut_{_MIXED}",
    "Apify": f"apify_api_{_MIXED[:36]}",
    "Contentful": f"CFPAT-{_MIXED}aB3",
    "Artifactory": f"AKCp{_MIXED}",
    "Axiom": f"xaat-{_UUID}",
    "LaunchDarkly": f"sdk-{_UUID}",
    "Luma": f"luma-{_UUID}-{_UUID}",
    "Plaid": f"access-sandbox-{_UUID}",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\nabcd\n-----END RSA PRIVATE KEY-----",
    "PEM cut": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "Slack webhook": "https://hooks.slack.com/services/T01234567/B01234567/abcdefghijklmnopqrstuvwx",
    "Slack webhook without scheme": "hooks.slack.com/services/T01234567/B01234567/abcdefghijklmnopqrstuvwx",
    "Discord webhook": "https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnop",
    "Teams webhook": "https://corp.webhook.office.com/webhookb2/01234567-89ab@x/IncomingWebhook/abc/def",
    "Teams workflow": "https://prod-01.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke",
    "Power Platform": "https://default0.env.api.powerplatform.com:443/powerautomate/automations/direct/workflows/ab",
}

#: A secret behind what announces it: the text, the secret, and what is left.
ANNOUNCED = [
    ("Authorization: Bearer abcdef123", "abcdef123", f"Authorization: Bearer {REMOVED}"),
    ("authorization: token abcdefgh", "abcdefgh", f"authorization: token {REMOVED}"),
    ("Authorization: Basic YWRtaW46aHVudGVyMg==", "YWRtaW46", f"Authorization: Basic {REMOVED}"),
    ("Authorization: ApiKey hunter2xx", "hunter2", f"Authorization: ApiKey {REMOVED}"),
    ("Authorization: Key hunter2xx", "hunter2", f"Authorization: Key {REMOVED}"),
    ("Authorization: Bot hunter2xx", "hunter2", f"Authorization: Bot {REMOVED}"),
    (f"Authorization: Splunk {_UUID}", _UUID, f"Authorization: Splunk {REMOVED}"),
    ("Authorization: SSWS hunter2xx", "hunter2", f"Authorization: SSWS {REMOVED}"),
    ("Authorization: Zoho-oauthtoken hunter2xx", "hunter2", f"Authorization: Zoho-oauthtoken {REMOVED}"),
    ("Authorization: Unheard-Of hunter2xx", "hunter2", f"Authorization: {REMOVED}"),
    ("Authorization: Unheard-Of hunter", "hunter", f"Authorization: {REMOVED}"),
    ("authorization=unheard hunter2xx was refused", "hunter2", f"authorization={REMOVED} was refused"),
    ("{'Authorization': 'Unheard hunter2 xx'}", "hunter2", f"{{'Authorization': '{REMOVED}'}}"),
    ("{'Authorization': 'Api-Key hunter2xx'}", "hunter2", f"{{'Authorization': 'Api-Key {REMOVED}'}}"),
    ("authorization: Negotiate YIIhunter2xx=", "hunter2", f"authorization: Negotiate {REMOVED}"),
    ("curl -u me:hunter2xx https://h", "hunter2", f"curl -u me:{REMOVED} https://h"),
    ("curl --user 'me:hunter2xx' https://h", "hunter2", f"curl --user 'me:{REMOVED}' https://h"),
    ("jdbc:oracle:thin:scott/hunter2xx@//db:1521/x", "hunter2", f"jdbc:oracle:thin:{REMOVED}//db:1521/x"),
    ("password＝hunter2xx", "hunter2", f"password＝{REMOVED}"),
    ("Invalid API key 'hunter2xx'", "hunter2", f"Invalid API key '{REMOVED}'"),
    ('wrong password "hunter2xx" for me', "hunter2", f'wrong password "{REMOVED}" for me'),
    ("got bearer abcdef123 here", "abcdef123", f"got bearer {REMOVED} here"),
    ("api_key=hunter2hunter2", "hunter2", f"api_key={REMOVED}"),
    ("{'x-api-key': 'hunter2hunter2'}", "hunter2", f"{{'x-api-key': '{REMOVED}'}}"),
    ('{"dbPassword": "correct horse battery"}', "horse", f'{{"dbPassword": "{REMOVED}"}}'),
    ("password: `hunter2`", "hunter2", f"password: `{REMOVED}"),
    (
        "Server=db;User Id=sa;Password=hunter2;Encrypt=yes",
        "hunter2",
        f"Server=db;User Id=sa;Password={REMOVED};Encrypt=yes",
    ),
    ("Server=db;Uid=sa;Pwd=hunter2;", "hunter2", f"Server=db;Uid=sa;Pwd={REMOVED};"),
    (
        "AccountName=x;AccountKey=abcd1234==;EndpointSuffix=y",
        "abcd1234",
        f"AccountName=x;AccountKey={REMOVED};EndpointSuffix=y",
    ),
    ("Endpoint=sb://x/;SharedAccessKey=abcd1234=", "abcd1234", f"Endpoint=sb://x/;SharedAccessKey={REMOVED}"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalr", f"aws_secret_access_key = {REMOVED}"),
    ("secretAccessKey: wJalrXUtnFEMI/K7MDENG", "wJalr", f"secretAccessKey: {REMOVED}"),
    ("client_secret => hunter22", "hunter22", f"client_secret => {REMOVED}"),
    ("curl --token hunter22 x", "hunter22", f"curl --token {REMOVED} x"),
    ("<password>hunter2</password>", "hunter2", f"<password>{REMOVED}</password>"),
    ("Set-Cookie: session=abcdef; Path=/", "abcdef", f"Set-Cookie: {REMOVED}; Path=/"),
    ("sig=AbCd%2FEf0123456789AbCd%3D expired", "AbCd", f"sig={REMOVED} expired"),
    ("postgres://me:pw@db/x", "me:pw", f"postgres://{REMOVED}db/x"),
    ("redis://:p@ss@cache:6379/0", "p@ss", f"redis://{REMOVED}cache:6379/0"),
    ("postgresql://app:p@ss/w0rd@db:5432/x", "w0rd", f"postgresql://{REMOVED}db:5432/x"),
    ("redis://:p@ss/w0rd@cache:6379/0", "w0rd", f"redis://{REMOVED}cache:6379/0"),
    ("amqp://u:p/w@mq:5672/", "p/w", f"amqp://{REMOVED}mq:5672/"),
    (
        "https://x.blob.core.windows.net/c?sv=2022&sig=abc%2Fdef",
        "abc%2F",
        f"https://x.blob.core.windows.net/c?{REMOVED}&{REMOVED}",
    ),
    ('Credentials provided: "api-key": "hunter2"', "hunter2", f'Credentials provided: "api-key": "{REMOVED}"'),
    ("SECRET_KEY=hunter2xx", "hunter2", f"SECRET_KEY={REMOVED}"),
    ("DB_PASS=hunter2xx", "hunter2", f"DB_PASS={REMOVED}"),
    ("api_key_prod: hunter2xx", "hunter2", f"api_key_prod: {REMOVED}"),
    ('"langfuse_secret_key": "hunter2xx"', "hunter2", f'"langfuse_secret_key": "{REMOVED}"'),
    ("{'jwt': 'hunter2xx', 'n': 1}", "hunter2", f"{{'jwt': '{REMOVED}', 'n': 1}}"),
    ('tokens: ["hunter2x", "hunter2y"]', "hunter2", f"tokens: [{REMOVED}]"),
    (
        '{"secrets": {"a": "hunter2x", "b": {"c": "hunter2y"}, "d": "hunter2z"}} x',
        "hunter2",
        f'{{"secrets": {{{REMOVED}}}}} x',
    ),
    ("{'auth': ('me', 'hunter2xx')}", "hunter2", f"{{'auth': ({REMOVED})}}"),
    ("credentials: {pass: hunter2xx}", "hunter2", f"credentials: {{{REMOVED}}}"),
    ("('x-api-key', 'hunter2xx')", "hunter2", f"('x-api-key', '{REMOVED}')"),
    ("[(b'x-api-key', b'hunter2xx')]", "hunter2", f"[(b'x-api-key', b'{REMOVED}')]"),
    ('["api-key","hunter2xx"]', "hunter2", f'["api-key","{REMOVED}"]'),
    ('{"name": "x-api-key", "value": "hunter2xx"}', "hunter2", f'{{"name": "x-api-key", "value": "{REMOVED}"}}'),
    ('{"value": "hunter2xx", "name": "x-api-key"}', "hunter2", f'{{"value": "{REMOVED}", "name": "x-api-key"}}'),
    (f"password={REMOVED}hunter2xx", "hunter2", f"password={REMOVED}"),
    ("https://user:12/hunter2xx@host", "hunter2", f"https://{REMOVED}host"),
    ("{b'password': b'hunter2xx'}", "hunter2", f"{{b'password': b'{REMOVED}'}}"),
    ("{&quot;password&quot;:&quot;hunter2xx&quot;}", "hunter2", f"{{&quot;password&quot;:&quot;{REMOVED}&quot;}}"),
    ("{&#34;token&#x22;: &#34;hunter2xx&#034;}", "hunter2", f"{{&#34;token&#x22;: &#34;{REMOVED}&#034;}}"),
    ('<add key="Password" value="hunter2xx"/>', "hunter2", f'<add key="Password" value="{REMOVED}"/>'),
    ("<add value='hunter2xx' key='apiKey'/>", "hunter2", f"<add value='{REMOVED}' key='apiKey'/>"),
    ("password -> hunter2xx", "hunter2", f"password -> {REMOVED}"),
    ("password → hunter2xx", "hunter2", f"password → {REMOVED}"),
    ("password：hunter2xx", "hunter2", f"password：{REMOVED}"),
    ("{'pin': '1234'}", "1234", f"{{'pin': '{REMOVED}'}}"),
    ("Authorization-Header: Zq3xV7bN1m", "Zq3xV7", f"Authorization-Header: {REMOVED}"),
    ("Cookie: PHPSESSID=abcdef", "abcdef", f"Cookie: {REMOVED}"),
    (r"{\"token\": \"hunter2\"}", "hunter2", rf'{{\"token\": \"{REMOVED}"}}'),
]

#: Names under which a secret stands, and names that only resemble them.
SECRET_NAMES = (
    "secret_key", "secretKey", "SECRET_KEY", "langfuse_secret_key", "api_secret_key", "openai_key", "litellm_key",
    "virtual_key", "ssh_key", "hmac_key", "shared_key", "pass", "DB_PASS", "dbPass", "pw", "jwt", "auth", "bearer",
    "passwords", "cookies", "accessTokens", "password1", "token_v2", "api_key_prod", "connection_string",
    "mfa_code", "otp", "creds", "db_creds", "auth_header", "Authorization-Header", "x-functions-key", "secret_key_base",
    "credentials_json", "password_hash", "session_id", "sessionId", "JSESSIONID", "slack_webhook", "slackWebhook",
    "pin", "user_pin", "AWS_BEARER_TOKEN_BEDROCK", "oci_key",
)  # fmt: skip
HARMLESS_NAMES = (
    "sort_key", "primary_key", "cache_key", "key_alias", "prompt_tokens", "total_tokens", "completion_tokens",
    "token_limit", "token_type", "authenticated", "passed", "compass", "bypass", "keyboard", "error_code",
    "partition_key", "group_key", "model_name_v2", "user_api_key_hash", "key_hash", "json_schema", "session_count",
    "opinion", "spin", "pinned", "sacred", "credit", "function_key", "webhook_events", "obsession_idea",
)  # fmt: skip

#: Strings that a person needs to read, and strings that only look like a key.
HARMLESS = [
    "01234567-89ab-cdef-0123-456789abcdef",
    "chatcmpl-01234567-89ab-cdef-0123-456789abcdef",
    "req_011CSHoEeqs5C35K2UUqR7Fy",
    "gpt-4o-2024-08-06",
    "claude-sk-preview",
    "claude-3-5-sonnet-20240620",
    "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "bedrock/anthropic.claude-sonnet-4-20250514-v1:0",
    "task-management, disk-usage-of-97, risk-assessment-2024, ask-anything-you-like",
    "skeletons, skyscrapers, sketches-of-2024 and pkg_resources_of_everything",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "arn:aws:iam::123456789012:role/my-service-role-for-batch-inference",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/litellm",
    "/usr/local/lib/python3.13/site-packages/litellm/llms/openai/openai.py",
    "projects/my-project-123/locations/us-central1/publishers/google/models/gemini-2",
    "deploy-7f9c6d8b5-x2x7k-in-namespace-llm-gateway-production-eu-west-1",
    "litellm.InternalServerError: OpenAIException - the task-scheduler had an error at disk-usage of 97 %",
    "The bearer certificate has expired. Basic understanding of digest authentication is needed.",
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (max_tokens=1000).",
    "prompt_tokens: 12345, completion_tokens: 67890, total_tokens=80235",
    "Rate limit reached for gpt-4o in organization org-abcdefgh on tokens per min (TPM): Limit 30000",
    "http://10.0.0.7:8080/v1/chat/completions refused; mail ops@example.com",
    "The secret of a good team is trust; a password is needed, and a token too.",
    "sk-...7890",
    "HTTP/1.1 503 Service Unavailable, retry after 30s, 2026-11-23T14:02:11+00:00",
    "Überlastet: 模型过载，请稍后再试 🚀",
    "global-customer-support-team, global-anthropic-claude-sonnet-4-5, glacier-production-workload-eu-1",
    "xai-grok-4-fast-reasoning, pplx-sonar-reasoning-pro, r8-meta-llama-3-70b-Instruct, hf-meta-llama-3-70b-Instruct",
    "pypi-package-publisher-team, xapp-production-service, SG.marketing-team.production-eu, pa-legal-department-team",
    "jina_embeddings_v3_large_model, rpa_invoice_automation_team_2024, fw-llama-v3p1-405b-Instruct",
    "as-customer-operations-2",
    "docker run -u 1000:1000 image, ls -u a:b, mail --user team: search",
    "password authentication failed for user \"litellm\"; the API key 'search-team' is blocked",
    "author: somebody, authenticated: 'nobody', passed=1234, compass='north', sort_key=created_at, key_alias='team-a'",
    "https://gateway:443/v1/models/claude-3-5-sonnet@20240620 tokens=4096",
    "AKIRA, ASIAPACIFICREGION and ya29",
    "re_ranking_model_2024, secret_santa_campaign, pattern.recognition, path.to.module, e2b_sandbox, phx_region_1",
    "dp.pt.team, glc_production, sess-2024-11, secret_manager_projects_production_eu_west",
    "session_id=run-17 of the nightly batch; key -> value; a -> b; R&amp;D &lt;labs&gt; say &quot;hello&quot;",
    "Failed to refresh token: ('invalid_grant: Bad Request', {'error': 'invalid_grant'}); token: access_denied",
    "ExceededTokenBudget: Current spend for token: 7.2345; Max Budget for Token: 2e-07",
    "Missing credentials: please set the OPENAI_API_KEY environment variable",
    "Authorization: required for this model. authorization: access denied",
    f"/subscriptions/{_UUID}/resourceGroups/rg-llm-prod-eastus2/providers/Microsoft.CognitiveServices/accounts/a",
    f"sdk-version, api-{_UUID[:8]}, access-token-refresh, luma-{_UUID[:13]}, week_2024, lin_regression_2024",
    "https://api.example.com/v1/threads/messages/runs/steps/files?limit=20&amp;order=asc".partition("?")[0],
]


@pytest.mark.parametrize("secret", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("around", ["{}", "wrong key: {}", "key={}, sorry", "({})", '"{}"', "said `{}`", "a\n{}\nb"])
def test_a_key_is_known_by_its_format(secret: str, around: str) -> None:
    """It is removed completely, in any place. A name that is a key stays distinct."""
    text = without_secrets(around.format(secret), sure=True)
    assert REMOVED in text
    assert not any(secret[at : at + 8] in text for at in range(len(secret) - 7))
    name = pseudonymous(around.format(secret))
    assert "secret-" in name
    assert not any(secret[at : at + 8] in name for at in range(len(secret) - 7))


@pytest.mark.parametrize(("text", "secret", "left"), ANNOUNCED)
def test_a_labelled_secret_is_removed_and_its_label_stays(text: str, secret: str, left: str) -> None:
    """A reader still sees what was taken out, and how the sentence goes on."""
    assert without_secrets(text, sure=True) == left
    assert secret not in left


@pytest.mark.parametrize(
    "identity",
    [
        "password=hunter2x",
        "x password='hunter2x'",
        "client_secret => hunter2x",
        "https://h.example/?k=hunter2x",
        "R&D=sk-proj-hunter2xhunter2x",
        "&sk-proj-hunter2xhunter2x",
    ],
)
def test_a_labelled_secret_in_a_name_is_replaced_where_it_looks_generated(identity: str) -> None:
    """A name may hold a colon, an "=" or an "&" of its own; `HARMLESS` has examples."""
    assert "hunter2x" not in pseudonymous(identity)


@pytest.mark.parametrize("secret", [_HEX, _HEX[:20], _UUID, f"{_UUID}:{_HEX}"])
@pytest.mark.parametrize("name", ["authorization: {}", "x-api-key: {}", "Authorization: Key {}"])
def test_a_hexadecimal_value_behind_a_colon_in_a_name_is_replaced(name: str, secret: str) -> None:
    """It is generated, although it has no upper-case letter."""
    assert secret[:16] not in pseudonymous(name.format(secret))
    assert secret[-12:] not in pseudonymous(name.format(secret))


@pytest.mark.parametrize(
    "text",
    ["api key M is invalid", "token M expired", "OPENAI_API_KEY M", "the password is M", "(client secret M)"],
)
@pytest.mark.parametrize("secret", [_UUID, f"team-{_UUID}"])
def test_a_uuid_behind_a_name_is_removed(text: str, secret: str) -> None:
    """Several vendors' keys are UUIDs. Without a name, a UUID is an id."""
    assert without_secrets(text.replace("M", secret)) == text.replace("M", REMOVED)
    assert without_secrets(f"trace {secret} expired") == f"trace {secret} expired"


@pytest.mark.parametrize(
    "name",
    [
        "Credential: my-azure-east",
        "Credential: azure-eastus2",
        "Q&A=team",
        "R&D=labs",
        "team?x=y",
        "Basic Tier-2024",
        "basic support-eu-2",
        "token=research",
    ],
)
def test_a_name_that_only_resembles_an_announcement_stays(name: str) -> None:
    """Teams, keys and tags are called so."""
    assert pseudonymous(name) == name


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot connect to postgresql://app:Tr0ub4,dor3@db/x", "dor3"),
        ("redis://:pw,9999@cache", "9999"),
        ("amqp://svc:it's4secret@mq:5672//", "4secret"),
        ("mysql+pymysql://root:p<1>2word@db/x", "2word"),
        ('{"client_secret":"Xk9\\"q7#mPz2"}', "q7#mPz2"),
        ('api_key="a\\"bcd1234"', "bcd1234"),
        ("LITELLM_SALT_KEY=correct-horse99", "horse99"),
        ("ALERTWORKER_PUBLISH_KEY: 'hunter22'", "hunter22"),
        ("OPENAI_API_KEY_EU_WEST=abcdef12", "abcdef12"),
        ('private_key_pem="abc def"', "abc def"),
    ],
)
def test_punctuation_ends_no_secret(text: str, secret: str) -> None:
    """A password in a URL may have commas and quotes, and a value in quotes an escaped quote."""
    assert secret not in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        'see "http://host:8080","user@example.com"',
        '{"url":"http://host:path","mail":"x@y"}',
        '<a href="http://x:y">u@h</a>',
        "http://one:8080,two@three",
        "sort_key=abcdef",
    ],
)
def test_punctuation_ends_an_address_without_a_password(text: str) -> None:
    """The text behind the address stays readable."""
    assert without_secrets(text) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Names of models, ids, paths and prose read as they were written."""
    assert without_secrets(text) == text
    assert pseudonymous(text) == text


@pytest.mark.parametrize(
    "secret", [_HEX, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", _MIXED, _MIXED[:32], f"{_HEX}{_HEX}"]
)
def test_a_long_random_string_stays_where_it_may_be_an_id(secret: str) -> None:
    """A provider's key without a format, and an id of a trace, look alike."""
    assert without_secrets(f"said {secret}.") == f"said {REMOVED}."
    assert without_secrets(f"said {secret}.", sure=True) == f"said {secret}."
    assert pseudonymous(secret) == secret


@pytest.mark.parametrize(
    "disguise",
    [
        lambda key: quote(key, safe="").replace("-", "%2D").replace("_", "%5f"),
        lambda key: quote(quote(key.replace("-", "%2D"), safe=""), safe=""),
        lambda key: json.dumps(key).replace("-", "\\u002d").replace("/", "\\/"),
        lambda key: key.replace("-", "\\x2d"),
        "\u200b".join,
        lambda key: f"{key[:5]}\ufeff{key[5:9]}\xad{key[9:]}",
        lambda key: "".join(f"%{ord(letter):02X}" for letter in key),
        str.upper,
        str.title,
    ],
    ids=["percent", "twice", "json", "python", "zero width", "joiners", "all percent", "upper", "title"],
)
@pytest.mark.parametrize(
    "key", [f"sk-proj-{_MIXED}", "sk-ant-api03-abcdef0123456789-abcd", "ghp_abcdefghij0123456789abcd"]
)
def test_a_disguise_hides_no_key(key: str, disguise: object) -> None:
    """Encoded, escaped, with letters of no width in it, or in the wrong case."""
    assert callable(disguise)
    hidden = disguise(key)
    text = without_secrets(f"said: {hidden} here", sure=True)
    assert hidden not in text
    assert hidden[-12:] not in text
    assert text.startswith("said: ")
    assert text.endswith(" here")


def test_a_stand_in_is_the_same_for_the_same_secret_and_no_other() -> None:
    """Each entity keeps its own rows in the ledger."""
    one, other = "sk-proj-abcdefgh12345678", "sk-proj-abcdefgh12345679"
    assert pseudonymous(one) == pseudonymous(one) == pseudonym(one) != pseudonymous(other)
    assert len(pseudonymous(one)) == len("secret-") + 12
    assert pseudonymous(pseudonymous(f"token={one}")) == pseudonymous(f"token={one}")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("token", True), ("api_key", True), ("API-Key", True), ("dbPassword", True), ("openai api key", True),
        ("webhook_url", True), ("Authorization", True), ("accessToken", True), ("privateKey", True), ("Secrets", True),
        *((name, True) for name in SECRET_NAMES), *((name, False) for name in HARMLESS_NAMES),
        ("tokens", True), ("max_tokens", False), ("token_count", False), ("key", False), ("run", False),
        ("Key Name", False), ("secretary", False), ("hockey", False), ("monkey", False), ("author", False),
    ],
)  # fmt: skip
def test_a_key_shows_that_its_value_is_a_secret(name: str, secret: bool) -> None:
    """Names of fields and variables are such keys."""
    assert names_a_secret(name) is secret


def test_labelled_figures_stay_in_a_text_of_our_own() -> None:
    """LiteLLM's reports: "output token" is none."""
    assert (
        without_keys("per output token: 0.0052, key sk-proj-abcdefgh12345678")
        == f"per output token: 0.0052, key {REMOVED}"
    )


DIGEST = "3f0c4a7e51b2"


@pytest.mark.parametrize(
    "text",
    [
        f"Credential: {DIGEST} (the start of the key's SHA-256)",
        f"Credential: `{DIGEST}`",
        f'"Credential": "{DIGEST} (the start of the key\'s SHA-256)",',
        f'{{"labels": {{"credential": "{DIGEST}", "scope": "credential"}}}}',
        f'{{"text": "Credential: `{DIGEST}`\\nAlert: `1`"}}',
        f"credential={DIGEST}",
    ],
)
def test_the_digest_of_a_credential_is_shown_to_admins(text: str) -> None:
    """Our own events and alerts name credentials so. It is the start of a hash, so it opens nothing."""
    assert without_certain_secrets(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"password: {DIGEST}", "password: [removed]"),
        (f"credential: {DIGEST}4f", "credential: [removed]"),
        ("credential: sk-proj-abcdefgh12345678", "credential: [removed]"),
        (f"password=credential={DIGEST}!x1", "password=credential=[removed]"),
    ],
)
def test_nothing_else_under_the_name_of_a_credential_is_shown(text: str, left: str) -> None:
    """Only 12 hexadecimal digits are a digest."""
    assert without_certain_secrets(text) == left


@example(f"dapi{_HEX}" + f"SK{_HEX}" * 3 + "sk-Zq3xV7bN1mKp9LwR_tYu-A")
@example(f"SK{_HEX}" * 40 + "sk-Zq3xV7bN1mKp9LwR_tYu-A")
@given(
    st.lists(
        st.sampled_from([*KEYS.values(), *(text for text, _, _ in ANNOUNCED), *HARMLESS, *" =:;&?/'\"\\`]}>%-"]),
        max_size=6,
    ).map("".join)
)
def test_redaction_is_idempotent(text: str) -> None:
    """The relay does so after the proxy, and a page after the relay."""
    once = without_secrets(text, sure=True)
    assert without_secrets(once, sure=True) == once


@pytest.mark.parametrize("keys", [1, 3, 4, 5, 40])
def test_of_keys_that_touch_each_other_none_is_left(keys: int) -> None:
    """Each search finds one of them: a key begins where the one before it was taken out."""
    assert (
        without_secrets(f"SK{_HEX}" * keys + "sk-Zq3xV7bN1mKp9LwR_tYu-A and more").replace(REMOVED, "") == " and more"
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET https://h/{_HEX}", f"GET https://h/{REMOVED}"),
        (f"GET https://api.example.com/v1/{_HEX}/chat", f"GET https://api.example.com/v1/{REMOVED}/chat"),
        (f"/a/{_HEX}/{_HEX}", f"/a/{REMOVED}/{REMOVED}"),
    ],
)
def test_a_hexadecimal_key_within_a_path_is_removed_and_the_path_stays(text: str, left: str) -> None:
    """A path is long and not random, so the key in it was kept."""
    assert without_secrets(text) == left


@pytest.mark.parametrize(("limit", "step"), [(20, 31), (256, 7), (2_000, 31)])
@pytest.mark.parametrize(
    "secret",
    [
        "https://user:hunter2hunter2@host.example/",
        "password=hunter2hunter2",
        f"sk-proj-{'hunter2' * 20}",
        f"Bearer {'hunter2' * 20}",
    ],
)
def test_no_piece_of_a_secret_is_left_where_a_text_is_cut(secret: str, limit: int, step: int) -> None:
    """It is taken out before the text is cut, wherever the cut falls, and however much shorter the text gets."""
    scanned = max(4 * limit, 1_200)
    for filling in ("word ", "x", "token=abcdefghijklmnopqrstuvwxyz "):
        for before in range(scanned - 200, scanned + 50, step):
            text = within((filling * (before // len(filling) + 1))[:before] + " " + secret + " and so on" * 100, limit)
            assert len(text) <= limit
            assert "hunter" not in text
            assert text.endswith("… cut")


_PIECES = (
    "the cat sat. ", "a-", "sk-", "token=", "%2", "%41", "\u200b", "https://a", "//a:", "aB3/", "-----BEGIN A-----",
    "?a=b", "&quot;", "/", f"SK{_HEX}", "<add key='pin' ", "value='abcd' ", "pat", "re_a1",
)  # fmt: skip


@pytest.mark.parametrize("piece", _PIECES)
@pytest.mark.parametrize("redact", [without_secrets, pseudonymous])
def test_the_time_grows_with_the_length_of_a_text_and_not_with_its_square(
    piece: str, redact: Callable[[str], str]
) -> None:
    """Eight times the text takes less than 20 times as long; its square would take 64 times as long."""

    def seconds(size: int) -> float:
        begun = time.thread_time()
        redact(piece * (size // len(piece)))
        return time.thread_time() - begun

    small = min(seconds(3_000) for _ in range(3))
    assert min(seconds(24_000) for _ in range(2)) < 20 * max(small, 0.001)
